/* `filigree serve`: the server.
 *
 * Starts from the outside in: ports are bound before anything else, so that early clients wait or
 * are told to come back instead of being turned away; then the store recovers on a thread of its
 * own, while /readyz says no; then the store is attached to the api and the server is ready. Stops
 * the other way round: the server drains, the api's threads end, the store commits and seals.
 *
 * The main thread only waits: for the opener, for signals (which a thread of their own takes). A
 * second stop signal ends the process at once; what was acknowledged is on disk all the same. */
#include "serve.h"

#include "auth/auth.h"
#include "base/limits.h"
#include "journey/incidents.h"
#include "journey/journeys.h"
#include "journey/score.h"
#include "monitor/monitors.h"
#include "net/counters.h"
#include "net/webhook.h"
#include "notify.h"
#include "os/process.h"
#include "os/signal.h"
#include "redact/rules.h"
#include "serve_config.h"
#include "store/consumer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define ARENA_BYTES_MAX ((size_t)8 << 20)
/* While the store recovers the service manager is told so often that it has to wait on. */
#define PATIENCE_NS   (5 * FG_NS_PER_SECOND)
#define PATIENCE_USEC "15000000"
/* Requests that read the store at one time: so many that a few searches which take long, and mostly
 * wait for who helps them, are in nobody's way. */
#define READERS_MIN 8u

/* -- Threads that tell the main one
 * ------------------------------------------------------------------
 */

static void on_signal(void *arg, enum fg_signal signal)
{
    struct fg_serve *serve = arg;
    fg_mutex_lock(&serve->mutex);
    if (signal == FG_SIGNAL_RELOAD)
        serve->reload = true;
    else
        serve->stops++;
    bool at_once = serve->stops > 1;
    fg_cond_broadcast(&serve->cond);
    fg_mutex_unlock(&serve->mutex);
    if (!at_once)
        return;
    fg_log(FG_LOG_WARN,
           "ended at once, as a second signal asked for; what was acknowledged is safe", NULL);
    fg_process_end(FG_EXIT_FAILED);
}

static void on_event(void *arg, int severity, const char *message)
{
    (void)arg;
    fg_log((enum fg_log_level)severity, "the store reports", "text=%s", message);
}

struct fg_retention fg_serve_retention(const struct fg_config *config)
{
    return (struct fg_retention){.age_ns = config->retention_age_ns,
                                 .bytes_max = config->retention_size_max,
                                 .pinned_bytes_max = config->pinned_size_max,
                                 .policies = config->retention_policies.policies,
                                 .policy_count = config->retention_policies.list.count};
}

void fg_serve_put_retention(struct fg_serve *serve)
{
    struct fg_retention_policy policies[FG_RETENTION_POLICIES_MAX];
    fg_mutex_lock(&serve->mutex);
    struct fg_retention retention = fg_serve_retention(fg_serve_settings(serve));
    for (size_t i = 0; i < retention.policy_count; i++) {
        struct fg_retention_policy *policy = &policies[i];
        *policy = retention.policies[i];
        if (policy->tenant_name.size &&
            (!serve->auth || fg_tenant_find(serve->auth, policy->tenant_name, &policy->tenant) < 0))
            fg_log(FG_LOG_WARN, "a retention policy is of a tenant that is not there yet",
                   "tenant=%.*s", (int)policy->tenant_name.size,
                   (const char *)policy->tenant_name.data);
    }
    retention.policies = policies;
    fg_store_set_retention(serve->store, &retention);
    fg_mutex_unlock(&serve->mutex);
}

static void open_store(void *arg)
{
    struct fg_serve *serve = arg;
    const struct fg_config *config = serve->config;
    struct fg_store_options options = fg_store_options_default(serve->cli->env, config->data);
    options.head_size_max = config->head_size_max;
    options.head_age_ns_max = config->head_age_ns_max;
    options.cache_size_max = config->cache_size_max;
    options.scan_threads =
        config->search_threads ? (unsigned)config->search_threads : fg_processor_count();
    options.append_queue_bytes_max = config->queue_size_max;
    options.merge_rate_bytes = config->merge_rate_bytes;
    options.reserve_bytes = config->reserve_bytes;
    options.state_size_max = config->state_size_max;
    options.wal_hold_bytes_max = config->wal_hold_bytes_max;
    options.retention = fg_serve_retention(config);
    options.on_event = on_event;
    options.is_pinned = fg_serve_is_pinned;
    options.knows_pins = fg_serve_knows_pins;
    options.is_pinned_arg = serve;
    struct fg_consumer_options consumer;
    options.consumer_count = fg_serve_consumers(serve, &consumer);
    options.consumers = &consumer;
    struct fg_store *store = NULL;
    const char *message = NULL;
    int r = fg_store_open(&options, &serve->arena, &message, &store);
    fg_mutex_lock(&serve->mutex);
    serve->store = r == 0 ? store : NULL;
    serve->open_result = r;
    serve->open_message = message;
    serve->opener_ended = true;
    fg_cond_broadcast(&serve->cond);
    fg_mutex_unlock(&serve->mutex);
}

/* -- Start
 * -------------------------------------------------------------------------------------------
 */

static enum fg_exit load_redaction(struct fg_serve *serve)
{
    struct fg_buffer errors;
    fg_buffer_init(&errors, FG_CONFIG_ERRORS_SIZE_MAX);
    int r = fg_serve_redaction_load(serve, serve->config, &errors, &serve->redact);
    fprintf(serve->cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    if (r == 0)
        return FG_EXIT_OK;
    return fg_cli_fail(serve->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED,
                       "redaction can't be put in force, and nothing is taken without it: %s",
                       r == FG_EINVALID ? "see above" : fg_error_name(r));
}

static enum fg_exit open_api(struct fg_serve *serve, unsigned loop_count)
{
    const struct fg_config *config = serve->config;
    unsigned processors = fg_processor_count();
    struct fg_api_options options = {
        .env = serve->cli->env,
        .loop_count = loop_count,
        .worker_count = processors < READERS_MIN ? READERS_MIN : processors,
        .body_size_max = config->body_size_max,
        .inflated_size_max = config->inflated_size_max,
        .settings = fg_serve_api_settings(config),
        .security = fg_serve_security(serve),
        .monitor_secrets = config->monitor_secrets,
        .backup_folders = serve->backup_folders,
        .backup_folder_count = serve->backup_folder_count,
        .auth = serve->auth,
    };
    options.settings.redact = serve->redact;
    int r = fg_api_new(&options, &serve->api);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: %s", fg_error_name(r));
    return FG_EXIT_OK;
}

static enum fg_exit open_server(struct fg_serve *serve, unsigned loop_count)
{
    const struct fg_config *config = serve->config;
    const struct fg_listen listeners[FG_SERVE_LISTENERS] = {
        [FG_SERVE_GRPC] = {config->otlp_grpc, FG_FACE_OTLP_GRPC,
                           fg_serve_tls_is_on(serve, "otlp-grpc"),
                           fg_serve_tls_client(serve, "otlp-grpc")},
        [FG_SERVE_HTTP] = {config->otlp_http, FG_FACE_OTLP_HTTP,
                           fg_serve_tls_is_on(serve, "otlp-http"),
                           fg_serve_tls_client(serve, "otlp-http")},
        [FG_SERVE_API] = {config->api, FG_FACE_API, fg_serve_tls_is_on(serve, "api"),
                          fg_serve_tls_client(serve, "api")},
    };
    struct fg_server_options options = fg_server_options_default(serve->cli->env);
    options.loop_count = loop_count;
    options.listeners = listeners;
    options.listener_count = FG_SERVE_LISTENERS;
    options.tls = serve->tls;
    options.limits.connections_max = (unsigned)config->connections_max;
    options.limits.body_size_max = config->body_size_max;
    options.limits.inflated_size_max = config->inflated_size_max;
    options.on_headers = fg_api_on_headers;
    options.on_request = fg_api_on_request;
    options.on_refusal = fg_api_on_refusal;
    options.on_turned_away = fg_api_on_turned_away;
    options.arg = serve->api;
    const char *message = NULL;
    int r = fg_server_open(&options, &serve->arena, &message, &serve->server);
    if (r < 0)
        return fg_cli_fail(serve->cli, r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED, "%s",
                           message ? message : fg_error_name(r));
    fg_api_attach_server(serve->api, serve->server);
    fg_log(FG_LOG_INFO, "listening", "otlp_grpc=%s otlp_http=%s api=%s",
           fg_server_address(serve->server, FG_SERVE_GRPC),
           fg_server_address(serve->server, FG_SERVE_HTTP),
           fg_server_address(serve->server, FG_SERVE_API));
    return FG_EXIT_OK;
}

static enum fg_exit start(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    unsigned loop_count = config->loops ? (unsigned)config->loops : fg_processor_count();
    enum fg_exit code = fg_serve_alerts_open(serve);
    if (code == FG_EXIT_OK)
        code = fg_serve_tls_open(serve);
    if (code == FG_EXIT_OK)
        code = fg_serve_security_check(serve);
    if (code == FG_EXIT_OK)
        code = fg_serve_accounts_new(serve);
    if (code == FG_EXIT_OK)
        code = load_redaction(serve);
    if (code == FG_EXIT_OK)
        code = open_api(serve, loop_count);
    if (code == FG_EXIT_OK)
        code = open_server(serve, loop_count);
    if (code != FG_EXIT_OK)
        return code;
    int r = fg_server_start(serve->server);
    if (r == 0)
        r = fg_thread_start(&serve->opener, "open-store", open_store, serve);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: %s", fg_error_name(r));
    return FG_EXIT_OK;
}

/* Waits until the store is open or could not be opened. It can't be interrupted: a stop that is
 * asked for meanwhile is done right afterwards. */
static enum fg_exit wait_for_store(struct fg_serve *serve)
{
    fg_mutex_lock(&serve->mutex);
    while (!serve->opener_ended) {
        bool told = fg_cond_wait_for(&serve->cond, &serve->mutex, PATIENCE_NS);
        if (!told && !serve->opener_ended)
            fg_notify("EXTEND_TIMEOUT_USEC=" PATIENCE_USEC "\nSTATUS=the store is recovering");
    }
    fg_mutex_unlock(&serve->mutex);
    fg_thread_join(&serve->opener);
    if (serve->open_result == 0)
        return FG_EXIT_OK;
    fg_log(FG_LOG_ERROR, "can't open the store", "data=%s reason=%s", serve->config->data,
           serve->open_message ? serve->open_message : fg_error_name(serve->open_result));
    return FG_EXIT_FAILED;
}

static enum fg_exit attach(struct fg_serve *serve)
{
    int r = fg_serve_accounts_attach(serve);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't read the accounts: %s",
                           fg_error_name(r));
    /* Whoever is told that the server is ready finds orders and incidents there, too. */
    uint32_t tenant_count = 0; /* numbers of those that are added later are higher */
    r = fg_serve_journeys_open(serve, &tenant_count);
    if (r == 0)
        fg_api_attach_store(serve->api, serve->store);
    for (uint32_t i = 0; r == 0 && i < tenant_count; i++)
        if (serve->tenants[i].journeys)
            r = fg_serve_monitors_open(&serve->tenants[i], i);
    if (r == 0 && serve->config->recorders.count > 0)
        r = fg_serve_recorders_start(serve, &serve->recorders);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: %s", fg_error_name(r));
    return FG_EXIT_OK;
}

static void announce(struct fg_serve *serve)
{
    struct fg_store_counters counters;
    fg_store_counters(serve->store, &counters);
    uint64_t now_ns = fg_env_mono_ns(serve->cli->env);
    fg_log(FG_LOG_INFO, "ready",
           "data=%s segments=%" PRIu64 " spans=%" PRIu64 " recovered_spans=%" PRIu64
           " took_ms=%" PRIu64,
           serve->config->data, counters.segment_count, counters.segment_spans,
           counters.recovered_spans, (now_ns - serve->begin_mono_ns) / FG_NS_PER_MS);
    fg_notify("READY=1\nSTATUS=ready");
    if (isatty(fileno(serve->cli->out)))
        fg_serve_greet(serve, serve->cli->out);
}

/* -- Serve and stop
 * ----------------------------------------------------------------------------------
 */

static void serve_until_stop(struct fg_serve *serve)
{
    fg_mutex_lock(&serve->mutex);
    while (serve->stops == 0) {
        bool is_told = serve->reload;
        if (!is_told && serve->tls)
            is_told = fg_cond_wait_for(&serve->cond, &serve->mutex, FG_SERVE_TLS_LOOK_NS);
        else if (!is_told)
            fg_cond_wait(&serve->cond, &serve->mutex);
        bool is_wanted = serve->reload;
        serve->reload = false;
        fg_mutex_unlock(&serve->mutex);
        if (is_wanted)
            fg_serve_reload(serve);
        else if (!is_told)
            fg_serve_tls_look(serve);
        fg_mutex_lock(&serve->mutex);
    }
    fg_mutex_unlock(&serve->mutex);
}

/* Loops, monitors and the recorders' watcher wait for the store's acknowledgements, workers read
 * it: they end before it is closed. */
static void stop(struct fg_serve *serve)
{
    fg_serve_recorders_stop(serve->recorders);
    fg_serve_monitors_stop(serve);
    if (serve->server && serve->store) {
        uint64_t drain_ns = fg_serve_settings(serve)->drain_ns_max;
        fg_log(FG_LOG_INFO, "stopping", "open_requests=%" PRIu64 " drain_ms=%" PRIu64,
               atomic_load(&fg_server_counters(serve->server)->requests_open),
               drain_ns / FG_NS_PER_MS);
        fg_notify("STOPPING=1\nSTATUS=requests are being finished");
        fg_api_drain(serve->api);
        fg_server_stop(serve->server, drain_ns);
    } else if (serve->server) {
        fg_server_stop(serve->server, 0);
    }
    fg_serve_unpin(serve);
    fg_serve_journeys_stop(serve);
    fg_api_free(serve->api);
    fg_serve_journeys_close(serve);
    fg_score_rules_free(serve->score_rules);
    fg_auth_free(serve->auth);
    fg_webhook_close(serve->webhook);
    free(serve->receivers);
    fg_store_close(serve->store, true);
    fg_server_close(serve->server);
    fg_tls_free(serve->tls);
}

static enum fg_exit serve_all(struct fg_serve *serve)
{
    struct fg_signals *signals;
    int r = fg_signals_start(on_signal, serve, &signals);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't start: %s", fg_error_name(r));
    enum fg_exit code = start(serve);
    if (code == FG_EXIT_OK)
        code = wait_for_store(serve);
    if (code == FG_EXIT_OK)
        code = attach(serve);
    if (code == FG_EXIT_OK) {
        announce(serve);
        serve_until_stop(serve);
    }
    stop(serve);
    fg_signals_stop(signals);
    if (code == FG_EXIT_OK)
        fg_log(FG_LOG_INFO, "stopped", NULL);
    return code;
}

static enum fg_exit run_server(struct fg_cli *cli, const struct fg_arguments *arguments,
                               struct fg_config *config)
{
    struct fg_serve serve = {.cli = cli,
                             .arguments = arguments,
                             .config = config,
                             .begin_mono_ns = fg_env_mono_ns(cli->env)};
    fg_mutex_init(&serve.mutex, FG_RANK_API);
    fg_mutex_init(&serve.pins_mutex, FG_RANK_PINS);
    fg_cond_init(&serve.cond);
    fg_arena_init(&serve.arena, ARENA_BYTES_MAX);
    fg_log_set((enum fg_log_level)config->log_level, config->log_format != 0);
    enum fg_exit code = fg_serve_flows_load(&serve);
    if (code == FG_EXIT_OK)
        code = fg_serve_monitors_load(&serve);
    if (code == FG_EXIT_OK && fg_serve_find_backup_folders(&serve) < 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "can't start: out of memory");
    if (code == FG_EXIT_OK) {
        fg_serve_confine(&serve);
        code = serve_all(&serve);
    }
    fg_monitor_configs_free(&serve.monitor_configs);
    fg_config_free(serve.reloaded);
    fg_redact_rules_unref(serve.redact);
    fg_flows_free(&serve.flows);
    fg_arena_free(&serve.arena);
    fg_cond_destroy(&serve.cond);
    fg_mutex_destroy(&serve.mutex);
    fg_mutex_destroy(&serve.pins_mutex);
    return code;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_config *config = NULL;
    struct fg_buffer messages;
    fg_buffer_init(&messages, FG_CONFIG_ERRORS_SIZE_MAX);
    enum fg_exit code = fg_serve_config_load(cli, arguments, &messages, &config);
    fprintf(cli->err, "%.*s", (int)messages.size, (const char *)messages.data);
    fg_buffer_free(&messages);
    if (code != FG_EXIT_OK)
        return code;
    if (fg_arguments_has(arguments, "print-config"))
        fg_config_print(config, cli->out);
    else
        code = run_server(cli, arguments, config);
    fg_config_free(config);
    return code;
}

static const struct fg_option options[] = {
    {.name = "config", .argument = "FILE", .help = "the configuration, in YAML", .letter = 'c'},
    {.name = "print-config", .help = "show the effective configuration and end"},
};

const struct fg_command fg_command_serve = {
    .name = "serve",
    .arguments = "[OPTIONS]",
    .summary = "run the server",
    .help =
        "Takes spans by OTLP (gRPC and HTTP) and Zipkin, keeps them in a folder, and serves the "
        "APIs.\n"
        "Every option below the first three is also a key of the configuration file and an\n"
        "environment variable: --retention-age, `retention-age:`, FILIGREE_RETENTION_AGE. A flag "
        "beats\n"
        "the environment, that the file, that the default.\n"
        "SIGTERM and SIGINT end it after what is under way is on disk, a second one ends it at "
        "once;\n"
        "SIGHUP reads the configuration again.\n"
        "\n"
        "Examples\n"
        "  filigree serve\n"
        "  filigree serve --data /var/lib/filigree --retention-age 14d --retention-size 200GiB\n"
        "  filigree serve --config /etc/filigree/filigree.yaml --print-config\n"
        "  FILIGREE_LOG_FORMAT=json filigree serve\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .takes_settings = true,
    .run = run,
};
