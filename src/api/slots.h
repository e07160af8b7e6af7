/* The order in which services were first seen: a page gives each a colour by its place in it, and
 * every page gives the same.
 *
 * It is read from the minute rollups, which outlive the spans, by the first minute of each service
 * and then by name; within one life of the process a service's place never changes, whatever comes
 * later. */
#pragma once

#include "base/arena.h"
#include "os/env.h"
#include "store/store.h"

/* Places that are kept; services beyond them have none. */
#define FG_SLOTS_MAX 4096u

struct fg_slots;

FG_MUST_CHECK int fg_slots_new(struct fg_slots **ret_slots);
void fg_slots_free(struct fg_slots *slots);

/* Looks for services that are new and adds them at the end: in all times when that was long ago,
 * else in the last hour. Then copies the names, in their order, to arena. Any thread; blocks.
 * FG_ELIMIT (arena), FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int fg_slots_read(struct fg_slots *slots, struct fg_env *env, struct fg_store *store,
                                struct fg_arena *arena, struct fg_slice **ret_names,
                                uint32_t *ret_count);
