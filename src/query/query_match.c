/* Decides a query on a whole trace. Each node gives a set of the trace's spans as bits; a condition
 * on the trace gives all of them or none. */
#include "query/query.h"

#include <assert.h>
#include <stdlib.h>

/* One node of the query, parallel to its tree. */
struct node {
    const struct fg_query *query;
    struct fg_predicate on_root; /* TRACE with text: the condition on the root's row */
    struct fg_matcher *matcher;  /* SPAN, and TRACE with text */
    uint32_t first_child;        /* index into nodes */
};

struct fg_query_matcher {
    uint32_t count;
    struct node nodes[FG_QUERY_NODES_MAX + 1];
};

struct run {
    struct fg_query_matcher *matcher;
    const struct fg_batch *trace;
    const struct fg_trace_summary *summary;
    struct fg_arena *arena;
    size_t word_count;
};

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
    for (uint32_t i = 0; i < matcher->count; i++)
        fg_matcher_free(matcher->nodes[i].matcher);
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

static int match_root(struct run *run, struct node *node, bool *ret_matches)
{
    uint64_t bits = 0;
    if (run->summary->has_root) {
        int r = fg_matcher_bind(node->matcher, run->trace);
        if (r == 0)
            r = fg_matcher_run(node->matcher, run->summary->root_row, run->summary->root_row + 1,
                               &bits);
        if (r < 0)
            return r;
    }
    *ret_matches = bits & 1;
    return 0;
}

static int64_t clamp(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int match_trace(struct run *run, struct node *node, bool *ret_matches)
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

static int match(struct run *run, struct node *node, uint64_t *bits);

static int match_children(struct run *run, struct node *node, uint64_t *bits)
{
    enum fg_query_op op = node->query->op;
    uint64_t *child_bits = fg_arena_calloc(run->arena, run->word_count, sizeof *child_bits);
    if (!child_bits)
        return FG_ELIMIT;
    memset(bits, op == FG_QUERY_OR ? 0 : 0xff, run->word_count * sizeof *bits);
    for (uint32_t c = 0; c < node->query->child_count; c++) {
        int r = match(run, &run->matcher->nodes[node->first_child + c], child_bits);
        if (r < 0)
            return r;
        for (size_t i = 0; i < run->word_count; i++) {
            if (op == FG_QUERY_OR)
                bits[i] |= child_bits[i];
            else
                bits[i] &= op == FG_QUERY_NOT ? ~child_bits[i] : child_bits[i];
        }
    }
    return 0;
}

static int match(struct run *run, struct node *node, uint64_t *bits)
{
    bool all = true;
    int r = 0;
    switch (node->query->op) {
    case FG_QUERY_AND:
    case FG_QUERY_OR:
    case FG_QUERY_NOT:
        return match_children(run, node, bits);
    case FG_QUERY_SPAN:
        r = fg_matcher_bind(node->matcher, run->trace);
        return r < 0 ? r : fg_matcher_run(node->matcher, 0, run->trace->span_count, bits);
    case FG_QUERY_TRACE:
        r = match_trace(run, node, &all);
        break;
    case FG_QUERY_TRUE:
        break;
    }
    memset(bits, all ? 0xff : 0, run->word_count * sizeof *bits);
    return r;
}

int fg_query_matches(struct fg_query_matcher *matcher, const struct fg_batch *trace,
                     const struct fg_trace_summary *summary, uint64_t start_ns_min,
                     uint64_t start_ns_max, struct fg_arena *arena, bool *ret_matches)
{
    assert(trace->span_count > 0);
    struct run run = {.matcher = matcher,
                      .trace = trace,
                      .summary = summary,
                      .arena = arena,
                      .word_count = (trace->span_count + 63) / 64};
    uint64_t *bits = fg_arena_calloc(arena, run.word_count, sizeof *bits);
    if (!bits)
        return FG_ELIMIT;
    int r = match(&run, &matcher->nodes[0], bits);
    if (r < 0)
        return r;
    bool matches = false;
    for (uint32_t i = 0; i < trace->span_count && !matches; i++)
        matches = (bits[i / 64] >> (i % 64) & 1) != 0 && trace->start_ns[i] >= start_ns_min &&
                  trace->start_ns[i] < start_ns_max;
    *ret_matches = matches;
    return 0;
}
