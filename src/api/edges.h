/* Who calls whom, as the minute rollups say, added up over a window of time. */
#pragma once

#include "base/arena.h"
#include "store/store.h"
#include "wire/json_writer.h"

struct fg_edge {
    struct fg_slice parent, child; /* services */
    uint64_t call_count, error_count;
};

struct fg_edges {
    struct fg_edge *edges; /* by parent, then child */
    uint32_t count;
};

/* service: of one end at least; empty: any. All that is returned lies in arena. May block.
 * FG_ELIMIT (the arena is full, or more than 65536 edges), FG_ENOMEM, FG_EIO, FG_ECORRUPT. */
FG_MUST_CHECK int fg_edges_read(struct fg_store *store, uint32_t tenant, uint64_t start_ns_min,
                                uint64_t start_ns_max, struct fg_slice service,
                                struct fg_arena *arena, struct fg_edges *ret_edges);

/* How a protocol writes an edge. */
enum fg_edge_form {
    FG_EDGE_JAEGER,    /* counts as numbers */
    FG_EDGE_JAEGER_V3, /* as texts, which is protobuf's JSON of 64 bits */
    FG_EDGE_ZIPKIN,    /* numbers; errors too, where there are any */
};

/* [{"parent": …, "child": …, "callCount": …}] */
void fg_edges_write(const struct fg_edges *edges, enum fg_edge_form form,
                    struct fg_json_writer *json);
