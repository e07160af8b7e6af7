#include "call.h"

#include "count.h"
#include "loop.h"
#include "tls_context.h"

#include <stdlib.h>

/* What a spare call keeps of its arena and buffers at most. */
#define SPARE_ARENA_BYTES  ((size_t)16 << 10)
#define SPARE_BUFFER_BYTES ((size_t)16 << 10)

static void call_free(struct fg_call *call);

/* On the loop's thread, from its queue. */
static void on_message(struct fg_message *message)
{
    struct fg_call *call = (struct fg_call *)((char *)message - offsetof(struct fg_call, message));
    unsigned signals = atomic_exchange_explicit(&call->signals, 0, memory_order_acq_rel);
    if (signals & FG_SIGNAL_FREE)
        call_free(call);
    else if (signals & FG_SIGNAL_WAKE && call->request.wake)
        call->request.wake(&call->request);
}

/* The parts that outlive one use are in what calloc or the last use left. */
static void call_reset(struct fg_call *call)
{
    struct fg_arena arena = call->arena;
    struct fg_buffer head = call->answer.head, body = call->answer.body;
    struct fg_net_loop *loop = call->loop;
    *call = (struct fg_call){.loop = loop, .arena = arena, .failure = FG_NO_FAILURE};
    call->answer.head = head;
    call->answer.body = body;
}

static struct fg_call *spare_or_new(struct fg_net_loop *loop)
{
    struct fg_call *call = loop->spare_calls;
    if (call) {
        loop->spare_calls = call->next;
        loop->spare_call_count--;
        call_reset(call);
        return call;
    }
    call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->loop = loop;
    call->failure = FG_NO_FAILURE;
    fg_arena_init(&call->arena, loop->shared->limits.request_arena_size_max);
    fg_buffer_init(&call->answer.head, SIZE_MAX);
    fg_buffer_init(&call->answer.body, SIZE_MAX);
    return call;
}

struct fg_call *fg_call_new(struct fg_conn *conn, enum fg_net_protocol protocol)
{
    struct fg_net_loop *loop = conn->loop;
    const struct fg_net_limits *limits = &loop->shared->limits;
    struct fg_call *call = spare_or_new(loop);
    if (!call)
        return NULL;
    call->conn = conn;
    call->protocol = protocol;
    call->message.run = on_message;
    atomic_init(&call->refs, 1);
    atomic_init(&call->signals, 0);
    atomic_init(&call->is_cancelled, false);
    call->body_size_max = limits->body_size_max;
    call->inflated_size_max = limits->inflated_size_max;
    call->content_length = UINT64_MAX;
    call->request.arena = &call->arena;
    call->request.method = FG_METHOD_OTHER;
    call->request.http_major = protocol == FG_PROTOCOL_HTTP1 ? 1 : 2;
    call->request.is_tls = conn->is_tls;
    call->request.face = conn->face;
    call->request.loop_index = loop->index;
    /* The connection may be gone before the request is. */
    memcpy(call->peer, conn->peer, conn->peer_size);
    call->request.peer = fg_slice(call->peer, conn->peer_size);
    call->request.identity = fg_identity_ref(conn->identity);
    call->next = conn->calls;
    if (conn->calls)
        conn->calls->previous = call;
    conn->calls = call;
    conn->call_count++;
    loop->call_count++;
    return call;
}

static void leave_conn(struct fg_call *call)
{
    struct fg_conn *conn = call->conn;
    if (!conn)
        return;
    if (call->previous)
        call->previous->next = call->next;
    else
        conn->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->previous = call->next = NULL;
    conn->call_count--;
    call->conn = NULL;
}

static void buffer_trim(struct fg_buffer *buffer)
{
    if (buffer->capacity > SPARE_BUFFER_BYTES)
        fg_buffer_free(buffer);
    fg_buffer_reset(buffer);
    buffer->size_max = SIZE_MAX;
}

static void call_destroy(struct fg_call *call)
{
    fg_arena_free(&call->arena);
    fg_buffer_free(&call->answer.head);
    fg_buffer_free(&call->answer.body);
    free(call);
}

/* On the loop's thread; nobody holds it any more. */
static void call_free(struct fg_call *call)
{
    struct fg_net_loop *loop = call->loop;
    if (call->request.finish)
        call->request.finish(&call->request);
    leave_conn(call);
    fg_identity_unref(call->request.identity);
    call->request.identity = NULL;
    fg_body_free(loop, &call->body);
    loop->call_count--;
    if (loop->spare_call_count >= FG_NET_SPARE_CALLS) {
        call_destroy(call);
        return;
    }
    if (call->arena.used_bytes > SPARE_ARENA_BYTES)
        fg_arena_free(&call->arena);
    else
        fg_arena_reset(&call->arena);
    buffer_trim(&call->answer.head);
    buffer_trim(&call->answer.body);
    call->next = loop->spare_calls;
    loop->spare_calls = call;
    loop->spare_call_count++;
}

void fg_call_spares_free(struct fg_net_loop *loop)
{
    while (loop->spare_calls) {
        struct fg_call *call = loop->spare_calls;
        loop->spare_calls = call->next;
        call_destroy(call);
    }
    loop->spare_call_count = 0;
}

/* True for the last reference. */
static bool ref_drop(struct fg_call *call)
{
    return atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) == 1;
}

/* Sets the signal; true where none was set, so that the message is not in the queue. */
static bool signal_set(struct fg_call *call, enum fg_call_signal signal)
{
    return atomic_fetch_or_explicit(&call->signals, signal, memory_order_acq_rel) == 0;
}

void fg_call_end(struct fg_call *call)
{
    call->answer.state = FG_ANSWER_OVER;
    if (call->is_ended)
        return;
    call->is_ended = true;
    /* The connection may end before the turn does. */
    leave_conn(call);
    call->next = call->loop->ended;
    call->loop->ended = call;
}

void fg_call_finish(struct fg_call *call)
{
    fg_answer_clear(call);
    fg_body_free(call->loop, &call->body);
    call->request.body = fg_slice(NULL, 0);
    if (call->is_counted)
        fg_net_uncount(&call->loop->shared->counters.requests_open, 1);
    /* A wake may still be on its way through the queue: then it frees. */
    if (ref_drop(call) && signal_set(call, FG_SIGNAL_FREE))
        call_free(call);
}

void fg_call_cancel(struct fg_call *call)
{
    bool was_cancelled = atomic_exchange_explicit(&call->is_cancelled, true, memory_order_relaxed);
    if (was_cancelled || fg_call_is_answered(call) || !call->is_counted)
        return;
    fg_net_count(&call->loop->shared->counters.requests_cancelled, 1);
    if (call->is_seen && call->request.cancel)
        call->request.cancel(&call->request);
}

/* Only a handler that was given the whole request still answers it; one whose body was still coming
 * ends with its client. */
void fg_call_detach(struct fg_call *call)
{
    call->is_gone = true;
    bool is_worked_on = call->is_whole && !fg_call_is_answered(call);
    fg_call_cancel(call);
    if (!is_worked_on)
        fg_call_end(call);
}

void fg_call_orphan(struct fg_call *call)
{
    fg_call_detach(call);
    leave_conn(call);
}

/* -- Other threads' calls -------------------------------------------------------------------------
 */

void fg_request_wake(struct fg_request *request)
{
    struct fg_call *call = fg_call_of(request);
    if (signal_set(call, FG_SIGNAL_WAKE))
        fg_net_loop_send(call->loop, &call->message);
}

bool fg_request_is_cancelled(const struct fg_request *request)
{
    const struct fg_call *call = (const struct fg_call *)request;
    return atomic_load_explicit(&call->is_cancelled, memory_order_relaxed);
}

struct fg_request *fg_request_ref(struct fg_request *request)
{
    atomic_fetch_add_explicit(&fg_call_of(request)->refs, 1, memory_order_relaxed);
    return request;
}

void fg_request_unref(struct fg_request *request)
{
    struct fg_call *call = fg_call_of(request);
    if (ref_drop(call) && signal_set(call, FG_SIGNAL_FREE))
        fg_net_loop_send(call->loop, &call->message);
}
