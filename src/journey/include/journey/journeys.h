/* All journeys: a record for each value of each key attribute, kept up as spans become durable, in
 * whatever order they come, and judged when something failed, when a deadline passes, and when
 * somebody asks.
 *
 * A thread of its own follows the store; ingest never waits for it. Healthy journeys are followed
 * from their spans' columns alone; only one that is in doubt has its traces read and the rules run.
 * With a keyed state and a consumer of the log, records are durable: they are committed together
 * with how far the log was read, a start goes on from there, and only those that come back are in
 * memory, at most journeys_max and those that need somebody first; the others are read back when a
 * span of theirs comes, when their deadline passes, or when somebody asks. Without, they are made
 * anew from the stored spans at every start, and what there is no room for is dropped.
 *
 * Bounded: journeys_max records in memory, FG_JOURNEY_TRACES_MAX traces of each, values of at most
 * FG_JOURNEY_VALUE_SIZE_MAX bytes; what is over is counted. On disk those that were not heard for
 * FG_JOURNEY_KEPT_NS are dropped, and where room gets scarce ended ones earlier. */
#pragma once

#include "base/arena.h"
#include "journey/flow.h"
#include "journey/verdict.h"
#include "os/env.h"

struct fg_consumer;
struct fg_erased;
struct fg_gone;
struct fg_instances;
struct fg_journeys;
struct fg_state;
struct fg_store;

struct fg_journeys_options {
    struct fg_env *env;           /* borrowed, as all that follows */
    struct fg_store *store;       /* closed after the journeys */
    const struct fg_flows *flows; /* may be empty; outlives the journeys */
    const struct fg_slice *keys;  /* attributes beside the flows' keys */
    uint32_t key_count;
    const struct fg_slice *facets; /* attributes that journeys are compared by, beside the usual */
    uint32_t facet_count;
    uint32_t journeys_max; /* in memory; of a leader and its guests together */
    uint32_t journeys_min; /* for as many there is room, also for such as don't come back; 0:
                              FG_JOURNEYS_MIN. Where records are not durable for all */
    uint32_t tenant;
    /* NULL: it has a thread of its own. Otherwise this one's thread reads the log for both, gives
     * each tenant's spans to its own, and looks after this one as well: they are opened before
     * fg_journeys_start() of the leader, or before the tenant's first span is stored, stopped
     * before it is, and closed after its stop. */
    struct fg_journeys *leader;
    bool starts_later; /* of a leader: fg_journeys_start() is called once its guests are there */
    struct fg_state *state;         /* NULL: records are not durable */
    struct fg_consumer *consumer;   /* of the log; NULL exactly where state is, and of guests */
    struct fg_instances *instances; /* what processes tell of their telemetry; may be NULL. It may
                                       go after fg_journeys_stop() */
    bool manual;                    /* tests: no thread; the caller drives fg_journeys_step() */
};

#define FG_JOURNEY_KEYS_MAX 32u
#define FG_JOURNEYS_MIN     50000u

/* FG_ENOMEM; FG_ELIMIT: more than FG_JOURNEY_KEYS_MAX keys. */
FG_MUST_CHECK int fg_journeys_open(const struct fg_journeys_options *options,
                                   struct fg_journeys **ret_journeys);
/* Of a leader that was opened to start later. FG_ENOMEM, FG_EAGAIN. */
FG_MUST_CHECK int fg_journeys_start(struct fg_journeys *journeys);
/* Ends the thread; questions are answered still. NULL is accepted. */
void fg_journeys_stop(struct fg_journeys *journeys);
/* NULL is accepted. */
void fg_journeys_close(struct fg_journeys *journeys);

/* A trace of a journey. */
struct fg_journey_trace {
    uint64_t id_high, id_low;
};

/* A step of the flow, as one journey has it. */
struct fg_journey_step {
    struct fg_slice name, label, service, human;
    const struct fg_flow_labels *labels, *humans;  /* as in the flow */
    uint64_t reached_ns;                           /* 0: not reached */
    uint64_t trace_id_high, trace_id_low, span_id; /* of the span that reached it */
    uint64_t usual_ns; /* how long others of late took for it; 0: not known */
    bool optional;
    bool cancels;
};

/* Where a journey was, and when: work of a service, a call to a database or an object store, a
 * message in its queue. What lies inside another stay of the same place is left out. */
struct fg_journey_stay {
    struct fg_place place;
    struct fg_slice operation;
    struct fg_slice by;        /* the service whose span tells it */
    uint64_t start_ns, end_ns; /* end 0: it goes on */
    uint64_t trace_id_high, trace_id_low, span_id;
    bool failed, interrupted;
    bool is_queue; /* a message that waited, or waits; the place's name is the destination */
    uint32_t taken, taken_failed; /* of a message: how often, and of that in vain */
};

#define FG_JOURNEY_STAYS_MAX 400u

/* What a queue did with a journey's messages, as the spans tell: each delivery counts. */
struct fg_journey_queue {
    struct fg_slice name; /* where they were sent */
    uint32_t published;   /* that a queue took */
    uint32_t waiting;     /* of them nobody has taken yet */
    uint32_t consumed, redelivered, rejected;
    uint32_t returned;  /* by the broker, since no queue took them: not among those published */
    uint64_t waited_ns; /* all together, of those that were taken */
    uint64_t waiting_since_ns; /* the one that waits longest; 0: none */
};

#define FG_JOURNEY_QUEUES_MAX 64u

struct fg_journey_answer {
    struct fg_verdict verdict;
    const struct fg_journey_step *steps; /* in the flow's order */
    uint32_t step_count;
    const struct fg_journey_stay *stays; /* by start */
    uint32_t stay_count;
    bool more_stays;                       /* than FG_JOURNEY_STAYS_MAX */
    const struct fg_journey_queue *queues; /* in the order in which they were first sent to */
    uint32_t queue_count;
    const struct fg_journey_trace *traces; /* in the order in which they were seen */
    uint32_t trace_count;                  /* those that are known; there may have been more */
    bool more_traces;
};

/* Judges one journey now, from its spans as they are in the store; any thread, blocks for its
 * reading. All of the answer lies in arena. FG_ENOTFOUND; FG_EINVALID: the key is not watched;
 * FG_ENOMEM, FG_ELIMIT, FG_EIO. */
FG_MUST_CHECK int fg_journeys_where(struct fg_journeys *journeys, struct fg_slice key,
                                    struct fg_slice value, struct fg_arena *arena,
                                    struct fg_journey_answer *ret_answer);

#define FG_HISTORY_ENDED UINT64_MAX

/* Spans of the past come in a request that was received then, as when a recording is read in: of
 * them all of this sender's until this moment have been stored; 0: in no order; FG_HISTORY_ENDED:
 * all. Said before each request of them is stored; who says nothing for 60 s has ended. Meanwhile
 * the journeys that they belong to are judged as of then; of several senders, of the least. Any
 * thread. */
void fg_journeys_history(struct fg_journeys *journeys, uint64_t sender, uint64_t received_ns,
                         uint64_t until_ns);

/* The keys whose values are followed, in their order, which stay what they are; the count. */
uint32_t fg_journeys_keys(const struct fg_journeys *journeys,
                          struct fg_slice ret_keys[FG_JOURNEY_KEYS_MAX]);

/* A journey as lists show it: what was found when it was last looked at. */
struct fg_journey_row {
    struct fg_slice key, value;
    enum fg_journey_state state;
    struct fg_place place;
    enum fg_cause cause;
    double confidence;
    struct fg_slice text;                           /* "" where nothing is wrong */
    struct fg_slice flow, last_step, expected_step; /* "" where there is none */
    uint64_t since_ns, deadline_ns, first_ns, last_ns;
    uint32_t trace_count;
};

struct fg_journey_filter {
    unsigned states;               /* bits, 1 << enum fg_journey_state; 0: all */
    struct fg_slice key;           /* "": all */
    enum fg_place_kind place;      /* NONE: all */
    struct fg_slice place_service; /* "": all */
    struct fg_slice expected_step; /* "": all */
    enum fg_cause cause;           /* NONE: all */
};

/* Calls fn for each journey that passes, broken ones first, then stuck, late, waiting, flowing; of
 * a state the one that stands longest, at most limit (1 to FG_JOURNEY_LIST_MAX). Rows are valid
 * during the call. Non-zero ends it and is the result. *ret_count: how many pass in all. FG_ENOMEM;
 * FG_EAGAIN: so much came meanwhile that none held still. Any thread. */
#define FG_JOURNEY_LIST_MAX 10000u
FG_MUST_CHECK int fg_journeys_list(struct fg_journeys *journeys,
                                   const struct fg_journey_filter *filter, uint32_t limit,
                                   int (*fn)(void *arg, const struct fg_journey_row *row),
                                   void *arg, uint64_t *ret_count);

/* Journeys that stopped in one place for one cause. */
struct fg_journey_group {
    struct fg_place place;
    enum fg_cause cause;
    struct fg_slice text;       /* of the one that stands longest */
    struct fg_slice key, value; /* of it */
    uint64_t count, since_ns;   /* how many, and when the first of them stopped */
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
};

/* Journeys by the step that they expect. */
struct fg_journey_standing {
    const struct fg_flow *flow;
    uint32_t step;
    uint64_t by_state[FG_JOURNEY_STATE_COUNT];
    uint64_t since_ns; /* of the one that stands longest; 0: none stands here */
};

#define FG_JOURNEY_GROUPS_MAX 256u

/* Calls group for each group of late, stuck and broken journeys, the largest first, at most
 * FG_JOURNEY_GROUPS_MAX; and standing for each step of each flow. Slices are valid during the call.
 * FG_ENOMEM, FG_EAGAIN. Any thread. */
FG_MUST_CHECK int fg_journeys_board(
    struct fg_journeys *journeys, void (*group)(void *arg, const struct fg_journey_group *group),
    void (*standing)(void *arg, const struct fg_journey_standing *standing), void *arg);

/* A journey that changed its state or its cause. */
struct fg_journey_change {
    uint64_t at_ns; /* when it was found */
    struct fg_slice key, value, last_step, expected_step;
    enum fg_journey_state state, from;
    struct fg_place place;
    enum fg_cause cause;
    uint64_t sequence; /* rises by one from change to change */
};

/* Calls fn for the changes after sequence `after` that are still known (the last
 * FG_JOURNEY_CHANGES_KEPT), the oldest first. Any thread. */
#define FG_JOURNEY_CHANGES_KEPT 256u
FG_MUST_CHECK int fg_journeys_changes(struct fg_journeys *journeys, uint64_t after,
                                      int (*fn)(void *arg, const struct fg_journey_change *change),
                                      void *arg);

struct fg_journeys_counters {
    uint64_t count;                            /* records now, those on disk alone included */
    uint64_t absent;                           /* of them on disk alone */
    uint64_t by_state[FG_JOURNEY_STATE_COUNT]; /* now */
    uint64_t judged;                           /* cases read and decided, since the start */
    uint64_t evicted;                          /* records dropped for room */
    uint64_t refused;                          /* spans of journeys for which there was no room */
    uint64_t long_values;                      /* spans whose key's value was too long to follow */
    uint64_t traces_looked_up;                 /* for records on disk alone, in the stored spans */
    uint64_t traces_passed_over;               /* for which there was no time for that */
    uint64_t missed_spans; /* became durable faster than they could be followed */
    uint64_t failed_reads; /* cases that could not be read */
    uint64_t commits, failed_commits;
    uint64_t damaged;       /* records on disk that could not be read */
    uint64_t learned;       /* completed journeys that taught something, since the start */
    uint64_t learned_not;   /* that would have taken too long to read, or left memory before */
    uint64_t refused_steps; /* operations that found no place among what is learned */
    bool is_rebuilding;     /* the stored spans are being read */
    bool is_full;           /* the keyed state is nearly full: of new journeys spans are refused */
};
void fg_journeys_counters(struct fg_journeys *journeys, struct fg_journeys_counters *ret_counters);

/* Makes all records anew from the stored spans, and returns when that is done (of manual ones: with
 * the next step). FG_ECANCELLED: the journeys were stopped; what is missing is made at the next
 * start. */
FG_MUST_CHECK int fg_journeys_reindex(struct fg_journeys *journeys);

/* For fg_consumer_options.erased: forgets what came of the spans that were erased and whom the
 * predicate names, and reads again what is left of their traces. Returns when that is durable; gone
 * gets the names of those of whom nothing is left. */
FG_MUST_CHECK int fg_journeys_erased(struct fg_journeys *journeys, const struct fg_erased *erased,
                                     struct fg_gone *gone);

/* Whether a trace is of a journey that is under way by a flow, or in trouble: it must outlive its
 * retention. May read a record from disk. Any thread. */
bool fg_journeys_is_pinned(struct fg_journeys *journeys, uint32_t tenant, uint64_t trace_id_high,
                           uint64_t trace_id_low);
/* Whether that is known: not while the records are read, or made anew. */
bool fg_journeys_knows_pins(struct fg_journeys *journeys);

/* The consumer's name. */
#define FG_JOURNEYS_CONSUMER "journeys"

/* Manual ones only: takes what is new, then judges all that is due. */
FG_MUST_CHECK int fg_journeys_step(struct fg_journeys *journeys);
