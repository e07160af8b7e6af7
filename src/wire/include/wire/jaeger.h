/* Writes a trace as Jaeger's query API has it (jaegertracing/jaeger, internal/uimodel: an element
 * of "data"), translated as OpenTelemetry's Collector translates for Jaeger. The encoder is a
 * visitor of OTLP:
 *
 *     fg_jaeger_encoder_init(&encoder, &json, &arena);
 *     encoder.visitor->resource_begin(&encoder, &resource); ...
 *     r = fg_jaeger_encoder_finish(&encoder);
 *
 * The order of calls is otlp.h's; counts are not read. Calls return 0, the buffer's sticky error,
 * or FG_ELIMIT where the arena is full. The buffer may be emptied between any two calls. */
#pragma once

#include "base/arena.h"
#include "wire/json_writer.h"
#include "wire/otlp.h"

struct fg_jaeger_text;

struct fg_jaeger_encoder {
    const struct fg_otlp_visitor *visitor; /* the calls that write; their arg is this struct */
    struct fg_json_writer *json;
    struct fg_arena *arena;
    /* "processes" comes last, since only then are all known: its text so far, in the arena. */
    struct fg_jaeger_text *processes;
    struct fg_jaeger_text **processes_end;
    bool process_comma;
    struct fg_slice service;
    uint32_t process_count;
    struct fg_slice scope_name, scope_version; /* of the open scope, in the arena */
    uint8_t trace_id[16];                      /* of the first span */
    bool has_span;
    struct fg_otlp_span span; /* the open one */
    struct fg_otlp_link link;
    bool link_is_parent; /* its opentracing.ref_type says so */
    uint8_t list;        /* which list of the open span was begun last */
};

/* Begins an object as the next value of json, which is borrowed until the finish as arena is; arena
 * takes some hundred bytes a resource. */
void fg_jaeger_encoder_init(struct fg_jaeger_encoder *encoder, struct fg_json_writer *json,
                            struct fg_arena *arena);

/* Ends the object. */
FG_MUST_CHECK int fg_jaeger_encoder_finish(struct fg_jaeger_encoder *encoder);
