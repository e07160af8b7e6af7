/* AnyValue as JSON, in OTLP's mapping and bare. Recursion is bounded: what fg_otlp_value_decode()
 * took is nested FG_VALUE_DEPTH_MAX deep at most. */
#include "wire/otlp_encode.h"

static void write_items_json(struct fg_json_writer *json, const struct fg_otlp_value *value)
{
    bool is_map = value->type == FG_OTLP_KVLIST;
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "values");
    fg_json_array_begin(json);
    while (fg_otlp_items_next(&items, &key, &item)) {
        if (!is_map) {
            fg_otlp_value_write_json(json, &item);
            continue;
        }
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "key");
        fg_json_string(json, key);
        FG_JSON_KEY(json, "value");
        fg_otlp_value_write_json(json, &item);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
    fg_json_object_end(json);
}

void fg_otlp_value_write_json(struct fg_json_writer *json, const struct fg_otlp_value *value)
{
    fg_json_object_begin(json);
    switch (value->type) {
    case FG_OTLP_EMPTY:
        break;
    case FG_OTLP_STRING:
        FG_JSON_KEY(json, "stringValue");
        fg_json_string(json, value->string);
        break;
    case FG_OTLP_BOOL:
        FG_JSON_KEY(json, "boolValue");
        fg_json_bool(json, value->boolean);
        break;
    case FG_OTLP_INT:
        FG_JSON_KEY(json, "intValue");
        fg_json_int_string(json, value->integer);
        break;
    case FG_OTLP_DOUBLE:
        FG_JSON_KEY(json, "doubleValue");
        fg_json_double(json, value->number);
        break;
    case FG_OTLP_ARRAY:
        FG_JSON_KEY(json, "arrayValue");
        write_items_json(json, value);
        break;
    case FG_OTLP_KVLIST:
        FG_JSON_KEY(json, "kvlistValue");
        write_items_json(json, value);
        break;
    case FG_OTLP_BYTES:
        FG_JSON_KEY(json, "bytesValue");
        fg_json_base64(json, value->bytes);
        break;
    }
    fg_json_object_end(json);
}

static void write_items_plain(struct fg_json_writer *json, const struct fg_otlp_value *value)
{
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    while (fg_otlp_items_next(&items, &key, &item)) {
        if (value->type == FG_OTLP_KVLIST)
            fg_json_key(json, key);
        fg_otlp_value_write_plain(json, &item);
    }
}

void fg_otlp_value_write_plain(struct fg_json_writer *json, const struct fg_otlp_value *value)
{
    switch (value->type) {
    case FG_OTLP_EMPTY:
        fg_json_null(json);
        break;
    case FG_OTLP_STRING:
        fg_json_string(json, value->string);
        break;
    case FG_OTLP_BOOL:
        fg_json_bool(json, value->boolean);
        break;
    case FG_OTLP_INT:
        fg_json_int(json, value->integer);
        break;
    case FG_OTLP_DOUBLE:
        fg_json_double(json, value->number);
        break;
    case FG_OTLP_ARRAY:
        fg_json_array_begin(json);
        write_items_plain(json, value);
        fg_json_array_end(json);
        break;
    case FG_OTLP_KVLIST:
        fg_json_object_begin(json);
        write_items_plain(json, value);
        fg_json_object_end(json);
        break;
    case FG_OTLP_BYTES:
        fg_json_base64(json, value->bytes);
        break;
    }
}
