/* Queries in the language of search (doc/search.md) that lead to what a piece of evidence counts.
 */
#pragma once

#include "case.h"

/* Traces that a query names at most; with more it leads to some of what was counted. */
#define FG_QUERY_TEXT_TRACES_MAX 16u
#define FG_QUERY_TEXT_SIZE_MAX   2048u

/* A query while it is written; one that does not fit is none. */
struct fg_query_text {
    const struct fg_case *c;
    char bytes[FG_QUERY_TEXT_SIZE_MAX];
    size_t size;
    struct fg_trace_ref traces[FG_QUERY_TEXT_TRACES_MAX];
    uint32_t alternatives; /* in the parentheses that are open */
    uint32_t trace_count;
    bool is_open, is_cut;
};

void fg_query_text_begin(const struct fg_case *c, struct fg_query_text *text);
/* KEY="VALUE", which must hold beside what stands there already; in parentheses: or this. */
void fg_query_text_is(struct fg_query_text *text, const char *key, struct fg_slice value);
/* A condition as it is. */
void fg_query_text_condition(struct fg_query_text *text, const char *condition);
/* Opens parentheses, of which one alternative must hold. */
void fg_query_text_any(struct fg_query_text *text);
/* A row's trace as an alternative; each is named once. */
void fg_query_text_trace(struct fg_query_text *text, uint32_t row);
/* The query in the case's arena; "" where it did not fit, or an alternative was asked for and there
 * is none. */
struct fg_slice fg_query_text_end(struct fg_query_text *text);

/* Spans that name this journey. */
struct fg_slice fg_query_of_journey(const struct fg_case *c);
/* Spans that reach a step of the flow: its own condition. "" where step is FG_FLOW_STEP_NONE. */
struct fg_slice fg_query_of_step(const struct fg_case *c, uint32_t step);
/* One span. */
struct fg_slice fg_query_of_span(const struct fg_case *c, uint32_t row);
