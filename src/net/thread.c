/* A loop's thread: libuv's loop around a fg_net_loop.
 *
 * Its end: draining begins with a message from fg_server_stop(); then, every few milliseconds, the
 * loop looks whether it may end: no loop accepts any more (one could still hand a connection over),
 * its connections are closed, and its requests freed, for which it waits without limit, since
 * handlers hold them. */
#include "conn.h"
#include "server_state.h"

#include <sched.h>
#include <stdlib.h>

#define DRAIN_LOOK_MS 5u

static void wake(struct fg_net_loop *loop)
{
    uv_async_send(&((struct fg_net_thread *)loop)->async);
}

static void on_async(uv_async_t *async)
{
    struct fg_net_thread *thread = async->data;
    fg_net_loop_begin(&thread->loop);
    fg_queue_drain(&thread->loop.queue);
    fg_net_loop_end(&thread->loop);
}

static bool may_end(struct fg_net_thread *thread)
{
    return atomic_load_explicit(&thread->server->accepting_count, memory_order_acquire) == 0 &&
           thread->loop.conn_count == 0 && thread->loop.call_count == 0 &&
           atomic_load_explicit(&thread->connections, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&thread->loop.queue.newest, memory_order_relaxed) == NULL;
}

static void on_look(uv_timer_t *timer)
{
    struct fg_net_thread *thread = timer->data;
    uint64_t now_ns = fg_env_mono_ns(thread->loop.shared->env);
    if (now_ns >= thread->drain_until_ns)
        fg_net_loop_cut(&thread->loop);
    if (!may_end(thread))
        return;
    uv_close((uv_handle_t *)timer, NULL);
    uv_close((uv_handle_t *)&thread->async, NULL);
}

static void on_stop(struct fg_message *message)
{
    struct fg_net_thread *thread =
        (struct fg_net_thread *)((char *)message - offsetof(struct fg_net_thread, stop));
    uint64_t now_ns = fg_env_mono_ns(thread->loop.shared->env);
    uint64_t drain_ns = thread->server->drain_ns;
    thread->drain_until_ns = drain_ns < UINT64_MAX - now_ns ? now_ns + drain_ns : UINT64_MAX;
    fg_accept_end(thread);
    fg_net_loop_drain(&thread->loop);
    uv_timer_start(&thread->pause, on_look, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

int fg_net_thread_init(struct fg_net_thread *thread, struct fg_server *server, unsigned index)
{
    *thread = (struct fg_net_thread){.server = server};
    atomic_init(&thread->connections, 0);
    thread->stop.run = on_stop;
    int r = uv_loop_init(&thread->uv);
    if (r < 0)
        return r == UV_ENOMEM ? FG_ENOMEM : FG_EIO;
    thread->uv.data = thread;
    /* An empty loop closes at once, so what has not been inited needs no flag. */
    r = fg_net_loop_init(&thread->loop, &server->shared, index, wake);
    if (r == 0 && uv_async_init(&thread->uv, &thread->async, on_async) < 0)
        r = FG_EIO;
    if (r < 0) {
        fg_net_loop_free(&thread->loop);
        uv_loop_close(&thread->uv);
        return r;
    }
    thread->async.data = thread;
    uv_timer_init(&thread->uv, &thread->pause);
    thread->pause.data = thread;
    thread->read_buffer = malloc(FG_NET_READ_SIZE);
    r = thread->read_buffer ? fg_accept_begin(thread) : FG_ENOMEM;
    if (r < 0)
        fg_net_thread_free(thread);
    return r;
}

void fg_net_thread_run(void *arg)
{
    struct fg_net_thread *thread = arg;
    uv_run(&thread->uv, UV_RUN_DEFAULT);
    /* Somebody may still be on the way from pushing a message to waking the loop. */
    while (atomic_load_explicit(&thread->loop.senders, memory_order_acquire))
        sched_yield();
    fg_net_loop_begin(&thread->loop);
    fg_queue_drain(&thread->loop.queue);
    fg_net_loop_end(&thread->loop);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void fg_net_thread_free(struct fg_net_thread *thread)
{
    uv_walk(&thread->uv, close_handle, NULL); /* of a thread that was never run */
    uv_run(&thread->uv, UV_RUN_DEFAULT);
    uv_loop_close(&thread->uv);
    fg_net_loop_free(&thread->loop);
    free(thread->polls);
    free(thread->read_buffer);
}
