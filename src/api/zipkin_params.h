/* Parameters as Zipkin's read API has them. Functions return false after a 400. */
#pragma once

#include "exchange.h"

/* Without blanks around it. */
struct fg_slice fg_zipkin_trim(struct fg_slice text);

/* A whole number of at least 0 that counts unit_ns; absent: *ns stays as it is. */
FG_MUST_CHECK bool fg_zipkin_time_param(struct fg_exchange *exchange, const char *name,
                                        uint64_t unit_ns, uint64_t *ns);

/* endTs (required: or now) and lookback, in milliseconds. */
FG_MUST_CHECK bool fg_zipkin_window_params(struct fg_exchange *exchange, bool required,
                                           uint64_t lookback_ns, uint64_t *ret_start_ns_min,
                                           uint64_t *ret_start_ns_max);
