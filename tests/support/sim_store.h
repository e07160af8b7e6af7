/* A store on the simulated disk, without threads of its own but those that help scans: it does what
 * is due when the test says so. Whatever fails ends the test. */
#pragma once

#include "sim_env.h"
#include "span/builder.h"
#include "store/store.h"

struct fg_consumer_options;

struct sim_store {
    struct fg_sim *sim;
    struct fg_store *store;
    const struct fg_consumer_options *consumer; /* of its log; NULL: none */
    uint32_t tenant;                            /* of what is appended from now on */
    unsigned scan_threads;                      /* help scans from their first moment on; 0: none */
};

void sim_store_open(struct sim_store *on, uint64_t seed);
/* The same with a consumer of its log, which outlives it. */
void sim_store_open_for(struct sim_store *on, uint64_t seed,
                        const struct fg_consumer_options *consumer);
/* The same with threads that help scans. */
void sim_store_open_helped(struct sim_store *on, uint64_t seed, unsigned scan_threads);
void sim_store_close(struct sim_store *on);
/* Closes it with its head unsealed, and opens it again: the log is replayed. */
void sim_store_restart(struct sim_store *on);

/* The builder's rows as one request, until they are durable. */
void sim_store_append(struct sim_store *on, struct fg_builder *builder);
