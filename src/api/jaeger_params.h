/* Parameters as Jaeger's query API has them (jaegertracing/jaeger, jaegerquery: query_parser.go):
 * times are integers since 1970 in microseconds, or milliseconds where they say so; a parameter
 * that is not known is ignored, as there. Each function returns false after it has answered by 400
 * in Jaeger's words. */
#pragma once

#include "trace_stream.h"

/* service, operation, tag, tags, minDuration, maxDuration, start, end, limit; or traceID, any
 * number of times. Fills what fg_search_params() fills. */
FG_MUST_CHECK bool fg_jaeger_search_params(struct fg_trace_stream *stream);

/* An integer of at least 0 that counts unit_ns; absent: *ns stays as it is. */
FG_MUST_CHECK bool fg_jaeger_integer_param(struct fg_exchange *exchange, const char *name,
                                           uint64_t unit_ns, uint64_t *ns);

/* endTs and lookback, in milliseconds. */
FG_MUST_CHECK bool fg_jaeger_window_params(struct fg_exchange *exchange, uint64_t lookback_ns,
                                           uint64_t *ret_start_ns_min, uint64_t *ret_start_ns_max);

/* "unable to parse param 'x': why", as Jaeger has it. */
void fg_jaeger_answer_unparsed(struct fg_exchange *exchange, const char *name, struct fg_slice text,
                               const char *why);

/* A duration as Go writes it: "1.5s", "2h45m", "100us", "0". FG_EINVALID, FG_ELIMIT. */
FG_MUST_CHECK int fg_go_duration_parse(struct fg_slice text, uint64_t *ret_ns);
