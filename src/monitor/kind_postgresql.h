/* What the files of the kind postgresql share. One run asks over one session (the held one), part
 * by part; each part reports what it saw and leaves the rest to the others. */
#pragma once

#include "monitor/check.h"
#include "pg_session.h"

/* Where the log stood, and when: from these the time that a replica is behind is told without its
 * clock, and also while it replays nothing, when PostgreSQL's own figure stands still. */
#define FG_PG_POSITIONS_MAX 128u

struct fg_pg_positions {
    struct {
        uint64_t mono_ns;
        int64_t lsn;
    } at[FG_PG_POSITIONS_MAX]; /* both rise */
    uint32_t count;
};

/* Of a run that begins; an LSN that goes back (another server took over) begins anew. */
void fg_pg_positions_add(struct fg_pg_positions *positions, uint64_t mono_ns, int64_t lsn);
/* For how long something past lsn has been written: at least so many nanoseconds is a replica
 * behind that has come to lsn. */
uint64_t fg_pg_positions_behind_ns(const struct fg_pg_positions *positions, uint64_t mono_ns,
                                   int64_t lsn);

enum fg_pg_role { FG_PG_ANY, FG_PG_PRIMARY, FG_PG_REPLICA };

struct fg_pg_check {
    struct fg_env *env;
    struct fg_check_settings *settings;
    struct fg_pg_target target;
    enum fg_pg_role role;
    double connections_warn; /* share of the limit */
    uint64_t slow_query_ns, lock_wait_ns, replica_lag_ns;
    uint64_t replica_lag_bytes, slot_bytes, size_max_bytes, space_min_bytes; /* 0: not judged */
    int64_t replicas_expected;                                               /* 0: not judged */
    const char *slow_query_ignore; /* PostgreSQL's array of application names */
    const char *data_path;         /* NULL: the disk is not this machine's */

    PGconn *held;
    struct fg_pg_positions positions;
    uint64_t size_asked_ns; /* the database's size is asked for at times only */
    int64_t size_bytes;
};

/* One run's knowledge. */
struct fg_pg_run {
    struct fg_pg_check *check;
    PGconn *session;
    uint64_t deadline_mono_ns;
    struct fg_check_report *report;
    int version; /* 150018 */
    bool in_recovery, sees_all;
    int64_t connections_limit; /* that clients may take */
    bool is_over;              /* the session is of no more use: *trouble says why */
    struct fg_pg_trouble trouble;
};

/* Asks; NULL where there is no answer, which is reported, or the session is over. what: "its
 * sessions", for the report. */
PGresult *fg_pg_ask(struct fg_pg_run *run, const char *what, const char *sql,
                    const char *const *parameters, uint32_t count);

/* The statement without its literals, one line, in the report's arena. */
const char *fg_pg_shape(struct fg_check_report *report, const char *sql);

/* Connections in use, and by whom. is_full: a fresh session was refused for want of room. */
void fg_pg_look_at_sessions(struct fg_pg_run *run, bool is_full);
/* Statements that run long; who waits for locks, and for whom. */
void fg_pg_look_at_queries(struct fg_pg_run *run);
/* A primary's replicas, and commits that wait for one; a replica's own state. */
void fg_pg_look_at_replicas(struct fg_pg_run *run);
/* Database, disk, slots that keep the log. */
void fg_pg_look_at_space(struct fg_pg_run *run);
