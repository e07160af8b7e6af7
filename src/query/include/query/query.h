/* A query: a tree of conditions on a span and on the trace around it. A trace is an answer when one
 * of its spans makes the tree true.
 *
 * Made by fg_query_parse() from a line as people type it, or by hand; another language parses into
 * the same tree. fg_query_plan() says what of it the store can look for; the rest is decided on
 * whole traces by fg_query_matches().
 *
 * Immutable once made; lives in the arena that it was made in. */
#pragma once

#include "base/buffer.h"
#include "query/summary.h"
#include "store/predicate.h"

enum fg_query_op {
    FG_QUERY_TRUE,
    FG_QUERY_AND,
    FG_QUERY_OR,
    FG_QUERY_NOT,   /* one child */
    FG_QUERY_SPAN,  /* span: a single condition, without children */
    FG_QUERY_TRACE, /* trace */
};

/* What a trace has as a whole; see struct fg_trace_summary. */
enum fg_trace_field {
    FG_TRACE_DURATION,     /* int: ns */
    FG_TRACE_ROOT_SERVICE, /* string; absent where no span is without a parent */
    FG_TRACE_ROOT_NAME,    /* the same */
    FG_TRACE_SPAN_COUNT,   /* int */
    FG_TRACE_ERROR_COUNT,  /* int */
};

struct fg_trace_condition {
    enum fg_trace_field field;
    enum fg_predicate_op op; /* EQ, NE, LT, LE, GT, GE, EXISTS; REGEX for strings */
    int64_t integer;
    struct fg_slice string;
};

struct fg_query {
    enum fg_query_op op;
    uint32_t child_count;
    const struct fg_query *const *children;
    union {
        struct fg_predicate span;
        struct fg_trace_condition trace;
    };
};

/* What is wrong with a query's text, for its writer. */
struct fg_query_error {
    size_t offset; /* in bytes, where the wrong part begins */
    const char *message;
};

/* The language, in short (doc/search.md has it whole):
 *
 *     service:shop-api order.id=4711 duration>1s (status:error or http.response.status_code>=500)
 *
 * Conditions side by side must all hold; `or`, `not` and parentheses as usual. Empty text is
 * FG_QUERY_TRUE. FG_EINVALID with *ret_error, FG_ELIMIT (more than FG_QUERY_NODES_MAX conditions,
 * nesting, or an arena that is full) with *ret_error too. */
FG_MUST_CHECK int fg_query_parse(struct fg_slice text, struct fg_arena *arena,
                                 const struct fg_query **ret_query,
                                 struct fg_query_error *ret_error);

#define FG_QUERY_NODES_MAX 128u
#define FG_QUERY_DEPTH_MAX 24u

/* Both of them hold; either may be NULL. NULL: the arena is full. */
const struct fg_query *fg_query_and(const struct fg_query *a, const struct fg_query *b,
                                    struct fg_arena *arena);

/* What every matching trace must have a span for: the tree with conditions on the trace replaced by
 * what lets most through. *ret_predicate NULL: any span. *ret_whole: the predicate says all that
 * the query does, so that no trace has to be read to decide. FG_EINVALID with a sentence where a
 * condition makes no sense, FG_ELIMIT. */
FG_MUST_CHECK int fg_query_plan(const struct fg_query *query, struct fg_arena *arena,
                                const struct fg_predicate **ret_predicate, bool *ret_whole,
                                const char **ret_message);

/* A query ready to be decided on traces; one a thread. query outlives it and has been planned. */
struct fg_query_matcher;
FG_MUST_CHECK int fg_query_matcher_new(const struct fg_query *query,
                                       struct fg_query_matcher **ret_matcher);
void fg_query_matcher_free(struct fg_query_matcher *matcher);

/* Whether a span of the trace that starts in [start_ns_min, start_ns_max) makes the query true.
 * trace holds all its spans with all their columns; summary is the trace's. FG_ELIMIT (a pattern
 * ran past its match limit), FG_ENOMEM. */
FG_MUST_CHECK int fg_query_matches(struct fg_query_matcher *matcher, const struct fg_batch *trace,
                                   const struct fg_trace_summary *summary, uint64_t start_ns_min,
                                   uint64_t start_ns_max, bool *ret_matches);

/* The same for many traces of one batch, which is bound first and stays until the next bind: those
 * columns suffice that the query reads. rows: of one trace, all of them; summary.root_row is a row
 * of the batch, and what the query does not ask of summary may be missing. */
void fg_query_matcher_bind(struct fg_query_matcher *matcher, const struct fg_batch *batch);
FG_MUST_CHECK int fg_query_matches_rows(struct fg_query_matcher *matcher, const uint32_t *rows,
                                        uint32_t count, const struct fg_trace_summary *summary,
                                        uint64_t start_ns_min, uint64_t start_ns_max,
                                        bool *ret_matches);

/* The query in its plainest form, which parses back to the same tree. */
void fg_query_print(const struct fg_query *query, struct fg_buffer *text);
/* A predicate in the same words, for explaining what the store was asked. */
void fg_predicate_print(const struct fg_predicate *predicate, struct fg_buffer *text);

/* The language's fields by name, for completion; NULL past the last. */
const char *fg_query_field_name(size_t index);
