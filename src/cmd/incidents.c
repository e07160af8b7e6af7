/* `filigree incidents`: what went wrong, who looks after it, how long it took. */
#include "incidents.h"

#include "base/units.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define PATH_SIZE_MAX      ((size_t)4 << 10)
#define ID_COLUMNS         6
#define STATE_COLUMNS      12
#define ORDERS_COLUMNS     8
#define AGE_COLUMNS        9
#define PLACE_COLUMNS      30
#define REASON_COLUMNS_MIN 20
#define LABEL_COLUMNS      12
#define TEXT_COLUMNS       400
#define ORDERS_SHOWN       20u

static void place_text(const json_t *item, char *text, size_t size)
{
    const json_t *place = json_object_get(item, "place");
    const char *kind = fg_answer_text(place, "kind");
    bool is_known = strcmp(kind, "unknown") != 0;
    snprintf(text, size, "%s%s%s", is_known ? kind : "", is_known ? " " : "",
             fg_answer_text(place, "service"));
}

static void age_text(const json_t *item, char text[FG_UNITS_TEXT_SIZE])
{
    fg_duration_format(fg_answer_number(item, "open_ns"), text);
}

static void print_row(struct fg_cli *cli, const json_t *item)
{
    const char *state = fg_answer_text(item, "state");
    bool is_open = strcmp(state, "open") == 0 || strcmp(state, "acknowledged") == 0;
    int reason = fg_terminal_columns(cli) - ID_COLUMNS - STATE_COLUMNS - ORDERS_COLUMNS -
                 AGE_COLUMNS - PLACE_COLUMNS - 6;
    char age[FG_UNITS_TEXT_SIZE] = "", where[300];
    age_text(item, age);
    place_text(item, where, sizeof where);
    fprintf(cli->out, "%-*s %s%-*s%s %*" PRIu64 " %*s  ", ID_COLUMNS, fg_answer_text(item, "id"),
            fg_terminal_paint(cli, is_open ? FG_RED : FG_FAINT), STATE_COLUMNS, state,
            fg_terminal_paint(cli, FG_PLAIN), ORDERS_COLUMNS, fg_answer_number(item, "order_count"),
            AGE_COLUMNS, age);
    fg_terminal_cell(cli->out, fg_slice_from_string(where), PLACE_COLUMNS);
    fputc(' ', cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(item, "text")),
                     reason < REASON_COLUMNS_MIN ? REASON_COLUMNS_MIN : reason);
    fputc('\n', cli->out);
}

static enum fg_exit show_list(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const json_t *root)
{
    const json_t *list = json_object_get(root, "incidents");
    uint64_t count = fg_answer_number(root, "count");
    if (json_array_size(list) == 0) {
        fprintf(cli->out, fg_arguments_has(arguments, "all") ? "no incident is known\n"
                                                             : "no incident is open\n");
        return FG_EXIT_OK;
    }
    fprintf(cli->out, "%s%-*s %-*s %*s %*s  %-*s %s%s\n", fg_terminal_paint(cli, FG_BOLD),
            ID_COLUMNS, "Id", STATE_COLUMNS, "State", ORDERS_COLUMNS, "Orders", AGE_COLUMNS, "Open",
            PLACE_COLUMNS, "Place", "Why", fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < json_array_size(list); i++)
        print_row(cli, json_array_get(list, i));
    if (count > json_array_size(list))
        fprintf(cli->err, "filigree: %" PRIu64 " more; --limit shows more of them\n",
                count - json_array_size(list));
    return fg_answer_number(root, "open_count") > 0 ? FG_EXIT_NO : FG_EXIT_OK;
}

/* -- One */

static void print_line(struct fg_cli *cli, const char *label, const char *text)
{
    if (!*text)
        return;
    fprintf(cli->out, "  %s%-*s%s", fg_terminal_paint(cli, FG_FAINT), LABEL_COLUMNS, label,
            fg_terminal_paint(cli, FG_PLAIN));
    int columns = (int)strlen(text);
    fg_terminal_cell(cli->out, fg_slice_from_string(text),
                     columns < TEXT_COLUMNS ? columns : TEXT_COLUMNS);
    fputc('\n', cli->out);
}

static void print_event(struct fg_cli *cli, const json_t *event)
{
    char line[TEXT_COLUMNS + 1];
    const char *by = fg_answer_text(event, "by"), *text = fg_answer_text(event, "text");
    snprintf(line, sizeof line, "%s%s%s%s%s", fg_answer_text(event, "what"), *by ? " by " : "", by,
             *text ? ": " : "", text);
    fprintf(cli->out, "  %s", fg_answer_text(event, "at"));
    fputs("  ", cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(line), (int)strlen(line));
    fputc('\n', cli->out);
}

void fg_incidents_print(struct fg_cli *cli, const json_t *root)
{
    const json_t *orders = json_object_get(root, "orders"),
                 *timeline = json_object_get(root, "timeline");
    char age[FG_UNITS_TEXT_SIZE] = "", where[300], text[120];
    age_text(root, age);
    place_text(root, where, sizeof where);
    fprintf(cli->out, "%sIncident %s%s is %s, ", fg_terminal_paint(cli, FG_BOLD),
            fg_answer_text(root, "id"), fg_terminal_paint(cli, FG_PLAIN),
            fg_answer_text(root, "state"));
    fg_terminal_cell(cli->out, fg_slice_from_string(where), (int)strlen(where));
    fputc('\n', cli->out);
    print_line(cli, "why", fg_answer_text(root, "text"));
    print_line(cli, "owner", fg_answer_text(root, "owner"));
    print_line(cli, "opened", fg_answer_text(root, "opened"));
    print_line(cli, "resolved", fg_answer_text(root, "resolved"));
    print_line(cli, "open for", age);
    snprintf(text, sizeof text, "%" PRIu64 ", %" PRIu64 " of them still stand",
             fg_answer_number(root, "order_count"), fg_answer_number(root, "standing_count"));
    print_line(cli, "orders", text);
    for (size_t i = 0; i < json_array_size(timeline); i++)
        print_event(cli, json_array_get(timeline, i));
    for (size_t i = 0; i < json_array_size(orders) && i < ORDERS_SHOWN; i++) {
        const json_t *order = json_array_get(orders, i);
        const char *value = fg_answer_text(order, "value");
        fputs("  ", cli->out);
        fg_terminal_cell(cli->out, fg_slice_from_string(value), (int)strlen(value));
        fprintf(cli->out, "  since %s%s\n", fg_answer_text(order, "since"),
                json_is_true(json_object_get(order, "stands")) ? "" : ", goes on");
    }
    if (json_array_size(orders) > ORDERS_SHOWN)
        fprintf(cli->out, "  and %zu more; --json has them\n",
                json_array_size(orders) - ORDERS_SHOWN);
}

static enum fg_exit show_one(struct fg_cli *cli, const struct fg_arguments *arguments,
                             const json_t *root)
{
    (void)arguments;
    fg_incidents_print(cli, root);
    return FG_EXIT_OK;
}

/* -- */

static enum fg_exit list_or_one(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *id = arguments->word_count > 0 ? arguments->words[0] : NULL,
               *limit = fg_arguments_get(arguments, "limit");
    struct fg_buffer path;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_append_string(&path, "/api/v1/incidents");
    if (id) {
        fg_buffer_append_byte(&path, '/');
        fg_client_escape(&path, id);
    } else {
        fg_buffer_append_string(&path, fg_arguments_has(arguments, "all") ? "?" : "?state=open&");
        fg_buffer_append_string(&path, "limit=");
        fg_client_escape(&path, limit ? limit : "100");
    }
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code = path.error
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "incidents: the argument is too long")
                            : fg_client_show(cli, arguments, (const char *)path.data, NULL,
                                             id ? show_one : show_list);
    fg_buffer_free(&path);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    bool is_id = arguments->word_count == 1 && arguments->words[0][0] >= '0' &&
                 arguments->words[0][0] <= '9';
    return arguments->word_count == 0 || is_id ? list_or_one(cli, arguments)
                                               : fg_incidents_act(cli, arguments);
}

static const struct fg_option options[] = {
    {.name = "all", .help = "also those that are over"},
    {.name = "by",
     .argument = "NAME",
     .help = "who acknowledges, resolves or notes; default: USER"},
    {.name = "text", .argument = "TEXT", .help = "what is noted at a resolve"},
    {.name = "limit", .argument = "N", .help = "how many are shown; default: 100"},
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_incidents = {
    .name = "incidents",
    .arguments = "[ID | acknowledge ID | resolve ID | note ID TEXT | import FILE] [OPTIONS]",
    .summary = "list what is wrong by place and cause, acknowledge it, resolve it",
    .help =
        "Orders that stop in one place for one cause form one incident. It is resolved when its "
        "orders\n"
        "go on, or by hand. import takes incidents from before Filigree, as a baseline: a table "
        "in CSV\n"
        "whose first line names its columns: opened, resolved, place, and where known cause, "
        "orders, note.\n"
        "A list ends with 0 where none is open, 1 where some are.\n"
        "\n"
        "Examples\n"
        "  filigree incidents\n"
        "  filigree incidents 12\n"
        "  filigree incidents acknowledge 12 --by Ann\n"
        "  filigree incidents resolve 12 --text 'connection limit raised'\n"
        "  filigree incidents import before.csv\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_max = 3,
    .run = run,
};
