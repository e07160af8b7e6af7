/* Administration: seal, merge, backup, erase. Each runs on a thread of its own and answers when it
 * is done; a backup says meanwhile how far it is.
 */
#include "auth/auth.h"
#include "body_json.h"
#include "events.h"
#include "handlers.h"
#include "job_stream.h"
#include "state.h"
#include "store/store.h"
#include "wire/json_writer.h"
#include "work.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#define LINE_SIZE_MAX ((size_t)4 << 10)

/* -- Seal and merge
 * --------------------------------------------------------------------------------
 */

static void write_segments(struct fg_work *work)
{
    struct fg_store_counters counters;
    fg_store_counters(fg_api_store(work->exchange->api), &counters);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "segments");
    fg_json_uint(&json, counters.segment_count);
    FG_JSON_KEY(&json, "segment_bytes");
    fg_json_uint(&json, counters.segment_bytes);
    FG_JSON_KEY(&json, "segment_spans");
    fg_json_uint(&json, counters.segment_spans);
    fg_json_object_end(&json);
}

static int seal(struct fg_work *work)
{
    int r = fg_store_seal(fg_api_store(work->exchange->api));
    if (r == 0)
        write_segments(work);
    return r;
}

static int merge(struct fg_work *work)
{
    int r = fg_store_settle(fg_api_store(work->exchange->api));
    if (r == 0)
        write_segments(work);
    return r;
}

static void start(struct fg_exchange *exchange, const char *verb, int (*run)(struct fg_work *work))
{
    struct fg_work *work = fg_work_new(exchange, verb, run, 0);
    if (work)
        fg_work_start(work, exchange->api->admin);
}

void fg_handle_seal(struct fg_exchange *exchange)
{
    start(exchange, "seal the head", seal);
}

void fg_handle_merge(struct fg_exchange *exchange)
{
    start(exchange, "merge segments", merge);
}

/* -- Backup: lines {"done_bytes": …, "total_bytes": …}, then {"done": true, …} or {"error": "…"}
 * ------
 */

struct backup {
    const char *path;
    uint64_t done_bytes, total_bytes;
    bool has_told; /* a line was written: a failure must be one too */
};

static void write_progress(struct fg_json_writer *json, const struct backup *backup)
{
    FG_JSON_KEY(json, "done_bytes");
    fg_json_uint(json, backup->done_bytes);
    FG_JSON_KEY(json, "total_bytes");
    fg_json_uint(json, backup->total_bytes);
}

static void on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct fg_job_stream *stream = arg;
    struct backup *backup = (struct backup *)stream->state;
    struct fg_buffer line;
    fg_buffer_init(&line, LINE_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&line);
    backup->done_bytes = done_bytes;
    backup->total_bytes = total_bytes;
    backup->has_told = true;
    fg_json_object_begin(&json);
    write_progress(&json, backup);
    fg_json_object_end(&json);
    fg_buffer_append_byte(&line, '\n');
    if (!line.error)
        fg_job_stream_offer(stream, fg_buffer_slice(&line));
    fg_buffer_free(&line);
}

static void describe_backup(char *text, size_t size, const char *path, int error)
{
    if (error == FG_EEXIST)
        snprintf(text, size, "%s is not empty; name a folder that does not exist yet", path);
    else if (error == FG_EDENIED)
        snprintf(text, size, "the server may not write to %s", path);
    else if (error == FG_ENOTFOUND)
        snprintf(text, size, "the folder that %s should lie in does not exist", path);
    else
        snprintf(text, size, "can't write %s: %s", path, fg_error_name(error));
}

static int run_backup(struct fg_job_stream *stream)
{
    struct backup *backup = (struct backup *)stream->state;
    struct fg_store *store = fg_api_store(stream->exchange->api);
    struct fg_auth *auth = stream->exchange->api->auth;
    int r = fg_store_backup(store, backup->path, on_progress, stream);
    if (r == 0 && auth)
        r = fg_auth_backup(auth, backup->path);
    if (r < 0)
        describe_backup(stream->message, sizeof stream->message, backup->path, r);
    if (r < 0 && !backup->has_told)
        return r;
    struct fg_buffer line;
    fg_buffer_init(&line, 2 * LINE_SIZE_MAX);
    struct fg_json_writer json = fg_json_writer(&line);
    fg_json_object_begin(&json);
    if (r < 0) {
        FG_JSON_KEY(&json, "error");
        fg_json_string(&json, fg_slice_from_string(stream->message));
    } else {
        FG_JSON_KEY(&json, "done");
        fg_json_bool(&json, true);
        write_progress(&json, backup);
    }
    fg_json_object_end(&json);
    fg_buffer_append_byte(&line, '\n');
    int written = line.error ? line.error : fg_job_stream_write(stream, fg_buffer_slice(&line));
    fg_buffer_free(&line);
    return written;
}

/* Whether it lies in a folder that is for backups, as it is written. */
static bool is_for_backups(const struct fg_api *api, const char *path)
{
    bool goes_back =
        strstr(path, "/../") || (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0);
    for (size_t i = 0; !goes_back && i < api->backup_folder_count; i++) {
        const char *folder = api->backup_folders[i];
        size_t size = strlen(folder);
        bool is_root = strcmp(folder, "/") == 0;
        if (is_root || (strncmp(path, folder, size) == 0 && path[size] == '/' && path[size + 1]))
            return true;
    }
    return api->backup_folder_count == 0;
}

static void refuse_place(struct fg_exchange *exchange)
{
    const struct fg_api *api = exchange->api;
    struct fg_buffer text;
    fg_buffer_init(&text, LINE_SIZE_MAX);
    fg_buffer_append_string(&text, "path: this server writes backups in");
    for (size_t i = 0; i < api->backup_folder_count; i++)
        fg_buffer_append_format(&text, "%s %s", i ? "," : "", api->backup_folders[i]);
    fg_buffer_append_string(&text, " alone; its setting backup-folders names others");
    fg_answer_invalid(exchange, "%.*s", (int)text.size, (const char *)text.data);
    fg_buffer_free(&text);
}

void fg_handle_backup(struct fg_exchange *exchange)
{
    static const char *const keys[] = {"path", NULL};
    json_t *root = fg_body_object(exchange, keys);
    if (!root)
        return;
    struct fg_slice path = fg_body_text(exchange, json_object_get(root, "path"));
    json_decref(root);
    if (path.size == 0 || path.data[0] != '/' || memchr(path.data, 0, path.size)) {
        fg_answer_invalid(exchange, "path: expected an absolute path on the server's machine");
        return;
    }
    if (!is_for_backups(exchange->api, (const char *)path.data)) {
        refuse_place(exchange);
        return;
    }
    struct fg_job_stream *stream = fg_job_stream_new(exchange, "back up", "application/x-ndjson",
                                                     run_backup, sizeof(struct backup));
    if (!stream)
        return;
    ((struct backup *)stream->state)->path = (const char *)path.data;
    fg_job_stream_start_take(stream, exchange->api->admin);
}

/* -- Erase
 * -----------------------------------------------------------------------------------------
 */

#define LEVEL_COUNT 5

struct erase {
    struct fg_predicate root;
    struct fg_predicate levels[LEVEL_COUNT];
    const struct fg_predicate *children[LEVEL_COUNT];
    bool whole_traces;
};

static int run_erase(struct fg_work *work)
{
    struct erase *erase = (struct erase *)work->state;
    uint64_t count = 0;
    int r = fg_store_erase(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                           &erase->root, erase->whole_traces, &count);
    fg_events_forget(work->exchange->api->events); /* also of one that failed half way */
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "erased_spans");
    fg_json_uint(&json, count);
    fg_json_object_end(&json);
    return 0;
}

/* The operand of a condition, with the type that JSON gives it. */
static bool set_operand(struct fg_exchange *exchange, const json_t *value,
                        struct fg_predicate *predicate)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        predicate->type = FG_VALUE_STRING;
        predicate->string = fg_body_text(exchange, value);
        return predicate->string.data != NULL;
    case JSON_INTEGER:
        predicate->type = FG_VALUE_INT;
        predicate->integer = json_integer_value(value);
        return true;
    case JSON_REAL:
        predicate->type = FG_VALUE_DOUBLE;
        predicate->number = json_real_value(value);
        return isfinite(predicate->number);
    case JSON_TRUE:
    case JSON_FALSE:
        predicate->type = FG_VALUE_BOOL;
        predicate->boolean = json_is_true(value);
        return true;
    default:
        return false;
    }
}

/* An attribute of the span itself, its resource, its scope, an event or a link: erasing must not
 * miss one. */
static bool by_attribute(struct fg_exchange *exchange, const json_t *root, struct erase *erase)
{
    static const enum fg_field levels[LEVEL_COUNT] = {
        FG_FIELD_ATTR_SPAN,  FG_FIELD_ATTR_RESOURCE, FG_FIELD_ATTR_SCOPE,
        FG_FIELD_ATTR_EVENT, FG_FIELD_ATTR_LINK,
    };
    const json_t *value = json_object_get(root, "value");
    struct fg_predicate condition = {.op = FG_PRED_EQ,
                                     .key = fg_body_text(exchange, json_object_get(root, "key"))};
    if (condition.key.size == 0 || !value || !set_operand(exchange, value, &condition)) {
        fg_answer_invalid(exchange,
                          "name what to erase: {\"trace_id\": \"…\"}, or {\"key\": \"order.id\", "
                          "\"value\": \"…\"} with a text, number or boolean");
        return false;
    }
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        erase->levels[i] = condition;
        erase->levels[i].field = levels[i];
        erase->children[i] = &erase->levels[i];
    }
    erase->root = (struct fg_predicate){
        .op = FG_PRED_OR, .child_count = LEVEL_COUNT, .children = erase->children};
    return true;
}

static bool by_trace(struct fg_exchange *exchange, const json_t *root, struct erase *erase)
{
    struct fg_slice text = fg_body_text(exchange, json_object_get(root, "trace_id"));
    erase->root = (struct fg_predicate){.op = FG_PRED_EQ, .field = FG_FIELD_TRACE_ID};
    if (json_object_get(root, "key") || json_object_get(root, "value")) {
        fg_answer_invalid(exchange, "give either trace_id, or key and value");
        return false;
    }
    if (fg_trace_id_parse(text, &erase->root.trace_id.high, &erase->root.trace_id.low) < 0) {
        fg_answer_invalid(exchange, "trace_id: expected 16 or 32 hexadecimal digits, not all zero");
        return false;
    }
    return true;
}

static bool read_erase(struct fg_exchange *exchange, const json_t *root, struct erase *erase)
{
    const json_t *whole = json_object_get(root, "whole_traces");
    if (whole && !json_is_boolean(whole)) {
        fg_answer_invalid(exchange, "whole_traces: expected true or false");
        return false;
    }
    erase->whole_traces = json_is_true(whole);
    return json_object_get(root, "trace_id") ? by_trace(exchange, root, erase)
                                             : by_attribute(exchange, root, erase);
}

void fg_handle_erase(struct fg_exchange *exchange)
{
    static const char *const keys[] = {"trace_id", "key", "value", "whole_traces", NULL};
    json_t *root = fg_body_object(exchange, keys);
    if (!root)
        return;
    struct fg_work *work = fg_work_new(exchange, "erase", run_erase, sizeof(struct erase));
    if (work && read_erase(exchange, root, (struct erase *)work->state))
        fg_work_start(work, exchange->api->admin);
    json_decref(root);
}
