/* `filigree monitor`: what Filigree watches itself; and a file of monitors, tried without a server.
 */
#include "monitor/monitors.h"

#include "base/units.h"
#include "client.h"
#include "terminal.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX      ((size_t)1 << 20)
#define ERRORS_SIZE_MAX    ((size_t)64 << 10)
#define ANSWER_SIZE_MAX    ((size_t)64 << 20)
#define REPORT_BYTES_MAX   ((size_t)128 << 10)
#define NAME_COLUMNS       24
#define KIND_COLUMNS       11
#define RESULT_COLUMNS     9
#define AGE_COLUMNS        9
#define REASON_COLUMNS_MIN 20

static const char *paint_of(const char *result)
{
    if (strcmp(result, "ok") == 0)
        return FG_GREEN;
    return strcmp(result, "down") == 0 ? FG_RED : FG_YELLOW;
}

static void print_head(struct fg_cli *cli, const char *age)
{
    fprintf(cli->out, "%s%-*s %-*s %-*s %*s %s%s\n", fg_terminal_paint(cli, FG_BOLD), NAME_COLUMNS,
            "Monitor", KIND_COLUMNS, "Kind", RESULT_COLUMNS, "Result", AGE_COLUMNS, age,
            "What was found", fg_terminal_paint(cli, FG_PLAIN));
}

static void print_row(struct fg_cli *cli, const char *name, const char *kind, const char *result,
                      const char *age, struct fg_slice reason)
{
    int columns =
        fg_terminal_columns(cli) - NAME_COLUMNS - KIND_COLUMNS - RESULT_COLUMNS - AGE_COLUMNS - 4;
    fg_terminal_cell(cli->out, fg_slice_from_string(name), NAME_COLUMNS);
    fputc(' ', cli->out);
    fg_terminal_cell(cli->out, fg_slice_from_string(kind), KIND_COLUMNS);
    fprintf(cli->out, " %s%-*s%s %*s ", fg_terminal_paint(cli, paint_of(result)), RESULT_COLUMNS,
            result, fg_terminal_paint(cli, FG_PLAIN), AGE_COLUMNS, age);
    fg_terminal_cell(cli->out, reason, columns < REASON_COLUMNS_MIN ? REASON_COLUMNS_MIN : columns);
    fputc('\n', cli->out);
}

/* -- Of a server */

static bool print_monitor(struct fg_cli *cli, const json_t *monitor)
{
    const json_t *finding = json_array_get(json_object_get(monitor, "findings"), 0);
    const char *result = fg_answer_text(monitor, "result"), *text = fg_answer_text(finding, "text");
    uint64_t since_ns, now_ns = fg_env_wall_ns(cli->env);
    char age[FG_UNITS_TEXT_SIZE] = "";
    if (fg_time_parse(fg_slice_from_string(fg_answer_text(monitor, "since")), &since_ns) == 0)
        fg_duration_format(now_ns > since_ns ? now_ns - since_ns : 0, age);
    bool is_new = json_is_true(json_object_get(monitor, "is_new"));
    if (json_is_true(json_object_get(monitor, "is_paused")))
        text = "paused";
    else if (is_new && !*text)
        text = "not looked at yet";
    print_row(cli, fg_answer_text(monitor, "name"), fg_answer_text(monitor, "kind"), result, age,
              fg_slice_from_string(text));
    return strcmp(result, "ok") == 0 || is_new;
}

static enum fg_exit show_list(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const json_t *root)
{
    const json_t *list = json_object_get(root, "monitors");
    bool is_well = true;
    (void)arguments;
    if (json_array_size(list) == 0) {
        fprintf(cli->out, "nothing is watched: see `filigree serve --monitors FILE`\n");
        return FG_EXIT_NO;
    }
    print_head(cli, "Since");
    for (size_t i = 0; i < json_array_size(list); i++)
        is_well &= print_monitor(cli, json_array_get(list, i));
    return is_well ? FG_EXIT_OK : FG_EXIT_NO;
}

static enum fg_exit show_run(struct fg_cli *cli, const struct fg_arguments *arguments,
                             const struct fg_buffer *body)
{
    json_t *root = json_loadb((const char *)body->data, body->size, 0, NULL);
    enum fg_exit code = FG_EXIT_OK;
    if (!root)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "monitor: the server's answer is no JSON");
    if (fg_arguments_has(arguments, "json")) {
        fprintf(cli->out, "%.*s\n", (int)body->size, (const char *)body->data);
        code = strcmp(fg_answer_text(root, "result"), "ok") == 0 ? FG_EXIT_OK : FG_EXIT_NO;
    } else {
        print_head(cli, "Since");
        code = print_monitor(cli, root) ? FG_EXIT_OK : FG_EXIT_NO;
    }
    json_decref(root);
    return code;
}

static enum fg_exit run_one(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *name)
{
    struct fg_client *client;
    struct fg_buffer path, body;
    long status = 0;
    if (fg_client_new(cli, arguments, &client) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    fg_buffer_init(&path, 4096);
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    fg_buffer_append_string(&path, "/api/v1/monitors/");
    fg_client_escape(&path, name);
    fg_buffer_append(&path, "/run", 5);
    const struct fg_client_request request = {.path = (const char *)path.data,
                                              .content_type = "application/json",
                                              .data = fg_client_append,
                                              .arg = &body};
    int r = path.error ? path.error : fg_client_run(client, &request, &status);
    enum fg_exit code = r < 0 || status >= 300 ? fg_client_fail(cli, client, r, status)
                                               : show_run(cli, arguments, &body);
    fg_buffer_free(&path);
    fg_buffer_free(&body);
    fg_client_free(client);
    return code;
}

/* -- Without a server */

static void write_try(struct fg_cli *cli, const struct fg_monitor_config *config,
                      const struct fg_check_report *report, uint64_t took_ns)
{
    struct fg_buffer line;
    fg_buffer_init(&line, ERRORS_SIZE_MAX * 2);
    struct fg_json_writer json = fg_json_writer(&line);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "name");
    fg_json_string(&json, fg_slice_from_string(config->name));
    FG_JSON_KEY(&json, "kind");
    fg_json_string(&json, fg_slice_from_string(config->kind->name));
    FG_JSON_KEY(&json, "result");
    fg_json_string(&json, fg_slice_from_string(fg_check_result_name(fg_check_worst(report))));
    FG_JSON_KEY(&json, "took_ns");
    fg_json_uint(&json, took_ns);
    FG_JSON_KEY(&json, "findings");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < report->finding_count; i++) {
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "code");
        fg_json_string(&json, fg_slice_from_string(report->findings[i].code));
        FG_JSON_KEY(&json, "result");
        fg_json_string(&json,
                       fg_slice_from_string(fg_check_result_name(report->findings[i].result)));
        FG_JSON_KEY(&json, "text");
        fg_json_string(&json, report->findings[i].text);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    fprintf(cli->out, "%.*s\n", (int)line.size, (const char *)line.data);
    fg_buffer_free(&line);
}

static bool try_one(struct fg_cli *cli, const struct fg_arguments *arguments,
                    const struct fg_monitor_config *config)
{
    struct fg_arena arena;
    struct fg_check_report report = {.arena = &arena};
    char took[FG_UNITS_TEXT_SIZE];
    fg_arena_init(&arena, REPORT_BYTES_MAX);
    uint64_t begin_ns = fg_env_mono_ns(cli->env);
    fg_monitor_try(cli->env, config, &report);
    uint64_t took_ns = fg_env_mono_ns(cli->env) - begin_ns;
    enum fg_check_result worst = fg_check_worst(&report);
    fg_duration_format(took_ns, took);
    if (fg_arguments_has(arguments, "json"))
        write_try(cli, config, &report, took_ns);
    else if (report.finding_count == 0)
        print_row(cli, config->name, config->kind->name, "ok", took, (struct fg_slice){0});
    for (uint32_t i = 0; i < report.finding_count && !fg_arguments_has(arguments, "json"); i++)
        print_row(cli, i ? "" : config->name, i ? "" : config->kind->name,
                  fg_check_result_name(report.findings[i].result), i ? "" : took,
                  report.findings[i].text);
    fg_arena_free(&arena);
    return worst == FG_CHECK_OK;
}

static enum fg_exit test_file(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const char *path)
{
    const struct fg_monitor_source source = {.env = cli->env, .file_name = path};
    struct fg_monitor_configs configs = {0};
    struct fg_buffer errors;
    uint8_t *text = NULL;
    size_t size = 0;
    bool is_well = true;
    int r = fg_cli_read_file(cli, path, FILE_SIZE_MAX, &text, &size);
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "monitor: can't read %s: %s", path,
                           fg_error_name(r));
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    r = fg_monitor_configs_parse(&source, fg_slice(text, size), &errors, &configs);
    fprintf(cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
    if (r == 0 && !fg_arguments_has(arguments, "json"))
        print_head(cli, "Took");
    for (uint32_t i = 0; r == 0 && i < configs.count; i++)
        is_well &= try_one(cli, arguments, configs.items[i]);
    fg_monitor_configs_free(&configs);
    fg_buffer_free(&errors);
    free(text);
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "monitor: %s is not taken: %s", path,
                           r == FG_EINVALID ? "see above" : fg_error_name(r));
    return is_well ? FG_EXIT_OK : FG_EXIT_NO;
}

static enum fg_exit list_kinds(struct fg_cli *cli)
{
    for (const struct fg_check_kind *const *kind = fg_check_kinds; *kind; kind++)
        fprintf(cli->out, "%-*s %s\n", KIND_COLUMNS, (*kind)->name, (*kind)->summary);
    return FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->words[0];
    const char *word = arguments->word_count > 1 ? arguments->words[1] : NULL;
    if (strcmp(verb, "list") == 0 && !word)
        return fg_client_show(cli, arguments, "/api/v1/monitors", "monitors", show_list);
    if (strcmp(verb, "kinds") == 0 && !word)
        return list_kinds(cli);
    if (strcmp(verb, "run") == 0 && word)
        return run_one(cli, arguments, word);
    if (strcmp(verb, "test") == 0 && word)
        return test_file(cli, arguments, word);
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "monitor: expected list, run NAME, test FILE or kinds; see --help");
}

static const struct fg_option options[] = {
    {.name = "json", .help = "the answer as JSON; of test, a line for each monitor"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_monitor = {
    .name = "monitor",
    .arguments = "list | run NAME | test FILE | kinds",
    .summary = "what is watched from outside, and how it is",
    .help = "list shows all monitors of a server, run looks with one of them now. test reads a "
            "file of monitors and\n"
            "looks with each of them once, without a server. Ends with 0 where all is well, 1 "
            "where something is not.\n"
            "\n"
            "Examples\n"
            "  filigree monitor list\n"
            "  filigree monitor run shop-db\n"
            "  filigree monitor test /etc/filigree/monitors.yaml\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 2,
    .run = run,
};
