/* What an erase takes out of the rollup files of days whose spans have gone, all or some.
 *
 * A file holds counts by service, name, kind and status, no spans. Out of it go
 *   - what spans count that are erased from a segment whose counts are in the file (kept, thinned);
 *   - operations and calls of which the predicate is true whatever else their spans said: so a name
 *     or a service that is asked for by itself;
 *   - calls of services that have no operation left.
 * Names that nobody counts any more are not written. What only spans said that went long ago, and
 * that the predicate asks for by something else than these, can't be told. */
#pragma once

#include "local/local.h"

struct fg_rollup_erase {
    struct fg_local *local;
    uint32_t tenant, day;
    const struct fg_predicate *predicate; /* NULL: everything */
    const struct fg_rollup *gone;         /* counts of spans that are erased; NULL: none */
};

/* The day's file as it must be: *ret_old (set also on failure) is the one that it takes the place
 * of, an entry of version; NULL: nothing changes. ret_new->id 0: nothing stays. The new file is
 * written and synced, and no edit names it yet. */
FG_MUST_CHECK int fg_rollup_erase(const struct fg_rollup_erase *erase,
                                  const struct fg_local_version *version,
                                  const struct fg_manifest_rollup **ret_old,
                                  struct fg_manifest_rollup *ret_new);

/* Counts the rows of a segment that go: those whose bits match() sets. A call is counted where its
 * caller lies in the same page. FG_ECORRUPT, FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int
fg_rollup_count_gone(struct fg_segment *segment, const struct fg_predicate *predicate,
                     int (*match)(void *arg, const struct fg_batch *page, uint64_t *bits),
                     void *arg, struct fg_rollup *gone);
