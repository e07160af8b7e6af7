/* The api's own state: what loops, workers and settings share. */
#pragma once

#include "api/api.h"
#include "api/intake.h"
#include "base/limits.h"
#include "counters.h"
#include "os/thread.h"
#include "workers.h"

struct fg_redact_rules;
struct fg_redactor;
struct fg_events;
struct fg_redact;
struct fg_slots;

/* Settings in force, immutable, counted by reference. */
struct fg_settings {
    _Atomic uint32_t refs;
    struct fg_builder_limits limits;
    struct fg_redact_rules *redact; /* a reference; may be NULL */
    uint64_t retention_age_ns, retention_size_max;
    uint64_t span_age_ns_max; /* older ones are refused; 0: none is */
    double price_per_gb_month;
    struct fg_slice *cors_origins;
    size_t cors_origin_count;
    struct fg_arena arena; /* holds the origins */
};

void fg_settings_unref(struct fg_settings *settings);

/* What one thread that takes spans has of its own: a loop, or the caller of fg_api_inject(). */
struct fg_loop {
    struct fg_settings *settings; /* a reference */
    unsigned settings_version;
    struct fg_builder *builder;
    struct fg_redactor *redactor;
    struct fg_intake intake;
    struct fg_counters counters;
};

struct fg_api {
    struct fg_env *env;
    uint64_t body_size_max, inflated_size_max;
    struct fg_auth *auth; /* NULL: open */
    struct fg_api_security security;
    uint64_t started_ns;
    _Atomic(struct fg_store *) store;
    struct {
        _Atomic(struct fg_journeys *) journeys; /* NULL: none are followed, or not yet */
        _Atomic(struct fg_incidents *) incidents;
        _Atomic(struct fg_monitors *) monitors;
    } tenants[FG_TENANTS_MAX];
    int (*follow)(void *arg, uint32_t tenant); /* of a tenant that is new; NULL: nobody cares */
    void *follow_arg;
    const char *monitor_secrets; /* the folder of their secrets */
    const char *const *backup_folders;
    size_t backup_folder_count;
    _Atomic(const struct fg_score_rules *) score_rules;
    _Atomic(struct fg_webhook *) webhook; /* NULL: nobody is told of alerts */
    _Atomic(struct fg_server *) server;
    _Atomic bool draining;
    _Atomic uint64_t turned_away, turned_away_due_ns; /* since the last line, and of the next */

    struct fg_mutex mutex;        /* guards settings */
    struct fg_settings *settings; /* a reference */
    _Atomic unsigned settings_version;

    struct fg_slots *slots;         /* the order of services; guards itself */
    struct fg_events *events;       /* who listens to what changes; guards itself */
    struct fg_instances *instances; /* what senders tell of themselves */

    struct fg_workers *readers; /* look-ups and searches */
    struct fg_workers
        *large_readers;           /* one thread, for traces of many spans: seconds, and memory */
    struct fg_workers *long_jobs; /* exports, as fast as their readers read */
    struct fg_workers *oidc;      /* wait for the OpenID provider */
    struct fg_workers *sign_in;   /* passwords are hashed here, and accounts changed */
    struct fg_workers *admin;     /* seals, merges, backups, erasures */
    struct fg_workers *tails;     /* each as long as its client looks */
    _Atomic unsigned tail_count;
    _Atomic uint64_t read_bytes; /* of batches that answers hold, against FG_API_READ_BYTES_MAX */

    /* For fg_api_inject(), whose callers take turns at the last of the loops. */
    struct fg_mutex inject_gate;
    struct fg_mutex inject_mutex;
    struct fg_cond inject_cond;

    unsigned loop_count;
    struct fg_loop loops[];
};

/* Tails at once: each has a thread, which mostly sleeps. */
#define FG_API_TAILS_MAX 8u

/* A trace of so many spans in segments is a large one. */
#define FG_API_LARGE_TRACE_SPANS 50000u

/* Memory of all answers that are being rendered, together. */
#define FG_API_READ_BYTES_MAX ((uint64_t)1 << 30)

/* The settings in force; the caller gives them back with fg_settings_unref(). */
struct fg_settings *fg_api_settings_ref(struct fg_api *api);

/* On the loop's thread, before each request: takes over settings that are newer than the loop's. */
FG_MUST_CHECK int fg_loop_refresh(struct fg_api *api, struct fg_loop *loop);

/* Whether spans are taken, and if not, why. */
enum fg_readiness {
    FG_READY_YES,
    FG_READY_STARTING,
    FG_READY_DRAINING,
    FG_READY_NO_SPACE,
    FG_READY_STORE_FAILED,
};
enum fg_readiness fg_api_readiness(struct fg_api *api);

/* A tenant's own, and no other's; NULL: not yet, or no such tenant. */
static inline struct fg_journeys *fg_api_journeys(struct fg_api *api, uint32_t tenant)
{
    return tenant < FG_TENANTS_MAX
               ? atomic_load_explicit(&api->tenants[tenant].journeys, memory_order_acquire)
               : NULL;
}

static inline struct fg_incidents *fg_api_incidents(struct fg_api *api, uint32_t tenant)
{
    return tenant < FG_TENANTS_MAX
               ? atomic_load_explicit(&api->tenants[tenant].incidents, memory_order_acquire)
               : NULL;
}

static inline struct fg_monitors *fg_api_monitors(struct fg_api *api, uint32_t tenant)
{
    return tenant < FG_TENANTS_MAX
               ? atomic_load_explicit(&api->tenants[tenant].monitors, memory_order_acquire)
               : NULL;
}

/* NULL while the store recovers. */
static inline struct fg_store *fg_api_store(struct fg_api *api)
{
    return atomic_load_explicit(&api->store, memory_order_acquire);
}
