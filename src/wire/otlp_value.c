#include "wire/otlp_value.h"

#include "base/limits.h"
#include "otlp_internal.h"

static int check_list(struct fg_slice list, bool is_map, unsigned depth);

/* Reads the value of a tag into *value. FG_ENOTFOUND for a field that AnyValue does not have. Lists
 * are not looked into: *ret_list is their message. */
static int read_kind(struct fg_pb_reader *reader, uint32_t tag, struct fg_otlp_value *value,
                     struct fg_slice *ret_list)
{
    uint64_t bits;
    int r;
    switch (tag) {
    case FG_PB_TAG(FG_OTLP_STRING, FG_PB_BYTES):
    case FG_PB_TAG(FG_OTLP_BYTES, FG_PB_BYTES):
        value->type = (enum fg_otlp_value_type)(tag >> 3);
        return fg_pb_read_bytes(reader, &value->bytes);
    case FG_PB_TAG(FG_OTLP_BOOL, FG_PB_VARINT):
        value->type = FG_OTLP_BOOL;
        r = fg_pb_read_varint(reader, &bits);
        value->boolean = r == 0 && bits != 0;
        return r;
    case FG_PB_TAG(FG_OTLP_INT, FG_PB_VARINT):
        value->type = FG_OTLP_INT;
        r = fg_pb_read_varint(reader, &bits);
        value->integer = r == 0 ? (int64_t)bits : 0;
        return r;
    case FG_PB_TAG(FG_OTLP_DOUBLE, FG_PB_FIXED64):
        value->type = FG_OTLP_DOUBLE;
        r = fg_pb_read_fixed64(reader, &bits);
        if (r == 0)
            memcpy(&value->number, &bits, sizeof bits);
        return r;
    case FG_PB_TAG(FG_OTLP_ARRAY, FG_PB_BYTES):
    case FG_PB_TAG(FG_OTLP_KVLIST, FG_PB_BYTES):
        value->type = (enum fg_otlp_value_type)(tag >> 3);
        return fg_pb_read_bytes(reader, ret_list);
    default:
        /* A known field in another wire type. */
        return tag >> 3 <= FG_OTLP_BYTES ? FG_EINVALID : FG_ENOTFOUND;
    }
}

static bool is_list(enum fg_otlp_value_type type)
{
    return type == FG_OTLP_ARRAY || type == FG_OTLP_KVLIST;
}

/* check false: the message was checked before. depth: of the lists around it. */
static int decode(struct fg_slice message, bool check, unsigned depth,
                  struct fg_otlp_value *ret_value)
{
    /* Nearly all values are one short string. */
    if (message.size >= 2 && message.size < 130 &&
        message.data[0] == FG_PB_TAG(FG_OTLP_STRING, FG_PB_BYTES) &&
        message.data[1] == message.size - 2) {
        *ret_value = fg_otlp_string(fg_slice(message.data + 2, message.size - 2));
        return 0;
    }
    struct fg_pb_reader reader = fg_pb_reader(message);
    struct fg_otlp_value value = {.type = FG_OTLP_EMPTY};
    while (!fg_pb_reader_done(&reader)) {
        const uint8_t *start = reader.at;
        struct fg_slice list = {0};
        enum fg_otlp_value_type before = value.type;
        uint32_t tag;
        int r = fg_pb_read_tag(&reader, &tag);
        if (r < 0)
            return r;
        r = read_kind(&reader, tag, &value, &list);
        if (r == FG_ENOTFOUND)
            r = fg_pb_skip(&reader, tag);
        else if (r == 0 && is_list(value.type)) {
            /* A list that is there twice goes on; after another kind it starts anew. */
            if (before != value.type)
                value.encoded = fg_slice(start, (size_t)(reader.end - start));
            if (check)
                r = check_list(list, value.type == FG_OTLP_KVLIST, depth + 1);
        }
        if (r < 0)
            return r;
    }
    *ret_value = value;
    return 0;
}

static int decode_entry(struct fg_slice entry, bool check, unsigned depth, struct fg_slice *ret_key,
                        struct fg_otlp_value *ret_value)
{
    struct fg_pb_reader reader = fg_pb_reader(entry);
    *ret_key = (struct fg_slice){0};
    *ret_value = (struct fg_otlp_value){.type = FG_OTLP_EMPTY};
    while (!fg_pb_reader_done(&reader)) {
        struct fg_slice message;
        struct fg_otlp_value value;
        uint32_t tag;
        int r = fg_pb_read_tag(&reader, &tag);
        if (r < 0)
            return r;
        if (tag == FG_PB_TAG(ENTRY_KEY, FG_PB_BYTES)) {
            r = fg_pb_read_bytes(&reader, ret_key);
        } else if (tag == FG_PB_TAG(ENTRY_VALUE, FG_PB_BYTES)) {
            r = fg_pb_read_bytes(&reader, &message);
            if (r == 0)
                r = decode(message, check, depth, &value);
            if (r == 0 && value.type != FG_OTLP_EMPTY)
                *ret_value = value;
        } else {
            r = tag >> 3 <= ENTRY_VALUE ? FG_EINVALID : fg_pb_skip(&reader, tag);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_list(struct fg_slice list, bool is_map, unsigned depth)
{
    if (depth > FG_VALUE_DEPTH_MAX)
        return FG_ELIMIT;
    struct fg_pb_reader reader = fg_pb_reader(list);
    while (!fg_pb_reader_done(&reader)) {
        struct fg_slice item, key;
        struct fg_otlp_value value;
        uint32_t tag;
        int r = fg_pb_read_tag(&reader, &tag);
        if (r == 0 && tag == FG_PB_TAG(LIST_VALUES, FG_PB_BYTES)) {
            r = fg_pb_read_bytes(&reader, &item);
            if (r == 0)
                r = is_map ? decode_entry(item, true, depth, &key, &value)
                           : decode(item, true, depth, &value);
        } else if (r == 0) {
            r = tag >> 3 == LIST_VALUES ? FG_EINVALID : fg_pb_skip(&reader, tag);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_otlp_value_decode(struct fg_slice message, struct fg_otlp_value *ret_value)
{
    return decode(message, true, 0, ret_value);
}

int fg_otlp_entry_decode(struct fg_slice entry, struct fg_slice *ret_key,
                         struct fg_otlp_value *ret_value)
{
    return decode_entry(entry, true, 0, ret_key, ret_value);
}

void fg_otlp_value_encode(struct fg_buffer *buffer, const struct fg_otlp_value *value)
{
    switch (value->type) {
    case FG_OTLP_EMPTY:
        break;
    case FG_OTLP_STRING:
    case FG_OTLP_BYTES:
        fg_pb_put_bytes(buffer, value->type, value->bytes);
        break;
    case FG_OTLP_BOOL:
        fg_pb_put_varint(buffer, FG_OTLP_BOOL, value->boolean);
        break;
    case FG_OTLP_INT:
        fg_pb_put_varint(buffer, FG_OTLP_INT, (uint64_t)value->integer);
        break;
    case FG_OTLP_DOUBLE:
        fg_pb_put_double(buffer, FG_OTLP_DOUBLE, value->number);
        break;
    case FG_OTLP_ARRAY:
    case FG_OTLP_KVLIST:
        fg_buffer_append_slice(buffer, value->encoded);
        break;
    }
}

struct fg_otlp_items fg_otlp_items(const struct fg_otlp_value *value)
{
    struct fg_otlp_items items = {.type = value->type};
    if (is_list(value->type))
        items.outer = fg_pb_reader(value->encoded);
    return items;
}

/* The next message of field `number`; fields between are stepped over. */
static bool next_message(struct fg_pb_reader *reader, uint32_t number, struct fg_slice *ret_message)
{
    while (!fg_pb_reader_done(reader)) {
        uint32_t tag;
        if (fg_pb_read_tag(reader, &tag) < 0)
            return false;
        if (tag == FG_PB_TAG(number, FG_PB_BYTES))
            return fg_pb_read_bytes(reader, ret_message) == 0;
        if (fg_pb_skip(reader, tag) < 0)
            return false;
    }
    return false;
}

bool fg_otlp_items_next(struct fg_otlp_items *items, struct fg_slice *ret_key,
                        struct fg_otlp_value *ret_value)
{
    if (!is_list(items->type))
        return false;
    struct fg_slice item, list;
    while (!next_message(&items->inner, LIST_VALUES, &item)) {
        if (!fg_pb_reader_done(&items->inner) || !next_message(&items->outer, items->type, &list))
            return false;
        items->inner = fg_pb_reader(list);
    }
    *ret_key = (struct fg_slice){0};
    int r = items->type == FG_OTLP_KVLIST ? decode_entry(item, false, 0, ret_key, ret_value)
                                          : decode(item, false, 0, ret_value);
    return r == 0;
}
