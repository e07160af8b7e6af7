/* `filigree stage`: how far watching has come, and what is worth doing next. */
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define NAME_COLUMNS   28
#define KIND_COLUMNS   13
#define STATUS_COLUMNS 13
#define COUNT_COLUMNS  9

static void print_place(struct fg_cli *cli, const json_t *place)
{
    const json_t *monitors = json_object_get(place, "monitors");
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(place, "name")), NAME_COLUMNS);
    fprintf(cli->out, " %-*s %-*s %*" PRIu64 " %*" PRIu64 "  ", KIND_COLUMNS,
            fg_answer_text(place, "kind"), STATUS_COLUMNS, fg_answer_text(place, "status"),
            COUNT_COLUMNS, fg_answer_number(place, "calls"), COUNT_COLUMNS,
            fg_answer_number(place, "errors"));
    for (size_t i = 0; i < json_array_size(monitors); i++)
        fprintf(cli->out, "%s%s", i ? ", " : "", json_string_value(json_array_get(monitors, i)));
    fputc('\n', cli->out);
}

static void print_next(struct fg_cli *cli, const json_t *place)
{
    bool is_watch = strcmp(fg_answer_text(place, "action"), "watch") == 0;
    const json_t *proposal = json_object_get(place, "proposal");
    fprintf(cli->out, "%s%s %s%s\n  %s\n", fg_terminal_paint(cli, FG_BOLD),
            is_watch ? "watch" : "instrument", fg_answer_text(place, "name"),
            fg_terminal_paint(cli, FG_PLAIN), fg_answer_text(place, "why"));
    const char *text = fg_answer_text(proposal, "text");
    for (bool is_first = true; *text; is_first = false) {
        size_t size = strcspn(text, "\n");
        fprintf(cli->out, "  %s%.*s\n", is_first ? "  - " : "    ", (int)size, text);
        text += size + (text[size] == '\n');
    }
}

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    const json_t *places = json_object_get(root, "places");
    const json_t *counts = json_object_get(root, "counts");
    uint64_t next = fg_answer_number(root, "next");
    (void)arguments;
    fprintf(cli->out,
            "%" PRIu64 " instrumented, %" PRIu64 " only watched, %" PRIu64
            " known from their callers alone\n\n",
            fg_answer_number(counts, "instrumented"), fg_answer_number(counts, "watched"),
            fg_answer_number(counts, "unknown"));
    fprintf(cli->out, "%s%-*s %-*s %-*s %*s %*s  %s%s\n", fg_terminal_paint(cli, FG_BOLD),
            NAME_COLUMNS, "Place", KIND_COLUMNS, "Kind", STATUS_COLUMNS, "Status", COUNT_COLUMNS,
            "Calls", COUNT_COLUMNS, "Errors", "Monitors", fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < json_array_size(places); i++)
        print_place(cli, json_array_get(places, i));
    fprintf(cli->out, next ? "\nNext\n" : "\nNothing is left to do.\n");
    for (size_t i = 0; i < next && i < json_array_size(places); i++)
        print_next(cli, json_array_get(places, i));
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    return fg_client_show(cli, arguments, "/api/v1/stage", NULL, show);
}

static const struct fg_option options[] = {
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_stage = {
    .name = "stage",
    .arguments = "[OPTIONS]",
    .summary = "what is instrumented, what is only watched, and what is worth doing next",
    .help = "Of all places that spans of the last hour name: which send spans themselves, which "
            "only a monitor looks at,\n"
            "which are known from their callers alone. Then what is worth doing next, by calls and "
            "errors, with a monitor\n"
            "ready for the file where one would help.\n"
            "\n"
            "Examples\n"
            "  filigree stage\n"
            "  filigree stage --json | jq -r '.places[] | select(.action) | .name'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
