/* A head: the batches that are durable in the WAL and not yet in a segment, with an index from
 * trace id to batch.
 *
 * One thread publishes (the committer, or recovery); any number reads. Batches are never removed;
 * a reader sees those below the watermark that it took, and holds the head, which holds the
 * batches.
 *
 * A head covers WAL sequences [sequence_begin, sequence_end); heads follow each other without gaps.
 */
#pragma once

#include "blocks.h"
#include "os/thread.h"
#include "span/block.h"

#include <stdatomic.h>

struct fg_head;

struct fg_head_entry {
    struct fg_block *block; /* held by the head */
    uint32_t tenant;
    uint64_t sequence;
    uint64_t start_ns_min, start_ns_max;
};

/* Entries stand in chunks that never move. */
#define FG_HEAD_CHUNK_COUNT 256u
struct fg_head_chunk {
    struct fg_head_chunk *next;
    struct fg_head_entry entries[FG_HEAD_CHUNK_COUNT];
};

/* seed: any number that senders of spans can't know; it keeps them from choosing trace ids that
 * meet in one place of the index. It counts in *alive, which outlives it, until its memory goes. */
FG_MUST_CHECK int fg_head_new(uint64_t sequence_begin, uint64_t now_mono_ns, uint64_t seed,
                              atomic_uint *alive, struct fg_head **ret_head);
struct fg_head *fg_head_ref(struct fg_head *head);
void fg_head_unref(struct fg_head *head);

/* Spans that the heads before had, all together. Before the first row is published. */
void fg_head_count_from(struct fg_head *head, uint64_t span_begin);

/* Room for count more batches, so that fg_head_publish_take() can't fail after the sync. Publishing
 * thread. FG_ENOMEM. */
FG_MUST_CHECK int fg_head_reserve(struct fg_head *head, size_t count);
/* Takes the block, for which there must be room. Readers see it from the call's return on. */
void fg_head_publish_take(struct fg_head *head, uint32_t tenant, uint64_t sequence,
                          struct fg_block *block);

struct fg_head_info {
    uint64_t sequence_begin, sequence_end; /* end: after the last that was published */
    uint64_t span_begin;                   /* spans of the heads before this one, since the start */
    uint64_t span_count, size_bytes;       /* blocks and index */
    uint64_t created_mono_ns;
    size_t entry_count; /* the watermark */
    const struct fg_head_chunk *chunks;
};
struct fg_head_info fg_head_info(struct fg_head *head);

/* Where the head's rollup is kept (head_rollup.h), which goes with it. Whoever asks for rollups has
 * a lock of its own. */
struct fg_head_rollup;
struct fg_head_rollup **fg_head_rollup_place(struct fg_head *head);

/* Walks the entries below a watermark, without a lock, while the head is held. */
struct fg_head_cursor {
    const struct fg_head_chunk *chunk;
    size_t index, count;
};

static inline struct fg_head_cursor fg_head_begin(const struct fg_head_info *watermark)
{
    return (struct fg_head_cursor){.chunk = watermark->chunks, .count = watermark->entry_count};
}

/* NULL at the end. */
static inline const struct fg_head_entry *fg_head_next(struct fg_head_cursor *cursor)
{
    if (cursor->index == cursor->count)
        return NULL;
    if (cursor->index > 0 && cursor->index % FG_HEAD_CHUNK_COUNT == 0)
        cursor->chunk = cursor->chunk->next;
    return &cursor->chunk->entries[cursor->index++ % FG_HEAD_CHUNK_COUNT];
}

/* Calls page for each batch below the watermark that may hold rows of the trace (with its whole row
 * range: the caller compares ids). Non-zero ends it and is the result. FG_ENOMEM. */
FG_MUST_CHECK int fg_head_trace(struct fg_head *head, const struct fg_head_info *watermark,
                                uint32_t tenant, uint64_t id_high, uint64_t id_low,
                                int (*page)(void *arg, const struct fg_blocks_page *page),
                                void *arg);

/* How many batches below the watermark hold rows of the trace: 0, 1 (*ret_entry), or 2 where there
 * are more, or where the index does not know. */
uint32_t fg_head_find(struct fg_head *head, const struct fg_head_info *watermark, uint32_t tenant,
                      uint64_t id_high, uint64_t id_low, const struct fg_head_entry **ret_entry);
