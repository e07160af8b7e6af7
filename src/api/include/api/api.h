/* What Filigree answers: OTLP and Zipkin ingest, the native and the Jaeger query API, health,
 * metrics, administration. Made once, given to net as its handler, and to the store once that has
 * recovered.
 *
 * Threads: a handler runs on its request's loop thread and never blocks; what reads the store runs
 * on the api's own worker threads. */
#pragma once

#include "base/slice.h"
#include "net/server.h"
#include "os/env.h"

struct fg_api;
struct fg_auth;
struct fg_instances;
struct fg_journeys;
struct fg_monitors;
struct fg_redact_rules;
struct fg_request;
struct fg_store;

/* The ports, as listeners tag them (struct fg_listen). */
enum fg_face { FG_FACE_OTLP_GRPC, FG_FACE_OTLP_HTTP, FG_FACE_API, FG_FACE_COUNT };

/* What a caller must be permitted to do. Every route names one (routes.c). */
enum fg_permission {
    FG_PERMISSION_UNSET, /* no route has it: see FG_ROUTE() */
    FG_PERMISSION_NONE,  /* for everybody: whether the server lives, signing in */
    FG_PERMISSION_SELF,  /* for whoever is known, of themselves */
    FG_PERMISSION_INGEST,
    FG_PERMISSION_SUPPORT, /* orders and verdicts */
    FG_PERMISSION_VIEW,
    FG_PERMISSION_OPERATE, /* metrics, statistics, seal */
    FG_PERMISSION_ADMIN,   /* accounts, tokens, the audit; backup, erase */
    FG_PERMISSION_COUNT,
};

/* What can change while the server runs. Copied by fg_api_configure(). */
struct fg_api_settings {
    uint32_t value_size_max, attributes_max, events_max, links_max;
    uint64_t retention_age_ns;   /* 0: for ever */
    uint64_t span_age_ns_max;    /* older spans are refused; 0: none */
    uint64_t retention_size_max; /* for /api/v1/stats */
    double price_per_gb_month;
    struct fg_redact_rules
        *redact; /* what may not be kept; the api takes a reference; may be NULL */
    const char *const *cors_origins; /* "*" for all */
    size_t cors_origin_count;
};

/* How the server can be reached, for what is checked of each request and for what the pages say. */
struct fg_api_security {
    unsigned local_faces; /* bits, 1 << enum fg_face: listeners on loopback, which the open server
                             guards (guard.h) */
    unsigned tls_faces;   /* listeners that speak TLS */
    const char *insecure; /* the risk that was taken; "no" */
    bool has_few_files, has_few_calls; /* Landlock and seccomp are in force */
};

struct fg_api_options {
    struct fg_env *env; /* borrowed */
    unsigned loop_count;
    unsigned worker_count; /* threads that read the store */
    uint64_t body_size_max, inflated_size_max;
    struct fg_api_settings settings;
    struct fg_api_security security;
    const char *monitor_secrets; /* the folder in which secrets of monitors lie that the api adds */
    const char *const *backup_folders; /* where backups may be written; none: anywhere */
    size_t backup_folder_count;
    struct fg_auth *auth; /* borrowed; asked at every request, before its body is read. NULL: all
                           * is open to everybody */
};

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_api_new(const struct fg_api_options *options, struct fg_api **ret_api);

/* After fg_server_stop(). NULL is accepted. */
void fg_api_free(struct fg_api *api);

/* Handlers for struct fg_server_options; their arg is the api. */
void fg_api_on_headers(void *api, struct fg_request *request);
void fg_api_on_request(void *api, struct fg_request *request);
void fg_api_on_refusal(void *api, struct fg_request *request, const struct fg_refusal *refusal);
void fg_api_on_turned_away(void *api, int face, struct fg_slice peer,
                           enum fg_refusal_reason reason);

/* Until then everything but health and metrics is answered by 503, come back later. The server is
 * for its counters. Once; any thread. */
void fg_api_attach_server(struct fg_api *api, struct fg_server *server);
void fg_api_attach_store(struct fg_api *api, struct fg_store *store);

/* Takes an OTLP request (protobuf) that did not come by the network, by the same rules and limits;
 * its spans are durable and found when it returns 0. It waits for that, so that no loop's thread
 * may call it; callers wait for each other. *ret_rejected_spans were left out (partial success).
 * FG_EAGAIN, FG_ENOSPACE, FG_ENOMEM: the same may go through later; FG_EIO: not before a restart;
 * FG_ELIMIT: less of it may; FG_EINVALID: it never will. The store must be attached. */
FG_MUST_CHECK int fg_api_inject(struct fg_api *api, uint32_t tenant, struct fg_slice request,
                                uint64_t *ret_rejected_spans);
/* What processes tell of their own telemetry (store/instances.h); the api's own, for as long as it
 * is there. */
struct fg_instances *fg_api_instances(struct fg_api *api);

/* A tenant's. Until then its routes of journeys answer 503. They are closed after fg_api_free().
 * Once; any thread. */
void fg_api_attach_journeys(struct fg_api *api, uint32_t tenant, struct fg_journeys *journeys);
struct fg_incidents;
struct fg_score_rules;
/* The same of incidents, and of the scorecard, whose rules outlive the api. */
void fg_api_attach_incidents(struct fg_api *api, uint32_t tenant, struct fg_incidents *incidents);
void fg_api_attach_score_rules(struct fg_api *api, const struct fg_score_rules *rules);
/* Called on a worker when a tenant was added, before that is answered: who attaches its journeys,
 * incidents and monitors. Before the store is attached. */
void fg_api_on_tenant(struct fg_api *api, int (*follow)(void *arg, uint32_t tenant), void *arg);

struct fg_webhook;
/* Whose counters are metrics; closed after fg_api_free(). */
void fg_api_attach_webhook(struct fg_api *api, struct fg_webhook *webhook);

/* The same for monitors, which are stopped before and closed after fg_api_free(). */
void fg_api_attach_monitors(struct fg_api *api, uint32_t tenant, struct fg_monitors *monitors);

/* From then on /readyz says no. */
void fg_api_drain(struct fg_api *api);

/* Takes effect for requests that come after. FG_ENOMEM changes nothing. Any thread. */
FG_MUST_CHECK int fg_api_configure(struct fg_api *api, const struct fg_api_settings *settings);
