#include "export_source.h"

#include "api/export.h"
#include "client.h"

#define OPEN_ARENA_BYTES ((size_t)1 << 20)
#define PATH_SIZE_MAX    ((size_t)64 << 10)

struct source {
    struct fg_cli *cli;
    const char *name; /* the subcommand's */
    fg_export_data_fn data;
    void *arg;
};

static int on_lines(void *arg, struct fg_slice lines, uint64_t span_count)
{
    struct source *source = arg;
    (void)span_count;
    return source->data(source->arg, lines);
}

static enum fg_exit read_folder(struct source *source, const char *path, const char *service,
                                const struct fg_time_range *range)
{
    struct fg_cli *cli = source->cli;
    struct fg_store_options options = fg_store_options_default(cli->env, path);
    options.read_only = true;
    struct fg_arena arena;
    struct fg_store *store;
    const char *message = NULL;
    fg_arena_init(&arena, OPEN_ARENA_BYTES);
    int r = fg_store_open(&options, &arena, &message, &store);
    if (r < 0) {
        fg_cli_fail(cli, FG_EXIT_FAILED, "%s: %s", source->name,
                    message ? message : fg_error_name(r));
        fg_arena_free(&arena);
        return FG_EXIT_FAILED;
    }
    struct fg_export export = {.start_ns_min = range->start_ns_min,
                               .start_ns_max = range->start_ns_max,
                               .service = fg_slice_from_string(service),
                               .emit = on_lines,
                               .arg = source};
    r = fg_export_run(store, cli->env, &export);
    fg_store_close(store, false);
    fg_arena_free(&arena);
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "%s: stopped early: %s", source->name,
                           fg_error_name(r));
    return FG_EXIT_OK;
}

static enum fg_exit read_server(struct source *source, const struct fg_arguments *arguments,
                                const char *service, const struct fg_time_range *range)
{
    struct fg_client *client;
    struct fg_buffer path;
    if (fg_client_new(source->cli, arguments, &client) < 0)
        return fg_cli_fail(source->cli, FG_EXIT_FAILED, "out of memory");
    fg_buffer_init(&path, PATH_SIZE_MAX);
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
        .path = (const char *)path.data, .data = source->data, .arg = source->arg};
    int r = path.error ? path.error : fg_client_run(client, &request, &status);
    if (r < 0 || status >= 300)
        code = fg_client_fail(source->cli, client, r, status);
    fg_buffer_free(&path);
    fg_client_free(client);
    return code;
}

enum fg_exit fg_export_read(struct fg_cli *cli, const struct fg_arguments *arguments,
                            const char *name, fg_export_data_fn data, void *arg)
{
    struct fg_time_range range;
    struct source source = {.cli = cli, .name = name, .data = data, .arg = arg};
    enum fg_exit code = fg_time_range_parse(cli, arguments, &range);
    if (code != FG_EXIT_OK)
        return code;
    const char *service = fg_arguments_get(arguments, "service");
    const char *folder = fg_arguments_get(arguments, "data");
    return folder ? read_folder(&source, folder, service, &range)
                  : read_server(&source, arguments, service, &range);
}
