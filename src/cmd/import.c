/* `filigree import`: sends OTLP JSON lines to a server, a line a request. */
#include "base/limits.h"
#include "base/units.h"
#include "client.h"
#include "progress.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_SIZE_MAX    ((size_t)FG_REQUEST_INFLATED_SIZE_MAX)
#define CHUNK_SIZE       ((size_t)256 << 10)
#define TRIES_MAX        8
#define WAIT_SECONDS_MAX 30u

/* Lines of a file or of standard input. */
struct lines {
    struct fg_file *file; /* NULL: standard input */
    uint64_t offset, total;
    struct fg_buffer buffer; /* what was read and not yet given out */
    size_t begin;
    bool at_end;
};

struct import {
    struct fg_cli *cli;
    struct fg_client *client;
    struct lines lines;
    struct fg_progress progress;
    uint64_t line_count, rejected_spans;
};

static int fill(struct lines *lines)
{
    uint8_t *room = fg_buffer_reserve(&lines->buffer, CHUNK_SIZE);
    size_t size = 0;
    if (!room)
        return lines->buffer.error;
    if (lines->file) {
        int r = fg_file_pread(lines->file, lines->offset, room, CHUNK_SIZE, &size);
        if (r < 0)
            return r;
    } else {
        size = fread(room, 1, CHUNK_SIZE, stdin);
        if (size == 0 && ferror(stdin))
            return FG_EIO;
    }
    lines->offset += size;
    lines->buffer.size += size;
    lines->at_end = size == 0;
    return 0;
}

/* The next line without its end; valid until the next call. FG_ENOTFOUND at the end, FG_ELIMIT for
 * a line that no request could carry. */
static int next_line(struct lines *lines, struct fg_slice *ret_line)
{
    size_t looked = 0;
    for (;;) {
        uint8_t *begin = lines->buffer.data + lines->begin;
        size_t size = lines->buffer.size - lines->begin;
        uint8_t *end = size > looked ? memchr(begin + looked, '\n', size - looked) : NULL;
        if (end || (lines->at_end && size > 0)) {
            size_t line_size = end ? (size_t)(end - begin) : size;
            lines->begin += line_size + (end ? 1 : 0);
            *ret_line = fg_slice(begin, line_size);
            return 0;
        }
        if (lines->at_end)
            return FG_ENOTFOUND;
        looked = size;
        if (lines->begin) {
            memmove(lines->buffer.data, begin, size);
            lines->buffer.size = size;
            lines->begin = 0;
        }
        int r = fill(lines);
        if (r < 0)
            return r;
    }
}

static int count_rejected(void *arg, struct fg_slice data)
{
    struct fg_buffer *answer = arg;
    fg_buffer_append_slice(answer, data);
    return 0;
}

/* {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "…"}} */
static void take_answer(struct import *import, struct fg_slice answer)
{
    json_t *root = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    json_t *partial = json_object_get(root, "partialSuccess");
    json_t *rejected = json_object_get(partial, "rejectedSpans");
    const char *text = json_string_value(rejected);
    uint64_t count = text ? strtoull(text, NULL, 10) : (uint64_t)json_integer_value(rejected);
    const char *message = json_string_value(json_object_get(partial, "errorMessage"));
    import->rejected_spans += count;
    if (count)
        fg_cli_fail(import->cli, FG_EXIT_OK, "line %llu: %s",
                    (unsigned long long)import->line_count, message ? message : "spans refused");
    json_decref(root);
}

static bool is_retryable(int result, long status)
{
    return result < 0 ? result == FG_EIO || result == FG_ETIMEOUT
                      : status == 429 || status == 502 || status == 503 || status == 504;
}

static void wait_seconds(unsigned seconds)
{
    struct timespec time = {.tv_sec = seconds > WAIT_SECONDS_MAX ? WAIT_SECONDS_MAX : seconds};
    nanosleep(&time, NULL);
}

/* Sends one line, again where the server says that it may come later. */
static enum fg_exit send_line(struct import *import, struct fg_slice line)
{
    struct fg_buffer answer;
    fg_buffer_init(&answer, 1 << 20);
    struct fg_client_request request = {.path = "/v1/traces",
                                        .content_type = "application/json",
                                        .body = line,
                                        .data = count_rejected,
                                        .arg = &answer};
    long status = 0;
    int r = 0;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        fg_buffer_reset(&answer);
        r = fg_client_run(import->client, &request, &status);
        if (!is_retryable(r, status) || (r < 0 && import->line_count == 1))
            break;
        unsigned seconds = fg_client_retry_after(import->client);
        wait_seconds(seconds ? seconds : 1u << (tries < 4 ? tries : 4));
    }
    enum fg_exit code = FG_EXIT_OK;
    if (r < 0 || status >= 300)
        code = fg_client_fail(import->cli, import->client, r, status);
    else
        take_answer(import, fg_buffer_slice(&answer));
    fg_buffer_free(&answer);
    return code;
}

static bool is_blank(struct fg_slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (!strchr(" \t\r", line.data[i]))
            return false;
    return true;
}

static enum fg_exit send_all(struct import *import)
{
    for (;;) {
        struct fg_slice line;
        int r = next_line(&import->lines, &line);
        if (r == FG_ENOTFOUND)
            return FG_EXIT_OK;
        if (r < 0)
            return fg_cli_fail(import->cli, FG_EXIT_FAILED, "import: line %llu: can't be read: %s",
                               (unsigned long long)import->line_count + 1, fg_error_name(r));
        import->line_count++;
        if (is_blank(line))
            continue;
        enum fg_exit code = send_line(import, line);
        if (code != FG_EXIT_OK) {
            fg_progress_end(&import->progress);
            return fg_cli_fail(import->cli, code,
                               "import: stopped at line %llu; what came before it is stored",
                               (unsigned long long)import->line_count);
        }
        fg_progress_update(&import->progress, import->lines.offset, import->lines.total);
    }
}

static enum fg_exit open_lines(struct import *import, const char *path)
{
    fg_buffer_init(&import->lines.buffer, LINE_SIZE_MAX + 2 * CHUNK_SIZE);
    if (!path || strcmp(path, "-") == 0)
        return FG_EXIT_OK;
    int r = fg_env_open(import->cli->env, path, FG_OPEN_READ, &import->lines.file);
    if (r == 0)
        r = fg_file_size(import->lines.file, &import->lines.total);
    if (r < 0)
        return fg_cli_fail(import->cli, FG_EXIT_USAGE, "import: can't read %s: %s", path,
                           fg_error_name(r));
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct import import = {.cli = cli};
    enum fg_exit code = open_lines(&import, arguments->word_count ? arguments->words[0] : NULL);
    if (code == FG_EXIT_OK && fg_client_new(cli, arguments, &import.client) < 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    if (code == FG_EXIT_OK) {
        fg_progress_begin(&import.progress, cli, "import", true);
        code = send_all(&import);
        fg_progress_end(&import.progress);
    }
    if (code == FG_EXIT_OK && import.rejected_spans) {
        code = fg_cli_fail(cli, FG_EXIT_NO, "import: the server refused %llu spans",
                           (unsigned long long)import.rejected_spans);
    }
    fg_client_free(import.client);
    fg_buffer_free(&import.lines.buffer);
    fg_file_close(import.lines.file);
    return code;
}

static const struct fg_option options[] = {FG_CLIENT_OPTION};

const struct fg_command fg_command_import = {
    .name = "import",
    .arguments = "[FILE] [OPTIONS]",
    .summary = "send OTLP JSON lines to a server",
    .help =
        "Each line is one ExportTraceServiceRequest, as `filigree export` and the Collector's "
        "file\n"
        "exporter write them. Without FILE, or with -, standard input is read. A server that is\n"
        "overloaded is asked again later; spans that it has already are found once.\n"
        "\n"
        "Examples\n"
        "  filigree import spans.jsonl\n"
        "  zstdcat archive.jsonl.zst | filigree import\n"
        "  filigree export --server http://old:7070 | filigree import --server http://new:7070\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 1,
    .run = run,
};
