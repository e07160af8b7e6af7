/* What must go, and when: pure, from the list of segments. */
#pragma once

#include "local/manifest.h"
#include "local/policy.h"

struct fg_expiry {
    size_t begin, end; /* of entries: what of one partition goes; begin == end: nothing */
    bool by_age;       /* otherwise by bytes */
};

/* entries by tenant, day, id. A day has expired when its last moment is older than the age; of
 * bytes over their maximum, of a tenant with a bound of its own or of all, the oldest day goes
 * first, as a whole, and of the newest day the segments that end first. Kept segments
 * (FG_LEVEL_KEPT) are no longer concerned, and count with the pinned bytes. */
void fg_expiry_find(const struct fg_manifest_segment *const *entries, size_t count,
                    const struct fg_policies *policies, uint64_t now_wall_ns,
                    struct fg_expiry *ret_expiry);
/* Whether a day is past the age that its tenant's spans have by default. */
bool fg_expiry_is_due(const struct fg_policies *policies, uint32_t tenant, uint32_t day,
                      uint64_t now_wall_ns);
