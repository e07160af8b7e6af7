/* `filigree search QUERY`: the traces that a query finds, newest first. */
#include "base/units.h"
#include "client.h"
#include "terminal.h"
#include "time_range.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE_MAX  ((size_t)64 << 10)
#define START_COLUMNS  24
#define NUMBER_COLUMNS 9
#define ID_COLUMNS     32

static void print_trace(struct fg_cli *cli, const json_t *trace, int name_columns)
{
    char duration[FG_UNITS_TEXT_SIZE], name[1024];
    uint64_t errors = fg_answer_number(trace, "error_count"),
             open = fg_answer_number(trace, "open_count");
    fg_duration_format(fg_answer_number(trace, "duration_ns"), duration);
    snprintf(name, sizeof name, "%s: %s%s", fg_answer_text(trace, "root_service"),
             fg_answer_text(trace, "root_name"),
             json_is_true(json_object_get(trace, "has_root")) ? "" : " (root missing)");
    fprintf(cli->out, "%-*s %*s%s %*llu ", START_COLUMNS, fg_answer_text(trace, "start"),
            NUMBER_COLUMNS, duration, open ? ">" : " ", NUMBER_COLUMNS,
            (unsigned long long)fg_answer_number(trace, "span_count"));
    if (errors)
        fprintf(cli->out, "%s%*llu%s  ", fg_terminal_paint(cli, FG_RED), NUMBER_COLUMNS,
                (unsigned long long)errors, fg_terminal_paint(cli, FG_PLAIN));
    else
        fprintf(cli->out, "%*s  ", NUMBER_COLUMNS, ".");
    fg_terminal_cell(cli->out, fg_slice_from_string(name), name_columns);
    fprintf(cli->out, "  %s\n", fg_answer_text(trace, "trace_id"));
}

/* What was read and how the query was understood, for --explain. */
static void print_plan(struct fg_cli *cli, const json_t *root)
{
    const json_t *plan = json_object_get(root, "plan");
    json_t *read = json_object_get(root, "read"), *value;
    const char *key;
    if (!plan)
        return;
    fprintf(cli->out, "\n%sUnderstood%s  %s\n", fg_terminal_paint(cli, FG_BOLD),
            fg_terminal_paint(cli, FG_PLAIN), fg_answer_text(plan, "query"));
    fprintf(cli->out, "%sStore%s       %s\n", fg_terminal_paint(cli, FG_BOLD),
            fg_terminal_paint(cli, FG_PLAIN), fg_answer_text(plan, "store"));
    fprintf(cli->out, "%sDecided on%s  %s\n", fg_terminal_paint(cli, FG_BOLD),
            fg_terminal_paint(cli, FG_PLAIN), fg_answer_text(plan, "decided_on"));
    json_object_foreach(read, key, value)
        fprintf(cli->out, "  %-20s %lld\n", key, (long long)json_integer_value(value));
}

static void print_partial(struct fg_cli *cli, const json_t *root)
{
    const char *reason = fg_answer_text(root, "partial_reason");
    if (!json_is_true(json_object_get(root, "partial")))
        return;
    fprintf(cli->err, "filigree: the answer is partial: %s\n",
            strcmp(reason, "time") == 0
                ? "time ran out; give more by --timeout, or a shorter --since"
            : strcmp(reason, "bytes") == 0
                ? "the budget of bytes to read is used up; give a shorter --since"
            : strcmp(reason, "size") == 0
                ? "a trace has more spans than one answer may have"
                : "pages of the store are damaged; see `filigree verify --help`");
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    (void)arguments;
    const json_t *traces = json_object_get(root, "traces");
    size_t count = json_array_size(traces);
    int name_columns =
        fg_terminal_columns(cli) - START_COLUMNS - 3 * NUMBER_COLUMNS - ID_COLUMNS - 8;
    if (name_columns < 16)
        name_columns = 16;
    if (count > 0)
        fprintf(cli->out, "%s%-*s %*s  %*s %*s  %-*s  %s%s\n", fg_terminal_paint(cli, FG_BOLD),
                START_COLUMNS, "Start", NUMBER_COLUMNS, "Duration", NUMBER_COLUMNS, "Spans",
                NUMBER_COLUMNS, "Errors", name_columns, "Root", "Trace",
                fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < count; i++)
        print_trace(cli, json_array_get(traces, i), name_columns);
    print_plan(cli, root);
    print_partial(cli, root);
    const char *next = fg_answer_text(root, "next");
    if (*next && cli->colour)
        fprintf(cli->out, "%smore: --cursor %s%s\n", fg_terminal_paint(cli, FG_FAINT), next,
                fg_terminal_paint(cli, FG_PLAIN));
    if (count == 0)
        return fg_cli_fail(cli, FG_EXIT_NO, "no trace matches");
    return FG_EXIT_OK;
}

static void add_param(struct fg_buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    fg_buffer_append_format(path, "%c%s=", memchr(path->data, '?', path->size) ? '&' : '?', name);
    fg_client_escape(path, value);
}

/* The words of the command line, with blanks between them. */
static void add_query(struct fg_buffer *path, const struct fg_arguments *arguments)
{
    for (size_t i = 0; i < arguments->word_count; i++) {
        if (i == 0)
            fg_buffer_append_string(path, "?q=");
        else
            fg_buffer_append_string(path, "%20");
        fg_client_escape(path, arguments->words[i]);
    }
}

static enum fg_exit make_path(struct fg_cli *cli, const struct fg_arguments *arguments,
                              struct fg_buffer *path)
{
    struct fg_time_range range;
    char moment[24];
    enum fg_exit code = fg_time_range_parse(cli, arguments, &range);
    if (code != FG_EXIT_OK)
        return code;
    fg_buffer_append_string(path, "/api/v1/traces");
    add_query(path, arguments);
    snprintf(moment, sizeof moment, "%llu", (unsigned long long)range.start_ns_min);
    add_param(path, "start", range.start_ns_min ? moment : NULL);
    snprintf(moment, sizeof moment, "%llu", (unsigned long long)range.start_ns_max);
    add_param(path, "end", range.start_ns_max != UINT64_MAX ? moment : NULL);
    static const char *const passed_on[] = {"limit", "cursor", "timeout"};
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        add_param(path, passed_on[i], fg_arguments_get(arguments, passed_on[i]));
    add_param(path, "explain", fg_arguments_has(arguments, "explain") ? "1" : NULL);
    fg_buffer_append_byte(path, 0);
    return path->error ? fg_cli_fail(cli, FG_EXIT_USAGE, "search: the query is too long")
                       : FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_buffer path;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    enum fg_exit code = make_path(cli, arguments, &path);
    if (code == FG_EXIT_OK)
        code = fg_client_show(cli, arguments, (const char *)path.data, "traces", show);
    fg_buffer_free(&path);
    return code;
}

static const struct fg_option options[] = {
    {.name = "limit", .argument = "N", .help = "traces to show, 20 unless said otherwise"},
    FG_TIME_RANGE_OPTIONS,
    {.name = "timeout",
     .argument = "TIME",
     .help = "how long the server may look, 10s unless said otherwise"},
    {.name = "cursor", .argument = "CURSOR", .help = "go on after the page that gave this"},
    {.name = "explain", .help = "also what the store was asked for, and what it read"},
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_search = {
    .name = "search",
    .arguments = "[QUERY] [OPTIONS]",
    .summary = "find traces by what their spans say",
    .help =
        "A query is conditions side by side, which one span must all fulfil; `or`, `not` and "
        "parentheses\n"
        "work as usual. Fields: service, name, kind, status, duration, event, trace.duration,\n"
        "root.service, root.name, trace.spans, trace.errors, and more in doc/search.md; any other "
        "key is an\n"
        "attribute of the span or its resource. After : a value may hold *; `key:*` asks whether "
        "it "
        "is\n"
        "there. Patterns are =~ and !~. Ends with 1 where nothing is found.\n"
        "\n"
        "Examples\n"
        "  filigree search order.id=4711\n"
        "  filigree search 'service:shop-api status:error duration>1s' --since 2h\n"
        "  filigree search 'http.route:/orders/* (status:error or "
        "http.response.status_code>=500)'\n"
        "  filigree search 'trace.duration>30s not service:batch-*' --limit 100 --json | jq "
        ".traces[].trace_id\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 64,
    .run = run,
};
