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

struct fg_builder;
struct fg_instances;
struct fg_store;

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
    FG_KEY_COUNT,
};

struct fg_case {
    const struct fg_flow *flow; /* NULL: none is declared */
    uint32_t flow_index;
    struct fg_slice key, value;
    uint64_t now_ns;
    struct fg_neighbours *neighbours;
    struct fg_instances *instances; /* NULL: nothing is known of processes */
    uint32_t waiting_count;         /* other journeys that stand at the same step */

    const struct fg_batch *batch;
    const uint32_t *parent; /* by row, FG_TREE_NONE for a root */
    const bool *mine; /* by row: it belongs to this journey, not to another in the same trace */
    const uint8_t *component;     /* by row: enum fg_place_kind; what the span talks to or is */
    const bool *has_failed_child; /* by row */
    uint32_t key_ids[FG_KEY_COUNT][2]; /* string ids, 0: the batch has no such string */
    uint32_t shown_id, status_id, language_id;
    bool truncated; /* there are more spans or traces than were read */

    uint64_t reached;                       /* bits of steps */
    uint64_t reached_ns[FG_FLOW_STEPS_MAX]; /* when first */
    uint32_t reached_row[FG_FLOW_STEPS_MAX];
    uint32_t last_step, expected_step; /* FG_FLOW_STEP_NONE */
    uint64_t deadline_ns;              /* 0: none */
    uint64_t first_ns, last_ns;
    uint32_t row_count_mine;

    struct fg_arena *arena; /* for texts */
};

struct fg_trace_ref {
    uint64_t high, low;
};

struct fg_case_wanted {
    struct fg_store *store;
    uint32_t tenant;
    const struct fg_flow *flow;
    uint32_t flow_index;
    struct fg_slice key, value;
    const struct fg_trace_ref *traces;
    uint32_t trace_count;
    bool more_traces; /* than trace_count */
    uint64_t now_ns;
    struct fg_neighbours *neighbours;
    struct fg_instances *instances;
    uint32_t waiting_count;
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

/* The id of a text among a batch's strings; 0: it has none such. The first where it stands twice,
 * as it may in a segment's page. */
uint32_t fg_string_id(const struct fg_batch *batch, struct fg_slice text);

/* -- What rules ask */

/* A span's text attribute; numbers as text, in the case's arena. {NULL, 0} where it is absent. */
struct fg_slice fg_case_text(const struct fg_case *c, uint32_t row, enum fg_case_key key);
struct fg_slice fg_case_attr(const struct fg_case *c, uint32_t row, uint32_t key_id);
struct fg_slice fg_case_service(const struct fg_case *c, uint32_t row);
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
/* The consumer's span that took what this one published: its child, or one that links to it;
 * FG_TREE_NONE. */
uint32_t fg_case_consumer(const struct fg_case *c, uint32_t publish);
/* Whether text holds part, in any case of ASCII letters. */
bool fg_case_says(struct fg_slice text, const char *part);
/* A sentence in the case's arena; "" where it is full. */
struct fg_slice fg_case_say(const struct fg_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
