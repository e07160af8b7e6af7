/* A running server, for the files of `filigree serve`. */
#pragma once

#include "api/api.h"
#include "command.h"
#include "config.h"
#include "journey/flow.h"
#include "net/server.h"
#include "os/thread.h"
#include "store/store.h"

struct fg_recorders;

struct fg_serve {
    struct fg_cli *cli;
    const struct fg_arguments *arguments;
    struct fg_config *config;   /* as it was at the start: what needs a restart */
    struct fg_config *reloaded; /* the last that SIGHUP brought; NULL: none */
    struct fg_api *api;
    struct fg_server *server;
    struct fg_store *store; /* NULL until it has recovered */
    struct fg_arena arena;  /* of the store's opening, and of the flows */
    struct fg_flows flows;
    struct fg_slice *journey_keys; /* config's, in arena */
    struct fg_journeys *journeys;  /* NULL until the store has recovered */
    struct fg_thread opener;
    struct fg_recorders *recorders; /* NULL: no folder is watched */
    uint64_t begin_mono_ns;

    struct fg_mutex mutex; /* guards what follows; written by the opener and the signals' thread */
    struct fg_cond cond;
    bool opener_ended;
    int open_result;
    const char *open_message; /* in arena */
    unsigned stops;           /* how often a stop was asked for */
    bool reload;
};

/* The configuration in force for what SIGHUP can change. */
static inline const struct fg_config *fg_serve_settings(const struct fg_serve *serve)
{
    return serve->reloaded ? serve->reloaded : serve->config;
}

struct fg_retention fg_serve_retention(const struct fg_config *config);

/* serve_reload.c: reads the configuration again, puts in force what can change, and logs what
 * changed and what needs a restart. A wrong configuration changes nothing. */
void fg_serve_reload(struct fg_serve *serve);

/* serve_recorders.c: watches the folders of flight recorders on a thread of its own, from when the
 * store is attached until before the api ends. NULL is accepted by the stop. */
FG_MUST_CHECK int fg_serve_recorders_start(struct fg_serve *serve,
                                           struct fg_recorders **ret_recorders);
void fg_serve_recorders_stop(struct fg_recorders *recorders);

/* serve_journeys.c: reads the files of flows, before anything is opened; what is wrong is said with
 * file and line. */
enum fg_exit fg_serve_flows_load(struct fg_serve *serve);
/* Starts following journeys; the store is open. */
FG_MUST_CHECK int fg_serve_journeys_open(struct fg_serve *serve);

/* serve_greeting.c: a few lines for somebody at a terminal: where the server is, how to use it. */
void fg_serve_greet(const struct fg_serve *serve, FILE *out);
