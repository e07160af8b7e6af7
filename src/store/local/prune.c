/* The predicate's tree over what its leaves say. Recursion is as deep as the tree, which
 * fg_predicate_check() bounds. */
#include "local/prune.h"

#include "base/hash.h"

#include <stdlib.h>

/* Memory of the sets of one row group: a few thousand classes under the largest predicate take some
 * MiB. */
#define ARENA_SIZE_MAX ((size_t)1 << 30)
/* And of a page's texts. */
#define TEXT_ARENA_SIZE_MAX ((size_t)2 << 30)

static uint32_t count_leaves(const struct fg_predicate *predicate)
{
    if (predicate->op > FG_PRED_NOT)
        return 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < predicate->child_count; i++)
        count += count_leaves(predicate->children[i]);
    return count;
}

static enum fg_field shared_field(enum fg_field field)
{
    if (field == FG_FIELD_ATTR_ANY)
        return FG_FIELD_ATTR_RESOURCE;
    return field == FG_FIELD_EVENT_NAME ? FG_FIELD_NAME : field;
}

static enum fg_field value_field(enum fg_field field)
{
    return field >= FG_FIELD_ATTR_SPAN ? FG_FIELD_ATTR_SPAN : FG_FIELD_NAME;
}

/* Where the trace lies that a leaf asks for. */
static int find_trace(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    struct fg_segment_trace trace;
    leaf->row_begin = leaf->row_end = 0;
    int r = fg_segment_find_trace(pruner->segment, leaf->predicate->trace_id.high,
                                  leaf->predicate->trace_id.low, &trace);
    if (r == 0) {
        leaf->row_begin = trace.row_begin;
        leaf->row_end = trace.row_begin + trace.row_count;
    }
    leaf->is_everywhere = r == FG_ECORRUPT;
    return r == FG_ECORRUPT || r == FG_ENOTFOUND ? 0 : r;
}

static int init_leaf(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                     const struct fg_predicate *predicate)
{
    leaf->predicate = predicate;
    leaf->shared_predicate = leaf->value_predicate = *predicate;
    leaf->shared_predicate.field = shared_field(predicate->field);
    leaf->value_predicate.field = value_field(predicate->field);
    if (predicate->field == FG_FIELD_TRACE_ID)
        return find_trace(pruner, leaf);
    bool is_id =
        predicate->field == FG_FIELD_SPAN_ID || predicate->field == FG_FIELD_PARENT_SPAN_ID;
    if (predicate->op == FG_PRED_EXISTS || is_id) /* an id's operand is of no type */
        return 0;
    leaf->has_number = predicate->type == FG_VALUE_INT || predicate->type == FG_VALUE_DOUBLE;
    if (leaf->has_number) {
        leaf->number = fg_number_test_of(predicate);
        leaf->range = fg_number_test_range(&leaf->number);
    }
    leaf->has_hash = predicate->type == FG_VALUE_STRING;
    if (leaf->has_hash)
        leaf->hash = fg_hash(predicate->string);
    return 0;
}

static int init_leaves(struct fg_pruner *pruner, const struct fg_predicate *predicate)
{
    if (predicate->op > FG_PRED_NOT)
        return init_leaf(pruner, &pruner->leaves[pruner->leaf_count++], predicate);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < predicate->child_count; i++)
        r = init_leaves(pruner, predicate->children[i]);
    return r;
}

int fg_pruner_init(struct fg_pruner *pruner, struct fg_segment *segment,
                   const struct fg_predicate *predicate, uint64_t *bytes_read)
{
    *pruner = (struct fg_pruner){.segment = segment, .predicate = predicate};
    pruner->bytes_read = bytes_read;
    fg_arena_init(&pruner->arena, ARENA_SIZE_MAX);
    fg_arena_init(&pruner->text_arena, TEXT_ARENA_SIZE_MAX);
    int r = fg_codec_new(&pruner->codec);
    if (r < 0 || !predicate)
        return r;
    pruner->leaves = calloc(count_leaves(predicate) + (size_t)1, sizeof *pruner->leaves);
    return pruner->leaves ? init_leaves(pruner, predicate) : FG_ENOMEM;
}

int fg_pruner_turn(struct fg_pruner *pruner, struct fg_segment *segment, uint64_t *bytes_read)
{
    int r = 0;
    bool is_same = pruner->segment == segment;
    pruner->segment = segment;
    pruner->bytes_read = bytes_read;
    for (uint32_t i = 0; r == 0 && !is_same && i < pruner->leaf_count; i++)
        if (pruner->leaves[i].predicate->field == FG_FIELD_TRACE_ID)
            r = find_trace(pruner, &pruner->leaves[i]);
    if (r < 0)
        pruner->segment = NULL; /* half turned */
    return r;
}

void fg_pruner_free(struct fg_pruner *pruner)
{
    for (uint32_t i = 0; i < pruner->leaf_count; i++) {
        fg_matcher_free(pruner->leaves[i].shared);
        fg_matcher_free(pruner->leaves[i].value);
    }
    free(pruner->leaves);
    fg_codec_free(pruner->codec);
    fg_arena_free(&pruner->arena);
    fg_arena_free(&pruner->text_arena);
}

void fg_pruner_begin(struct fg_pruner *pruner, struct fg_group *group)
{
    fg_arena_reset(&pruner->arena);
    pruner->group = group;
    pruner->page = NULL;
    pruner->used_filter = false;
    pruner->has_texts = false;
    for (uint32_t i = 0; i < pruner->leaf_count; i++) {
        pruner->leaves[i].in_dictionary = -1;
        pruner->leaves[i].column_count = 0;
    }
}

/* -- At a glance: may it match? */

static int glance(struct fg_pruner *pruner, const struct fg_predicate *predicate, uint32_t *leaf,
                  bool *ret_may)
{
    if (predicate->op > FG_PRED_NOT)
        return fg_prune_leaf_glance(pruner, &pruner->leaves[(*leaf)++], ret_may);
    bool is_or = predicate->op == FG_PRED_OR;
    *ret_may = !is_or;
    for (uint32_t i = 0; i < predicate->child_count; i++) {
        bool may = true;
        int r = 0;
        /* where it is decided the rest is passed over; below NOT nothing can be told */
        if (*ret_may == is_or || predicate->op == FG_PRED_NOT)
            *leaf += count_leaves(predicate->children[i]);
        else
            r = glance(pruner, predicate->children[i], leaf, &may);
        if (r < 0)
            return r;
        if (predicate->op == FG_PRED_AND)
            *ret_may &= may;
        else if (is_or && !*ret_may)
            *ret_may = may;
    }
    return 0;
}

int fg_pruner_glance(struct fg_pruner *pruner, bool *ret_may)
{
    uint32_t leaf = 0;
    *ret_may = true;
    return pruner->predicate ? glance(pruner, pruner->predicate, &leaf, ret_may) : 0;
}

/* -- Class by class */

static void combine(enum fg_predicate_op op, const struct fg_prune_set *child, size_t words,
                    struct fg_prune_set *set)
{
    for (size_t i = 0; i < words; i++) {
        if (op == FG_PRED_AND) {
            set->may[i] &= child->may[i];
            set->must[i] &= child->must[i];
        } else if (op == FG_PRED_OR) {
            set->may[i] |= child->may[i];
            set->must[i] |= child->must[i];
        } else {
            set->may[i] = ~child->must[i];
            set->must[i] = ~child->may[i];
        }
    }
}

static int sets(struct fg_pruner *pruner, const struct fg_predicate *predicate, uint32_t *leaf,
                struct fg_prune_set *ret_set)
{
    if (predicate->op > FG_PRED_NOT)
        return fg_prune_leaf_sets(pruner, &pruner->leaves[(*leaf)++], ret_set);
    bool is_or = predicate->op == FG_PRED_OR;
    struct fg_prune_set set, child;
    int r = fg_prune_set_new(pruner, !is_or, !is_or, &set);
    for (uint32_t i = 0; r == 0 && i < predicate->child_count; i++) {
        r = sets(pruner, predicate->children[i], leaf, &child);
        if (r == 0)
            combine(predicate->op, &child, pruner->word_count, &set);
    }
    *ret_set = set;
    return r;
}

int fg_pruner_look(struct fg_pruner *pruner, bool *ret_may)
{
    *ret_may = true;
    if (!pruner->predicate)
        return 0;
    pruner->class_count = pruner->group->levels[FG_LEVEL_SPAN].class_count;
    pruner->word_count = fg_flags_words(pruner->class_count);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < pruner->leaf_count; i++)
        r = fg_prune_leaf_look(pruner, &pruner->leaves[i]);
    uint32_t leaf = 0;
    struct fg_prune_set set;
    if (r == 0)
        r = sets(pruner, pruner->predicate, &leaf, &set);
    if (r != 0)
        return r;
    uint64_t any = 0;
    for (size_t i = 0; i < pruner->word_count; i++) {
        uint64_t word = set.may[i];
        if (i == pruner->class_count / 64)
            word &= (UINT64_C(1) << (pruner->class_count % 64)) - 1;
        any |= word;
    }
    *ret_may = any != 0;
    return 0;
}

/* Whether a class that the page has may have rows that match. */
static int ask_page(struct fg_pruner *pruner, const struct fg_page *page, bool *ret_may)
{
    uint32_t leaf = 0;
    struct fg_prune_set set;
    int r = sets(pruner, pruner->predicate, &leaf, &set);
    uint64_t any = 0;
    for (size_t i = 0; r == 0 && i < pruner->word_count; i++)
        any |= set.may[i] & page->class_set[i];
    *ret_may = any != 0;
    return r;
}

static int ask_texts(struct fg_pruner *pruner, const struct fg_page *page, bool *ret_may)
{
    fg_arena_reset(&pruner->text_arena);
    pruner->texts =
        fg_arena_calloc(&pruner->text_arena, pruner->group->column_count, sizeof *pruner->texts);
    pruner->reads_texts = true;
    return pruner->texts ? ask_page(pruner, page, ret_may) : FG_ENOMEM;
}

int fg_pruner_page(struct fg_pruner *pruner, const struct fg_page *page, bool *ret_may)
{
    *ret_may = true;
    if (!pruner->predicate)
        return 0;
    pruner->page = page;
    pruner->reads_texts = false;
    int r = ask_page(pruner, page, ret_may);
    if (r == 0 && *ret_may && pruner->has_texts)
        r = ask_texts(pruner, page, ret_may);
    pruner->page = NULL;
    return r;
}
