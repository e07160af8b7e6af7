/* A flow as YAML again, for who wants to go on with it. */
#pragma once

#include "base/buffer.h"
#include "case.h"

/* In double quotes, as YAML and the language of search have them. */
void fg_flow_quote(struct fg_buffer *out, struct fg_slice text);
/* fg_flows_parse() makes the same flow of it; with the deadlines in force (by step) where it
 * declares none. */
void fg_flow_write(const struct fg_flow *flow, const struct fg_hop_deadline *deadlines,
                   struct fg_buffer *out);
