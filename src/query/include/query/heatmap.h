/* Spans counted by when they began and how long they took: what a picture of durations over time
 * is drawn from, whatever the number of spans.
 *
 * Times are cut into columns of one width, durations into rows of equal width on a log scale, five
 * to each power of ten. Open spans have no duration and are counted apart. A span that is stored
 * twice (a retry after long) may count twice. */
#pragma once

#include "store/store.h"

#define FG_HEATMAP_ROWS        61u /* the last has everything from its lower edge on */
#define FG_HEATMAP_COLUMNS_MAX 400u

struct fg_heatmap_wanted {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max;  /* [min, max) of a span's start */
    const struct fg_predicate *predicate; /* checked; NULL: all */
    uint32_t column_count;                /* 1 to FG_HEATMAP_COLUMNS_MAX */
    uint64_t deadline_mono_ns, bytes_max; /* 0: none */
    bool (*is_cancelled)(void *arg);      /* may be NULL */
    void *arg;
};

struct fg_heatmap_cell {
    uint64_t count, error_count;
};

struct fg_heatmap {
    /* Column i has the starts in [start_ns + i * column_ns, start_ns + (i + 1) * column_ns). With
     * start_ns_min 0 they are as wide as what was found needs, and end at start_ns_max. */
    uint64_t start_ns, column_ns;
    uint32_t column_count;
    struct fg_heatmap_cell *cells; /* in arena; [column * FG_HEATMAP_ROWS + row] */
    uint64_t count, error_count, open_count;
    uint64_t whole_from_ns; /* all that starts after it was counted */
    int cut;                /* FG_ETIMEOUT or FG_ELIMIT (bytes): the pass ended early. Or 0 */
    struct fg_read_stats stats;
};

/* Reads the store, newest pages first, on the caller's thread. FG_EINVALID (columns, an empty
 * window), FG_ELIMIT (arena, or a pattern ran past its match limit), FG_ECANCELLED, FG_EIO,
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_heatmap_read(struct fg_store *store, const struct fg_heatmap_wanted *wanted,
                                  struct fg_arena *arena, struct fg_heatmap *ret_heatmap);

/* The least duration of a row; of row 0 it is 0. */
uint64_t fg_heatmap_row_ns(uint32_t row);
