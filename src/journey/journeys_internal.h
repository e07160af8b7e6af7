/* What the parts of the journeys share: the records and who guards them. */
#pragma once

#include "base/limits.h"
#include "journey/journeys.h"
#include "neighbours.h"
#include "os/thread.h"
#include "store/store.h"
#include "table.h"

struct fg_builder;

/* One attribute that names journeys. */
struct fg_watched_key {
    struct fg_slice name;
    const struct fg_flow *flow; /* NULL: none is declared */
    uint32_t flow_index;
};

/* A change, kept with its texts. */
struct fg_kept_change {
    struct fg_journey_change change;
    uint8_t bytes[FG_JOURNEY_VALUE_SIZE_MAX + 256];
};

struct fg_journeys {
    struct fg_journeys_options options;
    struct fg_watched_key keys[FG_JOURNEY_KEYS_MAX];
    uint32_t key_count;
    struct fg_neighbours *neighbours;
    struct fg_matcher *matchers[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX]; /* the follower's own */

    struct fg_mutex mutex; /* guards what follows */
    struct fg_table table;
    uint32_t *dirty; /* records to judge, as a stack that is emptied round by round */
    uint32_t dirty_count, dirty_capacity;
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
    uint32_t standing[FG_FLOWS_MAX][FG_FLOW_STEPS_MAX]; /* journeys that expect this step */
    struct fg_journeys_counters counters;
    struct fg_kept_change *changes; /* a ring of FG_JOURNEY_CHANGES_KEPT, by sequence */
    uint64_t change_count;

    /* the follower's own */
    struct fg_follow_position position;
    uint64_t followed_ns;     /* by the wall clock: when nothing was missed the last time */
    uint64_t rebuild_from_ns; /* starts of spans that a rebuilding reads */
    uint32_t *owner;          /* scratch: by row its record */
    uint32_t owner_capacity;
    uint64_t *bits; /* scratch */
    struct fg_builder *builder;
    struct fg_arena arena;

    struct fg_thread thread;
    struct fg_cond cond;
    bool is_stopping;
};

/* take.c: what a batch tells of journeys. With bits NULL all rows. Follower's thread, mutex held.
 * FG_ENOMEM: some of it may have been taken. */
FG_MUST_CHECK int fg_journeys_take(struct fg_journeys *journeys, const struct fg_batch *batch,
                                   uint32_t row_begin, uint32_t row_end, const uint64_t *bits);

/* Tells the neighbours how long the hop to a step took, where the step before it was reached. */
void fg_journeys_tell_hop(struct fg_journeys *journeys, const struct fg_record *record,
                          uint32_t step);

/* A record has to be judged. Mutex held. */
void fg_journeys_doubt(struct fg_journeys *journeys, uint32_t record);

/* Makes room for new records; numbers of records change. Mutex held. FG_ENOMEM. */
FG_MUST_CHECK int fg_journeys_evict(struct fg_journeys *journeys);

/* Puts a record into a state, and keeps the counts. Mutex held. */
void fg_journeys_set_state(struct fg_journeys *journeys, uint32_t record,
                           enum fg_journey_state state, uint8_t expected_step);

/* Where a record stands after its steps changed: state, deadline, when to look. Mutex held. */
void fg_journeys_stand(struct fg_journeys *journeys, uint32_t record);

/* changes.c: notes that a record is not any more in the state that it was in. Mutex held. */
void fg_journeys_note(struct fg_journeys *journeys, uint32_t record, enum fg_journey_state from);

/* judge.c: reads and decides what is in doubt, for at most budget_ns. Follower's thread, mutex not
 * held. */
void fg_journeys_judge(struct fg_journeys *journeys, uint64_t budget_ns);
