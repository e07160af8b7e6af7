/* Instrumentation scopes: a table that only grows, looked through when a library starts. Each entry
 * is in the ring too, before a span can name it. */
#include "sdk.h"

#include "os/thread.h"
#include "value.h"

#include <stdio.h>

struct fg_tracer {
    struct fg_ring_scope scope;
};

static struct fg_tracer tracers[FG_RING_SCOPES_MAX];
static uint32_t tracer_count;
static struct fg_ring_header *ring;
static struct fg_mutex mutex = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = FG_RANK_LEAF};

static struct fg_ring_scope *ring_scopes(void)
{
    return (struct fg_ring_scope *)(void *)((uint8_t *)ring + FG_RING_SCOPES_OFFSET);
}

static struct fg_slice cut(const char *text, uint32_t size_max)
{
    return fg_value_cut(fg_slice_from_string(text), size_max);
}

static void make_scope(struct fg_ring_scope *scope, struct fg_slice name, struct fg_slice version)
{
    memset(scope, 0, sizeof *scope);
    scope->name_size = (uint8_t)name.size;
    scope->version_size = (uint8_t)version.size;
    memcpy(scope->text, name.data, name.size);
    if (version.size)
        memcpy(scope->text + name.size, version.data, version.size);
}

/* Entry 0 is the program's own, without a name. */
static void make_first(void)
{
    if (tracer_count == 0)
        make_scope(&tracers[tracer_count++].scope, FG_SLICE(""), FG_SLICE(""));
}

const fg_tracer *fg_tracer_get(const char *name, const char *version)
{
    struct fg_ring_scope wanted;
    struct fg_slice clean_name = cut(name, FG_RING_SCOPE_NAME_MAX);
    if (clean_name.size == 0)
        return NULL;
    make_scope(&wanted, clean_name, cut(version, sizeof wanted.text - FG_RING_SCOPE_NAME_MAX));
    const fg_tracer *found = NULL;
    fg_mutex_lock(&mutex);
    make_first();
    for (uint32_t i = 0; i < tracer_count && !found; i++)
        if (memcmp(&tracers[i].scope, &wanted, sizeof wanted) == 0)
            found = &tracers[i];
    if (!found && tracer_count < FG_RING_SCOPES_MAX) {
        tracers[tracer_count].scope = wanted;
        found = &tracers[tracer_count];
        if (ring)
            ring_scopes()[tracer_count] = wanted;
        tracer_count++;
        if (ring)
            atomic_store_explicit(&ring->scope_count, tracer_count, memory_order_release);
    }
    fg_mutex_unlock(&mutex);
    return found;
}

uint16_t fg_tracer_index(const fg_tracer *tracer)
{
    bool is_ours = tracer >= tracers && tracer < tracers + FG_RING_SCOPES_MAX;
    return is_ours ? (uint16_t)(tracer - tracers) : 0;
}

void fg_tracers_attach(struct fg_ring_header *header)
{
    fg_mutex_lock(&mutex);
    make_first();
    ring = header;
    for (uint32_t i = 0; i < tracer_count; i++)
        ring_scopes()[i] = tracers[i].scope;
    atomic_store_explicit(&ring->scope_count, tracer_count, memory_order_release);
    fg_mutex_unlock(&mutex);
}

void fg_tracers_detach(void)
{
    fg_mutex_lock(&mutex);
    ring = NULL;
    fg_mutex_unlock(&mutex);
}

/* A fork while another thread holds the lock would leave it held in the child for ever. */
void fg_tracers_lock(void)
{
    fg_mutex_lock(&mutex);
}

void fg_tracers_unlock(void)
{
    fg_mutex_unlock(&mutex);
}

void fg_tracers_child(void)
{
    ring = NULL;
    fg_mutex_unlock(&mutex);
}
