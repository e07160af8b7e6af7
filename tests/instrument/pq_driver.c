/* A program that asks PostgreSQL by libpq and knows of tracing only what main() says: it is
 * compiled with FILIGREE_DROP_IN, so that its PQ calls are the traced ones.
 *
 *     pq_driver WORD... < /dev/null       prints the trace's id, then a line for each word
 *
 * connect INFO, start INFO (by polling), login PORT DATABASE, sql TEXT, params TEXT VALUE, prepare
 * NAME TEXT, run NAME VALUE, send TEXT, rows TEXT (one by one), pipeline TEXT TEXT, inside NAME
 * (enters a span), leave, reset, threads INFO, null, wait, pool. */
#define FILIGREE_DROP_IN
#include <filigree_pq.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *conn;

static void say(const char *word, PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    printf("%s %s %d %s\n", word, PQresStatus(PQresultStatus(result)), PQntuples(result),
           state ? state : "-");
    PQclear(result);
}

static void say_connected(void)
{
    char *text = strdup(PQerrorMessage(conn));
    for (char *end; (end = strchr(text, '\n'));)
        *end = '|';
    printf("%s %s\n", PQstatus(conn) == CONNECTION_OK ? "connected" : "failed", text);
    free(text);
}

static void connect_by_polling(const char *info)
{
    conn = PQconnectStart(info);
    PostgresPollingStatusType wanted =
        PQstatus(conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (wanted == PGRES_POLLING_READING || wanted == PGRES_POLLING_WRITING) {
        struct pollfd socket = {.fd = PQsocket(conn),
                                .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        poll(&socket, 1, 5000);
        wanted = PQconnectPoll(conn);
    }
}

static void read_all(const char *word)
{
    for (PGresult *result; (result = PQgetResult(conn));)
        say(word, result);
}

static void pipeline(const char *one, const char *two)
{
    const char *texts[] = {one, two};
    PQenterPipelineMode(conn);
    for (int i = 0; i < 2; i++)
        PQsendQueryParams(conn, texts[i], 0, NULL, NULL, NULL, NULL, 0);
    PQpipelineSync(conn);
    for (int i = 0; i < 2; i++)
        read_all("pipeline");
    say("sync", PQgetResult(conn));
    PQexitPipelineMode(conn);
}

static fg_context *context;

static void *run_thread(void *arg)
{
    fg_scope scope = fg_context_enter(context);
    PGconn *own = PQconnectdb(arg);
    for (int i = 0; i < 100; i++)
        PQclear(PQexec(own, "SELECT 1 FROM pg_class LIMIT 1"));
    PQfinish(own);
    fg_scope_leave(&scope);
    return NULL;
}

static void threads(char *info)
{
    pthread_t all[4];
    context = fg_context_current();
    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], NULL, run_thread, info);
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
    fg_context_free(context);
    printf("threads\n");
}

static void use_nothing(void)
{
    PQclear(PQexec(NULL, "SELECT 1"));
    PQclear(PQexecParams(NULL, NULL, 0, NULL, NULL, NULL, NULL, 0));
    PQclear(PQexecPrepared(NULL, NULL, 0, NULL, NULL, NULL, 0));
    PQclear(PQgetResult(NULL));
    printf("null %d %d %s", PQsendQuery(NULL, NULL), (int)PQconnectPoll(NULL),
           PQerrorMessage(NULL));
    PQreset(NULL);
    PQfinish(NULL);
}

/* Runs one word; returns how many more it has taken. */
static int run(char **words)
{
    static fg_span inside;
    static fg_scope scope;
    const char *word = words[0];
    if (strcmp(word, "connect") == 0) {
        conn = PQconnectdb(words[1]);
        say_connected();
    } else if (strcmp(word, "start") == 0) {
        connect_by_polling(words[1]);
        say_connected();
    } else if (strcmp(word, "login") == 0) {
        conn = PQsetdbLogin("127.0.0.1", words[1], NULL, NULL, words[2], "postgres", "postgres");
        say_connected();
        return 2;
    } else if (strcmp(word, "sql") == 0) {
        say(word, PQexec(conn, words[1]));
    } else if (strcmp(word, "params") == 0) {
        const char *values[] = {words[2]};
        say(word, PQexecParams(conn, words[1], 1, NULL, values, NULL, NULL, 0));
        return 2;
    } else if (strcmp(word, "prepare") == 0) {
        say(word, PQprepare(conn, words[1], words[2], 0, NULL));
        return 2;
    } else if (strcmp(word, "run") == 0) {
        const char *values[] = {words[2]};
        say(word, PQexecPrepared(conn, words[1], 1, values, NULL, NULL, 0));
        return 2;
    } else if (strcmp(word, "send") == 0) {
        printf("sent %d\n", PQsendQuery(conn, words[1]));
        read_all(word);
    } else if (strcmp(word, "rows") == 0) {
        PQsendQuery(conn, words[1]);
        PQsetSingleRowMode(conn);
        read_all(word);
    } else if (strcmp(word, "pipeline") == 0) {
        pipeline(words[1], words[2]);
        return 2;
    } else if (strcmp(word, "inside") == 0) {
        inside = fg_span_start(words[1], NULL);
        scope = fg_span_enter(inside);
    } else if (strcmp(word, "threads") == 0) {
        threads(words[1]);
    } else {
        if (strcmp(word, "leave") == 0) {
            fg_scope_leave(&scope);
            fg_span_end(inside);
        } else if (strcmp(word, "reset") == 0) {
            PQreset(conn);
            say_connected();
        } else if (strcmp(word, "null") == 0) {
            use_nothing();
        } else if (strcmp(word, "pool") == 0) {
            fg_pq_wait_end(fg_pq_wait_start("shop"), conn);
            fg_pq_wait_end(fg_pq_wait_start("shop"), NULL);
        }
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    char text[FG_TRACEPARENT_SIZE];
    fg_tracing_start(NULL);
    fg_span span = fg_span_start("test", NULL);
    fg_scope scope = fg_span_enter(span);
    fg_journey_set("order.id", "ORD-4711");
    fg_span_traceparent(span, text);
    printf("%s\n", text);
    for (int i = 1; i < argc; i++)
        i += run(argv + i);
    PQfinish(conn);
    fg_scope_leave(&scope);
    fg_span_end(span);
    return fg_tracing_flush(60000) == 0 ? 0 : 1;
}
