/* `filigree propose-key`: which attribute may name the orders, by the spans alone. */
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define KEY_COLUMNS 32
#define SHOWN_MAX   40u

static const char *fault_text(const char *fault)
{
    static const struct {
        const char *name, *text;
    } texts[] = {{"well_known", "tells of a call, a machine or a person"},
                 {"secret", "its name is that of a secret"},
                 {"redacted", "values of it were taken out"},
                 {"few_values", "has few values"},
                 {"one_value", "one value is on very many traces"},
                 {"counts", "holds numbers, and is named like no identifier"},
                 {"together", "several values are in one trace"},
                 {"one_trace", "most values are in one trace alone"},
                 {"one_service", "most values are in one service alone"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(fault, texts[i].name) == 0)
            return texts[i].text;
    return fault;
}

static double number_of(const json_t *item, const char *name)
{
    return json_number_value(json_object_get(item, name));
}

static void print_candidate(struct fg_cli *cli, const json_t *item)
{
    bool fits = json_is_true(json_object_get(item, "fits"));
    const char *fault = fg_answer_text(item, "fault"), *of = fg_answer_text(item, "group_of");
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(item, "key")), KEY_COLUMNS);
    fprintf(cli->out, " %8" PRIu64 " %7.0f %% %7.0f %% %7.0f %% %8.1f  ",
            fg_answer_number(item, "values"), 100 * number_of(item, "coverage"),
            100 * number_of(item, "several_traces"), 100 * number_of(item, "several_services"),
            number_of(item, "values_a_trace"));
    if (strcmp(fault, "group") == 0) {
        fprintf(cli->out, "each value has several of ");
        fg_terminal_cell(cli->out, fg_slice_from_string(of), (int)strlen(of));
        fputc('\n', cli->out);
    } else {
        fprintf(cli->out, "%s\n", fits ? "fits" : fault_text(fault));
    }
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    const json_t *list = json_object_get(root, "candidates");
    const char *proposed = fg_answer_text(root, "proposed");
    (void)arguments;
    fprintf(cli->out, "%" PRIu64 " spans of %" PRIu64 " traces were read%s.\n",
            fg_answer_number(root, "spans"), fg_answer_number(root, "traces"),
            json_is_true(json_object_get(root, "partial")) ? ", the newest" : "");
    if (json_is_true(json_object_get(root, "few"))) {
        fprintf(cli->out, "These are too few to tell what names your orders.\n");
        return FG_EXIT_NO;
    }
    fprintf(cli->out, "%s%-*s %8s %9s %9s %9s %8s  %s%s\n", fg_terminal_paint(cli, FG_BOLD),
            KEY_COLUMNS, "Attribute", "Values", "Traces", "Several", "Services", "A trace", "Why",
            fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < json_array_size(list) && i < SHOWN_MAX; i++)
        print_candidate(cli, json_array_get(list, i));
    if (!*proposed) {
        fprintf(cli->out, "None of them names a business object.\n");
        return FG_EXIT_NO;
    }
    fprintf(cli->out, "%s%s%s is proposed: filigree serve --journey-keys %s\n",
            fg_terminal_paint(cli, FG_BOLD), proposed, fg_terminal_paint(cli, FG_PLAIN), proposed);
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    return fg_client_show(cli, arguments, "/api/v1/key-proposal", NULL, show);
}

static const struct fg_option options[] = {
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_propose_key = {
    .name = "propose-key",
    .arguments = "[OPTIONS]",
    .summary = "say which attribute names your orders, by the spans alone",
    .help =
        "The attribute by which orders are followed (journey-keys) has many values, each on "
        "spans of several\n"
        "traces and services, few of them in one trace and none on everything. The newest spans "
        "are read for it;\n"
        "shown are how many values an attribute has, the share of traces that have it, the "
        "shares of its values\n"
        "that are in several traces and in several services, and how many are in one trace. "
        "Ends with 0 where\n"
        "one is proposed, 1 where none fits.\n"
        "\n"
        "Examples\n"
        "  filigree propose-key\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
