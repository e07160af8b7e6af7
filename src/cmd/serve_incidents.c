/* Incidents of `filigree serve`: their settings, and who is told. */
#include "journey/incidents.h"
#include "journey/score.h"
#include "net/webhook.h"
#include "serve.h"
#include "store/consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMINDED_BYTES_MAX ((size_t)4 << 20)

enum fg_exit fg_serve_incidents_check(struct fg_serve *serve)
{
    const struct fg_config_list *owners = &serve->config->owners;
    for (size_t i = 0; i < owners->count; i++)
        if (!fg_owner_rule_is_valid(fg_slice_from_string(owners->items[i])))
            return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                               "owners: '%s' is no rule; expected SERVICE=OWNER, "
                               "KIND/SERVICE=OWNER or *=OWNER",
                               owners->items[i]);
    const struct fg_config_list *apdex = &serve->config->apdex, *targets = &serve->config->targets;
    char message[300] = "";
    int r = fg_score_rules_new(apdex->items, apdex->count, targets->items, targets->count, message,
                               sizeof message, &serve->score_rules);
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(serve->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED, "%s",
                       *message ? message : fg_error_name(r));
}

/* One alert an incident, under its number: that it is open. Who is told puts the newest in the
 * place of what was told before, so that what came back is the same alert. */
static void alert(const struct fg_serve_tenant *tenant, const struct fg_incident *incident,
                  bool is_firing)
{
    struct fg_serve *serve = tenant->serve;
    char key[100], id[24], url[460], orders[80];
    bool is_instead;
    uint32_t own = fg_serve_receivers_of(serve, incident->owner, &is_instead);
    bool is_default = strcmp(tenant->name, "default") == 0;
    snprintf(id, sizeof id, "%" PRIu64, incident->id);
    snprintf(key, sizeof key, "incident/%s%s%s", is_default ? "" : tenant->name,
             is_default ? "" : "/", id);
    snprintf(url, sizeof url, "%s/incidents/%s%s%s", serve->config->pages_url, id,
             is_default ? "" : "?tenant=", is_default ? "" : tenant->name);
    snprintf(orders, sizeof orders,
             "%" PRIu64 " orders stopped there, %" PRIu64 " of them still do",
             incident->order_count, incident->standing_count);
    struct fg_alert told = {
        .key = key,
        .name = "FiligreeIncident",
        .severity = "critical",
        .is_firing = is_firing,
        .told = fg_serve_alert_told(serve, key, is_firing ? incident->spell_ns : 0),
        .own = own,
        .is_only_own = is_instead,
        .starts_ns = incident->spell_ns,
        .ends_ns = incident->resolved_ns,
        .summary = incident->text,
        .description = fg_slice_from_string(orders),
        .url = url,
        .labels = {{"incident", fg_slice_from_string(id)},
                   {"place", fg_slice_from_string(fg_place_kind_name(incident->place.kind))},
                   {"service", incident->place.service},
                   {"cause", fg_slice_from_string(fg_cause_name(incident->cause))}},
        .label_count = 4};
    if (incident->owner.size > 0)
        told.labels[told.label_count++] = (struct fg_alert_label){"owner", incident->owner};
    if (!is_default)
        told.labels[told.label_count++] =
            (struct fg_alert_label){"tenant", fg_slice_from_string(tenant->name)};
    fg_serve_alert(serve, &told);
}

static int tell(void *arg, const struct fg_incident *incident, enum fg_incident_news news)
{
    const struct fg_serve_tenant *tenant = arg;
    bool is_open = news == FG_INCIDENT_NEWS_OPEN;
    fg_log(is_open ? FG_LOG_WARN : FG_LOG_INFO,
           is_open ? "an incident is open" : "an incident ended",
           "tenant=%s incident=%" PRIu64 " place=%s service=%.*s cause=%s orders=%" PRIu64,
           tenant->name, incident->id, fg_place_kind_name(incident->place.kind),
           (int)incident->place.service.size, (const char *)incident->place.service.data,
           fg_cause_name(incident->cause), incident->order_count);
    alert(tenant, incident, is_open);
    return 0;
}

/* The number of one of the tenant's own incidents; 0: the alert is of something else. */
static uint64_t number_in(const struct fg_serve_tenant *tenant, const char *alert_key)
{
    char prefix[FG_TENANT_NAME_SIZE_MAX + 16];
    bool is_default = strcmp(tenant->name, "default") == 0;
    int size = snprintf(prefix, sizeof prefix, "incident/%s%s", is_default ? "" : tenant->name,
                        is_default ? "" : "/");
    if (strncmp(alert_key, prefix, (size_t)size) != 0 ||
        alert_key[size + (int)strspn(alert_key + size, "0123456789")] != 0)
        return 0;
    return strtoull(alert_key + size, NULL, 10);
}

/* Of what was told as open and is it no more, the end is told. */
static void see_told(void *arg, const char *key)
{
    const struct fg_serve_tenant *tenant = arg;
    const struct fg_incident_order *orders;
    struct fg_incident incident;
    struct fg_arena arena;
    uint32_t count;
    uint64_t number = number_in(tenant, key);
    fg_arena_init(&arena, REMINDED_BYTES_MAX);
    if (number > 0 &&
        fg_incidents_get(tenant->incidents, number, &arena, &incident, &orders, &count) == 0 &&
        incident.resolved_ns > 0)
        alert(tenant, &incident, false);
    fg_arena_free(&arena);
}

/* The sender begins anew with each start: what is open is told to who was not told yet, and to who
 * forgets; what ended meanwhile to who believes that it lasts. */
static int remind(struct fg_serve_tenant *tenant)
{
    const struct fg_incident_filter filter = {.only_open = true};
    const struct fg_incident *list;
    struct fg_arena arena;
    uint64_t count, open_count;
    uint32_t listed;
    fg_arena_init(&arena, REMINDED_BYTES_MAX);
    int r = fg_serve_alerts_recall(tenant->serve, see_told, tenant);
    if (r < 0)
        return r;
    r = fg_incidents_list(tenant->incidents, &filter, FG_INCIDENTS_OPEN_MAX, &arena, &list, &listed,
                          &count, &open_count);
    for (uint32_t i = 0; r == 0 && i < listed; i++)
        alert(tenant, &list[i], true);
    fg_arena_free(&arena);
    return r;
}

int fg_serve_owners_read(struct fg_serve *serve)
{
    const struct fg_config_list *owners = &serve->config->owners;
    serve->owners = fg_arena_calloc(&serve->arena, owners->count + 1, sizeof *serve->owners);
    if (!serve->owners)
        return FG_ENOMEM;
    for (size_t i = 0; i < owners->count; i++)
        serve->owners[i] = fg_slice_from_string(owners->items[i]);
    fg_api_attach_score_rules(serve->api, serve->score_rules);
    fg_api_attach_webhook(serve->api, serve->webhook);
    return fg_serve_alerts_keep(serve);
}

int fg_serve_incidents_open(struct fg_serve_tenant *tenant, uint32_t number)
{
    struct fg_serve *serve = tenant->serve;
    const struct fg_incidents_options options = {
        .env = serve->cli->env,
        .journeys = tenant->journeys,
        .tenant = number,
        .state = fg_store_state(serve->store),
        /* who looks after a service of another company is not known here */
        .owners = serve->owners,
        .owner_count = number == 0 ? serve->config->owners.count : 0,
        .tell = tell,
        .arg = tenant};
    int r = fg_incidents_open(&options, &tenant->incidents);
    if (r == 0)
        fg_api_attach_incidents(serve->api, number, tenant->incidents);
    return r == 0 ? remind(tenant) : r;
}
