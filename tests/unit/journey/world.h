/* Journeys over a store on the simulated disk, driven by hand; durable ones with a keyed state on
 * the real disk beside it. Whatever fails ends the test. */
#pragma once

#include "base/limits.h"
#include "journey/gone.h"
#include "journey/journeys.h"
#include "sim_store.h"
#include "span/builder.h"
#include "store/consumer.h"

struct world {
    struct sim_store on;
    struct fg_journeys *journeys;
    struct fg_builder *builder;
    struct fg_arena arena, answers;
    struct fg_flows flows;
    uint32_t journeys_max;
    uint64_t begin_ns, next_span;
    struct fg_state *state; /* NULL: not durable */
    struct fg_consumer_options consumer;
    char folder[64];
    struct fg_gone gone; /* by the last erase */
};

struct told {
    const char *service, *name, *key, *value, *error;
    const char *const *attrs; /* names and values in turn, ended by NULL */
    uint64_t trace, id, parent;
    uint64_t number; /* the key's value as a whole number, where value is NULL */
    uint64_t link_trace, link_id;
    unsigned junk, junk_from; /* attributes "junk.N" beside it */
    double at;                /* seconds after the begin */
    double received;          /* 0: at once */
    uint8_t kind;
    bool open;
};

struct found {
    const char *value;
    struct fg_journey_row row;
    unsigned count;
};

/* Worlds that begin from now on are durable. */
extern bool world_is_durable;
/* And so large may their keyed state grow. */
extern uint64_t world_state_size;
/* There is room for so many of their journeys in memory whether or not they come back; 0: for as
 * many as there may be. */
extern uint32_t world_journeys_min;
/* The flows of those that begin from now on; NULL: orders that are placed, priced and shipped. */
extern const char *world_flows;

void begin(struct world *world, uint32_t journeys_max);
void end(struct world *world);
/* Opens the journeys where they were closed. */
void open_again(struct world *world);
/* Closes the journeys, and opens them again. */
void reopen(struct world *world);
/* The same with the store, whose log is replayed. */
void restart(struct world *world);
/* The flows are others from the next opening on. */
void set_flows(struct world *world, const char *text);
/* Into the builder; an id of 0 takes the next. */
void put(struct world *world, struct told told);
/* The builder's spans become durable; journeys are not stepped. */
void append(struct world *world);
void send(struct world *world);
void tell(struct world *world, struct told told);
void wait_s(struct world *world, uint64_t seconds);
struct fg_verdict where(struct world *world, const char *value);
struct fg_journeys_counters counters_of(struct world *world);
int find_row(void *arg, const struct fg_journey_row *row);
/* What the board says, and the board and `where` say the same. */
void assert_board(struct world *world, const char *value, enum fg_journey_state state,
                  enum fg_cause cause);
/* Of an order; good for eight calls. */
const char *order_name(unsigned i);
/* When the board last heard of it, after the begin; 0: it is not in memory. */
uint64_t heard_s(struct world *world, const char *value);
/* Of a table of the keyed state. */
unsigned rows_of(struct world *world, const char *name);
