#include "net/server.h"

#include "server_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LOOPS_MAX 256u

struct fg_server_options fg_server_options_default(struct fg_env *env)
{
    return (struct fg_server_options){
        .env = env,
        .loop_count = 1,
        .limits =
            {
                .connections_max = FG_NET_CONNECTIONS_MAX,
                .connection_streams_max = FG_NET_CONNECTION_STREAMS_MAX,
                .header_size_max = FG_NET_HEADER_SIZE_MAX,
                .header_count_max = FG_NET_HEADER_COUNT_MAX,
                .url_size_max = FG_NET_URL_SIZE_MAX,
                .body_size_max = FG_REQUEST_BODY_SIZE_MAX,
                .inflated_size_max = FG_REQUEST_INFLATED_SIZE_MAX,
                .buffered_size_max = FG_NET_BUFFERED_SIZE_MAX,
                .request_arena_size_max = FG_NET_REQUEST_ARENA_SIZE_MAX,
                .idle_timeout_ns = FG_NET_IDLE_TIMEOUT_NS,
                .handshake_timeout_ns = FG_NET_HANDSHAKE_TIMEOUT_NS,
                .handshakes_max = FG_NET_HANDSHAKES_MAX,
                .header_timeout_ns = FG_NET_HEADER_TIMEOUT_NS,
                .body_grace_ns = FG_NET_BODY_GRACE_NS,
                .body_rate_bytes_min = FG_NET_BODY_RATE_BYTES_MIN,
                .write_timeout_ns = FG_NET_WRITE_TIMEOUT_NS,
                .resets_max = FG_NET_RESETS_MAX,
                .control_frames_max = FG_NET_CONTROL_FRAMES_MAX,
                .flood_window_ns = FG_NET_FLOOD_WINDOW_NS,
            },
    };
}

/* Raises the soft limit of open files to the hard one. Returns how many connections it leaves
 * room for, with some files for everything else. */
static unsigned raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return UINT32_MAX;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit.rlim_cur = limit.rlim_max;
    }
    rlim_t files = limit.rlim_cur;
    rlim_t left = files > 2 * FG_NET_FILES_RESERVED ? files - FG_NET_FILES_RESERVED : files / 2;
    return left < UINT32_MAX ? (unsigned)left : UINT32_MAX;
}

static int threads_init(struct fg_server *server, unsigned count)
{
    server->threads = calloc(count, sizeof *server->threads);
    if (!server->threads)
        return FG_ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        int r = fg_net_thread_init(&server->threads[i], server, i);
        if (r < 0)
            return r;
        server->thread_count++;
    }
    atomic_init(&server->accepting_count, count);
    return 0;
}

int fg_server_open(const struct fg_server_options *options, struct fg_arena *arena,
                   const char **ret_message, struct fg_server **ret_server)
{
    assert(options->on_request && options->loop_count > 0 && options->loop_count <= LOOPS_MAX);
    struct fg_server *server = calloc(1, sizeof *server);
    if (!server) {
        *ret_message = "out of memory";
        return FG_ENOMEM;
    }
    server->shared.env = options->env;
    server->shared.limits = options->limits;
    server->shared.on_headers = options->on_headers;
    server->shared.on_request = options->on_request;
    server->shared.on_refusal = options->on_refusal;
    server->shared.on_turned_away = options->on_turned_away;
    server->shared.arg = options->arg;
    server->tls = options->tls;
    /* Of each loop. */
    server->shared.limits.handshakes_max =
        1 + (options->limits.handshakes_max - 1) / options->loop_count;
    unsigned room = raise_open_files();
    server->connections_max =
        options->limits.connections_max < room ? options->limits.connections_max : room;
    int r = fg_listen_all(server, options, arena, ret_message);
    if (r == 0) {
        r = threads_init(server, options->loop_count);
        if (r < 0)
            *ret_message = r == FG_ENOMEM
                               ? "out of memory"
                               : "can't make an event loop: no more files may be opened; raise the "
                                 "limit (ulimit -n)";
    }
    if (r < 0) {
        fg_server_close(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

const char *fg_server_address(const struct fg_server *server, size_t index)
{
    return server->addresses[index];
}

/* Ends the threads below count; the others were never begun. */
static void threads_stop(struct fg_server *server, unsigned count, uint64_t drain_ns)
{
    server->drain_ns = drain_ns;
    server->state = FG_SERVER_STOPPED;
    for (unsigned i = count; i < server->thread_count; i++)
        fg_accept_end(&server->threads[i]);
    for (unsigned i = 0; i < count; i++)
        fg_net_loop_send(&server->threads[i].loop, &server->threads[i].stop);
    for (unsigned i = 0; i < count; i++)
        fg_thread_join(&server->threads[i].thread);
}

int fg_server_start(struct fg_server *server)
{
    assert(server->state == FG_SERVER_OPENED);
    for (unsigned i = 0; i < server->thread_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "net-%u", i % 1000);
        int r = fg_thread_start(&server->threads[i].thread, name, fg_net_thread_run,
                                &server->threads[i]);
        if (r < 0) {
            threads_stop(server, i, 0);
            return r;
        }
    }
    server->state = FG_SERVER_SERVING;
    return 0;
}

void fg_server_stop(struct fg_server *server, uint64_t drain_ns)
{
    if (server->state == FG_SERVER_SERVING)
        threads_stop(server, server->thread_count, drain_ns);
}

void fg_server_close(struct fg_server *server)
{
    if (!server)
        return;
    fg_server_stop(server, 0);
    for (unsigned i = 0; i < server->thread_count; i++)
        fg_net_thread_free(&server->threads[i]);
    fg_listen_close(server);
    free(server->threads);
    free(server->listeners);
    free(server->addresses);
    free(server);
}

void fg_server_post(struct fg_server *server, unsigned loop_index, struct fg_message *message)
{
    assert(loop_index < server->thread_count);
    fg_net_loop_send(&server->threads[loop_index].loop, message);
}

const struct fg_net_counters *fg_server_counters(const struct fg_server *server)
{
    return &server->shared.counters;
}
