#include "value.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "notice.h"
#include "wire/otlp_value.h"

#define VARINT_SIZE_MAX 10u

struct fg_slice fg_value_cut(struct fg_slice text, uint32_t size_max)
{
    if (text.size <= size_max)
        return text;
    fg_count(&fg_counters.truncated, 1);
    fg_notice(FG_NOTICE_TRUNCATED, "filigree: a text was longer than its limit, and was cut");
    return fg_utf8_cut(text, size_max);
}

static struct fg_slice cut(const char *text, size_t size, uint32_t size_max)
{
    return text ? fg_value_cut(fg_slice(text, size), size_max) : (struct fg_slice){0};
}

static void put_key(struct fg_stream *stream, uint8_t kind, uint8_t type, struct fg_slice key,
                    size_t value_size)
{
    fg_stream_put_item(stream, kind, type, key.size, value_size);
    fg_stream_put(stream, key.data, key.size);
}

static void put_scalar(struct fg_stream *stream, uint8_t kind, struct fg_slice key,
                       const fg_attr *attr)
{
    uint64_t bits = attr->value.boolean != 0;
    uint8_t type = FG_OTLP_BOOL;
    if (attr->type == FG_ATTR_INT) {
        bits = (uint64_t)attr->value.integer;
        type = FG_OTLP_INT;
    } else if (attr->type == FG_ATTR_DOUBLE) {
        memcpy(&bits, &attr->value.number, sizeof bits);
        type = FG_OTLP_DOUBLE;
    }
    put_key(stream, kind, type, key, sizeof bits);
    fg_stream_put(stream, &bits, sizeof bits);
}

static size_t store_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}

/* An element as an AnyValue message: its head in ret_head, and a string behind it. */
struct element {
    uint8_t head[1 + VARINT_SIZE_MAX];
    size_t head_size;
    struct fg_slice text;
};

static void make_element(const fg_attr *attr, size_t index, uint32_t value_size,
                         struct element *element)
{
    element->text = (struct fg_slice){0};
    switch (attr->type) {
    case FG_ATTR_BOOLS:
        element->head[0] = FG_PB_TAG(FG_OTLP_BOOL, FG_PB_VARINT);
        element->head[1] = attr->value.booleans[index] != 0;
        element->head_size = 2;
        return;
    case FG_ATTR_INTS:
        element->head[0] = FG_PB_TAG(FG_OTLP_INT, FG_PB_VARINT);
        element->head_size =
            1 + store_varint(element->head + 1, (uint64_t)attr->value.integers[index]);
        return;
    case FG_ATTR_DOUBLES:
        element->head[0] = FG_PB_TAG(FG_OTLP_DOUBLE, FG_PB_FIXED64);
        memcpy(element->head + 1, &attr->value.numbers[index], 8);
        element->head_size = 9;
        return;
    default:
        break;
    }
    const char *text = attr->value.strings[index];
    element->text = cut(text, text ? strlen(text) : 0, value_size);
    element->head[0] = FG_PB_TAG(FG_OTLP_STRING, FG_PB_BYTES);
    element->head_size = 1 + store_varint(element->head + 1, element->text.size);
}

/* AnyValue { array_value: ArrayValue { values: AnyValue… } }, in two passes: sizes come first. An
 * array that no span could hold fails. */
static bool put_array(struct fg_stream *stream, uint8_t kind, struct fg_slice key,
                      const fg_attr *attr, uint32_t value_size)
{
    struct element element;
    uint8_t head[1 + VARINT_SIZE_MAX];
    size_t total = 0;
    for (size_t i = 0; i < attr->count; i++) {
        make_element(attr, i, value_size, &element);
        size_t size = element.head_size + element.text.size;
        total += 1 + store_varint(head, size) + size;
        if (total > FG_STREAM_SIZE_MAX)
            return false;
    }
    head[0] = FG_PB_TAG(FG_OTLP_ARRAY, FG_PB_BYTES);
    size_t head_size = 1 + store_varint(head + 1, total);
    put_key(stream, kind, FG_OTLP_ARRAY, key, head_size + total);
    fg_stream_put(stream, head, head_size);
    for (size_t i = 0; i < attr->count; i++) {
        make_element(attr, i, value_size, &element);
        head[0] = FG_PB_TAG(1, FG_PB_BYTES);
        head_size = 1 + store_varint(head + 1, element.head_size + element.text.size);
        fg_stream_put(stream, head, head_size);
        fg_stream_put(stream, element.head, element.head_size);
        fg_stream_put(stream, element.text.data, element.text.size);
    }
    return true;
}

bool fg_value_put(struct fg_stream *stream, uint8_t kind, const fg_attr *attr, uint32_t value_size)
{
    struct fg_slice key = fg_slice_from_string(attr->key);
    if (key.size == 0 || key.size > FG_NAME_SIZE_MAX)
        return false;
    struct fg_slice text;
    switch (attr->type) {
    case FG_ATTR_STRING:
        text = cut(attr->value.string, attr->count, value_size);
        put_key(stream, kind, FG_OTLP_STRING, key, text.size);
        fg_stream_put(stream, text.data, text.size);
        return true;
    case FG_ATTR_BOOL:
    case FG_ATTR_INT:
    case FG_ATTR_DOUBLE:
        put_scalar(stream, kind, key, attr);
        return true;
    case FG_ATTR_STRINGS:
    case FG_ATTR_BOOLS:
    case FG_ATTR_INTS:
    case FG_ATTR_DOUBLES:
        return (attr->count == 0 || attr->value.strings) &&
               put_array(stream, kind, key, attr, value_size);
    default:
        return false;
    }
}

fg_attr fg_attr_string_n(const char *key, const char *value, size_t size)
{
    fg_attr attr = {key, FG_ATTR_STRING, value ? size : 0, {.string = value}};
    return attr;
}

fg_attr fg_attr_string(const char *key, const char *value)
{
    return fg_attr_string_n(key, value, value ? strlen(value) : 0);
}

fg_attr fg_attr_bool(const char *key, int value)
{
    fg_attr attr = {key, FG_ATTR_BOOL, 0, {.boolean = value}};
    return attr;
}

fg_attr fg_attr_int(const char *key, int64_t value)
{
    fg_attr attr = {key, FG_ATTR_INT, 0, {.integer = value}};
    return attr;
}

fg_attr fg_attr_double(const char *key, double value)
{
    fg_attr attr = {key, FG_ATTR_DOUBLE, 0, {.number = value}};
    return attr;
}

fg_attr fg_attr_strings(const char *key, const char *const *values, size_t count)
{
    fg_attr attr = {key, FG_ATTR_STRINGS, count, {.strings = values}};
    return attr;
}

fg_attr fg_attr_bools(const char *key, const unsigned char *values, size_t count)
{
    fg_attr attr = {key, FG_ATTR_BOOLS, count, {.booleans = values}};
    return attr;
}

fg_attr fg_attr_ints(const char *key, const int64_t *values, size_t count)
{
    fg_attr attr = {key, FG_ATTR_INTS, count, {.integers = values}};
    return attr;
}

fg_attr fg_attr_doubles(const char *key, const double *values, size_t count)
{
    fg_attr attr = {key, FG_ATTR_DOUBLES, count, {.numbers = values}};
    return attr;
}
