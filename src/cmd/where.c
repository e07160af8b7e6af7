/* `filigree where ORDER`: where a journey is, and where it broke. */
#include "base/limits.h"
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

/* What is well is said to be so less surely where something speaks against it. */
#define SURE_ENOUGH     0.89
#define ANSWER_SIZE_MAX ((size_t)4 << 20)
#define PATH_SIZE_MAX   ((size_t)4 << 10)
#define KEY_DEFAULT     "order.id"
#define LABEL_COLUMNS   12
#define WATCH_MS        5000
/* A server that went away while it was watched is asked again after so long, which doubles, until
 * it has been away for AWAY_NS_MAX. */
#define RETRY_NS     FG_NS_PER_SECOND
#define RETRY_NS_MAX (15 * FG_NS_PER_SECOND)
#define AWAY_NS_MAX  (10 * FG_NS_PER_MINUTE)
#define ASK_MS       30000
/* What came last before a kill may be unknown for a moment after the start. */
#define UNKNOWN_NS_MAX (30 * FG_NS_PER_SECOND)

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

/* "mes.orders: 2 sent, 1 waiting, 3 rejected"; what is none is left out. */
static void print_queues(struct fg_cli *cli, const json_t *queues)
{
    static const struct {
        const char *name, *said;
    } counts[] = {{"published", "sent"},    {"waiting", "waiting"},
                  {"consumed", "consumed"}, {"redelivered", "redelivered"},
                  {"rejected", "rejected"}, {"returned", "returned"}};
    for (size_t i = 0; i < json_array_size(queues); i++) {
        const json_t *queue = json_array_get(queues, i);
        const char *between = ": ";
        print_label(cli, i == 0 ? "queues" : "");
        print_text(cli, fg_answer_text(queue, "name"));
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            uint64_t count = fg_answer_number(queue, counts[k].name);
            if (count == 0)
                continue;
            fprintf(cli->out, "%s%" PRIu64 " %s", between, count, counts[k].said);
            between = ", ";
        }
        fputc('\n', cli->out);
    }
}

static void print_recovery(struct fg_cli *cli, const json_t *recovered)
{
    if (!json_is_object(recovered))
        return;
    print_line(cli, "got over", fg_answer_text(json_object_get(recovered, "cause"), "text"));
    print_label(cli, "");
    print_moment(cli, fg_answer_text(recovered, "since"));
    fputs(" to ", cli->out);
    print_moment(cli, fg_answer_text(recovered, "until"));
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
        const char *kind = fg_answer_text(place, "kind");
        bool is_known = strcmp(kind, "unknown") != 0;
        if (is_known || *service || *name)
            fprintf(cli->out, " at %s%s%s", is_known ? "the " : "", is_known ? kind : "",
                    is_known ? " " : "");
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
    double confidence = json_number_value(json_object_get(root, "confidence"));
    if (json_is_object(cause))
        print_line(cli, "cause", fg_answer_text(cause, "text"));
    if (json_is_object(cause) || confidence < SURE_ENOUGH) {
        char sure[32];
        snprintf(sure, sizeof sure, "%.2f of 1", confidence);
        print_line(cli, "sure", sure);
    }
    print_recovery(cli, json_object_get(root, "recovered"));
    print_steps(cli, root);
    print_queues(cli, json_object_get(root, "queues"));
    print_evidence(cli, json_object_get(root, "evidence"));
    print_line(cli, "what to do", fg_answer_text(root, "next"));
    fprintf(cli->out, "  %s%-*s%s%zu, the last is ", fg_terminal_paint(cli, FG_FAINT),
            LABEL_COLUMNS, "traces", fg_terminal_paint(cli, FG_PLAIN),
            json_array_size(json_object_get(root, "traces")));
    const json_t *traces = json_object_get(root, "traces");
    const char *trace = json_string_value(json_array_get(traces, json_array_size(traces) - 1));
    fprintf(cli->out, "%s\n", trace ? trace : "not known");
}

/* A server that is asked again and again: how long it is away. */
struct absence {
    uint64_t since_ns, retry_ns; /* since_ns 0: it is there */
};

/* Whether this may pass: there is no answer, or none from who knows the journey yet. */
static bool is_passing(struct fg_cli *cli, const struct absence *absence, int result, long status)
{
    bool is_back =
        absence->since_ns > 0 && fg_env_mono_ns(cli->env) - absence->since_ns < UNKNOWN_NS_MAX;
    return result == FG_EIO || result == FG_ETIMEOUT ||
           (result == 0 &&
            (status == 429 || (status >= 502 && status <= 504) || (status == 404 && is_back)));
}

/* Says so once, and waits; false: it was away for too long. */
static bool wait_for_server(struct fg_cli *cli, struct absence *absence, const char *message)
{
    uint64_t now_ns = fg_env_mono_ns(cli->env);
    if (absence->since_ns == 0) {
        *absence = (struct absence){now_ns, RETRY_NS};
        fprintf(cli->err, "filigree: %s\nfiligree: asking again, for ten minutes at most\n",
                message);
    }
    if (now_ns - absence->since_ns >= AWAY_NS_MAX)
        return false;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(absence->retry_ns / FG_NS_PER_SECOND)}, NULL);
    absence->retry_ns = absence->retry_ns * 2 < RETRY_NS_MAX ? absence->retry_ns * 2 : RETRY_NS_MAX;
    return true;
}

/* One question. *ret_is_away: there was no answer, and there may be one later, as far as absence
 * (NULL: it is not waited for) says. */
static enum fg_exit ask_once(struct fg_cli *cli, const struct fg_arguments *arguments,
                             const char *path, struct absence *absence, struct fg_buffer *body,
                             bool *ret_is_away)
{
    struct fg_client *client;
    long status = 0;
    *ret_is_away = false;
    if (fg_client_new(cli, arguments, &client) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    const struct fg_client_request request = {
        .path = path, .data = fg_client_append, .arg = body, .timeout_ms = absence ? ASK_MS : 0};
    int r = fg_client_run(client, &request, &status);
    enum fg_exit code = FG_EXIT_OK;
    if (absence && is_passing(cli, absence, r, status))
        *ret_is_away = wait_for_server(cli, absence, fg_client_message(client));
    if ((r < 0 || status >= 300) && !*ret_is_away)
        code = fg_client_fail(cli, client, r, status);
    fg_client_free(client);
    return code;
}

/* The verdict; NULL in *ret_root on failure. A server that is away is waited for where absence is
 * given. */
static enum fg_exit ask(struct fg_cli *cli, const struct fg_arguments *arguments, const char *path,
                        struct absence *absence, json_t **ret_root)
{
    struct fg_buffer body;
    enum fg_exit code;
    bool is_away = true;
    *ret_root = NULL;
    do {
        fg_buffer_init(&body, ANSWER_SIZE_MAX);
        code = ask_once(cli, arguments, path, absence, &body, &is_away);
        if (is_away)
            fg_buffer_free(&body);
    } while (is_away);
    if (code == FG_EXIT_OK) {
        *ret_root = json_loadb((const char *)body.data, body.size, 0, NULL);
        if (!*ret_root)
            code = fg_cli_fail(cli, FG_EXIT_FAILED, "where: the server's answer is no JSON");
    }
    fg_buffer_free(&body);
    if (code == FG_EXIT_OK && absence && absence->since_ns > 0) {
        fputs("filigree: the server answers again\n", cli->err);
        absence->since_ns = 0;
    }
    return code;
}

static void show(struct fg_cli *cli, const struct fg_arguments *arguments, const json_t *root)
{
    if (fg_arguments_has(arguments, "json")) {
        json_dumpf(root, cli->out, JSON_COMPACT | JSON_REAL_PRECISION(15));
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

/* What the server tells of the journey, as far as it has come. */
struct listening {
    char tail[32]; /* the end of what was read: a word may come in two parts */
    size_t size;
};

/* Ends the request with 1 when something changed. */
static int on_event(void *arg, struct fg_slice data)
{
    struct listening *listening = arg;
    for (size_t i = 0; i < data.size; i++) {
        if (listening->size == sizeof listening->tail - 1)
            memmove(listening->tail, listening->tail + 1, --listening->size);
        listening->tail[listening->size++] = (char)data.data[i];
        listening->tail[listening->size] = 0;
        if (data.data[i] == '\n' && (strstr(listening->tail, "event: change\n") ||
                                     strstr(listening->tail, "event: reset\n")))
            return 1;
    }
    return 0;
}

/* Waits until the server tells of a change, or for WATCH_MS: a step inside its deadline is not
 * told. A server that can't tell is asked once a second. */
static void wait_for_change(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *path)
{
    char events[PATH_SIZE_MAX + 16];
    struct listening listening = {.size = 0};
    struct fg_client *client;
    long status = 0;
    snprintf(events, sizeof events, "%s/events", path);
    int r = fg_client_new(cli, arguments, &client);
    if (r == 0) {
        const struct fg_client_request request = {
            .path = events, .data = on_event, .arg = &listening, .timeout_ms = WATCH_MS};
        r = fg_client_run(client, &request, &status);
        fg_client_free(client);
    }
    if (r != 1 && r != FG_ETIMEOUT)
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

/* Shows each change, until the journey ends. */
static enum fg_exit watch(struct fg_cli *cli, const struct fg_arguments *arguments,
                          const char *path)
{
    struct absence absence = {0};
    json_t *shown = NULL, *root;
    enum fg_exit code;
    for (;;) {
        /* one that can't be asked at the beginning is none that comes back */
        code = ask(cli, arguments, path, shown ? &absence : NULL, &root);
        if (code != FG_EXIT_OK)
            break;
        if (!is_same(shown, root))
            show(cli, arguments, root);
        json_decref(shown);
        shown = root;
        const char *state = fg_answer_text(root, "state");
        if (strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0)
            break;
        wait_for_change(cli, arguments, path);
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
        code = ask(cli, arguments, (const char *)path.data, NULL, &root);
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
        "4 where it is late, 5 stuck, 6 broken; 3 where the server can't be asked. --watch asks a\n"
        "server that went away again, after 1 s, 2 s and so on up to 15 s; with 3 it ends after "
        "ten\n"
        "minutes.\n"
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
