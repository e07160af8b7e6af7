/* `filigree redact --dry-run`: what rules would take of the spans that are stored. Nothing is
 * changed. */
#include "api/value_clean.h"
#include "base/limits.h"
#include "client.h"
#include "export_source.h"
#include "progress.h"
#include "redact_rules.h"
#include "terminal.h"
#include "wire/otlp.h"

#include <inttypes.h>
#include <stdlib.h>

#define FILE_SIZE_MAX   ((size_t)1 << 20)
#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define LINE_SIZE_MAX   ((size_t)FG_REQUEST_INFLATED_SIZE_MAX * 4)
/* Rules and keys that are listed; more are counted together. */
#define FINDINGS_MAX  1000u
#define EXAMPLE_MAX   160u
#define RULE_COLUMNS  18
#define KEY_COLUMNS   36
#define COUNT_COLUMNS 10

struct finding {
    size_t rule;
    struct fg_slice key;
    struct fg_slice before, after; /* of the first one */
    bool is_dropped;
    uint64_t count;
};

struct dry_run {
    struct fg_cli *cli;
    struct fg_redact_rules *rules;
    struct fg_redactor *redactor;
    struct fg_arena arena;   /* findings' texts */
    struct fg_arena scratch; /* of one span */
    struct fg_buffer line;
    struct fg_progress progress;
    uint64_t hits[FG_REDACT_RULES_MAX]; /* before the value that is looked at */
    struct finding findings[FINDINGS_MAX];
    size_t finding_count;
    uint64_t unlisted, spans, bytes;
    struct fg_slice span_name, status_message;
    struct fg_wire_error error;
};

/* -- Looking
 * ------------------------------------------------------------------------------------------ */

static struct finding *find(struct dry_run *run, size_t rule, struct fg_slice key)
{
    for (size_t i = 0; i < run->finding_count; i++)
        if (run->findings[i].rule == rule && fg_slice_equal(run->findings[i].key, key))
            return &run->findings[i];
    struct fg_slice copy = fg_arena_copy(&run->arena, key);
    if (run->finding_count == FINDINGS_MAX || !copy.data)
        return NULL;
    struct finding *finding = &run->findings[run->finding_count++];
    *finding = (struct finding){.rule = rule, .key = copy};
    return finding;
}

static struct fg_slice shorten(struct dry_run *run, const struct fg_otlp_value *value)
{
    struct fg_slice text = value->type == FG_OTLP_STRING ? value->string : FG_SLICE("(no text)");
    char digits[32];
    if (value->type == FG_OTLP_INT) {
        snprintf(digits, sizeof digits, "%" PRId64, value->integer);
        text = fg_slice_from_string(digits);
    }
    text.size = text.size < EXAMPLE_MAX ? text.size : EXAMPLE_MAX;
    return fg_arena_copy(&run->arena, text);
}

static void note(struct dry_run *run, struct fg_slice key, const struct fg_otlp_value *before,
                 const struct fg_otlp_value *after)
{
    for (size_t i = 0; i < fg_redact_rules_count(run->rules); i++) {
        uint64_t hits = fg_redact_rules_hits(run->rules, i);
        if (hits == run->hits[i])
            continue;
        run->hits[i] = hits;
        struct finding *finding = find(run, i, key);
        if (!finding) {
            run->unlisted++;
            continue;
        }
        if (finding->count++ > 0)
            continue;
        finding->before = shorten(run, before);
        finding->is_dropped = after == NULL;
        if (after)
            finding->after = shorten(run, after);
    }
}

static int look(struct dry_run *run, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_value_changes changes = {0};
    struct fg_otlp_value cleaned;
    int r = fg_value_clean(run->redactor, key, value, &run->scratch, &changes, &cleaned);
    if (r < 0)
        return r;
    if (r == FG_VALUE_DROPPED || changes.redacted_count || changes.dropped_count)
        note(run, key, value, r == FG_VALUE_DROPPED ? NULL : &cleaned);
    return 0;
}

static int look_at_text(struct dry_run *run, struct fg_slice name, struct fg_slice text)
{
    struct fg_otlp_value value = fg_otlp_string(text);
    return text.size ? look(run, name, &value) : 0;
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    return look_at_text(arg, FG_SLICE("schema_url"), resource->schema_url);
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    int r = look_at_text(arg, FG_SLICE("scope.name"), scope->name);
    return r == 0 ? look_at_text(arg, FG_SLICE("scope.version"), scope->version) : r;
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct dry_run *run = arg;
    fg_arena_reset(&run->scratch);
    run->spans++;
    int r = look_at_text(run, FG_SLICE("span.name"), span->name);
    if (r == 0)
        r = look_at_text(run, FG_SLICE("span.status_message"), span->status_message);
    return r == 0 ? look_at_text(run, FG_SLICE("span.trace_state"), span->trace_state) : r;
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    return look_at_text(arg, FG_SLICE("event.name"), event->name);
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    return look_at_text(arg, FG_SLICE("span.trace_state"), link->trace_state);
}

static int attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return look(arg, key, value);
}

static int at_end(void *arg)
{
    (void)arg;
    return 0;
}

static const struct fg_otlp_visitor visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = attribute,
    .resource_end = at_end,
    .scope_begin = scope_begin,
    .scope_attribute = attribute,
    .scope_end = at_end,
    .span_begin = span_begin,
    .span_attribute = attribute,
    .event_begin = event_begin,
    .event_attribute = attribute,
    .event_end = at_end,
    .link_begin = link_begin,
    .link_attribute = attribute,
    .link_end = at_end,
    .span_end = at_end,
};

static int look_at_line(struct dry_run *run)
{
    if (run->line.size == 0)
        return 0;
    int r = run->line.error;
    if (r == 0)
        r = fg_otlp_decode_traces_json(fg_buffer_slice(&run->line), &visitor, run, &run->error);
    fg_buffer_reset(&run->line);
    return r;
}

static int on_data(void *arg, struct fg_slice data)
{
    struct dry_run *run = arg;
    run->bytes += data.size;
    fg_progress_update(&run->progress, run->bytes, 0);
    while (data.size > 0) {
        const uint8_t *end = memchr(data.data, '\n', data.size);
        size_t size = end ? (size_t)(end - data.data) : data.size;
        fg_buffer_append(&run->line, data.data, size);
        data = fg_slice(data.data + size + (end != NULL), data.size - size - (end != NULL));
        int r = end ? look_at_line(run) : run->line.error;
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Rules
 * -------------------------------------------------------------------------------------------- */

static enum fg_exit load_rules(struct dry_run *run, const struct fg_arguments *arguments)
{
    const char *path = fg_arguments_get(arguments, "rules");
    struct fg_redact_file file = {.count = 0};
    uint8_t *text = NULL;
    size_t size = 0;
    int r = path ? fg_cli_read_file(run->cli, path, FILE_SIZE_MAX, &text, &size) : 0;
    if (r < 0)
        return fg_cli_fail(run->cli, FG_EXIT_USAGE, "redact: can't read %s: %s", path,
                           fg_error_name(r));
    if (path) {
        struct fg_buffer errors;
        fg_buffer_init(&errors, FILE_SIZE_MAX);
        r = fg_redact_file_parse(fg_slice(text, size), path, &run->arena, &errors, &file);
        fprintf(run->cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
        fg_buffer_free(&errors);
        free(text);
    }
    struct fg_redact_rule list[2 * FG_REDACT_RULES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < file.count; i++)
        list[count++] = file.rules[i];
    for (size_t i = 0;
         i < fg_redact_default_rule_count && !fg_arguments_has(arguments, "no-defaults"); i++)
        list[count++] = fg_redact_default_rules[i];
    const char *message = NULL;
    uint8_t key[FG_REDACT_HASH_KEY_SIZE];
    fg_env_random(run->cli->env, key, sizeof key);
    if (r == 0)
        r = fg_redact_rules_new(list, count, key, &run->arena, &message, &run->rules);
    if (r == 0)
        r = fg_redactor_new(run->rules, &run->redactor);
    if (r == 0 && !run->redactor)
        return fg_cli_fail(run->cli, FG_EXIT_USAGE, "redact: there are no rules to try");
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(run->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED,
                       "redact: the rules are not taken: %s",
                       message            ? message
                       : r == FG_EINVALID ? "see above"
                                          : fg_error_name(r));
}

/* -- Showing
 * ------------------------------------------------------------------------------------------ */

static int by_count(const void *a, const void *b)
{
    const struct finding *left = a, *right = b;
    return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

static json_t *text_of(struct fg_slice text)
{
    json_t *json = json_stringn((const char *)text.data, text.size);
    return json ? json : json_string("(not UTF-8)");
}

static enum fg_exit show_json(struct dry_run *run, bool shows_values)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->finding_count; i++) {
        const struct finding *finding = &run->findings[i];
        const struct fg_redact_rule *rule = fg_redact_rules_at(run->rules, finding->rule);
        json_t *item = json_pack("{s:s, s:s, s:o, s:I}", "rule", rule->name, "action",
                                 fg_redact_action_name(rule->action), "key", text_of(finding->key),
                                 "count", (json_int_t)finding->count);
        if (shows_values)
            json_object_set_new(item, "before", text_of(finding->before));
        json_object_set_new(item, "after",
                            finding->is_dropped ? json_null() : text_of(finding->after));
        json_array_append_new(list, item);
    }
    json_t *root = json_pack("{s:I, s:o, s:I}", "spans", (json_int_t)run->spans, "findings", list,
                             "unlisted", (json_int_t)run->unlisted);
    int r = root ? json_dumpf(root, run->cli->out, JSON_INDENT(2)) : -1;
    json_decref(root);
    fputc('\n', run->cli->out);
    return r == 0 ? FG_EXIT_OK : fg_cli_fail(run->cli, FG_EXIT_FAILED, "out of memory");
}

static void show_row(struct dry_run *run, const struct finding *finding, bool shows_values)
{
    FILE *out = run->cli->out;
    const struct fg_redact_rule *rule = fg_redact_rules_at(run->rules, finding->rule);
    int rest = fg_terminal_columns(run->cli) - RULE_COLUMNS - KEY_COLUMNS - COUNT_COLUMNS - 6;
    fg_terminal_cell(out, fg_slice_from_string(rule->name), RULE_COLUMNS);
    fputc(' ', out);
    fg_terminal_cell(out, finding->key, KEY_COLUMNS);
    fprintf(out, " %*" PRIu64 "  ", COUNT_COLUMNS, finding->count);
    fg_terminal_cell(out, finding->is_dropped ? FG_SLICE("(removed)") : finding->after,
                     rest > 16 ? rest : 16);
    fputc('\n', out);
    if (!shows_values)
        return;
    fprintf(out, "%*s%s", RULE_COLUMNS + KEY_COLUMNS + COUNT_COLUMNS + 4, "",
            fg_terminal_paint(run->cli, FG_FAINT));
    fg_terminal_cell(out, finding->before, rest > 16 ? rest : 16);
    fprintf(out, "%s\n", fg_terminal_paint(run->cli, FG_PLAIN));
}

static enum fg_exit show(struct dry_run *run, const struct fg_arguments *arguments)
{
    bool shows_values = fg_arguments_has(arguments, "show-values");
    qsort(run->findings, run->finding_count, sizeof *run->findings, by_count);
    if (fg_arguments_has(arguments, "json"))
        return show_json(run, shows_values);
    FILE *out = run->cli->out;
    fprintf(out, "%" PRIu64 " span%s looked at; nothing was changed.\n", run->spans,
            run->spans == 1 ? " was" : "s were");
    if (run->finding_count == 0) {
        fprintf(out, "The rules would take nothing of them.\n");
        return FG_EXIT_OK;
    }
    fprintf(out, "\n%s%-*s %-*s %*s  %s%s\n", fg_terminal_paint(run->cli, FG_BOLD), RULE_COLUMNS,
            "Rule", KEY_COLUMNS, "Key", COUNT_COLUMNS, "Times",
            shows_values ? "Would become, and was" : "Would become",
            fg_terminal_paint(run->cli, FG_PLAIN));
    for (size_t i = 0; i < run->finding_count; i++)
        show_row(run, &run->findings[i], shows_values);
    if (run->unlisted)
        fprintf(out, "and %" PRIu64 " more times under other keys\n", run->unlisted);
    return FG_EXIT_OK;
}

static enum fg_exit try_rules(struct dry_run *run, const struct fg_arguments *arguments)
{
    enum fg_exit code = load_rules(run, arguments);
    if (code != FG_EXIT_OK)
        return code;
    fg_progress_begin(&run->progress, run->cli, "redact", true);
    code = fg_export_read(run->cli, arguments, "redact", on_data, run);
    fg_progress_end(&run->progress);
    if (code == FG_EXIT_OK && look_at_line(run) < 0)
        code = fg_cli_fail(run->cli, FG_EXIT_FAILED, "redact: the last span was cut");
    if (code != FG_EXIT_OK && *run->error.text)
        fg_cli_fail(run->cli, code, "redact: what was exported can't be read: %s", run->error.text);
    return code == FG_EXIT_OK ? show(run, arguments) : code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    if (!fg_arguments_has(arguments, "dry-run"))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "redact: give --dry-run; what is stored is never changed by rules, only "
                           "erased (`filigree erase`)");
    struct dry_run *dry = calloc(1, sizeof *dry);
    if (!dry)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    dry->cli = cli;
    fg_arena_init(&dry->arena, ARENA_BYTES_MAX);
    fg_arena_init(&dry->scratch, ARENA_BYTES_MAX);
    fg_buffer_init(&dry->line, LINE_SIZE_MAX);
    enum fg_exit code = try_rules(dry, arguments);
    fg_redactor_free(dry->redactor);
    fg_redact_rules_unref(dry->rules);
    fg_buffer_free(&dry->line);
    fg_arena_free(&dry->scratch);
    fg_arena_free(&dry->arena);
    free(dry);
    return code;
}

static const struct fg_option options[] = {
    {.name = "dry-run", .help = "say what would be taken, and change nothing"},
    {.name = "rules", .argument = "FILE", .help = "rules of your own, before the default ones"},
    {.name = "no-defaults", .help = "without the default rules"},
    {.name = "show-values", .help = "show what is there now, too: it may be a secret"},
    {.name = "json", .help = "as JSON"},
    FG_TIME_RANGE_OPTIONS,
    FG_EXPORT_SOURCE_OPTIONS,
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_redact = {
    .name = "redact",
    .arguments = "--dry-run [OPTIONS]",
    .summary = "show what rules of redaction would take",
    .help =
        "Looks at stored spans as the server looks at new ones, and says which rule would take "
        "what\n"
        "under which key. So a rule can be tried before it is put in force, and what came before "
        "it\n"
        "can be found and erased.\n"
        "\n"
        "Examples\n"
        "  filigree redact --dry-run --since 1h\n"
        "  filigree redact --dry-run --rules my.yaml --no-defaults --show-values\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
