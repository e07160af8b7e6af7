/* `filigree where ORDER`: where a journey is, and where it broke. */
#include "base/limits.h"
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#define ANSWER_SIZE_MAX ((size_t)4 << 20)
#define PATH_SIZE_MAX   ((size_t)4 << 10)
#define KEY_DEFAULT     "order.id"
#define LABEL_COLUMNS   12

static const struct {
    const char *state;
    const char *colour;
    enum fg_exit code;
} states[] = {
    {"flowing", FG_CYAN, FG_EXIT_OK},    {"waiting", FG_CYAN, FG_EXIT_OK},
    {"late", FG_RED, FG_EXIT_LATE},      {"stuck", FG_RED, FG_EXIT_STUCK},
    {"broken", FG_RED, FG_EXIT_BROKEN},  {"done", FG_PLAIN, FG_EXIT_OK},
    {"cancelled", FG_PLAIN, FG_EXIT_OK},
};

static size_t state_index(const json_t *root)
{
    const char *state = fg_answer_text(root, "state");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].state, state) == 0)
            return i;
    return 0;
}

/* "2026-11-24 14:02:11 (3m ago)". */
static void print_moment(struct fg_cli *cli, const char *text)
{
    uint64_t ns, now_ns = fg_env_wall_ns(cli->env);
    char age[FG_UNITS_TEXT_SIZE];
    if (fg_time_parse(fg_slice_from_string(text), &ns) < 0)
        return;
    fg_duration_format(now_ns > ns ? now_ns - ns : ns - now_ns, age);
    fprintf(cli->out, "%.10s %.8s UTC (%s%s%s)", text, text + 11, now_ns >= ns ? "" : "in ", age,
            now_ns >= ns ? " ago" : "");
}

static void print_label(struct fg_cli *cli, const char *label)
{
    fprintf(cli->out, "  %s%-*s%s", fg_terminal_paint(cli, FG_FAINT), LABEL_COLUMNS, label,
            fg_terminal_paint(cli, FG_PLAIN));
}

/* What came with spans is shown without what could steer the terminal. */
static void print_text(struct fg_cli *cli, const char *text)
{
    int columns = fg_terminal_columns(cli) - LABEL_COLUMNS - 2;
    int size = (int)strlen(text);
    fg_terminal_cell(cli->out, fg_slice_from_string(text),
                     size < columns || columns < 20 ? size : columns);
}

static void print_line(struct fg_cli *cli, const char *label, const char *text)
{
    if (!*text)
        return;
    print_label(cli, label);
    print_text(cli, text);
    fputc('\n', cli->out);
}

static void print_evidence(struct fg_cli *cli, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        print_label(cli, i == 0 ? "evidence" : "");
        if (strcmp(fg_answer_text(item, "kind"), "count") == 0)
            fprintf(cli->out, "%" PRIu64 " ", fg_answer_number(item, "value"));
        print_text(cli, fg_answer_text(item, "text"));
        fputc('\n', cli->out);
        if (*fg_answer_text(item, "trace_id")) {
            print_label(cli, "");
            fprintf(cli->out, "%strace %s span %s%s\n", fg_terminal_paint(cli, FG_FAINT),
                    fg_answer_text(item, "trace_id"), fg_answer_text(item, "span_id"),
                    fg_terminal_paint(cli, FG_PLAIN));
        }
    }
}

static void print_steps(struct fg_cli *cli, const json_t *root)
{
    const char *last = fg_answer_text(root, "last_step"),
               *expected = fg_answer_text(root, "expected_step"),
               *deadline = fg_answer_text(root, "deadline");
    print_line(cli, "last step", last);
    if (!*expected)
        return;
    print_label(cli, "next step");
    print_text(cli, expected);
    if (*deadline) {
        fputs(", by ", cli->out);
        print_moment(cli, deadline);
    }
    fputc('\n', cli->out);
}

static void print_verdict(struct fg_cli *cli, const json_t *root)
{
    const json_t *place = json_object_get(root, "place"), *cause = json_object_get(root, "cause");
    size_t state = state_index(root);
    fputs(fg_terminal_paint(cli, FG_BOLD), cli->out);
    print_text(cli, fg_answer_text(root, "value"));
    fprintf(cli->out, "%s is %s%s%s", fg_terminal_paint(cli, FG_PLAIN),
            fg_terminal_paint(cli, states[state].colour), states[state].state,
            fg_terminal_paint(cli, FG_PLAIN));
    if (json_is_object(place)) {
        const char *service = fg_answer_text(place, "service"),
                   *name = fg_answer_text(place, "name");
        fprintf(cli->out, " at the %s ", fg_answer_text(place, "kind"));
        print_text(cli, *service ? service : name);
        if (*service && *name && strcmp(service, name) != 0) {
            fputs(" (", cli->out);
            print_text(cli, name);
            fputc(')', cli->out);
        }
    }
    fputs(" since ", cli->out);
    print_moment(cli, fg_answer_text(root, "since"));
    fputc('\n', cli->out);
    if (json_is_object(cause)) {
        char sure[32];
        print_line(cli, "cause", fg_answer_text(cause, "text"));
        snprintf(sure, sizeof sure, "%.2f of 1",
                 json_number_value(json_object_get(root, "confidence")));
        print_line(cli, "sure", sure);
    }
    print_steps(cli, root);
    print_evidence(cli, json_object_get(root, "evidence"));
    print_line(cli, "what to do", fg_answer_text(root, "next"));
    fprintf(cli->out, "  %s%-*s%s%zu, the last is ", fg_terminal_paint(cli, FG_FAINT),
            LABEL_COLUMNS, "traces", fg_terminal_paint(cli, FG_PLAIN),
            json_array_size(json_object_get(root, "traces")));
    const json_t *traces = json_object_get(root, "traces");
    const char *trace = json_string_value(json_array_get(traces, json_array_size(traces) - 1));
    fprintf(cli->out, "%s\n", trace ? trace : "not known");
}

/* Asks once; *ret_root is NULL on failure. */
static enum fg_exit ask(struct fg_cli *cli, const struct fg_arguments *arguments, const char *path,
                        json_t **ret_root)
{
    struct fg_buffer body;
    *ret_root = NULL;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    enum fg_exit code = fg_client_get(cli, arguments, path, &body);
    if (code == FG_EXIT_OK) {
        *ret_root = json_loadb((const char *)body.data, body.size, 0, NULL);
        if (!*ret_root)
            code = fg_cli_fail(cli, FG_EXIT_FAILED, "where: the server's answer is no JSON");
    }
    fg_buffer_free(&body);
    return code;
}

static void show(struct fg_cli *cli, const struct fg_arguments *arguments, const json_t *root)
{
    if (fg_arguments_has(arguments, "json")) {
        json_dumpf(root, cli->out, JSON_COMPACT);
        fputc('\n', cli->out);
    } else {
        print_verdict(cli, root);
    }
    fflush(cli->out);
}

/* Whether two verdicts say the same. */
static bool is_same(const json_t *a, const json_t *b)
{
    static const char *const names[] = {"state", "place", "cause", "last_step", "expected_step"};
    for (size_t i = 0; a && i < sizeof names / sizeof *names; i++)
        if (!json_equal(json_object_get(a, names[i]), json_object_get(b, names[i])))
            return false;
    return a != NULL;
}

/* Shows each change, until the journey ends. */
static enum fg_exit watch(struct fg_cli *cli, const struct fg_arguments *arguments,
                          const char *path)
{
    json_t *shown = NULL, *root;
    enum fg_exit code;
    for (;;) {
        code = ask(cli, arguments, path, &root);
        if (code != FG_EXIT_OK)
            break;
        if (!is_same(shown, root))
            show(cli, arguments, root);
        json_decref(shown);
        shown = root;
        const char *state = fg_answer_text(root, "state");
        if (strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0)
            break;
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
    json_decref(shown);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *key = fg_arguments_get(arguments, "key");
    struct fg_buffer path;
    json_t *root = NULL;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_append_string(&path, "/api/v1/journeys/");
    fg_client_escape(&path, key ? key : KEY_DEFAULT);
    fg_buffer_append_byte(&path, '/');
    fg_client_escape(&path, arguments->words[0]);
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code;
    if (path.error || !*arguments->words[0]) {
        code = fg_cli_fail(cli, FG_EXIT_USAGE, "where: expected the number of an order");
    } else if (fg_arguments_has(arguments, "watch")) {
        code = watch(cli, arguments, (const char *)path.data);
    } else {
        code = ask(cli, arguments, (const char *)path.data, &root);
        if (root) {
            show(cli, arguments, root);
            code = states[state_index(root)].code;
        }
        json_decref(root);
    }
    fg_buffer_free(&path);
    return code;
}

static const struct fg_option options[] = {
    {.name = "key",
     .argument = "KEY",
     .help = "the attribute that names it; default: " KEY_DEFAULT},
    {.name = "watch", .help = "go on, and show each change until it ends", .letter = 'w'},
    {.name = "json", .help = "the verdict as JSON"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_where = {
    .name = "where",
    .arguments = "ORDER [OPTIONS]",
    .summary = "say where an order is, and if it stopped, in which place, since when and why",
    .help =
        "Judges the order from its spans as they are now: its state, the place, the cause, the\n"
        "evidence, and what to do.\n"
        "Ends with 0 where it flows, waits for a person, is done or cancelled; 1 where it is "
        "not known;\n"
        "4 where it is late, 5 stuck, 6 broken.\n"
        "\n"
        "Examples\n"
        "  filigree where ORD-4711\n"
        "  filigree where ORD-4711 --watch\n"
        "  filigree where 815 --key payment.id --json | jq -r .cause.text\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
