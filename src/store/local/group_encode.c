/* The parts of a row group that its pages share, as bytes: head, dictionary, filters. The reading
 * side is group.c. Byte by byte: doc/format.md, "The segment". */
#include "local/group_build.h"

#include "base/hash.h"
#include "local/codec.h"
#include "local/fuse.h"
#include "local/segment_hash.h"

#include <stdlib.h>

/* An array of numbers in the making; a failed allocation shows in out. */
struct list {
    uint64_t *values;
    uint32_t count;
};

static struct list list_new(size_t capacity, struct fg_buffer *out)
{
    struct list list = {.values = malloc((capacity + 1) * sizeof *list.values)};
    if (!list.values && !out->error)
        out->error = FG_ENOMEM;
    return list;
}

/* Encodes what is in the list and empties it. */
static void put_list(struct fg_codec *codec, struct list *list, struct fg_buffer *out)
{
    fg_int_encode(codec, list->values, list->count, NULL, out);
    list->count = 0;
}

static void put_strings_of(const struct fg_group_build *group, struct fg_codec *codec,
                           const uint32_t *ids, const uint32_t *owners, uint32_t count,
                           struct fg_buffer *out)
{
    struct list list = list_new(count, out);
    for (uint32_t i = 0; list.values && i < count; i++)
        list.values[list.count++] = group->string_id[ids[owners[i]]];
    put_list(codec, &list, out);
    free(list.values);
}

static void put_numbers_of(struct fg_codec *codec, const uint32_t *numbers, const uint32_t *owners,
                           uint32_t count, struct fg_buffer *out)
{
    struct list list = list_new(count, out);
    for (uint32_t i = 0; list.values && i < count; i++)
        list.values[list.count++] = fg_column_u32(numbers, owners[i]);
    put_list(codec, &list, out);
    free(list.values);
}

/* Attributes of resources or scopes: how many each has, then keys, types, values one after the
 * other. */
static void put_attrs_of(const struct fg_group_build *group, struct fg_codec *codec,
                         const struct fg_attrs *attrs, const uint32_t *owners, uint32_t count,
                         struct fg_buffer *out)
{
    struct list list = list_new((size_t)attrs->count + count, out);
    if (!list.values)
        return;
    uint32_t begin, end;
    for (uint32_t i = 0; i < count; i++) {
        fg_attrs_range(attrs, owners[i], &begin, &end);
        list.values[list.count++] = end - begin;
    }
    put_list(codec, &list, out);
    for (int what = 0; what < 3; what++) {
        for (uint32_t i = 0; i < count; i++) {
            fg_attrs_range(attrs, owners[i], &begin, &end);
            for (uint32_t k = begin; k < end; k++) {
                uint64_t value = attrs->value[k];
                if (fg_value_type_is_bytes(attrs->type[k]))
                    value = group->string_id[value];
                list.values[list.count++] = what == 0   ? group->string_id[attrs->key[k]]
                                            : what == 1 ? attrs->type[k]
                                                        : value;
            }
        }
        put_list(codec, &list, out);
    }
    free(list.values);
}

static void put_resources(const struct fg_group_build *group, struct fg_codec *codec,
                          struct fg_buffer *out)
{
    const struct fg_batch *batch = group->batch;
    const uint32_t *owners = group->resources;
    uint32_t count = group->resource_count;
    fg_buffer_append_varint(out, count);
    put_strings_of(group, codec, batch->resource_service, owners, count, out);
    put_strings_of(group, codec, batch->resource_schema_url, owners, count, out);
    put_numbers_of(codec, batch->resource_dropped_attrs, owners, count, out);
    put_attrs_of(group, codec, &batch->resource_attrs, owners, count, out);
}

static void put_scopes(const struct fg_group_build *group, struct fg_codec *codec,
                       struct fg_buffer *out)
{
    const struct fg_batch *batch = group->batch;
    const uint32_t *owners = group->scopes;
    uint32_t count = group->scope_count;
    fg_buffer_append_varint(out, count);
    put_strings_of(group, codec, batch->scope_name, owners, count, out);
    put_strings_of(group, codec, batch->scope_version, owners, count, out);
    put_strings_of(group, codec, batch->scope_schema_url, owners, count, out);
    put_numbers_of(codec, batch->scope_dropped_attrs, owners, count, out);
    put_attrs_of(group, codec, &batch->scope_attrs, owners, count, out);
}

enum { HAS_DEFAULTS = 1, HAS_NAN = 2 };

static bool has_codes(const struct fg_column_build *column)
{
    return column->form == FG_FORM_TEXT_CODES || column->form == FG_FORM_BITS_CODES;
}

static void put_column(const struct fg_group_build *group, const struct fg_column_build *column,
                       struct fg_buffer *out)
{
    fg_buffer_append_byte(out, column->level);
    fg_buffer_append_byte(out, column->part);
    fg_buffer_append_byte(out, column->type);
    fg_buffer_append_byte(out, column->form);
    fg_buffer_append_byte(
        out, (uint8_t)((column->defaults ? HAS_DEFAULTS : 0) | (column->has_nan ? HAS_NAN : 0)));
    fg_buffer_append_byte(out, column->filter_kind);
    if (column->part == FG_PART_ATTR) {
        struct fg_slice key = group->batch->strings[column->key];
        fg_buffer_append_varint(out, group->string_id[column->key]);
        fg_buffer_append_varint(out, key.size);
        fg_buffer_append_slice(out, key);
    }
    fg_buffer_append_varint(out, column->count);
    fg_buffer_append_varint(out, column->distinct_count);
    fg_buffer_append_varint(out, column->dictionary_size);
    fg_buffer_append_varint(out, column->filter_size);
    if (!fg_value_type_is_bytes(column->type)) {
        fg_buffer_append_le64(out, column->min);
        fg_buffer_append_le64(out, column->max);
    }
}

/* What the codes of a column stand for. */
static void put_codes(const struct fg_group_build *group, struct fg_codec *codec,
                      const struct fg_column_build *column, struct fg_buffer *out)
{
    if (!has_codes(column))
        return;
    struct list list = list_new(column->distinct_count, out);
    for (uint32_t i = 0; list.values && i < column->distinct_count; i++)
        list.values[list.count++] = column->form == FG_FORM_TEXT_CODES
                                        ? group->string_id[column->distinct[i]]
                                        : column->distinct[i];
    put_list(codec, &list, out);
    free(list.values);
}

static void put_classes(const struct fg_group_build *group, struct fg_codec *codec, int index,
                        struct fg_buffer *out)
{
    const struct fg_level_build *level = &group->levels[index];
    struct list list = list_new(level->class_count, out);
    if (!list.values)
        return;
    fg_buffer_append_varint(out, level->shape_count);
    fg_buffer_append_varint(out, level->class_count);
    const int kinds = index == FG_LEVEL_SPAN ? 6 : index == FG_LEVEL_EVENT ? 2 : 1;
    for (int what = 0; what < kinds; what++) {
        for (uint32_t i = 0; i < level->class_count; i++) {
            const struct fg_class *class = &level->classes[i];
            const uint32_t values[6] = {class->shape,  group->string_id[class->name],
                                        class->scope,  class->kind,
                                        class->status, class->open};
            list.values[list.count++] = values[what];
        }
        put_list(codec, &list, out);
    }
    free(list.values);
}

static void put_shapes(const struct fg_group_build *group, struct fg_codec *codec, int index,
                       struct fg_buffer *out)
{
    const struct fg_level_build *level = &group->levels[index];
    struct list list = list_new((size_t)level->shape_columns_count + level->shape_count, out);
    if (!list.values)
        return;
    for (uint32_t i = 0; i < level->shape_count; i++)
        list.values[list.count++] = level->shape_begin[i + 1] - level->shape_begin[i];
    put_list(codec, &list, out);
    for (uint32_t i = 0; i < level->shape_columns_count; i++)
        list.values[list.count++] = level->shape_columns[i];
    put_list(codec, &list, out);
    free(list.values);
}

/* The usual codes of the classes whose shape has the column, in the classes' order. */
static void put_defaults(const struct fg_group_build *group, struct fg_codec *codec, uint32_t index,
                         struct fg_buffer *out)
{
    const struct fg_column_build *column = &group->columns[index];
    const struct fg_level_build *level = &group->levels[column->level];
    struct list list = list_new(level->class_count, out);
    for (uint32_t i = 0; list.values && i < level->class_count; i++) {
        uint32_t shape = level->classes[i].shape;
        for (uint32_t k = level->shape_begin[shape]; k < level->shape_begin[shape + 1]; k++) {
            if (level->shape_columns[k] != index)
                continue;
            list.values[list.count++] = column->defaults[i];
            break;
        }
    }
    put_list(codec, &list, out);
    free(list.values);
}

void fg_group_encode_columns(const struct fg_group_build *group, uint32_t dictionary_filter_size,
                             struct fg_buffer *out)
{
    fg_buffer_append_varint(out, group->page_count);
    fg_buffer_append_varint(out, group->string_count);
    fg_buffer_append_varint(out, group->strings_size);
    fg_buffer_append_varint(out, dictionary_filter_size);
    fg_buffer_append_varint(out, group->levels[FG_LEVEL_SPAN].class_count);
    fg_buffer_append_varint(out, group->column_count);
    for (uint32_t i = 0; i < group->column_count; i++)
        put_column(group, &group->columns[i], out);
}

void fg_group_encode_head(const struct fg_group_build *group, struct fg_codec *codec,
                          struct fg_buffer *out)
{
    struct fg_buffer head;
    fg_buffer_init(&head, FG_SEGMENT_TEXT_SIZE_MAX);
    put_resources(group, codec, &head);
    put_scopes(group, codec, &head);
    for (int level = 0; level < FG_LEVEL_COUNT; level++)
        put_classes(group, codec, level, &head);
    for (uint32_t i = 0; i < group->column_count; i++)
        put_codes(group, codec, &group->columns[i], &head);
    for (int level = 0; level < FG_LEVEL_COUNT; level++)
        put_shapes(group, codec, level, &head);
    for (uint32_t i = 0; i < group->column_count; i++)
        if (group->columns[i].defaults)
            put_defaults(group, codec, i, &head);
    if (head.error && !out->error)
        out->error = head.error;
    fg_blob_encode(codec, fg_buffer_slice(&head), out);
    fg_buffer_free(&head);
}

void fg_group_encode_dictionary(const struct fg_group_build *group, struct fg_codec *codec,
                                struct fg_buffer *out)
{
    struct fg_slice *strings = malloc(group->string_count * sizeof *strings);
    if (!strings) {
        out->error = out->error ? out->error : FG_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < group->string_count; i++)
        strings[i] = group->batch->strings[group->strings[i]];
    fg_text_encode(codec, strings, group->string_count, out);
    free(strings);
}

static void put_fuse(const uint64_t *hashes, uint32_t count, struct fg_buffer *out)
{
    if (hashes)
        fg_fuse_encode(hashes, count, out);
    else if (!out->error)
        out->error = FG_ENOMEM;
}

void fg_group_encode_dictionary_filter(const struct fg_group_build *group, struct fg_buffer *out)
{
    uint64_t *hashes = malloc(group->string_count * sizeof *hashes);
    for (uint32_t i = 0; hashes && i < group->string_count; i++)
        hashes[i] = fg_hash(group->batch->strings[group->strings[i]]);
    put_fuse(hashes, group->string_count, out);
    free(hashes);
}

static void put_bitmap(const struct fg_column_build *column, struct fg_buffer *out)
{
    size_t size = (size_t)((column->max - column->min) / 8 + 1);
    uint8_t *p = fg_buffer_reserve(out, size);
    if (!p)
        return;
    memset(p, 0, size);
    for (uint32_t i = 0; i < column->distinct_count; i++) {
        uint64_t bit = column->distinct[i] - column->min;
        p[bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
    out->size += size;
}

void fg_group_encode_filter(const struct fg_group_build *group,
                            const struct fg_column_build *column, struct fg_buffer *out)
{
    if (column->filter_kind == FG_FILTER_NONE)
        return;
    if (column->filter_kind == FG_FILTER_BITMAP) {
        put_bitmap(column, out);
        return;
    }
    bool text = fg_value_type_is_bytes(column->type), is_int = column->type != FG_VALUE_DOUBLE;
    uint64_t *hashes = malloc(column->distinct_count * sizeof *hashes);
    for (uint32_t i = 0; hashes && i < column->distinct_count; i++)
        hashes[i] = text ? fg_hash(group->batch->strings[column->distinct[i]])
                         : fg_number_hash(column->distinct[i], is_int);
    put_fuse(hashes, column->distinct_count, out);
    free(hashes);
}
