/* Each column's form: codes of a list where values repeat, the values themselves where they don't;
 * what a value usually is under its owner's class; and the strings of the dictionary. */
#include "local/group_build.h"

#include "base/hash.h"
#include "local/codec.h"

#include <stdlib.h>

/* A list so short is better than any filter. */
#define CODES_ALWAYS 32u
/* How often a value must come on average to be worth a place in the list. */
#define TEXT_REPEATS   8u
#define BITS_REPEATS   8u
#define BITS_CODES_MAX 1024u
/* A bitmap may take so many bits for each number that is there; a fuse filter takes 9 or 10. */
#define BITMAP_BITS_MAX 8u

struct slot {
    uint64_t value;
    uint32_t code;
    uint32_t epoch;
};

/* Memory for finding distinct values, used from column to column. */
struct finder {
    uint32_t *stamp; /* by source string id: its code, FG_NO_ID */
    struct slot *slots;
    uint32_t slot_count, epoch;
    uint32_t *codes;            /* of the column at hand, for each of its values */
    uint64_t *distinct;         /* by code */
    uint32_t count;             /* of distinct */
    uint64_t text_size;         /* of all distinct strings */
    uint32_t *majority, *votes; /* by class */
};

static uint32_t greatest_count(const struct fg_group_build *group)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < group->column_count; i++)
        if (group->columns[i].count > count)
            count = group->columns[i].count;
    return count;
}

static uint32_t greatest_class_count(const struct fg_group_build *group)
{
    uint32_t count = 1;
    for (int i = 0; i < FG_LEVEL_COUNT; i++)
        if (group->levels[i].class_count > count)
            count = group->levels[i].class_count;
    return count;
}

static int finder_init(struct finder *finder, const struct fg_group_build *group)
{
    uint32_t count = greatest_count(group), classes = greatest_class_count(group);
    finder->slot_count = 1024;
    while (finder->slot_count < count * UINT64_C(2))
        finder->slot_count *= 2;
    size_t strings = group->batch->string_count;
    finder->stamp = malloc((strings + 1) * sizeof *finder->stamp);
    finder->slots = calloc(finder->slot_count, sizeof *finder->slots);
    finder->codes = malloc(count * sizeof *finder->codes);
    finder->distinct = malloc(count * sizeof *finder->distinct);
    finder->majority = malloc(classes * sizeof *finder->majority);
    finder->votes = malloc(classes * sizeof *finder->votes);
    if (!finder->stamp || !finder->slots || !finder->codes || !finder->distinct ||
        !finder->majority || !finder->votes)
        return FG_ENOMEM;
    memset(finder->stamp, 0xff, strings * sizeof *finder->stamp);
    return 0;
}

static void finder_free(struct finder *finder)
{
    free(finder->stamp);
    free(finder->slots);
    free(finder->codes);
    free(finder->distinct);
    free(finder->majority);
    free(finder->votes);
}

static void find_texts(struct finder *finder, const struct fg_slice *strings,
                       const struct fg_column_build *column)
{
    finder->count = 0;
    finder->text_size = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t *stamp = &finder->stamp[column->values[i]];
        if (*stamp == FG_NO_ID) {
            *stamp = finder->count;
            finder->distinct[finder->count++] = column->values[i];
            finder->text_size += strings[column->values[i]].size;
        }
        finder->codes[i] = *stamp;
    }
    for (uint32_t i = 0; i < finder->count; i++)
        finder->stamp[finder->distinct[i]] = FG_NO_ID;
}

static void find_bits(struct finder *finder, const struct fg_column_build *column)
{
    /* no more slots than this column fills to a half, so that few cache lines are touched */
    uint32_t mask = 1023;
    while (mask + 1 < column->count * UINT64_C(2))
        mask = mask * 2 + 1;
    finder->epoch++;
    finder->count = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t value = column->values[i];
        uint32_t at = (uint32_t)fg_hash_u64(value) & mask;
        while (finder->slots[at].epoch == finder->epoch && finder->slots[at].value != value)
            at = (at + 1) & mask;
        struct slot *slot = &finder->slots[at];
        if (slot->epoch != finder->epoch) {
            *slot = (struct slot){value, finder->count, finder->epoch};
            finder->distinct[finder->count++] = value;
        }
        finder->codes[i] = slot->code;
    }
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void find_range(struct fg_column_build *column)
{
    bool any = false, is_double = column->type == FG_VALUE_DOUBLE;
    for (uint32_t i = 0; i < column->distinct_count; i++) {
        uint64_t value = column->distinct[i];
        double number = double_of(value);
        if (is_double && number != number) {
            column->has_nan = true;
            continue;
        }
        bool less = is_double ? any && number < double_of(column->min)
                              : (int64_t)value < (int64_t)column->min;
        bool more = is_double ? any && number > double_of(column->max)
                              : (int64_t)value > (int64_t)column->max;
        if (!any || less)
            column->min = value;
        if (!any || more)
            column->max = value;
        any = true;
    }
}

static bool wants_filter(const struct fg_column_build *column)
{
    switch (column->part) {
    case FG_PART_ATTR:
    case FG_PART_NAME:
    case FG_PART_STATUS_MESSAGE:
    case FG_PART_OVERFLOW_TEXT_KEY:
    case FG_PART_OVERFLOW_BITS_KEY:
        return true;
    default:
        return false;
    }
}

static void choose_filter(struct fg_column_build *column)
{
    if (!wants_filter(column))
        return;
    column->filter_kind = FG_FILTER_FUSE;
    uint64_t range = column->max - column->min;
    if (column->form == FG_FORM_NUMBERS && column->type != FG_VALUE_DOUBLE &&
        range < (uint64_t)column->distinct_count * BITMAP_BITS_MAX)
        column->filter_kind = FG_FILTER_BITMAP;
}

static void choose_form(const struct fg_group_build *group, const struct finder *finder,
                        struct fg_column_build *column)
{
    uint32_t distinct = finder->count;
    if (fg_value_type_is_bytes(column->type)) {
        bool repeats = distinct <= CODES_ALWAYS || distinct <= column->count / TEXT_REPEATS;
        bool fits = group->strings_size + finder->text_size <= FG_SEGMENT_DICTIONARY_SIZE_MAX;
        column->form = repeats && fits ? FG_FORM_TEXT_CODES : FG_FORM_TEXT;
        return;
    }
    bool repeats = distinct <= CODES_ALWAYS ||
                   (distinct <= column->count / BITS_REPEATS && distinct <= BITS_CODES_MAX);
    column->form = FG_FORM_NUMBERS;
    if (repeats)
        column->form = FG_FORM_BITS_CODES;
    else if (column->type == FG_VALUE_DOUBLE)
        column->form = FG_FORM_DECIMALS;
}

/* The code that most owners of each class have, where most agree (Boyer and Moore's vote). Kept
 * where that saves more than it takes. */
static int find_defaults(struct fg_group_build *group, struct finder *finder,
                         struct fg_column_build *column)
{
    const struct fg_level_build *level = &group->levels[column->level];
    unsigned width = fg_bits_width(column->distinct_count - 1);
    if (width == 0)
        return 0;
    memset(finder->majority, 0, level->class_count * sizeof *finder->majority);
    memset(finder->votes, 0, level->class_count * sizeof *finder->votes);
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t class = level->owner_class[column->owners[i]];
        if (finder->votes[class] == 0)
            finder->majority[class] = finder->codes[i];
        if (finder->majority[class] == finder->codes[i])
            finder->votes[class]++;
        else
            finder->votes[class]--;
    }
    uint32_t hits = 0, classes = 0;
    memset(finder->votes, 0, level->class_count * sizeof *finder->votes);
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t class = level->owner_class[column->owners[i]];
        hits += finder->majority[class] == finder->codes[i];
        classes += finder->votes[class]++ == 0;
    }
    if ((uint64_t)hits * width < (uint64_t)classes * width * 2 + 64)
        return 0;
    column->defaults = fg_arena_alloc(&group->arena, level->class_count * sizeof *column->defaults);
    if (!column->defaults)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < level->class_count; i++)
        column->defaults[i] = finder->majority[i];
    return 0;
}

static int choose(struct fg_group_build *group, struct finder *finder,
                  struct fg_column_build *column)
{
    bool text = fg_value_type_is_bytes(column->type);
    if (text)
        find_texts(finder, group->batch->strings, column);
    else
        find_bits(finder, column);
    column->distinct_count = finder->count;
    column->distinct = fg_arena_alloc(&group->arena, finder->count * sizeof *column->distinct);
    if (!column->distinct)
        return FG_ENOMEM;
    memcpy(column->distinct, finder->distinct, finder->count * sizeof *column->distinct);
    if (!text)
        find_range(column);
    choose_form(group, finder, column);
    if (column->form != FG_FORM_TEXT_CODES && column->form != FG_FORM_BITS_CODES) {
        choose_filter(column);
        return 0;
    }
    for (uint32_t i = 0; i < column->count; i++)
        column->values[i] = finder->codes[i];
    uint64_t before = group->strings_size;
    for (uint32_t i = 0; text && i < column->distinct_count; i++) {
        uint32_t id;
        int r = fg_group_string(group, (uint32_t)column->distinct[i], &id);
        if (r < 0)
            return r;
    }
    column->dictionary_size = group->strings_size - before;
    return find_defaults(group, finder, column);
}

int fg_group_string(struct fg_group_build *group, uint32_t source_id, uint32_t *ret_id)
{
    uint32_t *id = &group->string_id[source_id];
    size_t size = group->batch->strings[source_id].size;
    if (*id == FG_NO_ID && size == 0)
        *id = 0;
    if (*id == FG_NO_ID) {
        if (group->string_count == group->string_capacity) {
            uint32_t capacity = group->string_capacity ? group->string_capacity * 2 : 256;
            uint32_t *strings = realloc(group->strings, capacity * sizeof *strings);
            if (!strings)
                return FG_ENOMEM;
            group->strings = strings;
            group->string_capacity = capacity;
        }
        *id = group->string_count;
        group->strings[group->string_count++] = source_id;
        group->strings_size += size;
    }
    *ret_id = *id;
    return 0;
}

static int put_strings(struct fg_group_build *group, const uint32_t *ids, uint32_t count)
{
    int r = 0;
    uint32_t id;
    for (uint32_t i = 0; r == 0 && ids && i < count; i++)
        r = fg_group_string(group, ids[i], &id);
    return r;
}

/* The strings of one owner's attributes. */
static int put_attr_strings(struct fg_group_build *group, const struct fg_attrs *attrs,
                            uint32_t owner)
{
    uint32_t begin, end, id;
    fg_attrs_range(attrs, owner, &begin, &end);
    int r = 0;
    for (uint32_t i = begin; r == 0 && i < end; i++) {
        r = fg_group_string(group, attrs->key[i], &id);
        if (r == 0 && fg_value_type_is_bytes(attrs->type[i]))
            r = fg_group_string(group, (uint32_t)attrs->value[i], &id);
    }
    return r;
}

/* Strings of what is kept whole: resources, scopes, names, keys. String 0 of a batch is empty, and
 * so is string 0 of the dictionary. */
static int put_shared_strings(struct fg_group_build *group)
{
    const struct fg_batch *batch = group->batch;
    group->strings = malloc(256 * sizeof *group->strings);
    if (!group->strings)
        return FG_ENOMEM;
    group->string_capacity = 256;
    group->strings[group->string_count++] = 0;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < group->resource_count; i++) {
        uint32_t resource = group->resources[i];
        r = put_strings(group, &batch->resource_service[resource], 1);
        if (r == 0)
            r = put_strings(group, &batch->resource_schema_url[resource], 1);
        if (r == 0)
            r = put_attr_strings(group, &batch->resource_attrs, resource);
    }
    for (uint32_t i = 0; r == 0 && i < group->scope_count; i++) {
        uint32_t scope = group->scopes[i];
        r = put_strings(group, &batch->scope_name[scope], 1);
        if (r == 0)
            r = put_strings(group, &batch->scope_version[scope], 1);
        if (r == 0)
            r = put_strings(group, &batch->scope_schema_url[scope], 1);
        if (r == 0)
            r = put_attr_strings(group, &batch->scope_attrs, scope);
    }
    for (int level = 0; level < FG_LEVEL_COUNT; level++)
        for (uint32_t i = 0; r == 0 && i < group->levels[level].class_count; i++)
            r = put_strings(group, &group->levels[level].classes[i].name, 1);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        r = put_strings(group, &group->columns[i].key, 1);
    return r;
}

int fg_group_choose_forms(struct fg_group_build *group)
{
    struct finder finder = {0};
    int r = finder_init(&finder, group);
    if (r == 0)
        r = put_shared_strings(group);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        r = choose(group, &finder, &group->columns[i]);
    finder_free(&finder);
    return r;
}
