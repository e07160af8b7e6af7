/* A key that an owner has already is found by its stamp, so that neither many attributes nor many
 * owners cost more than a look at one place each; nothing is cleared between owners. */
#include "builder_state.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>

int fg_owner_begin(struct fg_builder *builder, enum fg_table table)
{
    int r = fg_rows_reserve(builder, table, 1);
    if (r < 0)
        return r;
    struct fg_owner *owner = &builder->owners[fg_owner_level(table)];
    if (++owner->serial == 0) {
        if (owner->stamps)
            memset(owner->stamps, 0, owner->stamp_capacity * sizeof *owner->stamps);
        owner->serial = 1;
    }
    owner->dropped_attrs = 0;
    owner->last_key = 0;
    /* What a resource or scope that failed left behind. */
    fg_rows_cut(builder, FG_TABLE_ATTRS + table, fg_owner_attrs_begin(builder, table));
    return 0;
}

void fg_owner_end(struct fg_builder *builder, enum fg_table table)
{
    uint32_t *begin = fg_col32(builder, fg_attr_column(table, FG_ATTR_BEGIN));
    begin[builder->counts[table] + 1] = builder->counts[FG_TABLE_ATTRS + table];
    fg_rows_add(builder, table, 1);
}

bool fg_owner_find(const struct fg_builder *builder, enum fg_table table, uint32_t key,
                   uint32_t *ret_at)
{
    const struct fg_owner *owner = &builder->owners[fg_owner_level(table)];
    if (key >= owner->stamp_capacity || owner->stamps[key].owner != owner->serial)
        return false;
    *ret_at = owner->stamps[key].at;
    return true;
}

/* A stamp for every string that there is room for. */
static int reserve_stamps(const struct fg_builder *builder, struct fg_owner *owner)
{
    uint32_t capacity = builder->strings.capacity;
    struct fg_key_stamp *stamps = realloc(owner->stamps, capacity * sizeof *stamps);
    if (!stamps)
        return FG_ENOMEM;
    memset(stamps + owner->stamp_capacity, 0, (capacity - owner->stamp_capacity) * sizeof *stamps);
    owner->stamps = stamps;
    owner->stamp_capacity = capacity;
    return 0;
}

static void write_attr(struct fg_builder *builder, enum fg_table table, uint32_t at, uint32_t key,
                       uint8_t type, uint64_t value)
{
    fg_col32(builder, fg_attr_column(table, FG_ATTR_KEY))[at] = key;
    fg_col8(builder, fg_attr_column(table, FG_ATTR_TYPE))[at] = type;
    fg_col64(builder, fg_attr_column(table, FG_ATTR_VALUE))[at] = value;
}

int fg_owner_attr_ids(struct fg_builder *builder, enum fg_table table, uint32_t key, uint8_t type,
                      uint64_t value)
{
    struct fg_owner *owner = &builder->owners[fg_owner_level(table)];
    enum fg_table attrs = FG_TABLE_ATTRS + table;
    int r = fg_rows_reserve(builder, attrs, 1);
    if (r == 0 && key >= owner->stamp_capacity)
        r = reserve_stamps(builder, owner);
    if (r < 0)
        return r;
    uint32_t at = builder->counts[attrs];
    write_attr(builder, table, at, key, type, value);
    owner->stamps[key].owner = owner->serial;
    owner->stamps[key].at = at;
    fg_rows_add(builder, attrs, 1);
    return 0;
}

int fg_builder_text(struct fg_builder *builder, struct fg_slice text, uint32_t size_max,
                    uint32_t *ret_id)
{
    if (text.size > size_max) {
        text = fg_utf8_cut(text, size_max);
        builder->is_truncated = true;
    }
    return fg_strings_intern(&builder->strings, text, fg_builder_room_bytes(builder), ret_id);
}

/* Many a value is that of the owner before: one comparison of bytes that were just used is less
 * than a hash and a look at a large table. A guess is checked, as with keys. */
static int intern_text(struct fg_builder *builder, const struct fg_owner *owner, uint32_t key,
                       struct fg_slice text, uint32_t *ret_id)
{
    uint32_t size_max = builder->limits.attr_value_size_max;
    uint32_t guess = key < owner->stamp_capacity ? owner->stamps[key].value : 0;
    if (text.size <= size_max && guess < builder->strings.count &&
        fg_slice_equal(builder->strings.slices[guess], text)) {
        *ret_id = guess;
        return 0;
    }
    return fg_builder_text(builder, text, size_max, ret_id);
}

static int intern_value(struct fg_builder *builder, const struct fg_owner *owner, uint32_t key,
                        const struct fg_value *value, uint64_t *ret_bits)
{
    uint32_t size_max = builder->limits.attr_value_size_max, id;
    struct fg_slice bytes = value->bytes;
    int r;
    switch (value->type) {
    case FG_VALUE_EMPTY:
        *ret_bits = 0;
        return 0;
    case FG_VALUE_BOOL:
        *ret_bits = value->bits != 0;
        return 0;
    case FG_VALUE_INT:
    case FG_VALUE_DOUBLE:
        *ret_bits = value->bits;
        return 0;
    case FG_VALUE_STRING:
        r = intern_text(builder, owner, key, bytes, &id);
        break;
    default:
        if (bytes.size > size_max) {
            bytes.size = size_max;
            builder->is_truncated = true;
        }
        r = fg_strings_intern(&builder->strings, bytes, fg_builder_room_bytes(builder), &id);
    }
    if (r == 0)
        *ret_bits = id;
    return r;
}

/* An encoded array or map that is cut is none any more. */
static bool cannot_be_cut(const struct fg_builder *builder, const struct fg_value *value)
{
    return (value->type == FG_VALUE_ARRAY || value->type == FG_VALUE_KVLIST) &&
           value->bytes.size > builder->limits.attr_value_size_max;
}

static int drop_attr(struct fg_builder *builder, struct fg_owner *owner)
{
    owner->dropped_attrs = fg_add_saturated(owner->dropped_attrs, 1);
    builder->is_truncated = true;
    return 0;
}

/* A guess is checked, so that an id from before a reset does no harm. */
static int intern_key(struct fg_builder *builder, struct fg_owner *owner, struct fg_slice key,
                      uint32_t *ret_id)
{
    uint32_t guess = owner->stamp_capacity ? owner->stamps[owner->last_key].next_key : 0;
    if (key.size <= builder->limits.name_size_max && guess < builder->strings.count &&
        fg_slice_equal(builder->strings.slices[guess], key)) {
        *ret_id = guess;
        return 0;
    }
    return fg_builder_text(builder, key, builder->limits.name_size_max, ret_id);
}

int fg_owner_attr(struct fg_builder *builder, enum fg_table table, struct fg_slice key,
                  const struct fg_value *value)
{
    assert(value->type < FG_VALUE_TYPE_COUNT);
    struct fg_owner *owner = &builder->owners[fg_owner_level(table)];
    if (cannot_be_cut(builder, value))
        return drop_attr(builder, owner);

    uint32_t count = builder->counts[FG_TABLE_ATTRS + table] - fg_owner_attrs_begin(builder, table);
    bool is_full = count >= builder->limits.attrs_max;
    uint32_t key_id, at;
    int r;
    if (is_full) {
        /* A key that is dropped is not worth its place among the strings. */
        struct fg_slice cut = fg_utf8_cut(key, builder->limits.name_size_max);
        r = fg_strings_find(&builder->strings, cut, &key_id);
        if (r == FG_ENOTFOUND || !fg_owner_find(builder, table, key_id, &at))
            return drop_attr(builder, owner);
        builder->is_truncated |= cut.size < key.size;
    } else {
        r = intern_key(builder, owner, key, &key_id);
    }
    uint64_t bits = 0;
    if (r == 0)
        r = intern_value(builder, owner, key_id, value, &bits);
    if (r < 0)
        return r;
    if (!fg_owner_find(builder, table, key_id, &at)) {
        r = fg_owner_attr_ids(builder, table, key_id, (uint8_t)value->type, bits);
        if (r < 0)
            return r;
        owner->stamps[owner->last_key].next_key = key_id;
        if (value->type == FG_VALUE_STRING)
            owner->stamps[key_id].value = (uint32_t)bits;
        owner->last_key = key_id;
        return 0;
    }
    write_attr(builder, table, at, key_id, (uint8_t)value->type, bits);
    return 0;
}
