/* What completed journeys of one key teach: which steps they took, in which order, and how long
 * each hop took.
 *
 * Where a flow is declared its steps are given, and their moments come from the records; where none
 * is, operations of services are the steps, and come from the journeys' spans. Bounded whatever the
 * number of journeys: a sketch of times for each hop, FG_FLOW_STEPS_MAX steps; a step that finds no
 * place is counted. Old times fade. Not thread-safe. doc/journeys.md tells the rules. */
#pragma once

#include "base/buffer.h"
#include "journey/flow.h"
#include "store/rollup.h"

/* Fewer completed journeys teach nothing that is used. */
#define FG_LEARN_JOURNEYS_MIN 30u
/* A deadline is this quantile of the times seen, and the larger of as much again and this many
 * seconds beside it. */
#define FG_LEARN_QUANTILE  0.99
#define FG_LEARN_MARGIN_NS (10 * FG_NS_PER_SECOND)
/* A step is one that at least this share of the journeys took; it is optional where fewer than the
 * second did; it ends a journey where for this share of those that took it nothing came after. */
#define FG_LEARN_STEP_SHARE     0.10
#define FG_LEARN_REQUIRED_SHARE 0.90
#define FG_LEARN_END_SHARE      0.90
/* One step comes after another where this share of its journeys came from there. */
#define FG_LEARN_AFTER_SHARE 0.05
/* Journeys that shares are of; past it all counts are halved. */
#define FG_LEARN_JOURNEYS_MAX 8192u
/* Bytes of a name of a service or an operation; longer ones are no step. */
#define FG_LEARN_NAME_SIZE_MAX 160u

/* Times, by a histogram's buckets, each some 10 % wide. */
struct fg_sketch {
    uint32_t count;
    uint16_t buckets[FG_HISTOGRAM_BUCKETS];
};

void fg_sketch_add(struct fg_sketch *sketch, uint64_t took_ns);
/* 0 of nothing. */
uint64_t fg_sketch_quantile(const struct fg_sketch *sketch, double quantile);
/* How many took longer for certain: a bucket that ns lies in counts for none. */
uint32_t fg_sketch_longer(const struct fg_sketch *sketch, uint64_t ns);
void fg_sketch_encode(const struct fg_sketch *sketch, struct fg_buffer *out);
/* The bytes that it took; 0: they are none. */
size_t fg_sketch_decode(struct fg_slice bytes, struct fg_sketch *sketch);

/* A declared step, or an operation. */
struct fg_learned_step {
    struct fg_slice name, service; /* of a declared one the step's name, and "" */
    uint8_t kind;                  /* of an operation: enum fg_span_kind */
    uint64_t print;                /* of a declared one: its condition and what it may follow */
    uint32_t count;                /* journeys that took it */
    uint32_t journeys_before;      /* of a declared one: what was learned before it was declared */
    uint32_t last_count;           /* of them, those that took it last */
    uint64_t position_sum;         /* of its places in their sequences */
    struct fg_sketch *hop;         /* from the step before it; NULL: none yet */
};

struct fg_learned {
    bool is_declared;
    struct fg_learned_step steps[FG_FLOW_STEPS_MAX];
    uint32_t step_count;
    uint32_t journeys;                      /* that the counts are of */
    uint64_t total;                         /* ever */
    uint64_t refused;                       /* steps that found no place or lost it, ever */
    uint32_t (*follows)[FG_FLOW_STEPS_MAX]; /* [a][b]: b came next after a; of operations alone */
    bool is_changed;                        /* since it was put on disk */
    bool is_news;                           /* since deadlines were made of it */
};

/* flow NULL: by operations. FG_ENOMEM. */
FG_MUST_CHECK int fg_learned_new(const struct fg_flow *flow, struct fg_learned **ret_learned);
void fg_learned_free(struct fg_learned *learned);
/* Forgets all that was learned. */
void fg_learned_clear(struct fg_learned *learned);

/* A completed journey of the declared flow. Of a hop that it was on while something was wrong, from
 * wrong_from_ns to wrong_until_ns (0: never), the time is not taken. FG_ENOMEM: some of it may have
 * been taken. */
FG_MUST_CHECK int fg_learned_take_steps(struct fg_learned *learned, const struct fg_flow *flow,
                                        uint64_t reached, const uint64_t *reached_ns,
                                        uint64_t wrong_from_ns, uint64_t wrong_until_ns);

/* An operation as one journey did it first. */
struct fg_learned_seen {
    struct fg_slice service, name;
    uint8_t kind;
    uint64_t end_ns;
};
/* A journey's operations, by their end. What ended by until_ns was taken before (0: nothing was).
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_learned_take_seen(struct fg_learned *learned,
                                       const struct fg_learned_seen *seen, uint32_t count,
                                       uint64_t until_ns);
/* Drops operations that few journeys had, since one that was erased may be among them. */
void fg_learned_drop_rare(struct fg_learned *learned);

/* -- What is made of it */

/* Whether at least FG_LEARN_JOURNEYS_MIN journeys took the step, and a hop to it was seen as often.
 */
bool fg_learned_is_known(const struct fg_learned *learned, uint32_t step);
/* The deadline of the hop to a step, rounded up to a whole second, minute or hour; 0: not known. */
uint64_t fg_learned_deadline_ns(const struct fg_learned *learned, uint32_t step);
/* 0 to 1: n / (n + 30) of the hops seen. */
double fg_learned_confidence(const struct fg_learned *learned, uint32_t step);
double fg_learned_share(const struct fg_learned *learned, uint32_t step);
bool fg_learned_is_optional(const struct fg_learned *learned, uint32_t step);
/* Operations that make steps of a proposal, in its order; how many. None before
 * FG_LEARN_JOURNEYS_MIN journeys. */
uint32_t fg_learned_order(const struct fg_learned *learned, uint32_t ret_steps[FG_FLOW_STEPS_MAX]);
/* The name that a step has in a flow; in text, which is cut where it is too long. */
#define FG_LEARNED_NAME_SIZE (2 * FG_LEARN_NAME_SIZE_MAX + 16)
struct fg_slice fg_learned_name(const struct fg_learned *learned, uint32_t step,
                                char text[FG_LEARNED_NAME_SIZE]);
/* FG_FLOW_STEP_NONE. */
uint32_t fg_learned_find(const struct fg_learned *learned, struct fg_slice name);

/* The flow that operations propose, in YAML as fg_flows_parse() takes it; nothing where there are
 * fewer than two steps. With deadlines or, for what it is used as before it is accepted, without.
 */
void fg_learned_propose(const struct fg_learned *learned, struct fg_slice key, bool with_deadlines,
                        struct fg_buffer *out);

/* A time as fg_duration_parse() takes it, in one unit. */
#define FG_WITHIN_TEXT_SIZE 24
const char *fg_within_format(uint64_t ns, char text[FG_WITHIN_TEXT_SIZE]);

/* -- As bytes (learn_codec.c) */
void fg_learned_encode(const struct fg_learned *learned, struct fg_buffer *out);
/* Into what is new. Of a declared flow hops that are gone, or are others now, are left out
 * (is_changed is set then), as is all of it where it was learned the other way. FG_ECORRUPT: it is
 * cleared; FG_ENOMEM. */
FG_MUST_CHECK int fg_learned_decode(struct fg_slice bytes, struct fg_learned *learned);
