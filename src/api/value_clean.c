#include "value_clean.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "redact/redact.h"

/* Field numbers of opentelemetry/proto/common/v1/common.proto. */
enum {
    ANY_ARRAY = 5,
    ANY_KVLIST = 6,
    ARRAY_VALUES = 1,
    KVLIST_VALUES = 1,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
};

/* An array's or map's size grows by its cleaning: one ill-formed byte becomes three, and lengths
 * grow. */
#define GROWTH_MAX 8

struct cleaning {
    const struct fg_redact *redact;
    struct fg_arena *arena;
    struct fg_value_changes *changes;
    struct fg_buffer out;
};

static bool is_clean(const struct fg_redact *redact, const struct fg_otlp_value *value)
{
    if (value->type == FG_OTLP_STRING)
        return fg_utf8_valid(value->string);
    if (value->type != FG_OTLP_ARRAY && value->type != FG_OTLP_KVLIST)
        return true;
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    while (fg_otlp_items_next(&items, &key, &item))
        if (fg_redact_denies(redact, key) || !fg_utf8_valid(key) || !is_clean(redact, &item))
            return false;
    return true;
}

static struct fg_slice clean_text(struct cleaning *cleaning, struct fg_slice text)
{
    struct fg_slice clean = fg_utf8_sanitize(text, cleaning->arena);
    cleaning->changes->text |= clean.data != text.data;
    return clean;
}

static void write_value(struct cleaning *cleaning, const struct fg_otlp_value *value);

static void write_items(struct cleaning *cleaning, const struct fg_otlp_value *value)
{
    bool is_map = value->type == FG_OTLP_KVLIST;
    size_t list = fg_pb_begin(&cleaning->out, is_map ? ANY_KVLIST : ANY_ARRAY);
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    while (fg_otlp_items_next(&items, &key, &item)) {
        if (is_map && fg_redact_denies(cleaning->redact, key)) {
            cleaning->changes->denied_count++;
            continue;
        }
        size_t entry = fg_pb_begin(&cleaning->out, is_map ? KVLIST_VALUES : ARRAY_VALUES);
        if (is_map) {
            fg_pb_put_bytes(&cleaning->out, ENTRY_KEY, clean_text(cleaning, key));
            size_t inner = fg_pb_begin(&cleaning->out, ENTRY_VALUE);
            write_value(cleaning, &item);
            fg_pb_end(&cleaning->out, inner);
        } else {
            write_value(cleaning, &item);
        }
        fg_pb_end(&cleaning->out, entry);
    }
    fg_pb_end(&cleaning->out, list);
}

static void write_value(struct cleaning *cleaning, const struct fg_otlp_value *value)
{
    if (value->type == FG_OTLP_ARRAY || value->type == FG_OTLP_KVLIST) {
        write_items(cleaning, value);
        return;
    }
    struct fg_otlp_value clean = *value;
    if (value->type == FG_OTLP_STRING)
        clean.string = clean_text(cleaning, value->string);
    fg_otlp_value_encode(&cleaning->out, &clean);
}

static int clean_nested(struct cleaning *cleaning, const struct fg_otlp_value *value,
                        struct fg_otlp_value *ret_value)
{
    fg_buffer_init(&cleaning->out, (value->encoded.size + 16) * GROWTH_MAX);
    write_items(cleaning, value);
    int r = cleaning->out.error;
    struct fg_slice copy = {0};
    if (r == 0) {
        copy = fg_arena_copy(cleaning->arena, fg_buffer_slice(&cleaning->out));
        r = copy.data ? 0 : FG_ELIMIT;
    }
    fg_buffer_free(&cleaning->out);
    if (r < 0)
        return r;
    *ret_value = *value;
    ret_value->encoded = copy;
    return 0;
}

int fg_value_clean(const struct fg_redact *redact, const struct fg_otlp_value *value,
                   struct fg_arena *arena, struct fg_value_changes *changes,
                   struct fg_otlp_value *ret_value)
{
    if (is_clean(redact, value)) {
        *ret_value = *value;
        return 0;
    }
    struct cleaning cleaning = {.redact = redact, .arena = arena, .changes = changes};
    if (value->type != FG_OTLP_STRING)
        return clean_nested(&cleaning, value, ret_value);
    struct fg_slice text = clean_text(&cleaning, value->string);
    if (!text.data)
        return FG_ELIMIT;
    *ret_value = fg_otlp_string(text);
    return 0;
}
