/* All traces of a segment, as a list. */
#pragma once

#include "local/segment.h"

#include <stdlib.h>

struct segment_traces {
    struct fg_segment_trace *all;
    size_t count;
};

static inline int segment_traces_add(void *arg, const struct fg_segment_trace *trace)
{
    struct segment_traces *traces = arg;
    traces->all[traces->count++] = *trace;
    return 0;
}

/* In file order; the caller frees all with free(), on failure, too. */
static inline int segment_traces_list(struct fg_segment *segment, struct segment_traces *ret_traces)
{
    size_t room = (size_t)fg_segment_info(segment)->trace_count + 1;
    *ret_traces = (struct segment_traces){.all = calloc(room, sizeof *ret_traces->all)};
    return ret_traces->all ? fg_segment_visit_traces(segment, segment_traces_add, ret_traces)
                           : FG_ENOMEM;
}
