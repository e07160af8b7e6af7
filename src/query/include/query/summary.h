/* What a list of traces shows of each: its root, when, how long, how many spans and errors, whose.
 */
#pragma once

#include "base/arena.h"
#include "span/batch.h"

struct fg_service_count {
    struct fg_slice service;
    uint32_t span_count;
    uint32_t error_count;
};

struct fg_trace_summary {
    uint64_t trace_id_high, trace_id_low;
    struct fg_slice root_service, root_name;
    uint64_t start_ns;    /* the earliest */
    uint64_t duration_ns; /* to the latest end; what is open adds nothing */
    uint32_t span_count;
    uint32_t error_count; /* spans whose status is error */
    uint32_t open_count;
    uint32_t root_row; /* of the span that stands for the trace */
    bool has_root; /* false: no span without a parent id; root_… are of the first that is there */
    struct fg_service_count *services; /* by count, then name; may be sorted anew */
    uint32_t service_count;
};

/* batch holds one trace and at least one row. Slices lie in batch, the list in arena. FG_ELIMIT. */
FG_MUST_CHECK int fg_trace_summarize(const struct fg_batch *batch, struct fg_arena *arena,
                                     struct fg_trace_summary *ret_summary);
