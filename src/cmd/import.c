/* `filigree import`: sends OTLP JSON lines to a server, a line a request. */
#include "base/units.h"
#include "client.h"
#include "lines.h"
#include "progress.h"
#include "replay.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES_MAX        8
#define WAIT_SECONDS_MAX 30u
/* Tells the server that more of the past is to come: doc/api.md. */
#define HISTORY_HEADER "Filigree-History"

struct import {
    struct fg_cli *cli;
    struct fg_client *client;
    struct fg_lines *lines;
    struct fg_replay replay; /* speed 0: requests are sent as they are */
    struct fg_progress progress;
    uint64_t line_count, rejected_spans;
    uint64_t sent_until_ns; /* of a replay: all that happened until then was sent */
    uint64_t id;            /* one of several senders */
};

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

/* One request, and until when all was sent in those before it. */
static int try_send(struct import *import, struct fg_slice line, const char *until,
                    struct fg_buffer *answer, long *ret_status)
{
    char header[128];
    snprintf(header, sizeof header, HISTORY_HEADER ": %s; sender=import-%016" PRIx64, until,
             import->id);
    struct fg_client_request request = {.path = "/v1/traces",
                                        .content_type = "application/json",
                                        .body = line,
                                        .header = header,
                                        .data = count_rejected,
                                        .arg = answer};
    fg_buffer_reset(answer);
    return fg_client_run(import->client, &request, ret_status);
}

/* Sends one line, again where the server says that it may come later. */
static enum fg_exit send_line(struct import *import, struct fg_slice line)
{
    struct fg_buffer answer;
    char until[24];
    fg_buffer_init(&answer, 1 << 20);
    snprintf(until, sizeof until, "%" PRIu64, import->sent_until_ns);
    long status = 0;
    int r = 0;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        r = try_send(import, line, until, &answer, &status);
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

/* The server need not wait for more. Where that can't be said, it will have been quiet soon enough.
 */
static void tell_end(struct import *import)
{
    struct fg_buffer answer;
    long status;
    fg_buffer_init(&answer, 1 << 20);
    if (import->line_count > 0)
        (void)try_send(import, FG_SLICE("{\"resourceSpans\":[]}"), "end", &answer, &status);
    fg_buffer_free(&answer);
}

static bool is_blank(struct fg_slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (!strchr(" \t\r", line.data[i]))
            return false;
    return true;
}

/* The same at its moment of the replay. */
static enum fg_exit replay_line(struct import *import, struct fg_slice line)
{
    char *text = NULL;
    uint64_t due_ns = 0;
    int r = fg_replay_line(&import->replay, line, &text, &due_ns);
    if (r < 0)
        return fg_cli_fail(import->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED,
                           "import: line %llu: %s", (unsigned long long)import->line_count,
                           r == FG_EINVALID ? "is no JSON object" : fg_error_name(r));
    fg_replay_wait(import->cli->env, due_ns);
    enum fg_exit code = send_line(import, fg_slice_from_string(text));
    if (due_ns > import->sent_until_ns)
        import->sent_until_ns = due_ns;
    free(text);
    return code;
}

static enum fg_exit send_all(struct import *import)
{
    for (;;) {
        struct fg_slice line;
        int r = fg_lines_next(import->lines, &line);
        if (r == FG_ENOTFOUND)
            return FG_EXIT_OK;
        if (r < 0)
            return fg_cli_fail(import->cli, FG_EXIT_FAILED, "import: line %llu: can't be read: %s",
                               (unsigned long long)import->line_count + 1, fg_error_name(r));
        import->line_count++;
        if (is_blank(line))
            continue;
        enum fg_exit code =
            import->replay.speed > 0 ? replay_line(import, line) : send_line(import, line);
        if (code != FG_EXIT_OK) {
            fg_progress_end(&import->progress);
            return fg_cli_fail(import->cli, code,
                               "import: stopped at line %llu; what came before it is stored",
                               (unsigned long long)import->line_count);
        }
        fg_progress_update(&import->progress, fg_lines_offset(import->lines),
                           fg_lines_total(import->lines));
    }
}

/* --replay and --speed */
static enum fg_exit read_replay(struct fg_cli *cli, const struct fg_arguments *arguments,
                                struct fg_replay *ret_replay)
{
    const char *age = fg_arguments_get(arguments, "replay");
    const char *speed = fg_arguments_get(arguments, "speed");
    uint64_t age_ns = 0, now_ns = fg_env_wall_ns(cli->env);
    char *end = NULL;
    double times = speed ? strtod(speed, &end) : 1;
    if (speed && !age)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "--speed goes with --replay");
    if (age && (fg_duration_parse(fg_slice_from_string(age), &age_ns) < 0 || age_ns > now_ns))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "--replay: '%s' is no time; expected one like 10m, 90s or 0", age);
    if (speed && (end == speed || *end || !(times >= 0.01 && times <= 1000)))
        return fg_cli_fail(cli, FG_EXIT_USAGE, "--speed: '%s' is no number from 0.01 to 1000",
                           speed);
    if (age)
        *ret_replay = (struct fg_replay){.begin_ns = now_ns - age_ns, .speed = times};
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct import import = {.cli = cli};
    enum fg_exit code = read_replay(cli, arguments, &import.replay);
    if (code == FG_EXIT_OK)
        code =
            fg_lines_open(cli, arguments->word_count ? arguments->words[0] : NULL, &import.lines);
    if (code == FG_EXIT_OK && fg_client_new(cli, arguments, &import.client) < 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    if (code == FG_EXIT_OK) {
        fg_progress_begin(&import.progress, cli, "import", true);
        fg_env_random(cli->env, &import.id, sizeof import.id);
        code = send_all(&import);
        if (code == FG_EXIT_OK)
            tell_end(&import);
        fg_progress_end(&import.progress);
    }
    if (code == FG_EXIT_OK && import.rejected_spans) {
        code = fg_cli_fail(cli, FG_EXIT_NO, "import: the server refused %llu spans",
                           (unsigned long long)import.rejected_spans);
    }
    fg_client_free(import.client);
    fg_lines_close(import.lines);
    return code;
}

static const struct fg_option options[] = {
    {.name = "replay",
     .argument = "TIME",
     .help = "move the spans' times as if the first line had begun this long ago; what is yet to "
             "come is sent when it is due"},
    {.name = "speed",
     .argument = "N",
     .help = "with --replay: time passes so many times as fast; default: 1"},
    FG_CLIENT_OPTION};

const struct fg_command fg_command_import = {
    .name = "import",
    .arguments = "[FILE] [OPTIONS]",
    .summary = "send OTLP JSON lines to a server",
    .help =
        "Each line is one ExportTraceServiceRequest, as `filigree export` and the Collector's "
        "file\n"
        "exporter write them. Without FILE, or with -, standard input is read; what zstd has\n"
        "compressed is read too. A server that is overloaded is asked again later; spans that it "
        "has\n"
        "already are found once.\n"
        "\n"
        "Examples\n"
        "  filigree import spans.jsonl\n"
        "  filigree import archive.jsonl.zst\n"
        "  filigree import demo/recording/company.jsonl.zst --replay 10m\n"
        "  filigree export --server http://old:7070 | filigree import --server http://new:7070\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 1,
    .run = run,
};
