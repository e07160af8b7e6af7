/* Alerts: tells people's tools by HTTP what began to be wrong, and when it ended.
 *
 * An alert is about one thing, its key; what is told of a key replaces what was told before, so
 * that a receiver that was away gets the newest state and not all that led there. Each change is
 * one message a receiver. Who begins and ends too often is flapping: the begin stays told, and its
 * end waits until the thing was quiet for a while.
 *
 * Memory is bounded by the count of keys; nothing is written to disk: a restart begins anew with
 * what is told then. Threads: fg_webhook_tell() from any, never blocks; one thread sends. */
#pragma once

#include "base/slice.h"
#include "os/env.h"

struct fg_webhook;

#define FG_WEBHOOK_URLS_MAX   32u /* bits of fg_alert.told */
#define FG_ALERT_TOLD_ALL     UINT32_MAX
#define FG_WEBHOOK_ALERTS_MAX 4096u
#define FG_ALERT_LABELS_MAX   16u

struct fg_alert_label {
    const char *name; /* letters, digits and '_'; the names alertname and severity are taken */
    struct fg_slice value;
};

struct fg_alert {
    const char *key;      /* "monitor/shop-db": at most 200 bytes */
    const char *name;     /* of the kind of alert, the label alertname: "MonitorDown" */
    const char *severity; /* "critical", "warning", "info" */
    bool is_firing;       /* false: it ended */
    /* Receivers, 1 << index of the address, that were told of its begin before a restart: of those
     * only Alertmanager, which forgets, is told of it again; and of its end only those are. */
    uint32_t told;
    uint32_t own; /* of the receivers that are told only of their own: whose it is, bits as above */
    /* Only they are told, and of its end also who was told of the begin when that was otherwise. */
    bool is_only_own;
    uint64_t starts_ns, ends_ns; /* wall clock; ends_ns counts where it ended */
    struct fg_slice summary;     /* one sentence */
    struct fg_slice description; /* more of them; may be empty */
    const char *url;             /* a page that shows it; NULL: none */
    struct fg_alert_label labels[FG_ALERT_LABELS_MAX];
    uint32_t label_count;
};

/* Borrowed until the close. */
struct fg_webhook_options {
    struct fg_env *env;
    /* http or https. One whose path ends in /api/v2/alerts gets Alertmanager's format (a list, and
     * again each minute while it lasts, as Alertmanager wants it); others one JSON object a change.
     * doc/monitors.md has both. */
    const char *const *urls;
    uint32_t url_count;
    /* The last so many of them are told only of alerts that name them (fg_alert.own), with a token
     * of their own (a file, read anew each time; NULL: none) in the place of the headers. */
    uint32_t own_count;
    const char *const *token_files; /* own_count of them; may be NULL where that is 0 */
    /* Files of lines "Name: value" that are sent with it, read anew each time: credentials. */
    const char *const *headers_files;
    uint32_t headers_file_count;
    const char *ca_file; /* authorities of https receivers, in PEM, read anew each time; NULL: the
                            system's */
    /* Told once when a receiver begins to refuse or can't be reached, and (text NULL) when it takes
     * messages again; url has no user and no query. Sender's thread. May be NULL. */
    void (*on_trouble)(void *arg, const char *url, const char *text);
    /* Told when a receiver has taken (or refused for ever) what url is its whole address of: before
     * it counts as told, so that who writes it down knows after a restart. Sender's thread, which
     * waits. May be NULL. */
    void (*on_told)(void *arg, const char *url, const char *key, uint64_t starts_ns,
                    bool is_firing);
    void *arg;
};

/* FG_EINVALID: an address is none, or too many; FG_ENOMEM. */
FG_MUST_CHECK int fg_webhook_open(const struct fg_webhook_options *options,
                                  struct fg_webhook **ret_webhook);
/* Sends what waits, as far as a second suffices. NULL is accepted. */
void fg_webhook_close(struct fg_webhook *webhook);

/* Copies. An end of what never began, and that nobody was told before a restart, is nothing.
 * FG_ELIMIT: too many keys, or the alert is too large; FG_ENOMEM. */
FG_MUST_CHECK int fg_webhook_tell(struct fg_webhook *webhook, const struct fg_alert *alert);

struct fg_webhook_counters {
    uint64_t told, sent, failed, refused; /* failed is tried again, refused (4xx) is not */
    uint32_t firing, waiting;             /* now; waiting: for a receiver to take it */
};
void fg_webhook_counters(struct fg_webhook *webhook, struct fg_webhook_counters *ret_counters);
