/* The order in which services were first seen: a page gives each a colour by its place in it, and
 * every page gives the same.
 *
 * New services are found in the minute rollups, which outlive the spans: by their first minute,
 * then by name. A place is kept in the keyed state before anybody is told of it, and never changes,
 * whatever comes later; without a keyed state it lasts as long as the process. */
#pragma once

#include "base/arena.h"
#include "os/env.h"
#include "store/store.h"

/* Places that are kept; services beyond them have none. */
#define FG_SLOTS_MAX 4096u

struct fg_slots;

struct fg_service_place {
    struct fg_slice service;
    uint32_t place; /* from 0; erased services leave gaps */
};

FG_MUST_CHECK int fg_slots_new(struct fg_slots **ret_slots);
void fg_slots_free(struct fg_slots *slots);

/* Looks for services that are new and adds them at the end: in all times when that was long ago,
 * else in the last hour. Then copies all, in their order, to arena. Any thread; blocks. FG_ELIMIT
 * (arena), FG_ENOMEM, FG_EIO, and what reading and committing the keyed state gives. */
FG_MUST_CHECK int fg_slots_read(struct fg_slots *slots, struct fg_env *env, struct fg_store *store,
                                struct fg_arena *arena, struct fg_service_place **ret_places,
                                uint32_t *ret_count);
