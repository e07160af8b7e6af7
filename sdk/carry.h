/* What travels with a context beside its span: W3C trace state and baggage. Immutable and counted;
 * NULL is an empty one. Baggage is kept as its header, which is what it mostly becomes again. The
 * attributes that its journey keys put on every span are kept as items of a stream (ring.h). */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "settings.h"

#include <stdatomic.h>

/* The property that tells a journey key from other baggage. */
#define FG_JOURNEY_PROPERTY "journey"

struct fg_carry {
    _Atomic uint32_t refs;
    uint32_t trace_state_size, baggage_size, journey_size;
    uint32_t journey_count;
    uint8_t data[]; /* trace state, baggage, journey items */
};

struct fg_slice fg_carry_trace_state(const struct fg_carry *carry);
struct fg_slice fg_carry_baggage(const struct fg_carry *carry);

static inline struct fg_slice fg_carry_journey(const struct fg_carry *carry)
{
    return fg_slice(carry->data + carry->trace_state_size + carry->baggage_size,
                    carry->journey_size);
}

struct fg_carry *fg_carry_ref(const struct fg_carry *carry);
void fg_carry_unref(struct fg_carry *carry);

/* Of what came over the wire; members and states that are malformed or too many are left out and
 * counted. journey_keys may be NULL. FG_ENOMEM. */
FG_MUST_CHECK int fg_carry_new(struct fg_slice trace_state, struct fg_slice baggage,
                               const struct fg_texts *journey_keys, struct fg_carry **ret_carry);

/* Another value (text, not encoded; NULL data: none) under a key. FG_EINVALID where it is no key,
 * FG_ELIMIT where the baggage has no room, FG_ENOMEM. */
FG_MUST_CHECK int fg_carry_with(const struct fg_carry *carry, struct fg_slice key,
                                struct fg_slice value, bool is_journey,
                                const struct fg_texts *journey_keys, struct fg_carry **ret_carry);

/* Appends the decoded value; false where the key is not there. */
bool fg_carry_find(const struct fg_carry *carry, struct fg_slice key, struct fg_buffer *value);
