/* `filigree services [SERVICE]`: what the minute rollups say of services, or of one's operations.
 */
#include "base/units.h"
#include "client.h"
#include "terminal.h"
#include "time_range.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE_MAX    ((size_t)16 << 10)
#define NUMBER_COLUMNS   10
#define RATE_COLUMNS     8
#define KIND_COLUMNS     12
#define NAME_COLUMNS_MIN 16

static int name_columns(const struct fg_cli *cli, bool is_of_one)
{
    int rest = 5 * NUMBER_COLUMNS + RATE_COLUMNS + 7 + (is_of_one ? KIND_COLUMNS : 0);
    int columns = fg_terminal_columns(cli) - rest;
    return columns < NAME_COLUMNS_MIN ? NAME_COLUMNS_MIN : columns > 60 ? 60 : columns;
}

static void print_row(struct fg_cli *cli, const json_t *item, bool is_of_one)
{
    static const char *const quantiles[] = {"p50_ns", "p95_ns", "p99_ns"};
    uint64_t spans = fg_answer_number(item, "span_count"),
             errors = fg_answer_number(item, "error_count");
    const char *name = fg_answer_text(item, is_of_one ? "name" : "service");
    fg_terminal_cell(cli->out, fg_slice_from_string(*name ? name : "(no name)"),
                     name_columns(cli, is_of_one));
    if (is_of_one)
        fprintf(cli->out, "  %-*s", KIND_COLUMNS - 2, fg_answer_text(item, "kind"));
    fprintf(cli->out, " %*" PRIu64 " %s%*" PRIu64 " %*.2f%%%s", NUMBER_COLUMNS, spans,
            errors ? fg_terminal_paint(cli, FG_RED) : "", NUMBER_COLUMNS, errors, RATE_COLUMNS - 1,
            spans ? 100.0 * (double)errors / (double)spans : 0.0,
            errors ? fg_terminal_paint(cli, FG_PLAIN) : "");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        char duration[FG_UNITS_TEXT_SIZE];
        fg_duration_format(fg_answer_number(item, quantiles[i]), duration);
        fprintf(cli->out, " %*s", NUMBER_COLUMNS, duration);
    }
    fputc('\n', cli->out);
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    bool is_of_one = arguments->word_count > 0;
    const json_t *list = json_object_get(root, is_of_one ? "operations" : "services");
    size_t count = json_array_size(list);
    if (count == 0)
        return fg_cli_fail(cli, FG_EXIT_NO,
                           is_of_one ? "there are no spans of this service in this time"
                                     : "there are no spans in this time");
    fputs(fg_terminal_paint(cli, FG_BOLD), cli->out);
    fprintf(cli->out, "%-*s", name_columns(cli, is_of_one), is_of_one ? "Operation" : "Service");
    if (is_of_one)
        fprintf(cli->out, "  %-*s", KIND_COLUMNS - 2, "Kind");
    fprintf(cli->out, " %*s %*s %*s %*s %*s %*s%s\n", NUMBER_COLUMNS, "Spans", NUMBER_COLUMNS,
            "Errors", RATE_COLUMNS, "Rate", NUMBER_COLUMNS, "p50", NUMBER_COLUMNS, "p95",
            NUMBER_COLUMNS, "p99", fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < count; i++)
        print_row(cli, json_array_get(list, i), is_of_one);
    if (fg_answer_number(root, "uncounted"))
        fprintf(cli->err, "filigree: %" PRIu64 " spans more found no place in the rollups\n",
                fg_answer_number(root, "uncounted"));
    return FG_EXIT_OK;
}

static enum fg_exit make_path(struct fg_cli *cli, const struct fg_arguments *arguments,
                              struct fg_buffer *path)
{
    struct fg_time_range range;
    char mark = '?';
    enum fg_exit code = fg_time_range_parse(cli, arguments, &range);
    if (code != FG_EXIT_OK)
        return code;
    fg_buffer_append_string(path, "/api/v1/services");
    if (arguments->word_count) {
        fg_buffer_append_byte(path, '/');
        fg_client_escape(path, arguments->words[0]);
        fg_buffer_append_string(path, "/operations");
    }
    if (range.start_ns_min) {
        fg_buffer_append_format(path, "%cstart=%" PRIu64, mark, range.start_ns_min);
        mark = '&';
    }
    if (range.start_ns_max != UINT64_MAX)
        fg_buffer_append_format(path, "%cend=%" PRIu64, mark, range.start_ns_max);
    fg_buffer_append_byte(path, 0);
    return path->error ? fg_cli_fail(cli, FG_EXIT_USAGE, "services: the name is too long")
                       : FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_buffer path;
    if (arguments->word_count && !*arguments->words[0])
        return fg_cli_fail(cli, FG_EXIT_USAGE, "services: the service's name is empty");
    fg_buffer_init(&path, PATH_SIZE_MAX);
    enum fg_exit code = make_path(cli, arguments, &path);
    if (code == FG_EXIT_OK)
        code = fg_client_show(cli, arguments, (const char *)path.data,
                              arguments->word_count ? "operations" : "services", show);
    fg_buffer_free(&path);
    return code;
}

static const struct fg_option options[] = {
    FG_TIME_RANGE_OPTIONS,
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_services = {
    .name = "services",
    .arguments = "[SERVICE] [OPTIONS]",
    .summary = "list services, or a service's operations, with errors and durations",
    .help = "Spans, errors and the durations below which 50, 95 and 99 % of spans lie, from the "
            "minute\n"
            "rollups, which outlive the spans. Ends with 1 where there is nothing.\n"
            "\n"
            "Examples\n"
            "  filigree services --since 1h\n"
            "  filigree services mes-api --since 1d\n"
            "  filigree services --json | jq -r '.services[].service'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 1,
    .run = run,
};
