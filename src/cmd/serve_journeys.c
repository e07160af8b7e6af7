/* Flows and journeys of `filigree serve`. */
#include "journey/journeys.h"
#include "serve.h"

#include <stdlib.h>

#define FILE_SIZE_MAX   ((size_t)1 << 20)
#define ERRORS_SIZE_MAX ((size_t)16 << 10)

static enum fg_exit load_file(struct fg_serve *serve, const char *path)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct fg_buffer errors;
    int r = fg_cli_read_file(serve->cli, path, FILE_SIZE_MAX, &text, &size);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "flows: can't read %s: %s", path,
                           fg_error_name(r));
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    r = fg_flows_parse(fg_slice(text, size), path, &serve->arena, &errors, &serve->flows);
    fprintf(serve->cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    free(text);
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "flows: %s is not taken: %s", path,
                       r == FG_EINVALID ? "see above" : fg_error_name(r));
}

enum fg_exit fg_serve_flows_load(struct fg_serve *serve)
{
    enum fg_exit code = FG_EXIT_OK;
    for (size_t i = 0; code == FG_EXIT_OK && i < serve->config->flows.count; i++)
        code = load_file(serve, serve->config->flows.items[i]);
    return code;
}

int fg_serve_journeys_open(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    size_t count = config->journey_keys.count;
    serve->journey_keys = fg_arena_calloc(&serve->arena, count + 1, sizeof *serve->journey_keys);
    if (!serve->journey_keys)
        return FG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        serve->journey_keys[i] = fg_slice_from_string(config->journey_keys.items[i]);
    const struct fg_journeys_options options = {.env = serve->cli->env,
                                                .store = serve->store,
                                                .flows = &serve->flows,
                                                .keys = serve->journey_keys,
                                                .key_count = (uint32_t)count,
                                                .instances = fg_api_instances(serve->api),
                                                .journeys_max = (uint32_t)config->journeys_max};
    int r = fg_journeys_open(&options, &serve->journeys);
    if (r == 0)
        fg_api_attach_journeys(serve->api, serve->journeys);
    return r;
}
