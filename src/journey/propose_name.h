/* What an attribute's name alone tells of whether it may name a business object. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

bool fg_key_name_is_well_known(struct fg_slice name);
bool fg_key_name_is_secret(struct fg_slice name);
/* "order.id", "orderNumber": numbers under it are names, not counts. */
bool fg_key_name_is_identifier(struct fg_slice name);
