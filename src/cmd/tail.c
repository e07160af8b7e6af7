/* `filigree tail [QUERY]`: spans as they become durable. */
#include "base/limits.h"
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE_MAX    ((size_t)64 << 10)
#define LINE_SIZE_MAX    ((size_t)1 << 20)
#define CLOCK_SIZE       12 /* 14:02:11.482 */
#define CLOCK_OFFSET     11 /* in 2026-11-24T14:02:11.482Z */
#define SERVICE_COLUMNS  20
#define NAME_COLUMNS     32
#define DURATION_COLUMNS 9

struct tail {
    struct fg_cli *cli;
    struct fg_buffer line; /* the begin of one whose end has not come */
    bool is_json;
    uint64_t shown;
};

static void print_attributes(struct fg_cli *cli, json_t *attributes, int columns)
{
    struct fg_buffer text;
    const char *key;
    json_t *value;
    fg_buffer_init(&text, 4096);
    json_object_foreach(attributes, key, value)
    {
        char *other = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        fg_buffer_append_format(&text, "%s%s=%s", text.size ? " " : "", key,
                                other ? other : json_string_value(value));
        free(other);
    }
    fputs(fg_terminal_paint(cli, FG_FAINT), cli->out);
    fg_terminal_cell(cli->out, fg_buffer_slice(&text), columns);
    fputs(fg_terminal_paint(cli, FG_PLAIN), cli->out);
    fg_buffer_free(&text);
}

static void print_span(struct fg_cli *cli, const json_t *span)
{
    char duration[FG_UNITS_TEXT_SIZE];
    const char *start = fg_answer_text(span, "start");
    bool is_error = strcmp(fg_answer_text(span, "status"), "error") == 0;
    int columns = fg_terminal_columns(cli) - CLOCK_SIZE - SERVICE_COLUMNS - NAME_COLUMNS -
                  DURATION_COLUMNS - 8;
    fg_duration_format(strtoull(fg_answer_text(span, "duration_ns"), NULL, 10), duration);
    if (json_is_true(json_object_get(span, "open")))
        strcpy(duration, "open");
    fprintf(cli->out, "%.*s  ", CLOCK_SIZE,
            strlen(start) > CLOCK_OFFSET ? start + CLOCK_OFFSET : start);
    fputs(fg_terminal_paint(cli, FG_CYAN), cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(span, "service")),
                     SERVICE_COLUMNS);
    fputs(fg_terminal_paint(cli, is_error ? FG_RED : FG_PLAIN), cli->out);
    fputc(' ', cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(span, "name")), NAME_COLUMNS);
    fprintf(cli->out, " %*s%s  %s", DURATION_COLUMNS, duration, is_error ? "!" : " ",
            fg_terminal_paint(cli, FG_PLAIN));
    print_attributes(cli, json_object_get(span, "attributes"), columns < 20 ? 20 : columns);
    fputc('\n', cli->out);
}

/* One line of the answer, without its end. FG_ECORRUPT where it is no JSON. */
static int show(struct tail *tail, struct fg_slice line)
{
    struct fg_cli *cli = tail->cli;
    if (line.size == 0)
        return 0;
    tail->shown += !fg_slice_starts_with(line, FG_SLICE("{\"missed\":"));
    if (tail->is_json) {
        fprintf(cli->out, "%.*s\n", (int)line.size, (const char *)line.data);
        return 0;
    }
    json_t *root = json_loadb((const char *)line.data, line.size, 0, NULL);
    if (!root)
        return FG_ECORRUPT;
    const json_t *missed = json_object_get(root, "missed");
    if (missed)
        fprintf(cli->err,
                "filigree: %lld spans were missed: they came faster than they are shown\n",
                (long long)json_integer_value(missed));
    else
        print_span(cli, root);
    json_decref(root);
    return 0;
}

static int take(void *arg, struct fg_slice data)
{
    struct tail *tail = arg;
    int r = 0;
    while (r == 0 && data.size > 0) {
        const uint8_t *end = memchr(data.data, '\n', data.size);
        size_t size = end ? (size_t)(end - data.data) : data.size;
        fg_buffer_append(&tail->line, data.data, size);
        r = tail->line.error;
        if (r == 0 && end) {
            r = show(tail, fg_buffer_slice(&tail->line));
            fg_buffer_reset(&tail->line);
        }
        size += end != NULL;
        data = fg_slice(data.data + size, data.size - size);
    }
    if (fflush(tail->cli->out) != 0)
        r = FG_EIO; /* whoever read it has gone */
    return r;
}

static int make_path(const struct fg_arguments *arguments, struct fg_buffer *path)
{
    const char *limit = fg_arguments_get(arguments, "limit");
    fg_buffer_append_string(path, "/api/v1/tail");
    for (size_t i = 0; i < arguments->word_count; i++) {
        fg_buffer_append_string(path, i ? "%20" : "?q=");
        fg_client_escape(path, arguments->words[i]);
    }
    if (limit) {
        fg_buffer_append_string(path, arguments->word_count ? "&limit=" : "?limit=");
        fg_client_escape(path, limit);
    }
    fg_buffer_append_byte(path, 0);
    return path->error;
}

static enum fg_exit follow(struct tail *tail, const struct fg_arguments *arguments,
                           const char *path)
{
    struct fg_cli *cli = tail->cli;
    const char *limit = fg_arguments_get(arguments, "limit");
    struct fg_client *client;
    struct fg_client_request request = {.path = path, .data = take, .arg = tail};
    long status = 0;
    if (fg_client_new(cli, arguments, &client) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    int r = fg_client_run(client, &request, &status);
    enum fg_exit code = FG_EXIT_OK;
    if (r == FG_ECORRUPT)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "tail: the server's answer is no JSON");
    else if (r < 0 || status >= 300)
        code = fg_client_fail(cli, client, r, status);
    else if (!limit || tail->shown < strtoull(limit, NULL, 10))
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "tail: the server has ended");
    fg_client_free(client);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct tail tail = {.cli = cli, .is_json = fg_arguments_has(arguments, "json")};
    struct fg_buffer path;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_init(&tail.line, LINE_SIZE_MAX);
    enum fg_exit code = make_path(arguments, &path) < 0
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "tail: the query is too long")
                            : follow(&tail, arguments, (const char *)path.data);
    fg_buffer_free(&path);
    fg_buffer_free(&tail.line);
    return code;
}

static const struct fg_option options[] = {
    {.name = "limit", .argument = "N", .help = "end after so many spans"},
    {.name = "json", .help = "one JSON object a line"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_tail = {
    .name = "tail",
    .arguments = "[QUERY] [OPTIONS]",
    .summary = "watch spans as they come in",
    .help =
        "Shows each span once it is on disk, the newest last, until Ctrl-C. A query, in the "
        "language "
        "of\n"
        "`filigree search`, shows only spans that match; it can't ask for the trace as a whole.\n"
        "Where spans come faster than they can be shown some are left out, and it says how many.\n"
        "\n"
        "Examples\n"
        "  filigree tail\n"
        "  filigree tail 'status:error'\n"
        "  filigree tail 'service:mes-api duration>500ms'\n"
        "  filigree tail order.id=4711 --json | jq -r .trace_id\n"
        "  filigree tail --limit 10\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 64,
    .run = run,
};
