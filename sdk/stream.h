/* Writing a span's stream (ring.h): items go straight into its slots. */
#pragma once

#include "pool.h"

/* Where further slots come from: the thread's chain, then the pool. 0: none is left. */
typedef uint32_t (*fg_slot_source_fn)(void *arg);

struct fg_stream {
    struct fg_pool *pool;
    struct fg_slot *head;
    uint32_t head_name;
    fg_slot_source_fn take_slot;
    void *arg;
    /* Where the next byte goes; the head has it once it is committed. */
    uint8_t *at;
    uint32_t room; /* of the slot that at points into */
    uint32_t tail;
    uint32_t size; /* of the stream */
    bool failed;   /* no slot was left, or the stream is too long: nothing must be committed */
};

/* Copies bytes that are mostly few: two words that overlap cost less than a call. Returns the end.
 */
static inline uint8_t *fg_put_short(uint8_t *at, const void *data, size_t size)
{
    const uint8_t *from = (const uint8_t *)data;
    uint8_t *end = at + size;
    if (size > 32) {
        memcpy(at, from, size);
    } else if (size >= 16) {
        memcpy(at, from, 16);
        memcpy(end - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(at, from, 8);
        memcpy(end - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(at, from, 4);
        memcpy(end - 4, from + size - 4, 4);
    } else if (size) {
        at[0] = from[0];
        at[size / 2] = from[size / 2];
        end[-1] = from[size - 1];
    }
    return end;
}

/* The head of an item; returns where its key goes. */
static inline uint8_t *fg_put_item(uint8_t *at, uint8_t kind, uint8_t type, size_t key_size,
                                   size_t value_size)
{
    struct fg_item_header header = {kind, type, (uint16_t)key_size, (uint32_t)value_size};
    memcpy(at, &header, sizeof header);
    return at + sizeof header;
}

void fg_stream_put_slow(struct fg_stream *stream, const void *data, size_t size);

/* At the end of what is committed. */
static inline void fg_stream_open(struct fg_stream *stream, struct fg_pool *pool,
                                  uint32_t head_name, fg_slot_source_fn take_slot, void *arg)
{
    struct fg_slot *head = fg_pool_slot(pool, head_name);
    bool in_head = head->head.tail == head_name;
    uint32_t used = head->head.tail_used;
    stream->pool = pool;
    stream->head = head;
    stream->head_name = head_name;
    stream->take_slot = take_slot;
    stream->arg = arg;
    stream->tail = head->head.tail;
    stream->size = atomic_load_explicit(&head->head.committed, memory_order_relaxed);
    stream->failed = false;
    if (in_head) {
        stream->at = head->head.payload + used;
        stream->room = (uint32_t)FG_HEAD_PAYLOAD_SIZE - used;
    } else {
        stream->at = fg_pool_slot(pool, stream->tail)->extent.payload + used;
        stream->room = (uint32_t)FG_EXTENT_PAYLOAD_SIZE - used;
    }
}

static inline void fg_stream_put(struct fg_stream *stream, const void *data, size_t size)
{
    if (size <= stream->room && size) {
        memcpy(stream->at, data, size);
        stream->at += size;
        stream->room -= (uint32_t)size;
        stream->size += (uint32_t)size;
    } else {
        fg_stream_put_slow(stream, data, size);
    }
}

static inline void fg_stream_put_item(struct fg_stream *stream, uint8_t kind, uint8_t type,
                                      size_t key_size, size_t value_size)
{
    struct fg_item_header header = {kind, type, (uint16_t)key_size, (uint32_t)value_size};
    fg_stream_put(stream, &header, sizeof header);
}

/* Makes what was put since the open, or the last commit, part of the span. False where it failed:
 * then it is as if it had not been put. */
bool fg_stream_commit(struct fg_stream *stream);
