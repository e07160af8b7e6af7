/* `filigree seal`, `filigree reindex` and `filigree erase`: what an administrator asks of a running
 * server. */
#include "base/units.h"
#include "client.h"
#include "wire/json_writer.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_SIZE_MAX ((size_t)60 << 10)

static unsigned long long count_of(const json_t *answer, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(answer, name));
    return value > 0 ? (unsigned long long)value : 0;
}

/* -- seal
 * --------------------------------------------------------------------------------------------
 */

static enum fg_exit run_seal(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    json_t *answer = NULL;
    bool merge = fg_arguments_has(arguments, "merge");
    enum fg_exit code =
        fg_client_post(cli, arguments, "/api/v1/admin/seal", NULL, (struct fg_slice){0}, &answer);
    if (code == FG_EXIT_OK && merge) {
        json_decref(answer);
        answer = NULL;
        code = fg_client_post(cli, arguments, "/api/v1/admin/merge", NULL, (struct fg_slice){0},
                              &answer);
    }
    if (code == FG_EXIT_OK) {
        char size[FG_UNITS_TEXT_SIZE];
        fg_size_format(count_of(answer, "segment_bytes"), size);
        fprintf(cli->out, "%s: %llu spans in %llu %s, %s\n", merge ? "sealed and merged" : "sealed",
                count_of(answer, "segment_spans"), count_of(answer, "segments"),
                count_of(answer, "segments") == 1 ? "segment" : "segments", size);
    }
    json_decref(answer);
    return code;
}

static const struct fg_option seal_options[] = {
    {.name = "merge",
     .help = "also merge segments until nothing is worth it, and delete what is "
             "past its retention"},
    FG_CLIENT_CONNECTION_OPTION,
};

const struct fg_command fg_command_seal = {
    .name = "seal",
    .arguments = "[OPTIONS]",
    .summary = "have the server write what is in memory into a segment",
    .help = "The server does this by itself (settings head-size and head-age). By hand it is of "
            "use before\n"
            "a look at the files, or to measure.\n"
            "\n"
            "Examples\n"
            "  filigree seal\n"
            "  filigree seal --merge\n",
    .options = seal_options,
    .option_count = sizeof seal_options / sizeof *seal_options,
    .run = run_seal,
};

/* -- reindex
 * -----------------------------------------------------------------------------------------
 */

static enum fg_exit run_reindex(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    json_t *answer = NULL;
    enum fg_exit code = fg_client_post(cli, arguments, "/api/v1/admin/reindex", NULL,
                                       (struct fg_slice){0}, &answer);
    if (code == FG_EXIT_OK)
        fprintf(cli->out, "made anew: %llu %s\n", count_of(answer, "journeys"),
                count_of(answer, "journeys") == 1 ? "journey" : "journeys");
    json_decref(answer);
    return code;
}

static const struct fg_option reindex_options[] = {FG_CLIENT_CONNECTION_OPTION};

const struct fg_command fg_command_reindex = {
    .name = "reindex",
    .arguments = "[OPTIONS]",
    .summary = "have the server make all journeys anew from the stored spans",
    .help = "Where they are doubted, or spans were stored before their key was watched. Meanwhile "
            "spans are\n"
            "taken as ever, and the board is not complete.\n"
            "\n"
            "Examples\n"
            "  filigree reindex\n",
    .options = reindex_options,
    .option_count = sizeof reindex_options / sizeof *reindex_options,
    .run = run_reindex,
};

/* -- erase
 * -------------------------------------------------------------------------------------------
 */

/* The value with the type that --type names; a text where it names none. */
static enum fg_exit write_value(struct fg_cli *cli, struct fg_json_writer *json, const char *text,
                                const char *type)
{
    char *end;
    errno = 0;
    if (!type || strcmp(type, "text") == 0) {
        fg_json_string(json, fg_slice_from_string(text));
        return FG_EXIT_OK;
    }
    if (strcmp(type, "bool") == 0 && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        fg_json_bool(json, *text == 't');
        return FG_EXIT_OK;
    }
    if (strcmp(type, "number") == 0) {
        long long integer = strtoll(text, &end, 10);
        if (*text && *end == 0 && errno == 0) {
            fg_json_int(json, integer);
            return FG_EXIT_OK;
        }
        double number = strtod(text, &end);
        if (*text && *end == 0 && isfinite(number)) {
            fg_json_double(json, number);
            return FG_EXIT_OK;
        }
    }
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "erase: '%s' is no value of type %s; types are text, number and bool", text,
                       type);
}

static enum fg_exit write_body(struct fg_cli *cli, const struct fg_arguments *arguments,
                               struct fg_buffer *body)
{
    const char *trace = fg_arguments_get(arguments, "trace");
    const char *attribute = fg_arguments_get(arguments, "attribute");
    const char *equals = attribute ? strchr(attribute, '=') : NULL;
    if (!trace == !attribute)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "erase: give either --trace or --attribute");
    if (attribute && (!equals || equals == attribute))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "erase: --attribute: expected KEY=VALUE, like order.id=ORD-4711");
    struct fg_json_writer json = fg_json_writer(body);
    enum fg_exit code = FG_EXIT_OK;
    fg_json_object_begin(&json);
    if (trace) {
        FG_JSON_KEY(&json, "trace_id");
        fg_json_string(&json, fg_slice_from_string(trace));
    } else {
        FG_JSON_KEY(&json, "key");
        fg_json_string(&json, fg_slice(attribute, (size_t)(equals - attribute)));
        FG_JSON_KEY(&json, "value");
        code = write_value(cli, &json, equals + 1, fg_arguments_get(arguments, "type"));
    }
    FG_JSON_KEY(&json, "whole_traces");
    fg_json_bool(&json, fg_arguments_has(arguments, "whole-traces"));
    fg_json_object_end(&json);
    if (code == FG_EXIT_OK && body->error)
        code = fg_cli_fail(cli, FG_EXIT_USAGE, "erase: the value is too long");
    return code;
}

/* Asks at a terminal; elsewhere --yes says it. */
static bool is_meant(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    char line[16];
    if (fg_arguments_has(arguments, "yes"))
        return true;
    if (!isatty(STDIN_FILENO) || !cli->progress) {
        fg_cli_fail(cli, FG_EXIT_USAGE, "erase: it can't be undone; say --yes if you mean it");
        return false;
    }
    fprintf(cli->err, "This erases the spans for good. Go on? [y/N] ");
    fflush(cli->err);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static enum fg_exit run_erase(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_buffer body;
    json_t *answer = NULL;
    fg_buffer_init(&body, BODY_SIZE_MAX);
    enum fg_exit code = write_body(cli, arguments, &body);
    if (code == FG_EXIT_OK && !is_meant(cli, arguments))
        code = FG_EXIT_USAGE;
    if (code == FG_EXIT_OK)
        code = fg_client_post(cli, arguments, "/api/v1/admin/erase", NULL, fg_buffer_slice(&body),
                              &answer);
    if (code == FG_EXIT_OK) {
        unsigned long long count = count_of(answer, "erased_spans");
        fprintf(cli->out, "erased %llu %s\n", count, count == 1 ? "span" : "spans");
        code = count ? FG_EXIT_OK : FG_EXIT_NO;
    }
    json_decref(answer);
    fg_buffer_free(&body);
    return code;
}

static const struct fg_option erase_options[] = {
    {.name = "trace", .argument = "ID", .help = "the spans of this trace"},
    {.name = "attribute",
     .argument = "KEY=VALUE",
     .help = "spans that carry this attribute themselves, or in their resource, scope, events or "
             "links"},
    {.name = "type",
     .argument = "TYPE",
     .help = "the type of VALUE: text (the default), number or bool; a number is never a text"},
    {.name = "whole-traces", .help = "all spans of each trace that has such a span"},
    {.name = "yes", .help = "don't ask", .letter = 'y'},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_erase = {
    .name = "erase",
    .arguments = "[OPTIONS]",
    .summary = "remove spans for good, from every file of the store",
    .help = "When it returns the bytes are nowhere in the store's folder. Backups keep what they "
            "hold: erase\n"
            "there by restoring them. Ends with 1 where there was no such span.\n"
            "\n"
            "Examples\n"
            "  filigree erase --trace 0af7651916cd43dd8448eb211c80319c\n"
            "  filigree erase --attribute order.id=ORD-4711 --whole-traces\n"
            "  filigree erase --attribute customer.id=4711 --type number --yes\n",
    .options = erase_options,
    .option_count = sizeof erase_options / sizeof *erase_options,
    .run = run_erase,
};
