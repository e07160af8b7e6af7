#include "lookup.h"

#include "../client.h"
#include "../progress.h"
#include "shape.h"

#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)64 << 20)
#define URL_SIZE_MAX    2048

static int take(void *arg, struct fg_slice data)
{
    struct fg_buffer *answer = arg;
    fg_buffer_append_slice(answer, data);
    return answer->error;
}

static uint64_t count_of(struct fg_slice text, const char *word)
{
    uint64_t count = 0;
    size_t size = strlen(word);
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at && (at = memmem(at, (size_t)(end - at), word, size)) != NULL) {
        at += size;
        count++;
    }
    return count;
}

/* OTLP's JSON has one spanId a span (a link has one too, and the shapes have no links), Jaeger's
 * one operationName. */
static uint64_t count_spans(struct fg_slice answer)
{
    uint64_t count = count_of(answer, "\"spanId\"");
    return count ? count : count_of(answer, "\"operationName\"");
}

/* Splits the URL at its path: the server's part goes to ret_server, what is before and after {id}
 * stays in the URL. */
static int split(const char *url, char *ret_server, const char **ret_path, const char **ret_id)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    const char *id = path ? strstr(path, "{id}") : NULL;
    if (!id || path - url >= URL_SIZE_MAX)
        return FG_EINVALID;
    memcpy(ret_server, url, (size_t)(path - url));
    ret_server[path - url] = 0;
    *ret_path = path;
    *ret_id = id;
    return 0;
}

struct asker {
    const struct fg_bench_lookup *lookup;
    struct fg_client *client;
    const char *path, *id;
    struct fg_buffer answer;
    struct fg_bench_lookup_result *result;
};

static int ask(struct asker *asker, uint64_t trace)
{
    struct fg_bench_lookup_result *result = asker->result;
    char id[FG_BENCH_TRACE_ID_TEXT_SIZE], path[URL_SIZE_MAX];
    fg_bench_trace_id(asker->lookup->seed, trace, id);
    snprintf(path, sizeof path, "%.*s%s%s", (int)(asker->id - asker->path), asker->path, id,
             asker->id + 4);
    fg_buffer_reset(&asker->answer);
    struct fg_client_request request = {.path = path, .data = take, .arg = &asker->answer};
    struct fg_env *env = asker->lookup->cli->env;
    uint64_t begin_ns = fg_env_mono_ns(env);
    long status;
    int r = fg_client_run(asker->client, &request, &status);
    if (r < 0)
        return r;
    fg_bench_histogram_add(&result->latency, fg_env_mono_ns(env) - begin_ns);
    uint64_t spans = status == 200 ? count_spans(fg_buffer_slice(&asker->answer)) : 0;
    result->asked++;
    result->whole += spans == asker->lookup->spans_expected;
    result->missing += spans < asker->lookup->spans_expected;
    result->repeated += spans > asker->lookup->spans_expected;
    if (spans != asker->lookup->spans_expected && *result->first_wrong == 0)
        snprintf(result->first_wrong, sizeof result->first_wrong, "%s", id);
    return 0;
}

int fg_bench_lookup_run(const struct fg_bench_lookup *lookup, const uint64_t *traces,
                        size_t trace_count, struct fg_bench_lookup_result *ret_result)
{
    static const struct fg_option option = FG_CLIENT_SERVER_OPTION;
    char server[URL_SIZE_MAX];
    struct asker asker = {.lookup = lookup, .result = ret_result};
    memset(ret_result, 0, sizeof *ret_result);
    int r = split(lookup->url, server, &asker.path, &asker.id);
    if (r < 0)
        return r;
    struct fg_arguments arguments = {.options = &option, .option_count = 1, .values = {server}};
    r = fg_client_new(lookup->cli, &arguments, &asker.client);
    if (r < 0)
        return r;
    fg_buffer_init(&asker.answer, ANSWER_SIZE_MAX);
    struct fg_progress progress;
    fg_progress_begin(&progress, lookup->cli, "looking up traces", false);
    for (size_t i = 0; i < trace_count && r == 0; i++) {
        r = ask(&asker, traces[i]);
        fg_progress_update(&progress, i + 1, trace_count);
    }
    fg_progress_end(&progress);
    if (r < 0)
        fprintf(lookup->cli->err, "filigree: bench: %s\n", fg_client_message(asker.client));
    fg_buffer_free(&asker.answer);
    fg_client_free(asker.client);
    return r;
}
