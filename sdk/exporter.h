/* The one thread of the library: it looks for ended spans, sends them, and frees their slots once
 * the server has them; it announces spans that are open for long, gives signs of life, and sends
 * what an earlier process of the service left behind.
 *
 * Nothing is queued: a span that could not be sent stays where it is, in the ring, and is found
 * again by the next look. */
#pragma once

#include "sdk.h"

/* Takes settings and map, also on failure. path: of the ring's file, taken too; NULL where it is
 * memory of this process alone. */
FG_MUST_CHECK int fg_exporter_start_take(struct fg_settings *settings, struct fg_active *active,
                                         struct fg_map *map, char *path,
                                         struct fg_exporter **ret_exporter);

/* FG_ETIMEOUT; FG_ECANCELLED where it is stopped meanwhile. */
FG_MUST_CHECK int fg_exporter_flush(struct fg_exporter *exporter, uint64_t timeout_ns);

/* Sends what is there, open spans as interrupted, for at most timeout_ns, and ends the thread.
 * Flushes that wait return. */
void fg_exporter_stop(struct fg_exporter *exporter, uint64_t timeout_ns);
/* After the stop; the ring's memory stays. */
void fg_exporter_free(struct fg_exporter *exporter);

/* Around a fork. */
void fg_exporter_lock(struct fg_exporter *exporter);
void fg_exporter_unlock(struct fg_exporter *exporter);
/* In the child: gives the parent's ring up. What else the exporter has is left as it is. FG_ENOMEM:
 * the ring is still there, and nothing may be traced. before: what was abandoned earlier, by this
 * process's parents, or NULL; it is remembered, so that a leak checker sees no leak in them. */
FG_MUST_CHECK int fg_exporter_abandon(struct fg_exporter *exporter, struct fg_exporter *before);
