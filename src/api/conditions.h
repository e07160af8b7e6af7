/* Conditions that other protocols ask by parameters, built into a search's query; all that are
 * added must hold on the same span. Functions return false where memory ran out, or where there are
 * more conditions than a query may have; nothing was answered then. */
#pragma once

#include "trace_stream.h"

FG_MUST_CHECK bool fg_condition_add(struct fg_trace_stream *stream,
                                    const struct fg_predicate *predicate);

/* A field that is text equals value; an empty value adds nothing. */
FG_MUST_CHECK bool fg_condition_add_text(struct fg_trace_stream *stream, enum fg_field field,
                                         struct fg_slice value);

/* A duration of at least, or at most, ns. */
FG_MUST_CHECK bool fg_condition_add_duration(struct fg_trace_stream *stream,
                                             enum fg_predicate_op op, uint64_t ns);

/* Conditions of which one must hold. */
#define FG_ALTERNATIVES_MAX 16u
struct fg_alternatives {
    struct fg_trace_stream *stream;
    const struct fg_query *children[FG_ALTERNATIVES_MAX];
    uint32_t count;
    bool failed;
};

void fg_alternatives_offer(struct fg_alternatives *alternatives,
                           const struct fg_predicate *predicate);
FG_MUST_CHECK bool fg_alternatives_add(struct fg_alternatives *alternatives);

/* An attribute of the span, its resource or one of its events, as Jaeger and Zipkin ask for tags:
 * the value is a text, and finds the number and the boolean that read alike; keys that the
 * translation to their models makes of what is no attribute here find that. */
FG_MUST_CHECK bool fg_condition_add_tag(struct fg_trace_stream *stream, struct fg_slice key,
                                        struct fg_slice value);
/* The alternatives alone, for whoever has others. */
void fg_alternatives_offer_tag(struct fg_alternatives *alternatives, struct fg_slice key,
                               struct fg_slice value);

/* Bounds of time and bytes, and what of the query the store looks for. False after an answer. */
FG_MUST_CHECK bool fg_condition_plan(struct fg_trace_stream *stream);
