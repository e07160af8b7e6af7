/* Writes spans as Zipkin's v2 JSON (zipkin.io/zipkin-api: ListOfSpans), translated as
 * OpenTelemetry's specification has it for its Zipkin exporter, and so that wire/zipkin.h reads the
 * same span back. The encoder is a visitor of OTLP:
 *
 *     fg_zipkin_encoder_init(&encoder, &json, &arena);
 *     encoder.visitor->resource_begin(&encoder, &resource); ...
 *     r = fg_zipkin_encoder_finish(&encoder);
 *
 * What becomes of a span:
 *
 *     ids                 hexadecimal; a trace id whose first half is zero has 16 digits
 *     kind                internal and unspecified are absent
 *     start, end          timestamp and duration in µs, at least 1; an open span has no duration
 *     service.name        localEndpoint.serviceName; net.host.ip and .port its address
 *     peer.service        remoteEndpoint.serviceName; net.peer.ip and .port its address
 *     attributes          tags: their own, then those of the resource whose keys they don't have;
 *                         numbers, arrays and maps as text
 *     status              the tags otel.status_code, and error with its message or "true"
 *     scope               the tags otel.scope.name and .version
 *     events              annotations: the name, or "name":{attributes}
 *     trace state, links  left out: Zipkin has no place for them
 *
 * Calls return 0, the buffer's sticky error, or FG_ELIMIT where the arena is full. The buffer may
 * be emptied between any two calls. */
#pragma once

#include "base/arena.h"
#include "base/limits.h"
#include "wire/json_writer.h"
#include "wire/otlp.h"

struct fg_zipkin_tag;

struct fg_zipkin_endpoint {
    char service[FG_NAME_SIZE_MAX];
    char ip[64];
    uint16_t service_size, ip_size;
    uint16_t port; /* 0: not known */
};

struct fg_zipkin_encoder {
    const struct fg_otlp_visitor *visitor; /* the calls that write; their arg is this struct */
    struct fg_json_writer *json;
    struct fg_arena *arena;
    struct fg_slice service, scope_name, scope_version; /* in the arena */
    struct fg_zipkin_tag *tags;                         /* of the resource, in the arena */
    struct fg_zipkin_tag **tags_end;
    struct fg_zipkin_endpoint local, remote; /* of the open span */
    struct fg_slice event_name;
    bool event_has_attributes, annotations_open;
    bool is_error, is_shared;
    uint32_t seen_count; /* hashes of the open span's tags */
    uint64_t seen[FG_ATTRS_MAX];
};

/* Begins an array as the next value of json, which is borrowed until the finish as arena is. */
void fg_zipkin_encoder_init(struct fg_zipkin_encoder *encoder, struct fg_json_writer *json,
                            struct fg_arena *arena);

/* Ends the array. */
FG_MUST_CHECK int fg_zipkin_encoder_finish(struct fg_zipkin_encoder *encoder);
