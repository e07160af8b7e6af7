/* W3C Trace Context (level 1, and level 2's random flag) and W3C Baggage: what travels in the
 * headers traceparent, tracestate and baggage. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define FG_TRACEPARENT_TEXT_SIZE 55u
#define FG_TRACE_FLAG_SAMPLED    1u
/* Trace Context section 3.3.1.5 asks for 512 bytes of tracestate to be kept, section 3.3.1.1 for at
 * most 32 members. */
#define FG_TRACESTATE_SIZE_MAX    512u
#define FG_TRACESTATE_MEMBERS_MAX 32u
/* Baggage section 3.3.2: at least 64 members and 8192 bytes. */
#define FG_BAGGAGE_SIZE_MAX    8192u
#define FG_BAGGAGE_MEMBERS_MAX 64u

struct fg_traceparent {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags;
};

/* FG_EINVALID for a wrong form, upper-case digits, version ff and ids of zeros. A later version is
 * read as far as it is known (section 4.3). */
FG_MUST_CHECK int fg_traceparent_parse(struct fg_slice text, struct fg_traceparent *ret_parent);
/* No NUL. */
void fg_traceparent_format(const struct fg_traceparent *parent,
                           char ret_text[FG_TRACEPARENT_TEXT_SIZE]);

/* Whether it is a tracestate header within the limits above. Empty is one. */
bool fg_tracestate_valid(struct fg_slice text);

struct fg_baggage_member {
    struct fg_slice key;
    struct fg_slice value; /* percent-encoded */
    struct fg_slice
        properties;        /* what follows the first ';', without blanks around; may be empty */
    struct fg_slice whole; /* the member as it stood */
};

/* Takes the next member off *rest. 1: got one; 0: the end; FG_EINVALID: a member of a wrong form,
 * which was stepped over. */
FG_MUST_CHECK int fg_baggage_next(struct fg_slice *rest, struct fg_baggage_member *ret_member);

/* Whether properties hold this key, alone or with a value. */
bool fg_baggage_has_property(struct fg_slice properties, struct fg_slice key);

/* Whether it can be a key: a token of RFC 7230, not empty. */
bool fg_baggage_key_valid(struct fg_slice key);

/* Appends the text that a percent-encoded value stands for. A % without two digits stays. */
void fg_baggage_decode(struct fg_buffer *buffer, struct fg_slice value);
/* Appends the value with what a header may not hold percent-encoded. */
void fg_baggage_encode(struct fg_buffer *buffer, struct fg_slice text);
