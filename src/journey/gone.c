#include "journey/gone.h"

#include "base/endian.h"
#include "base/hash.h"
#include "store/predicate.h"

#include <inttypes.h>
#include <stdio.h>

#define NAMES_SIZE_MAX ((size_t)16 << 20)
#define HEAD_SIZE      4u

void fg_gone_init(struct fg_gone *gone)
{
    fg_buffer_init(&gone->names, NAMES_SIZE_MAX);
    fg_idmap_init(&gone->by_name);
    gone->all = false;
}

void fg_gone_free(struct fg_gone *gone)
{
    fg_buffer_free(&gone->names);
    fg_idmap_free(&gone->by_name);
}

static uint64_t hash_of(struct fg_slice key, struct fg_slice value)
{
    return fg_hash_seeded(value, fg_hash(key));
}

struct looked_for {
    const struct fg_gone *gone;
    struct fg_slice key, value;
};

static bool is_it(const void *context, uint32_t at)
{
    const struct looked_for *it = context;
    struct fg_slice rest = fg_buffer_slice(&it->gone->names), key, value;
    rest = fg_slice(rest.data + at, rest.size - at);
    return fg_gone_next(&rest, &key, &value) && fg_slice_equal(key, it->key) &&
           fg_slice_equal(value, it->value);
}

void fg_gone_add(struct fg_gone *gone, struct fg_slice key, struct fg_slice value)
{
    struct fg_buffer *names = &gone->names;
    size_t before = names->size;
    uint32_t at;
    if (key.size > UINT16_MAX || value.size > UINT16_MAX || fg_gone_has(gone, key, value))
        return; /* no journey has a name as long as that */
    fg_buffer_append_le16(names, (uint16_t)key.size);
    fg_buffer_append_le16(names, (uint16_t)value.size);
    fg_buffer_append_slice(names, key);
    fg_buffer_append_slice(names, value);
    if (!names->error &&
        fg_idmap_intern(&gone->by_name, hash_of(key, value), is_it,
                        &(struct looked_for){gone, key, value}, (uint32_t)before, &at) == 0)
        return;
    names->size = before;
    names->error = 0;
    gone->all = true;
}

static bool is_attribute(enum fg_field field)
{
    return field >= FG_FIELD_ATTR_SPAN && field <= FG_FIELD_ATTR_ANY;
}

void fg_gone_add_asked(struct fg_gone *gone, const struct fg_predicate *predicate)
{
    char number[24];
    if (!predicate)
        return;
    for (uint32_t i = 0; predicate->op == FG_PRED_OR && i < predicate->child_count; i++)
        fg_gone_add_asked(gone, predicate->children[i]);
    if (predicate->op != FG_PRED_EQ || !is_attribute(predicate->field))
        return;
    struct fg_slice value = predicate->string;
    if (predicate->type == FG_VALUE_INT) {
        snprintf(number, sizeof number, "%" PRId64, predicate->integer);
        value = fg_slice_from_string(number);
    } else if (predicate->type != FG_VALUE_STRING) {
        return;
    }
    fg_gone_add(gone, predicate->key, value);
}

bool fg_gone_next(struct fg_slice *rest, struct fg_slice *ret_key, struct fg_slice *ret_value)
{
    if (rest->size < HEAD_SIZE)
        return false;
    size_t key_size = fg_load_le16(rest->data), value_size = fg_load_le16(rest->data + 2);
    *ret_key = fg_slice(rest->data + HEAD_SIZE, key_size);
    *ret_value = fg_slice(rest->data + HEAD_SIZE + key_size, value_size);
    *rest = fg_slice(ret_value->data + value_size, rest->size - HEAD_SIZE - key_size - value_size);
    return true;
}

bool fg_gone_has(const struct fg_gone *gone, struct fg_slice key, struct fg_slice value)
{
    uint32_t at;
    return fg_idmap_find(&gone->by_name, hash_of(key, value), is_it,
                         &(struct looked_for){gone, key, value}, &at) == 0;
}
