/* Jaeger's structured filter: an expression in JSON (jaegertracing/jaeger-idl, expression/v1; its
 * meaning: RFC 0005 of jaegertracing/jaeger) as a query.
 *
 * Understood are and, or, not, the comparisons of a reference with a constant, regex, exists, in
 * and not_in, on attributes of every level and on the fields that are kept as columns; some over
 * events or links where one condition, or one of several, is asked of the element. The rest is
 * refused by name, never left out. A comparison of what is not there is false; ne and not_in hold
 * where something is there and none of it is equal. */
#pragma once

#include "trace_stream.h"

/* Adds what query.filter says, where it is given, to the search's query. False after a 400. */
FG_MUST_CHECK bool fg_jaeger_v3_filter_param(struct fg_trace_stream *stream);
