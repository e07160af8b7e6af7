/* `filigree scorecard`: what Filigree is there to improve, before and after a date. */
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#define PATH_SIZE_MAX   ((size_t)4 << 10)
#define NAME_COLUMNS    14
#define FIGURE_COLUMNS  10
#define COUNT_COLUMNS   10
#define TARGET_COLUMNS  12
#define SERVICE_COLUMNS 24
#define PARTS_SHOWN     3u

static void value_text(const char *unit, double value, char text[FG_UNITS_TEXT_SIZE])
{
    if (strcmp(unit, "ns") == 0)
        fg_duration_format(value > 0 ? (uint64_t)value : 0, text);
    else if (strcmp(unit, "share") == 0)
        snprintf(text, FG_UNITS_TEXT_SIZE, "%.3g%%", value * 100);
    else
        snprintf(text, FG_UNITS_TEXT_SIZE, "%.2f", value);
}

static void figure_text(const json_t *line, const char *side, char text[FG_UNITS_TEXT_SIZE])
{
    const json_t *value = json_object_get(json_object_get(line, side), "value");
    snprintf(text, FG_UNITS_TEXT_SIZE, "-");
    if (json_is_number(value))
        value_text(fg_answer_text(line, "unit"), json_number_value(value), text);
}

static void change_text(const json_t *line, char text[FG_UNITS_TEXT_SIZE])
{
    const json_t *change = json_object_get(line, "change");
    const char *unit = fg_answer_text(line, "unit"), *name = fg_answer_text(line, "name");
    snprintf(text, FG_UNITS_TEXT_SIZE, "-");
    if (!json_is_number(change))
        return;
    double value = json_number_value(change);
    if (strcmp(name, "success_rate") == 0)
        snprintf(text, FG_UNITS_TEXT_SIZE, "%+.2f pt", value * 100);
    else if (strcmp(unit, "score") == 0)
        snprintf(text, FG_UNITS_TEXT_SIZE, "%+.2f", value);
    else
        snprintf(text, FG_UNITS_TEXT_SIZE, "%+.1f%%", value * 100);
}

static void target_text(const json_t *line, char text[FG_UNITS_TEXT_SIZE])
{
    const json_t *target = json_object_get(line, "target");
    const char *kind = fg_answer_text(target, "kind");
    double value = json_number_value(json_object_get(target, "value"));
    char level[FG_UNITS_TEXT_SIZE];
    snprintf(text, FG_UNITS_TEXT_SIZE, "-");
    if (strcmp(kind, "change") == 0) {
        snprintf(text, FG_UNITS_TEXT_SIZE, "%+.3g%%", value * 100);
    } else if (strcmp(kind, "points") == 0) {
        snprintf(text, FG_UNITS_TEXT_SIZE, "%+.3g pt", value * 100);
    } else if (*kind) {
        value_text(fg_answer_text(line, "unit"), value, level);
        snprintf(text, FG_UNITS_TEXT_SIZE, "%s%.20s",
                 strcmp(kind, "at_least") == 0 ? ">=" : "<=", level);
    }
}

static const char *met_text(const json_t *line)
{
    const json_t *met = json_object_get(line, "met");
    if (json_is_true(met))
        return "met";
    return json_is_false(met) ? "missed" : "not known";
}

static void print_line(struct fg_cli *cli, const json_t *line)
{
    char before[FG_UNITS_TEXT_SIZE], after[FG_UNITS_TEXT_SIZE], change[FG_UNITS_TEXT_SIZE],
        target[FG_UNITS_TEXT_SIZE], counts[64];
    const json_t *old = json_object_get(line, "before"), *new = json_object_get(line, "after");
    bool is_few =
        json_is_true(json_object_get(old, "few")) || json_is_true(json_object_get(new, "few"));
    figure_text(line, "before", before);
    figure_text(line, "after", after);
    change_text(line, change);
    target_text(line, target);
    snprintf(counts, sizeof counts, "n=%" PRIu64 ", %" PRIu64, fg_answer_number(old, "count"),
             fg_answer_number(new, "count"));
    fprintf(cli->out, "  %-*s %*s %*s %*s %*s  %s%-9s%s  %s%s\n", NAME_COLUMNS,
            fg_answer_text(line, "name"), FIGURE_COLUMNS, before, FIGURE_COLUMNS, after,
            FIGURE_COLUMNS, change, TARGET_COLUMNS, target,
            fg_terminal_paint(cli, json_is_false(json_object_get(line, "met")) ? FG_RED : FG_PLAIN),
            met_text(line), fg_terminal_paint(cli, FG_PLAIN), counts,
            is_few ? ", few: no more than a hint" : "");
}

/* Where a service was asked nothing there is no time that could have gone somewhere. */
static void part_text(const json_t *part, const char *name, char text[FG_UNITS_TEXT_SIZE])
{
    double ns = json_number_value(json_object_get(part, name));
    if (ns > 0)
        value_text("ns", ns, text);
    else
        snprintf(text, FG_UNITS_TEXT_SIZE, "-");
}

static void print_parts(struct fg_cli *cli, const json_t *service)
{
    const json_t *parts = json_object_get(service, "parts");
    for (size_t i = 0; i < json_array_size(parts) && i < PARTS_SHOWN; i++) {
        const json_t *part = json_array_get(parts, i);
        const char *name = fg_answer_text(part, "name");
        char before[FG_UNITS_TEXT_SIZE], after[FG_UNITS_TEXT_SIZE];
        part_text(part, "before_ns", before);
        part_text(part, "after_ns", after);
        fprintf(cli->out, "    %-*s %*s %*s  ", NAME_COLUMNS - 2, i == 0 ? "time goes to" : "",
                FIGURE_COLUMNS, before, FIGURE_COLUMNS, after);
        const char *shown = *name ? name : "its own work";
        fg_terminal_cell(cli->out, fg_slice_from_string(shown), (int)strlen(shown));
        fputc('\n', cli->out);
    }
}

static void print_head(struct fg_cli *cli, const json_t *root)
{
    const json_t *before = json_object_get(root, "before"), *after = json_object_get(root, "after");
    fprintf(cli->out, "before  %s to %s\nafter   %s to %s\n", fg_answer_text(before, "start"),
            fg_answer_text(before, "end"), fg_answer_text(after, "start"),
            fg_answer_text(after, "end"));
    fprintf(cli->out, "%s  %-*s %*s %*s %*s %*s%s\n", fg_terminal_paint(cli, FG_BOLD), NAME_COLUMNS,
            "", FIGURE_COLUMNS, "Before", FIGURE_COLUMNS, "After", FIGURE_COLUMNS, "Change",
            TARGET_COLUMNS, "Target", fg_terminal_paint(cli, FG_PLAIN));
}

static void print_gaps(struct fg_cli *cli, const json_t *root)
{
    const char *start = fg_answer_text(json_object_get(root, "before"), "start"),
               *requests = fg_answer_text(root, "requests_from"),
               *journeys = fg_answer_text(root, "journeys_from");
    if (json_is_true(json_object_get(root, "rebuilding")))
        fprintf(cli->err, "filigree: the stored spans are still being read: there may be more "
                          "journeys\n");
    /* RFC 3339 of one form: the order of the texts is that of the moments. */
    if (*requests && strcmp(requests, start) > 0)
        fprintf(cli->err, "filigree: the first request that is known is of %s\n", requests);
    if (*journeys && strcmp(journeys, start) > 0)
        fprintf(cli->err, "filigree: the oldest journey that is known began at %s\n", journeys);
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    const json_t *measures = json_object_get(root, "measures"),
                 *services = json_object_get(root, "services");
    const char *only = fg_arguments_get(arguments, "service");
    print_head(cli, root);
    for (size_t i = 0; !only && i < json_array_size(measures); i++)
        print_line(cli, json_array_get(measures, i));
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i), *lines;
        const char *name = fg_answer_text(service, "service");
        char threshold[FG_UNITS_TEXT_SIZE];
        if (only && strcmp(only, name) != 0)
            continue;
        fg_duration_format(fg_answer_number(service, "threshold_ns"), threshold);
        fputs(fg_terminal_paint(cli, FG_BOLD), cli->out);
        fg_terminal_cell(cli->out, fg_slice_from_string(name), (int)strlen(name));
        fprintf(cli->out, "%s  satisfied below %s\n", fg_terminal_paint(cli, FG_PLAIN), threshold);
        lines = json_object_get(service, "measures");
        for (size_t k = 0; k < json_array_size(lines); k++)
            print_line(cli, json_array_get(lines, k));
        print_parts(cli, service);
    }
    print_gaps(cli, root);
    return FG_EXIT_OK;
}

static void add_param(struct fg_buffer *path, const struct fg_arguments *arguments,
                      const char *option, const char *param)
{
    const char *text = fg_arguments_get(arguments, option);
    if (!text)
        return;
    fg_buffer_append_format(path, "%s%s=", strchr((const char *)path->data, '?') ? "&" : "?",
                            param);
    fg_client_escape(path, text);
    fg_buffer_append_byte(path, 0); /* for the next look */
    path->size--;
}

/* ret_ns stays as it is where the option is absent. */
static enum fg_exit parse_moment(struct fg_cli *cli, const struct fg_arguments *arguments,
                                 const char *option, uint64_t *ret_ns)
{
    const char *text = fg_arguments_get(arguments, option);
    if (!text || fg_time_parse(fg_slice_from_string(text), ret_ns) == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "scorecard: --%s: '%s' is no moment; expected one like 2026-11-15 or "
                       "2026-11-15T14:00:00Z",
                       option, text);
}

static enum fg_exit check_moments(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    uint64_t from_ns = 0, to_ns = fg_env_wall_ns(cli->env), before_ns = 0;
    enum fg_exit code = parse_moment(cli, arguments, "from", &from_ns);
    if (code == FG_EXIT_OK)
        code = parse_moment(cli, arguments, "to", &to_ns);
    if (code == FG_EXIT_OK)
        code = parse_moment(cli, arguments, "before", &before_ns);
    if (code != FG_EXIT_OK)
        return code;
    if (from_ns >= to_ns)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "scorecard: the period ends before it begins");
    if (fg_arguments_has(arguments, "before") && (before_ns >= to_ns || before_ns <= from_ns))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "scorecard: --before: expected a date between the begin of the period "
                           "and its end, which is now where --to says nothing else");
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_buffer path;
    enum fg_exit fault = check_moments(cli, arguments);
    if (fault != FG_EXIT_OK)
        return fault;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_append_string(&path, "/api/v1/scorecard");
    fg_buffer_append_byte(&path, 0);
    if (!path.error)
        path.size--;
    add_param(&path, arguments, "from", "start");
    add_param(&path, arguments, "to", "end");
    add_param(&path, arguments, "before", "split");
    enum fg_exit code = path.error
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "scorecard: the moments are too long")
                            : fg_client_show(cli, arguments, (const char *)path.data, NULL, show);
    fg_buffer_free(&path);
    return code;
}

static const struct fg_option options[] = {
    {.name = "from", .argument = "TIME", .help = "the begin of the period, like 2026-11-01"},
    {.name = "to", .argument = "TIME", .help = "its end; default: now"},
    {.name = "before",
     .argument = "DATE",
     .help = "compares the time before this date with the time after it; default: the period with "
             "as long a time before it"},
    {.name = "service", .argument = "NAME", .help = "this service alone"},
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_scorecard = {
    .name = "scorecard",
    .arguments = "[OPTIONS]",
    .summary = "compare two periods: time to resolve, success, response times, errors",
    .help = "Each figure stands against its target (setting targets); doc/journeys.md defines "
            "them. What rests\n"
            "on few incidents, orders or requests says so.\n"
            "\n"
            "Examples\n"
            "  filigree scorecard\n"
            "  filigree scorecard --from 2026-11-01 --to 2026-12-01\n"
            "  filigree scorecard --before 2026-11-15 --service mes-api\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
