/* `filigree export`: stored spans as OTLP JSON lines, from a server or from a folder. */
#include "api/export.h"
#include "base/units.h"
#include "client.h"
#include "progress.h"
#include "time_range.h"

#include <string.h>

#define OPEN_ARENA_BYTES ((size_t)1 << 20)

struct output {
    struct fg_cli *cli;
    struct fg_progress progress;
    uint64_t bytes;
};

static int write_out(struct output *output, struct fg_slice data)
{
    if (fwrite(data.data, 1, data.size, output->cli->out) != data.size)
        return FG_EIO;
    output->bytes += data.size;
    fg_progress_update(&output->progress, output->bytes, 0);
    return 0;
}

static int on_data(void *arg, struct fg_slice data)
{
    return write_out(arg, data);
}

static int on_lines(void *arg, struct fg_slice lines, uint64_t span_count)
{
    (void)span_count;
    return write_out(arg, lines);
}

static enum fg_exit export_folder(struct output *output, const char *path, const char *service,
                                  const struct fg_time_range *range)
{
    struct fg_cli *cli = output->cli;
    struct fg_store_options options = fg_store_options_default(cli->env, path);
    options.read_only = true;
    struct fg_arena arena;
    struct fg_store *store;
    const char *message = NULL;
    fg_arena_init(&arena, OPEN_ARENA_BYTES);
    int r = fg_store_open(&options, &arena, &message, &store);
    if (r < 0) {
        fg_cli_fail(cli, FG_EXIT_FAILED, "export: %s", message ? message : fg_error_name(r));
        fg_arena_free(&arena);
        return FG_EXIT_FAILED;
    }
    struct fg_export export = {.start_ns_min = range->start_ns_min,
                               .start_ns_max = range->start_ns_max,
                               .service = fg_slice_from_string(service),
                               .emit = on_lines,
                               .arg = output};
    r = fg_export_run(store, cli->env, &export);
    fg_store_close(store, false);
    fg_arena_free(&arena);
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "export: stopped early: %s", fg_error_name(r));
    return FG_EXIT_OK;
}

static enum fg_exit export_server(struct output *output, const struct fg_arguments *arguments,
                                  const char *service, const struct fg_time_range *range)
{
    struct fg_client *client;
    struct fg_buffer path;
    if (fg_client_new(output->cli, arguments, &client) < 0)
        return fg_cli_fail(output->cli, FG_EXIT_FAILED, "out of memory");
    fg_buffer_init(&path, 64 << 10);
    fg_buffer_append_format(&path, "/api/v1/export?start=%llu",
                            (unsigned long long)range->start_ns_min);
    if (range->start_ns_max != UINT64_MAX)
        fg_buffer_append_format(&path, "&end=%llu", (unsigned long long)range->start_ns_max);
    if (service) {
        fg_buffer_append_string(&path, "&service=");
        fg_client_escape(&path, service);
    }
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code = FG_EXIT_OK;
    long status = 0;
    struct fg_client_request request = {
        .path = (const char *)path.data, .data = on_data, .arg = output};
    int r = path.error ? path.error : fg_client_run(client, &request, &status);
    if (r < 0 || status >= 300)
        code = fg_client_fail(output->cli, client, r, status);
    fg_buffer_free(&path);
    fg_client_free(client);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_time_range range;
    enum fg_exit code = fg_time_range_parse(cli, arguments, &range);
    if (code != FG_EXIT_OK)
        return code;
    struct output output = {.cli = cli};
    const char *service = fg_arguments_get(arguments, "service");
    const char *folder = fg_arguments_get(arguments, "data");
    fg_progress_begin(&output.progress, cli, "export", true);
    code = folder ? export_folder(&output, folder, service, &range)
                  : export_server(&output, arguments, service, &range);
    if (code == FG_EXIT_OK && fflush(cli->out) != 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "export: can't write the output");
    fg_progress_end(&output.progress);
    return code;
}

static const struct fg_option options[] = {
    FG_TIME_RANGE_OPTIONS,
    {.name = "service", .argument = "NAME", .help = "spans of this service only"},
    {.name = "data",
     .argument = "DIR",
     .help = "read the folder of a stopped server, or a backup, instead of asking a server"},
    FG_CLIENT_OPTION,
};

const struct fg_command fg_command_export = {
    .name = "export",
    .arguments = "[OPTIONS]",
    .summary = "write stored spans as OTLP JSON lines",
    .help =
        "Each line is one ExportTraceServiceRequest in OTLP's JSON, newest spans first. `filigree\n"
        "import` and the Collector's file receiver read them back.\n"
        "\n"
        "Examples\n"
        "  filigree export --since 1h > last-hour.jsonl\n"
        "  filigree export --service mes-api --start 2026-11-24 --end 2026-11-25 | zstd > mes.zst\n"
        "  filigree export --data /backup/2026-11-24 | filigree import --server "
        "http://other:7070\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
