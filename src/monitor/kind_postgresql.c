/* PostgreSQL 12 to 17, seen from a client's seat: a fresh session a run beside one that is held, so
 * that "no room for another" is told from "down"; then, over the held one, what only the server
 * knows. Nothing is written, the session is read only, and every statement has a time limit on the
 * server too. The rights that serve: LOGIN and pg_monitor. */
#include "kind_postgresql.h"

#include "base/limits.h"
#include "kinds.h"
#include "redact/value.h"

#include <stdio.h>
#include <stdlib.h>

#define VERSION_MIN 120000
#define VERSION_END 180000

static bool choose(struct fg_check_settings *settings, const char *key, const char *const *words,
                   uint32_t *ret_index)
{
    const char *word = fg_check_setting(settings, key);
    if (!word)
        return true;
    for (uint32_t i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) {
            *ret_index = i;
            return true;
        }
    fg_check_complain(settings, key, "'%s' is none of its values", word);
    return false;
}

/* A PostgreSQL array of texts, quoted. NULL without memory. */
static char *array_of(const char *const *items, uint32_t count)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 64 << 10);
    fg_buffer_append_byte(&buffer, '{');
    for (uint32_t i = 0; i < count; i++) {
        fg_buffer_append_string(&buffer, i ? ",\"" : "\"");
        for (const char *at = items[i]; *at; at++) {
            if (*at == '"' || *at == '\\')
                fg_buffer_append_byte(&buffer, '\\');
            fg_buffer_append_byte(&buffer, (uint8_t)*at);
        }
        fg_buffer_append_byte(&buffer, '"');
    }
    fg_buffer_append(&buffer, "}", 2);
    char *text = buffer.error ? NULL : strdup((const char *)buffer.data);
    fg_buffer_free(&buffer);
    return text;
}

static bool read_target(struct fg_check_settings *settings, struct fg_pg_target *target)
{
    enum { DISABLE, PREFER, REQUIRE, VERIFY_CA, VERIFY_FULL, MODE_COUNT };
    static const char *const modes[MODE_COUNT + 1] = {[DISABLE] = "disable",
                                                      [PREFER] = "prefer",
                                                      [REQUIRE] = "require",
                                                      [VERIFY_CA] = "verify-ca",
                                                      [VERIFY_FULL] = "verify-full"};
    uint32_t mode;
    target->host = fg_check_setting(settings, "host");
    target->port = (uint16_t)fg_check_setting_int(settings, "port", 1, 65535, 5432);
    target->database = fg_check_setting(settings, "database");
    target->user = fg_check_setting(settings, "user");
    target->ca_file = fg_check_setting(settings, "ca-file");
    (void)fg_check_secret(settings, "password", NULL, NULL);
    if (!target->host || !*target->host) {
        fg_check_complain(settings, "host", "a database wants a host");
        return false;
    }
    if (!target->database)
        target->database = "postgres";
    if (!target->user)
        target->user = "filigree";
    /* Who names an authority means that it is looked at. */
    mode = target->ca_file ? VERIFY_FULL : PREFER;
    if (!choose(settings, "tls", modes, &mode))
        return false;
    target->tls = modes[mode];
    if (mode >= VERIFY_CA && !target->ca_file)
        target->ca_file = "/etc/ssl/certs/ca-certificates.crt";
    return true;
}

static bool read_thresholds(struct fg_check_settings *settings, struct fg_pg_check *check)
{
    static const char *const roles[] = {"any", "primary", "replica", NULL};
    static const char *const dump[] = {"pg_dump", "pg_dumpall", "pg_restore"};
    uint32_t role = FG_PG_ANY;
    const char *const *ignored;
    check->connections_warn = fg_check_setting_double(settings, "connections-warn", 0.01, 1, 0.9);
    check->slow_query_ns = fg_check_setting_ns(settings, "slow-query", 30 * FG_NS_PER_SECOND);
    check->lock_wait_ns = fg_check_setting_ns(settings, "lock-wait", 5 * FG_NS_PER_SECOND);
    check->replicas_expected = fg_check_setting_int(settings, "replicas-expected", 0, 1000, 0);
    check->replica_lag_ns = fg_check_setting_ns(settings, "replica-lag", 30 * FG_NS_PER_SECOND);
    check->replica_lag_bytes = fg_check_setting_bytes(settings, "replica-lag-bytes", 0);
    check->slot_bytes = fg_check_setting_bytes(settings, "slot-bytes", UINT64_C(1) << 30);
    check->size_max_bytes = fg_check_setting_bytes(settings, "size-max", 0);
    check->data_path = fg_check_setting(settings, "data-path");
    check->space_min_bytes = fg_check_setting_bytes(settings, "space-min", UINT64_C(1) << 30);
    uint32_t count = fg_check_setting_list(settings, "slow-query-ignore", &ignored);
    check->slow_query_ignore = count ? array_of(ignored, count) : array_of(dump, 3);
    if (!choose(settings, "role", roles, &role))
        return false;
    check->role = (enum fg_pg_role)role;
    return true;
}

static void close_check(void *arg)
{
    struct fg_pg_check *check = arg;
    if (!check)
        return;
    PQfinish(check->held);
    fg_resolver_free(check->target.resolver);
    free((void *)(uintptr_t)check->slow_query_ignore);
    free(check);
}

static int open_check(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct fg_pg_check *check = calloc(1, sizeof *check);
    if (!check)
        return FG_ENOMEM;
    check->env = check->target.env = env;
    check->settings = settings;
    check->size_bytes = -1;
    int error =
        read_target(settings, &check->target) && read_thresholds(settings, check) ? 0 : FG_EINVALID;
    check->target.resolver = fg_resolver_new(env);
    if (!error && (!check->target.resolver || !check->slow_query_ignore))
        error = FG_ENOMEM;
    if (error) {
        close_check(check);
        return error;
    }
    *ret_check = check;
    return 0;
}

/* -- What a failed session means ---------------------------------------------------------------
 */

static void report_sqlstate(struct fg_check_report *report, const char *state)
{
    if (strcmp(state, "53300") == 0)
        fg_check_finding(report, FG_CHECK_DEGRADED, "connection_limit", false,
                         "it refuses new connections: the limit is reached");
    else if (strcmp(state, "53100") == 0)
        fg_check_finding(report, FG_CHECK_DOWN, "out_of_space", false, "its disk is full");
    else if (strncmp(state, "57P0", 4) == 0)
        fg_check_finding(report, FG_CHECK_DOWN, "unreachable", false,
                         "it starts up, shuts down or recovers, and takes no connections");
    else if (strncmp(state, "53", 2) == 0)
        fg_check_finding(report, FG_CHECK_DOWN, "unreachable", false,
                         "it lacks the resources for a connection (SQLSTATE %s)", state);
    else if (strncmp(state, "28", 2) == 0)
        fg_check_finding(report, FG_CHECK_UNKNOWN, "access_denied", false,
                         "it does not let the monitor in: wrong user or password, or pg_hba.conf "
                         "has no line for it (SQLSTATE %s)",
                         state);
    else if (strcmp(state, "42501") == 0)
        fg_check_finding(report, FG_CHECK_UNKNOWN, "permission", false,
                         "the monitor may not connect to the database: GRANT CONNECT ON DATABASE");
    else if (strcmp(state, "3D000") == 0)
        fg_check_finding(report, FG_CHECK_UNKNOWN, "configuration", false,
                         "it has no database of this name");
    else
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "it refuses the connection with SQLSTATE %s", state);
}

static void report_no_session(struct fg_check_report *report, const struct fg_pg_trouble *trouble)
{
    if (trouble->outcome == FG_PG_ERROR)
        report_sqlstate(report, trouble->sqlstate);
    else
        fg_check_finding(report,
                         trouble->outcome == FG_PG_REFUSED ? FG_CHECK_DOWN : FG_CHECK_UNKNOWN,
                         trouble->code, false, "%s", trouble->why);
}

/* The held session works and a fresh one does not come about. */
static void report_no_fresh(struct fg_check_report *report, const struct fg_pg_trouble *trouble)
{
    if (trouble->outcome == FG_PG_REFUSED || trouble->outcome == FG_PG_TIMEOUT)
        fg_check_finding(report, FG_CHECK_DEGRADED, "unreachable", false,
                         "the session that is held works, but a new one does not come about: %s",
                         trouble->why);
    else if (!(trouble->outcome == FG_PG_ERROR && strcmp(trouble->sqlstate, "53300") == 0))
        report_no_session(report, trouble);
}

/* -- Asking ------------------------------------------------------------------------------------
 */

PGresult *fg_pg_ask(struct fg_pg_run *run, const char *what, const char *sql,
                    const char *const *parameters, uint32_t count)
{
    if (run->is_over)
        return NULL;
    struct fg_pg_trouble trouble;
    PGresult *result = NULL;
    for (int tries = 0; tries < 2 && !result; tries++) {
        result = fg_pg_query(run->session, run->check->env, sql, parameters, count,
                             run->deadline_mono_ns, &trouble);
        /* A replica cancels readers that are in the way of replay: once more. */
        if (!result && (trouble.outcome != FG_PG_ERROR || strcmp(trouble.sqlstate, "40001") != 0))
            break;
    }
    if (result)
        return result;
    if (trouble.outcome != FG_PG_ERROR) {
        run->is_over = true;
        run->trouble = trouble;
    } else if (strcmp(trouble.sqlstate, "42501") == 0) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "permission", false,
                         "the monitor may not see %s: GRANT pg_monitor TO its user", what);
    } else if (strcmp(trouble.sqlstate, "57014") == 0) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "no_answer", false,
                         "it could not tell %s in time", what);
    } else if (strcmp(trouble.sqlstate, "53100") == 0) {
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "out_of_space", false, "its disk is full");
    } else {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "it could not tell %s (SQLSTATE %s)", what, trouble.sqlstate);
    }
    return NULL;
}

const char *fg_pg_shape(struct fg_check_report *report, const char *sql)
{
    struct fg_buffer shape;
    fg_buffer_init(&shape, 16 << 10);
    (void)fg_redact_sql(fg_slice_from_string(sql), &shape);
    size_t used = 0;
    bool blank = true; /* none at the begin */
    for (size_t i = 0; i < shape.size && used < 300; i++) {
        bool is_blank = shape.data[i] <= ' ';
        if (!is_blank || !blank)
            shape.data[used++] = is_blank ? ' ' : shape.data[i];
        blank = is_blank;
    }
    while (used && (shape.data[used - 1] == ' ' || (shape.data[used - 1] & 0xC0) == 0x80))
        used--; /* and no half of a character where it was cut */
    if (used && shape.data[used - 1] >= 0xC0)
        used--;
    const char *text =
        shape.error ? NULL : fg_arena_string(report->arena, fg_slice(shape.data, used));
    fg_buffer_free(&shape);
    return text ? text : "";
}

/* Read only, and no statement outlives the time that a run has. */
static bool settle(struct fg_pg_run *run)
{
    char sql[256];
    uint64_t now = fg_env_mono_ns(run->check->env);
    uint64_t left_ms =
        now < run->deadline_mono_ns ? (run->deadline_mono_ns - now) / FG_NS_PER_MS + 1 : 1;
    snprintf(sql, sizeof sql,
             "select set_config('statement_timeout', '%llu', false), "
             "set_config('default_transaction_read_only', 'on', false), "
             "set_config('search_path', 'pg_catalog', false), "
             "set_config('max_parallel_workers_per_gather', '0', false)",
             (unsigned long long)left_ms);
    PQclear(fg_pg_ask(run, "its settings", sql, NULL, 0));
    return !run->is_over;
}

static bool look_at_server(struct fg_pg_run *run)
{
    run->version = PQserverVersion(run->session);
    fg_check_int(run->report, "postgresql.version.number", run->version);
    if (run->version < VERSION_MIN || run->version >= VERSION_END) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "it is of version %d, and known are 12 to 17: only that it takes "
                         "connections is checked",
                         run->version / 10000);
        return false;
    }
    PGresult *result =
        fg_pg_ask(run, "what it is",
                  "select pg_is_in_recovery(), current_setting('max_connections')::int8 - "
                  "current_setting('superuser_reserved_connections')::int8 - "
                  "coalesce(current_setting('reserved_connections', true), '0')::int8, "
                  "pg_has_role(current_user, 'pg_read_all_stats', 'usage')",
                  NULL, 0);
    if (!result)
        return false;
    run->in_recovery = fg_pg_bool(result, 0, 0);
    run->connections_limit = fg_pg_int(result, 0, 1, -1);
    run->sees_all = fg_pg_bool(result, 0, 2);
    PQclear(result);
    fg_check_bool(run->report, "postgresql.in_recovery", run->in_recovery);
    if (!run->sees_all)
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "permission", false,
                         "what other users' sessions do is hidden: GRANT pg_monitor TO %s",
                         run->check->target.user);
    return true;
}

/* True where the session answered to its end. */
static bool look(struct fg_pg_run *run, bool is_full)
{
    if (settle(run) && look_at_server(run)) {
        fg_pg_look_at_sessions(run, is_full);
        fg_pg_look_at_queries(run);
        fg_pg_look_at_replicas(run);
        fg_pg_look_at_space(run);
    }
    return !run->is_over;
}

static PGconn *connect_fresh(struct fg_pg_check *check, uint64_t deadline_mono_ns,
                             struct fg_check_report *report, struct fg_pg_trouble *ret_trouble)
{
    const char *why = NULL;
    uint64_t begun = fg_env_mono_ns(check->env);
    /* With a held session half of the time is kept for it. */
    if (check->held && begun < deadline_mono_ns)
        deadline_mono_ns = begun + (deadline_mono_ns - begun) / 2;
    struct fg_pg_target target = check->target;
    target.password = fg_check_secret(check->settings, "password", report->arena, &why);
    PGconn *fresh = fg_pg_connect(&target, deadline_mono_ns, ret_trouble);
    if (fresh)
        fg_check_double(report, "db.client.connection.create_time",
                        (double)(fg_env_mono_ns(check->env) - begun) / 1e9);
    else if (ret_trouble->outcome == FG_PG_PASSWORD && why)
        snprintf(ret_trouble->why, sizeof ret_trouble->why, "it wants a password: %s", why);
    return fresh;
}

/* Over the session that is held; false where it turned out to be dead, and nothing of use was
 * seen. */
static bool look_over_held(struct fg_pg_check *check, uint64_t deadline_mono_ns,
                           struct fg_check_report *report, bool is_full)
{
    struct fg_pg_run run = {.check = check,
                            .session = check->held,
                            .deadline_mono_ns = deadline_mono_ns,
                            .report = report,
                            .connections_limit = -1};
    if (look(&run, is_full))
        return true;
    PQfinish(check->held);
    check->held = NULL;
    if (run.trouble.outcome == FG_PG_BROKEN)
        return false;
    report_no_session(report, &run.trouble);
    return true;
}

static void run_check(void *arg, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct fg_pg_check *check = arg;
    const struct fg_pg_target *target = &check->target;
    fg_check_text(report, "db.system.name", FG_SLICE("postgresql"));
    fg_check_text(report, "server.address", fg_slice_from_string(target->host));
    fg_check_int(report, "server.port", target->port);
    fg_check_text(report, "db.namespace", fg_slice_from_string(target->database));

    struct fg_pg_trouble trouble = {.outcome = FG_PG_OK};
    PGconn *fresh = connect_fresh(check, deadline_mono_ns, report, &trouble);
    bool is_full =
        !fresh && trouble.outcome == FG_PG_ERROR && strcmp(trouble.sqlstate, "53300") == 0;
    bool seen = check->held && look_over_held(check, deadline_mono_ns, report, is_full);
    if (!seen && fresh) { /* the first run, or the held one died */
        check->held = fresh;
        fresh = NULL;
        seen = look_over_held(check, deadline_mono_ns, report, false);
        if (!seen)
            fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                             "it cut a new session off");
    } else if (!fresh && !seen) {
        report_no_session(report, &trouble);
    } else if (!fresh) {
        report_no_fresh(report, &trouble);
    }
    PQfinish(fresh);
}

const struct fg_check_kind fg_check_kind_postgresql = {
    .name = "postgresql",
    .summary = "PostgreSQL: connections, slow statements, locks, replicas, space, slots",
    .open = open_check,
    .run = run_check,
    .close = close_check,
};
