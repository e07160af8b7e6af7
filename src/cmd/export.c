/* `filigree export`: stored spans as OTLP JSON lines, from a server or from a folder. */
#include "client.h"
#include "export_source.h"
#include "progress.h"

struct output {
    struct fg_cli *cli;
    struct fg_progress progress;
    uint64_t bytes;
};

static int on_data(void *arg, struct fg_slice data)
{
    struct output *output = arg;
    if (fwrite(data.data, 1, data.size, output->cli->out) != data.size)
        return FG_EIO;
    output->bytes += data.size;
    fg_progress_update(&output->progress, output->bytes, 0);
    return 0;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct output output = {.cli = cli};
    fg_progress_begin(&output.progress, cli, "export", true);
    enum fg_exit code = fg_export_read(cli, arguments, "export", on_data, &output);
    if (code == FG_EXIT_OK && fflush(cli->out) != 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "export: can't write the output");
    fg_progress_end(&output.progress);
    return code;
}

static const struct fg_option options[] = {
    FG_TIME_RANGE_OPTIONS,
    FG_EXPORT_SOURCE_OPTIONS,
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
