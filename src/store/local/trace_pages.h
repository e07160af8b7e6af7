/* From a trace's number in its segment to the page where it begins. */
#pragma once

#include "local/segment_internal.h"

/* The pages of one row group at a time. Zero but for segment and codec; to be closed. */
struct fg_trace_pages {
    struct fg_segment *segment;
    struct fg_codec *codec;
    uint64_t bytes_read;
    uint32_t group_number;
    struct fg_group *group; /* NULL: none open */
    struct fg_directory directory;
};

/* Has row group number open, which may be the one that is. */
FG_MUST_CHECK int fg_trace_pages_open(struct fg_trace_pages *pages, uint32_t number);
void fg_trace_pages_close(struct fg_trace_pages *pages);

/* The row group where the trace of this number begins. */
uint32_t fg_trace_pages_group_of(const struct fg_segment *segment, uint64_t number);
/* The page of the open row group where it begins. */
uint32_t fg_trace_pages_page_of(const struct fg_trace_pages *pages, uint64_t number);

/* A page's traces, into arena. */
FG_MUST_CHECK int fg_trace_pages_runs(struct fg_trace_pages *pages, const struct fg_page *page,
                                      struct fg_arena *arena, struct fg_page_runs *ret_runs);
