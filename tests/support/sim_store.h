/* A store on the simulated disk, without threads of its own: it does what is due when the test says
 * so. Whatever fails ends the test. */
#pragma once

#include "sim_env.h"
#include "span/builder.h"
#include "store/store.h"

struct sim_store {
    struct fg_sim *sim;
    struct fg_store *store;
};

void sim_store_open(struct sim_store *on, uint64_t seed);
void sim_store_close(struct sim_store *on);
/* Closes it with its head unsealed, and opens it again: the log is replayed. */
void sim_store_restart(struct sim_store *on);

/* The builder's rows as one request, until they are durable. */
void sim_store_append(struct sim_store *on, struct fg_builder *builder);
