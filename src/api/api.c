/* Making and ending the api, its settings, and the way of a request to its route's handler. */
#include "api/api.h"

#include "audit_trail.h"
#include "base/limits.h"
#include "cors.h"
#include "events.h"
#include "exchange.h"
#include "guard.h"
#include "net/counters.h"
#include "net/url.h"
#include "permit.h"
#include "redact/redactor.h"
#include "slots.h"
#include "state.h"
#include "turned_away.h"

#include <assert.h>
#include <stdlib.h>

#define SETTINGS_BYTES_MAX ((size_t)1 << 20)
#define READERS_QUEUE_MAX  256u
#define LONG_JOBS_MAX      4u
/* Two at a time, so that a seal needs not wait for a backup; the store does one job after the
 * other where it must. */
#define ADMIN_THREADS   2u
#define ADMIN_QUEUE_MAX 8u
/* Each password that is hashed takes 64 MiB and a tenth of a second of a processor. */
#define SIGN_IN_THREADS   2u
#define SIGN_IN_QUEUE_MAX 32u
/* They mostly wait, for seconds where the provider is slow. */
#define OIDC_THREADS 4u

void fg_settings_unref(struct fg_settings *settings)
{
    if (!settings || atomic_fetch_sub_explicit(&settings->refs, 1, memory_order_acq_rel) != 1)
        return;
    fg_redact_rules_unref(settings->redact);
    fg_arena_free(&settings->arena);
    free(settings);
}

static struct fg_settings *settings_ref(struct fg_settings *settings)
{
    atomic_fetch_add_explicit(&settings->refs, 1, memory_order_relaxed);
    return settings;
}

static int settings_new(const struct fg_api_settings *from, struct fg_settings **ret_settings)
{
    struct fg_settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return FG_ENOMEM;
    atomic_init(&settings->refs, 1);
    fg_arena_init(&settings->arena, SETTINGS_BYTES_MAX);
    settings->limits = fg_builder_limits_default();
    settings->limits.attr_value_size_max = from->value_size_max;
    settings->limits.attrs_max = from->attributes_max;
    settings->limits.events_max = from->events_max;
    settings->limits.links_max = from->links_max;
    settings->retention_age_ns = from->retention_age_ns;
    settings->span_age_ns_max = from->span_age_ns_max;
    settings->retention_size_max = from->retention_size_max;
    settings->price_per_gb_month = from->price_per_gb_month;
    settings->cors_origins =
        fg_arena_calloc(&settings->arena, from->cors_origin_count, sizeof *settings->cors_origins);
    for (size_t i = 0; settings->cors_origins && i < from->cors_origin_count; i++)
        settings->cors_origins[settings->cors_origin_count++] =
            fg_arena_copy(&settings->arena, fg_slice_from_string(from->cors_origins[i]));
    settings->redact = fg_redact_rules_ref(from->redact);
    if (settings->arena.overflow) {
        fg_settings_unref(settings);
        return FG_ENOMEM;
    }
    *ret_settings = settings;
    return 0;
}

struct fg_settings *fg_api_settings_ref(struct fg_api *api)
{
    fg_mutex_lock(&api->mutex);
    struct fg_settings *settings = settings_ref(api->settings);
    fg_mutex_unlock(&api->mutex);
    return settings;
}

int fg_api_configure(struct fg_api *api, const struct fg_api_settings *from)
{
    struct fg_settings *settings;
    int r = settings_new(from, &settings);
    if (r < 0)
        return r;
    fg_mutex_lock(&api->mutex);
    struct fg_settings *before = api->settings;
    api->settings = settings;
    atomic_fetch_add(&api->settings_version, 1);
    fg_mutex_unlock(&api->mutex);
    fg_settings_unref(before);
    return 0;
}

int fg_loop_refresh(struct fg_api *api, struct fg_loop *loop)
{
    unsigned version = atomic_load_explicit(&api->settings_version, memory_order_acquire);
    if (loop->settings && loop->settings_version == version)
        return 0;
    struct fg_settings *settings = fg_api_settings_ref(api);
    struct fg_builder *builder = NULL;
    struct fg_redactor *redactor = NULL;
    int r = fg_builder_new(&settings->limits, &builder);
    if (r == 0)
        r = fg_redactor_new(settings->redact, &redactor);
    if (r < 0) {
        fg_builder_free(builder);
        fg_settings_unref(settings);
        return r;
    }
    fg_intake_free(&loop->intake);
    fg_builder_free(loop->builder);
    fg_redactor_free(loop->redactor);
    loop->redactor = redactor;
    fg_settings_unref(loop->settings);
    loop->settings = settings;
    loop->settings_version = version;
    loop->builder = builder;
    fg_intake_init(&loop->intake, builder);
    return 0;
}

/* FG_ROUTE() lets none compile without one; one that was written around it does not start. */
static void check_routes(void)
{
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    for (size_t i = 0; i < count; i++)
        assert(routes[i].permission > FG_PERMISSION_UNSET &&
               routes[i].permission < FG_PERMISSION_COUNT);
}

int fg_api_new(const struct fg_api_options *options, struct fg_api **ret_api)
{
    size_t size = sizeof(struct fg_api) + (options->loop_count + 1) * sizeof(struct fg_loop);
    check_routes();
    struct fg_api *api = calloc(1, size);
    if (!api)
        return FG_ENOMEM;
    api->env = options->env;
    api->body_size_max = options->body_size_max;
    api->inflated_size_max = options->inflated_size_max;
    api->auth = options->auth;
    api->monitor_secrets = options->monitor_secrets;
    api->backup_folders = options->backup_folders;
    api->backup_folder_count = options->backup_folder_count;
    api->security = options->security;
    api->started_ns = fg_env_wall_ns(options->env);
    api->loop_count = options->loop_count + 1;
    fg_mutex_init(&api->mutex, FG_RANK_API);
    fg_mutex_init(&api->inject_gate, FG_RANK_GATE);
    fg_mutex_init(&api->inject_mutex, FG_RANK_LEAF);
    fg_cond_init(&api->inject_cond);
    int r = settings_new(&options->settings, &api->settings);
    if (r == 0)
        r = fg_slots_new(&api->slots);
    if (r == 0)
        r = fg_events_new(api, &api->events);
    if (r == 0)
        r = fg_instances_new(FG_INSTANCES_MAX, &api->instances);
    if (r == 0)
        r = fg_workers_new("read", options->worker_count, READERS_QUEUE_MAX, &api->readers);
    if (r == 0)
        r = fg_workers_new("large", 1, READERS_QUEUE_MAX, &api->large_readers);
    if (r == 0)
        r = fg_workers_new("job", LONG_JOBS_MAX, LONG_JOBS_MAX, &api->long_jobs);
    if (r == 0)
        r = fg_workers_new("admin", ADMIN_THREADS, ADMIN_QUEUE_MAX, &api->admin);
    if (r == 0)
        r = fg_workers_new("sign-in", SIGN_IN_THREADS, SIGN_IN_QUEUE_MAX, &api->sign_in);
    if (r == 0)
        r = fg_workers_new("oidc", OIDC_THREADS, SIGN_IN_QUEUE_MAX, &api->oidc);
    if (r == 0)
        r = fg_workers_new("tail", FG_API_TAILS_MAX, FG_API_TAILS_MAX, &api->tails);
    for (unsigned i = 0; r == 0 && i < api->loop_count; i++)
        r = fg_loop_refresh(api, &api->loops[i]);
    if (r < 0) {
        fg_api_free(api);
        return r;
    }
    *ret_api = api;
    return 0;
}

void fg_api_free(struct fg_api *api)
{
    if (!api)
        return;
    fg_workers_free(api->readers);
    fg_workers_free(api->large_readers);
    fg_workers_free(api->long_jobs);
    fg_workers_free(api->admin);
    fg_workers_free(api->sign_in);
    fg_workers_free(api->oidc);
    fg_workers_free(api->tails);
    fg_instances_free(api->instances);
    for (unsigned i = 0; i < api->loop_count; i++) {
        fg_intake_free(&api->loops[i].intake);
        fg_builder_free(api->loops[i].builder);
        fg_redactor_free(api->loops[i].redactor);
        fg_settings_unref(api->loops[i].settings);
    }
    fg_events_free(api->events);
    fg_slots_free(api->slots);
    fg_settings_unref(api->settings);
    fg_mutex_destroy(&api->mutex);
    fg_cond_destroy(&api->inject_cond);
    fg_mutex_destroy(&api->inject_mutex);
    fg_mutex_destroy(&api->inject_gate);
    free(api);
}

void fg_api_attach_server(struct fg_api *api, struct fg_server *server)
{
    atomic_store(&api->server, server);
}

void fg_api_attach_store(struct fg_api *api, struct fg_store *store)
{
    atomic_store_explicit(&api->store, store, memory_order_release);
}

struct fg_instances *fg_api_instances(struct fg_api *api)
{
    return api->instances;
}

void fg_api_attach_journeys(struct fg_api *api, uint32_t tenant, struct fg_journeys *journeys)
{
    assert(tenant < FG_TENANTS_MAX);
    atomic_store_explicit(&api->tenants[tenant].journeys, journeys, memory_order_release);
}

void fg_api_on_tenant(struct fg_api *api, int (*follow)(void *arg, uint32_t tenant), void *arg)
{
    api->follow = follow;
    api->follow_arg = arg;
}

void fg_api_attach_monitors(struct fg_api *api, uint32_t tenant, struct fg_monitors *monitors)
{
    assert(tenant < FG_TENANTS_MAX);
    atomic_store_explicit(&api->tenants[tenant].monitors, monitors, memory_order_release);
}

void fg_api_attach_incidents(struct fg_api *api, uint32_t tenant, struct fg_incidents *incidents)
{
    assert(tenant < FG_TENANTS_MAX);
    atomic_store_explicit(&api->tenants[tenant].incidents, incidents, memory_order_release);
}

void fg_api_attach_score_rules(struct fg_api *api, const struct fg_score_rules *rules)
{
    atomic_store(&api->score_rules, rules);
}

void fg_api_attach_webhook(struct fg_api *api, struct fg_webhook *webhook)
{
    atomic_store_explicit(&api->webhook, webhook, memory_order_release);
}

void fg_api_drain(struct fg_api *api)
{
    atomic_store(&api->draining, true);
}

/* The request is about to be freed: its answer is out, or its client is gone. */
static void on_finish(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    uint64_t now_ns = fg_env_mono_ns(exchange->api->env);
    fg_trail_end(exchange);
    fg_count_request(&exchange->loop->counters, exchange->route_index, exchange->status,
                     now_ns - exchange->begin_mono_ns);
}

/* NULL where the request's arena is full; it was answered then. */
static struct fg_exchange *exchange_new(struct fg_api *api, struct fg_request *request)
{
    struct fg_loop *loop = &api->loops[request->loop_index];
    struct fg_exchange *exchange = fg_arena_calloc(request->arena, 1, sizeof *exchange);
    if (!exchange || fg_loop_refresh(api, loop) < 0) {
        fg_respond_text(request, 503, "out of memory; try again later");
        return NULL;
    }
    *exchange = (struct fg_exchange){.api = api,
                                     .loop = loop,
                                     .request = request,
                                     .route_index = FG_ROUTES_MAX,
                                     .begin_mono_ns = fg_env_mono_ns(api->env)};
    request->user = exchange;
    request->finish = on_finish;
    return exchange;
}

/* A path that is no route's and is written as one does to be read differently by two readers. */
static bool is_trick(struct fg_slice path)
{
    static const char *const signs[] = {"..",  "//",  "/./", "\\",  ";",   "%2e", "%2E",
                                        "%2f", "%2F", "%5c", "%5C", "%00", "%25"};
    for (size_t i = 0; path.size && i < sizeof signs / sizeof *signs; i++)
        if (memmem(path.data, path.size, signs[i], strlen(signs[i])))
            return true;
    return false;
}

static void answer_no_route(struct fg_exchange *exchange, const struct fg_route_match *match)
{
    struct fg_request *request = exchange->request;
    if (match->cors && request->method == FG_METHOD_OPTIONS &&
        fg_request_field(request, "access-control-request-method").size) {
        fg_cors_preflight(exchange);
        return;
    }
    if (is_trick(request->path))
        fg_turned_away_note(exchange->api, request->face, fg_client_address(request), "path");
    struct fg_failure failure = {404, FG_RPC_UNIMPLEMENTED, "there is nothing at this path", 0};
    if (match->allowed_methods) {
        bool get = (match->allowed_methods & 1u << FG_METHOD_GET) != 0;
        exchange->allow = get ? FG_SLICE("GET, HEAD") : FG_SLICE("POST");
        failure.status = 405;
        failure.message = get ? "this path takes GET" : "this path takes POST";
    }
    fg_answer_failure(exchange, &failure);
}

void fg_api_on_headers(void *arg, struct fg_request *request)
{
    struct fg_api *api = arg;
    struct fg_exchange *exchange = exchange_new(api, request);
    if (!exchange)
        return;
    struct fg_route_match match = fg_route_find(request->method, request->path, request->face);
    if (match.route) {
        exchange->route = match.route;
        exchange->route_index = match.index;
    }
    if (!fg_guard_lets_in(exchange, match.cors))
        return;
    if (!match.route) {
        answer_no_route(exchange, &match);
        return;
    }
    exchange->param = fg_url_decode(match.params[0], false, request->arena);
    exchange->second_param = fg_url_decode(match.params[1], false, request->arena);
    if (!fg_permit(exchange))
        return;
    if (match.route->needs_store && !fg_api_store(api)) {
        if (match.route->permission == FG_PERMISSION_INGEST)
            fg_count(&exchange->loop->counters.refused_requests[FG_INGEST_STARTING], 1);
        struct fg_failure failure = {503, FG_RPC_UNAVAILABLE,
                                     "the store is recovering; try again in a moment",
                                     FG_NS_PER_SECOND};
        fg_answer_failure(exchange, &failure);
        return;
    }
    bool configured = match.route->body_size_max == FG_BODY_CONFIGURED;
    fg_request_limit_body(request, configured ? api->body_size_max : match.route->body_size_max,
                          configured ? api->inflated_size_max : match.route->body_size_max);
}

void fg_api_on_request(void *arg, struct fg_request *request)
{
    (void)arg;
    fg_trail_handle(fg_exchange_of(request));
}

void fg_api_on_refusal(void *arg, struct fg_request *request, const struct fg_refusal *refusal)
{
    struct fg_api *api = arg;
    struct fg_exchange *exchange = fg_exchange_of(request);
    if (!exchange)
        exchange = exchange_new(api, request);
    if (!exchange || fg_request_is_answered(request))
        return;
    struct fg_failure failure = {refusal->http_status, (enum fg_rpc_code)refusal->grpc_status,
                                 refusal->message, refusal->retry_after_ns};
    fg_answer_failure(exchange, &failure);
}
