/* Route templates: "/orders/{id}", and "/files" with a star for all below. Pure functions. */
#pragma once

#include "base/slice.h"

/* Whether a template fits a path. */
bool fg_route_fits(const char *path_template, const char *path);

/* What stands in the path for {name} of a template that fits it; data is NULL where there is none.
 */
struct fg_slice fg_route_value(const char *path_template, const char *path, const char *name);
