/* Slows guessing: after some wrong answers whoever asks has to wait, twice as long each time, up to
 * a quarter of an hour. Counted are three things: tries at one account from one address, at
 * anything from one address, and at one account from anywhere; the last with more patience, so that
 * nobody can lock another out with a handful of tries. Names that don't exist count alike.
 *
 * A try is counted before it is checked, and taken back when it was right: tries side by side gain
 * nothing. The table is bounded; the entry that was quiet longest gives way. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>

#define FG_GUARD_SLOTS 8192u
#define FG_GUARD_WAYS  8u

struct fg_guard_slot {
    uint64_t key; /* 0: free */
    uint64_t seen_ns, until_ns;
    uint32_t failures;
};

struct fg_guard {
    uint64_t seed;
    struct fg_guard_slot *slots;
};

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_guard_init(struct fg_guard *guard, uint64_t seed);
void fg_guard_free(struct fg_guard *guard);

/* Counts a try of name from address at now_ns (monotonic). FG_EAGAIN: not before *ret_wait_ns, and
 * nothing is counted. */
FG_MUST_CHECK int fg_guard_try(struct fg_guard *guard, struct fg_slice name,
                               struct fg_slice address, uint64_t now_ns, uint64_t *ret_wait_ns);
/* The try was right: the account's counts from this address begin anew, the others' go back by it.
 */
void fg_guard_forgive(struct fg_guard *guard, struct fg_slice name, struct fg_slice address);
