/* Who is connected, what runs long, who waits for whom. Of other users' sessions a monitor without
 * pg_monitor sees that they are there and no more: counts stay right, states are "hidden". */
#include "kind_postgresql.h"

#include "base/limits.h"
#include "base/units.h"

#include <stdio.h>

#define APPLICATIONS_MAX 8
#define WAITERS_MAX      20u
#define BLOCKERS_MAX     64u

/* A name or state that the server says, without what could break a sentence. */
static const char *tidy(struct fg_check_report *report, const char *text, const char *otherwise)
{
    size_t size = strnlen(text, 63);
    char *copy = fg_arena_string(report->arena, fg_slice(text, size));
    if (!copy || !size)
        return otherwise;
    for (char *at = copy; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    return copy;
}

/* -- Connections ------------------------------------------------------------------------------- */

/* "shop-api: 40 (active 3, idle 37); …" of rows (application, all, active, idle, idle in
 * transaction, hidden), the largest first. */
static void tell_applications(struct fg_pg_run *run, const PGresult *result)
{
    static const char *const states[] = {"active", "idle", "idle in transaction", "hidden"};
    struct fg_buffer text;
    fg_buffer_init(&text, 4096);
    for (int row = 0; row < PQntuples(result) && row < APPLICATIONS_MAX; row++) {
        fg_buffer_append_format(&text, "%s%s: %lld (", row ? "; " : "",
                                tidy(run->report, fg_pg_text(result, row, 0), "(no name)"),
                                (long long)fg_pg_int(result, row, 1, 0));
        const char *comma = "";
        for (int i = 0; i < 4; i++) {
            int64_t count = fg_pg_int(result, row, i + 2, 0);
            if (count > 0)
                fg_buffer_append_format(&text, "%s%s %lld", comma, states[i], (long long)count);
            if (count > 0)
                comma = ", ";
        }
        fg_buffer_append_byte(&text, ')');
    }
    fg_check_text(run->report, "postgresql.connections.by_application", fg_buffer_slice(&text));
    fg_buffer_free(&text);
}

static void judge_connections(struct fg_pg_run *run, const PGresult *result, int64_t used,
                              bool is_full)
{
    int64_t limit = run->connections_limit;
    const char *most = tidy(run->report, fg_pg_text(result, 0, 0), "an application without a name");
    long long most_count = (long long)fg_pg_int(result, 0, 1, 0);
    if (is_full && limit > 0 && used < limit)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "connection_limit", false,
                         "it refuses new connections to this database or user, whose own limit is "
                         "reached; %lld of %lld are in use, %lld by %s",
                         (long long)used, (long long)limit, most_count, most);
    else if (is_full)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "connection_limit", false,
                         "it refuses new connections: all %lld are in use, %lld by %s",
                         (long long)limit, most_count, most);
    else if (limit > 0 && (double)used >= run->check->connections_warn * (double)limit)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "connection_limit", false,
                         "%lld of %lld connections are in use, %lld by %s", (long long)used,
                         (long long)limit, most_count, most);
}

void fg_pg_look_at_sessions(struct fg_pg_run *run, bool is_full)
{
    PGresult *result = fg_pg_ask(
        run, "its sessions",
        "select coalesce(application_name, ''), count(*), "
        "count(*) filter (where state in ('active', 'fastpath function call')), "
        "count(*) filter (where state = 'idle'), "
        "count(*) filter (where state like 'idle in transaction%'), "
        "count(*) filter (where state is null), "
        "sum(count(*)) over (), sum(count(*) filter (where state in ('active', 'fastpath function "
        "call'))) over (), "
        "sum(count(*) filter (where state like 'idle in transaction%')) over () "
        "from pg_stat_activity where backend_type = 'client backend' or "
        "(backend_type is null and usesysid is not null and datid is not null) "
        "group by 1 order by 2 desc, 1 limit 50",
        NULL, 0);
    if (!result) {
        if (is_full)
            fg_check_finding(run->report, FG_CHECK_DEGRADED, "connection_limit", false,
                             "it refuses new connections: the limit is reached");
        return;
    }
    int64_t used = fg_pg_int(result, 0, 6, 0);
    fg_check_int(run->report, "postgresql.connections.used", used);
    fg_check_int(run->report, "postgresql.connections.limit", run->connections_limit);
    if (run->sees_all) {
        fg_check_int(run->report, "postgresql.connections.active", fg_pg_int(result, 0, 7, 0));
        fg_check_int(run->report, "postgresql.connections.idle_in_transaction",
                     fg_pg_int(result, 0, 8, 0));
    }
    tell_applications(run, result);
    judge_connections(run, result, used, is_full);
    PQclear(result);
}

/* -- Statements that run long ------------------------------------------------------------------ */

static void format_seconds(double seconds, char ret_text[FG_UNITS_TEXT_SIZE])
{
    fg_duration_format(seconds > 0 ? (uint64_t)(seconds * 1e9) : 0, ret_text);
}

static void look_at_slow(struct fg_pg_run *run)
{
    char threshold[32], time[FG_UNITS_TEXT_SIZE];
    snprintf(threshold, sizeof threshold, "%.3f", (double)run->check->slow_query_ns / 1e9);
    const char *const parameters[] = {threshold, run->check->slow_query_ignore};
    PGresult *result = fg_pg_ask(
        run, "its statements",
        "select pid, coalesce(application_name, ''), "
        "extract(epoch from clock_timestamp() - query_start)::float8, left(query, 2000), "
        "count(*) over () from pg_stat_activity "
        "where backend_type = 'client backend' and state = 'active' and pid <> pg_backend_pid() "
        "and wait_event_type is distinct from 'Lock' and wait_event is distinct from 'SyncRep' "
        "and query_start < clock_timestamp() - $1::float8 * interval '1 second' "
        "and not coalesce(application_name, '') = any ($2::text[]) order by query_start limit 1",
        parameters, 2);
    if (!result)
        return;
    int64_t count = fg_pg_int(result, 0, 4, 0);
    fg_check_int(run->report, "postgresql.slow_queries", count);
    if (PQntuples(result) > 0) {
        const char *application = tidy(run->report, fg_pg_text(result, 0, 1), "(no name)");
        const char *shape = fg_pg_shape(run->report, fg_pg_text(result, 0, 3));
        double seconds = fg_pg_double(result, 0, 2, 0);
        format_seconds(seconds, time);
        fg_check_double(run->report, "postgresql.slow_query.duration", seconds);
        fg_check_text(run->report, "postgresql.slow_query.application",
                      fg_slice_from_string(application));
        fg_check_text(run->report, "db.query.text", fg_slice_from_string(shape));
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "slow_query", false,
                         "%lld %s; the longest for %s, by %s: %s", (long long)count,
                         count == 1 ? "statement runs long" : "statements run long", time,
                         application, shape);
    }
    PQclear(result);
}

/* -- Who waits for whom ------------------------------------------------------------------------ */

struct waits {
    int64_t waiting[WAITERS_MAX];
    uint32_t waiting_count;
    int64_t blockers[BLOCKERS_MAX];
    uint32_t blocker_count;
};

static bool has(const int64_t *list, uint32_t count, int64_t one)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == one)
            return true;
    return false;
}

static void collect_waits(const PGresult *result, struct waits *waits)
{
    memset(waits, 0, sizeof *waits);
    for (int row = 0; row < PQntuples(result) && waits->waiting_count < WAITERS_MAX; row++) {
        int64_t found[BLOCKERS_MAX];
        waits->waiting[waits->waiting_count++] = fg_pg_int(result, row, 0, 0);
        uint32_t count = fg_pg_int_array(fg_pg_text(result, row, 1), found, BLOCKERS_MAX);
        for (uint32_t i = 0; i < count && waits->blocker_count < BLOCKERS_MAX; i++)
            if (!has(waits->blockers, waits->blocker_count, found[i]))
                waits->blockers[waits->blocker_count++] = found[i];
    }
}

/* Those that wait for nobody, as an array of PostgreSQL's; all where they wait in a ring. */
static void print_roots(const struct waits *waits, char *text, size_t size)
{
    for (int pass = 0; pass < 2; pass++) {
        size_t used = 0;
        for (uint32_t i = 0; i < waits->blocker_count && used + 24 < size; i++)
            if (pass == 1 || !has(waits->waiting, waits->waiting_count, waits->blockers[i]))
                used += (size_t)snprintf(text + used, size - used, "%s%lld", used ? "," : "{",
                                         (long long)waits->blockers[i]);
        if (used) {
            snprintf(text + used, size - used, "}");
            return;
        }
    }
    snprintf(text, size, "{}");
}

static void tell_blocker(struct fg_pg_run *run, const PGresult *blocker, int64_t waiting,
                         const char *longest)
{
    struct fg_check_report *report = run->report;
    const char *people = waiting == 1 ? "session waits" : "sessions wait";
    if (!blocker || PQntuples(blocker) == 0) {
        fg_check_finding(report, FG_CHECK_DEGRADED, "lock_wait", false,
                         "%lld %s up to %s for locks; who holds them can't be seen (a prepared "
                         "transaction, or it has just ended)",
                         (long long)waiting, people, longest);
        return;
    }
    char open_time[FG_UNITS_TEXT_SIZE];
    const char *application = tidy(report, fg_pg_text(blocker, 0, 1), "(no name)");
    const char *state = tidy(report, fg_pg_text(blocker, 0, 2), "hidden");
    const char *shape = fg_pg_shape(report, fg_pg_text(blocker, 0, 4));
    double seconds = fg_pg_double(blocker, 0, 3, 0);
    int64_t pid = fg_pg_int(blocker, 0, 0, 0);
    format_seconds(seconds, open_time);
    fg_check_text(report, "postgresql.blocker.application", fg_slice_from_string(application));
    fg_check_int(report, "postgresql.blocker.pid", pid);
    fg_check_text(report, "postgresql.blocker.state", fg_slice_from_string(state));
    fg_check_double(report, "postgresql.blocker.duration", seconds);
    fg_check_text(report, "postgresql.blocker.query", fg_slice_from_string(shape));
    fg_check_finding(report, FG_CHECK_DEGRADED, "lock_wait", false,
                     "%lld %s up to %s for locks that %s holds (process %lld, %s, its transaction "
                     "open for %s); it last ran: %s",
                     (long long)waiting, people, longest, application, (long long)pid, state,
                     open_time, shape);
}

static void tell_waits(struct fg_pg_run *run, const PGresult *result)
{
    struct waits waits;
    char roots[BLOCKERS_MAX * 12 + 32], longest[FG_UNITS_TEXT_SIZE];
    int64_t waiting = fg_pg_int(result, 0, 3, 0);
    double seconds = fg_pg_double(result, 0, 2, 0);
    format_seconds(seconds, longest);
    fg_check_double(run->report, "postgresql.lock.longest_wait", seconds);
    collect_waits(result, &waits);
    print_roots(&waits, roots, sizeof roots);
    const char *const parameters[] = {roots};
    PGresult *blocker =
        fg_pg_ask(run, "who holds locks",
                  "select pid, coalesce(application_name, ''), coalesce(state, ''), "
                  "extract(epoch from clock_timestamp() - coalesce(xact_start, query_start, "
                  "backend_start))::float8, left(query, 2000) from pg_stat_activity "
                  "where pid = any ($1::int[]) order by coalesce(xact_start, query_start) limit 1",
                  parameters, 1);
    if (!run->is_over)
        tell_blocker(run, blocker, waiting, longest);
    PQclear(blocker);
}

/* Since when is exact from 14 on; before, it is the begin of the statement that waits. */
static void look_at_locks(struct fg_pg_run *run)
{
    char threshold[32];
    snprintf(threshold, sizeof threshold, "%.3f", (double)run->check->lock_wait_ns / 1e9);
    const char *const parameters[] = {threshold};
    static const char since_14[] =
        "coalesce((select min(l.waitstart) from pg_locks l where l.pid = "
        "a.pid and not l.granted), a.query_start)";
    char sql[1024];
    snprintf(
        sql, sizeof sql,
        "with waiting as materialized (select a.pid, %s as since from pg_stat_activity a "
        "where a.wait_event_type = 'Lock' and a.backend_type = 'client backend'), "
        "long as materialized (select pid, since, count(*) over () as number from waiting "
        "where since < clock_timestamp() - $1::float8 * interval '1 second' "
        "order by since limit %u) "
        "select pid, pg_blocking_pids(pid)::text, "
        "extract(epoch from clock_timestamp() - since)::float8, number from long order by since",
        run->version >= 140000 ? since_14 : "a.query_start", WAITERS_MAX);
    PGresult *result = fg_pg_ask(run, "who waits for locks", sql, parameters, 1);
    if (!result)
        return;
    fg_check_int(run->report, "postgresql.lock.waiting", fg_pg_int(result, 0, 3, 0));
    if (PQntuples(result) > 0)
        tell_waits(run, result);
    PQclear(result);
}

void fg_pg_look_at_queries(struct fg_pg_run *run)
{
    look_at_slow(run);
    look_at_locks(run);
}
