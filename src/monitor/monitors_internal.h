/* The room's own view of all monitors. monitors.c holds the list, look.c what follows from a run,
 * pool.c the threads, added.c what the API adds.
 *
 * A monitor's phases, all under the lock:
 *
 *     IDLE ──due──► QUEUED ──a thread takes it──► RUNNING ──back──► REPORTING ──stored──► IDLE
 *                                                    │                                     ▲
 *                                                    └─past its deadline─► OVERDUE ──back──┘
 *
 * While OVERDUE, another thread reports it as unknown at each interval. */
#pragma once

#include "belief.h"
#include "monitor/monitors.h"
#include "os/thread.h"

enum fg_monitor_phase {
    FG_MONITOR_IDLE,
    FG_MONITOR_QUEUED,
    FG_MONITOR_RUNNING,
    FG_MONITOR_OVERDUE,
    FG_MONITOR_REPORTING,
};

struct fg_monitor {
    struct fg_monitor_config *config;
    uint32_t refs; /* of the list, the queue, the threads that have it */
    enum fg_monitor_phase phase;
    bool is_added, is_removed, is_queued;
    bool is_overdue_told; /* a thread reports it as overdue, or is about to */
    bool is_asked;        /* to be run at once again */
    bool is_unstored;     /* a change of which no span was taken yet */
    _Atomic bool cancelled;
    struct fg_monitor *next_queued;
    /* monotonic */
    uint64_t due_ns, begin_ns, deadline_ns, stored_ns;
    uint64_t begin_wall_ns, looked_wall_ns, took_ns;
    uint64_t started_count, ended_count, unstored_count;
    uint64_t findings_hash; /* of the last stored span */
    uint32_t unknown_count; /* runs in a row: the back-off */
    struct fg_belief belief;
    struct fg_check_report report; /* the last run's, in arena */
    struct fg_arena arena;
};

struct fg_monitor_thread {
    struct fg_thread thread;
    struct fg_monitors *monitors;
    bool is_used, has_ended;
};

struct fg_monitors {
    struct fg_monitors_options options;
    uint32_t table; /* of options.state */
    struct fg_mutex mutex;
    struct fg_cond due;  /* for the thread that finds what is due */
    struct fg_cond work; /* for those that wait for a monitor to run */
    struct fg_cond done; /* a run ended, or a thread did */
    bool is_stopping, is_abandoned;
    struct fg_monitor **items; /* in the order of their names */
    uint32_t count, capacity;
    struct fg_monitor *queue_head, *queue_tail;
    uint32_t queue_length;
    struct fg_thread finder;
    bool has_finder;
    struct fg_monitor_thread *threads; /* options.threads_max */
    uint32_t thread_count, idle_count;
};

/* How long after its deadline a check may come back before it counts as overdue. */
#define FG_MONITOR_GRACE_NS UINT64_C(1000000000)

/* look.c; a thread's own room for what it works on. */
struct fg_look {
    struct fg_check_report report;
    struct fg_arena arena;
    struct fg_buffer request;
};
void fg_look_init(struct fg_look *look);
void fg_look_free(struct fg_look *look);

/* One run of its check, for which the files that it names must be readable. */
void fg_monitor_run(const struct fg_monitor_config *config, uint64_t deadline_ns,
                    struct fg_check_report *report);

/* Takes a monitor that was queued through all that a run is. Locked at call and return, not
 * between; gives the queue's reference back. */
void fg_monitor_work(struct fg_monitors *monitors, struct fg_monitor *monitor,
                     struct fg_look *look);
/* Queues what is due or overdue at now_ns; locked. Returns when something will be: UINT64_MAX:
 * nothing. */
uint64_t fg_monitors_queue_due(struct fg_monitors *monitors, uint64_t now_ns);
/* The queue's first, with its reference; NULL. Locked. */
struct fg_monitor *fg_monitors_dequeue(struct fg_monitors *monitors);
void fg_monitor_unref(struct fg_monitor *monitor); /* locked */
/* When a new monitor is first due; locked. */
uint64_t fg_monitor_first_due(struct fg_monitors *monitors);

/* pool.c */
FG_MUST_CHECK int fg_pool_start(struct fg_monitors *monitors);
void fg_pool_stop(struct fg_monitors *monitors);

/* monitors.c; NULL: there is none. Locked. */
struct fg_monitor *fg_monitors_find(struct fg_monitors *monitors, const char *name);

/* added.c */
FG_MUST_CHECK int fg_monitors_state_open(struct fg_monitors *monitors);
/* Puts back what was believed before the last stop. */
void fg_monitor_restore(struct fg_monitors *monitors, const char *name, struct fg_belief *belief);
/* Keeps it; best effort: the spans tell it, too. */
void fg_monitor_remember(struct fg_monitors *monitors, const char *name,
                         const struct fg_belief *belief);
void fg_monitor_forget(struct fg_monitors *monitors, const char *name);
