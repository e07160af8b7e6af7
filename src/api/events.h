/* What changes, told to many clients at once by server-sent events (WHATWG HTML, 9.2): one thread
 * looks, writes each event once into a ring, and wakes who listens; each client reads the ring at
 * its own pace. Who is so slow that the ring has passed it is told so and let go. */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct fg_api;
struct fg_events;
struct fg_exchange;

/* Listeners at one time, and events that are kept for those who are slow or come again. */
#define FG_EVENTS_CLIENTS_MAX 256u
#define FG_EVENTS_KEPT        1024u

FG_MUST_CHECK int fg_events_new(struct fg_api *api, struct fg_events **ret_events);
/* What was kept is told to nobody any more, since some of it was erased: who is behind, or comes
 * again, gets a reset. Any thread. */
void fg_events_forget(struct fg_events *events);

struct fg_events_counters {
    uint64_t listeners; /* now */
    uint64_t dropped;   /* let go since they read too slowly */
    uint64_t refused;   /* too many listened already */
};
void fg_events_counters(struct fg_events *events, struct fg_events_counters *ret_counters);
/* After the server has stopped: nobody listens. NULL is accepted. */
void fg_events_free(struct fg_events *events);
