/* Connects. libpq keeps no result of one that failed, only its message, whose words depend on the
 * server's language. But told to be verbose it writes the SQLSTATE into the message, in a form of
 * its own that no language changes. So a connect begins as PQconnectStart() does, is told to be
 * verbose before anything can arrive, and is waited for here as connectDBComplete() in libpq's
 * fe-connect.c does. */
#include "conn.h"
#include "sql.h"

#include "base/limits.h"
#include "os/env.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char no_answer[] = "08001"; /* sqlclient_unable_to_establish_sqlconnection */

size_t fg_pq_peer(const PGconn *conn, fg_attr attrs[FG_PQ_PEER_ATTRS])
{
    size_t count = 0;
    const char *host = PQhost(conn), *address = PQhostaddr(conn), *port = PQport(conn),
               *database = PQdb(conn);
    long number = port ? strtol(port, NULL, 10) : 0;
    attrs[count++] = fg_attr_string("db.system.name", "postgresql");
    if (database && *database)
        attrs[count++] = fg_attr_string("db.namespace", database);
    if (host && *host)
        attrs[count++] = fg_attr_string("server.address", host);
    if (number > 0)
        attrs[count++] = fg_attr_int("server.port", number);
    if (address && *address) {
        attrs[count++] = fg_attr_string("network.peer.address", address);
        if (number > 0)
            attrs[count++] = fg_attr_int("network.peer.port", number);
    }
    return count;
}

void fg_pq_connect_start(PGconn *conn, struct fg_pq_conn *known, uint64_t start_ns)
{
    char name[256] = "CONNECT ";
    const char *database = PQdb(conn);
    fg_attr attrs[FG_PQ_PEER_ATTRS + 1];
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    strncat(name, database ? database : "", sizeof name - sizeof "CONNECT ");
    options.kind = FG_SPAN_CLIENT;
    options.tracer = fg_pq_tracer();
    options.start_ns = start_ns;
    options.attrs = attrs;
    options.attr_count = fg_pq_peer(conn, attrs);
    attrs[options.attr_count++] = fg_attr_string("db.operation.name", "CONNECT");
    known->connect_span = fg_span_start(name, &options);
    known->is_connecting = true;
    known->verbosity = PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    free(known->plain_message);
    known->plain_message = NULL;
}

static void tell_failure(PGconn *conn, struct fg_pq_conn *known, bool is_late)
{
    char state[6];
    const char *message = PQerrorMessage(conn);
    if (!fg_sql_state_of(message, state))
        memcpy(state, no_answer, sizeof state);
    known->plain_message = fg_sql_plain_message(message);
    const char *plain = is_late ? "timeout expired" : known->plain_message;
    fg_span_set_string(known->connect_span, "db.response.status_code", state);
    fg_pq_tell_error(known->connect_span, state, plain);
}

void fg_pq_connect_end(PGconn *conn, struct fg_pq_conn *known, bool is_up, bool is_late)
{
    fg_attr attrs[FG_PQ_PEER_ATTRS];
    if (!known->is_connecting)
        return;
    known->is_connecting = false;
    /* Which of several hosts it was is known only now. */
    size_t count = fg_pq_peer(conn, attrs);
    for (size_t i = 0; i < count; i++)
        fg_span_set(known->connect_span, attrs[i]);
    if (!is_up)
        tell_failure(conn, known, is_late);
    PQsetErrorVerbosity(conn, known->verbosity);
    fg_span_end(known->connect_span);
}

/* Of connect_timeout, in whole seconds of which one is too short, as in libpq; 0: none. */
static int64_t timeout_of(PGconn *conn)
{
    int64_t seconds = 0;
    PQconninfoOption *options = PQconninfo(conn);
    for (const PQconninfoOption *option = options; option && option->keyword; option++)
        if (strcmp(option->keyword, "connect_timeout") == 0 && option->val)
            seconds = strtol(option->val, NULL, 10);
    PQconninfoFree(options);
    if (seconds == 1)
        seconds = 2;
    return seconds <= 0 ? 0 : seconds * (int64_t)FG_NS_PER_SECOND;
}

/* False: the time was over first. */
static bool wait_for_socket(int fd, bool for_reading, int64_t end_ns)
{
    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = for_reading ? POLLIN : POLLOUT};
        int64_t left_ns = end_ns - (int64_t)fg_env_mono_ns(fg_env_real());
        if (end_ns && left_ns <= 0)
            return false;
        int r = poll(&wanted, 1, end_ns ? (int)(left_ns / (int64_t)FG_NS_PER_MS) + 1 : -1);
        if (r > 0 || (r < 0 && errno != EINTR))
            return true;
    }
}

void fg_pq_connect_wait(PGconn *conn, struct fg_pq_conn *known)
{
    int64_t timeout_ns = timeout_of(conn), end_ns = 0;
    bool is_late = false;
    char address[128] = "";
    PostgresPollingStatusType wanted =
        PQstatus(conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (wanted == PGRES_POLLING_READING || wanted == PGRES_POLLING_WRITING) {
        const char *now = PQhostaddr(conn);
        /* Each address has its time. */
        if (timeout_ns &&
            (end_ns == 0 || is_late || strncmp(address, now ? now : "", sizeof address - 1) != 0)) {
            end_ns = (int64_t)fg_env_mono_ns(fg_env_real()) + timeout_ns;
            strncpy(address, now ? now : "", sizeof address - 1);
        }
        is_late = !wait_for_socket(PQsocket(conn), wanted == PGRES_POLLING_READING, end_ns);
        /* An end that libpq sees, after which it tries the next address, if there is one. */
        if (is_late)
            shutdown(PQsocket(conn), SHUT_RDWR);
        wanted = PQconnectPoll(conn);
    }
    fg_pq_connect_end(conn, known, wanted == PGRES_POLLING_OK, is_late);
}
