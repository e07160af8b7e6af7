/* `filigree trace ID`: one trace, as a waterfall or as OTLP's JSON. */
#include "api/intake.h"
#include "client.h"
#include "waterfall.h"

#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)2 << 30)
#define ARENA_BYTES_MAX ((size_t)1 << 30)
#define BUILDER_BYTES   ((uint64_t)4 << 30)
#define ID_DIGITS_MAX   32

static int decode(struct fg_cli *cli, struct fg_slice body, struct fg_builder *builder)
{
    struct fg_intake intake;
    struct fg_wire_error error;
    const struct fg_intake_rules rules = {0};
    fg_intake_init(&intake, builder);
    /* As if received at the end of time: what is stored is judged no more. */
    fg_intake_begin(&intake, &rules, UINT64_MAX / 2);
    int r = fg_otlp_decode_traces_json(body, &fg_intake_visitor, &intake, &error);
    fg_intake_free(&intake);
    if (r < 0)
        fg_cli_fail(cli, FG_EXIT_FAILED, "can't read the server's answer: %s",
                    *error.text ? error.text : fg_error_name(r));
    return r;
}

static enum fg_exit show(struct fg_cli *cli, struct fg_slice body)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = BUILDER_BYTES;
    struct fg_builder *builder;
    if (fg_builder_new(&limits, &builder) < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    enum fg_exit code = FG_EXIT_FAILED;
    if (decode(cli, body, builder) == 0) {
        struct fg_batch batch;
        struct fg_arena arena;
        fg_arena_init(&arena, ARENA_BYTES_MAX);
        fg_builder_view(builder, &batch);
        if (batch.span_count == 0)
            code = fg_cli_fail(cli, FG_EXIT_NO, "the trace has no spans");
        else if (fg_waterfall_print(cli, &batch, &arena) < 0)
            code = fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
        else
            code = FG_EXIT_OK;
        fg_arena_free(&arena);
    }
    fg_builder_free(builder);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *id = arguments->words[0];
    size_t digits = strspn(id, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > ID_DIGITS_MAX || id[digits])
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "trace: '%.40s' is no trace id; expected up to 32 hexadecimal digits",
                           id);
    char path[80];
    snprintf(path, sizeof path, "/api/v1/traces/%s", id);
    struct fg_buffer body;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    enum fg_exit code = fg_client_get(cli, arguments, path, &body);
    if (code == FG_EXIT_OK && fg_arguments_has(arguments, "json"))
        fwrite(body.data, 1, body.size, cli->out);
    else if (code == FG_EXIT_OK)
        code = show(cli, fg_buffer_slice(&body));
    fg_buffer_free(&body);
    return code;
}

static const struct fg_option options[] = {
    {.name = "json", .help = "the trace as OTLP JSON, with all that is known of it"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_trace = {
    .name = "trace",
    .arguments = "ID [OPTIONS]",
    .summary = "show one trace as a waterfall",
    .help =
        "Spans stand as a tree with their service, a bar in time and their duration; errors with "
        "their\nmessage. A span that has not ended is drawn with > at its end.\n"
        "\n"
        "Examples\n"
        "  filigree trace 0af7651916cd43dd8448eb211c80319c\n"
        "  filigree trace 0af7651916cd43dd8448eb211c80319c --json | jq '.resourceSpans | length'\n"
        "  filigree trace 48485a3953bb6124 --server http://traces.internal:7070\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
