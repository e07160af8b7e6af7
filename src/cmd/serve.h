/* A running server, for the files of `filigree serve`. */
#pragma once

#include "api/api.h"
#include "auth/accounts.h"
#include "base/limits.h"
#include "command.h"
#include "config.h"
#include "journey/flow.h"
#include "monitor/config.h"
#include "net/server.h"
#include "net/tls.h"
#include "os/thread.h"
#include "store/store.h"

struct fg_auth;
struct fg_alert;
#define FG_SERVE_RECEIVERS_MAX 32u /* FG_WEBHOOK_URLS_MAX */
struct fg_consumer_options;
struct fg_monitors;
struct fg_recorders;
struct fg_webhook;
struct fg_redact_rules;

/* What the files of certificates held, as hashes: 0 where one could not be read. */
struct fg_serve_tls_look {
    uint64_t loaded; /* when they were taken into use, or refused */
    uint64_t last;   /* when they were last looked at */
};

/* Listeners, in the server's order. */
enum { FG_SERVE_GRPC, FG_SERVE_HTTP, FG_SERVE_API, FG_SERVE_LISTENERS };

/* What is a tenant's own. Filled once, at the start or when the tenant is added. */
struct fg_serve_tenant {
    struct fg_serve *serve;
    char name[FG_TENANT_NAME_SIZE_MAX + 1];
    struct fg_flows flows;          /* those of serve->flows that are its own */
    struct fg_journeys *journeys;   /* NULL until the store has recovered */
    struct fg_incidents *incidents; /* NULL until then too */
    struct fg_monitors *monitors;   /* the same */
};

struct fg_serve {
    struct fg_cli *cli;
    const struct fg_arguments *arguments;
    struct fg_config *config;   /* as it was at the start: what needs a restart */
    struct fg_config *reloaded; /* the last that SIGHUP brought; NULL: none */
    struct fg_auth *auth;
    struct fg_api *api;
    struct fg_server *server;
    struct fg_tls *tls;             /* NULL: no listener speaks it */
    struct fg_serve_tls_look looks; /* of the main thread */
    struct fg_store *store;         /* NULL until it has recovered */
    struct fg_arena arena;          /* of the store's opening, and of the flows */
    struct fg_flows flows;
    struct fg_slice *journey_facets;                /* config's, in arena */
    struct fg_slice *journey_keys;                  /* config's, in arena */
    struct fg_serve_tenant tenants[FG_TENANTS_MAX]; /* by number; the default's leads */
    struct fg_monitor_configs monitor_configs;      /* of files, until they are taken over */
    struct fg_webhook *webhook;                     /* NULL: nobody is told of alerts */
    struct fg_serve_receivers *receivers;           /* of alerts; in its own memory */
    uint32_t alerts_table;                          /* of the keyed state: what was told */
    struct fg_redact_rules *redact;                 /* in force */
    struct fg_slice *owners;                        /* config's, in arena */
    struct fg_score_rules *score_rules;
    struct fg_thread opener;
    struct fg_recorders *recorders; /* NULL: no folder is watched */
    uint64_t begin_mono_ns;
    const char **backup_folders; /* in arena */
    size_t backup_folder_count;
    bool has_few_files, has_few_calls; /* what is confined */

    struct fg_mutex pins_mutex;
    bool knows_pins; /* whose traces outlive their retention; false: not now */

    struct fg_mutex mutex; /* guards what follows; written by the opener and the signals' thread */
    struct fg_cond cond;
    bool opener_ended;
    int open_result;
    const char *open_message; /* in arena */
    unsigned stops;           /* how often a stop was asked for */
    bool reload;
};

/* The configuration in force for what SIGHUP can change. */
static inline const struct fg_config *fg_serve_settings(const struct fg_serve *serve)
{
    return serve->reloaded ? serve->reloaded : serve->config;
}

struct fg_retention fg_serve_retention(const struct fg_config *config);
/* Puts what the settings say in force, with the numbers of the tenants that policies name: once
 * they are known, when one is added, when the settings were read again. Any thread. */
void fg_serve_put_retention(struct fg_serve *serve);

/* serve_reload.c: reads the configuration again, puts in force what can change, and logs what
 * changed and what needs a restart. A wrong configuration changes nothing. */
void fg_serve_reload(struct fg_serve *serve);

/* serve_tls.c: reads the certificates before anything listens; what is wrong is said. Leaves
 * serve->tls NULL where none is configured. */
enum fg_exit fg_serve_tls_open(struct fg_serve *serve);
/* Reads them again; what is wrong is logged, and what was in use stays. On the main thread. */
void fg_serve_tls_reload(struct fg_serve *serve);
/* The same where the files have changed, and have stayed so from one look to the next. */
void fg_serve_tls_look(struct fg_serve *serve);
/* Whether the listener speaks TLS, and what it asks its clients for. */
bool fg_serve_tls_is_on(const struct fg_serve *serve, const char *listener);
enum fg_client_certificate fg_serve_tls_client(const struct fg_serve *serve, const char *listener);
/* Between two looks at the files. */
#define FG_SERVE_TLS_LOOK_NS (2 * FG_NS_PER_SECOND)

/* serve_security.c: whether the server may listen where it is told to, given TLS, accounts, and the
 * risk that was taken; says why not. After fg_serve_tls_open(). */
enum fg_exit fg_serve_security_check(const struct fg_serve *serve);
struct fg_api_security fg_serve_security(const struct fg_serve *serve);

/* serve_redaction.c: the rules that a configuration asks for; a reference is the caller's. The
 * flows are read. On FG_EINVALID and others errors says what is wrong. */
FG_MUST_CHECK int fg_serve_redaction_load(struct fg_serve *serve, const struct fg_config *config,
                                          struct fg_buffer *errors,
                                          struct fg_redact_rules **ret_rules);
/* serve_confine.c: the process gives up what it needs no more, before the first thread is started;
 * the monitors and flows were read. */
void fg_serve_confine(struct fg_serve *serve);
/* Where backups may be written; before the above. FG_ENOMEM. */
FG_MUST_CHECK int fg_serve_find_backup_folders(struct fg_serve *serve);

/* serve_recorders.c: watches the folders of flight recorders on a thread of its own, from when the
 * store is attached until before the api ends. NULL is accepted by the stop. */
FG_MUST_CHECK int fg_serve_recorders_start(struct fg_serve *serve,
                                           struct fg_recorders **ret_recorders);
void fg_serve_recorders_stop(struct fg_recorders *recorders);

/* serve_journeys.c: reads the files of flows, before anything is opened; what is wrong is said with
 * file and line. */
enum fg_exit fg_serve_flows_load(struct fg_serve *serve);
/* Who reads the store's log; returns how many (0 or 1) are put into ret_options. */
size_t fg_serve_consumers(struct fg_serve *serve, struct fg_consumer_options *ret_options);
/* For fg_store_options: whose traces outlive their retention. */
bool fg_serve_is_pinned(void *arg, uint32_t tenant, uint64_t trace_id_high, uint64_t trace_id_low);
bool fg_serve_knows_pins(void *arg);
/* Nobody's journeys are asked any more, since they end. */
void fg_serve_unpin(struct fg_serve *serve);
/* Starts following journeys, and looking for incidents, of every tenant, and of each that is
 * added later; the store is open, and the api does not know it yet. *ret_tenant_count: numbers of
 * tenants that are there are below it. */
FG_MUST_CHECK int fg_serve_journeys_open(struct fg_serve *serve, uint32_t *ret_tenant_count);
/* Ends their threads; and, once nobody asks any more, what is left. */
void fg_serve_journeys_stop(struct fg_serve *serve);
void fg_serve_journeys_close(struct fg_serve *serve);

/* serve_monitors.c: reads the files of monitors, as those of flows are. */
enum fg_exit fg_serve_monitors_load(struct fg_serve *serve);
/* Starts watching for a tenant; its journeys are followed. */
FG_MUST_CHECK int fg_serve_monitors_open(struct fg_serve_tenant *tenant, uint32_t number);
void fg_serve_monitors_stop(struct fg_serve *serve);
/* serve_incidents.c, called by these two: says what is wrong with the settings of incidents. */
FG_MUST_CHECK enum fg_exit fg_serve_incidents_check(struct fg_serve *serve);
/* Before any tenant's: what all share. */
FG_MUST_CHECK int fg_serve_owners_read(struct fg_serve *serve);
/* Starts looking for a tenant's incidents; its journeys are followed. */
FG_MUST_CHECK int fg_serve_incidents_open(struct fg_serve_tenant *tenant, uint32_t number);

/* serve_accounts.c: before anything is opened; once the store is open. */
enum fg_exit fg_serve_accounts_new(struct fg_serve *serve);
FG_MUST_CHECK int fg_serve_accounts_attach(struct fg_serve *serve);
/* Whether nobody gets in without an account: they are asked for, or a port is open to others. */
bool fg_serve_accounts_wanted(const struct fg_config *config);

/* serve_greeting.c: an address as somebody on this machine reaches it. */
void fg_serve_reachable(const char *address, char *ret_text, size_t size);
/* serve_alerts.c: who is told of what is wrong. Opened before those that tell. */
FG_MUST_CHECK enum fg_exit fg_serve_alerts_open(struct fg_serve *serve);
/* Any thread, from the opening until the close; where nobody is to be told it does nothing. */
void fg_serve_alert(struct fg_serve *serve, const struct fg_alert *alert);
/* Of incidents it is kept who was told what. Opens that; before the incidents. */
FG_MUST_CHECK int fg_serve_alerts_keep(struct fg_serve *serve);
/* Who was told that this began then (0: ever), and not that it ended: for fg_alert.told. */
uint32_t fg_serve_alert_told(struct fg_serve *serve, const char *key, uint64_t starts_ns);
/* Calls fn for each key that somebody was told of so; of receivers that are none any more it is
 * forgotten. */
FG_MUST_CHECK int fg_serve_alerts_recall(struct fg_serve *serve,
                                         void (*fn)(void *arg, const char *key), void *arg);

/* serve_receivers.c: who there is to be told: first those of everything, then the owners that have
 * a webhook of their own. */
struct fg_serve_receivers {
    const char *urls[FG_SERVE_RECEIVERS_MAX];   /* the config's */
    const char *tokens[FG_SERVE_RECEIVERS_MAX]; /* files, of the owners' alone; NULL: none */
    uint32_t count, own_count;
};
/* FG_EXIT_USAGE after a sentence. */
FG_MUST_CHECK enum fg_exit fg_serve_receivers_read(struct fg_serve *serve);
/* Bits of the receivers that an owner has of his own; and whether they are told in the place of
 * those who are told of everything. */
uint32_t fg_serve_receivers_of(const struct fg_serve *serve, struct fg_slice owner,
                               bool *ret_is_instead);

/* serve_greeting.c: a few lines for somebody at a terminal: where the server is, how to use it. */
void fg_serve_greet(const struct fg_serve *serve, FILE *out);
