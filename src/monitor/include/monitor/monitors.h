/* All monitors: when each is run, what is believed of it, when a span of it is stored, whom to
 * tell.
 *
 * Each has its own interval, jittered, by a clock that never jumps, and is run by one thread of a
 * bounded pool at a time. A run that is not back in time keeps its thread and nothing else: the
 * monitor is unknown until it comes back, and the others go on.
 *
 * Threads: calls come from any thread and block for no check, but fg_monitors_run(). Callbacks come
 * from the pool's threads, one at a time for each monitor, with no lock held. */
#pragma once

#include "monitor/config.h"

struct fg_monitors;
struct fg_state;

/* The service.name of monitors' spans. Who counts what services do leaves it out. */
#define FG_MONITOR_SERVICE "filigree-monitor"

/* What is believed of a monitor has changed; texts are valid during the call. */
struct fg_monitor_change {
    const char *name, *kind, *service; /* service: NULL where none is said */
    enum fg_check_result before, result;
    uint64_t since_ns, before_since_ns;
    const char *code;     /* the worst finding's; NULL: there is none */
    struct fg_slice text; /* its sentence */
};

struct fg_monitors_options {
    struct fg_env *env; /* borrowed */
    /* Stores an OTLP request in protobuf, one span; 0 when it is durable. What is not taken is
     * tried again with the next run. Blocks as it likes. */
    int (*append)(void *arg, struct fg_slice request);
    void (*changed)(void *arg, const struct fg_monitor_change *change); /* may be NULL */
    void *arg;
    uint32_t tenant;        /* whose they are: its own table of the state */
    struct fg_state *state; /* what is believed outlasts a restart; NULL: it does not */
    uint32_t threads_max;   /* 0: FG_MONITOR_THREADS */
    bool is_manual;         /* tests: no threads; the caller drives fg_monitors_step() */
};

#define FG_MONITOR_THREADS 64u

FG_MUST_CHECK int fg_monitors_open(const struct fg_monitors_options *options,
                                   struct fg_monitors **ret_monitors);
/* No run begins any more, running ones are told; waits for them. Calls go on being answered. */
void fg_monitors_stop(struct fg_monitors *monitors);
/* After the stop. NULL is accepted. */
void fg_monitors_close(struct fg_monitors *monitors);

/* Takes the config over, as a new monitor or instead of the one of its name, whose state it keeps.
 * FG_ELIMIT: there are FG_MONITORS_MAX; FG_ENOMEM. The config is consumed in any case. */
FG_MUST_CHECK int fg_monitors_put_take(struct fg_monitors *monitors,
                                       struct fg_monitor_config *config, bool is_added);
/* FG_ENOTFOUND. */
FG_MUST_CHECK int fg_monitors_remove(struct fg_monitors *monitors, const char *name);

/* What is known of one monitor. */
struct fg_monitor_view {
    const struct fg_monitor_config *config;
    enum fg_check_result result;
    bool is_new;   /* it was not run yet */
    bool is_added; /* by the API; otherwise a file declares it */
    bool is_running, is_overdue;
    uint32_t doubt_count; /* looks in a row that differ from result */
    uint64_t since_ns;    /* wall clock; 0: it is new */
    uint64_t looked_ns;   /* when the last run began, wall clock; 0: none */
    uint64_t took_ns;
    uint64_t run_count, unstored_count; /* since the start; spans that were not taken */
    const struct fg_check_report *report;
};

/* In the order of their names; name NULL: all. fn is called under the lock: it copies, and calls
 * nothing here. Returns how many. */
uint32_t fg_monitors_each(struct fg_monitors *monitors, const char *name,
                          void (*fn)(void *arg, const struct fg_monitor_view *view), void *arg);

/* Runs a monitor now and waits for the end of a run that began after the call. FG_ENOTFOUND,
 * FG_ETIMEOUT (it hangs), FG_ECANCELLED (stopping). */
FG_MUST_CHECK int fg_monitors_run(struct fg_monitors *monitors, const char *name);

/* Manual: runs all that is due, on the caller's thread; returns nanoseconds until something is due.
 */
uint64_t fg_monitors_step(struct fg_monitors *monitors);

/* "ok", "degraded", "down", "unknown". */
const char *fg_check_result_name(enum fg_check_result result);
/* One run of a config, without all of the above: for `filigree monitor test`. report is empty, with
 * an arena. */
void fg_monitor_try(struct fg_env *env, const struct fg_monitor_config *config,
                    struct fg_check_report *report);
