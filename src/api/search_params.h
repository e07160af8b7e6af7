/* What a search's query parameters ask for. */
#pragma once

#include "trace_stream.h"

/* Fills stream->query, search, wanted and explain: q, service, name (Jaeger: operation), start,
 * end, limit, cursor, timeout, budget, explain. False after it has answered the exchange by 400
 * with what is wrong. */
FG_MUST_CHECK bool fg_search_params(struct fg_trace_stream *stream, uint32_t limit_default);

/* Whether every parameter of the request is one of names, or the tenant, which permit.c has read;
 * false after a 400 that names the one that is not, and those that are. */
FG_MUST_CHECK bool fg_params_known(struct fg_exchange *exchange, const char *const *names,
                                   size_t name_count);

/* What the store can look for of the parameter q, which is planned in arena; NULL where there is
 * none. *ret_whole: that is all of it. False after a 400. */
FG_MUST_CHECK bool fg_predicate_param(struct fg_exchange *exchange, struct fg_arena *arena,
                                      const struct fg_predicate **ret_predicate, bool *ret_whole);

/* A moment, as fg_time_parse() reads it; absent: *ns stays as it is. False after a 400. */
FG_MUST_CHECK bool fg_moment_param(struct fg_exchange *exchange, const char *name, uint64_t *ns);

/* start and end, as fg_time_parse() reads them; absent is all time. False after a 400. */
FG_MUST_CHECK bool fg_time_params(struct fg_exchange *exchange, uint64_t *ret_start_ns_min,
                                  uint64_t *ret_start_ns_max);
/* What fg_time_params() left open, for a window of time: until now, and lookback_ns before its end.
 * False after a 400, where nothing is between them. */
FG_MUST_CHECK bool fg_window_params(struct fg_exchange *exchange, uint64_t lookback_ns,
                                    uint64_t *start_ns, uint64_t *end_ns);

/* limit: from 1 to FG_SEARCH_COUNT_MAX. False after a 400. */
FG_MUST_CHECK bool fg_limit_param(struct fg_exchange *exchange, uint32_t limit_default,
                                  uint32_t *ret_limit);

/* A whole number from 1 to max; absent: *count stays as it is. False after a 400. */
FG_MUST_CHECK bool fg_count_param(struct fg_exchange *exchange, const char *name, uint32_t max,
                                  uint32_t *count);
