#include "api/value_clean.h"

#include "base/limits.h"
#include "base/utf8.h"

/* Field numbers of opentelemetry/proto/common/v1/common.proto. */
enum {
    ANY_ARRAY = 5,
    ANY_KVLIST = 6,
    ARRAY_VALUES = 1,
    KVLIST_VALUES = 1,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
};

/* An array's or map's size grows by its cleaning: one ill-formed byte becomes three, a mark stands
 * for an address, and lengths grow. */
#define GROWTH_MAX 16
/* Past the longest card number. */
#define WHOLE_MAX 1e19

struct cleaning {
    struct fg_redactor *redactor;
    struct fg_arena *arena;
    struct fg_value_changes *changes;
    struct fg_buffer out;
    int error;
};

/* No rules: nothing is searched, nothing is taken. */
static const struct fg_redact_verdict no_verdict;

static const struct fg_redact_verdict *verdict_of(struct fg_redactor *redactor, struct fg_slice key)
{
    return redactor ? fg_redactor_verdict(redactor, key) : &no_verdict;
}

/* -- Scalars
 * ------------------------------------------------------------------------------------------ */

static uint64_t whole_number(const struct fg_otlp_value *value)
{
    if (value->type == FG_OTLP_INT)
        return value->integer < 0 ? 0 : (uint64_t)value->integer;
    if (value->type == FG_OTLP_DOUBLE && value->number >= 1 && value->number < WHOLE_MAX &&
        (double)(uint64_t)value->number == value->number)
        return (uint64_t)value->number;
    return 0;
}

/* What is hashed of a value that is no text. */
static struct fg_slice bytes_of(const struct fg_otlp_value *value)
{
    switch (value->type) {
    case FG_OTLP_BOOL:
        return fg_slice(&value->boolean, sizeof value->boolean);
    case FG_OTLP_INT:
    case FG_OTLP_DOUBLE:
        return fg_slice(&value->integer, sizeof value->integer);
    default:
        return value->encoded;
    }
}

/* An enum fg_redaction, or an error. */
static int redact(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                  struct fg_otlp_value *value)
{
    struct fg_slice text = {0};
    int r = FG_REDACTION_NONE;
    if (!cleaning->redactor)
        return r;
    if (value->type == FG_OTLP_STRING || value->type == FG_OTLP_BYTES)
        r = fg_redactor_text(cleaning->redactor, verdict, value->string, cleaning->arena, &text);
    else if (verdict->is_whole || whole_number(value) > 0)
        r = fg_redactor_scalar(cleaning->redactor, verdict, whole_number(value), bytes_of(value),
                               cleaning->arena, &text);
    if (r == FG_REDACTION_CHANGED && value->type == FG_OTLP_BYTES && !verdict->is_whole)
        value->bytes = text;
    else if (r == FG_REDACTION_CHANGED)
        *value = fg_otlp_string(text);
    cleaning->changes->redacted_count += r == FG_REDACTION_CHANGED;
    return r;
}

static struct fg_slice repair(struct cleaning *cleaning, struct fg_slice text)
{
    if (fg_utf8_valid(text))
        return text;
    struct fg_slice clean = fg_utf8_sanitize(text, cleaning->arena);
    if (!clean.data)
        cleaning->error = FG_ELIMIT;
    cleaning->changes->text = true;
    return clean;
}

/* A value that is neither array nor map, in its place. */
static int clean_scalar(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                        struct fg_otlp_value *value)
{
    if (value->type == FG_OTLP_STRING)
        value->string = repair(cleaning, value->string);
    return cleaning->error ? cleaning->error : redact(cleaning, verdict, value);
}

/* -- Arrays and maps
 * ---------------------------------------------------------------------------------- */

static bool is_nested(const struct fg_otlp_value *value)
{
    return value->type == FG_OTLP_ARRAY || value->type == FG_OTLP_KVLIST;
}

static bool is_clean(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                     const struct fg_otlp_value *value)
{
    if (redactor && verdict->is_whole)
        return false;
    if (value->type == FG_OTLP_STRING || value->type == FG_OTLP_BYTES)
        return (value->type == FG_OTLP_BYTES || fg_utf8_valid(value->string)) &&
               (!redactor || fg_redactor_keeps(redactor, verdict, value->string));
    if (!is_nested(value))
        return !redactor || (verdict->kinds & FG_REDACT_CARD) == 0 ||
               !fg_redact_is_card(whole_number(value));
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    while (fg_otlp_items_next(&items, &key, &item)) {
        bool is_map = value->type == FG_OTLP_KVLIST;
        if (is_map && !fg_utf8_valid(key))
            return false;
        struct fg_redact_verdict of_item = is_map ? *verdict_of(redactor, key) : *verdict;
        if (!is_clean(redactor, &of_item, &item))
            return false;
    }
    return true;
}

static int write_value(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                       const struct fg_otlp_value *value);

/* One element or entry; nothing is written of what is dropped. */
static int write_item(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                      bool is_map, struct fg_slice key, const struct fg_otlp_value *item)
{
    struct fg_buffer *out = &cleaning->out;
    size_t begin = out->size;
    size_t entry = fg_pb_begin(out, is_map ? KVLIST_VALUES : ARRAY_VALUES);
    int r;
    if (is_map) {
        struct fg_slice clean_key = repair(cleaning, key);
        struct fg_redact_verdict of_item = *verdict_of(cleaning->redactor, clean_key);
        fg_pb_put_bytes(out, ENTRY_KEY, clean_key);
        size_t inner = fg_pb_begin(out, ENTRY_VALUE);
        r = write_value(cleaning, &of_item, item);
        fg_pb_end(out, inner);
    } else {
        r = write_value(cleaning, verdict, item);
    }
    fg_pb_end(out, entry);
    if (r == FG_REDACTION_DROPPED) {
        out->size = begin;
        cleaning->changes->dropped_count++;
    }
    return r < 0 ? r : 0;
}

static int write_items(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                       const struct fg_otlp_value *value)
{
    bool is_map = value->type == FG_OTLP_KVLIST;
    size_t list = fg_pb_begin(&cleaning->out, is_map ? ANY_KVLIST : ANY_ARRAY);
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    int r = 0;
    while (r == 0 && fg_otlp_items_next(&items, &key, &item))
        r = write_item(cleaning, verdict, is_map, key, &item);
    fg_pb_end(&cleaning->out, list);
    return r;
}

/* FG_REDACTION_DROPPED: it may not stand there; an error; other values: it is written. */
static int write_value(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                       const struct fg_otlp_value *value)
{
    if (is_nested(value) && !(cleaning->redactor && verdict->is_whole))
        return write_items(cleaning, verdict, value);
    struct fg_otlp_value clean = *value;
    int r = clean_scalar(cleaning, verdict, &clean);
    if (r >= 0 && r != FG_REDACTION_DROPPED)
        fg_otlp_value_encode(&cleaning->out, &clean);
    return r;
}

static int clean_nested(struct cleaning *cleaning, const struct fg_redact_verdict *verdict,
                        const struct fg_otlp_value *value, struct fg_otlp_value *ret_value)
{
    fg_buffer_init(&cleaning->out, (value->encoded.size + 16) * GROWTH_MAX);
    int r = write_items(cleaning, verdict, value);
    if (r == 0)
        r = cleaning->error ? cleaning->error : cleaning->out.error;
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

/* -- The way of a value
 * ------------------------------------------------------------------------------- */

int fg_value_clean(struct fg_redactor *redactor, struct fg_slice key,
                   const struct fg_otlp_value *value, struct fg_arena *arena,
                   struct fg_value_changes *changes, struct fg_otlp_value *ret_value)
{
    struct cleaning cleaning = {.redactor = redactor, .arena = arena, .changes = changes};
    const struct fg_redact_verdict *verdict = verdict_of(redactor, key);
    *ret_value = *value;
    if (is_nested(value) && !(redactor && verdict->is_whole)) {
        struct fg_redact_verdict copy = *verdict;
        if (is_clean(redactor, &copy, value))
            return 0;
        return clean_nested(&cleaning, &copy, value, ret_value);
    }
    int r = clean_scalar(&cleaning, verdict, ret_value);
    return r == FG_REDACTION_DROPPED ? FG_VALUE_DROPPED : r < 0 ? r : 0;
}

int fg_text_clean(struct fg_redactor *redactor, struct fg_slice name, struct fg_slice text,
                  struct fg_arena *arena, struct fg_value_changes *changes,
                  struct fg_slice *ret_text)
{
    struct cleaning cleaning = {.redactor = redactor, .arena = arena, .changes = changes};
    struct fg_otlp_value value = fg_otlp_string(text);
    *ret_text = text;
    if (text.size == 0)
        return 0;
    int r = clean_scalar(&cleaning, verdict_of(redactor, name), &value);
    *ret_text = value.string;
    if (r != FG_REDACTION_DROPPED)
        return r < 0 ? r : 0;
    changes->redacted_count++;
    *ret_text = (struct fg_slice){0};
    return 0;
}
