/* Writes OTLP traces: visitors (otlp.h) that put what they are told onto a buffer, as an
 * ExportTraceServiceRequest in protobuf or as its JSON mapping. Decoding with an encoder for a
 * visitor transcodes.
 *
 *     struct fg_otlp_encoder encoder;
 *     fg_otlp_encoder_init(&encoder, FG_OTLP_JSON, &buffer);
 *     visitor->resource_begin(&encoder, &resource); ...
 *     r = fg_otlp_encoder_finish(&encoder);
 *
 * The order of calls is otlp.h's; every begin has its end. Of the callers of an encoder nobody has
 * to fill in counts. Calls return 0 or the buffer's sticky error (FG_ELIMIT, FG_ENOMEM). The JSON
 * form may be drained from the buffer between any two calls. The protobuf form may not, since
 * lengths are written afterwards: who wants a long one in pieces finishes and begins anew, for
 * requests that follow each other are one request.
 *
 * In JSON a span's name, ids and times are always there, other fields where they are not the
 * default; ill-formed UTF-8 becomes U+FFFD. Protobuf strings are written as they are: who needs
 * them clean cleans them before. */
#pragma once

#include "base/buffer.h"
#include "wire/json_writer.h"
#include "wire/otlp.h"

enum fg_otlp_format { FG_OTLP_PROTOBUF, FG_OTLP_JSON };

struct fg_otlp_encoder {
    const struct fg_otlp_visitor *visitor; /* the calls that write; their arg is this struct */
    struct fg_buffer *buffer;
    struct fg_json_writer json; /* JSON only */
    struct fg_slice schema_url; /* of the resource or scope that is being written */
    size_t resource_spans;      /* protobuf: marks of the open messages, for fg_pb_end() */
    size_t scope_spans;
    size_t message;
    size_t item;
    bool resource_open;
    bool scope_open;
    uint8_t list; /* JSON: which list of the open span was begun last */
    bool attributes_open;
};

/* Borrows buffer until the finish. JSON: the object's begin is written at once. */
void fg_otlp_encoder_init(struct fg_otlp_encoder *encoder, enum fg_otlp_format format,
                          struct fg_buffer *buffer);

/* Closes what is open; the buffer then ends a whole request. Returns the buffer's sticky error. */
FG_MUST_CHECK int fg_otlp_encoder_finish(struct fg_otlp_encoder *encoder);

/* One AnyValue in OTLP's JSON ({"stringValue": "x"}). */
void fg_otlp_value_write_json(struct fg_json_writer *json, const struct fg_otlp_value *value);

/* The bare value: a string, number, boolean, null, array or object; bytes in base64, doubles and
 * integers as JSON numbers (those that are no number as strings). */
void fg_otlp_value_write_plain(struct fg_json_writer *json, const struct fg_otlp_value *value);
