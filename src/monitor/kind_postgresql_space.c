/* What fills the disk: the database, and replication slots that nobody reads, for which the log is
 * kept without end. PostgreSQL itself can't tell how much room is left; where Filigree runs beside
 * it, `data-path` names the folder whose disk is looked at. */
#include "kind_postgresql.h"

#include "base/limits.h"
#include "base/units.h"

#include <stdio.h>

/* The size is the sum over all files of the database: not asked for at each run. */
#define SIZE_INTERVAL_NS FG_NS_PER_MINUTE

static void ask_size(struct fg_pg_run *run)
{
    struct fg_pg_check *check = run->check;
    uint64_t now = fg_env_mono_ns(check->env);
    if (check->size_bytes >= 0 && now - check->size_asked_ns < SIZE_INTERVAL_NS)
        return;
    PGresult *result =
        fg_pg_ask(run, "its size", "select pg_database_size(current_database())", NULL, 0);
    if (!result)
        return;
    check->size_bytes = fg_pg_int(result, 0, 0, -1);
    check->size_asked_ns = now;
    PQclear(result);
}

static void look_at_size(struct fg_pg_run *run)
{
    const struct fg_pg_check *check = run->check;
    char size[FG_UNITS_TEXT_SIZE], limit[FG_UNITS_TEXT_SIZE];
    ask_size(run);
    if (check->size_bytes < 0)
        return;
    fg_check_int(run->report, "postgresql.database.size", check->size_bytes);
    if (check->size_max_bytes && (uint64_t)check->size_bytes > check->size_max_bytes) {
        fg_size_format((uint64_t)check->size_bytes, size);
        fg_size_format(check->size_max_bytes, limit);
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "out_of_space", true,
                         "the database has %s, and %s is its size-max", size, limit);
    }
}

static void look_at_disk(struct fg_pg_run *run)
{
    const struct fg_pg_check *check = run->check;
    uint64_t free_bytes, total_bytes;
    char left[FG_UNITS_TEXT_SIZE];
    if (!check->data_path)
        return;
    if (fg_env_space(check->env, check->data_path, &free_bytes, &total_bytes) != 0) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "configuration", false,
                         "the disk of data-path can't be looked at");
        return;
    }
    fg_check_int(run->report, "postgresql.disk.free", (int64_t)free_bytes);
    fg_check_int(run->report, "postgresql.disk.size", (int64_t)total_bytes);
    if (free_bytes < check->space_min_bytes) {
        fg_size_format(free_bytes, left);
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "out_of_space", false,
                         "%s are left on its disk", left);
    }
}

/* Columns (name, bytes kept, lost, how many idle slots, bytes kept by all), the worst first. */
static void judge_slots(struct fg_pg_run *run, const PGresult *result)
{
    char kept[FG_UNITS_TEXT_SIZE];
    int64_t bytes = fg_pg_int(result, 0, 1, 0), idle = fg_pg_int(result, 0, 3, 0);
    fg_check_int(run->report, "postgresql.slots.inactive", idle);
    if (PQntuples(result) == 0)
        return;
    fg_check_int(run->report, "postgresql.slots.kept_bytes", bytes);
    fg_size_format(bytes > 0 ? (uint64_t)bytes : 0, kept);
    if (fg_pg_bool(result, 0, 2))
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "slot_inactive", true,
                         "the slot %.63s is no longer read, and the log that it needs is gone or "
                         "about to go",
                         fg_pg_text(result, 0, 0));
    else if (run->check->slot_bytes && bytes > 0 && (uint64_t)bytes > run->check->slot_bytes)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "slot_inactive", true,
                         "nobody reads the slot %.63s, for which %s of the log are kept",
                         fg_pg_text(result, 0, 0), kept);
}

static void look_at_slots(struct fg_pg_run *run)
{
    char sql[640];
    snprintf(sql, sizeof sql,
             "select slot_name, pg_wal_lsn_diff(%s, restart_lsn)::int8 as kept, %s as lost, "
             "count(*) over () from pg_replication_slots where not active and not temporary "
             "order by lost desc nulls last, kept desc nulls last limit 1",
             run->in_recovery ? "pg_last_wal_replay_lsn()" : "pg_current_wal_lsn()",
             run->version >= 130000 ? "coalesce(wal_status in ('unreserved', 'lost'), false)"
                                    : "false");
    PGresult *result = fg_pg_ask(run, "its replication slots", sql, NULL, 0);
    if (result)
        judge_slots(run, result);
    PQclear(result);
}

void fg_pg_look_at_space(struct fg_pg_run *run)
{
    look_at_size(run);
    look_at_disk(run);
    look_at_slots(run);
}
