/* `filigree flows`: flows as they are declared, beside what completed journeys show. */
#include "base/units.h"
#include "deed.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define STEP_COLUMNS_MIN 20
#define STEP_COLUMNS_MAX 44
#define TIME_COLUMNS     9
#define SHARE_COLUMNS    7

/* "declared", "learned, provisional". */
static const char *source_text(const json_t *flow)
{
    const char *source = fg_answer_text(flow, "source");
    if (strcmp(source, "learned") == 0)
        return "learned, not accepted yet";
    if (strcmp(source, "accepted") == 0)
        return "learned and accepted";
    return strcmp(source, "none") == 0 ? "not known yet" : source;
}

static void print_head(struct fg_cli *cli, const json_t *flow)
{
    uint64_t journeys = fg_answer_number(flow, "journeys"),
             least = fg_answer_number(flow, "journeys_min");
    const char *by = fg_answer_text(flow, "accepted_by");
    fprintf(cli->out, "%s%s%s: %s; ", fg_terminal_paint(cli, FG_BOLD), fg_answer_text(flow, "key"),
            fg_terminal_paint(cli, FG_PLAIN), source_text(flow));
    if (journeys < least)
        fprintf(cli->out, "%" PRIu64 " of at least %" PRIu64 " completed journeys were seen\n",
                journeys, least);
    else
        fprintf(cli->out, "learned from %" PRIu64 " completed journeys\n", journeys);
    if (*by)
        fprintf(cli->out, "  accepted by %s, %s\n", by, fg_answer_text(flow, "accepted"));
}

static const char *time_text(uint64_t ns, char text[FG_UNITS_TEXT_SIZE])
{
    if (ns == 0)
        return "-";
    fg_duration_format(ns, text);
    return text;
}

static void print_marks(struct fg_cli *cli, const json_t *step)
{
    static const struct {
        const char *name, *text;
    } marks[] = {{"no_deadline", "none is declared: provisional"},
                 {"too_tight", "hops took longer"},
                 {"too_loose", "far longer than hops take"},
                 {"passed_by", "many pass it by"},
                 {"not_seen", "no journey took it"},
                 {"not_in_it", "the flow has no such step"}};
    const json_t *list = json_object_get(step, "differences");
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (strcmp(json_string_value(json_array_get(list, i)), marks[k].name) == 0)
                fprintf(cli->out, "%s%s%s%s", i ? ", " : "  ", fg_terminal_paint(cli, FG_RED),
                        marks[k].text, fg_terminal_paint(cli, FG_PLAIN));
}

static void print_step(struct fg_cli *cli, const json_t *step, int columns)
{
    const json_t *learned = json_object_get(step, "learned");
    char within[FG_UNITS_TEXT_SIZE], proposed[FG_UNITS_TEXT_SIZE], median[FG_UNITS_TEXT_SIZE],
        p99[FG_UNITS_TEXT_SIZE], share[16];
    snprintf(share, sizeof share, "%.0f %%",
             100 * json_number_value(json_object_get(learned, "share")));
    fputs("  ", cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(step, "name")), columns);
    fprintf(cli->out, " %*s %*s %*s %*s %*s", TIME_COLUMNS,
            time_text(fg_answer_number(step, "within_ns"), within), TIME_COLUMNS,
            time_text(fg_answer_number(learned, "within_ns"), proposed), TIME_COLUMNS,
            time_text(fg_answer_number(learned, "median_ns"), median), TIME_COLUMNS,
            time_text(fg_answer_number(learned, "p99_ns"), p99), SHARE_COLUMNS, share);
    print_marks(cli, step);
    fputc('\n', cli->out);
}

static void print_flow(struct fg_cli *cli, const json_t *flow)
{
    const json_t *steps = json_object_get(flow, "steps");
    int columns = fg_terminal_columns(cli) - 4 * TIME_COLUMNS - SHARE_COLUMNS - 40;
    columns = columns < STEP_COLUMNS_MIN   ? STEP_COLUMNS_MIN
              : columns > STEP_COLUMNS_MAX ? STEP_COLUMNS_MAX
                                           : columns;
    print_head(cli, flow);
    if (json_array_size(steps) > 0)
        fprintf(cli->out, "  %s%-*s %*s %*s %*s %*s %*s%s\n", fg_terminal_paint(cli, FG_BOLD),
                columns, "Step", TIME_COLUMNS, "Deadline", TIME_COLUMNS, "Proposed", TIME_COLUMNS,
                "Median", TIME_COLUMNS, "p99", SHARE_COLUMNS, "Taken",
                fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < json_array_size(steps); i++)
        print_step(cli, json_array_get(steps, i), columns);
    if (json_is_true(json_object_get(flow, "can_accept")))
        fprintf(cli->out, "  what is proposed can be accepted: filigree flows accept %s\n",
                fg_answer_text(flow, "key"));
}

static const json_t *find_flow(const json_t *root, const char *key)
{
    const json_t *list = json_object_get(root, "flows");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(fg_answer_text(json_array_get(list, i), "key"), key) == 0)
            return json_array_get(list, i);
    return NULL;
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    const char *key = arguments->word_count > 1 ? arguments->words[1] : NULL;
    const json_t *list = json_object_get(root, "flows"), *one = key ? find_flow(root, key) : NULL;
    if (key && !one)
        return fg_cli_fail(cli, FG_EXIT_NO, "flows: no journeys are followed by %s", key);
    if (one && fg_arguments_has(arguments, "yaml")) {
        const char *yaml = fg_answer_text(one, "yaml");
        if (!*yaml)
            return fg_cli_fail(
                cli, FG_EXIT_NO,
                "flows: too few completed journeys of %s were seen to propose a flow", key);
        fputs(yaml, cli->out);
        return FG_EXIT_OK;
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!one || one == json_array_get(list, i))
            print_flow(cli, json_array_get(list, i));
    if (json_array_size(list) == 0)
        fprintf(cli->out, "no journeys are followed: see journey-keys, and filigree propose-key\n");
    return FG_EXIT_OK;
}

/* -- What is changed */

static void write_steps(struct fg_json_writer *json, const struct fg_arguments *arguments)
{
    if (arguments->word_count <= 2)
        return;
    FG_JSON_KEY(json, "steps");
    fg_json_array_begin(json);
    for (size_t i = 2; i < arguments->word_count; i++)
        fg_json_string(json, fg_slice_from_string(arguments->words[i]));
    fg_json_array_end(json);
}

static enum fg_exit change(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    static const struct fg_deed deed = {.collection = "/api/v1/flows/",
                                        .too_long = "flows: the arguments are too long",
                                        .write = write_steps};
    json_t *answer;
    enum fg_exit code = fg_deed_do(cli, arguments, &deed, &answer);
    if (answer)
        fprintf(cli->out, "%s: %s\n", arguments->words[1],
                strcmp(arguments->words[0], "accept") == 0
                    ? "accepted; it is in force within a second"
                    : "what was accepted is withdrawn");
    json_decref(answer);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->word_count > 0 ? arguments->words[0] : "list";
    size_t count = arguments->word_count;
    if ((strcmp(verb, "list") == 0 && count <= 1) || (strcmp(verb, "show") == 0 && count == 2))
        return fg_client_show(cli, arguments, "/api/v1/flows", NULL, show);
    if ((strcmp(verb, "accept") == 0 && count >= 2) ||
        (strcmp(verb, "withdraw") == 0 && count == 2))
        return change(cli, arguments);
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "flows: expected list, show KEY, accept KEY [STEP…] or withdraw KEY; see "
                       "filigree flows --help");
}

static const struct fg_option options[] = {
    {.name = "yaml", .help = "with show: what is proposed, as `filigree serve --flows` takes it"},
    {.name = "by", .argument = "NAME", .help = "who accepts or withdraws; default: USER"},
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_flows = {
    .name = "flows",
    .arguments = "[list | show KEY | accept KEY [STEP…] | withdraw KEY] [OPTIONS]",
    .summary = "show the ways of the orders: declared, learned, and accept what was learned",
    .help =
        "From completed journeys Filigree learns how long each hop takes, and where no flow is "
        "declared the\n"
        "steps as well. A deadline that was learned is used where none is declared, and said to "
        "be provisional\n"
        "until it is accepted. accept takes a learned flow as a whole; of a declared one the "
        "deadlines of the\n"
        "steps that are named, or of all that have none. withdraw takes all of it back.\n"
        "\n"
        "Examples\n"
        "  filigree flows\n"
        "  filigree flows show order.id\n"
        "  filigree flows show order.id --yaml > order.yaml\n"
        "  filigree flows accept order.id --by Ann\n"
        "  filigree flows withdraw order.id\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 66,
    .run = run,
};
