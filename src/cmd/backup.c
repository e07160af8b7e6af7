/* `filigree backup DIR`: has a running server write a consistent copy of its store. */
#include "client.h"
#include "progress.h"
#include "wire/json_writer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE_MAX ((size_t)8192)

/* The answer is a JSON line for each step, and a last one with "done" or "error". */
struct answer {
    struct fg_progress progress;
    struct fg_buffer line;
    char error[512];
    uint64_t bytes;
    bool is_done;
};

static void take_line(struct answer *answer)
{
    json_t *line = json_loadb((const char *)answer->line.data, answer->line.size, 0, NULL);
    const char *error = json_string_value(json_object_get(line, "error"));
    json_int_t done = json_integer_value(json_object_get(line, "done_bytes"));
    json_int_t total = json_integer_value(json_object_get(line, "total_bytes"));
    if (error)
        snprintf(answer->error, sizeof answer->error, "%s", error);
    answer->is_done |= json_is_true(json_object_get(line, "done"));
    answer->bytes = done > 0 ? (uint64_t)done : answer->bytes;
    fg_progress_update(&answer->progress, answer->bytes, total > 0 ? (uint64_t)total : 0);
    json_decref(line);
}

static int on_data(void *arg, struct fg_slice data)
{
    struct answer *answer = arg;
    for (size_t i = 0; i < data.size; i++) {
        if (data.data[i] != '\n') {
            fg_buffer_append_byte(&answer->line, data.data[i]);
            continue;
        }
        take_line(answer);
        fg_buffer_reset(&answer->line);
    }
    return answer->line.error;
}

/* {"path": …}, made absolute here, since the server runs in a folder of its own. */
static int write_body(struct fg_buffer *body, const char *path)
{
    char cwd[PATH_SIZE_MAX] = "";
    if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
        return FG_EIO;
    struct fg_buffer absolute;
    fg_buffer_init(&absolute, 2 * PATH_SIZE_MAX);
    fg_buffer_append_format(&absolute, "%s%s%s", cwd, *cwd ? "/" : "", path);
    struct fg_json_writer json = fg_json_writer(body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "path");
    fg_json_string(&json, fg_buffer_slice(&absolute));
    fg_json_object_end(&json);
    int r = absolute.error ? absolute.error : body->error;
    fg_buffer_free(&absolute);
    return r;
}

static enum fg_exit ask(struct fg_cli *cli, struct fg_client *client, const char *path,
                        struct fg_slice body, struct answer *answer)
{
    struct fg_client_request request = {.path = "/api/v1/admin/backup",
                                        .content_type = "application/json",
                                        .body = body,
                                        .data = on_data,
                                        .arg = answer};
    long status = 0;
    fg_progress_begin(&answer->progress, cli, "backup", true);
    int r = fg_client_run(client, &request, &status);
    fg_progress_end(&answer->progress);
    if (r < 0 || status >= 300)
        return fg_client_fail(cli, client, r, status);
    if (*answer->error)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "backup: %s", answer->error);
    if (!answer->is_done)
        return fg_cli_fail(cli, FG_EXIT_FAILED,
                           "backup: the server's answer ended early; %s is not whole, remove it",
                           path);
    fprintf(cli->out, "backed up to %s (`filigree verify %s` reads it all again)\n", path, path);
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *path = arguments->words[0];
    struct answer answer = {0};
    struct fg_buffer body;
    struct fg_client *client = NULL;
    fg_buffer_init(&body, 4 * PATH_SIZE_MAX);
    fg_buffer_init(&answer.line, 64 << 10);
    enum fg_exit code = FG_EXIT_FAILED;
    if (write_body(&body, path) < 0 || fg_client_new(cli, arguments, &client) < 0)
        fg_cli_fail(cli, code, "backup: can't ask for %s", path);
    else
        code = ask(cli, client, path, fg_buffer_slice(&body), &answer);
    fg_client_free(client);
    fg_buffer_free(&body);
    fg_buffer_free(&answer.line);
    return code;
}

static const struct fg_option options[] = {FG_CLIENT_CONNECTION_OPTION};

const struct fg_command fg_command_backup = {
    .name = "backup",
    .arguments = "DIR [OPTIONS]",
    .summary = "have the server write a consistent copy of its store",
    .help = "DIR lies on the server's machine and must be missing or empty. The server goes on "
            "taking spans;\n"
            "all that it had acknowledged before is in the copy. Where DIR is on the disk of the "
            "store its\n"
            "sealed files cost no room (they are linked).\n"
            "\n"
            "Examples\n"
            "  filigree backup /backup/2026-11-24\n"
            "  filigree backup /backup/2026-11-24 && filigree verify /backup/2026-11-24\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
