#include "body.h"

#include "count.h"
#include "loop.h"

#include <stdlib.h>

#define SPARE_SIZE_MIN ((size_t)1 << FG_NET_SPARE_BODY_LOG)
#define SPARE_SIZE_MAX (SPARE_SIZE_MIN << (FG_NET_SPARE_BODY_LOGS - 1))

_Static_assert(sizeof((struct fg_body_spares *)0)->counts / sizeof(unsigned) ==
                   FG_NET_SPARE_BODY_LOGS,
               "one stack a size");
_Static_assert(sizeof((struct fg_body_spares *)0)->spares[0] / sizeof(void *) ==
                   FG_NET_SPARE_BODIES,
               "so many of each");

int fg_body_count(struct fg_net_shared *shared, size_t size)
{
    _Atomic uint64_t *buffered = &shared->counters.buffered_bytes;
    uint64_t max = shared->limits.buffered_size_max;
    uint64_t before = atomic_fetch_add_explicit(buffered, size, memory_order_relaxed);
    if (before <= max && size <= max - before)
        return 0;
    fg_net_uncount(buffered, size);
    return FG_EAGAIN;
}

void fg_body_uncount(struct fg_net_shared *shared, size_t size)
{
    fg_net_uncount(&shared->counters.buffered_bytes, size);
}

/* Which stack holds buffers of this size; FG_NET_SPARE_BODY_LOGS: none does. */
static unsigned stack_of(size_t size)
{
    unsigned stack = 0;
    while (stack < FG_NET_SPARE_BODY_LOGS && SPARE_SIZE_MIN << stack < size)
        stack++;
    return stack;
}

static uint8_t *memory_new(struct fg_net_loop *loop, size_t capacity)
{
    unsigned stack = stack_of(capacity);
    struct fg_body_spares *spares = &loop->spare_bodies;
    if (stack < FG_NET_SPARE_BODY_LOGS && spares->counts[stack])
        return spares->spares[stack][--spares->counts[stack]];
    return malloc(capacity);
}

static void memory_free(struct fg_net_loop *loop, uint8_t *data, size_t capacity)
{
    unsigned stack = stack_of(capacity);
    struct fg_body_spares *spares = &loop->spare_bodies;
    bool is_kept =
        data && stack < FG_NET_SPARE_BODY_LOGS && spares->counts[stack] < FG_NET_SPARE_BODIES;
    if (is_kept)
        spares->spares[stack][spares->counts[stack]++] = data;
    else
        free(data);
}

void fg_body_spares_free(struct fg_body_spares *spares)
{
    for (unsigned i = 0; i < FG_NET_SPARE_BODY_LOGS; i++)
        while (spares->counts[i])
            free(spares->spares[i][--spares->counts[i]]);
}

static size_t next_capacity(const struct fg_body *body, size_t size_min, size_t size_most)
{
    size_t capacity = body->capacity > SIZE_MAX / 2 ? size_min : body->capacity * 2;
    if (capacity > size_most)
        capacity = size_most;
    if (capacity < size_min)
        capacity = size_min;
    if (capacity <= SPARE_SIZE_MAX)
        capacity = SPARE_SIZE_MIN << stack_of(capacity);
    return capacity;
}

int fg_body_reserve(struct fg_net_loop *loop, struct fg_body *body, size_t size_min,
                    size_t size_most)
{
    if (size_min <= body->capacity)
        return 0;
    size_t capacity = next_capacity(body, size_min, size_most);
    int r = fg_body_count(loop->shared, capacity - body->capacity);
    if (r < 0)
        return r;
    uint8_t *data;
    if (body->capacity > SPARE_SIZE_MAX) {
        data = realloc(body->data, capacity);
    } else {
        data = memory_new(loop, capacity);
        if (data && body->size)
            memcpy(data, body->data, body->size);
        if (data)
            memory_free(loop, body->data, body->capacity);
    }
    if (!data) {
        fg_body_uncount(loop->shared, capacity - body->capacity);
        return FG_ENOMEM;
    }
    body->data = data;
    body->capacity = capacity;
    return 0;
}

int fg_body_append(struct fg_net_loop *loop, struct fg_body *body, struct fg_slice bytes,
                   size_t size_most)
{
    if (bytes.size > SIZE_MAX - body->size)
        return FG_ENOMEM;
    int r = fg_body_reserve(loop, body, body->size + bytes.size, size_most);
    if (r < 0)
        return r;
    if (bytes.size)
        memcpy(body->data + body->size, bytes.data, bytes.size);
    body->size += bytes.size;
    return 0;
}

void fg_body_free(struct fg_net_loop *loop, struct fg_body *body)
{
    if (!body->data)
        return;
    fg_body_uncount(loop->shared, body->capacity);
    memory_free(loop, body->data, body->capacity);
    *body = (struct fg_body){0};
}
