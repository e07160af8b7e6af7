/* A page's columns to the attributes and rare parts of spans, events or links. Which owner has a
 * value in which column its class's shape says; the chunks hold nothing but values. */
#include "local/page_decode.h"

#include "base/limits.h"

#include <stdlib.h>

/* -- The plan */

static bool is_wanted(const struct fg_group_column *column, uint32_t columns,
                      const struct fg_predicate *keys_of)
{
    if (column->level == FG_LEVEL_EVENT)
        return columns & FG_COLUMNS_EVENTS;
    if (column->level == FG_LEVEL_LINK)
        return columns & FG_COLUMNS_LINKS;
    switch (column->part) {
    case FG_PART_ATTR:
        return (columns & FG_COLUMNS_SPAN_ATTRS) &&
               (!keys_of || fg_predicate_uses_key(keys_of, column->key));
    case FG_PART_NAME:
        return columns & FG_COLUMNS_NAME;
    case FG_PART_STATUS_MESSAGE:
        return columns & FG_COLUMNS_STATUS;
    case FG_PART_EVENT_COUNT:
        return columns & FG_COLUMNS_EVENTS;
    case FG_PART_LINK_COUNT:
        return columns & FG_COLUMNS_LINKS;
    case FG_PART_FLAGS:
    case FG_PART_MARKS:
    case FG_PART_TRACE_STATE:
    case FG_PART_DROPPED_ATTRS:
    case FG_PART_DROPPED_EVENTS:
    case FG_PART_DROPPED_LINKS:
        return columns & FG_COLUMNS_MISC;
    default: /* overflow: which keys it has only its values tell */
        return columns & FG_COLUMNS_SPAN_ATTRS;
    }
}

static bool gives_attr(const struct fg_group_column *column)
{
    return column->part == FG_PART_ATTR || column->part == FG_PART_OVERFLOW_TEXT ||
           column->part == FG_PART_OVERFLOW_BITS;
}

static int plan_level(const struct fg_group *group, int index, const bool *wanted,
                      struct fg_arena *arena, struct fg_level_plan *plan)
{
    const struct fg_group_level *level = &group->levels[index];
    uint32_t shapes = level->shape_count, total = shapes ? level->shape_begin[shapes] : 0;
    plan->shape_begin = fg_arena_calloc(arena, shapes + (size_t)1, sizeof *plan->shape_begin);
    plan->attr_count = fg_arena_calloc(arena, shapes + (size_t)1, sizeof *plan->attr_count);
    plan->shape_columns = fg_arena_calloc(arena, total + (size_t)1, sizeof *plan->shape_columns);
    plan->shape_places = fg_arena_calloc(arena, total + (size_t)1, sizeof *plan->shape_places);
    plan->keys = fg_arena_calloc(arena, total + (size_t)1, sizeof *plan->keys);
    plan->types = fg_arena_calloc(arena, total + (size_t)1, sizeof *plan->types);
    plan->is_plain = fg_arena_calloc(arena, shapes + (size_t)1, sizeof *plan->is_plain);
    if (!plan->shape_begin || !plan->attr_count || !plan->shape_columns || !plan->shape_places ||
        !plan->keys || !plan->types || !plan->is_plain)
        return FG_ENOMEM;
    uint32_t n = 0;
    for (uint32_t shape = 0; shape < shapes; shape++) {
        plan->is_plain[shape] = true;
        for (uint32_t k = level->shape_begin[shape]; k < level->shape_begin[shape + 1]; k++) {
            uint32_t column = level->shape_columns[k];
            if (!wanted[column])
                continue;
            plan->is_plain[shape] &= group->columns[column].part == FG_PART_ATTR;
            plan->keys[n] = group->columns[column].key_id;
            plan->types[n] = group->columns[column].type;
            plan->shape_places[n] = k - level->shape_begin[shape];
            plan->shape_columns[n++] = column;
            plan->attr_count[shape] += gives_attr(&group->columns[column]);
        }
        plan->shape_begin[shape + 1] = n;
    }
    return 0;
}

int fg_page_plan_make(const struct fg_group *group, uint32_t columns,
                      const struct fg_predicate *keys_of, struct fg_arena *arena,
                      struct fg_page_plan *ret_plan)
{
    struct fg_page_plan plan = {.columns = columns};
    bool *wanted = fg_arena_calloc(arena, group->column_count + (size_t)1, sizeof *wanted);
    if (!wanted)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < group->column_count; i++)
        wanted[i] = is_wanted(&group->columns[i], columns, keys_of);
    plan.wanted = wanted;
    for (int level = 0; level < FG_LEVEL_COUNT; level++) {
        int r = plan_level(group, level, wanted, arena, &plan.levels[level]);
        if (r < 0)
            return r;
    }
    *ret_plan = plan;
    return 0;
}

/* -- Values */

/* A column while the page is decoded. */
struct column {
    const struct fg_group_column *info;
    struct fg_input in;
    uint32_t count, fill;
    uint64_t *values;
    const uint32_t *a, *b, *usual;          /* NULL: not needed */
    uint32_t *fill_a, *fill_b, *fill_usual; /* those of them that are to be gathered */
    uint8_t exponent;                       /* of decimals, plus one */
    uint32_t text_base, text_count;
};

struct work {
    struct fg_page_decoder *decoder;
    const struct fg_group_level *level;
    const struct fg_level_plan *plan;
    const uint32_t *owner_class;
    uint32_t owner_count;
    struct column *columns; /* by column number; count 0: nothing of it */
    uint64_t **cursors;     /* by column number: the value that is handed out next */
    uint32_t attr_count;
    bool gathers; /* some column's contexts are to be gathered */
};

static void *take_memory(struct work *work, size_t count, size_t size)
{
    return fg_arena_alloc(work->decoder->arena, (count + 1) * size);
}

/* How many values each column has: what the owners' shapes say. */
static int count_values(struct work *work)
{
    uint32_t *owners =
        fg_arena_calloc(work->decoder->arena, work->level->class_count + (size_t)1, sizeof *owners);
    if (!owners)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < work->owner_count; i++)
        owners[work->owner_class[i]]++;
    uint64_t total = 0, attrs = 0;
    for (uint32_t class = 0; class < work->level->class_count; class += 1) {
        uint32_t shape = work->level->class_shape[class], count = owners[class];
        if (count == 0)
            continue;
        uint32_t begin = work->plan->shape_begin[shape], end = work->plan->shape_begin[shape + 1];
        total += (uint64_t)count * (end - begin);
        attrs += (uint64_t)count * work->plan->attr_count[shape];
        if (total > FG_SEGMENT_CELLS_MAX)
            return FG_ECORRUPT;
        for (uint32_t k = begin; k < end; k++)
            work->columns[work->plan->shape_columns[k]].count += count;
    }
    work->attr_count = (uint32_t)attrs;
    return 0;
}

/* Takes the strings of a page that are in no dictionary. Empty ones become the empty string. */
static int take_texts(struct work *work, struct column *column)
{
    struct fg_page_decoder *decoder = work->decoder;
    uint32_t count = (uint32_t)fg_input_varint_max(&column->in, column->count);
    uint64_t need = (uint64_t)decoder->string_count + count;
    if (need > FG_SEGMENT_CELLS_MAX)
        return FG_ECORRUPT;
    if (need > decoder->string_capacity) {
        uint32_t capacity = (uint32_t)need * 2;
        struct fg_slice *strings =
            realloc(decoder->strings, (size_t)capacity * sizeof *decoder->strings);
        if (!strings)
            return FG_ENOMEM;
        decoder->strings = strings;
        decoder->string_capacity = capacity;
    }
    column->text_base = decoder->string_count;
    column->text_count = count;
    decoder->string_count = (uint32_t)need;
    struct fg_slice *strings = decoder->strings + column->text_base;
    memset(strings, 0, count * sizeof *strings);
    return fg_text_decode(decoder->codec, &column->in, count, FG_SEGMENT_TEXT_SIZE_MAX,
                          decoder->arena, strings);
}

/* What the numbers that come next are foretold by. */
struct need {
    bool a, b, usual;
};

static struct need look_ahead(const struct fg_input *in)
{
    size_t rest = fg_input_rest(in);
    uint8_t tag = rest > 0 ? in->at[0] : 0, rule = rest > 1 ? in->at[1] & 0x7f : 0;
    if (tag == FG_INT_SCALED || tag == FG_INT_BY_CONTEXT)
        return (struct need){.a = true};
    if (tag != FG_INT_PREDICTED)
        return (struct need){0};
    return (struct need){.a = rule == FG_RULE_A || rule == FG_RULE_A_B ||
                              rule == FG_RULE_A_PREVIOUS || rule == FG_RULE_A_PARENT,
                         .b = rule == FG_RULE_B || rule == FG_RULE_A_B,
                         .usual = rule == FG_RULE_DEFAULT};
}

static bool has_codes(const struct fg_group_column *info)
{
    return info->form == FG_FORM_TEXT_CODES || info->form == FG_FORM_BITS_CODES;
}

/* Where every owner has a value, the owners' classes and resources are in the right order already.
 */
static int need_contexts(struct work *work, struct column *column, const struct need *need)
{
    bool is_dense = column->count == work->owner_count && column->info->part == FG_PART_ATTR;
    if (need->a && is_dense)
        column->a = work->owner_class;
    else if (need->a)
        column->a = column->fill_a = take_memory(work, column->count, sizeof *column->fill_a);
    if (need->b && is_dense)
        column->b = work->decoder->resource;
    else if (need->b)
        column->b = column->fill_b = take_memory(work, column->count, sizeof *column->fill_b);
    if (need->usual)
        column->usual = column->fill_usual =
            take_memory(work, column->count, sizeof *column->fill_usual);
    bool is_short =
        (need->a && !column->a) || (need->b && !column->b) || (need->usual && !column->usual);
    work->gathers |= column->fill_a || column->fill_b || column->fill_usual;
    return is_short ? FG_ENOMEM : 0;
}

static int open_column(struct work *work, uint32_t number)
{
    struct fg_page_decoder *decoder = work->decoder;
    struct column *column = &work->columns[number];
    column->info = &decoder->group->columns[number];
    struct fg_slice bytes;
    int r = fg_page_chunk(decoder, FG_STREAM_COUNT + number, &bytes);
    if (r < 0)
        return r;
    column->in = fg_input(bytes);
    column->values = take_memory(work, column->count, sizeof *column->values);
    if (!column->values)
        return FG_ENOMEM;
    if (column->info->form == FG_FORM_DECIMALS)
        column->exponent = fg_input_u8(&column->in);
    if (column->info->form == FG_FORM_TEXT)
        r = take_texts(work, column);
    if (r < 0)
        return r;
    struct need need = look_ahead(&column->in);
    if (need.b)
        r = work->level == &decoder->group->levels[FG_LEVEL_SPAN] ? fg_page_resources(decoder)
                                                                  : FG_ECORRUPT;
    if (need.usual && !column->info->has_defaults)
        r = FG_ECORRUPT;
    if (r < 0)
        return r;
    return need_contexts(work, column, &need);
}

/* The columns of each shape that gather(), so that no other is looked at owner by owner. */
struct gathering {
    uint32_t *begin; /* by shape, one more than there are */
    uint32_t *columns, *places;
};

static int plan_gathering(struct work *work, struct gathering *gathering)
{
    const struct fg_level_plan *plan = work->plan;
    uint32_t shapes = work->level->shape_count, n = 0;
    uint32_t total = shapes ? plan->shape_begin[shapes] : 0;
    gathering->begin = take_memory(work, shapes, sizeof *gathering->begin);
    gathering->columns = take_memory(work, total, sizeof *gathering->columns);
    gathering->places = take_memory(work, total, sizeof *gathering->places);
    if (!gathering->begin || !gathering->columns || !gathering->places)
        return FG_ENOMEM;
    for (uint32_t shape = 0; shape < shapes; shape++) {
        gathering->begin[shape] = n;
        for (uint32_t k = plan->shape_begin[shape]; k < plan->shape_begin[shape + 1]; k++) {
            const struct column *column = &work->columns[plan->shape_columns[k]];
            if (!column->fill_a && !column->fill_b && !column->fill_usual)
                continue;
            gathering->columns[n] = plan->shape_columns[k];
            gathering->places[n++] = plan->shape_places[k];
        }
    }
    gathering->begin[shapes] = n;
    return 0;
}

/* What the values of columns that need it are foretold by. */
static int gather(struct work *work)
{
    struct gathering gathering;
    int r = plan_gathering(work, &gathering);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < work->owner_count; i++) {
        uint32_t class = work->owner_class[i], shape = work->level->class_shape[class];
        const uint32_t *usual = work->level->usual + work->level->usual_begin[class];
        for (uint32_t k = gathering.begin[shape]; k < gathering.begin[shape + 1]; k++) {
            struct column *column = &work->columns[gathering.columns[k]];
            if (column->fill_usual)
                column->fill_usual[column->fill] = usual[gathering.places[k]];
            if (column->fill_a)
                column->fill_a[column->fill] = class;
            if (column->fill_b)
                column->fill_b[column->fill] = work->decoder->resource[i];
            column->fill++;
        }
    }
    return 0;
}

/* Codes to what they stand for, or a page's own strings to their ids. */
static int resolve_values(struct work *work, struct column *column)
{
    uint64_t *values = column->values;
    uint32_t limit = column->info->distinct_count;
    switch (column->info->form) {
    case FG_FORM_NUMBERS:
        return 0;
    case FG_FORM_DECIMALS:
        return column->exponent
                   ? fg_decimal_decode(values, column->count, (uint8_t)(column->exponent - 1))
                   : 0;
    case FG_FORM_TEXT:
        limit = column->text_count;
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < column->count; i++)
        if (values[i] >= limit)
            return FG_ECORRUPT;
    if (has_codes(column->info)) {
        for (uint32_t i = 0; i < column->count; i++)
            values[i] = column->info->codes[values[i]];
        return 0;
    }
    const struct fg_slice *strings = work->decoder->strings + column->text_base;
    uint64_t base = (uint64_t)work->decoder->group->string_count + column->text_base;
    for (uint32_t i = 0; i < column->count; i++)
        values[i] = strings[values[i]].size ? base + values[i] : 0;
    return 0;
}

static int decode_column(struct work *work, struct column *column)
{
    struct fg_int_context context = {.a = column->a,
                                     .b = column->b,
                                     .a_count = work->level->class_count,
                                     .defaults = column->usual};
    int r = 0;
    if (column->in.at == column->in.end && has_codes(column->info) &&
        column->info->distinct_count == 1)
        memset(column->values, 0, column->count * sizeof *column->values);
    else
        r = fg_int_decode(work->decoder->codec, &column->in, column->count, &context,
                          column->values);
    if (r == 0 && (column->in.error || fg_input_rest(&column->in) != 0))
        r = FG_ECORRUPT;
    return r < 0 ? r : resolve_values(work, column);
}

/* -- Handing out */

struct attr_arrays {
    uint32_t *begin, *key;
    uint8_t *type;
    uint64_t *value;
};

static uint64_t part_max(uint8_t part)
{
    return part == FG_PART_MARKS ? UINT16_MAX : UINT32_MAX;
}

/* The values of one owner, all of them attributes. */
static void hand_out_plain(struct work *work, struct attr_arrays *attrs, uint32_t shape,
                           uint32_t *at)
{
    const struct fg_level_plan *plan = work->plan;
    uint32_t begin = plan->shape_begin[shape], count = plan->shape_begin[shape + 1] - begin;
    const uint32_t *columns = plan->shape_columns + begin;
    uint64_t *values = attrs->value + *at;
    if (count == 0)
        return;
    if (count == 1) { /* as nearly always where one key is searched */
        attrs->key[*at] = plan->keys[begin];
        attrs->type[*at] = plan->types[begin];
        attrs->value[(*at)++] = *work->cursors[*columns]++;
        return;
    }
    memcpy(attrs->key + *at, plan->keys + begin, count * sizeof *plan->keys);
    memcpy(attrs->type + *at, plan->types + begin, count * sizeof *plan->types);
    for (uint32_t k = 0; k < count; k++)
        values[k] = *work->cursors[columns[k]]++;
    *at += count;
}

/* The values of one owner, in the order of its shape. */
static int hand_out(struct work *work, const struct fg_level_output *output,
                    struct attr_arrays *attrs, uint32_t owner, uint32_t *at)
{
    uint32_t shape = work->level->class_shape[work->owner_class[owner]];
    uint64_t key = 0, type = 0;
    if (work->plan->is_plain[shape]) {
        hand_out_plain(work, attrs, shape, at);
        return 0;
    }
    for (uint32_t k = work->plan->shape_begin[shape]; k < work->plan->shape_begin[shape + 1]; k++) {
        const struct column *column = &work->columns[work->plan->shape_columns[k]];
        uint64_t value = *work->cursors[work->plan->shape_columns[k]]++;
        switch (column->info->part) {
        case FG_PART_ATTR:
            attrs->key[*at] = column->info->key_id;
            attrs->type[*at] = column->info->type;
            attrs->value[(*at)++] = value;
            continue;
        case FG_PART_OVERFLOW_TEXT_KEY:
        case FG_PART_OVERFLOW_BITS_KEY:
            key = value;
            continue;
        case FG_PART_OVERFLOW_TEXT_TYPE:
        case FG_PART_OVERFLOW_BITS_TYPE:
            type = value;
            continue;
        case FG_PART_OVERFLOW_TEXT:
        case FG_PART_OVERFLOW_BITS:
            if (type >= FG_VALUE_TYPE_COUNT || fg_value_type_is_bytes((uint8_t)type) !=
                                                   (column->info->part == FG_PART_OVERFLOW_TEXT))
                return FG_ECORRUPT;
            attrs->key[*at] = (uint32_t)key;
            attrs->type[*at] = (uint8_t)type;
            attrs->value[(*at)++] = value;
            continue;
        default:
            if (value > part_max(column->info->part))
                return FG_ECORRUPT;
            if (output->parts[column->info->part])
                output->parts[column->info->part][owner] = (uint32_t)value;
        }
    }
    return 0;
}

static int hand_out_all(struct work *work, const struct fg_level_output *output)
{
    struct attr_arrays attrs = {.begin = take_memory(work, work->owner_count, sizeof *attrs.begin),
                                .key = take_memory(work, work->attr_count, sizeof *attrs.key),
                                .type = take_memory(work, work->attr_count, sizeof *attrs.type),
                                .value = take_memory(work, work->attr_count, sizeof *attrs.value)};
    uint32_t column_count = work->decoder->group->column_count;
    work->cursors = take_memory(work, column_count, sizeof *work->cursors);
    if (!attrs.begin || !attrs.key || !attrs.type || !attrs.value || !work->cursors)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < column_count; i++)
        work->cursors[i] = work->columns[i].values;
    uint32_t at = 0;
    for (uint32_t i = 0; i < work->owner_count; i++) {
        attrs.begin[i] = at;
        int r = hand_out(work, output, &attrs, i, &at);
        if (r < 0)
            return r;
    }
    attrs.begin[work->owner_count] = at;
    if (output->attrs && at > 0)
        *output->attrs = (struct fg_attrs){.count = at,
                                           .begin = attrs.begin,
                                           .key = attrs.key,
                                           .type = attrs.type,
                                           .value = attrs.value};
    return 0;
}

int fg_page_columns(struct fg_page_decoder *decoder, int level, const uint32_t *owner_class,
                    uint32_t owner_count, const struct fg_level_output *output)
{
    struct work work = {.decoder = decoder,
                        .level = &decoder->group->levels[level],
                        .plan = &decoder->plan->levels[level],
                        .owner_class = owner_class,
                        .owner_count = owner_count};
    uint32_t column_count = decoder->group->column_count;
    work.columns = fg_arena_calloc(decoder->arena, column_count + (size_t)1, sizeof *work.columns);
    if (!work.columns)
        return FG_ENOMEM;
    int r = count_values(&work);
    bool any = false;
    for (uint32_t i = 0; r == 0 && i < column_count; i++) {
        if (work.columns[i].count == 0)
            continue;
        any = true;
        r = open_column(&work, i);
    }
    if (r < 0 || !any)
        return r;
    if (work.gathers)
        r = gather(&work);
    for (uint32_t i = 0; r == 0 && i < column_count; i++)
        if (work.columns[i].count)
            r = decode_column(&work, &work.columns[i]);
    return r < 0 ? r : hand_out_all(&work, output);
}
