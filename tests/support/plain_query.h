/* What query/query.h says, done plainly, span by span; and random queries. */
#pragma once

#include "plain_match.h"
#include "query/query.h"

/* Some rows of a batch, taken as one trace. */
struct plain_trace {
    const struct fg_batch *batch;
    const uint32_t *rows;
    uint32_t count;
};

struct plain_summary {
    uint64_t start_ns, duration_ns;
    uint32_t error_count, open_count;
    bool has_root;
    uint32_t root_row; /* of batch, where has_root */
};

struct plain_summary plain_summarize(const struct plain_trace *trace);

/* Whether this row of the trace makes the query true. */
bool plain_query_matches(const struct plain_trace *trace, uint32_t row,
                         const struct fg_query *query);
/* Whether it could in some other trace: a condition on the trace is unknown (true), and below a
 * negation !unknown. */
bool plain_query_may_match(const struct fg_batch *batch, uint32_t row, const struct fg_query *query,
                           bool unknown);

/* A tree of at most depth levels above its conditions, which lie in the maker's arena. */
const struct fg_query *random_query(struct predicate_maker *maker, int depth);
