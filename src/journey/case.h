/* A case: all that is known of one journey, laid out for the rules: the spans of its traces in one
 * batch, whose parents are resolved, and the steps that they reach.
 *
 * Rules read it and change nothing. All of it lives in the arena and the builder that it was read
 * with. */
#pragma once

#include "base/arena.h"
#include "journey/flow.h"
#include "journey/verdict.h"
#include "neighbours.h"
#include "span/tree.h"
#include "watch.h"

struct fg_builder;
struct fg_instances;

/* How long the hop to a step may take. */
struct fg_hop_deadline {
    uint64_t ns;         /* 0: not known */
    uint32_t count;      /* of a learned one: the hops that it was learned from */
    bool is_provisional; /* learned, and nobody has accepted it */
    uint64_t from_ns;    /* it counts from no earlier: the step was not declared before */
    /* Of one that is not: what completed journeys needed. seen_count 0: too few have taught. */
    uint32_t seen_count, longer_count; /* hops, and those of them that took longer than ns */
    uint64_t needed_ns;                /* the deadline that is learned from them */
};

struct fg_trace_reader;

/* Attributes that rules ask for, under their present and their former names. */
enum fg_case_key {
    FG_KEY_DB_SYSTEM,
    FG_KEY_DB_STATUS, /* for PostgreSQL the SQLSTATE */
    FG_KEY_DB_NAMESPACE,
    FG_KEY_ERROR_TYPE,
    FG_KEY_SERVER_ADDRESS,
    FG_KEY_MESSAGING_SYSTEM,
    FG_KEY_DESTINATION,
    FG_KEY_ROUTING_KEY,
    FG_KEY_MESSAGING_OPERATION,
    FG_KEY_S3_BUCKET,
    FG_KEY_RPC_SERVICE,
    FG_KEY_HTTP_STATUS,
    FG_KEY_HTTP_METHOD,
    FG_KEY_SERVER_PORT,
    FG_KEY_DB_OPERATION,
    FG_KEY_DB_QUERY,
    FG_KEY_MESSAGE_ID,
    FG_KEY_MESSAGE_SHAPE,
    FG_KEY_SAMPLE_RATE,
    FG_KEY_SUBSCRIPTION,
    FG_KEY_REDELIVERED,
    FG_KEY_COUNT,
};

/* What was sent while nobody listened may still be on its way. By the wall clock. */
struct fg_deafness {
    uint64_t from_ns;  /* when it was last listened */
    uint64_t until_ns; /* when all should have come; 0: nothing is amiss */
};

/* Spans of the past are coming in, and what belongs to them may still come. */
struct fg_history {
    uint64_t begin_ns; /* by the wall clock; 0: there are none */
    uint64_t until_ns; /* of them all until this moment are there; FG_HISTORY_ENDED */
};

/* When a deadline is held to have passed. */
uint64_t fg_overdue_ns(const struct fg_deafness *deafness, uint64_t deadline_ns);

struct fg_case {
    const struct fg_flow *flow; /* NULL: none is declared */
    uint32_t flow_index;
    struct fg_slice key, value;
    uint64_t now_ns; /* as of when it is judged */
    struct fg_deafness deafness;
    struct fg_neighbours *neighbours;
    uint32_t tenant;
    struct fg_instances *instances; /* NULL: nothing is known of processes */
    const struct fg_flows *flows;   /* for its rules of keys; may be NULL */
    struct fg_watch *watch;         /* what monitors tell; NULL: there are none */
    uint32_t waiting_count;         /* other journeys that stand at the same step */

    const struct fg_batch *batch;
    const uint32_t *parent; /* by row, FG_TREE_NONE for a root */
    const bool *mine; /* by row: it belongs to this journey, not to another in the same trace */
    const uint8_t *component;     /* by row: enum fg_place_kind; what the span talks to or is */
    const bool *has_failed_child; /* by row */
    uint32_t key_ids[FG_KEY_COUNT][2]; /* string ids, 0: the batch has no such string */
    uint32_t shown_id, status_id, language_id;
    bool truncated;         /* there are more spans or traces than were read */
    int64_t clock_shift_ns; /* by how much the times of the clock that is farthest off were moved */
    struct fg_slice clock_service; /* whose clock it is */

    uint64_t reached;                        /* bits of steps */
    uint64_t reached_ns[FG_FLOW_STEPS_MAX];  /* when first */
    uint32_t reached_row[FG_FLOW_STEPS_MAX]; /* FG_TREE_NONE: its span is not among those read */
    uint32_t last_step, expected_step;       /* FG_FLOW_STEP_NONE */
    uint64_t deadline_ns;                    /* 0: none */
    struct fg_hop_deadline hop;              /* what the deadline comes of */
    uint64_t history_left_ns;                /* spans of so long are still to come */
    bool hop_is_new;                         /* it counts from when the step was declared */
    bool flow_is_provisional;                /* its steps were learned, and not accepted */
    uint64_t first_ns, last_ns;
    uint32_t row_count_mine;

    struct fg_arena *arena; /* for texts */
};

struct fg_trace_ref {
    uint64_t high, low;
};

struct fg_case_wanted {
    struct fg_trace_reader *reader; /* of the traces; what they share is read once */
    uint32_t tenant;
    const struct fg_flow *flow;
    uint32_t flow_index;
    struct fg_slice key, value;
    const struct fg_trace_ref *traces;
    uint32_t trace_count;
    bool more_traces; /* than trace_count */
    uint64_t now_ns;
    struct fg_deafness deafness;
    struct fg_history history;
    struct fg_neighbours *neighbours;
    struct fg_instances *instances;
    struct fg_watch *watch;
    const struct fg_flows *flows;
    uint32_t waiting_count;
    const struct fg_hop_deadline *deadlines; /* by step; NULL: as they are declared */
    bool flow_is_provisional;
    /* Steps that are known to be reached, and when, by step; their spans may be among those that
     * are not read any more. reached_ns may be NULL where there are none. */
    uint64_t reached;
    const uint64_t *reached_ns;
};

/* Reads the traces into builder (reset before) and lays them out. Traces that the store no longer
 * has are left out. FG_ENOMEM, FG_ELIMIT, FG_EIO. */
FG_MUST_CHECK int fg_case_read(const struct fg_case_wanted *wanted, struct fg_builder *builder,
                               struct fg_arena *arena, struct fg_case *ret_case);

/* The same of spans that are in builder already, trace after trace: trace i ends before row
 * trace_ends[i]. For tests of the rules. */
FG_MUST_CHECK int fg_case_lay_out(const struct fg_case_wanted *wanted, struct fg_builder *builder,
                                  const uint32_t *trace_ends, uint32_t trace_count,
                                  struct fg_arena *arena, struct fg_case *ret_case);

/* Moves the times of services whose clocks contradict the others': clocks.c. batch is the case's
 * own view; parents and components are known. FG_ELIMIT. */
FG_MUST_CHECK int fg_case_set_clocks(struct fg_case *c, struct fg_batch *batch);

/* The id of a text among a builder's strings, each of which stands there once; 0: it has none such.
 * (A segment's page may hold one twice: names.h.) */
uint32_t fg_string_id(const struct fg_batch *batch, struct fg_slice text);

/* Tells the case's watch which components the services in it use, and who answers where. */
void fg_case_learn(const struct fg_case *c);

/* -- What rules ask */

/* A span's text attribute; numbers as text, in the case's arena. {NULL, 0} where it is absent. */
struct fg_slice fg_case_text(const struct fg_case *c, uint32_t row, enum fg_case_key key);
struct fg_slice fg_case_attr(const struct fg_case *c, uint32_t row, uint32_t key_id);
struct fg_slice fg_case_service(const struct fg_case *c, uint32_t row);
/* Whom a row calls: "ADDRESS", with ":PORT" where that is not the usual one of its kind; without an
 * address what `otherwise` says. */
struct fg_slice fg_case_peer(const struct fg_case *c, uint32_t row, enum fg_case_key otherwise);
/* The component that a row calls, as monitors may know it; kind is NONE where it calls none. */
struct fg_watch_where fg_case_where(const struct fg_case *c, uint32_t row);
/* The queue that a consumer's row takes from: an exchange, a key and a queue may stand in its
 * destination. */
struct fg_slice fg_case_queue(const struct fg_case *c, uint32_t row);
struct fg_slice fg_case_name(const struct fg_case *c, uint32_t row);
/* What a failed span says of its failure: status message, else the exception's; may be "". */
struct fg_slice fg_case_message(const struct fg_case *c, uint32_t row);
/* The end, of an open span the start. */
uint64_t fg_case_moment(const struct fg_case *c, uint32_t row);
/* Status error, HTTP 5xx of a server, or interrupted. */
bool fg_case_failed(const struct fg_case *c, uint32_t row);
bool fg_case_interrupted(const struct fg_case *c, uint32_t row);
/* The span by which its service was asked to do this: the nearest at or above row that is a
 * server's or a consumer's; FG_TREE_NONE. */
uint32_t fg_case_entry(const struct fg_case *c, uint32_t row);
/* The consumer's span that took what this one published: its child, one that links to it, or one
 * that has its message's id; FG_TREE_NONE. And the other way round. */
uint32_t fg_case_consumer(const struct fg_case *c, uint32_t publish);
uint32_t fg_case_publisher(const struct fg_case *c, uint32_t consumer);
/* Whether a consumer's row took what publish sent. */
bool fg_case_takes(const struct fg_case *c, uint32_t row, uint32_t publish);
/* How often the one whose span took it first took what this one published, and how often of that it
 * failed: a message that was refused is delivered again. */
uint32_t fg_case_count_taken(const struct fg_case *c, uint32_t publish, uint32_t consumer,
                             uint32_t *ret_failed);
/* What became of a message, with all who take it. */
struct fg_deliveries {
    uint32_t ended_well, rejected, redelivered, count;
    uint64_t first_ns; /* when it was taken first; 0: nobody has */
};
struct fg_deliveries fg_case_deliveries(const struct fg_case *c, uint32_t publish);
/* Whether text holds part, in any case of ASCII letters. */
bool fg_case_says(struct fg_slice text, const char *part);
/* A sentence in the case's arena; "" where it is full. */
struct fg_slice fg_case_say(const struct fg_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
