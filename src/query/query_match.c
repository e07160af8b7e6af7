/* Decides a query on whole traces. A condition on a span is run on all rows of a batch at once,
 * when it is first asked for; a node then gives the set of a trace's spans, 64 at a time, as the
 * bits of a word; a condition on the trace gives all of them or none. */
#include "query/query.h"

#include <assert.h>
#include <stdlib.h>

/* One node of the query, parallel to its tree. */
struct node {
    const struct fg_query *query;
    struct fg_predicate on_root; /* TRACE with text: the condition on the root's row */
    struct fg_matcher *matcher;  /* SPAN, and TRACE with text */
    uint32_t first_child;        /* index into nodes */
    uint64_t *bits;              /* of the batch's rows; of those with a matcher */
    size_t word_capacity;
    bool is_run; /* bits are the batch's */
};

struct fg_query_matcher {
    const struct fg_batch *batch;
    uint32_t count;
    struct node nodes[FG_QUERY_NODES_MAX + 1];
};

/* At most 64 spans of a trace. */
struct run {
    struct fg_query_matcher *matcher;
    const struct fg_trace_summary *summary;
    const uint32_t *rows; /* NULL: row_begin and those that follow */
    uint32_t row_begin, count;
};

static inline uint32_t row_of(const struct run *run, uint32_t i)
{
    return run->rows ? run->rows[i] : run->row_begin + i;
}

static inline uint64_t all_of(const struct run *run)
{
    return run->count == 64 ? UINT64_MAX : (UINT64_C(1) << run->count) - 1;
}

static bool has_text(enum fg_trace_field field)
{
    return field == FG_TRACE_ROOT_SERVICE || field == FG_TRACE_ROOT_NAME;
}

static int make_leaf(struct node *node)
{
    if (node->query->op == FG_QUERY_SPAN)
        return fg_matcher_new(&node->query->span, &node->matcher);
    if (node->query->op != FG_QUERY_TRACE || !has_text(node->query->trace.field))
        return 0;
    const struct fg_trace_condition *condition = &node->query->trace;
    node->on_root = (struct fg_predicate){
        .op = condition->op,
        .field = condition->field == FG_TRACE_ROOT_SERVICE ? FG_FIELD_SERVICE : FG_FIELD_NAME,
        .type = FG_VALUE_STRING,
        .string = condition->string};
    return fg_matcher_new(&node->on_root, &node->matcher);
}

/* Breadth first, so that siblings stand side by side. */
static int make_nodes(struct fg_query_matcher *matcher, const struct fg_query *query)
{
    matcher->nodes[matcher->count++] = (struct node){.query = query};
    for (uint32_t i = 0; i < matcher->count; i++) {
        struct node *node = &matcher->nodes[i];
        int r = make_leaf(node);
        if (r < 0)
            return r;
        node->first_child = matcher->count;
        if (node->query->child_count > FG_QUERY_NODES_MAX + 1 - matcher->count)
            return FG_ELIMIT;
        for (uint32_t c = 0; c < node->query->child_count; c++)
            matcher->nodes[matcher->count++] = (struct node){.query = node->query->children[c]};
    }
    return 0;
}

int fg_query_matcher_new(const struct fg_query *query, struct fg_query_matcher **ret_matcher)
{
    struct fg_query_matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher)
        return FG_ENOMEM;
    int r = make_nodes(matcher, query);
    if (r < 0) {
        fg_query_matcher_free(matcher);
        return r;
    }
    *ret_matcher = matcher;
    return 0;
}

void fg_query_matcher_free(struct fg_query_matcher *matcher)
{
    if (!matcher)
        return;
    for (uint32_t i = 0; i < matcher->count; i++) {
        fg_matcher_free(matcher->nodes[i].matcher);
        free(matcher->nodes[i].bits);
    }
    free(matcher);
}

static bool compare(int64_t value, const struct fg_trace_condition *condition)
{
    switch (condition->op) {
    case FG_PRED_EQ:
        return value == condition->integer;
    case FG_PRED_NE:
        return value != condition->integer;
    case FG_PRED_LT:
        return value < condition->integer;
    case FG_PRED_LE:
        return value <= condition->integer;
    case FG_PRED_GT:
        return value > condition->integer;
    case FG_PRED_GE:
        return value >= condition->integer;
    default:
        return condition->op == FG_PRED_EXISTS;
    }
}

static int64_t clamp(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* -- Conditions on spans, on all rows of the batch */

static int run_node(struct fg_query_matcher *matcher, struct node *node)
{
    const struct fg_batch *batch = matcher->batch;
    size_t words = (batch->span_count + (size_t)63) / 64;
    if (node->is_run)
        return 0;
    if (words > node->word_capacity) {
        uint64_t *bits = realloc(node->bits, words * sizeof *bits);
        if (!bits)
            return FG_ENOMEM;
        node->bits = bits;
        node->word_capacity = words;
    }
    int r = fg_matcher_bind(node->matcher, batch);
    if (r == 0)
        r = fg_matcher_run(node->matcher, 0, batch->span_count, node->bits);
    node->is_run = r == 0;
    return r;
}

static inline bool has_bit(const struct node *node, uint32_t row)
{
    return (node->bits[row / 64] >> row % 64 & 1) != 0;
}

static int match_spans(const struct run *run, struct node *node, uint64_t *ret_bits)
{
    int r = run_node(run->matcher, node);
    if (r < 0)
        return r;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < run->count; i++)
        bits |= (uint64_t)has_bit(node, row_of(run, i)) << i;
    *ret_bits = bits;
    return 0;
}

/* -- Conditions on the trace */

static int match_root(const struct run *run, struct node *node, bool *ret_matches)
{
    *ret_matches = false;
    if (!run->summary->has_root)
        return 0;
    int r = run_node(run->matcher, node);
    if (r == 0)
        *ret_matches = has_bit(node, run->summary->root_row);
    return r;
}

static int match_trace(const struct run *run, struct node *node, bool *ret_matches)
{
    const struct fg_trace_condition *condition = &node->query->trace;
    switch (condition->field) {
    case FG_TRACE_ROOT_SERVICE:
    case FG_TRACE_ROOT_NAME:
        return match_root(run, node, ret_matches);
    case FG_TRACE_DURATION:
        *ret_matches = compare(clamp(run->summary->duration_ns), condition);
        break;
    case FG_TRACE_SPAN_COUNT:
        *ret_matches = compare(run->summary->span_count, condition);
        break;
    case FG_TRACE_ERROR_COUNT:
        *ret_matches = compare(run->summary->error_count, condition);
        break;
    }
    return 0;
}

/* -- The tree */

static int match(const struct run *run, struct node *node, uint64_t *ret_bits);

/* Conditions on the trace first: they are cheap, and may make the others needless. */
static int match_children(const struct run *run, struct node *node, uint64_t *ret_bits)
{
    bool is_or = node->query->op == FG_QUERY_OR;
    uint64_t all = all_of(run), bits = is_or ? 0 : all, child_bits = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t c = 0; c < node->query->child_count && bits != (is_or ? all : 0); c++) {
            struct node *child = &run->matcher->nodes[node->first_child + c];
            if ((child->query->op == FG_QUERY_TRACE) != (pass == 0))
                continue;
            int r = match(run, child, &child_bits);
            if (r < 0)
                return r;
            bits = is_or ? bits | child_bits : bits & child_bits;
        }
    *ret_bits = bits;
    return 0;
}

/* As deep as the query. */
static int match(const struct run *run, struct node *node, uint64_t *ret_bits)
{
    bool all = true;
    int r = 0;
    switch (node->query->op) {
    case FG_QUERY_AND:
    case FG_QUERY_OR:
        return match_children(run, node, ret_bits);
    case FG_QUERY_NOT:
        r = match(run, &run->matcher->nodes[node->first_child], ret_bits);
        *ret_bits = ~*ret_bits & all_of(run);
        return r;
    case FG_QUERY_SPAN:
        return match_spans(run, node, ret_bits);
    case FG_QUERY_TRACE:
        r = match_trace(run, node, &all);
        break;
    case FG_QUERY_TRUE:
        break;
    }
    *ret_bits = all ? all_of(run) : 0;
    return r;
}

void fg_query_matcher_bind(struct fg_query_matcher *matcher, const struct fg_batch *batch)
{
    matcher->batch = batch;
    for (uint32_t i = 0; i < matcher->count; i++)
        matcher->nodes[i].is_run = false;
}

int fg_query_matches_rows(struct fg_query_matcher *matcher, const uint32_t *rows, uint32_t count,
                          const struct fg_trace_summary *summary, uint64_t start_ns_min,
                          uint64_t start_ns_max, bool *ret_matches)
{
    const uint64_t *start_ns = matcher->batch->start_ns;
    bool matches = false;
    for (uint32_t begin = 0; begin < count && !matches; begin += 64) {
        struct run run = {.matcher = matcher,
                          .summary = summary,
                          .rows = rows ? rows + begin : NULL,
                          .row_begin = begin,
                          .count = count - begin < 64 ? count - begin : 64};
        uint64_t bits = 0;
        int r = match(&run, &matcher->nodes[0], &bits);
        if (r < 0)
            return r;
        for (; bits && !matches; bits &= bits - 1) {
            uint64_t start = start_ns[row_of(&run, (uint32_t)__builtin_ctzll(bits))];
            matches = start >= start_ns_min && start < start_ns_max;
        }
    }
    *ret_matches = matches;
    return 0;
}

int fg_query_matches(struct fg_query_matcher *matcher, const struct fg_batch *trace,
                     const struct fg_trace_summary *summary, uint64_t start_ns_min,
                     uint64_t start_ns_max, bool *ret_matches)
{
    assert(trace->span_count > 0);
    fg_query_matcher_bind(matcher, trace);
    return fg_query_matches_rows(matcher, NULL, trace->span_count, summary, start_ns_min,
                                 start_ns_max, ret_matches);
}
