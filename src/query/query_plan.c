/* What of a query the store can look for. A condition on the trace can't be decided on one span, so
 * it is replaced by the constant that lets through more: true, and false below a negation. What is
 * left is true for a span of every trace that answers the query. */
#include "query/query.h"

static const struct fg_predicate always = {.op = FG_PRED_TRUE};
static const struct fg_predicate *const of_never[] = {&always};
static const struct fg_predicate never = {
    .op = FG_PRED_NOT, .child_count = 1, .children = of_never};

struct planner {
    struct fg_arena *arena;
    bool is_whole;
};

static const struct fg_predicate *weaken(struct planner *planner, const struct fg_query *query,
                                         bool unknown);

static const struct fg_predicate *parent_of(struct planner *planner, enum fg_predicate_op op,
                                            const struct fg_predicate *const *children,
                                            uint32_t count)
{
    struct fg_predicate *predicate = fg_arena_calloc(planner->arena, 1, sizeof *predicate);
    if (!predicate)
        return NULL;
    *predicate = (struct fg_predicate){.op = op, .child_count = count, .children = children};
    return predicate;
}

/* AND and OR alike: `decides` is the constant that settles it, `idle` the one that says nothing. */
static const struct fg_predicate *weaken_list(struct planner *planner, const struct fg_query *query,
                                              bool unknown)
{
    bool is_and = query->op == FG_QUERY_AND;
    const struct fg_predicate *idle = is_and ? &always : &never;
    const struct fg_predicate *decides = is_and ? &never : &always;
    const struct fg_predicate **children =
        fg_arena_calloc(planner->arena, query->child_count, sizeof *children);
    uint32_t count = 0;
    bool is_decided = false;
    if (!children)
        return NULL;
    for (uint32_t i = 0; i < query->child_count; i++) {
        const struct fg_predicate *child = weaken(planner, query->children[i], unknown);
        if (!child)
            return NULL;
        is_decided |= child == decides;
        if (child != idle)
            children[count++] = child;
    }
    if (is_decided)
        return decides;
    if (count <= 1)
        return count == 0 ? idle : children[0];
    return parent_of(planner, is_and ? FG_PRED_AND : FG_PRED_OR, children, count);
}

static const struct fg_predicate *weaken_not(struct planner *planner, const struct fg_query *query,
                                             bool unknown)
{
    const struct fg_predicate *child = weaken(planner, query->children[0], !unknown);
    if (!child || child == &always || child == &never)
        return !child ? NULL : child == &always ? &never : &always;
    const struct fg_predicate **children = fg_arena_calloc(planner->arena, 1, sizeof *children);
    if (!children)
        return NULL;
    children[0] = child;
    return parent_of(planner, FG_PRED_NOT, children, 1);
}

/* unknown: what stands for a condition that one span can't decide. Recursion is as deep as the
 * query. */
static const struct fg_predicate *weaken(struct planner *planner, const struct fg_query *query,
                                         bool unknown)
{
    switch (query->op) {
    case FG_QUERY_AND:
    case FG_QUERY_OR:
        return weaken_list(planner, query, unknown);
    case FG_QUERY_NOT:
        return weaken_not(planner, query, unknown);
    case FG_QUERY_SPAN:
        return &query->span;
    case FG_QUERY_TRACE:
        planner->is_whole = false;
        return unknown ? &always : &never;
    case FG_QUERY_TRUE:
        break;
    }
    return &always;
}

/* Every condition, also those that the plan has no use for. */
static int check(const struct fg_query *query, struct fg_arena *arena, const char **ret_message)
{
    const struct fg_predicate on_root = {
        .op = query->op == FG_QUERY_TRACE ? query->trace.op : FG_PRED_TRUE,
        .field = FG_FIELD_NAME,
        .type = FG_VALUE_STRING,
        .string = query->op == FG_QUERY_TRACE ? query->trace.string : (struct fg_slice){0}};
    if (query->op == FG_QUERY_SPAN)
        return fg_predicate_check(&query->span, arena, ret_message);
    if (query->op == FG_QUERY_TRACE && on_root.op == FG_PRED_REGEX)
        return fg_predicate_check(&on_root, arena, ret_message);
    for (uint32_t i = 0; i < query->child_count; i++) {
        int r = check(query->children[i], arena, ret_message);
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_query_plan(const struct fg_query *query, struct fg_arena *arena,
                  const struct fg_predicate **ret_predicate, bool *ret_whole,
                  const char **ret_message)
{
    struct planner planner = {.arena = arena, .is_whole = true};
    int r = check(query, arena, ret_message);
    if (r < 0)
        return r;
    const struct fg_predicate *predicate = weaken(&planner, query, true);
    if (!predicate) {
        *ret_message = "the query has too many conditions";
        return FG_ELIMIT;
    }
    if (predicate != &always) {
        r = fg_predicate_check(predicate, arena, ret_message);
        if (r < 0)
            return r;
    }
    *ret_predicate = predicate == &always ? NULL : predicate;
    *ret_whole = planner.is_whole;
    return 0;
}
