/* A row group's columns, head and dictionary, parsed and checked. The writing side is
 * group_encode.c. */
#include "local/segment_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* What a reader takes for possible in one row group: of classes, shapes and their columns,
 * resources and attributes of these. More than any writer makes, and little enough memory. */
#define LIST_MAX (1u << 22)

/* The parse at hand. */
struct parse {
    struct fg_group *group;
    struct fg_codec *codec;
    struct fg_input in;
};

static void *take_memory(struct parse *parse, size_t count, size_t size, int *ret_error)
{
    void *p = fg_arena_calloc(&parse->group->arena, count + 1, size);
    if (!p)
        *ret_error = FG_ENOMEM;
    return p;
}

/* count numbers, none above value_max. */
static int take_u32s(struct parse *parse, uint32_t count, uint64_t value_max, uint32_t **ret_values)
{
    int r = 0;
    uint32_t *values = take_memory(parse, count, sizeof *values, &r);
    if (r == 0)
        r = fg_int_decode_u32(parse->codec, &parse->in, count, NULL, value_max, values);
    *ret_values = values;
    return r;
}

static int take_u8s(struct parse *parse, uint32_t count, uint64_t value_max, uint8_t **ret_values)
{
    int r = 0;
    uint32_t *wide;
    uint8_t *values = take_memory(parse, count, sizeof *values, &r);
    if (r == 0)
        r = take_u32s(parse, count, value_max, &wide);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        values[i] = (uint8_t)wide[i];
    *ret_values = values;
    return r;
}

static int take_strings(struct parse *parse, uint32_t count, uint32_t **ret_ids)
{
    return take_u32s(parse, count, parse->group->string_count - 1, ret_ids);
}

/* counts to begins, with the total behind; FG_ECORRUPT where that is more than LIST_MAX. */
static int sum_up(struct parse *parse, const uint32_t *counts, uint32_t count, uint32_t *begin)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        begin[i] = (uint32_t)total;
        total += counts[i];
        if (total > LIST_MAX)
            return fg_input_fail(&parse->in);
    }
    begin[count] = (uint32_t)total;
    return 0;
}

static int take_attrs(struct parse *parse, uint32_t owners, struct fg_attrs *ret_attrs)
{
    uint32_t *counts, *key;
    uint8_t *type;
    int r = take_u32s(parse, owners, LIST_MAX, &counts);
    uint32_t *begin = r < 0 ? NULL : take_memory(parse, owners, sizeof *begin, &r);
    if (r == 0)
        r = sum_up(parse, counts, owners, begin);
    if (r < 0)
        return r;
    uint32_t count = begin[owners];
    r = take_strings(parse, count, &key);
    if (r == 0)
        r = take_u8s(parse, count, FG_VALUE_TYPE_COUNT - 1, &type);
    if (r != 0)
        return r;
    uint64_t *value = take_memory(parse, count, sizeof *value, &r);
    if (r == 0)
        r = fg_int_decode(parse->codec, &parse->in, count, NULL, value);
    if (r != 0)
        return r;
    for (uint32_t i = 0; i < count; i++)
        if (fg_value_type_is_bytes(type[i]) && value[i] >= parse->group->string_count)
            return fg_input_fail(&parse->in);
    *ret_attrs = (struct fg_attrs){
        .count = count, .begin = count ? begin : NULL, .key = key, .type = type, .value = value};
    return 0;
}

static int take_resources(struct parse *parse)
{
    struct fg_batch *shared = &parse->group->shared;
    uint32_t count = (uint32_t)fg_input_varint_max(&parse->in, FG_ROW_GROUP_ROWS_MAX);
    uint32_t *service = NULL, *schema_url = NULL, *dropped = NULL;
    int r = take_strings(parse, count, &service);
    if (r == 0)
        r = take_strings(parse, count, &schema_url);
    if (r == 0)
        r = take_u32s(parse, count, UINT32_MAX, &dropped);
    if (r == 0)
        r = take_attrs(parse, count, &shared->resource_attrs);
    if (r < 0)
        return r;
    shared->resource_count = count;
    shared->resource_service = service;
    shared->resource_schema_url = schema_url;
    shared->resource_dropped_attrs = dropped;
    return 0;
}

static int take_scopes(struct parse *parse)
{
    struct fg_batch *shared = &parse->group->shared;
    uint32_t count = (uint32_t)fg_input_varint_max(&parse->in, FG_ROW_GROUP_ROWS_MAX);
    uint32_t *name = NULL, *version = NULL, *schema_url = NULL, *dropped = NULL;
    int r = take_strings(parse, count, &name);
    if (r == 0)
        r = take_strings(parse, count, &version);
    if (r == 0)
        r = take_strings(parse, count, &schema_url);
    if (r == 0)
        r = take_u32s(parse, count, UINT32_MAX, &dropped);
    if (r == 0)
        r = take_attrs(parse, count, &shared->scope_attrs);
    if (r < 0)
        return r;
    shared->scope_count = count;
    shared->scope_name = name;
    shared->scope_version = version;
    shared->scope_schema_url = schema_url;
    shared->scope_dropped_attrs = dropped;
    return 0;
}

/* -- Columns */

static bool is_text_part(uint8_t part)
{
    return part == FG_PART_NAME || part == FG_PART_TRACE_STATE || part == FG_PART_STATUS_MESSAGE ||
           part == FG_PART_OVERFLOW_TEXT_KEY || part == FG_PART_OVERFLOW_TEXT ||
           part == FG_PART_OVERFLOW_BITS_KEY;
}

static bool is_possible(const struct fg_group_column *column)
{
    if (column->level >= FG_LEVEL_COUNT || column->part >= FG_PART_COUNT ||
        column->type >= FG_VALUE_TYPE_COUNT || column->form >= FG_FORM_COUNT ||
        column->filter_kind > FG_FILTER_BITMAP)
        return false;
    bool text = fg_value_type_is_bytes(column->type);
    if (column->part != FG_PART_ATTR && text != is_text_part(column->part))
        return false;
    if (text != (column->form == FG_FORM_TEXT || column->form == FG_FORM_TEXT_CODES))
        return false;
    if (column->form == FG_FORM_DECIMALS && column->type != FG_VALUE_DOUBLE)
        return false;
    return column->filter_kind != FG_FILTER_BITMAP || column->form == FG_FORM_NUMBERS;
}

static int take_codes(struct parse *parse, struct fg_group_column *column)
{
    if (column->form != FG_FORM_TEXT_CODES && column->form != FG_FORM_BITS_CODES)
        return 0;
    int r = 0;
    column->codes = take_memory(parse, column->distinct_count, sizeof *column->codes, &r);
    if (r == 0)
        r = fg_int_decode(parse->codec, &parse->in, column->distinct_count, NULL, column->codes);
    for (uint32_t i = 0; r == 0 && i < column->distinct_count; i++)
        if (column->form == FG_FORM_TEXT_CODES && column->codes[i] >= parse->group->string_count)
            r = fg_input_fail(&parse->in);
    return r;
}

static int take_column(struct parse *parse, struct fg_group_column *column, uint64_t *filter_offset)
{
    struct fg_input *in = &parse->in;
    column->level = fg_input_u8(in);
    column->part = fg_input_u8(in);
    column->type = fg_input_u8(in);
    column->form = fg_input_u8(in);
    uint8_t flags = fg_input_u8(in);
    column->has_defaults = flags & 1;
    column->has_nan = flags & 2;
    column->filter_kind = fg_input_u8(in);
    if (flags > 3 || !is_possible(column))
        return fg_input_fail(in);
    if (column->part == FG_PART_ATTR) {
        column->key_id = (uint32_t)fg_input_varint_max(in, parse->group->string_count - 1);
        column->key = fg_input_slice(in, (size_t)fg_input_varint_max(in, SIZE_MAX / 2));
    }
    column->value_count = (uint32_t)fg_input_varint_max(in, UINT32_MAX);
    column->distinct_count = (uint32_t)fg_input_varint_max(in, LIST_MAX);
    column->dictionary_size = fg_input_varint(in);
    column->filter_size = (uint32_t)fg_input_varint_max(in, UINT32_MAX);
    column->filter_offset = *filter_offset;
    *filter_offset += column->filter_size;
    if ((column->filter_kind == FG_FILTER_NONE) != (column->filter_size == 0) ||
        column->distinct_count == 0)
        return fg_input_fail(in);
    if (!fg_value_type_is_bytes(column->type)) {
        column->min = fg_input_le64(in);
        column->max = fg_input_le64(in);
    }
    return in->error;
}

static int take_columns(struct parse *parse)
{
    struct fg_group *group = parse->group;
    struct fg_input *in = &parse->in;
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    group->page_count = (uint32_t)fg_input_varint_max(in, FG_ROW_GROUP_ROWS_MAX);
    group->string_count = (uint32_t)fg_input_varint_max(in, LIST_MAX);
    group->strings_size = fg_input_varint_max(in, FG_SEGMENT_TEXT_SIZE_MAX);
    group->dictionary_filter_size = (uint32_t)fg_input_varint_max(in, UINT32_MAX);
    group->class_count = (uint32_t)fg_input_varint_max(in, FG_ROW_GROUP_ROWS_MAX);
    uint32_t count = (uint32_t)fg_input_varint_max(in, FG_COLUMN_COUNT_MAX);
    if (in->error || group->string_count == 0 || group->page_count == 0)
        return fg_input_fail(in);
    int r = 0;
    group->columns = take_memory(parse, count, sizeof *group->columns, &r);
    group->column_count = count;
    uint64_t offset = fg_group_filters_offset(place) + group->dictionary_filter_size;
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = take_column(parse, &group->columns[i], &offset);
    if (r == 0 && (fg_input_rest(in) != 0 || offset != fg_group_dictionary_offset(place)))
        r = fg_input_fail(in);
    return r;
}

/* -- Shapes and classes */

static int take_classes(struct parse *parse, int index)
{
    struct fg_group_level *level = &parse->group->levels[index];
    level->shape_count = (uint32_t)fg_input_varint_max(&parse->in, LIST_MAX);
    uint32_t count = level->class_count = (uint32_t)fg_input_varint_max(&parse->in, LIST_MAX);
    if ((count > 0 && level->shape_count == 0) ||
        (index == FG_LEVEL_SPAN && count != parse->group->class_count))
        return fg_input_fail(&parse->in);
    int r = take_u32s(parse, count, count ? level->shape_count - 1 : 0, &level->class_shape);
    if (r == 0 && index != FG_LEVEL_LINK)
        r = take_strings(parse, count, &level->class_name);
    if (r < 0 || index != FG_LEVEL_SPAN)
        return r;
    uint32_t scopes = parse->group->shared.scope_count;
    if (count > 0 && scopes == 0)
        return fg_input_fail(&parse->in);
    r = take_u32s(parse, count, scopes ? scopes - 1 : 0, &level->class_scope);
    if (r == 0)
        r = take_u8s(parse, count, UINT8_MAX, &level->class_kind);
    if (r == 0)
        r = take_u8s(parse, count, UINT8_MAX, &level->class_status);
    if (r == 0)
        r = take_u8s(parse, count, 1, &level->class_open);
    return r;
}

static int take_shapes(struct parse *parse, int index)
{
    struct fg_group_level *level = &parse->group->levels[index];
    uint32_t *counts;
    int r = take_u32s(parse, level->shape_count, LIST_MAX, &counts);
    if (r == 0)
        level->shape_begin = take_memory(parse, level->shape_count, sizeof *level->shape_begin, &r);
    if (r == 0)
        r = sum_up(parse, counts, level->shape_count, level->shape_begin);
    if (r < 0)
        return r;
    uint32_t total = level->shape_begin[level->shape_count];
    uint32_t columns = parse->group->column_count;
    if (total > 0 && columns == 0)
        return fg_input_fail(&parse->in);
    r = take_u32s(parse, total, columns ? columns - 1 : 0, &level->shape_columns);
    for (uint32_t i = 0; r == 0 && i < total; i++)
        if (parse->group->columns[level->shape_columns[i]].level != index)
            r = fg_input_fail(&parse->in);
    return r;
}

/* A column's defaults: a code for each class whose shape has it. */
struct defaults {
    uint32_t count;      /* classes that have it */
    uint32_t last_class; /* that was counted: a shape may name a column twice */
    uint32_t *codes;
};

static void count_defaults(struct parse *parse, int index, struct defaults *defaults)
{
    struct fg_group_level *level = &parse->group->levels[index];
    for (uint32_t c = 0; c < level->class_count; c++) {
        uint32_t shape = level->class_shape[c];
        for (uint32_t k = level->shape_begin[shape]; k < level->shape_begin[shape + 1]; k++) {
            struct defaults *of = &defaults[level->shape_columns[k]];
            of->count += of->last_class != c;
            of->last_class = c;
        }
    }
}

/* Lays the codes out class by class, as rows ask for them. */
static int lay_out_defaults(struct parse *parse, int index, struct defaults *defaults)
{
    struct fg_group_level *level = &parse->group->levels[index];
    uint64_t total = 0;
    for (uint32_t c = 0; c < level->class_count; c++) {
        uint32_t shape = level->class_shape[c];
        total += level->shape_begin[shape + 1] - level->shape_begin[shape];
    }
    if (total > LIST_MAX)
        return fg_input_fail(&parse->in);
    int r = 0;
    level->usual_begin = take_memory(parse, level->class_count, sizeof *level->usual_begin, &r);
    level->usual = take_memory(parse, (size_t)total, sizeof *level->usual, &r);
    if (r < 0)
        return r;
    uint32_t n = 0;
    for (uint32_t c = 0; c < level->class_count; c++) {
        uint32_t shape = level->class_shape[c];
        level->usual_begin[c] = n;
        for (uint32_t k = level->shape_begin[shape]; k < level->shape_begin[shape + 1]; k++, n++) {
            struct defaults *of = &defaults[level->shape_columns[k]];
            if (!of->codes)
                continue;
            if (of->last_class != c)
                of->count++;
            of->last_class = c;
            level->usual[n] = of->codes[of->count - 1];
        }
    }
    return 0;
}

static int take_defaults(struct parse *parse)
{
    struct fg_group *group = parse->group;
    int r = 0;
    struct defaults *defaults = take_memory(parse, group->column_count, sizeof *defaults, &r);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < group->column_count; i++)
        defaults[i].last_class = UINT32_MAX;
    for (int level = 0; level < FG_LEVEL_COUNT; level++)
        count_defaults(parse, level, defaults);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++) {
        const struct fg_group_column *column = &group->columns[i];
        if (column->has_defaults && !column->codes)
            r = fg_input_fail(&parse->in);
        else if (column->has_defaults)
            r = take_u32s(parse, defaults[i].count, column->distinct_count - 1, &defaults[i].codes);
        defaults[i].count = 0;
        defaults[i].last_class = UINT32_MAX;
    }
    for (int level = 0; r == 0 && level < FG_LEVEL_COUNT; level++)
        r = lay_out_defaults(parse, level, defaults);
    return r;
}

static int take_head(struct parse *parse)
{
    int r = take_resources(parse);
    if (r == 0)
        r = take_scopes(parse);
    for (int level = 0; r == 0 && level < FG_LEVEL_COUNT; level++)
        r = take_classes(parse, level);
    return r == 0 ? parse->in.error : r;
}

int fg_group_load_shapes(struct fg_group *group, struct fg_codec *codec)
{
    struct parse parse = {group, codec, group->rest};
    if (group->has_shapes)
        return 0;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        r = take_codes(&parse, &group->columns[i]);
    for (int level = 0; r == 0 && level < FG_LEVEL_COUNT; level++)
        r = take_shapes(&parse, level);
    if (r == 0)
        r = take_defaults(&parse);
    if (r == 0 && (parse.in.error || fg_input_rest(&parse.in) != 0))
        r = FG_ECORRUPT;
    group->has_shapes = r == 0;
    return r;
}

int fg_group_load_columns(struct fg_segment *segment, uint32_t number, uint64_t *bytes_read,
                          struct fg_group **ret_group)
{
    const struct fg_segment_group *place = &segment->groups[number];
    struct fg_group *group = calloc(1, sizeof *group);
    if (!group)
        return FG_ENOMEM;
    *group = (struct fg_group){.refs = 1, .segment = segment, .number = number};
    fg_arena_init(&group->arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = fg_segment_load(segment, fg_group_columns_offset(place), place->entry.columns_size,
                            bytes_read, &group->columns_loaded);
    struct parse parse = {group, NULL, fg_input(group->columns_loaded.bytes)};
    if (r == 0)
        r = take_columns(&parse);
    if (r < 0) {
        fg_group_unref(group);
        return r;
    }
    *ret_group = group;
    return 0;
}

int fg_group_load_head(struct fg_group *group, struct fg_codec *codec, uint64_t *bytes_read)
{
    if (group->has_head)
        return 0;
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    int r = fg_segment_load_blob(group->segment, codec, fg_group_head_offset(place),
                                 place->entry.head_size, bytes_read, &group->head);
    struct parse parse = {group, codec, fg_input(group->head.bytes)};
    if (r == 0)
        r = take_head(&parse);
    group->rest = parse.in;
    group->has_head = r == 0;
    return r;
}

int fg_group_load(struct fg_segment *segment, struct fg_codec *codec, uint32_t number,
                  uint64_t *bytes_read, struct fg_group **ret_group)
{
    struct fg_group *group;
    int r = fg_group_load_columns(segment, number, bytes_read, &group);
    if (r < 0)
        return r;
    r = fg_group_load_head(group, codec, bytes_read);
    if (r == 0)
        r = fg_group_load_shapes(group, codec);
    if (r < 0) {
        fg_group_unref(group);
        return r;
    }
    *ret_group = group;
    return 0;
}

void fg_group_unref(struct fg_group *group)
{
    if (!group || --group->refs > 0)
        return;
    fg_loaded_free(group->segment, &group->head);
    fg_loaded_free(group->segment, &group->columns_loaded);
    fg_loaded_free(group->segment, &group->dictionary);
    fg_arena_free(&group->arena);
    free(group);
}

/* -- The dictionary. In the cache it lies unpacked: the sizes of its strings, le32 each, then all
 * of their bytes. */

static int unpack_strings(void *arg, struct fg_codec *codec, struct fg_slice payload,
                          uint8_t **ret_memory, size_t *ret_size)
{
    const struct fg_group *group = arg;
    uint32_t count = group->string_count;
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX * 2);
    struct fg_slice *strings = fg_arena_alloc(&arena, count * sizeof *strings);
    struct fg_input in = fg_input(payload);
    int r = strings ? 0 : FG_ENOMEM;
    if (r == 0)
        r = fg_text_decode(codec, &in, count, (size_t)group->strings_size, &arena, strings);
    if (r == 0 && (fg_input_rest(&in) != 0 || strings[0].size != 0))
        r = FG_ECORRUPT;
    size_t size = (size_t)count * 4 + (size_t)group->strings_size;
    uint8_t *memory = r < 0 ? NULL : malloc(size + FG_INPUT_PADDING);
    if (r == 0 && !memory)
        r = FG_ENOMEM;
    size_t at = (size_t)count * 4;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        fg_store_le32(memory + (size_t)i * 4, (uint32_t)strings[i].size);
        if (strings[i].size)
            memcpy(memory + at, strings[i].data, strings[i].size);
        at += strings[i].size;
    }
    if (r == 0 && at != size)
        r = FG_ECORRUPT;
    fg_arena_free(&arena);
    if (r < 0) {
        free(memory);
        return r;
    }
    memset(memory + size, 0, FG_INPUT_PADDING);
    *ret_memory = memory;
    *ret_size = size;
    return 0;
}

int fg_group_load_strings(struct fg_group *group, struct fg_codec *codec, uint64_t *bytes_read)
{
    if (group->shared.strings)
        return 0;
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    struct fg_unpack unpack = {unpack_strings, group};
    int r = fg_segment_load_unpacked(group->segment, codec, fg_group_dictionary_offset(place),
                                     place->entry.dictionary_size, bytes_read, &unpack,
                                     &group->dictionary);
    if (r < 0)
        return r;
    uint32_t count = group->string_count;
    struct fg_slice *strings = fg_arena_alloc(&group->arena, count * sizeof *strings);
    if (!strings) {
        fg_loaded_free(group->segment, &group->dictionary);
        return FG_ENOMEM;
    }
    const uint8_t *sizes = group->dictionary.bytes.data, *p = sizes + (size_t)count * 4;
    for (uint32_t i = 0; i < count; i++) {
        strings[i] = fg_slice(p, fg_load_le32(sizes + (size_t)i * 4));
        p += strings[i].size;
    }
    group->shared.strings = strings;
    group->shared.string_count = count;
    group->shared.stable_string_count = count;
    group->shared.string_epoch = group->segment->epoch + group->number;
    return 0;
}
