/* The scope `filigree.export` of a request: what an exporter tells of itself beside its spans
 * (store/instances.h, doc/sdk.md). It is taken out here: its numbers differ with each request, and
 * are kept as facts about the process, not as attributes of spans. */
#pragma once

#include "api/intake.h"

/* Before an attribute of a resource is appended: keeps those that say who sends. value is cleaned.
 */
void fg_export_scope_resource(struct fg_intake *intake, struct fg_slice key,
                              const struct fg_value *value);

/* At a scope's begin: whether it is that scope. */
void fg_export_scope_begin(struct fg_intake *intake, struct fg_slice name);
/* True where the attribute is one of an export's facts, and was taken. */
FG_MUST_CHECK bool fg_export_scope_take(struct fg_intake *intake, struct fg_slice key,
                                        const struct fg_value *value);
/* At a scope's end: what it told becomes one of the request's notes. */
void fg_export_scope_end(struct fg_intake *intake);
