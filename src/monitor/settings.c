/* The getters of a monitor's settings. What is wrong is complained of with file and line, and the
 * entry is not taken; nothing is guessed. */
#include "settings.h"

#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET_SIZE_MAX ((size_t)16 << 10)

struct fg_setting_entry *fg_settings_find(struct fg_check_settings *settings, const char *key)
{
    for (uint32_t i = 0; i < settings->count; i++)
        if (strcmp(settings->entries[i].key, key) == 0)
            return &settings->entries[i];
    return NULL;
}

static struct fg_setting_entry *ask(struct fg_check_settings *settings, const char *key)
{
    struct fg_setting_entry *entry = fg_settings_find(settings, key);
    if (entry)
        entry->is_known = true;
    return entry;
}

void fg_check_complain(struct fg_check_settings *settings, const char *key, const char *format, ...)
{
    const struct fg_setting_entry *entry = fg_settings_find(settings, key);
    char message[FG_CHECK_TEXT_SIZE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    settings->is_wrong = true;
    if (settings->errors)
        fg_buffer_append_format(settings->errors, "%s:%u: %s: %s\n", settings->file_name,
                                entry ? entry->line : settings->line, key, message);
}

void fg_settings_complain_unknown(struct fg_check_settings *settings, const char *kind)
{
    for (uint32_t i = 0; i < settings->count; i++)
        if (!settings->entries[i].is_known)
            fg_check_complain(settings, settings->entries[i].key,
                              "a monitor of kind %s has no such setting", kind);
}

const char *fg_check_setting(struct fg_check_settings *settings, const char *key)
{
    const struct fg_setting_entry *entry = ask(settings, key);
    if (!entry)
        return NULL;
    if (entry->is_list) {
        fg_check_complain(settings, key, "expected one text, not a list");
        return NULL;
    }
    return entry->items[0];
}

bool fg_check_setting_bool(struct fg_check_settings *settings, const char *key, bool otherwise)
{
    const char *text = fg_check_setting(settings, key);
    if (!text)
        return otherwise;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        fg_check_complain(settings, key, "expected true or false");
    return strcmp(text, "true") == 0;
}

int64_t fg_check_setting_int(struct fg_check_settings *settings, const char *key, int64_t min,
                             int64_t max, int64_t otherwise)
{
    const char *text = fg_check_setting(settings, key);
    char *end = NULL;
    if (!text)
        return otherwise;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *text == 0 || *end != 0 || value < min || value > max) {
        fg_check_complain(settings, key, "expected a whole number from %lld to %lld",
                          (long long)min, (long long)max);
        return otherwise;
    }
    return value;
}

double fg_check_setting_double(struct fg_check_settings *settings, const char *key, double min,
                               double max, double otherwise)
{
    const char *text = fg_check_setting(settings, key);
    char *end = NULL;
    if (!text)
        return otherwise;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !isfinite(value) || value < min || value > max) {
        fg_check_complain(settings, key, "expected a number from %g to %g", min, max);
        return otherwise;
    }
    return value;
}

uint64_t fg_check_setting_ns(struct fg_check_settings *settings, const char *key,
                             uint64_t otherwise)
{
    const char *text = fg_check_setting(settings, key);
    uint64_t ns = otherwise;
    if (text && fg_duration_parse(fg_slice_from_string(text), &ns) < 0)
        fg_check_complain(settings, key, "expected a time like 500ms, 30s, 5m or 2d");
    return ns;
}

uint64_t fg_check_setting_bytes(struct fg_check_settings *settings, const char *key,
                                uint64_t otherwise)
{
    const char *text = fg_check_setting(settings, key);
    uint64_t bytes = otherwise;
    if (text && fg_size_parse(fg_slice_from_string(text), &bytes) < 0)
        fg_check_complain(settings, key, "expected a size like 4096, 64KiB or 2GiB");
    return bytes;
}

uint32_t fg_check_setting_list(struct fg_check_settings *settings, const char *key,
                               const char *const **ret_items)
{
    const struct fg_setting_entry *entry = ask(settings, key);
    *ret_items = entry ? entry->items : NULL;
    return entry ? entry->item_count : 0;
}

/* -- Secrets */

static void say_why(const char **ret_why, struct fg_arena *arena, const char *what,
                    const char *where, const char *why)
{
    char text[FG_CHECK_TEXT_SIZE_MAX];
    if (!ret_why)
        return;
    snprintf(text, sizeof text, "%s %s: %s", what, where, why);
    *ret_why = fg_arena_string(arena, fg_slice_from_string(text));
    if (!*ret_why)
        *ret_why = "out of memory";
}

static const char *read_file(struct fg_check_settings *settings, const char *path,
                             struct fg_arena *arena, const char **ret_why)
{
    struct fg_file *file;
    size_t size = 0;
    uint8_t *data = fg_arena_alloc(arena, SECRET_SIZE_MAX);
    if (!data) {
        say_why(ret_why, arena, "the file", path, "out of memory");
        return NULL;
    }
    int r = fg_env_open(settings->env, path, FG_OPEN_READ, &file);
    if (r == 0) {
        r = fg_file_pread(file, 0, data, SECRET_SIZE_MAX, &size);
        fg_file_close(file);
    }
    if (r == 0 && size == SECRET_SIZE_MAX)
        r = FG_ELIMIT;
    if (r < 0) {
        say_why(ret_why, arena, "the file", path, fg_error_name(r));
        return NULL;
    }
    while (size > 0 && (data[size - 1] == '\n' || data[size - 1] == '\r'))
        size--;
    data[size] = 0;
    if (size == 0 || memchr(data, 0, size)) {
        say_why(ret_why, arena, "the file", path, "it holds no text");
        return NULL;
    }
    return (const char *)data;
}

static const char *entry_text(const struct fg_setting_entry *entry)
{
    return entry && !entry->is_list ? entry->items[0] : NULL;
}

static struct fg_setting_entry *ask_with(struct fg_check_settings *settings, const char *key,
                                         const char *end)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", key, end);
    return ask(settings, name);
}

const char *fg_check_secret(struct fg_check_settings *settings, const char *key,
                            struct fg_arena *arena, const char **ret_why)
{
    const struct fg_setting_entry *file = ask_with(settings, key, "-file");
    const struct fg_setting_entry *variable = ask_with(settings, key, "-env");
    if (!arena) {
        if ((file && file->is_list) || (variable && variable->is_list))
            fg_check_complain(settings, file ? file->key : variable->key,
                              "expected one text, not a list");
        if (file && variable)
            fg_check_complain(settings, file->key, "give either this or %s", variable->key);
        if (fg_settings_find(settings, key))
            fg_check_complain(
                settings, key,
                "a secret does not stand here: name where it is, by %s-file or %s-env", key, key);
        return NULL;
    }
    if (entry_text(file))
        return read_file(settings, entry_text(file), arena, ret_why);
    if (!entry_text(variable)) {
        if (ret_why)
            *ret_why = "none is given";
        return NULL;
    }
    const char *value = getenv(entry_text(variable));
    if (!value || !*value) {
        say_why(ret_why, arena, "the environment variable", entry_text(variable), "it is not set");
        return NULL;
    }
    const char *copy = fg_arena_string(arena, fg_slice_from_string(value));
    if (!copy)
        say_why(ret_why, arena, "the environment variable", entry_text(variable), "out of memory");
    return copy;
}
