/* Reading a ring: one that lives, by its exporter, and one whose process is gone. Nothing in it is
 * trusted: what does not hold is left out. */
#pragma once

#include "base/error.h"
#include "ring.h"

#include <stdbool.h>

/* Bytes that a stream can come to: the last slot is filled without asking. */
#define FG_STREAM_SPACE (FG_STREAM_SIZE_MAX + FG_RING_SLOT_SIZE)

struct fg_ring_view {
    const struct fg_ring_header *header;
    const struct fg_ring_scope *scopes;
    const struct fg_slot *slots;
    struct fg_slice settings;
    uint32_t slot_count;
    uint32_t scope_count;
};

/* Looks at the header of a whole file. FG_EAGAIN: it was never finished, and holds nothing;
 * FG_EUNSUPPORTED: of a newer version; FG_ECORRUPT. */
FG_MUST_CHECK int fg_ring_open(const uint8_t *data, size_t size, struct fg_ring_view *ret_view);

/* A span as it lies in its slots. */
struct fg_ring_span {
    const struct fg_slot *head;
    struct fg_slice stream; /* in the slot, or in the scratch */
};

enum fg_slot_phase fg_ring_phase(const struct fg_ring_view *view, uint32_t name);
/* Bytes that the span's stream claims to have. */
uint32_t fg_ring_stream_size(const struct fg_ring_view *view, uint32_t name);

/* scratch: FG_STREAM_SPACE bytes. Of a stream that is torn *ret_span has what lies before the tear,
 * and the result is FG_ECORRUPT; FG_ENOTFOUND where the slot is no head. */
FG_MUST_CHECK int fg_ring_read(const struct fg_ring_view *view, uint32_t name, uint8_t *scratch,
                               struct fg_ring_span *ret_span);

/* The latest moment that the ring tells of: the exporter's last sign, or a span's. */
uint64_t fg_ring_last_alive_ns(const struct fg_ring_view *view);

struct fg_item {
    uint8_t kind, type;
    struct fg_slice key, value;
};

/* Takes the next item off *rest. False at the end, and where what is left is no item. */
bool fg_item_next(struct fg_slice *rest, struct fg_item *ret_item);
