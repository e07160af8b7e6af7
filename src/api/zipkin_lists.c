/* Zipkin's lists: /api/v2/services, /spans, /remoteServices, /dependencies, /autocompleteKeys,
 * /autocompleteValues. All but the last two come from the minute rollups. */
#include "base/limits.h"
#include "edges.h"
#include "handlers.h"
#include "query/complete.h"
#include "service_totals.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"
#include "zipkin_params.h"

#define LOOKBACK_NS   FG_NS_PER_DAY
#define KEYS_MAX      100u
#define SPANS_MAX     300000u
#define COMPLETION_NS (FG_NS_PER_SECOND / 4)

/* -- Names */

struct list {
    struct fg_slice service, key;
    uint64_t start_ns_min, start_ns_max;
};

static const struct list *list_of(const struct fg_work *work)
{
    return (const struct list *)work->state;
}

static int write_names(struct fg_work *work)
{
    const struct list *list = list_of(work);
    const struct fg_service_totals_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                                    .start_ns_max = UINT64_MAX,
                                                    .with_operations = list->service.size > 0,
                                                    .service = list->service};
    struct fg_names names;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = fg_service_names_read(fg_api_store(work->exchange->api), &wanted, &work->arena, &names);
    if (r < 0)
        return r;
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < names.count; i++)
        fg_json_string(&json, names.names[i]);
    fg_json_array_end(&json);
    return 0;
}

/* Whom the service called. */
static int write_remote_services(struct fg_work *work)
{
    const struct list *list = list_of(work);
    struct fg_edges edges;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = fg_edges_read(fg_api_store(work->exchange->api), work->exchange->identity.tenant, 0,
                          UINT64_MAX, list->service, &work->arena, &edges);
    if (r < 0)
        return r;
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < edges.count; i++)
        if (fg_slice_equal(edges.edges[i].parent, list->service))
            fg_json_string(&json, edges.edges[i].child);
    fg_json_array_end(&json);
    return 0;
}

static int write_dependencies(struct fg_work *work)
{
    const struct list *list = list_of(work);
    struct fg_edges edges;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = fg_edges_read(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                          list->start_ns_min, list->start_ns_max, fg_slice(NULL, 0), &work->arena,
                          &edges);
    if (r < 0)
        return r;
    fg_edges_write(&edges, FG_EDGE_ZIPKIN, &json);
    return 0;
}

static void start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                  const struct list *list)
{
    struct fg_work *work = fg_work_new(exchange, "read the services", run, sizeof *list);
    if (!work)
        return;
    memcpy(work->state, list, sizeof *list);
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_zipkin_services(struct fg_exchange *exchange)
{
    start(exchange, write_names, &(struct list){0});
}

/* A list of one service's; without a service there is none. */
static void start_of_service(struct fg_exchange *exchange, int (*run)(struct fg_work *work))
{
    struct list list = {.service = fg_exchange_param(exchange, "serviceName")};
    if (list.service.size)
        start(exchange, run, &list);
    else
        fg_answer_invalid(exchange, "serviceName is required");
}

void fg_handle_zipkin_span_names(struct fg_exchange *exchange)
{
    start_of_service(exchange, write_names);
}

void fg_handle_zipkin_remote_services(struct fg_exchange *exchange)
{
    start_of_service(exchange, write_remote_services);
}

void fg_handle_zipkin_dependencies(struct fg_exchange *exchange)
{
    struct list list = {0};
    if (fg_zipkin_window_params(exchange, true, LOOKBACK_NS, &list.start_ns_min,
                                &list.start_ns_max))
        start(exchange, write_dependencies, &list);
}

/* -- Completion: tags of the newest spans */

static int write_completions(struct fg_work *work)
{
    struct fg_api *api = work->exchange->api;
    const struct list *list = list_of(work);
    const struct fg_complete complete = {
        .tenant = work->exchange->identity.tenant,
        .start_ns_max = UINT64_MAX,
        .count_max = KEYS_MAX,
        .spans_max = SPANS_MAX,
        .deadline_mono_ns = fg_env_mono_ns(api->env) + COMPLETION_NS,
        .bytes_max = FG_QUERY_BYTES,
        .is_cancelled = fg_work_is_cancelled,
        .arg = work->exchange->request,
    };
    struct fg_complete_list found;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = list->key.size ? fg_complete_values(fg_api_store(api), &complete, FG_FIELD_ATTR_ANY,
                                                list->key, &work->arena, &found)
                           : fg_complete_keys(fg_api_store(api), &complete, &work->arena, &found);
    if (r < 0)
        return r;
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < found.count; i++)
        if (list->key.size || found.items[i].level == FG_FIELD_ATTR_SPAN)
            fg_json_string(&json, found.items[i].text);
    fg_json_array_end(&json);
    return 0;
}

void fg_handle_zipkin_keys(struct fg_exchange *exchange)
{
    start(exchange, write_completions, &(struct list){0});
}

void fg_handle_zipkin_values(struct fg_exchange *exchange)
{
    struct list list = {.key = fg_exchange_param(exchange, "key")};
    if (list.key.size)
        start(exchange, write_completions, &list);
    else
        fg_answer_invalid(exchange, "key is required");
}
