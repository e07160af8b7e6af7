/* How a page foretells when a span starts and ends, the same when it is written and when it is
 * read. Rows of one class share a mode and a unit; the times are what is foretold plus a small
 * number. All sums wrap at 64 bits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FG_NO_ROW UINT32_MAX

enum fg_start_mode {
    FG_START_AFTER_TRACE = 0,    /* from the trace's earliest start */
    FG_START_AFTER_PARENT = 1,   /* from the parent's start; without one as 0 */
    FG_START_AFTER_SIBLING = 2,  /* from the end of the sibling before; without one as 1 */
    FG_START_AFTER_PREVIOUS = 3, /* from the start of the row before in the trace; the first as 0 */
    FG_START_MODE_COUNT = 4,
};

enum fg_end_mode {
    FG_END_AFTER_START = 0,   /* the duration */
    FG_END_BEFORE_PARENT = 1, /* how long before the parent's end; without one as 0 */
    FG_END_MODE_COUNT = 2,
};

/* A class's mode is one byte: start mode, end mode << 2, unit << 3. */
#define FG_TIME_UNIT_COUNT 3u
static const uint64_t fg_time_units[FG_TIME_UNIT_COUNT] = {1, 1000, 1000000};
#define FG_TIME_MODE_COUNT (FG_TIME_UNIT_COUNT << 3)

struct fg_time_row {
    uint32_t row;
    bool first;              /* of its trace in the page */
    uint32_t parent, before; /* rows of the page: parent, and its child before this; FG_NO_ROW */
    uint64_t trace_start_ns;
};

static inline uint64_t fg_foretell_start(unsigned mode, const struct fg_time_row *row,
                                         const uint64_t *start, const uint64_t *end)
{
    if (mode == FG_START_AFTER_PREVIOUS)
        return row->first ? row->trace_start_ns : start[row->row - 1];
    if (mode == FG_START_AFTER_TRACE || row->parent == FG_NO_ROW)
        return row->trace_start_ns;
    if (mode == FG_START_AFTER_PARENT || row->before == FG_NO_ROW)
        return start[row->parent];
    return end[row->before] ? end[row->before] : start[row->before];
}

/* Whether the end is counted back from the parent's. */
static inline bool fg_end_from_parent(unsigned mode, const struct fg_time_row *row,
                                      const uint64_t *end)
{
    return mode == FG_END_BEFORE_PARENT && row->parent != FG_NO_ROW && end[row->parent] != 0;
}
