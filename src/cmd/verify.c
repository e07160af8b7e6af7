/* `filigree verify DIR`: reads every checksum of a store's folder. */
#include "base/units.h"
#include "progress.h"
#include "store/store.h"
#include "wire/json_writer.h"

struct verify {
    struct fg_cli *cli;
    struct fg_progress progress;
    bool json;
    uint64_t done_bytes;
};

static void on_damage(void *arg, const char *file, uint64_t offset, const char *what)
{
    struct verify *verify = arg;
    fg_progress_end(&verify->progress);
    if (!verify->json) {
        fprintf(verify->cli->out, "%s: byte %llu: %s\n", file, (unsigned long long)offset, what);
        return;
    }
    struct fg_buffer line;
    fg_buffer_init(&line, 64 << 10);
    struct fg_json_writer json = fg_json_writer(&line);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "file");
    fg_json_string(&json, fg_slice_from_string(file));
    FG_JSON_KEY(&json, "offset");
    fg_json_uint(&json, offset);
    FG_JSON_KEY(&json, "damage");
    fg_json_string(&json, fg_slice_from_string(what));
    fg_json_object_end(&json);
    fprintf(verify->cli->out, "%.*s\n", (int)line.size, (const char *)line.data);
    fg_buffer_free(&line);
}

static void on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct verify *verify = arg;
    verify->done_bytes = done_bytes;
    fg_progress_update(&verify->progress, done_bytes, total_bytes);
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *path = arguments->words[0];
    struct verify verify = {.cli = cli, .json = fg_arguments_has(arguments, "json")};
    uint64_t damage_count = 0;
    fg_progress_begin(&verify.progress, cli, "verify", true);
    int r = fg_store_verify(cli->env, path, on_damage, on_progress, &verify, &damage_count);
    fg_progress_end(&verify.progress);
    switch (r) {
    case 0:
        break;
    case FG_ENOTFOUND:
        return fg_cli_fail(cli, FG_EXIT_USAGE, "verify: %s holds no store", path);
    case FG_EBUSY:
        return fg_cli_fail(cli, FG_EXIT_FAILED,
                           "verify: a server holds %s; stop it first, or verify a backup", path);
    case FG_EUNSUPPORTED:
        return fg_cli_fail(cli, FG_EXIT_FAILED,
                           "verify: %s was written by a newer version of filigree; use that", path);
    default:
        return fg_cli_fail(cli, FG_EXIT_FAILED, "verify: can't read %s: %s", path,
                           fg_error_name(r));
    }
    char size[FG_UNITS_TEXT_SIZE];
    fg_size_format(verify.done_bytes, size);
    if (verify.json)
        fprintf(cli->out, "{\"bytes\":%llu,\"damages\":%llu}\n",
                (unsigned long long)verify.done_bytes, (unsigned long long)damage_count);
    else if (damage_count == 0)
        fprintf(cli->out, "%s: %s read, every checksum is right\n", path, size);
    else
        fprintf(cli->out,
                "%s: %s read, %llu damaged %s. The spans there are lost, the rest is readable;\n"
                "restore a backup to have them again (`filigree restore --help`).\n",
                path, size, (unsigned long long)damage_count,
                damage_count == 1 ? "place" : "places");
    return damage_count ? FG_EXIT_NO : FG_EXIT_OK;
}

static const struct fg_option options[] = {
    {.name = "json", .help = "a JSON line for each damage, then one with the totals"},
};

const struct fg_command fg_command_verify = {
    .name = "verify",
    .arguments = "DIR [OPTIONS]",
    .summary = "check every checksum of a store's folder",
    .help = "Reads the whole folder of a stopped server, or of a backup, and names each damaged "
            "place with\n"
            "file, offset and what lies there. Ends with 1 where something is damaged.\n"
            "\n"
            "Examples\n"
            "  filigree verify ./data\n"
            "  filigree verify /backup/2026-11-24 --json\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
