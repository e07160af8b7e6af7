/* A scan's row groups, looked at ahead of it by the store's crew.
 *
 * The scan (scan.c) walks its row groups in one order, on one thread, and decides alone what is
 * read, counted and answered. Meanwhile helpers look at the row groups that come next, and at those
 * of their pages that none rules out: whether a row matches. What they found is taken when its turn
 * has come, and is what the scan would have found itself; what it never comes to is neither counted
 * nor answered. So an answer does not depend on who helped.
 *
 *     waiting --a helper--> at work --> done --fg_ahead_take()--> free
 *        `------------------fg_ahead_take(): the scan looks itself---^
 *
 * Bounds: FG_AHEAD_GROUPS_MAX row groups; of pages a decoded one and what it takes for each helper;
 * none is begun that the scan's budget of bytes would not allow. */
#pragma once

#include "local/segment.h"
#include "store/store.h"

struct fg_ahead;
struct fg_crew;

#define FG_AHEAD_GROUPS_MAX 64u

struct fg_ahead_options {
    struct fg_crew *crew;
    const struct fg_scan *scan;
    const struct fg_segment_reader_options *probe; /* of pages; outlives it */
};

FG_MUST_CHECK int fg_ahead_new(const struct fg_ahead_options *options, struct fg_ahead **ret_ahead);
/* Waits for helpers who are at work, for a row group's time at most. NULL is accepted. */
void fg_ahead_free(struct fg_ahead *ahead);

/* Whether one more may be added, the scan having read so many bytes. */
bool fg_ahead_has_room(struct fg_ahead *ahead, uint64_t bytes_read);
/* The segment outlives it. with_pages: pages are probed as well. */
void fg_ahead_add(struct fg_ahead *ahead, struct fg_segment *segment, uint32_t number,
                  bool with_pages);
/* Those added are taken in their order, segment by segment. FG_ENOTFOUND: nobody had begun it, and
 * the caller looks itself. check is asked now and then while a helper is at work on it; non-zero
 * ends the wait, and is the result. */
FG_MUST_CHECK int fg_ahead_take(struct fg_ahead *ahead, struct fg_segment *segment, uint32_t number,
                                int (*check)(void *arg), void *arg, struct fg_segment_look *look);

/* Whether a row of a page matches; with its own matcher. */
struct fg_prober {
    struct fg_matcher *matcher;
    uint64_t *bits;
    size_t word_capacity;
};
FG_MUST_CHECK int fg_probe(struct fg_prober *prober, struct fg_segment_reader *reader,
                           uint64_t row_begin, const struct fg_batch **ret_batch, bool *ret_hit);
void fg_prober_free(struct fg_prober *prober);
