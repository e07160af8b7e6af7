/* Keys whose attributes may not be kept.
 *
 * A pattern is a key ("password"), the begin of one ("card.*") or its end ("*.password"), compared
 * without regard to ASCII case: HTTP headers and people's habits differ in case, and a rule must
 * rather take too much than too little. A set of patterns is immutable and counted by reference;
 * all calls are thread-safe. What else a rule may do is in rules.h. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_redact;

/* FG_EINVALID for an empty pattern, a * alone, or one elsewhere than at one end. With no patterns
 * *ret_rules is NULL, which is a valid rule set that forbids nothing. */
FG_MUST_CHECK int fg_redact_new(const char *const *patterns, size_t count,
                                struct fg_redact **ret_rules);
struct fg_redact *fg_redact_ref(struct fg_redact *rules);
void fg_redact_unref(struct fg_redact *rules);

/* fg_redact_denies() for a rule set that is not NULL. */
bool fg_redact_denies_key(const struct fg_redact *rules, struct fg_slice key);

/* Whether an attribute of this key must be removed. Costs one comparison without rules. */
static inline bool fg_redact_denies(const struct fg_redact *rules, struct fg_slice key)
{
    return rules && fg_redact_denies_key(rules, key);
}
