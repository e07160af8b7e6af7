/* Parameters as Jaeger's newer query API has them (jaegertracing/jaeger, jaegerquery: apiv3,
 * query_parser.go): each in camelCase and, older, in snake_case; times in RFC 3339, durations as Go
 * writes them. Parameters that are not known are ignored, as there, but for those that would change
 * which traces come: they are refused. Functions return false after a 400. */
#pragma once

#include "trace_stream.h"

/* The value of name, or else of older; {NULL, 0}. *ret_name: the one that had it. */
struct fg_slice fg_jaeger_v3_param(struct fg_exchange *exchange, const char *name,
                                   const char *older, const char **ret_name);

/* A moment; absent: *ns stays as it is. */
FG_MUST_CHECK bool fg_jaeger_v3_time_param(struct fg_exchange *exchange, const char *name,
                                           const char *older, uint64_t *ns);

/* "true" or "false", which is checked and says nothing here: what is stored comes as it is. */
FG_MUST_CHECK bool fg_jaeger_v3_raw_param(struct fg_exchange *exchange, const char *name,
                                          const char *older);

/* query.…: fills what fg_search_params() fills. */
FG_MUST_CHECK bool fg_jaeger_v3_search_params(struct fg_trace_stream *stream);

/* Of a search that is posted: has the body's members be the request's parameters. */
FG_MUST_CHECK bool fg_jaeger_v3_take_body(struct fg_exchange *exchange);
