#include "loop.h"

#include "call.h"
#include "conn.h"
#include "net/inflate.h"
#include "tls_conn.h"

#include <stdio.h>
#include <time.h>

int fg_net_loop_init(struct fg_net_loop *loop, struct fg_net_shared *shared, unsigned index,
                     void (*wake)(struct fg_net_loop *loop))
{
    *loop = (struct fg_net_loop){.shared = shared, .index = index, .wake = wake};
    loop->date_second = UINT64_MAX;
    atomic_init(&loop->senders, 0);
    fg_queue_init(&loop->queue);
    fg_buffer_init(&loop->scratch, SIZE_MAX);
    return fg_inflater_new(&loop->inflater);
}

void fg_net_loop_free(struct fg_net_loop *loop)
{
    fg_call_spares_free(loop);
    fg_body_spares_free(&loop->spare_bodies);
    fg_buffer_free(&loop->scratch);
    fg_inflater_free(loop->inflater);
    loop->inflater = NULL;
    fg_tls_loop_free(loop->tls);
    loop->tls = NULL;
}

void fg_net_loop_begin(struct fg_net_loop *loop)
{
    loop->now_ns = fg_env_mono_ns(loop->shared->env);
}

static struct fg_conn *touched_pop(struct fg_net_loop *loop)
{
    struct fg_conn *conn = loop->touched;
    if (!conn)
        return NULL;
    loop->touched = conn->next_touched;
    conn->is_touched = false;
    return conn;
}

static struct fg_call *ended_pop(struct fg_net_loop *loop)
{
    struct fg_call *call = loop->ended;
    if (call)
        loop->ended = call->next;
    return call;
}

void fg_net_loop_end(struct fg_net_loop *loop)
{
    for (;;) {
        struct fg_conn *conn = touched_pop(loop);
        if (conn) {
            if (conn->phase == FG_CONN_SPEAKING)
                conn->protocol->advance(conn);
            continue;
        }
        struct fg_call *call = ended_pop(loop);
        if (!call)
            return;
        fg_call_finish(call);
    }
}

void fg_net_loop_send(struct fg_net_loop *loop, struct fg_message *message)
{
    /* Between the push and the wake the message may have run already, and with it gone the last
     * reason for the loop to be there: it stays while it has senders. */
    atomic_fetch_add_explicit(&loop->senders, 1, memory_order_relaxed);
    if (fg_queue_push(&loop->queue, message))
        loop->wake(loop);
    atomic_fetch_sub_explicit(&loop->senders, 1, memory_order_release);
}

void fg_net_loop_drain(struct fg_net_loop *loop)
{
    fg_net_loop_begin(loop);
    loop->is_draining = true;
    struct fg_conn *next;
    for (struct fg_conn *conn = loop->conns; conn; conn = next) {
        next = conn->next;
        if (conn->phase == FG_CONN_SNIFFING || conn->phase == FG_CONN_SECURING)
            fg_conn_cut(conn, false);
        else if (conn->phase == FG_CONN_SPEAKING)
            conn->protocol->drain(conn);
    }
    fg_net_loop_end(loop);
}

void fg_net_loop_cut(struct fg_net_loop *loop)
{
    fg_net_loop_begin(loop);
    struct fg_conn *next;
    for (struct fg_conn *conn = loop->conns; conn; conn = next) {
        next = conn->next;
        fg_conn_cut(conn, true);
    }
    fg_net_loop_end(loop);
}

const char *fg_net_loop_date(struct fg_net_loop *loop)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t second = fg_env_wall_ns(loop->shared->env) / FG_NS_PER_SECOND;
    if (second == loop->date_second)
        return loop->date;
    time_t time = (time_t)second;
    struct tm tm;
    gmtime_r(&time, &tm);
    snprintf(loop->date, sizeof loop->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
             tm.tm_sec);
    loop->date_second = second;
    return loop->date;
}
