/* RabbitMQ, by its management API, with a user of the tag "monitoring" that may configure, write
 * and read nothing. The API is not the broker: where it alone is silent, the broker's own port is
 * asked before anything is called down. The API's figures are some five seconds old. */
#include "kind_rabbitmq.h"

#include "base/limits.h"
#include "base/units.h"
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of one answer: a page of queues has some 100 KiB. */
#define ANSWER_SIZE_MAX ((size_t)2 << 20)

/* -- Settings ---------------------------------------------------------------------------------- */

static char *trim(char *text)
{
    while (*text == ' ')
        text++;
    char *end = text + strlen(text);
    while (end > text && end[-1] == ' ')
        *--end = 0;
    return text;
}

bool fg_rabbit_route_parse(char *text, struct fg_rabbit_route *ret_route)
{
    char *key = strstr(text, "->");
    char *queue = key ? strstr(key + 2, "->") : NULL;
    if (!queue || strstr(queue + 2, "->"))
        return false;
    *key = *queue = 0;
    ret_route->exchange = trim(text);
    ret_route->key = trim(key + 2);
    ret_route->queue = trim(queue + 2);
    return *ret_route->queue != 0;
}

static bool read_routes(struct fg_check_settings *settings, struct fg_rabbit_check *check)
{
    const char *const *items;
    uint32_t count = fg_check_setting_list(settings, "routes", &items);
    size_t size = 0, used = 0;
    if (count > FG_RABBIT_ROUTES_MAX) {
        fg_check_complain(settings, "routes", "there are more than %u", FG_RABBIT_ROUTES_MAX);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        size += strlen(items[i]) + 1;
    check->route_texts = malloc(size + 1);
    if (!check->route_texts)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        char *text = check->route_texts + used;
        used += strlen(items[i]) + 1;
        memcpy(text, items[i], strlen(items[i]) + 1);
        if (!fg_rabbit_route_parse(text, &check->routes[i])) {
            fg_check_complain(settings, "routes", "'%s' is not EXCHANGE -> KEY -> QUEUE", items[i]);
            return false;
        }
    }
    check->route_count = count;
    return true;
}

static bool read_address(struct fg_check_settings *settings, struct fg_rabbit_check *check)
{
    const char *why = "a broker wants the url of its management API";
    check->url = fg_check_setting(settings, "url");
    check->user = fg_check_setting(settings, "user");
    check->vhost = fg_check_setting(settings, "vhost");
    check->ca_file = fg_check_setting(settings, "ca-file");
    check->amqp_port = fg_check_setting_int(settings, "amqp-port", 0, 65535, 5672);
    (void)fg_check_secret(settings, "password", NULL, NULL);
    if (!check->user)
        check->user = "filigree";
    if (!check->vhost)
        check->vhost = "/";
    if (!check->url || !fg_web_url_split(check->url, check->host, &check->port, &why)) {
        fg_check_complain(settings, "url", "%s", why);
        return false;
    }
    return true;
}

static bool read_settings(struct fg_check_settings *settings, struct fg_rabbit_check *check)
{
    bool good = read_address(settings, check);
    check->queue_count = fg_check_setting_list(settings, "queues", &check->queues);
    check->dead_letter_count =
        fg_check_setting_list(settings, "dead-letter-queues", &check->dead_letter_queues);
    check->depth_max = fg_check_setting_int(settings, "depth-max", 0, INT64_MAX, 0);
    check->dead_letters_max = fg_check_setting_int(settings, "dead-letters-max", 0, INT64_MAX, 0);
    check->consumers_min = fg_check_setting_int(settings, "consumers-min", 0, 100000, 1);
    check->wait_max_ns = fg_check_setting_ns(settings, "wait-max", 10 * FG_NS_PER_MINUTE);
    check->unroutable_ns = fg_check_setting_ns(settings, "unroutable-for", 5 * FG_NS_PER_MINUTE);
    return read_routes(settings, check) && good;
}

static void close_check(void *arg)
{
    struct fg_rabbit_check *check = arg;
    if (!check)
        return;
    free(check->route_texts);
    free(check);
}

static int open_check(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct fg_rabbit_check *check = calloc(1, sizeof *check);
    if (!check)
        return FG_ENOMEM;
    check->env = env;
    check->settings = settings;
    if (!read_settings(settings, check)) {
        int error = check->route_texts ? FG_EINVALID : FG_ENOMEM;
        close_check(check);
        return error;
    }
    *ret_check = check;
    return 0;
}

/* -- Asking ------------------------------------------------------------------------------------
 */

/* The broker's own port, where its API is refused: what is down is told from what is not switched
 * on. */
static void report_refused_api(struct fg_rabbit_run *run, const struct fg_web_call *api)
{
    const struct fg_rabbit_check *check = run->check;
    char url[320];
    bool is_v6 = strchr(check->host, ':') != NULL;
    struct fg_web_call call = {.env = check->env,
                               .report = run->report,
                               .method = "GET",
                               .url = url,
                               .only_connect = true,
                               .deadline_mono_ns = run->deadline_mono_ns,
                               .body = &run->body};
    if (check->amqp_port == 0) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "configuration", false,
                         "its API refuses connections, and without amqp-port nobody knows whether "
                         "the broker does, too");
        return;
    }
    snprintf(url, sizeof url, "http://%s%s%s:%lld/", is_v6 ? "[" : "", check->host,
             is_v6 ? "]" : "", (long long)check->amqp_port);
    fg_web_call(&call);
    if (call.outcome == FG_WEB_ANSWERED)
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "configuration", false,
                         "the broker takes connections but its API refuses them: is its plugin "
                         "rabbitmq_management enabled?");
    else if (call.outcome == FG_WEB_REFUSED)
        fg_web_report_failure(api, "the broker and its API");
    else
        fg_web_report_failure(&call, "the broker's port");
}

void fg_rabbit_not_understood(struct fg_rabbit_run *run, const char *what)
{
    fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                     "its answer about %s is not understood", what);
}

static int judge_status(struct fg_rabbit_run *run, const char *what, long status, long may_be)
{
    if (status == 200)
        return 0;
    if (status == 404)
        return FG_ENOTFOUND;
    if (status == may_be)
        return FG_EUNSUPPORTED;
    if (status == 401 || status == 403)
        fg_check_finding(
            run->report, FG_CHECK_UNKNOWN, "permission", false,
            "the monitor may not see %s: rabbitmqctl set_permissions -p %s %s '^$' '^$' "
            "'^$'",
            what, run->check->vhost, run->check->user);
    else
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "it answers with status %ld when asked about %s", status, what);
    return FG_EIO;
}

/* Outcome and body; a failure is not reported yet. */
static void call_api(struct fg_rabbit_run *run, const char *path, struct fg_web_call *call)
{
    const struct fg_rabbit_check *check = run->check;
    struct fg_buffer url;
    size_t size = strlen(check->url);
    while (size && check->url[size - 1] == '/')
        size--;
    fg_buffer_init(&url, 8192);
    fg_buffer_append(&url, check->url, size);
    fg_buffer_append_string(&url, "/api/");
    fg_buffer_append_string(&url, path);
    fg_buffer_append_byte(&url, 0);
    *call = (struct fg_web_call){.env = check->env,
                                 .report = run->report,
                                 .method = "GET",
                                 .url = url.error ? "" : (const char *)url.data,
                                 .user = check->user,
                                 .password = run->password,
                                 .ca_file = check->ca_file,
                                 .deadline_mono_ns = run->deadline_mono_ns,
                                 .body = &run->body};
    fg_buffer_reset(&run->body);
    fg_web_call(call);
    call->url = NULL;
    fg_buffer_free(&url);
}

int fg_rabbit_get(struct fg_rabbit_run *run, const char *what, const char *path, long may_be)
{
    struct fg_web_call call;
    if (run->is_over || fg_check_is_cancelled(run->report))
        return FG_ECANCELLED;
    call_api(run, path, &call);
    if (call.outcome != FG_WEB_ANSWERED) {
        run->is_over = true;
        fg_web_report_failure(&call, "its API");
        return FG_EIO;
    }
    if (call.is_cut) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "its answer about %s is larger than %zu MiB", what, ANSWER_SIZE_MAX >> 20);
        return FG_EIO;
    }
    return judge_status(run, what, call.status, may_be);
}

/* -- The broker as a whole ---------------------------------------------------------------------
 */

static void judge_unroutable(struct fg_rabbit_run *run, const struct fg_rabbit_overview *overview)
{
    struct fg_rabbit_check *check = run->check;
    uint64_t now = fg_env_mono_ns(check->env);
    int64_t returned = overview->returned_count < 0 ? 0 : overview->returned_count;
    int64_t dropped = overview->dropped_count < 0 ? 0 : overview->dropped_count;
    fg_check_int(run->report, "rabbitmq.unroutable.returned", returned);
    fg_check_int(run->report, "rabbitmq.unroutable.dropped", dropped);
    int64_t fresh = 0; /* counters that go back belong to a broker that began anew */
    if (check->knows_unroutable && returned > check->returned_count)
        fresh += returned - check->returned_count;
    if (check->knows_unroutable && dropped > check->dropped_count)
        fresh += dropped - check->dropped_count;
    check->knows_unroutable = true;
    check->returned_count = returned;
    check->dropped_count = dropped;
    bool lasts =
        check->unroutable_seen_ns && now - check->unroutable_seen_ns < check->unroutable_ns;
    if (fresh) {
        check->unroutable_new = lasts ? check->unroutable_new + fresh : fresh;
        check->unroutable_seen_ns = now;
    }
    if (fresh || lasts) {
        char time[FG_UNITS_TEXT_SIZE];
        fg_duration_format(now - check->unroutable_seen_ns, time);
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "unroutable", false,
                         "%lld %s to an exchange from which no queue takes them; the last %s ago",
                         (long long)check->unroutable_new,
                         check->unroutable_new == 1 ? "message was sent" : "messages were sent",
                         time);
    }
}

static bool look_at_overview(struct fg_rabbit_run *run)
{
    struct fg_web_call call;
    struct fg_rabbit_overview overview;
    call_api(run, "overview", &call);
    if (call.outcome == FG_WEB_REFUSED) {
        report_refused_api(run, &call);
        return false;
    }
    if (call.outcome != FG_WEB_ANSWERED) {
        fg_web_report_failure(&call, "its API");
        return false;
    }
    if (call.status == 401 || call.status == 403) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "access_denied", false,
                         "its API does not let the monitor in: wrong user or password, or the user "
                         "%s has not the tag monitoring",
                         run->check->user);
        return false;
    }
    if (call.is_cut || call.status != 200 ||
        fg_rabbit_read_overview(fg_buffer_slice(&run->body), &overview) != 0) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "what answers at its API's address (status %ld) is not RabbitMQ's "
                         "management, or not one that is known",
                         call.status);
        return false;
    }
    fg_check_text(run->report, "rabbitmq.version", fg_slice_from_string(overview.version));
    fg_check_text(run->report, "rabbitmq.cluster", fg_slice_from_string(overview.cluster));
    if (overview.connections >= 0)
        fg_check_int(run->report, "rabbitmq.connections", overview.connections);
    judge_unroutable(run, &overview);
    return true;
}

static void judge_nodes(struct fg_rabbit_run *run, const struct fg_rabbit_nodes *nodes)
{
    struct fg_check_report *report = run->report;
    char used[FG_UNITS_TEXT_SIZE];
    if (nodes->running < nodes->count)
        fg_check_finding(report, FG_CHECK_DEGRADED, "unreachable", false,
                         "%u of %u nodes are not running: %s", nodes->count - nodes->running,
                         nodes->count, nodes->stopped);
    if (nodes->partitioned)
        fg_check_finding(report, FG_CHECK_DEGRADED, "unreachable", false,
                         "its nodes don't see each other: the cluster is partitioned");
    if (nodes->memory_alarm) {
        fg_size_format((uint64_t)(nodes->memory_used > 0 ? nodes->memory_used : 0), used);
        fg_check_finding(report, FG_CHECK_DEGRADED, "alarm_memory", false,
                         "the memory alarm of %s holds all publishers back; it uses %s",
                         nodes->alarmed, used);
    }
    if (nodes->disk_alarm) {
        fg_size_format((uint64_t)(nodes->disk_free > 0 ? nodes->disk_free : 0), used);
        fg_check_finding(report, FG_CHECK_DEGRADED, "alarm_disk", false,
                         "the disk alarm of %s holds all publishers back; %s are free",
                         nodes->alarmed, used);
    }
}

static void look_at_nodes(struct fg_rabbit_run *run)
{
    struct fg_rabbit_nodes nodes;
    int error = fg_rabbit_get(run, "its nodes",
                              "nodes?columns=name,running,mem_alarm,disk_free_alarm,mem_used,"
                              "mem_limit,disk_free,disk_free_limit,fd_used,fd_total,partitions",
                              0);
    if (error == 0)
        error = fg_rabbit_read_nodes(fg_buffer_slice(&run->body), &nodes);
    if (error == FG_EINVALID || error == FG_ENOTFOUND)
        fg_rabbit_not_understood(run, "its nodes");
    if (error)
        return;
    fg_check_int(run->report, "rabbitmq.nodes", nodes.count);
    fg_check_int(run->report, "rabbitmq.nodes.running", nodes.running);
    fg_check_int(run->report, "rabbitmq.memory.used", nodes.memory_used);
    fg_check_int(run->report, "rabbitmq.memory.limit", nodes.memory_limit);
    fg_check_int(run->report, "rabbitmq.disk.free", nodes.disk_free);
    fg_check_int(run->report, "rabbitmq.disk.limit", nodes.disk_limit);
    /* Flags of nodes are some seconds old; this answer is not, and older brokers don't have it. */
    error = fg_rabbit_get(run, "its alarms", "health/checks/alarms", 503);
    if (error == 0 || error == FG_EUNSUPPORTED) {
        if (fg_rabbit_read_alarms(fg_buffer_slice(&run->body), &nodes) != 0)
            fg_rabbit_not_understood(run, "its alarms");
    }
    judge_nodes(run, &nodes);
}

static void name_component(const struct fg_rabbit_check *check, struct fg_check_report *report)
{
    fg_check_text(report, "messaging.system", FG_SLICE("rabbitmq"));
    fg_check_text(report, "server.address", fg_slice_from_string(check->host));
    fg_check_int(report, "server.port", check->amqp_port ? check->amqp_port : check->port);
    if (check->queue_count == 1 && !strpbrk(check->queues[0], "*?"))
        fg_check_text(report, "messaging.destination.name", fg_slice_from_string(check->queues[0]));
}

static void run_check(void *arg, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct fg_rabbit_check *check = arg;
    struct fg_rabbit_run run = {
        .check = check, .report = report, .deadline_mono_ns = deadline_mono_ns};
    const char *why = NULL;
    name_component(check, report);
    run.password = fg_check_secret(check->settings, "password", report->arena, &why);
    if (!run.password) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "credentials_missing", false, "no password: %s",
                         why ? why : "none is set");
        return;
    }
    fg_buffer_init(&run.body, ANSWER_SIZE_MAX);
    if (look_at_overview(&run)) {
        look_at_nodes(&run);
        fg_rabbit_look_at_queues(&run);
        fg_rabbit_look_at_routes(&run);
    }
    fg_buffer_free(&run.body);
}

const struct fg_check_kind fg_check_kind_rabbitmq = {
    .name = "rabbitmq",
    .summary = "RabbitMQ: alarms, queues and their limits, consumers, bindings, lost messages",
    .open = open_check,
    .run = run_check,
    .close = close_check,
};
