/* Bytes in memory that clients sent: bodies as they come in, what they inflate to, requests that
 * came ahead. All of them together are held to limits.buffered_size_max, by capacity. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_net_loop;
struct fg_net_shared;

struct fg_body {
    uint8_t *data;
    size_t size;
    size_t capacity; /* counted in buffered_bytes */
};

/* Makes the capacity size_min at least, keeping what is there. It grows by doubling, so that memory
 * stays within twice what has really come, and not past size_most (a Content-Length, say) where
 * that is above size_min. FG_EAGAIN: the memory for bodies is used up. FG_ENOMEM. */
FG_MUST_CHECK int fg_body_reserve(struct fg_net_loop *loop, struct fg_body *body, size_t size_min,
                                  size_t size_most);

/* Appends a copy, under the same rules. */
FG_MUST_CHECK int fg_body_append(struct fg_net_loop *loop, struct fg_body *body,
                                 struct fg_slice bytes, size_t size_most);

/* Gives the memory back; the body is empty then. */
void fg_body_free(struct fg_net_loop *loop, struct fg_body *body);

/* For other memory that counts as a body. FG_EAGAIN. */
FG_MUST_CHECK int fg_body_count(struct fg_net_shared *shared, size_t size);
void fg_body_uncount(struct fg_net_shared *shared, size_t size);

/* Spare buffers of one loop, by powers of two. */
struct fg_body_spares {
    void *spares[7][16];
    unsigned counts[7];
};

void fg_body_spares_free(struct fg_body_spares *spares);
