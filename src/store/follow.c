/* Following what becomes durable: the heads' batches in the order of their records. Nothing is held
 * between two calls, so that a follower who sleeps pins no memory; what was sealed meanwhile is in
 * segments, ordered by time and not by arrival, and counts as missed. */
#include "store_internal.h"

#include <stdlib.h>

struct follower {
    const struct fg_follow *follow;
    struct fg_follow_position *position;
    struct fg_matcher *matcher; /* NULL: every row */
    uint64_t *bits;
    size_t word_capacity;
};

/* The sealing head, which is older, and the active one; either may be NULL. */
static void hold_heads(struct fg_store *store, struct fg_head *heads[2])
{
    fg_mutex_lock(&store->lock);
    heads[0] = store->sealing ? fg_head_ref(store->sealing) : NULL;
    heads[1] = store->active ? fg_head_ref(store->active) : NULL;
    fg_mutex_unlock(&store->lock);
}

static int match(struct follower *follower, const struct fg_batch *batch)
{
    size_t words = batch->span_count / 64 + 1;
    if (!follower->bits || words > follower->word_capacity) {
        uint64_t *bits = realloc(follower->bits, words * sizeof *bits);
        if (!bits)
            return FG_ENOMEM;
        follower->bits = bits;
        follower->word_capacity = words;
    }
    if (follower->matcher) {
        int r = fg_matcher_bind(follower->matcher, batch);
        return r < 0 ? r : fg_matcher_run(follower->matcher, 0, batch->span_count, follower->bits);
    }
    memset(follower->bits, 0xff, batch->span_count / 64 * sizeof *follower->bits);
    if (batch->span_count % 64)
        follower->bits[batch->span_count / 64] = (UINT64_C(1) << batch->span_count % 64) - 1;
    return 0;
}

static int give(struct follower *follower, const struct fg_head_entry *entry)
{
    const struct fg_batch *batch = fg_block_batch(entry->block);
    follower->position->sequence = entry->sequence + 1;
    follower->position->span += batch->span_count;
    if (entry->tenant != follower->follow->tenant)
        return 0;
    int r = match(follower, batch);
    if (r < 0)
        return r;
    struct fg_scan_rows rows = {
        .batch = batch, .row_end = batch->span_count, .bits = follower->bits};
    return follower->follow->rows(follower->follow->arg, &rows);
}

static int follow_head(struct follower *follower, struct fg_head *head, uint64_t *missed_spans)
{
    struct fg_head_info info = fg_head_info(head);
    struct fg_follow_position *position = follower->position;
    int r = 0;
    if (position->sequence < info.sequence_begin) {
        *missed_spans += info.span_begin - position->span;
        *position = (struct fg_follow_position){info.sequence_begin, info.span_begin};
    }
    struct fg_head_cursor cursor = fg_head_begin(&info);
    for (const struct fg_head_entry *entry; r == 0 && (entry = fg_head_next(&cursor));)
        if (entry->sequence >= position->sequence)
            r = give(follower, entry);
    return r;
}

struct fg_follow_position fg_store_follow_end(struct fg_store *store)
{
    struct fg_head *heads[2];
    struct fg_follow_position position = {0};
    hold_heads(store, heads);
    for (int i = 0; i < 2; i++) {
        if (!heads[i])
            continue;
        struct fg_head_info info = fg_head_info(heads[i]);
        position =
            (struct fg_follow_position){info.sequence_end, info.span_begin + info.span_count};
        fg_head_unref(heads[i]);
    }
    return position;
}

int fg_store_follow(struct fg_store *store, const struct fg_follow *follow,
                    struct fg_follow_position *position, uint64_t *missed_spans)
{
    struct follower follower = {.follow = follow, .position = position};
    struct fg_head *heads[2];
    int r = follow->predicate ? fg_matcher_new(follow->predicate, &follower.matcher) : 0;
    if (r < 0)
        return r;
    hold_heads(store, heads);
    for (int i = 0; i < 2; i++) {
        if (r == 0 && heads[i])
            r = follow_head(&follower, heads[i], missed_spans);
        fg_head_unref(heads[i]);
    }
    fg_matcher_free(follower.matcher);
    free(follower.bits);
    return r;
}
