/* Retention policies: for how long spans of a service, with an attribute, of a tenant stay.
 *
 * The first policy that a span meets is its own; one that meets none has its tenant's default: the
 * first policy of the tenant that asks for nothing else, or the store's. A trace stays as long as
 * the longest of its spans. So at any time a policy has a first day that stays: before it, its
 * spans have expired.
 *
 *     a policy shorter than the default    its traces go out of days that stay
 * (fg_policy_find_gone) a longer one                         its traces stay of days that go
 * (fg_policy_find_kept)
 *
 * Everything here comes with the store's job_lock held, but fg_policies_ref() and _unref(). */
#pragma once

#include "local/local.h"
#include "local/trace_set.h"

struct fg_policies;

/* A copy. FG_ENOMEM. */
FG_MUST_CHECK int fg_policies_new(const struct fg_retention *retention,
                                  struct fg_policies **ret_policies);
struct fg_policies *fg_policies_ref(struct fg_policies *policies);
void fg_policies_unref(struct fg_policies *policies);

/* The tenant's default: the store's age and bytes, or its own. */
struct fg_retention fg_policies_default(const struct fg_policies *policies, uint32_t tenant);
uint64_t fg_policies_generation(const struct fg_policies *policies);
/* The store's own bounds. */
const struct fg_retention *fg_policies_retention(const struct fg_policies *policies);
/* Tenants that have a bound of bytes of their own: calls fn for each. */
int fg_policies_each_tenant(const struct fg_policies *policies,
                            int (*fn)(void *arg, uint32_t tenant, uint64_t bytes_max), void *arg);

/* Whether bytes bound what the tenant may have. */
bool fg_policies_has_bytes(const struct fg_policies *policies, uint32_t tenant);

/* Whether anything is asked of single spans of this tenant. */
bool fg_policies_has_conditions(const struct fg_policies *policies, uint32_t tenant);

/* Where a round of upkeep stands. */
struct fg_policy_round {
    struct fg_local *local;
    const struct fg_local_version *version;
    struct fg_policies *policies;
    uint64_t now_wall_ns;
};

/* A bit a policy whose spans of this tenant and day have expired. */
FG_MUST_CHECK int fg_policy_expired(const struct fg_policy_round *round, uint32_t tenant,
                                    uint32_t day, uint32_t *ret_mask);

/* Whether nothing of the segment goes by these policies, as far as was seen. */
bool fg_policy_has_seen(const struct fg_policies *policies, const struct fg_local_segment *segment,
                        uint32_t mask);
void fg_policy_set_seen(const struct fg_policies *policies, struct fg_local_segment *segment,
                        uint32_t mask);

/* The segments [begin, end) of the version are one partition. */
struct fg_policy_partition {
    size_t begin, end;
    uint32_t tenant, day;
};

/* Traces of the partition, whose default has not expired, that have nothing but expired spans: a
 * marked one in the set stays. mask: of fg_policy_expired(). FG_ECORRUPT: a segment can't be read,
 * and nothing can be said. FG_ELIMIT, FG_ENOMEM, FG_ECANCELLED. */
FG_MUST_CHECK int fg_policy_find_gone(const struct fg_policy_round *round,
                                      const struct fg_policy_partition *partition, uint32_t mask,
                                      struct fg_trace_set *set);
/* Traces of the partition, whose default has expired, that have a span of a policy which has not.
 * What can't be read is passed over. */
FG_MUST_CHECK int fg_policy_find_kept(const struct fg_policy_round *round,
                                      const struct fg_policy_partition *partition, uint32_t mask,
                                      struct fg_trace_set *set);
