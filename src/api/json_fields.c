#include "json_fields.h"

#include "base/units.h"

static void write_key(struct fg_json_writer *json, const char *key)
{
    fg_json_key(json, fg_slice_from_string(key));
}

void fg_write_text(struct fg_json_writer *json, const char *key, struct fg_slice text)
{
    write_key(json, key);
    if (text.size > 0)
        fg_json_string(json, text);
    else
        fg_json_null(json);
}

void fg_write_string(struct fg_json_writer *json, const char *key, struct fg_slice text)
{
    write_key(json, key);
    fg_json_string(json, text);
}

void fg_write_name(struct fg_json_writer *json, const char *key, const char *name)
{
    write_key(json, key);
    if (name)
        fg_json_string(json, fg_slice_from_string(name));
    else
        fg_json_null(json);
}

void fg_write_moment(struct fg_json_writer *json, const char *key, uint64_t ns)
{
    char text[FG_UNITS_TEXT_SIZE];
    write_key(json, key);
    fg_time_format(ns, text);
    fg_json_string(json, fg_slice_from_string(text));
}

void fg_write_time(struct fg_json_writer *json, const char *key, uint64_t ns)
{
    if (ns > 0) {
        fg_write_moment(json, key, ns);
        return;
    }
    write_key(json, key);
    fg_json_null(json);
}

void fg_write_flag(struct fg_json_writer *json, const char *key, bool value)
{
    write_key(json, key);
    fg_json_bool(json, value);
}

void fg_write_count(struct fg_json_writer *json, const char *key, uint64_t count)
{
    write_key(json, key);
    fg_json_uint(json, count);
}
