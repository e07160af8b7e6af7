/* Decodes a body with an encoder for a visitor. What was taken must come out as a request that is
 * taken again and says the same: its second writing equals its first. */
#pragma once

#include "wire/otlp_encode.h"

#include <stdlib.h>

typedef int (*decode_fn)(struct fg_slice body, const struct fg_otlp_visitor *visitor, void *arg,
                         struct fg_wire_error *error);

static inline void need(bool condition)
{
    if (!condition)
        abort();
}

/* False where the body was refused. out is initialised here. */
static inline bool transcode(decode_fn decode, struct fg_slice body, enum fg_otlp_format format,
                             struct fg_buffer *out)
{
    struct fg_otlp_encoder encoder;
    struct fg_wire_error error = {""};
    fg_buffer_init(out, (size_t)1 << 30);
    fg_otlp_encoder_init(&encoder, format, out);
    int r = decode(body, encoder.visitor, &encoder, &error);
    /* Whatever is refused says why. */
    need(r == 0 || ((r == FG_EINVALID || r == FG_ELIMIT) && error.text[0] != 0));
    need(fg_otlp_encoder_finish(&encoder) == 0);
    return r == 0;
}

static inline void transcode_twice(decode_fn decode, struct fg_slice body,
                                   enum fg_otlp_format format)
{
    struct fg_buffer first, second;
    if (transcode(decode, body, format, &first)) {
        need(transcode(format == FG_OTLP_JSON ? fg_otlp_decode_traces_json : fg_otlp_decode_traces,
                       fg_buffer_slice(&first), format, &second));
        need(fg_slice_equal(fg_buffer_slice(&first), fg_buffer_slice(&second)));
        fg_buffer_free(&second);
    }
    fg_buffer_free(&first);
}
