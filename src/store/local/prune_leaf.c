/* A leaf of the predicate on a row group: at a glance, then class by class. */
#include "local/prune.h"

int fg_prune_set_new(struct fg_pruner *pruner, bool may, bool must, struct fg_prune_set *ret_set)
{
    size_t words = pruner->word_count;
    struct fg_prune_set set = {.may = fg_arena_calloc(&pruner->arena, words + 1, sizeof *set.may),
                               .must =
                                   fg_arena_calloc(&pruner->arena, words + 1, sizeof *set.must)};
    if (!set.may || !set.must)
        return FG_ENOMEM;
    if (may)
        memset(set.may, 0xff, words * sizeof *set.may);
    if (must)
        memset(set.must, 0xff, words * sizeof *set.must);
    *ret_set = set;
    return 0;
}

/* The level of the attributes that the field names; -1: it is kept whole, or is no attribute. */
static int level_of(enum fg_field field)
{
    switch (field) {
    case FG_FIELD_ATTR_SPAN:
    case FG_FIELD_ATTR_ANY:
        return FG_LEVEL_SPAN;
    case FG_FIELD_ATTR_EVENT:
        return FG_LEVEL_EVENT;
    case FG_FIELD_ATTR_LINK:
        return FG_LEVEL_LINK;
    default:
        return -1;
    }
}

/* The rare part that holds the field where its column is there. */
static uint8_t part_of(enum fg_field field)
{
    switch (field) {
    case FG_FIELD_NAME:
    case FG_FIELD_EVENT_NAME:
        return FG_PART_NAME;
    case FG_FIELD_STATUS_MESSAGE:
        return FG_PART_STATUS_MESSAGE;
    default:
        return FG_PART_ATTR;
    }
}

static int part_level_of(enum fg_field field)
{
    return field == FG_FIELD_EVENT_NAME ? FG_LEVEL_EVENT : FG_LEVEL_SPAN;
}

static bool is_key_column(const struct fg_group_column *column, int level, struct fg_slice key)
{
    return column->level == level && column->part == FG_PART_ATTR &&
           fg_slice_equal(column->key, key);
}

static uint32_t find_part(const struct fg_group *group, int level, uint8_t part)
{
    for (uint32_t i = 0; i < group->column_count; i++)
        if (group->columns[i].level == level && group->columns[i].part == part)
            return i;
    return UINT32_MAX;
}

/* -- At a glance */

static int glance_attrs(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, int level,
                        bool *ret_may)
{
    const struct fg_group *group = pruner->group;
    int r = 0;
    *ret_may = false;
    for (uint32_t i = 0; r == 0 && !*ret_may && i < group->column_count; i++)
        if (is_key_column(&group->columns[i], level, leaf->predicate->key))
            r = fg_prune_column_glance(pruner, leaf, &group->columns[i], ret_may);
    if (r == 0 && !*ret_may)
        r = fg_prune_overflow(pruner, leaf, level, ret_may);
    if (r == 0 && !*ret_may && leaf->predicate->field == FG_FIELD_ATTR_ANY)
        r = fg_prune_in_dictionary(pruner, leaf, ret_may);
    return r;
}

static int glance_part(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, bool *ret_may)
{
    enum fg_field field = leaf->predicate->field;
    uint32_t number = find_part(pruner->group, part_level_of(field), part_of(field));
    int r = fg_prune_in_dictionary(pruner, leaf, ret_may);
    if (r == 0 && !*ret_may && number != UINT32_MAX)
        r = fg_prune_column_glance(pruner, leaf, &pruner->group->columns[number], ret_may);
    return r;
}

int fg_prune_leaf_glance(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, bool *ret_may)
{
    enum fg_field field = leaf->predicate->field;
    const struct fg_segment_group *place = &pruner->segment->groups[pruner->group->number];
    *ret_may = true;
    switch (field) {
    case FG_FIELD_ATTR_SPAN:
    case FG_FIELD_ATTR_ANY:
    case FG_FIELD_ATTR_EVENT:
    case FG_FIELD_ATTR_LINK:
        return glance_attrs(pruner, leaf, level_of(field), ret_may);
    case FG_FIELD_NAME:
    case FG_FIELD_EVENT_NAME:
    case FG_FIELD_STATUS_MESSAGE:
        return glance_part(pruner, leaf, ret_may);
    case FG_FIELD_SERVICE:
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_ATTR_RESOURCE:
    case FG_FIELD_ATTR_SCOPE:
        return fg_prune_in_dictionary(pruner, leaf, ret_may);
    case FG_FIELD_TRACE_ID:
        *ret_may =
            leaf->is_everywhere || (leaf->row_begin < place->row_begin + place->entry.row_count &&
                                    leaf->row_end > place->row_begin);
        return 0;
    default:
        return 0;
    }
}

/* -- Class by class */

static int none(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    return fg_prune_set_new(pruner, false, false, &leaf->rest);
}

static int maybe(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    return fg_prune_set_new(pruner, true, false, &leaf->rest);
}

/* The classes themselves as rows of what all their rows have in common. */
static int look_at_classes(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    struct fg_group *group = pruner->group;
    const struct fg_group_level *level = &group->levels[FG_LEVEL_SPAN];
    enum fg_field field = leaf->predicate->field;
    int r = none(pruner, leaf);
    if (r == 0 && field != FG_FIELD_KIND && field != FG_FIELD_STATUS && field != FG_FIELD_OPEN)
        r = fg_group_load_strings(group, pruner->codec, pruner->bytes_read);
    uint64_t *end = fg_arena_alloc(&pruner->arena, (pruner->class_count + (size_t)1) * sizeof *end);
    if (r < 0 || !end)
        return r < 0 ? r : FG_ENOMEM;
    for (uint32_t i = 0; i < pruner->class_count; i++)
        end[i] = !level->class_open[i];
    struct fg_batch batch = group->shared;
    batch.span_count = pruner->class_count;
    batch.name = level->class_name;
    batch.kind = level->class_kind;
    batch.status = level->class_status;
    batch.scope = level->class_scope;
    batch.end_ns = end;
    r = fg_prune_match(&leaf->shared, &leaf->shared_predicate, &batch, leaf->rest.may);
    memcpy(leaf->rest.must, leaf->rest.may, pruner->word_count * sizeof *leaf->rest.must);
    return r;
}

/* How many of the batch's rows match: 0 none, 1 some, 2 all. */
static int look_at_rows(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                        const struct fg_batch *batch, bool *ret_any, bool *ret_all)
{
    size_t words = fg_flags_words(batch->span_count);
    uint64_t *bits = fg_arena_calloc(&pruner->arena, words + 1, sizeof *bits);
    if (!bits)
        return FG_ENOMEM;
    int r = fg_prune_match(&leaf->shared, &leaf->shared_predicate, batch, bits);
    uint32_t found = 0;
    for (size_t i = 0; i < words; i++)
        found += (uint32_t)__builtin_popcountll(bits[i]);
    *ret_any = found > 0;
    *ret_all = found == batch->span_count;
    return r;
}

static int look_at_resources(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    struct fg_group *group = pruner->group;
    bool may, any, all;
    int r = fg_prune_in_dictionary(pruner, leaf, &may);
    if (r < 0 || !may)
        return r < 0 ? r : none(pruner, leaf);
    r = fg_group_load_strings(group, pruner->codec, pruner->bytes_read);
    uint32_t count = group->shared.resource_count;
    uint32_t *resource = fg_arena_alloc(&pruner->arena, (count + (size_t)1) * sizeof *resource);
    if (r < 0 || !resource)
        return r < 0 ? r : FG_ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        resource[i] = i;
    struct fg_batch batch = group->shared;
    batch.span_count = count;
    batch.resource = resource;
    r = look_at_rows(pruner, leaf, &batch, &any, &all);
    return r < 0 ? r : fg_prune_set_new(pruner, any, all, &leaf->rest);
}

/* The classes whose shape has the column. */
static int owners_of(struct fg_pruner *pruner, uint32_t number, uint64_t **ret_owners)
{
    const struct fg_group_level *level = &pruner->group->levels[FG_LEVEL_SPAN];
    int r = fg_group_load_shapes(pruner->group, pruner->codec);
    if (r < 0)
        return r;
    uint64_t *owners = fg_arena_calloc(&pruner->arena, pruner->word_count + 1, sizeof *owners);
    uint8_t *has = fg_arena_calloc(&pruner->arena, level->shape_count + (size_t)1, sizeof *has);
    if (!owners || !has)
        return FG_ENOMEM;
    for (uint32_t shape = 0; shape < level->shape_count; shape++)
        for (uint32_t k = level->shape_begin[shape]; k < level->shape_begin[shape + 1]; k++)
            has[shape] |= level->shape_columns[k] == number;
    for (uint32_t i = 0; i < pruner->class_count; i++)
        if (has[level->class_shape[i]])
            fg_flag_set(owners, i);
    *ret_owners = owners;
    return 0;
}

/* Adds a column that the leaf asks. Its owners are classes of spans: for an event's or a link's
 * column those that have events or links. */
static int add_column(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, uint32_t number)
{
    uint8_t level = pruner->group->columns[number].level;
    struct fg_prune_column column;
    int r = fg_prune_column_look(pruner, leaf, number, &column);
    if (r < 0 || !column.any)
        return r;
    if (leaf->column_count == FG_PRUNE_COLUMNS_MAX)
        return maybe(pruner, leaf);
    uint32_t owning = number;
    if (level != FG_LEVEL_SPAN) {
        owning = find_part(pruner->group, FG_LEVEL_SPAN,
                           level == FG_LEVEL_EVENT ? FG_PART_EVENT_COUNT : FG_PART_LINK_COUNT);
        column.all = false; /* of some events of a class nothing is known */
    }
    if (owning == UINT32_MAX)
        return 0;
    r = owners_of(pruner, owning, &column.owners);
    if (r == 0)
        leaf->columns[leaf->column_count++] = column;
    pruner->has_texts |= column.has_texts;
    return r;
}

static int look_at_attrs(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    const struct fg_group *group = pruner->group;
    int level = level_of(leaf->predicate->field);
    bool overflow;
    int r = leaf->predicate->field == FG_FIELD_ATTR_ANY ? look_at_resources(pruner, leaf)
                                                        : none(pruner, leaf);
    if (r == 0)
        r = fg_prune_overflow(pruner, leaf, level, &overflow);
    if (r == 0 && overflow)
        memset(leaf->rest.may, 0xff, pruner->word_count * sizeof *leaf->rest.may);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        if (is_key_column(&group->columns[i], level, leaf->predicate->key))
            r = add_column(pruner, leaf, i);
    return r;
}

/* A text that only some spans have, in a column of its own: the others' is empty. */
static int look_at_part(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    static const struct fg_slice empty = {0};
    static const uint32_t name = 0;
    struct fg_batch batch = {.strings = &empty, .string_count = 1, .span_count = 1, .name = &name};
    uint64_t bits = 0;
    int r = fg_prune_match(&leaf->value, &leaf->value_predicate, &batch, &bits);
    if (r == 0)
        r = fg_prune_set_new(pruner, bits != 0, bits != 0, &leaf->rest);
    uint32_t number = find_part(pruner->group, FG_LEVEL_SPAN, part_of(leaf->predicate->field));
    if (r < 0 || number == UINT32_MAX)
        return r;
    uint64_t *owners;
    r = owners_of(pruner, number, &owners);
    for (size_t i = 0; r == 0 && i < pruner->word_count; i++) {
        leaf->rest.may[i] &= ~owners[i];
        leaf->rest.must[i] &= ~owners[i];
    }
    return r < 0 ? r : add_column(pruner, leaf, number);
}

static int look_at_event_names(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    struct fg_group *group = pruner->group;
    const struct fg_group_level *level = &group->levels[FG_LEVEL_EVENT];
    if (find_part(group, FG_LEVEL_EVENT, FG_PART_NAME) != UINT32_MAX)
        return maybe(pruner, leaf);
    int r = fg_group_load_strings(group, pruner->codec, pruner->bytes_read);
    bool any, all;
    struct fg_batch batch = group->shared;
    batch.span_count = level->class_count;
    batch.name = level->class_name;
    if (r == 0)
        r = look_at_rows(pruner, leaf, &batch, &any, &all);
    uint32_t owning = find_part(group, FG_LEVEL_SPAN, FG_PART_EVENT_COUNT);
    if (r < 0 || !any || owning == UINT32_MAX)
        return r < 0 ? r : none(pruner, leaf);
    r = none(pruner, leaf);
    return r < 0 ? r : owners_of(pruner, owning, &leaf->rest.may);
}

static int look_at_marks(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    struct fg_batch batch = {.span_count = 1}; /* a row without marks */
    uint64_t bits = 0, *owners;
    int r = fg_prune_match(&leaf->shared, &leaf->shared_predicate, &batch, &bits);
    if (r == 0)
        r = fg_prune_set_new(pruner, bits != 0, bits != 0, &leaf->rest);
    uint32_t number = find_part(pruner->group, FG_LEVEL_SPAN, FG_PART_MARKS);
    if (r < 0 || number == UINT32_MAX)
        return r;
    r = owners_of(pruner, number, &owners);
    for (size_t i = 0; r == 0 && i < pruner->word_count; i++) {
        leaf->rest.may[i] |= owners[i];
        leaf->rest.must[i] &= ~owners[i];
    }
    return r;
}

int fg_prune_leaf_look(struct fg_pruner *pruner, struct fg_prune_leaf *leaf)
{
    bool may = true;
    int r = fg_prune_leaf_glance(pruner, leaf, &may);
    leaf->column_count = 0;
    if (r < 0 || !may)
        return r < 0 ? r : none(pruner, leaf);
    switch (leaf->predicate->field) {
    case FG_FIELD_NAME:
        if (find_part(pruner->group, FG_LEVEL_SPAN, FG_PART_NAME) != UINT32_MAX)
            return look_at_part(pruner, leaf);
        return look_at_classes(pruner, leaf);
    case FG_FIELD_KIND:
    case FG_FIELD_STATUS:
    case FG_FIELD_OPEN:
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_ATTR_SCOPE:
        return look_at_classes(pruner, leaf);
    case FG_FIELD_SERVICE:
    case FG_FIELD_ATTR_RESOURCE:
        return look_at_resources(pruner, leaf);
    case FG_FIELD_STATUS_MESSAGE:
        return look_at_part(pruner, leaf);
    case FG_FIELD_EVENT_NAME:
        return look_at_event_names(pruner, leaf);
    case FG_FIELD_MARKS:
        return look_at_marks(pruner, leaf);
    case FG_FIELD_ATTR_SPAN:
    case FG_FIELD_ATTR_ANY:
    case FG_FIELD_ATTR_EVENT:
    case FG_FIELD_ATTR_LINK:
        return look_at_attrs(pruner, leaf);
    default:
        return maybe(pruner, leaf);
    }
}

/* -- The sets of a row group or page */

/* Whether some, and whether all numbers from min to max are in the range. */
static void ask_numbers(const struct fg_number_range *range, uint64_t min, uint64_t max,
                        bool *ret_any, bool *ret_all)
{
    bool meets = range->low <= range->high && range->low <= max && range->high >= min;
    bool holds = range->low <= min && range->high >= max;
    *ret_any = range->is_outside ? !holds : meets;
    *ret_all = range->is_outside ? !meets : holds;
}

/* What the times of a row group or page say. */
static int time_sets(struct fg_pruner *pruner, const struct fg_prune_leaf *leaf,
                     struct fg_prune_set *ret_set)
{
    const struct fg_segment_group *place = &pruner->segment->groups[pruner->group->number];
    const struct fg_page *page = pruner->page;
    bool any = true, all = false;
    if (leaf->predicate->op == FG_PRED_EXISTS)
        all = true;
    else if (leaf->predicate->field == FG_FIELD_START)
        ask_numbers(&leaf->range, page ? page->start_ns_min : place->entry.start_ns_min,
                    page ? page->start_ns_max : place->entry.start_ns_max, &any, &all);
    else if (page)
        ask_numbers(&leaf->range, page->duration_min, page->duration_max, &any, &all);
    return fg_prune_set_new(pruner, any, all, ret_set);
}

static int trace_sets(struct fg_pruner *pruner, const struct fg_prune_leaf *leaf,
                      struct fg_prune_set *ret_set)
{
    const struct fg_page *page = pruner->page;
    bool may =
        !page || leaf->is_everywhere ||
        (leaf->row_begin < page->row_begin + page->row_count && leaf->row_end > page->row_begin);
    if (!page)
        may = leaf->rest.may[0] != 0;
    return fg_prune_set_new(pruner, may, false, ret_set);
}

int fg_prune_leaf_sets(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                       struct fg_prune_set *ret_set)
{
    enum fg_field field = leaf->predicate->field;
    if (field == FG_FIELD_START || field == FG_FIELD_DURATION)
        return time_sets(pruner, leaf, ret_set);
    if (field == FG_FIELD_TRACE_ID)
        return trace_sets(pruner, leaf, ret_set);
    struct fg_prune_set set;
    int r = fg_prune_set_new(pruner, false, false, &set);
    if (r < 0)
        return r;
    size_t words = pruner->word_count;
    memcpy(set.may, leaf->rest.may, words * sizeof *set.may);
    memcpy(set.must, leaf->rest.must, words * sizeof *set.must);
    for (uint32_t c = 0; c < leaf->column_count; c++) {
        struct fg_prune_column *column = &leaf->columns[c];
        bool any = column->any;
        if (pruner->page)
            r = fg_prune_column_page(pruner, leaf, column, &any);
        if (r < 0)
            return r;
        for (size_t i = 0; any && i < words; i++)
            set.may[i] |= column->owners[i];
        for (size_t i = 0; column->all && i < words; i++)
            set.must[i] |= column->owners[i];
    }
    *ret_set = set;
    return 0;
}
