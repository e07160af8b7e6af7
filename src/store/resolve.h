/* One span, one row: what becomes of several forms of it.
 *
 * Spans are the same when tenant, trace id, span id, kind and service are (Zipkin gives the two
 * halves of a call one id; their kinds differ). A span comes in several forms when its sender
 * retried, or when it was sent open first and ended later. Of its forms an ended one beats an
 * interrupted one (FG_MARK_INTERRUPTED), which beats an open one; among those that did not end the
 * latest received stays. Ended forms that say the same are one; such that differ all stay and are
 * marked FG_MARK_CONFLICT, since nobody here can know which of them is true. */
#pragma once

#include "base/arena.h"
#include "span/batch.h"

/* A row of one of several batches, and marks that it shall get where it is copied. */
struct fg_row {
    uint32_t batch, row;
    uint16_t or_marks;
};

struct fg_resolve_counts {
    uint64_t duplicates; /* rows that went */
    uint64_t conflicts;  /* spans whose ended forms differ */
};

/* rows: count rows, all of one tenant and trace, of batches that have all their columns. Those that
 * stay are moved to the front in the order in which they were given; *ret_count is their number.
 * *ret_has_repeats: whether several of those that stay share a span id. counts are added to. Takes
 * n log n, and from scratch 64 bytes a row. FG_ELIMIT. */
FG_MUST_CHECK int fg_resolve(const struct fg_batch *const *batches, struct fg_row *rows,
                             uint32_t count, struct fg_arena *scratch,
                             struct fg_resolve_counts *counts, uint32_t *ret_count,
                             bool *ret_has_repeats);
