/* Attributes in OTLP's JSON. A KeyValue's object is rewritten in protobuf, in one pass, and read
 * from there: a text with escapes has to be copied anyway, and arrays and maps are wanted in that
 * encoding. Of equal keys the last one counts, so a member that comes again drops what its first
 * coming wrote. */
#include "otlp_json.h"
#include "wire/base64.h"

static int write_entry(struct fg_otlp_json *decoder, struct fg_json_reader *reader);
static int write_value(struct fg_otlp_json *decoder, struct fg_json_reader *reader);

int fg_otlp_json_refuse(struct fg_otlp_json *decoder, int error, const uint8_t *at,
                        const char *field, const char *what)
{
    if (error == FG_ENOMEM)
        return error;
    return fg_otlp_fail(decoder->error, error, &decoder->place, (size_t)(at - decoder->body),
                        "%s: %s", field, what);
}

/* Drops what was written after mark. */
static void rewind_to(struct fg_buffer *out, size_t mark)
{
    if (!out->error)
        out->size = mark;
}

/* A string's bytes as a field. */
static void put_text(struct fg_buffer *out, uint32_t number, const struct fg_json_value *string)
{
    if (!string->is_escaped) {
        fg_pb_put_bytes(out, number, string->text);
        return;
    }
    size_t mark = fg_pb_begin(out, number);
    uint8_t *bytes = fg_buffer_reserve(out, string->text.size);
    if (bytes)
        out->size += fg_json_unescape(string->text, bytes);
    fg_pb_end(out, mark);
}

static int write_string(struct fg_otlp_json *decoder, const struct fg_json_value *value)
{
    if (value->type != FG_JSON_STRING)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value->at, "string_value",
                                   "expected a string");
    put_text(&decoder->attribute, FG_OTLP_STRING, value);
    return 0;
}

static int write_bool(struct fg_otlp_json *decoder, const struct fg_json_value *value)
{
    if (value->type != FG_JSON_TRUE && value->type != FG_JSON_FALSE)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value->at, "bool_value",
                                   "expected true or false");
    fg_pb_put_varint(&decoder->attribute, FG_OTLP_BOOL, value->type == FG_JSON_TRUE);
    return 0;
}

static int write_int(struct fg_otlp_json *decoder, const struct fg_json_value *value)
{
    int64_t number;
    int r = fg_json_int64(value, &number);
    if (r < 0)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value->at, "int_value",
                                   "expected an integer of 64 bits, or a string with one");
    fg_pb_put_varint(&decoder->attribute, FG_OTLP_INT, (uint64_t)number);
    return 0;
}

static int write_double(struct fg_otlp_json *decoder, const struct fg_json_value *value)
{
    double number;
    int r = fg_json_number(value, &number);
    if (r < 0)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value->at, "double_value",
                                   "expected a number that a double holds");
    fg_pb_put_double(&decoder->attribute, FG_OTLP_DOUBLE, number);
    return 0;
}

static int write_bytes(struct fg_otlp_json *decoder, const struct fg_json_value *value)
{
    struct fg_buffer *out = &decoder->attribute;
    struct fg_slice text = value->text;
    int r = value->type == FG_JSON_STRING ? 0 : FG_EINVALID;
    /* '/' may be escaped. */
    if (r == 0 && value->is_escaped) {
        uint8_t *bytes = fg_arena_alloc(&decoder->inner_arena, text.size);
        if (!bytes)
            return FG_ENOMEM;
        text = fg_slice(bytes, fg_json_unescape(text, bytes));
    }
    size_t mark = fg_pb_begin(out, FG_OTLP_BYTES);
    if (r == 0)
        r = fg_base64_decode(out, text);
    if (r == FG_EINVALID)
        return fg_otlp_json_refuse(decoder, r, value->at, "bytes_value",
                                   "expected a string in base64");
    fg_pb_end(out, mark);
    return 0;
}

static const char *list_name(enum fg_otlp_value_type type)
{
    return type == FG_OTLP_KVLIST ? "kvlist_value" : "array_value";
}

/* The elements of "values", which reader is inside. */
static int write_items(struct fg_otlp_json *decoder, struct fg_json_reader *reader,
                       enum fg_otlp_value_type type)
{
    struct fg_buffer *out = &decoder->attribute;
    while (fg_json_element(reader)) {
        struct fg_json_value item = fg_json_read(reader);
        if (item.type != FG_JSON_OBJECT)
            return fg_otlp_json_refuse(decoder, FG_EINVALID, item.at, list_name(type),
                                       "expected an object in the array");
        size_t mark = fg_pb_begin(out, LIST_VALUES);
        int r =
            type == FG_OTLP_KVLIST ? write_entry(decoder, reader) : write_value(decoder, reader);
        if (r < 0)
            return r;
        fg_pb_end(out, mark);
    }
    return 0;
}

/* {"values": [...]}, of an array or a map. */
static int write_list(struct fg_otlp_json *decoder, struct fg_json_reader *reader,
                      const struct fg_json_value *value, enum fg_otlp_value_type type)
{
    struct fg_buffer *out = &decoder->attribute;
    if (value->type != FG_JSON_OBJECT)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value->at, list_name(type),
                                   "expected an object");
    size_t mark = fg_pb_begin(out, type);
    struct fg_json_value key;
    while (fg_json_member(reader, &key)) {
        struct fg_json_value list = fg_json_read(reader);
        bool is_values = fg_json_is(&key, "values");
        if (is_values)
            rewind_to(out, mark);
        if (is_values && list.type != FG_JSON_ARRAY && list.type != FG_JSON_NULL)
            return fg_otlp_json_refuse(decoder, FG_EINVALID, list.at, list_name(type),
                                       "expected an array of values");
        int r = 0;
        if (is_values && list.type == FG_JSON_ARRAY)
            r = write_items(decoder, reader, type);
        else
            fg_json_ignore(reader, &list);
        if (r < 0)
            return r;
    }
    fg_pb_end(out, mark);
    return 0;
}

static enum fg_otlp_value_type value_type(const struct fg_json_value *key)
{
    static const char *const names[][2] = {
        [FG_OTLP_STRING] = {"stringValue", "string_value"},
        [FG_OTLP_BOOL] = {"boolValue", "bool_value"},
        [FG_OTLP_INT] = {"intValue", "int_value"},
        [FG_OTLP_DOUBLE] = {"doubleValue", "double_value"},
        [FG_OTLP_ARRAY] = {"arrayValue", "array_value"},
        [FG_OTLP_KVLIST] = {"kvlistValue", "kvlist_value"},
        [FG_OTLP_BYTES] = {"bytesValue", "bytes_value"},
    };
    for (int type = FG_OTLP_STRING; type <= FG_OTLP_BYTES; type++)
        if (fg_json_is(key, names[type][0]) || fg_json_is(key, names[type][1]))
            return (enum fg_otlp_value_type)type;
    return FG_OTLP_EMPTY;
}

static int write_kind(struct fg_otlp_json *decoder, struct fg_json_reader *reader,
                      enum fg_otlp_value_type type, const struct fg_json_value *value)
{
    switch (type) {
    case FG_OTLP_STRING:
        return write_string(decoder, value);
    case FG_OTLP_BOOL:
        return write_bool(decoder, value);
    case FG_OTLP_INT:
        return write_int(decoder, value);
    case FG_OTLP_DOUBLE:
        return write_double(decoder, value);
    case FG_OTLP_BYTES:
        return write_bytes(decoder, value);
    case FG_OTLP_ARRAY:
    case FG_OTLP_KVLIST:
        return write_list(decoder, reader, value, type);
    case FG_OTLP_EMPTY:
        break;
    }
    return 0;
}

/* The fields of an AnyValue, whose object reader is inside. */
static int write_value(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    struct fg_buffer *out = &decoder->attribute;
    struct fg_json_value key;
    size_t mark = out->size;
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        enum fg_otlp_value_type type = value_type(&key);
        if (type == FG_OTLP_EMPTY || value.type == FG_JSON_NULL) {
            fg_json_ignore(reader, &value);
            continue;
        }
        rewind_to(out, mark);
        int r = write_kind(decoder, reader, type, &value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The fields of a KeyValue, whose object reader is inside. A key that comes first is written first,
 * so that what was exported and comes back has the same bytes. */
static int write_entry(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    struct fg_buffer *out = &decoder->attribute;
    struct fg_json_value key, entry_key = {.type = FG_JSON_NULL};
    size_t mark = out->size;
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        if (fg_json_is(&key, "key")) {
            if (value.type != FG_JSON_STRING && value.type != FG_JSON_NULL)
                return fg_otlp_json_refuse(decoder, FG_EINVALID, value.at, "attributes",
                                           "expected a string as key");
            entry_key = value;
            if (out->size == mark && value.type == FG_JSON_STRING) {
                put_text(out, ENTRY_KEY, &value);
                entry_key.type = FG_JSON_NULL;
                mark = out->size;
            }
            continue;
        }
        if (!fg_json_is(&key, "value")) {
            fg_json_ignore(reader, &value);
            continue;
        }
        rewind_to(out, mark);
        if (value.type == FG_JSON_NULL)
            continue;
        if (value.type != FG_JSON_OBJECT)
            return fg_otlp_json_refuse(decoder, FG_EINVALID, value.at, "attributes",
                                       "expected an object as value, as {\"stringValue\": \"x\"}");
        size_t value_mark = fg_pb_begin(out, ENTRY_VALUE);
        int r = write_value(decoder, reader);
        if (r < 0)
            return r;
        fg_pb_end(out, value_mark);
    }
    if (entry_key.type == FG_JSON_STRING)
        put_text(out, ENTRY_KEY, &entry_key);
    return 0;
}

int fg_otlp_json_attribute(struct fg_otlp_json *decoder, struct fg_json_reader *reader,
                           struct fg_slice *ret_key, struct fg_otlp_value *ret_value)
{
    const uint8_t *at = reader->at;
    fg_buffer_reset(&decoder->attribute);
    int r = write_entry(decoder, reader);
    if (r == 0)
        r = decoder->attribute.error;
    if (r < 0)
        return r;
    r = fg_otlp_entry_decode(fg_buffer_slice(&decoder->attribute), ret_key, ret_value);
    if (r == FG_ELIMIT)
        return fg_otlp_json_refuse(decoder, r, at, "attributes",
                                   "arrays and maps are nested too deep");
    return r;
}
