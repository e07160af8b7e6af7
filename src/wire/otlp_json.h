/* What the two halves of OTLP's JSON decoder share: otlp_json.c walks the messages, and
 * otlp_json_value.c rewrites attributes. */
#pragma once

#include "base/arena.h"
#include "json_reader.h"
#include "otlp_internal.h"
#include "wire/otlp.h"

struct fg_otlp_json {
    const struct fg_otlp_visitor *visitor;
    void *arg;
    struct fg_wire_error *error;
    const uint8_t *body;
    struct fg_otlp_place place;
    /* Texts with escapes and ids, of what was begun: all together never more than the body. */
    struct fg_arena outer_arena; /* of the resource, scope or span that is open */
    struct fg_arena inner_arena; /* of the event or link in it */
    struct fg_buffer attribute;  /* the attribute that is being read, in protobuf */
};

/* "…spans[7]: <field>: <what>, at byte 1234". error is FG_EINVALID, FG_ELIMIT, or FG_ENOMEM, which
 * nobody has to be told of. */
FG_MUST_CHECK int fg_otlp_json_refuse(struct fg_otlp_json *decoder, int error, const uint8_t *at,
                                      const char *field, const char *what);

/* Reads a KeyValue's object, which reader is inside. What comes out lies in the body or in
 * decoder->attribute, until the next one is read. */
FG_MUST_CHECK int fg_otlp_json_attribute(struct fg_otlp_json *decoder,
                                         struct fg_json_reader *reader, struct fg_slice *ret_key,
                                         struct fg_otlp_value *ret_value);
