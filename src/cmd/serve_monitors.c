/* Monitors of `filigree serve`: their files, and the way of their spans into the store. */
#include "monitor/added.h"
#include "monitor/monitors.h"
#include "net/webhook.h"
#include "serve.h"
#include "store/consumer.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX   ((size_t)1 << 20)
#define ERRORS_SIZE_MAX ((size_t)64 << 10)

static enum fg_exit load_file(struct fg_serve *serve, const char *path)
{
    const struct fg_monitor_source source = {.env = serve->cli->env, .file_name = path};
    uint8_t *text = NULL;
    size_t size = 0;
    struct fg_buffer errors;
    int r = fg_cli_read_file(serve->cli, path, FILE_SIZE_MAX, &text, &size);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "monitors: can't read %s: %s", path,
                           fg_error_name(r));
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    r = fg_monitor_configs_parse(&source, fg_slice(text, size), &errors, &serve->monitor_configs);
    fprintf(serve->cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    free(text);
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "monitors: %s is not taken: %s", path,
                       r == FG_EINVALID ? "see above" : fg_error_name(r));
}

enum fg_exit fg_serve_monitors_load(struct fg_serve *serve)
{
    enum fg_exit code = FG_EXIT_OK;
    for (size_t i = 0; code == FG_EXIT_OK && i < serve->config->monitors.count; i++)
        code = load_file(serve, serve->config->monitors.items[i]);
    return code;
}

static int append(void *arg, struct fg_slice request)
{
    const struct fg_serve_tenant *tenant = arg;
    uint64_t rejected_spans = 0;
    uint32_t number = (uint32_t)(tenant - tenant->serve->tenants);
    int r = fg_api_inject(tenant->serve->api, number, request, &rejected_spans);
    return r == 0 && rejected_spans ? FG_EINVALID : r;
}

/* One alert a monitor: that it is not well. How it is not well is its severity. */
static void tell(const struct fg_serve_tenant *tenant, const struct fg_monitor_change *change,
                 bool is_reminder)
{
    struct fg_serve *serve = tenant->serve;
    bool is_default = strcmp(tenant->name, "default") == 0;
    static const char *const severities[] = {[FG_CHECK_OK] = "info",
                                             [FG_CHECK_DEGRADED] = "warning",
                                             [FG_CHECK_DOWN] = "critical",
                                             [FG_CHECK_UNKNOWN] = "warning"};
    char key[FG_MONITOR_NAME_SIZE_MAX + 64], summary[400], url[460];
    bool is_well = change->result == FG_CHECK_OK;
    /* what ended is labelled as it began */
    enum fg_check_result told = is_well ? change->before : change->result;
    snprintf(key, sizeof key, "monitor/%s%s%s", is_default ? "" : tenant->name,
             is_default ? "" : "/", change->name);
    snprintf(summary, sizeof summary, "%s is %s", change->service ? change->service : change->name,
             fg_check_result_name(change->result));
    snprintf(url, sizeof url, "%s/components?monitor=%s%s%s", serve->config->pages_url,
             change->name, is_default ? "" : "&tenant=", is_default ? "" : tenant->name);
    struct fg_alert alert = {
        .key = key,
        .name = "FiligreeMonitor",
        .severity = severities[told],
        .is_firing = !is_well,
        .told = is_reminder ? FG_ALERT_TOLD_ALL : 0,
        .starts_ns = is_well ? change->before_since_ns : change->since_ns,
        .ends_ns = change->since_ns,
        .summary = fg_slice_from_string(summary),
        .description = change->text,
        .url = url,
        .labels = {{"monitor", fg_slice_from_string(change->name)},
                   {"kind", fg_slice_from_string(change->kind)},
                   {"result", fg_slice_from_string(fg_check_result_name(told))}},
        .label_count = 3};
    if (change->service)
        alert.labels[alert.label_count++] =
            (struct fg_alert_label){"service", fg_slice_from_string(change->service)};
    if (!is_default)
        alert.labels[alert.label_count++] =
            (struct fg_alert_label){"tenant", fg_slice_from_string(tenant->name)};
    fg_serve_alert(serve, &alert);
}

static void remind(void *arg, const struct fg_monitor_view *view)
{
    if (view->is_new || view->result == FG_CHECK_OK)
        return;
    const struct fg_monitor_change change = {.name = view->config->name,
                                             .kind = view->config->kind->name,
                                             .service = view->config->service,
                                             .before = view->result,
                                             .result = view->result,
                                             .since_ns = view->since_ns};
    tell(arg, &change, true);
}

static void changed(void *arg, const struct fg_monitor_change *change)
{
    tell(arg, change, false);
    bool is_well = change->result == FG_CHECK_OK;
    fg_log(is_well ? FG_LOG_INFO : FG_LOG_WARN, "a monitor's result changed",
           "monitor=%s kind=%s from=%s to=%s code=%s text=%.*s", change->name, change->kind,
           fg_check_result_name(change->before), fg_check_result_name(change->result),
           change->code ? change->code : "", (int)change->text.size,
           (const char *)change->text.data);
}

/* Those that were added while a server ran. */
static int load_added(const struct fg_serve_tenant *tenant)
{
    const char *secrets = tenant->serve->config->monitor_secrets;
    struct fg_buffer errors;
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    int r = fg_monitors_load_added(tenant->monitors, secrets, &errors);
    if (errors.size > 0)
        fg_log(FG_LOG_WARN, "some monitors that were added can't be run", "text=%.*s",
               (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    return r;
}

/* Threads for the checks of a tenant beside the default one. */
#define THREADS_MAX 8u

int fg_serve_monitors_open(struct fg_serve_tenant *tenant, uint32_t number)
{
    struct fg_serve *serve = tenant->serve;
    struct fg_monitor_configs *configs = &serve->monitor_configs;
    const struct fg_monitors_options options = {.env = serve->cli->env,
                                                .append = append,
                                                .changed = changed,
                                                .arg = tenant,
                                                .tenant = number,
                                                .threads_max = number == 0 ? 0 : THREADS_MAX,
                                                .state = fg_store_state(serve->store)};
    int r = fg_monitors_open(&options, &tenant->monitors);
    for (uint32_t i = 0; r == 0 && i < configs->count; i++) {
        const char *name = configs->items[i] ? configs->items[i]->tenant : NULL;
        if (!configs->items[i] || strcmp(name ? name : "default", tenant->name) != 0)
            continue;
        r = fg_monitors_put_take(tenant->monitors, configs->items[i], false);
        configs->items[i] = NULL;
    }
    if (r == 0)
        r = load_added(tenant);
    if (r == 0)
        (void)fg_monitors_each(tenant->monitors, NULL, remind, tenant);
    if (r == 0)
        fg_api_attach_monitors(serve->api, number, tenant->monitors);
    return r;
}

void fg_serve_monitors_stop(struct fg_serve *serve)
{
    for (uint32_t i = 0; i < FG_TENANTS_MAX; i++)
        fg_monitors_stop(serve->tenants[i].monitors);
}
