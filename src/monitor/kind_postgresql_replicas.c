/* Replicas: who receives the log and how far each is; commits that wait for one that is not there;
 * and, where it is a replica itself that is watched, whether it still follows.
 *
 * How far behind in time is told from positions of the log that this monitor has seen and when: it
 * needs no two clocks to agree, does not grow while a primary has nothing to say, and does while a
 * replica replays nothing, when the primary's own figure (replay_lag) stands still. It is "at least
 * so long", by at most one interval less than the truth. */
#include "kind_postgresql.h"

#include "base/limits.h"
#include "base/units.h"

#include <stdio.h>

#define REPLICAS_TOLD_MAX 6

/* Takes the one away whose neighbours are closest for their age, so that a lag is told to within a
 * fifth of it, however long it is. */
static void thin(struct fg_pg_positions *positions, uint64_t mono_ns)
{
    uint32_t best = 1;
    double best_gap = 0;
    for (uint32_t i = 1; i + 1 < positions->count; i++) {
        uint64_t before = positions->at[i - 1].mono_ns, after = positions->at[i + 1].mono_ns;
        double gap = (double)(after - before) / ((double)(mono_ns - after) + 1e9);
        if (i == 1 || gap < best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    positions->count--;
    memmove(&positions->at[best], &positions->at[best + 1],
            (positions->count - best) * sizeof positions->at[0]);
}

void fg_pg_positions_add(struct fg_pg_positions *positions, uint64_t mono_ns, int64_t lsn)
{
    if (positions->count && lsn < positions->at[positions->count - 1].lsn)
        positions->count = 0;
    if (positions->count && lsn == positions->at[positions->count - 1].lsn)
        return; /* since when it stands there is what counts */
    if (positions->count == FG_PG_POSITIONS_MAX)
        thin(positions, mono_ns);
    positions->at[positions->count].mono_ns = mono_ns;
    positions->at[positions->count++].lsn = lsn;
}

uint64_t fg_pg_positions_behind_ns(const struct fg_pg_positions *positions, uint64_t mono_ns,
                                   int64_t lsn)
{
    for (uint32_t i = 0; i < positions->count; i++)
        if (positions->at[i].lsn > lsn)
            return mono_ns > positions->at[i].mono_ns ? mono_ns - positions->at[i].mono_ns : 0;
    return 0;
}

/* -- A primary's replicas ---------------------------------------------------------------------- */

/* Columns of the question below. */
enum { NAME, STATE, SYNC, SENT, WRITE, FLUSH, REPLAY, REPLAY_LSN, REPLAY_LAG };

struct replicas {
    int64_t connected, synchronous;
    int64_t worst_bytes;
    uint64_t worst_ns;
    const char *worst_name;
};

static void add_replica(struct fg_pg_run *run, const PGresult *result, int row, uint64_t now,
                        struct replicas *replicas, struct fg_buffer *told)
{
    const char *name =
        fg_arena_string(run->report->arena, fg_slice(fg_pg_text(result, row, NAME),
                                                     strnlen(fg_pg_text(result, row, NAME), 63)));
    const char *sync = fg_pg_text(result, row, SYNC);
    bool is_synchronous = strcmp(sync, "sync") == 0 || strcmp(sync, "quorum") == 0;
    int64_t bytes = fg_pg_int(result, row, REPLAY, 0);
    int64_t lsn = fg_pg_int(result, row, REPLAY_LSN, INT64_MAX);
    uint64_t behind = fg_pg_positions_behind_ns(&run->check->positions, now, lsn);
    double said = fg_pg_double(result, row, REPLAY_LAG, 0);
    if (bytes > 0 && said > 0 && said < 1e9 && (uint64_t)(said * 1e9) > behind)
        behind = (uint64_t)(said * 1e9);
    replicas->connected++;
    replicas->synchronous += is_synchronous;
    if (!replicas->worst_name || behind > replicas->worst_ns ||
        (behind == replicas->worst_ns && bytes > replicas->worst_bytes)) {
        replicas->worst_ns = behind;
        replicas->worst_bytes = bytes;
        replicas->worst_name = name && *name ? name : "a replica";
    }
    if (row >= REPLICAS_TOLD_MAX || !run->sees_all)
        return;
    char size[FG_UNITS_TEXT_SIZE], time[FG_UNITS_TEXT_SIZE];
    fg_size_format(bytes > 0 ? (uint64_t)bytes : 0, size);
    fg_duration_format(behind, time);
    fg_buffer_append_format(told,
                            "%s%s: %.15s, %.15s, behind by %s, %s (sent %lld, written %lld, "
                            "flushed %lld bytes behind)",
                            row ? "; " : "", name ? name : "", fg_pg_text(result, row, STATE), sync,
                            size, time, (long long)fg_pg_int(result, row, SENT, 0),
                            (long long)fg_pg_int(result, row, WRITE, 0),
                            (long long)fg_pg_int(result, row, FLUSH, 0));
}

static void judge_lag(struct fg_pg_run *run, const struct replicas *replicas)
{
    const struct fg_pg_check *check = run->check;
    char size[FG_UNITS_TEXT_SIZE], time[FG_UNITS_TEXT_SIZE];
    uint64_t bytes = replicas->worst_bytes > 0 ? (uint64_t)replicas->worst_bytes : 0;
    bool late = check->replica_lag_ns && replicas->worst_ns > check->replica_lag_ns;
    bool large = check->replica_lag_bytes && bytes > check->replica_lag_bytes;
    if (!late && !large)
        return;
    fg_size_format(bytes, size);
    fg_duration_format(replicas->worst_ns, time);
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_lag", true,
                     "%s is behind by %s and %s", replicas->worst_name, time, size);
}

static void judge_replicas(struct fg_pg_run *run, const struct replicas *replicas)
{
    int64_t expected = run->check->replicas_expected;
    if (replicas->connected < expected)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_missing", true,
                         "%lld of %lld replicas %s connected", (long long)replicas->connected,
                         (long long)expected, replicas->connected == 1 ? "is" : "are");
    if (replicas->connected > 0 && run->sees_all)
        judge_lag(run, replicas);
}

static void tell_replicas(struct fg_pg_run *run, const PGresult *result, struct replicas *replicas)
{
    struct fg_buffer told;
    uint64_t now = fg_env_mono_ns(run->check->env);
    fg_buffer_init(&told, 4096);
    for (int row = 0; row < PQntuples(result); row++)
        add_replica(run, result, row, now, replicas, &told);
    fg_check_int(run->report, "postgresql.replicas.connected", replicas->connected);
    if (run->check->replicas_expected)
        fg_check_int(run->report, "postgresql.replicas.expected", run->check->replicas_expected);
    if (replicas->connected && run->sees_all) {
        fg_check_int(run->report, "postgresql.replicas.synchronous", replicas->synchronous);
        fg_check_int(run->report, "postgresql.replica.lag_bytes", replicas->worst_bytes);
        fg_check_double(run->report, "postgresql.replica.lag", (double)replicas->worst_ns / 1e9);
        fg_check_text(run->report, "postgresql.replicas", fg_buffer_slice(&told));
    }
    fg_buffer_free(&told);
}

static void look_at_senders(struct fg_pg_run *run, struct replicas *ret_replicas)
{
    PGresult *position = fg_pg_ask(
        run, "its log", "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::int8", NULL, 0);
    if (!position)
        return;
    fg_pg_positions_add(&run->check->positions, fg_env_mono_ns(run->check->env),
                        fg_pg_int(position, 0, 0, 0));
    PQclear(position);
    /* Not pg_basebackup, which passes, and not subscribers of logical replication. */
    PGresult *result = fg_pg_ask(
        run, "its replicas",
        "select coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''), "
        "pg_wal_lsn_diff(pg_current_wal_lsn(), sent_lsn)::int8, "
        "pg_wal_lsn_diff(pg_current_wal_lsn(), write_lsn)::int8, "
        "pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::int8, "
        "pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::int8, "
        "pg_wal_lsn_diff(replay_lsn, '0/0')::int8, extract(epoch from replay_lag)::float8 "
        "from pg_stat_replication r where coalesce(state, '') <> 'backup' and "
        "coalesce(application_name, '') <> 'pg_basebackup' and not exists (select from "
        "pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical') "
        "order by 7 desc nulls last limit 50",
        NULL, 0);
    if (!result)
        return;
    tell_replicas(run, result, ret_replicas);
    PQclear(result);
    judge_replicas(run, ret_replicas);
}

/* -- Commits that wait for a synchronous standby -----------------------------------------------
 */

static void look_at_commits(struct fg_pg_run *run, const struct replicas *replicas)
{
    PGresult *result = fg_pg_ask(
        run, "who waits for a standby",
        "select count(*), coalesce(max(extract(epoch from clock_timestamp() - query_start)), "
        "0)::float8, current_setting('synchronous_standby_names') <> '' from pg_stat_activity "
        "where wait_event = 'SyncRep' and query_start < clock_timestamp() - interval '1 second'",
        NULL, 0);
    if (!result)
        return;
    char time[FG_UNITS_TEXT_SIZE];
    int64_t waiting = fg_pg_int(result, 0, 0, 0);
    double longest = fg_pg_double(result, 0, 1, 0);
    bool wanted = fg_pg_bool(result, 0, 2);
    PQclear(result);
    if (wanted || waiting)
        fg_check_int(run->report, "postgresql.commits.waiting", waiting);
    fg_duration_format(longest > 0 ? (uint64_t)(longest * 1e9) : 0, time);
    if (waiting)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_missing", false,
                         "%lld %s up to %s for a synchronous standby", (long long)waiting,
                         waiting == 1 ? "commit waits" : "commits wait", time);
    else if (wanted && run->sees_all && replicas->synchronous == 0)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_missing", false,
                         "no synchronous standby is connected: commits will wait for one");
}

/* -- A replica's own state --------------------------------------------------------------------- */

static void judge_replay(struct fg_pg_run *run, bool receives, bool paused, int64_t bytes,
                         uint64_t behind_ns)
{
    const struct fg_pg_check *check = run->check;
    char size[FG_UNITS_TEXT_SIZE], time[FG_UNITS_TEXT_SIZE];
    if (!receives)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_missing", true,
                         "this replica receives nothing from its primary");
    bool late = check->replica_lag_ns && behind_ns > check->replica_lag_ns;
    bool large = check->replica_lag_bytes && (uint64_t)bytes > check->replica_lag_bytes;
    if (!late && !large)
        return;
    fg_size_format((uint64_t)bytes, size);
    fg_duration_format(behind_ns, time);
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_lag", true,
                     "this replica has received %s that it has not replayed, for %s%s", size, time,
                     paused ? ": replay is paused" : "");
}

static void look_at_receiver(struct fg_pg_run *run)
{
    PGresult *result =
        fg_pg_ask(run, "its replay",
                  "select exists (select from pg_stat_wal_receiver), pg_is_wal_replay_paused(), "
                  "pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), "
                  "'0/0')::int8, pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::int8",
                  NULL, 0);
    if (!result)
        return;
    uint64_t now = fg_env_mono_ns(run->check->env);
    bool receives = fg_pg_bool(result, 0, 0), paused = fg_pg_bool(result, 0, 1);
    int64_t received = fg_pg_int(result, 0, 2, 0), replayed = fg_pg_int(result, 0, 3, 0);
    PQclear(result);
    int64_t bytes = received > replayed ? received - replayed : 0;
    fg_pg_positions_add(&run->check->positions, now, received);
    uint64_t behind_ns = fg_pg_positions_behind_ns(&run->check->positions, now, replayed);
    fg_check_bool(run->report, "postgresql.replica.receives", receives);
    fg_check_bool(run->report, "postgresql.replica.paused", paused);
    fg_check_int(run->report, "postgresql.replica.lag_bytes", bytes);
    fg_check_double(run->report, "postgresql.replica.lag", (double)behind_ns / 1e9);
    judge_replay(run, receives, paused, bytes, behind_ns);
}

void fg_pg_look_at_replicas(struct fg_pg_run *run)
{
    struct replicas replicas = {0};
    if (run->in_recovery) {
        if (run->check->role == FG_PG_PRIMARY)
            fg_check_finding(run->report, FG_CHECK_DEGRADED, "read_only", false,
                             "it should be the primary and is a replica: nothing can be written");
        look_at_receiver(run);
        return;
    }
    if (run->check->role == FG_PG_REPLICA)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "replica_missing", true,
                         "it should be a replica and follows nobody: it was promoted");
    look_at_senders(run, &replicas);
    look_at_commits(run, &replicas);
}
