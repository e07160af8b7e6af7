/* What a server may make libpq do is bounded here: time by poll(2) and the deadline before each
 * step, and within each by a guard, which bounds what it sends, too. Errors are asked for in their
 * terse form, so that they are the same in every language of the server, and no text of a server
 * gets into a report. */
#include "pg_session.h"

#include "base/limits.h"
#include "pg_guard.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes that a server may send for a greeting or for one statement: a hundred times what it needs.
 */
#define RECEIVED_SIZE_MAX ((uint64_t)4 << 20)

static void fail(struct fg_pg_trouble *trouble, enum fg_pg_outcome outcome, const char *code,
                 const char *why)
{
    trouble->outcome = outcome;
    trouble->code = code;
    trouble->sqlstate[0] = 0;
    snprintf(trouble->why, sizeof trouble->why, "%s", why);
}

static bool is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return true;
}

bool fg_pg_sqlstate_find(const char *message, char ret_sqlstate[6])
{
    bool found = false;
    while (*message) {
        size_t size = strcspn(message, "\n");
        const char *end = message + size;
        if (size >= 7 && end[-6] == ' ' && is_sqlstate(end - 5)) {
            memcpy(ret_sqlstate, end - 5, 5);
            ret_sqlstate[5] = 0;
            found = true;
        }
        message = *end ? end + 1 : end;
    }
    return found;
}

/* libpq says what went wrong only in words; those of the system are the system's own here too. */
static bool says(const char *message, int error)
{
    char text[128];
    const char *words = strerror_r(error, text, sizeof text);
    return strstr(message, words) != NULL;
}

void fg_pg_explain(const char *message, bool needs_password, struct fg_pg_trouble *ret_trouble)
{
    if (needs_password) {
        fail(ret_trouble, FG_PG_PASSWORD, "credentials_missing",
             "it wants a password, and there is none");
    } else if (fg_pg_sqlstate_find(message, ret_trouble->sqlstate)) {
        ret_trouble->outcome = FG_PG_ERROR;
        snprintf(ret_trouble->why, sizeof ret_trouble->why, "it says no with SQLSTATE %s",
                 ret_trouble->sqlstate);
    } else if (says(message, EHOSTUNREACH) || says(message, ENETUNREACH) ||
               says(message, ETIMEDOUT)) {
        fail(ret_trouble, FG_PG_TIMEOUT, "unreachable", "it can't be reached over the network");
    } else if (says(message, ECONNREFUSED) || says(message, ENOENT)) {
        fail(ret_trouble, FG_PG_REFUSED, "unreachable", "the connection was refused");
    } else if (strstr(message, "SSL") || strstr(message, "certificate")) {
        fail(ret_trouble, FG_PG_TLS, "not_tls",
             "no TLS session could be agreed, or its certificate is not good");
    } else {
        fail(ret_trouble, FG_PG_BROKEN, "not_understood",
             "what answers was cut off or is no PostgreSQL");
    }
}

/* Until the socket can be read or written. False when time is up. */
static bool wait_for(const PGconn *session, short events, struct fg_env *env,
                     uint64_t deadline_mono_ns)
{
    struct pollfd one = {.fd = PQsocket(session), .events = events};
    if (one.fd < 0)
        return true; /* libpq will say what is wrong with it */
    for (;;) {
        uint64_t now = fg_env_mono_ns(env);
        if (now >= deadline_mono_ns)
            return false;
        uint64_t left_ms = (deadline_mono_ns - now) / FG_NS_PER_MS + 1;
        int ready = poll(&one, 1, left_ms < 60000 ? (int)left_ms : 60000);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
}

static PGconn *begin(const struct fg_pg_target *target, const char *address)
{
    char port[8];
    snprintf(port, sizeof port, "%u", target->port);
    /* The pass file is one that is not there: a password comes from the settings or not at all. */
    const char *const keys[] = {"host",
                                "hostaddr",
                                "port",
                                "dbname",
                                "user",
                                "password",
                                "passfile",
                                "sslmode",
                                "sslrootcert",
                                "gssencmode",
                                "application_name",
                                "client_encoding",
                                "target_session_attrs",
                                "options",
                                NULL};
    const char *const values[] = {target->host,
                                  address,
                                  port,
                                  target->database,
                                  target->user,
                                  target->password,
                                  "/dev/null/none",
                                  target->tls,
                                  target->ca_file,
                                  "disable",
                                  "filigree-monitor",
                                  "UTF8",
                                  "any",
                                  "",
                                  NULL};
    return PQconnectStartParams(keys, values, 0);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* What a guard has stopped is not what libpq makes of it. True where it did. */
static bool explain_guard(struct fg_pg_guard *guard, struct fg_pg_trouble *trouble)
{
    switch (fg_pg_guard_end(guard)) {
    case FG_PG_GUARD_LARGE:
        fail(trouble, FG_PG_LARGE, "not_understood", "it sends more than it was asked for");
        return true;
    case FG_PG_GUARD_LATE:
        fail(trouble, FG_PG_TIMEOUT, "no_answer",
             "it takes connections, and did not answer in time");
        return true;
    default:
        return false;
    }
}

/* Goes on until it is connected or fails. libpq may close its socket and take another: without TLS,
 * where the server has none. */
static bool drive(PGconn *session, struct fg_env *env, uint64_t deadline_mono_ns,
                  struct fg_pg_guard *guard, struct fg_pg_trouble *trouble)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait_for(session, events, env, deadline_mono_ns)) {
            bool connects = PQstatus(session) == CONNECTION_STARTED;
            fail(trouble, FG_PG_TIMEOUT, connects ? "connect_timeout" : "no_answer",
                 connects ? "no connection was made in time"
                          : "it takes connections, and did not answer in time");
            return false;
        }
        if (PQsocket(session) >= 0 && fg_pg_guard_begin(guard, env, PQsocket(session),
                                                        RECEIVED_SIZE_MAX, deadline_mono_ns) != 0) {
            fail(trouble, FG_PG_FAILED, "check_failed", "there is no memory to guard a session");
            return false;
        }
        status = PQconnectPoll(session);
    }
    if (status == PGRES_POLLING_OK)
        return true;
    fg_pg_explain(PQerrorMessage(session), PQconnectionNeedsPassword(session), trouble);
    return false;
}

static PGconn *connect_one(const struct fg_pg_target *target, const char *address,
                           uint64_t deadline_mono_ns, struct fg_pg_trouble *trouble)
{
    PGconn *session = begin(target, address);
    if (!session) {
        fail(trouble, FG_PG_FAILED, "check_failed", "there is no memory for a session");
        return NULL;
    }
    PQsetErrorVerbosity(session, PQERRORS_SQLSTATE);
    PQsetNoticeReceiver(session, ignore_notice, NULL);
    struct fg_pg_guard guard = {0};
    bool is_open = false;
    if (PQstatus(session) == CONNECTION_BAD)
        fg_pg_explain(PQerrorMessage(session), false, trouble);
    else
        is_open = drive(session, target->env, deadline_mono_ns, &guard, trouble);
    if (explain_guard(&guard, trouble))
        is_open = false;
    if (is_open && PQsetnonblocking(session, 1) == 0)
        return session;
    if (is_open)
        fail(trouble, FG_PG_FAILED, "check_failed", "the session could not be made non-blocking");
    PQfinish(session);
    return NULL;
}

static bool find_addresses(const struct fg_pg_target *target, uint64_t deadline_mono_ns,
                           struct fg_addresses *ret_addresses, struct fg_pg_trouble *trouble)
{
    if (target->host[0] == '/') {
        ret_addresses->count = 0;
        return true;
    }
    const char *why;
    int error =
        fg_resolver_look_up(target->resolver, target->host, deadline_mono_ns, ret_addresses, &why);
    if (error)
        fail(trouble, error == FG_ENOMEM ? FG_PG_FAILED : FG_PG_NAME,
             error == FG_ENOMEM ? "check_failed" : "name_unresolved", why);
    return error == 0;
}

PGconn *fg_pg_connect(const struct fg_pg_target *target, uint64_t deadline_mono_ns,
                      struct fg_pg_trouble *ret_trouble)
{
    struct fg_addresses addresses;
    if (!find_addresses(target, deadline_mono_ns, &addresses, ret_trouble))
        return NULL;
    if (addresses.count == 0)
        return connect_one(target, NULL, deadline_mono_ns, ret_trouble);
    for (uint32_t i = 0; i < addresses.count; i++) {
        /* Each gets its share of what is left, so that a silent one hides no other. */
        uint64_t now = fg_env_mono_ns(target->env);
        uint64_t left = now < deadline_mono_ns ? deadline_mono_ns - now : 0;
        struct fg_pg_trouble trouble;
        PGconn *session =
            connect_one(target, addresses.text[i], now + left / (addresses.count - i), &trouble);
        if (session)
            return session;
        if (i == 0 || ret_trouble->outcome == FG_PG_REFUSED)
            *ret_trouble = trouble;
        if (trouble.outcome == FG_PG_ERROR || trouble.outcome == FG_PG_PASSWORD) {
            *ret_trouble = trouble; /* somebody is there; what the others say does not count */
            break;
        }
    }
    return NULL;
}

/* Until all of the statement is sent and its whole answer is here. */
static bool exchange(PGconn *session, struct fg_env *env, uint64_t deadline_mono_ns,
                     struct fg_pg_trouble *trouble)
{
    for (;;) {
        int unsent = PQflush(session);
        if (unsent < 0)
            break;
        if (unsent == 0 && !PQisBusy(session))
            return true;
        if (!wait_for(session, (short)(unsent ? POLLIN | POLLOUT : POLLIN), env,
                      deadline_mono_ns)) {
            fail(trouble, FG_PG_TIMEOUT, "no_answer", "it did not answer a question in time");
            return false;
        }
        if (!PQconsumeInput(session))
            break;
    }
    fail(trouble, FG_PG_BROKEN, "not_understood", "the session was cut off");
    return false;
}

/* The last result counts; the session is idle after it. */
static PGresult *collect(PGconn *session, struct fg_env *env, uint64_t deadline_mono_ns,
                         struct fg_pg_trouble *trouble)
{
    PGresult *last = NULL;
    for (;;) {
        if (!exchange(session, env, deadline_mono_ns, trouble)) {
            PQclear(last);
            return NULL;
        }
        PGresult *next = PQgetResult(session);
        if (!next)
            break;
        PQclear(last);
        last = next;
        ExecStatusType status = PQresultStatus(last);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            break; /* nobody asked for it, and it would never end */
    }
    if (!last)
        fail(trouble, FG_PG_BROKEN, "not_understood", "the session was cut off");
    return last;
}

/* The same, guarded. */
static PGresult *collect_guarded(PGconn *session, struct fg_env *env, uint64_t deadline_mono_ns,
                                 struct fg_pg_trouble *trouble)
{
    struct fg_pg_guard guard = {0};
    if (fg_pg_guard_begin(&guard, env, PQsocket(session), RECEIVED_SIZE_MAX, deadline_mono_ns) !=
        0) {
        fail(trouble, FG_PG_FAILED, "check_failed", "there is no memory to guard a session");
        return NULL;
    }
    PGresult *result = collect(session, env, deadline_mono_ns, trouble);
    if (explain_guard(&guard, trouble)) {
        PQclear(result);
        return NULL;
    }
    return result;
}

PGresult *fg_pg_query(PGconn *session, struct fg_env *env, const char *sql,
                      const char *const *parameters, uint32_t count, uint64_t deadline_mono_ns,
                      struct fg_pg_trouble *ret_trouble)
{
    if (!PQsendQueryParams(session, sql, (int)count, NULL, parameters, NULL, NULL, 0)) {
        fail(ret_trouble, FG_PG_BROKEN, "not_understood", "the session was cut off");
        return NULL;
    }
    PGresult *result = collect_guarded(session, env, deadline_mono_ns, ret_trouble);
    if (!result)
        return NULL;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        ret_trouble->outcome = FG_PG_OK;
        return result;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (status == PGRES_FATAL_ERROR && state && strlen(state) == 5 && is_sqlstate(state) &&
        PQstatus(session) == CONNECTION_OK) {
        ret_trouble->outcome = FG_PG_ERROR;
        snprintf(ret_trouble->sqlstate, sizeof ret_trouble->sqlstate, "%s", state);
        snprintf(ret_trouble->why, sizeof ret_trouble->why, "it says no with SQLSTATE %s", state);
    } else {
        fail(ret_trouble, FG_PG_BROKEN, "not_understood", "the session was cut off");
    }
    PQclear(result);
    return NULL;
}

static bool has_field(const PGresult *result, int row, int column)
{
    return row >= 0 && row < PQntuples(result) && column >= 0 && column < PQnfields(result) &&
           !PQgetisnull(result, row, column);
}

const char *fg_pg_text(const PGresult *result, int row, int column)
{
    return has_field(result, row, column) ? PQgetvalue(result, row, column) : "";
}

int64_t fg_pg_int(const PGresult *result, int row, int column, int64_t otherwise)
{
    const char *text = fg_pg_text(result, row, column);
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return end == text || *end || errno ? otherwise : number;
}

double fg_pg_double(const PGresult *result, int row, int column, double otherwise)
{
    const char *text = fg_pg_text(result, row, column);
    char *end;
    double number = strtod(text, &end);
    return end == text || *end || !(number > -1e300 && number < 1e300) ? otherwise : number;
}

bool fg_pg_bool(const PGresult *result, int row, int column)
{
    return fg_pg_text(result, row, column)[0] == 't';
}

uint32_t fg_pg_int_array(const char *text, int64_t *ret_numbers, uint32_t count_max)
{
    uint32_t count = 0;
    if (*text == '{')
        text++;
    while (count < count_max) {
        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (end == text || errno)
            break;
        ret_numbers[count++] = number;
        if (*end != ',')
            break;
        text = end + 1;
    }
    return count;
}
