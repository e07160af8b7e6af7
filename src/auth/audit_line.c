/* A line: {"seq":1,"time":"…","who":…,"from":…,"tenant":…,"action":…,"what":…,"result":…,
 * "before":"…","hash":"…"}, where `before` is the hash of the line before (zeroes for the first of
 * all) and `hash` is the BLAKE2b-256 of everything that stands before `,"hash":`. */
#include "audit_line.h"

#include "base/hex.h"
#include "base/limits.h"
#include "secret.h"
#include "wire/json_writer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

_Static_assert(FG_AUDIT_HASH_SIZE == FG_SECRET_SIZE, "the same hash");

#define HEX_SIZE  (2 * FG_AUDIT_HASH_SIZE)
#define TAIL_SIZE (sizeof ",\"hash\":\"\"}" - 1 + HEX_SIZE)

static void write_time(struct fg_json_writer *json, uint64_t time_ns)
{
    time_t seconds = (time_t)(time_ns / FG_NS_PER_SECOND);
    struct tm parts;
    char text[40] = "";
    if (gmtime_r(&seconds, &parts)) {
        size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(text + size, sizeof text - size, ".%06uZ",
                 (unsigned)(time_ns % FG_NS_PER_SECOND / 1000));
    }
    fg_json_string(json, fg_slice_from_string(text));
}

static void write_text(struct fg_json_writer *json, struct fg_slice key, struct fg_slice text)
{
    fg_json_key(json, key);
    fg_json_string(json, fg_slice(text.data, text.size < FG_AUDIT_TEXT_SIZE_MAX
                                                 ? text.size
                                                 : FG_AUDIT_TEXT_SIZE_MAX));
}

void fg_audit_line_write(struct fg_buffer *buffer, const struct fg_audit_record *record,
                         uint64_t time_ns, struct fg_audit_head *head)
{
    struct fg_json_writer json = fg_json_writer(buffer);
    struct fg_audit_head next = {.sequence = head->sequence + 1};
    size_t begin = buffer->size;
    char hex[HEX_SIZE];
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "seq");
    fg_json_uint(&json, next.sequence);
    FG_JSON_KEY(&json, "time");
    write_time(&json, time_ns);
    write_text(&json, FG_SLICE("who"), record->who);
    write_text(&json, FG_SLICE("from"), record->from);
    write_text(&json, FG_SLICE("tenant"), record->tenant);
    write_text(&json, FG_SLICE("action"), record->action);
    write_text(&json, FG_SLICE("what"), record->what);
    write_text(&json, FG_SLICE("result"), record->result);
    FG_JSON_KEY(&json, "before");
    fg_json_hex(&json, fg_slice(head->hash, sizeof head->hash));
    if (buffer->error)
        return;
    fg_secret_hash(fg_slice(buffer->data + begin, buffer->size - begin), next.hash);
    fg_hex_encode(fg_slice(next.hash, sizeof next.hash), hex);
    fg_buffer_append_string(buffer, ",\"hash\":\"");
    fg_buffer_append(buffer, hex, sizeof hex);
    fg_buffer_append_string(buffer, "\"}\n");
    if (!buffer->error)
        *head = next;
}

static bool read_hash(const json_t *root, const char *name, uint8_t ret_hash[FG_AUDIT_HASH_SIZE])
{
    const char *text = json_string_value(json_object_get(root, name));
    return text && strlen(text) == HEX_SIZE &&
           fg_hex_decode(fg_slice_from_string(text), ret_hash) == 0;
}

int fg_audit_line_parse(struct fg_slice text, struct fg_audit_line *ret_line)
{
    struct fg_audit_line line;
    uint8_t hash[FG_AUDIT_HASH_SIZE];
    if (text.size <= TAIL_SIZE)
        return FG_ECORRUPT;
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    json_int_t sequence = json_integer_value(json_object_get(root, "seq"));
    bool is_good = sequence > 0 && read_hash(root, "before", line.before) &&
                   read_hash(root, "hash", line.hash);
    json_decref(root);
    fg_secret_hash(fg_slice(text.data, text.size - TAIL_SIZE), hash);
    if (!is_good || !fg_secret_equal(hash, line.hash))
        return FG_ECORRUPT;
    line.sequence = (uint64_t)sequence;
    *ret_line = line;
    return 0;
}

/* -- Files */

static int take_name(void *arg, const struct fg_dir_entry *entry)
{
    struct fg_audit_files *files = arg;
    uint64_t first = 0;
    uint8_t bytes[8];
    if (entry->is_dir || strlen(entry->name) != 20 || strcmp(entry->name + 16, ".log") != 0 ||
        fg_hex_decode(fg_slice(entry->name, 16), bytes) < 0)
        return 0;
    if (files->count == FG_AUDIT_FILES_MAX)
        return FG_ELIMIT;
    for (size_t i = 0; i < sizeof bytes; i++)
        first = first << 8 | bytes[i];
    files->firsts[files->count++] = first;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int list(struct fg_env *env, const char *folder, struct fg_audit_files *files)
{
    char *path;
    files->count = 0;
    if (asprintf(&path, "%s/audit", folder) < 0)
        return FG_ENOMEM;
    int r = fg_env_list(env, path, take_name, files);
    free(path);
    qsort(files->firsts, files->count, sizeof *files->firsts, compare);
    return r;
}

int fg_audit_list(struct fg_env *env, const char *folder, struct fg_audit_files *ret_files)
{
    return list(env, folder, ret_files);
}

char *fg_audit_path(const char *folder, uint64_t first)
{
    char *path;
    return asprintf(&path, "%s/audit/%016llx.log", folder, (unsigned long long)first) < 0 ? NULL
                                                                                          : path;
}

int fg_audit_load(struct fg_env *env, const char *folder, uint64_t first, struct fg_buffer *buffer)
{
    struct fg_file *file;
    uint64_t size = 0;
    size_t got = 0;
    char *path = fg_audit_path(folder, first);
    if (!path)
        return FG_ENOMEM;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    free(path);
    if (r < 0)
        return r;
    fg_buffer_init(buffer, 2 * FG_AUDIT_FILE_SIZE_MAX);
    r = fg_file_size(file, &size);
    uint8_t *room = r == 0 && size > 0 ? fg_buffer_reserve(buffer, (size_t)size) : NULL;
    if (r == 0 && size > 0)
        r = room ? fg_file_pread(file, 0, room, (size_t)size, &got) : buffer->error;
    fg_file_close(file);
    buffer->size = got;
    if (r < 0)
        fg_buffer_free(buffer);
    return r;
}

uint64_t fg_audit_line_time(struct fg_slice line)
{
    struct tm parts = {0};
    json_t *root =
        line.size ? json_loadb((const char *)line.data, line.size, JSON_DISABLE_EOF_CHECK, NULL)
                  : NULL;
    const char *time = json_string_value(json_object_get(root, "time"));
    const char *rest = time ? strptime(time, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    uint64_t time_ns = rest ? (uint64_t)timegm(&parts) * FG_NS_PER_SECOND : 0;
    if (rest && *rest == '.')
        time_ns += strtoul(rest + 1, NULL, 10) % 1000000 * 1000;
    json_decref(root);
    return time_ns;
}

int fg_audit_last_time(struct fg_env *env, const char *folder, uint64_t first,
                       uint64_t *ret_time_ns)
{
    struct fg_buffer text;
    int r = fg_audit_load(env, folder, first, &text);
    if (r < 0)
        return r;
    size_t end = text.size;
    const uint8_t *newline = end > 1 ? memrchr(text.data, '\n', end - 1) : NULL;
    size_t begin = newline ? (size_t)(newline - text.data) + 1 : 0;
    *ret_time_ns = fg_audit_line_time(fg_slice(text.data + begin, end - begin));
    fg_buffer_free(&text);
    return 0;
}
