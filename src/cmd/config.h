/* The configuration of `filigree serve`.
 *
 * Each setting has one name under which it is a key of the YAML file, a flag (--retention-age) and
 * an environment variable (FILIGREE_RETENTION_AGE). A flag beats the environment, that the file,
 * that the default. The table in settings.c is all there is to know of a setting: type, bounds,
 * default, help, and whether SIGHUP can change it. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "store/store.h"

#include <stdio.h>

#define FG_SETTINGS_MAX      96
#define FG_PAGES_URL_DEFAULT "http://127.0.0.1:7070"
#define FG_CONFIG_LIST_MAX   256

/* What an operator takes upon himself beyond loopback; the setting's words in settings.c. */
enum fg_insecure {
    FG_INSECURE_NO,     /* TLS and accounts are there, or the server does not start */
    FG_INSECURE_LISTEN, /* no TLS: whoever is on the way may listen in */
    FG_INSECURE_OPEN,   /* nor accounts: whoever reaches it may read and write */
};

struct fg_config_list {
    const char **items;
    size_t count;
};

/* Where a value comes from, and how it was written there. */
struct fg_config_origin {
    const char *text;  /* as given; items of a list with commas between them */
    const char *where; /* "default", "filigree.yaml:3", "FILIGREE_LOOPS", "--loops" */
    bool is_file;      /* where names no setting */
};

enum fg_config_accounts { FG_ACCOUNTS_AUTO, FG_ACCOUNTS_ON };

struct fg_config {
    const char *data;
    const char *otlp_grpc, *otlp_http, *api; /* host:port, checked */
    uint64_t sandbox;                        /* 0 off, 1 on */
    struct fg_config_list sandbox_files, backup_folders;
    uint64_t insecure;                              /* enum fg_insecure */
    const char *tls_cert, *tls_key, *tls_client_ca; /* files; "": none */
    uint64_t tls_client_auth;                       /* 0 ask, 1 require */
    struct fg_config_list tls_on, tls_client_on;    /* "otlp-grpc", … */
    uint64_t accounts;                              /* enum fg_config_accounts */
    const char *oidc_issuer, *oidc_client, *oidc_secret_file, *oidc_redirect, *oidc_groups_claim,
        *oidc_ca;
    struct fg_config_list certificate_tenants;
    struct fg_config_list oidc_groups;
    uint64_t session_idle_ns, session_age_ns, oidc_recheck_ns, audit_age_ns;
    uint64_t loops;          /* 0: one for each processor */
    uint64_t search_threads; /* likewise */
    uint64_t connections_max;
    uint64_t drain_ns_max;
    uint64_t body_size_max, inflated_size_max;
    uint64_t value_size_max, attributes_max, events_max, links_max;
    struct fg_config_list redact_keys, redact_rules;
    uint64_t redact_defaults; /* 0 off, 1 on */
    struct fg_config_list cors_origins;
    struct fg_config_list recorders;
    struct fg_config_list flows, journey_keys, journey_facets, owners, apdex, targets;
    uint64_t journeys_max;
    struct fg_config_list monitors;
    const char *monitor_secrets;
    struct fg_config_list alert_webhooks, alert_headers, owner_webhooks, owner_tokens,
        owner_instead;
    const char *alert_ca;
    const char *pages_url;
    uint64_t retention_age_ns, retention_size_max, pinned_size_max;
    struct fg_config_policies {
        struct fg_config_list list; /* as written */
        struct fg_retention_policy *policies;
    } retention_policies;
    uint64_t head_size_max, head_age_ns_max;
    uint64_t cache_size_max, queue_size_max;
    uint64_t merge_rate_bytes, reserve_bytes;
    uint64_t state_size_max, wal_hold_bytes_max;
    double price_per_gb_month;
    uint64_t log_level;  /* enum fg_log_level */
    uint64_t log_format; /* 0 text, 1 json */

    struct fg_config_origin origins[FG_SETTINGS_MAX]; /* parallel to fg_settings() */
    struct fg_arena arena;                            /* holds all strings */
};

enum fg_setting_type {
    FG_SETTING_TEXT,     /* const char *, not empty */
    FG_SETTING_PATH,     /* const char *; empty: none */
    FG_SETTING_ADDRESS,  /* const char *: host:port, [v6]:port */
    FG_SETTING_SIZE,     /* uint64_t bytes: 64MiB */
    FG_SETTING_DURATION, /* uint64_t ns: 30d */
    FG_SETTING_COUNT,    /* uint64_t */
    FG_SETTING_NUMBER,   /* double, not negative */
    FG_SETTING_CHOICE,   /* uint64_t: index into choices */
    FG_SETTING_LIST,     /* struct fg_config_list; with choices: of these only */
    FG_SETTING_POLICIES, /* struct fg_config_policies */
};

struct fg_setting {
    const char *name;
    const char *argument; /* as a flag's help names it: "SIZE" */
    enum fg_setting_type type;
    size_t offset; /* in struct fg_config */
    const char *fallback;
    uint64_t min, max;          /* SIZE, DURATION, COUNT */
    const char *const *choices; /* CHOICE, LIST: NULL-terminated */
    bool reloads;               /* SIGHUP changes it; the others need a restart */
    const char *help;
};

/* All of them, in the order in which they are shown. */
const struct fg_setting *fg_settings(size_t *ret_count);

struct fg_config_sources {
    struct fg_slice file;                                    /* the YAML text; empty: none */
    const char *file_name;                                   /* for messages */
    const char *(*environment)(void *arg, const char *name); /* NULL where it is not set */
    const char *(*flag)(void *arg, const char *name);
    void *arg;
};

/* Reads all sources. On FG_EINVALID errors holds a line for each thing that is wrong, with file and
 * line, what was found and what was expected. */
FG_MUST_CHECK int fg_config_load(const struct fg_config_sources *sources, struct fg_buffer *errors,
                                 struct fg_config **ret_config);
void fg_config_free(struct fg_config *config);

/* The effective configuration as YAML that can be read back, each line with where it comes from. */
void fg_config_print(const struct fg_config *config, FILE *out);

/* Whether a setting was written alike in both. */
bool fg_config_same(const struct fg_config *a, const struct fg_config *b, size_t setting);

/* FILIGREE_RETENTION_AGE for retention-age. */
void fg_config_environment_name(const char *name, char *ret_text, size_t size);

/* One setting as `key: value` in the file's mapping; value is NULL where there is none. The items
 * of a sequence come with commas between them. */
typedef void (*fg_config_pair_fn)(void *arg, const char *key, const char *value, bool is_list,
                                  unsigned line);

/* Reads a YAML document that is one flat mapping. FG_EINVALID with lines in errors. */
FG_MUST_CHECK int fg_config_file_parse(struct fg_slice text, const char *file_name,
                                       fg_config_pair_fn pair, void *arg, struct fg_buffer *errors);
