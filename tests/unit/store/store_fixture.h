/* A store on the simulated machine, and a model of what it must hold: batches of random spans, each
 * of which was acknowledged, refused, or left in doubt by a power cut. */
#pragma once

#include "random_batch.h"
#include "sim_env.h"
#include "span/block.h"
#include "store_internal.h"

enum batch_fate {
    FATE_PENDING,  /* done was not called */
    FATE_KEPT,     /* acknowledged: must be there, once */
    FATE_REFUSED,  /* must not be there */
    FATE_IN_DOUBT, /* may be there, whole, once */
};

struct world_batch {
    struct fg_append append; /* first */
    struct world *world;
    struct fg_block *block; /* the model's own reference */
    enum batch_fate fate;
    int result;
    bool was_retry, is_retry_of_other;
    uint32_t row_begin; /* in the model's table of spans */
};

struct world {
    struct fg_sim *sim; /* NULL: the real machine */
    struct fg_env *env;
    char folder[64]; /* the real one; "": none */
    struct fg_store_options options;
    struct fg_store *store;
    struct world_batch **batches;
    size_t batch_count, batch_capacity;
    uint64_t next_seed;
    char message[1024]; /* why the last open failed */
    char event[1024];   /* the last one */
    size_t event_count, error_count;
};

/* A new machine; small heads and WAL files, so that a few batches fill them. */
void world_start(struct world *world, uint64_t seed);
/* The real machine and a folder in memory: where allocations fail, the simulated one would too. */
void world_start_real(struct world *world);
void world_end(struct world *world);

int world_open(struct world *world);
void world_close(struct world *world, bool seal);

/* Makes a batch of span_count spans and gives it to the store; what becomes of it stands in the
 * batch that is returned, once it is known. *ret_result: what fg_store_append_take() said. */
struct world_batch *world_append(struct world *world, uint32_t span_count, uint64_t request_hash,
                                 int *ret_result);
/* The same rows once more, as a sender does that got no answer. */
struct world_batch *world_append_again(struct world *world, const struct world_batch *first,
                                       int *ret_result);
/* fg_store_step() until there is nothing to do; the first error. */
int world_settle(struct world *world);
/* world_append() that must be acknowledged. */
struct world_batch *world_keep(struct world *world, uint32_t span_count);

/* The power went: batches that were not answered are in doubt. */
void world_doubt(struct world *world);
/* After a start: those in doubt that are there must stay, those that are not must never come. */
void world_settle_doubts(struct world *world);

/* Every row of every batch is there as often as its fate says, by a scan of everything and by
 * trace. Ends the test with a message that names what. */
void world_check(struct world *world);
/* Bounded: a scan only. */
void world_check_scan(struct world *world);

/* Whether the file is there. */
bool world_has_file(const struct world *world, const char *path);
/* How many files lie in the folder. */
size_t world_count_files(const struct world *world, const char *path);
