/* An entry is formatted into one buffer and written by one write(2), so that lines of threads do
 * not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE_MAX 2048

static _Atomic int log_level = FG_LOG_INFO;
static _Atomic int log_json;

void fg_log_set(enum fg_log_level level, bool json)
{
    atomic_store(&log_level, (int)level);
    atomic_store(&log_json, json);
}

struct line {
    char data[LINE_SIZE_MAX];
    size_t size;
};

static void put(struct line *line, char c)
{
    if (line->size < LINE_SIZE_MAX - 1)
        line->data[line->size++] = c;
}

static void put_string(struct line *line, const char *string)
{
    while (*string)
        put(line, *string++);
}

/* Quoted and escaped as JSON wants it; serves the text form too. */
static void put_quoted(struct line *line, const char *data, size_t size)
{
    put(line, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\') {
            put(line, '\\');
            put(line, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            char hex[8];
            snprintf(hex, sizeof hex, "\\u%04x", c);
            put_string(line, hex);
        } else {
            put(line, (char)c);
        }
    }
    put(line, '"');
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    char text[40];
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + size, sizeof text - size, ".%03ldZ", now.tv_nsec / 1000000);
    put_string(line, text);
}

/* Where the value that starts at p ends: at the next " key=" or at the end. */
static const char *value_end(const char *p)
{
    for (const char *blank = strchr(p, ' '); blank; blank = strchr(blank + 1, ' ')) {
        const char *c = blank + 1;
        while ((*c >= 'a' && *c <= 'z') || *c == '_' || *c == '.' || (*c >= '0' && *c <= '9'))
            c++;
        if (*c == '=' && c > blank + 1)
            return blank;
    }
    return p + strlen(p);
}

static bool needs_quotes(const char *data, size_t size)
{
    if (size == 0)
        return true;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] <= 0x20 || data[i] == '"' || data[i] == '\\')
            return true;
    return false;
}

static void put_pairs(struct line *line, const char *p, bool json)
{
    while (*p) {
        while (*p == ' ')
            p++;
        const char *equals = strchr(p, '=');
        if (!equals)
            return;
        const char *end = value_end(equals + 1);
        size_t value_size = (size_t)(end - equals - 1);
        put_string(line, json ? ",\"" : " ");
        for (; p < equals; p++)
            put(line, *p);
        put_string(line, json ? "\":" : "=");
        if (json || needs_quotes(equals + 1, value_size))
            put_quoted(line, equals + 1, value_size);
        else
            for (const char *c = equals + 1; c < end; c++)
                put(line, *c);
        p = end;
    }
}

void fg_log(enum fg_log_level level, const char *message, const char *pairs, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load(&log_level))
        return;
    char text[LINE_SIZE_MAX / 2] = "";
    if (pairs) {
        va_list args;
        va_start(args, pairs);
        vsnprintf(text, sizeof text, pairs, args);
        va_end(args);
    }
    bool json = atomic_load(&log_json);
    struct line line = {.size = 0};
    put_string(&line, json ? "{\"time\":\"" : "");
    put_time(&line);
    put_string(&line, json ? "\",\"level\":\"" : " ");
    put_string(&line, names[level]);
    put_string(&line, json ? "\",\"message\":" : " ");
    if (json)
        put_quoted(&line, message, strlen(message));
    else
        put_string(&line, message);
    put_pairs(&line, text, json);
    if (json)
        put(&line, '}');
    line.data[line.size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written; /* a log that can't be written has nowhere to say so */
}
