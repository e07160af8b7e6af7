/* `filigree audit`: the list of who did what, and whether it is whole. */
#include "auth/audit.h"
#include "base/hex.h"
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* -- verify: of a folder, with or without a server */

static void damage(void *arg, const char *sentence)
{
    struct fg_cli *cli = arg;
    fprintf(cli->out, "%s\n", sentence);
}

/* "1234:5c1e…" */
static bool parse_head(const char *text, struct fg_audit_head *ret_head)
{
    char *end;
    errno = 0;
    ret_head->sequence = strtoull(text, &end, 10);
    if (errno || end == text || *end != ':' || ret_head->sequence == 0)
        return false;
    struct fg_slice hash = fg_slice_from_string(end + 1);
    return hash.size == 2 * sizeof ret_head->hash && fg_hex_decode(hash, ret_head->hash) == 0;
}

static enum fg_exit verify(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *folder = fg_arguments_get(arguments, "data");
    const char *kept = fg_arguments_get(arguments, "head");
    struct fg_audit_head head;
    struct fg_audit_report report;
    if (kept && !parse_head(kept, &head))
        return fg_cli_fail(
            cli, FG_EXIT_USAGE,
            "--head: expected NUMBER:HASH, as `filigree audit head` and the server's "
            "log say it");
    int r = fg_audit_verify(cli->env, folder ? folder : "./data", kept ? &head : NULL, damage, cli,
                            &report);
    if (r == FG_ENOTFOUND)
        return fg_cli_fail(cli, FG_EXIT_NO, "there is no audit in %s", folder ? folder : "./data");
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "can't read the audit: %s", fg_error_name(r));
    char hash[2 * FG_AUDIT_HASH_SIZE];
    fg_hex_encode(fg_slice(report.hash, sizeof report.hash), hash);
    if (report.break_count) {
        fprintf(cli->out, "damaged: %" PRIu64 " places\n", report.break_count);
        return FG_EXIT_NO;
    }
    fprintf(cli->out,
            "whole: %" PRIu64 " records, %" PRIu64 " to %" PRIu64 "; head %" PRIu64 ":%.*s\n",
            report.records, report.first, report.last, report.last, (int)sizeof hash, hash);
    if (!kept)
        fprintf(cli->out,
                "whether its end was cut off can be told by --head, with one that was kept "
                "elsewhere\n");
    return FG_EXIT_OK;
}

/* -- list and head: of a running server */

static enum fg_exit show_list(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const json_t *root)
{
    (void)arguments;
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(root, "records"), i, record)
    {
        const char *who = fg_answer_text(record, "who");
        fprintf(cli->out, "%s  %-20s %-15s %-16s %s  [%s]\n", fg_answer_text(record, "time"),
                *who ? who : "-", fg_answer_text(record, "from"), fg_answer_text(record, "action"),
                fg_answer_text(record, "what"), fg_answer_text(record, "result"));
    }
    return FG_EXIT_OK;
}

static enum fg_exit show_head(struct fg_cli *cli, const struct fg_arguments *arguments,
                              const json_t *root)
{
    (void)arguments;
    fprintf(cli->out, "%" PRIu64 ":%s\n", fg_answer_number(root, "sequence"),
            fg_answer_text(root, "hash"));
    return FG_EXIT_OK;
}

static void add_param(struct fg_buffer *path, const struct fg_arguments *arguments,
                      const char *name)
{
    const char *value = fg_arguments_get(arguments, name);
    if (!value)
        return;
    fg_buffer_append_format(path, "%s%s=", path->size > sizeof "/api/v1/audit" - 1 ? "&" : "?",
                            name);
    fg_client_escape(path, value);
}

static enum fg_exit list(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_buffer path;
    fg_buffer_init(&path, (size_t)16 << 10);
    fg_buffer_append_string(&path, "/api/v1/audit");
    add_param(&path, arguments, "who");
    add_param(&path, arguments, "action");
    add_param(&path, arguments, "what");
    add_param(&path, arguments, "limit");
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code =
        path.error ? fg_cli_fail(cli, FG_EXIT_USAGE, "the options are too long")
                   : fg_client_show(cli, arguments, (const char *)path.data, "records", show_list);
    fg_buffer_free(&path);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->words[0];
    if (strcmp(verb, "verify") == 0)
        return verify(cli, arguments);
    if (strcmp(verb, "list") == 0)
        return list(cli, arguments);
    if (strcmp(verb, "head") == 0)
        return fg_client_show(cli, arguments, "/api/v1/audit/head", NULL, show_head);
    return fg_cli_fail(cli, FG_EXIT_USAGE, "expected `filigree audit list`, `head` or `verify`");
}

static const struct fg_option options[] = {
    {.name = "data", .argument = "DIR", .help = "verify: the server's folder; default: ./data"},
    {.name = "head",
     .argument = "N:HASH",
     .help = "verify: a head that was kept elsewhere; it must be in the chain"},
    {.name = "who", .argument = "NAME", .help = "list: only what this one did"},
    {.name = "action", .argument = "NAME", .help = "list: only this, like trace.view or refused"},
    {.name = "what", .argument = "TEXT", .help = "list: only where this is a part of what it was"},
    {.name = "limit", .argument = "N", .help = "list: so many at most; default: 100"},
    {.name = "json", .help = "the server's answer as it is"},
    FG_CLIENT_CONNECTION_OPTION,
};

const struct fg_command fg_command_audit = {
    .name = "audit",
    .arguments = "list|head|verify [OPTIONS]",
    .summary = "who saw which order or trace, who changed what; whether the record is whole",
    .help = "list and head ask a running server, for which FILIGREE_TOKEN holds an administrator's "
            "token;\n"
            "verify reads the folder, with the server running or not, and follows the chain of "
            "hashes:\n"
            "an edit, a removed record, a changed order show. A cut end shows against a head that "
            "was kept\n"
            "elsewhere: the server writes its head to its log at each start, and `head` tells it.\n"
            "\n"
            "Examples\n"
            "  filigree audit list --who anna --limit 20\n"
            "  filigree audit head\n"
            "  filigree audit verify --data /var/lib/filigree --head 4711:5c1e…\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
