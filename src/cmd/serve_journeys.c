/* Flows and journeys of `filigree serve`. */
#include "auth/auth.h"
#include "journey/gone.h"
#include "journey/incidents.h"
#include "journey/journeys.h"
#include "monitor/monitors.h"
#include "os/memory.h"
#include "os/oom.h"
#include "serve.h"
#include "store/consumer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

/* A flow's schema, which stands beside its file. */
static enum fg_exit load_schema(struct fg_serve *serve, const char *flows_path,
                                struct fg_flow *flow)
{
    char path[PATH_MAX];
    const char *slash = strrchr(flows_path, '/');
    int folder = flow->schema_file.data[0] == '/' || !slash ? 0 : (int)(slash - flows_path) + 1;
    int size = snprintf(path, sizeof path, "%.*s%.*s", folder, flows_path,
                        (int)flow->schema_file.size, (const char *)flow->schema_file.data);
    uint8_t *text = NULL;
    size_t text_size = 0;
    struct fg_buffer errors;
    if (size < 0 || (size_t)size >= sizeof path)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "flows: %s: message-schema: too long a path",
                           flows_path);
    int r = fg_cli_read_file(serve->cli, path, FILE_SIZE_MAX, &text, &text_size);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "flows: %s: can't read message-schema %s: %s",
                           flows_path, path, fg_error_name(r));
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    r = fg_flow_set_schema(flow, fg_slice(text, text_size), &serve->arena, &errors);
    if (errors.size > 0)
        fprintf(serve->cli->err, "%s: %.*s", path, (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    free(text);
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "flows: %s is no schema: %s", path,
                       r == FG_EINVALID ? "see above" : fg_error_name(r));
}

enum fg_exit fg_serve_flows_load(struct fg_serve *serve)
{
    enum fg_exit code = FG_EXIT_OK;
    for (size_t i = 0; code == FG_EXIT_OK && i < serve->config->flows.count; i++) {
        uint32_t known = serve->flows.count;
        code = load_file(serve, serve->config->flows.items[i]);
        for (; code == FG_EXIT_OK && known < serve->flows.count; known++)
            if (serve->flows.flows[known].schema_file.size > 0)
                code =
                    load_schema(serve, serve->config->flows.items[i], &serve->flows.flows[known]);
    }
    return code == FG_EXIT_OK ? fg_serve_incidents_check(serve) : code;
}

/* -- Traces that outlive their retention */

/* A tenant's are asked from now on. */
static void pin(struct fg_serve_tenant *tenant, struct fg_journeys *journeys)
{
    struct fg_serve *serve = tenant->serve;
    fg_mutex_lock(&serve->pins_mutex);
    tenant->journeys = journeys;
    fg_mutex_unlock(&serve->pins_mutex);
}

static void set_knows_pins(struct fg_serve *serve, bool knows)
{
    fg_mutex_lock(&serve->pins_mutex);
    serve->knows_pins = knows;
    fg_mutex_unlock(&serve->pins_mutex);
}

void fg_serve_unpin(struct fg_serve *serve)
{
    set_knows_pins(serve, false);
}

bool fg_serve_knows_pins(void *arg)
{
    struct fg_serve *serve = arg;
    fg_mutex_lock(&serve->pins_mutex);
    bool knows = serve->knows_pins;
    for (uint32_t i = 0; knows && i < FG_TENANTS_MAX; i++)
        knows = !serve->tenants[i].journeys || fg_journeys_knows_pins(serve->tenants[i].journeys);
    fg_mutex_unlock(&serve->pins_mutex);
    return knows;
}

bool fg_serve_is_pinned(void *arg, uint32_t tenant, uint64_t trace_id_high, uint64_t trace_id_low)
{
    struct fg_serve *serve = arg;
    fg_mutex_lock(&serve->pins_mutex);
    struct fg_journeys *journeys = tenant < FG_TENANTS_MAX ? serve->tenants[tenant].journeys : NULL;
    bool is_pinned =
        !serve->knows_pins ||
        (journeys && fg_journeys_is_pinned(journeys, tenant, trace_id_high, trace_id_low));
    fg_mutex_unlock(&serve->pins_mutex);
    return is_pinned;
}

/* -- The consumer */

static int erased(void *arg, const struct fg_erased *what)
{
    struct fg_serve *serve = arg;
    struct fg_serve_tenant *tenant =
        what->tenant < FG_TENANTS_MAX ? &serve->tenants[what->tenant] : NULL;
    struct fg_gone gone;
    if (!tenant || !tenant->journeys || !tenant->incidents)
        return FG_EAGAIN;
    fg_gone_init(&gone);
    int r = fg_journeys_erased(tenant->journeys, what, &gone);
    if (r == 0)
        r = fg_incidents_erased(tenant->incidents, &gone);
    fg_gone_free(&gone);
    return r;
}

size_t fg_serve_consumers(struct fg_serve *serve, struct fg_consumer_options *ret_options)
{
    if (serve->config->state_size_max == 0)
        return 0;
    *ret_options =
        (struct fg_consumer_options){.name = FG_JOURNEYS_CONSUMER, .erased = erased, .arg = serve};
    return 1;
}

/* -- Tenants: each has its own flows, journeys and incidents */

static bool is_of(const struct fg_serve_tenant *tenant, struct fg_slice name)
{
    return fg_slice_equal(name.size ? name : FG_SLICE("default"),
                          fg_slice_from_string(tenant->name));
}

/* Those of all flows that are the tenant's: copies, whose parts stay serve->flows'. */
static int pick_flows(const struct fg_serve *serve, struct fg_serve_tenant *tenant)
{
    const struct fg_flows *all = &serve->flows;
    struct fg_flows *own = &tenant->flows;
    own->flows = calloc(all->count + 1, sizeof *own->flows);
    own->key_rules = calloc(all->key_rule_count + 1, sizeof *own->key_rules);
    if (!own->flows || !own->key_rules)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < all->count; i++)
        if (is_of(tenant, all->flows[i].tenant))
            own->flows[own->count++] = all->flows[i];
    for (uint32_t i = 0; i < all->key_rule_count; i++)
        if (is_of(tenant, all->key_rules[i].tenant))
            own->key_rules[own->key_rule_count++] = all->key_rules[i];
    return 0;
}

/* Of a record, with what finds it and while others take the place of some. */
#define RECORD_BYTES 800u
#define MEMORY_SHARE 16u
#define JOURNEYS_MAX 2000000u

static uint32_t journeys_max(const struct fg_config *config)
{
    if (config->journeys_max > 0)
        return (uint32_t)config->journeys_max;
    uint64_t fit = fg_memory_bytes(FG_OOM_GROUPS, FG_OOM_ROOT) / MEMORY_SHARE / RECORD_BYTES;
    return fit < FG_JOURNEYS_MIN ? FG_JOURNEYS_MIN
           : fit < JOURNEYS_MAX  ? (uint32_t)fit
                                 : JOURNEYS_MAX;
}

static int open_tenant(struct fg_serve *serve, uint32_t number, const char *name)
{
    const struct fg_config *config = serve->config;
    struct fg_serve_tenant *tenant = &serve->tenants[number];
    bool leads = number == 0;
    if (tenant->journeys)
        return 0;
    tenant->serve = serve;
    snprintf(tenant->name, sizeof tenant->name, "%s", name);
    int r = pick_flows(serve, tenant);
    const struct fg_journeys_options options = {
        .env = serve->cli->env,
        .store = serve->store,
        .flows = &tenant->flows,
        .keys = serve->journey_keys,
        .key_count = (uint32_t)config->journey_keys.count,
        .facets = serve->journey_facets,
        .facet_count = (uint32_t)config->journey_facets.count,
        .tenant = number,
        .state = fg_store_state(serve->store),
        .consumer = leads ? fg_store_consumer(serve->store, FG_JOURNEYS_CONSUMER) : NULL,
        .leader = leads ? NULL : serve->tenants[0].journeys,
        .starts_later = leads,
        .instances = fg_api_instances(serve->api),
        .journeys_max = journeys_max(config)};
    struct fg_journeys *journeys;
    if (r == 0)
        r = fg_journeys_open(&options, &journeys);
    if (r < 0)
        return r;
    pin(tenant, journeys);
    fg_api_attach_journeys(serve->api, number, tenant->journeys);
    return fg_serve_incidents_open(tenant, number);
}

static int open_known(struct fg_serve *serve, uint32_t number)
{
    char name[FG_TENANT_NAME_SIZE_MAX + 1];
    fg_tenant_name(serve->auth, number, name);
    return number < FG_TENANTS_MAX ? open_tenant(serve, number, name) : FG_ELIMIT;
}

/* One that was added: on a worker of the api, one at a time. */
static int on_tenant(void *arg, uint32_t number)
{
    struct fg_serve *serve = arg;
    int r = open_known(serve, number);
    fg_serve_put_retention(serve);
    return r == 0 ? fg_serve_monitors_open(&serve->tenants[number], number) : r;
}

struct opening {
    struct fg_serve *serve;
    uint32_t numbers[FG_TENANTS_MAX], count;
};

static void note_tenant(void *arg, const struct fg_tenant_info *info)
{
    struct opening *opening = arg;
    if (info->tenant > 0 && info->tenant < FG_TENANTS_MAX && opening->count < FG_TENANTS_MAX)
        opening->numbers[opening->count++] = info->tenant;
}

/* Flows of a tenant that is not there are no fault: it may be added later. They are told. */
static void tell_unused(const struct fg_serve *serve)
{
    for (uint32_t i = 0; i < serve->flows.count; i++) {
        struct fg_slice name = serve->flows.flows[i].tenant;
        uint32_t number;
        if (name.size > 0 && (!serve->auth || fg_tenant_find(serve->auth, name, &number) < 0))
            fg_log(FG_LOG_WARN, "a flow is of a tenant that is not there yet",
                   "flow=%.*s tenant=%.*s", (int)serve->flows.flows[i].name.size,
                   (const char *)serve->flows.flows[i].name.data, (int)name.size,
                   (const char *)name.data);
    }
}

int fg_serve_journeys_open(struct fg_serve *serve, uint32_t *ret_tenant_count)
{
    const struct fg_config *config = serve->config;
    size_t count = config->journey_keys.count;
    struct opening opening = {.serve = serve};
    serve->journey_keys = fg_arena_calloc(&serve->arena, count + 1, sizeof *serve->journey_keys);
    if (!serve->journey_keys)
        return FG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        serve->journey_keys[i] = fg_slice_from_string(config->journey_keys.items[i]);
    size_t facets = config->journey_facets.count;
    serve->journey_facets =
        fg_arena_calloc(&serve->arena, facets + 1, sizeof *serve->journey_facets);
    if (!serve->journey_facets)
        return FG_ENOMEM;
    for (size_t i = 0; i < facets; i++)
        serve->journey_facets[i] = fg_slice_from_string(config->journey_facets.items[i]);
    int r = fg_serve_owners_read(serve);
    if (r == 0)
        r = open_tenant(serve, 0, "default");
    if (serve->auth)
        fg_tenants_each(serve->auth, note_tenant, &opening);
    uint32_t tenant_count = 1;
    for (uint32_t i = 0; r == 0 && i < opening.count; i++) {
        r = open_known(serve, opening.numbers[i]);
        if (opening.numbers[i] >= tenant_count)
            tenant_count = opening.numbers[i] + 1;
    }
    if (r == 0)
        r = fg_journeys_start(serve->tenants[0].journeys);
    /* From then on spans may expire: whose tenant's bounds are whose is known before. */
    fg_serve_put_retention(serve);
    if (r == 0)
        set_knows_pins(serve, true);
    fg_api_on_tenant(serve->api, on_tenant, serve);
    tell_unused(serve);
    *ret_tenant_count = tenant_count;
    return r;
}

void fg_serve_journeys_stop(struct fg_serve *serve)
{
    for (uint32_t i = FG_TENANTS_MAX; i-- > 0;) { /* the leader last */
        fg_incidents_stop(serve->tenants[i].incidents);
        fg_journeys_stop(serve->tenants[i].journeys);
    }
}

void fg_serve_journeys_close(struct fg_serve *serve)
{
    for (uint32_t i = FG_TENANTS_MAX; i-- > 0;) {
        fg_incidents_close(serve->tenants[i].incidents);
        fg_monitors_close(serve->tenants[i].monitors);
        fg_journeys_close(serve->tenants[i].journeys);
        free(serve->tenants[i].flows.flows);
        free(serve->tenants[i].flows.key_rules);
    }
}
