/* Who calls whom: services, from the minute rollups, and those that send no spans, from the spans
 * of their callers (peers.h). */
#pragma once

#include "peers.h"
#include "store/rollup.h"

#define FG_MAP_NAMES_MAX 4u

/* Of a queue, as the spans that were read tell: each delivery counts. */
struct fg_map_messages {
    uint64_t published; /* that a queue took */
    uint64_t waiting;   /* of them nobody has taken yet; not known without has_reader */
    uint64_t consumed, redelivered, rejected;
    uint64_t returned;         /* by the broker, since no queue takes them */
    uint64_t waiting_since_ns; /* the one that waits longest; 0: none */
    bool has_reader;           /* somebody's span took one */
};

struct fg_map_node {
    const struct fg_peer *peer;  /* NULL: a service that sends spans */
    struct fg_slice name;        /* may be empty: spans without service.name */
    uint64_t count, error_count; /* requests to it: of a service its server and consumer spans, or
                                    all where it has none of them; of others the calls to it */
    struct fg_histogram *durations;
    bool of_spans; /* counted over the spans that were read, not over the whole window */
    struct fg_map_messages messages;
};

struct fg_map_edge {
    uint32_t from, to; /* of nodes */
    uint64_t count, error_count;
    struct fg_histogram *durations; /* of the callee; from a queue: the time in it */
    bool of_spans;
    bool is_through_queue; /* all its calls that were seen went through a queue, which is drawn */
    /* names of the calling spans, to find them by; more than these: none is given */
    struct fg_slice call_names[FG_MAP_NAMES_MAX];
    uint32_t call_name_count;  /* may be FG_MAP_NAMES_MAX + 1 */
    uint64_t unanswered_count; /* calls without a span of the callee, beyond count */
    uint64_t unanswered_error_count;
};

struct fg_map {
    struct fg_map_node *nodes;
    uint32_t node_count;
    struct fg_map_edge *edges;
    uint32_t edge_count;
    uint64_t uncounted; /* of the rollups */
    uint64_t since_ns;  /* what is marked of_spans is counted from here on */
    bool is_partial;    /* that is later than the window's start, or a page was damaged */
    uint64_t left_off_count;
};

/* All that is returned lies in arena. May block. Errors as of fg_peers_read(); FG_ELIMIT also past
 * 4096 nodes or 8192 edges. */
FG_MUST_CHECK int fg_map_read(struct fg_store *store, const struct fg_peers_wanted *wanted,
                              struct fg_arena *arena, struct fg_map *ret_map);
