/* One check of one component: what a kind of check (tcp, http, postgresql, rabbitmq, s3, …) gives
 * to the scheduler, and what it gets from it.
 *
 * A check is opened once, run again and again by one thread at a time (not always the same), and
 * closed. It reports what it saw and what it measured; when to run it, when to store a span and
 * whom to tell is not its matter. It never writes to the component but for an object store's
 * canary. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "os/env.h"

enum fg_check_result {
    FG_CHECK_OK,
    FG_CHECK_DEGRADED, /* it serves, but something is wrong that people should know */
    FG_CHECK_DOWN,     /* it was reached, or surely can't be: it does not serve */
    FG_CHECK_UNKNOWN,  /* the check itself could not see: wrong password, no right, time is up while
                        * the network may be at fault, an answer that is not understood */
};

enum fg_check_value_type {
    FG_CHECK_VALUE_BOOL,
    FG_CHECK_VALUE_INT,
    FG_CHECK_VALUE_DOUBLE,
    FG_CHECK_VALUE_TEXT,
};

/* A measured value: it becomes an attribute of the span. */
struct fg_check_value {
    struct fg_slice key;
    enum fg_check_value_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct fg_slice text;
    };
};

#define FG_CHECK_VALUES_MAX    64u
#define FG_CHECK_FINDINGS_MAX  16u
#define FG_CHECK_TEXT_SIZE_MAX 512u /* longer texts are cut at a character */

/* One thing that is wrong, by a code that machines compare ("replica_missing") and a sentence that
 * people read. Several may stand side by side; the report's result is that of the worst. */
#define FG_CHECK_PARTS_MAX 9u
struct fg_check_finding {
    enum fg_check_result result;
    const char *code;     /* static; it becomes error.type where it is the worst */
    struct fg_slice text; /* one plain sentence, no secrets, no full stop */
    /* The same for who says it in another language: the sentence with {1} to {9} in the place of
     * its parts, and these. */
    struct fg_slice form;
    struct fg_slice parts[FG_CHECK_PARTS_MAX];
    uint32_t part_count;
    bool standing; /* a state to live with until mended (no replica, a slow storage class): it
                    * marks the place, alone it breaks no order */
};

/* What one run saw. Made empty (ok) by the scheduler; texts are copied into its arena. */
struct fg_check_report {
    struct fg_arena *arena;
    const _Atomic bool *cancelled; /* see fg_check_is_cancelled() */
    struct fg_check_value values[FG_CHECK_VALUES_MAX];
    uint32_t value_count, values_dropped;
    struct fg_check_finding findings[FG_CHECK_FINDINGS_MAX];
    uint32_t finding_count, findings_dropped;
};

/* key and code are static texts. Values of one key replace each other. */
void fg_check_bool(struct fg_check_report *report, const char *key, bool value);
void fg_check_int(struct fg_check_report *report, const char *key, int64_t value);
void fg_check_double(struct fg_check_report *report, const char *key, double value);
void fg_check_text(struct fg_check_report *report, const char *key, struct fg_slice value);
/* format: conversions d, i, u, x, s, c, f, g and e; at most FG_CHECK_PARTS_MAX of them. A form is
 * known to the pages' catalogue (ui/src/words_findings.ts). */
void fg_check_finding(struct fg_check_report *report, enum fg_check_result result, const char *code,
                      bool standing, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The server stops, or the monitor was removed: the run's outcome is not wanted any more. A check
 * that waits in turns asks between them, so that nobody has to wait for its deadline. */
bool fg_check_is_cancelled(const struct fg_check_report *report);

/* The worst finding's, down before unknown before degraded; ok without findings. */
enum fg_check_result fg_check_worst(const struct fg_check_report *report);

/* -- Settings of one monitor, as its kind reads them ------------------------------------------- */

/* The keys of one entry of the monitors' file that are not the scheduler's own (name, kind,
 * interval, time-limit, …). Each getter marks the key as known; a key that nobody asked for is an
 * error with file and line, said by the scheduler after open. All texts live as long as the
 * monitor. */
struct fg_check_settings;

/* NULL: absent. A secret is never the value itself: `password-file: PATH` or `password-env: NAME`,
 * read by fg_check_secret(settings, "password"). */
const char *fg_check_setting(struct fg_check_settings *settings, const char *key);
bool fg_check_setting_bool(struct fg_check_settings *settings, const char *key, bool otherwise);
/* A whole number, a real number, a time ("5s", in nanoseconds), a size ("10MiB", in bytes). A value
 * that is none, or outside [min, max], is complained of with file and line, and open fails. */
int64_t fg_check_setting_int(struct fg_check_settings *settings, const char *key, int64_t min,
                             int64_t max, int64_t otherwise);
double fg_check_setting_double(struct fg_check_settings *settings, const char *key, double min,
                               double max, double otherwise);
uint64_t fg_check_setting_ns(struct fg_check_settings *settings, const char *key,
                             uint64_t otherwise);
uint64_t fg_check_setting_bytes(struct fg_check_settings *settings, const char *key,
                                uint64_t otherwise);
/* A list of texts, or one text as a list of one. Returns how many. */
uint32_t fg_check_setting_list(struct fg_check_settings *settings, const char *key,
                               const char *const **ret_items);
/* Read anew at each call (credentials change): NULL where neither …-file nor …-env is given or
 * readable; the text is in arena, without the line's end. *ret_why (may be NULL) says which,
 * without the secret. open calls it once with arena NULL, which reads nothing: that makes the two
 * keys known. */
const char *fg_check_secret(struct fg_check_settings *settings, const char *key,
                            struct fg_arena *arena, const char **ret_why);
/* Says what is wrong with the entry, with its file and line; open then returns FG_EINVALID. */
void fg_check_complain(struct fg_check_settings *settings, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -- A kind -------------------------------------------------------------------------------------
 */

struct fg_check_kind {
    const char *name;    /* "postgresql", as the file says it */
    const char *summary; /* for `filigree monitor kinds` */
    /* Reads its settings; does not touch the network. 0, FG_EINVALID (complained of), FG_ENOMEM. */
    int (*open)(struct fg_env *env, struct fg_check_settings *settings, void **ret_check);
    /* Looks once, and is back by deadline (fg_env_mono_ns()) or soon after it, whatever the other
     * side does. It sets server.address, server.port, db.system.name, messaging.system, … as
     * values, too, also when it fails. A blocking call is fine: it has a thread for itself. */
    void (*run)(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report);
    void (*close)(void *check); /* NULL is accepted */
};

/* All kinds, ended by NULL (kinds.c). */
extern const struct fg_check_kind *const fg_check_kinds[];
