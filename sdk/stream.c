#include "stream.h"

/* Goes on in the slot behind the tail: one that a failed write left there, or a new one. */
static bool extend(struct fg_stream *stream)
{
    struct fg_slot *tail = fg_pool_slot(stream->pool, stream->tail);
    uint32_t name = tail->next;
    if (!name) {
        name = stream->take_slot(stream->arg);
        if (!name)
            return false;
        struct fg_slot *slot = fg_pool_slot(stream->pool, name);
        uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
        slot->next = 0;
        slot->extent.owner = stream->head_name;
        atomic_store_explicit(&slot->state,
                              FG_SLOT_STATE(FG_SLOT_GENERATION(state), FG_SLOT_EXTENT),
                              memory_order_release);
        tail->next = name;
    }
    stream->tail = name;
    stream->at = fg_pool_slot(stream->pool, name)->extent.payload;
    stream->room = (uint32_t)FG_EXTENT_PAYLOAD_SIZE;
    return true;
}

void fg_stream_put_slow(struct fg_stream *stream, const void *data, size_t size)
{
    const uint8_t *from = data;
    if (stream->failed || size > FG_STREAM_SIZE_MAX - stream->size) {
        stream->failed = true;
        return;
    }
    while (size) {
        if (stream->room == 0 && !extend(stream)) {
            stream->failed = true;
            return;
        }
        uint32_t part = size < stream->room ? (uint32_t)size : stream->room;
        memcpy(stream->at, from, part);
        stream->at += part;
        stream->room -= part;
        stream->size += part;
        from += part;
        size -= part;
    }
}

bool fg_stream_commit(struct fg_stream *stream)
{
    if (stream->failed)
        return false;
    struct fg_slot *head = stream->head;
    size_t capacity =
        stream->tail == stream->head_name ? FG_HEAD_PAYLOAD_SIZE : FG_EXTENT_PAYLOAD_SIZE;
    head->head.tail = stream->tail;
    head->head.tail_used = (uint32_t)capacity - stream->room;
    atomic_store_explicit(&head->head.committed, stream->size, memory_order_release);
    return true;
}
