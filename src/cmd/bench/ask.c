#include "ask.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)16 << 20)

int fg_bench_ask_connect(struct fg_bench_ask *ask, const struct fg_bench_server *server)
{
    static const struct fg_option option = FG_CLIENT_SERVER_OPTION;
    struct fg_arguments arguments = {.options = &option, .option_count = 1, .values = {ask->url}};
    snprintf(ask->url, sizeof ask->url, "http://%s", server->api);
    fg_bench_ask_free(ask);
    ask->cli = server->cli;
    int r = fg_client_new(ask->cli, &arguments, &ask->client);
    if (r < 0)
        fprintf(ask->cli->err, "filigree: bench: %s: %s\n", ask->url, fg_error_name(r));
    return r;
}

void fg_bench_ask_free(struct fg_bench_ask *ask)
{
    fg_client_free(ask->client);
    ask->client = NULL;
}

static int take(void *arg, struct fg_slice data)
{
    struct fg_buffer *answer = arg;
    fg_buffer_append_slice(answer, data);
    return answer->error;
}

/* answer is to be freed. Whether it is there. */
static bool answers(struct fg_bench_ask *ask, struct fg_client_request *request,
                    struct fg_buffer *answer)
{
    long status = 0;
    fg_buffer_init(answer, ANSWER_SIZE_MAX);
    request->data = take;
    request->arg = answer;
    return fg_client_run(ask->client, request, &status) == 0 && status == 200;
}

static json_t *run(struct fg_bench_ask *ask, struct fg_client_request *request)
{
    struct fg_buffer answer;
    json_t *root = NULL;
    if (answers(ask, request, &answer))
        root = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    if (!root)
        fprintf(ask->cli->err, "filigree: bench: %s: %s\n", request->path,
                fg_client_message(ask->client));
    fg_buffer_free(&answer);
    return root;
}

json_t *fg_bench_ask_get(struct fg_bench_ask *ask, const char *path)
{
    struct fg_client_request request = {.path = path};
    return run(ask, &request);
}

json_t *fg_bench_ask_post(struct fg_bench_ask *ask, const char *path)
{
    struct fg_client_request request = {
        .path = path, .content_type = "application/json", .body = FG_SLICE("{}")};
    return run(ask, &request);
}

int fg_bench_ask_metric(struct fg_bench_ask *ask, const char *name, uint64_t *ret)
{
    struct fg_client_request request = {.path = "/metrics"};
    struct fg_buffer answer;
    char line[64];
    int r = FG_ENOTFOUND;
    int size = snprintf(line, sizeof line, "\n%s ", name);
    if (answers(ask, &request, &answer)) {
        fg_buffer_append_byte(&answer, 0);
        const char *at = answer.error ? NULL : strstr((const char *)answer.data, line);
        r = at ? 0 : FG_ENOTFOUND;
        if (at)
            *ret = strtoull(at + size, NULL, 10);
    }
    fg_buffer_free(&answer);
    return r;
}

uint64_t fg_bench_ask_member(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}
