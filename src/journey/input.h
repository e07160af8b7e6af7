/* Reading what was kept: bytes of the keyed state, which may be cut or be somebody else's. */
#pragma once

#include "base/slice.h"

struct fg_input {
    const uint8_t *at;
    size_t rest;
    bool is_bad; /* more was asked for than there is: all that follows is zero */
};

/* The next size bytes; where there are not so many, zeros (at most 8 bytes; else NULL), and is_bad.
 */
static inline const uint8_t *fg_input_take(struct fg_input *in, size_t size)
{
    static const uint8_t zero[8];
    if (in->rest < size || in->is_bad) {
        in->is_bad = true;
        return size <= sizeof zero ? zero : NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    in->rest -= size;
    return at;
}
