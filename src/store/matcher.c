/* The tree of a predicate over words of bits. A node is asked for the rows of a mask only: below
 * AND those that all siblings so far let pass, below OR those that none has taken yet; cheap
 * siblings come first. */
#include "base/limits.h"
#include "matcher_leaf.h"

#include <stdlib.h>

struct node {
    enum fg_predicate_op op;           /* TRUE, AND, OR, NOT; any other is a leaf */
    uint32_t first_child, child_count; /* siblings stand side by side */
    uint32_t cost;
    struct fg_matcher_leaf *leaf;
};

struct fg_matcher {
    const struct fg_batch *batch;
    struct node *nodes; /* the root is the first; children come after their parents */
    uint32_t node_count;
    struct fg_matcher_leaf *leaves;
    uint32_t leaf_count;
};

static bool is_leaf(const struct fg_predicate *predicate)
{
    return predicate->op > FG_PRED_NOT;
}

static void count_nodes(const struct fg_predicate *predicate, uint32_t *nodes, uint32_t *leaves)
{
    (*nodes)++;
    *leaves += is_leaf(predicate);
    for (uint32_t i = 0; i < predicate->child_count; i++)
        count_nodes(predicate->children[i], nodes, leaves);
}

/* Breadth first. predicates[i] is that of node i. */
static int make_nodes(struct fg_matcher *matcher, const struct fg_predicate **predicates)
{
    matcher->node_count = 1;
    for (uint32_t i = 0; i < matcher->node_count; i++) {
        const struct fg_predicate *predicate = predicates[i];
        struct node *node = &matcher->nodes[i];
        *node = (struct node){.op = predicate->op,
                              .first_child = matcher->node_count,
                              .child_count = predicate->child_count};
        for (uint32_t j = 0; j < predicate->child_count; j++)
            predicates[matcher->node_count++] = predicate->children[j];
        if (!is_leaf(predicate))
            continue;
        node->leaf = &matcher->leaves[matcher->leaf_count++];
        node->cost = fg_matcher_leaf_cost(predicate);
        int r = fg_matcher_leaf_init(node->leaf, predicate);
        if (r < 0)
            return r;
    }
    return 0;
}

/* By cost; few, and nearly in order. */
static void sort_children(struct fg_matcher *matcher, const struct node *parent)
{
    struct node *children = matcher->nodes + parent->first_child;
    for (uint32_t i = 1; i < parent->child_count; i++) {
        struct node moved = children[i];
        uint32_t at = i;
        for (; at > 0 && children[at - 1].cost > moved.cost; at--)
            children[at] = children[at - 1];
        children[at] = moved;
    }
}

/* From the last, so that children have their cost when their parent asks. */
static void order(struct fg_matcher *matcher)
{
    for (uint32_t i = matcher->node_count; i-- > 0;) {
        struct node *node = &matcher->nodes[i];
        for (uint32_t j = 0; j < node->child_count; j++)
            node->cost += matcher->nodes[node->first_child + j].cost;
        sort_children(matcher, node);
    }
}

int fg_matcher_new(const struct fg_predicate *predicate, struct fg_matcher **ret_matcher)
{
    uint32_t node_count = 0, leaf_count = 0;
    count_nodes(predicate, &node_count, &leaf_count);
    struct fg_matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher)
        return FG_ENOMEM;
    matcher->nodes = calloc(node_count, sizeof *matcher->nodes);
    matcher->leaves = calloc(leaf_count ? leaf_count : 1, sizeof *matcher->leaves);
    const struct fg_predicate **predicates = calloc(node_count, sizeof *predicates);
    int r = FG_ENOMEM;
    if (matcher->nodes && matcher->leaves && predicates) {
        predicates[0] = predicate;
        r = make_nodes(matcher, predicates);
    }
    free(predicates);
    if (r < 0) {
        fg_matcher_free(matcher);
        return r;
    }
    order(matcher);
    *ret_matcher = matcher;
    return 0;
}

void fg_matcher_free(struct fg_matcher *matcher)
{
    if (!matcher)
        return;
    for (uint32_t i = 0; i < matcher->leaf_count; i++)
        fg_matcher_leaf_free(&matcher->leaves[i]);
    free(matcher->leaves);
    free(matcher->nodes);
    free(matcher);
}

int fg_matcher_bind(struct fg_matcher *matcher, const struct fg_batch *batch)
{
    matcher->batch = batch;
    for (uint32_t i = 0; i < matcher->leaf_count; i++) {
        int r = fg_matcher_leaf_bind(&matcher->leaves[i], batch);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool has_any(const uint64_t *bits, uint32_t word_count)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < word_count; i++)
        any |= bits[i];
    return any != 0;
}

static int run(struct fg_matcher *matcher, const struct node *node,
               const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits);

static int run_and(struct fg_matcher *matcher, const struct node *node,
                   const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    memmove(bits, mask, rows->word_count * sizeof *bits);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < node->child_count && has_any(bits, rows->word_count); i++)
        r = run(matcher, &matcher->nodes[node->first_child + i], rows, bits, bits);
    return r;
}

static int run_or(struct fg_matcher *matcher, const struct node *node,
                  const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    uint64_t left[FG_MATCHER_WORDS], taken[FG_MATCHER_WORDS];
    memcpy(left, mask, rows->word_count * sizeof *left);
    memset(bits, 0, rows->word_count * sizeof *bits);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < node->child_count && has_any(left, rows->word_count); i++) {
        r = run(matcher, &matcher->nodes[node->first_child + i], rows, left, taken);
        for (uint32_t word = 0; r == 0 && word < rows->word_count; word++) {
            bits[word] |= taken[word];
            left[word] &= ~taken[word];
        }
    }
    return r;
}

static int run_not(struct fg_matcher *matcher, const struct node *node,
                   const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    uint64_t child[FG_MATCHER_WORDS];
    int r = run(matcher, &matcher->nodes[node->first_child], rows, mask, child);
    for (uint32_t word = 0; r == 0 && word < rows->word_count; word++)
        bits[word] = mask[word] & ~child[word];
    return r;
}

/* bits: rows of mask that match; may be mask itself. As deep as the tree, which is
 * FG_PREDICATE_DEPTH_MAX. */
static int run(struct fg_matcher *matcher, const struct node *node,
               const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    switch (node->op) {
    case FG_PRED_TRUE:
        memmove(bits, mask, rows->word_count * sizeof *bits);
        return 0;
    case FG_PRED_AND:
        return run_and(matcher, node, rows, mask, bits);
    case FG_PRED_OR:
        return run_or(matcher, node, rows, mask, bits);
    case FG_PRED_NOT:
        return run_not(matcher, node, rows, mask, bits);
    default:
        return fg_matcher_leaf_run(node->leaf, rows, mask, bits);
    }
}

int fg_matcher_run(struct fg_matcher *matcher, uint32_t row_begin, uint32_t row_end, uint64_t *bits)
{
    while (row_begin < row_end) {
        uint32_t left = row_end - row_begin;
        struct fg_matcher_rows rows = {.batch = matcher->batch,
                                       .begin = row_begin,
                                       .count = left < FG_MATCHER_ROWS ? left : FG_MATCHER_ROWS};
        rows.word_count = (rows.count + 63) / 64;
        uint64_t mask[FG_MATCHER_WORDS];
        memset(mask, 0xff, rows.word_count * sizeof *mask);
        if (rows.count % 64)
            mask[rows.word_count - 1] = (UINT64_C(1) << rows.count % 64) - 1;
        int r = run(matcher, matcher->nodes, &rows, mask, bits);
        if (r < 0)
            return r;
        bits += rows.word_count;
        row_begin += rows.count;
    }
    return 0;
}
