/* `filigree stuck`: the journeys that need somebody. */
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define ANSWER_SIZE_MAX    ((size_t)64 << 20)
#define PATH_SIZE_MAX      ((size_t)4 << 10)
#define STATES_DEFAULT     "late,stuck,broken"
#define VALUE_COLUMNS      20
#define STATE_COLUMNS      9
#define AGE_COLUMNS        9
#define PLACE_COLUMNS      28
#define REASON_COLUMNS_MIN 20

static void print_row(struct fg_cli *cli, const json_t *item, uint64_t now_ns)
{
    const json_t *place = json_object_get(item, "place"), *cause = json_object_get(item, "cause");
    uint64_t since_ns;
    char age[FG_UNITS_TEXT_SIZE] = "", where[160];
    int reason =
        fg_terminal_columns(cli) - VALUE_COLUMNS - STATE_COLUMNS - AGE_COLUMNS - PLACE_COLUMNS - 4;
    if (fg_time_parse(fg_slice_from_string(fg_answer_text(item, "since")), &since_ns) == 0)
        fg_duration_format(now_ns > since_ns ? now_ns - since_ns : 0, age);
    snprintf(where, sizeof where, "%s %s", fg_answer_text(place, "kind"),
             fg_answer_text(place, "service"));
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(item, "value")), VALUE_COLUMNS);
    fprintf(cli->out, " %s%-*s%s %*s ", fg_terminal_paint(cli, FG_RED), STATE_COLUMNS,
            fg_answer_text(item, "state"), fg_terminal_paint(cli, FG_PLAIN), AGE_COLUMNS, age);
    fg_terminal_cell(cli->out, fg_slice_from_string(where), PLACE_COLUMNS);
    fputc(' ', cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(fg_answer_text(cause, "text")),
                     reason < REASON_COLUMNS_MIN ? REASON_COLUMNS_MIN : reason);
    fputc('\n', cli->out);
}

static enum fg_exit show(struct fg_cli *cli, const json_t *root)
{
    const json_t *list = json_object_get(root, "journeys");
    uint64_t now_ns = fg_env_wall_ns(cli->env), count = fg_answer_number(root, "count");
    if (json_is_true(json_object_get(root, "full")))
        fprintf(cli->err, "filigree: the keyed state (state-size) is nearly full: no new order is "
                          "followed\n");
    if (json_is_true(json_object_get(root, "rebuilding")))
        fprintf(cli->err, "filigree: the stored spans are still being read: there may be more\n");
    if (json_array_size(list) == 0) {
        fprintf(cli->out, "no journey is in such a state\n");
        return FG_EXIT_OK;
    }
    fprintf(cli->out, "%s%-*s %-*s %*s %-*s %s%s\n", fg_terminal_paint(cli, FG_BOLD), VALUE_COLUMNS,
            "Order", STATE_COLUMNS, "State", AGE_COLUMNS, "Since", PLACE_COLUMNS, "Place", "Why",
            fg_terminal_paint(cli, FG_PLAIN));
    for (size_t i = 0; i < json_array_size(list); i++)
        print_row(cli, json_array_get(list, i), now_ns);
    if (count > json_array_size(list))
        fprintf(cli->err, "filigree: %" PRIu64 " more; --limit shows more of them\n",
                count - json_array_size(list));
    return FG_EXIT_NO;
}

static int take(void *arg, struct fg_slice data)
{
    struct fg_buffer *body = arg;
    fg_buffer_append_slice(body, data);
    return body->error;
}

static void add_param(struct fg_buffer *path, const struct fg_arguments *arguments,
                      const char *name)
{
    const char *text = fg_arguments_get(arguments, name);
    if (!text)
        return;
    fg_buffer_append_format(path, "&%s=", name);
    fg_client_escape(path, text);
}

/* What they have in common, where the server lets one know; the list stands without it. */
static void show_common(struct fg_cli *cli, const struct fg_arguments *arguments,
                        const char *conditions)
{
    struct fg_buffer path, body;
    struct fg_client *client = NULL;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    fg_buffer_append_format(&path, "/api/v1/common?state=%s", conditions);
    fg_buffer_append_byte(&path, 0);
    const struct fg_client_request request = {
        .path = (const char *)path.data, .data = take, .arg = &body, .timeout_ms = 10000};
    long status = 0;
    int r = path.error ? path.error : fg_client_new(cli, arguments, &client);
    if (r == 0)
        r = fg_client_run(client, &request, &status);
    json_t *root =
        r == 0 && status == 200 ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
    const json_t *list = json_object_get(root, "facets");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *facet = json_array_get(list, i);
        char line[512];
        snprintf(line, sizeof line, "%s %s of %s", fg_answer_text(facet, "attribute"),
                 fg_answer_text(facet, "value"), fg_answer_text(facet, "service"));
        fputs(i == 0 ? "In common: " : "           ", cli->out);
        fg_terminal_cell(cli->out, fg_slice_from_string(line), (int)strlen(line));
        fprintf(cli->out,
                " (%" PRIu64 " of %" PRIu64 " that stopped, %" PRIu64 " of %" PRIu64
                " that are well)\n",
                fg_answer_number(facet, "stopped"), fg_answer_number(root, "stopped"),
                fg_answer_number(facet, "healthy"), fg_answer_number(root, "healthy"));
    }
    json_decref(root);
    fg_client_free(client);
    fg_buffer_free(&path);
    fg_buffer_free(&body);
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    static const char *const params[] = {"key", "place", "service", "cause", "limit"};
    const char *state = fg_arguments_get(arguments, "state");
    struct fg_buffer path, body, conditions;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_init(&conditions, PATH_SIZE_MAX);
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    fg_buffer_append_string(&path, "/api/v1/journeys?state=");
    fg_client_escape(&path, state ? state : STATES_DEFAULT);
    fg_client_escape(&conditions, state ? state : STATES_DEFAULT);
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        add_param(&path, arguments, params[i]);
        if (strcmp(params[i], "limit") != 0)
            add_param(&conditions, arguments, params[i]);
    }
    fg_buffer_append_byte(&path, 0);
    fg_buffer_append_byte(&conditions, 0);
    enum fg_exit code = path.error
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "stuck: the conditions are too long")
                            : fg_client_get(cli, arguments, (const char *)path.data, &body);
    json_t *root =
        code == FG_EXIT_OK ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
    if (code == FG_EXIT_OK && !root)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "stuck: the server's answer is no JSON");
    if (root && fg_arguments_has(arguments, "json")) {
        fprintf(cli->out, "%.*s\n", (int)body.size, (const char *)body.data);
        code = json_array_size(json_object_get(root, "journeys")) ? FG_EXIT_NO : FG_EXIT_OK;
    } else if (root) {
        code = show(cli, root);
        if (code == FG_EXIT_NO && conditions.size > 1 && !conditions.error)
            show_common(cli, arguments, (const char *)conditions.data);
    }
    json_decref(root);
    fg_buffer_free(&path);
    fg_buffer_free(&conditions);
    fg_buffer_free(&body);
    return code;
}

static const struct fg_option options[] = {
    {.name = "state",
     .argument = "LIST",
     .help = "other states: flowing, waiting, late, stuck, broken, done, cancelled"},
    {.name = "place",
     .argument = "KIND",
     .help = "a kind of place: database, consumer, process, …"},
    {.name = "service", .argument = "NAME", .help = "the service at fault"},
    {.name = "cause", .argument = "CODE", .help = "a cause: died, unreachable, lock_wait, …"},
    {.name = "key", .argument = "KEY", .help = "the attribute that names the journeys"},
    {.name = "limit", .argument = "N", .help = "how many are shown; default: 100"},
    {.name = "json", .help = "the answer as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_stuck = {
    .name = "stuck",
    .arguments = "[OPTIONS]",
    .summary = "list the orders that are late, stuck or broken, with place and cause",
    .help = "Broken ones come first; of a state the one that stands longest.\n"
            "Ends with 0 where there is none, 1 where there are some, 3 where the server can't be "
            "asked.\n"
            "\n"
            "Examples\n"
            "  filigree stuck\n"
            "  filigree stuck --place database --cause connection_limit\n"
            "  filigree stuck --state waiting --json | jq -r '.journeys[].value'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
