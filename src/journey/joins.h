/* How traces that name no key come to a journey: by a link from one span to another, and by the id
 * of a message that one trace publishes and another consumes.
 *
 * Which comes first is not known: what a batch tells is kept for a while, by hash, so that both
 * ways round they meet. Bounded: the oldest are forgotten (a message that waits for days joins by
 * its link, or by its key). Not thread-safe. */
#pragma once

#include "base/error.h"
#include "table.h"

struct fg_joins;

/* Two traces that belong together, or a message and its trace, kept at one time. */
#define FG_JOINS_KEPT 65536u

FG_MUST_CHECK int fg_joins_new(struct fg_joins **ret_joins);
void fg_joins_free(struct fg_joins *joins);

/* `a` and `b` belong together. */
void fg_joins_link(struct fg_joins *joins, struct fg_trace_ref a, struct fg_trace_ref b);
/* Messages of these ids, at most FG_JOINS_AHEAD, come next: what they will read is fetched from
 * memory for all of them at once. Nothing hangs on it but time. */
#define FG_JOINS_AHEAD 64u
void fg_joins_expect(const struct fg_joins *joins, const struct fg_slice *ids, uint32_t count);
/* The trace has a message of this id. Returns the other traces that have it, at most max. */
uint32_t fg_joins_message(struct fg_joins *joins, struct fg_slice id, struct fg_trace_ref trace,
                          struct fg_trace_ref *ret_others, uint32_t max);
/* Traces that are known to belong to this one, at most max. */
uint32_t fg_joins_of(const struct fg_joins *joins, struct fg_trace_ref trace,
                     struct fg_trace_ref *ret_others, uint32_t max);
