/* OTLP traces (opentelemetry-proto v1): the request is walked once, and what is found is handed to
 * a visitor field by field. Protobuf and JSON call alike, and the encoders of otlp_encode.h and
 * jaeger.h are visitors themselves.
 *
 * The calls, in this order whatever the order of the bytes:
 *
 *     for each ResourceSpans
 *         resource_begin, resource_attribute*, resource_end
 *         for each of its ScopeSpans
 *             scope_begin, scope_attribute*, scope_end
 *             for each of its Spans
 *                 span_begin, span_attribute*
 *                 (event_begin, event_attribute*, event_end)*
 *                 (link_begin, link_attribute*, link_end)*
 *                 span_end
 *
 * A begin brings all scalars and the counts of what follows; an end says that the thing is
 * complete. A missing Resource or InstrumentationScope is visited as an empty one. Slices given to
 * a begin are valid until its end, those of attributes during the call; nothing of them may be
 * kept.
 *
 * A callback returns 0 to go on, FG_OTLP_SKIP from a begin to leave out all that lies in it and its
 * end (of a resource or scope its spans too), or an fg_error, which ends the decoding and is its
 * result. No callback may be NULL. */
#pragma once

#include "wire/error.h"
#include "wire/otlp_value.h"

#define FG_OTLP_SKIP 1

enum fg_otlp_span_kind {
    FG_OTLP_KIND_UNSPECIFIED,
    FG_OTLP_KIND_INTERNAL,
    FG_OTLP_KIND_SERVER,
    FG_OTLP_KIND_CLIENT,
    FG_OTLP_KIND_PRODUCER,
    FG_OTLP_KIND_CONSUMER,
};

enum fg_otlp_status_code { FG_OTLP_STATUS_UNSET, FG_OTLP_STATUS_OK, FG_OTLP_STATUS_ERROR };

/* Span.flags and Link.flags: the low eight bits are W3C's trace flags. */
#define FG_OTLP_FLAGS_TRACE_MASK    0xffu
#define FG_OTLP_FLAGS_HAS_IS_REMOTE 0x100u
#define FG_OTLP_FLAGS_IS_REMOTE     0x200u

/* Strings are not checked to be UTF-8. The counts of what follows are the decoder's to set;
 * encoders don't read them. */
struct fg_otlp_resource {
    struct fg_slice schema_url; /* ResourceSpans.schema_url */
    uint32_t dropped_attributes_count;
    uint32_t attribute_count;
};

struct fg_otlp_scope {
    struct fg_slice name;
    struct fg_slice version;
    struct fg_slice schema_url; /* ScopeSpans.schema_url */
    uint32_t dropped_attributes_count;
    uint32_t attribute_count;
};

struct fg_otlp_span {
    struct fg_slice trace_id; /* binary, of any size: the visitor judges */
    struct fg_slice span_id;
    struct fg_slice parent_span_id; /* empty for a root */
    struct fg_slice trace_state;
    struct fg_slice name;
    struct fg_slice status_message;
    uint64_t start_ns; /* since 1970 UTC */
    uint64_t end_ns;   /* 0: the span is open */
    int32_t kind;      /* enum fg_otlp_span_kind, or what the sender wrote */
    int32_t status_code;
    uint32_t flags;
    uint32_t dropped_attributes_count;
    uint32_t dropped_events_count;
    uint32_t dropped_links_count;
    uint32_t attribute_count;
    uint32_t event_count;
    uint32_t link_count;
    bool shared; /* the server's half of a span that has the client's id; Zipkin alone knows it */
};

struct fg_otlp_event {
    struct fg_slice name;
    uint64_t time_ns;
    uint32_t dropped_attributes_count;
    uint32_t attribute_count;
};

struct fg_otlp_link {
    struct fg_slice trace_id;
    struct fg_slice span_id;
    struct fg_slice trace_state;
    uint32_t flags;
    uint32_t dropped_attributes_count;
    uint32_t attribute_count;
};

typedef int (*fg_otlp_attribute_fn)(void *arg, struct fg_slice key,
                                    const struct fg_otlp_value *value);

struct fg_otlp_visitor {
    int (*resource_begin)(void *arg, const struct fg_otlp_resource *resource);
    fg_otlp_attribute_fn resource_attribute;
    int (*resource_end)(void *arg);
    int (*scope_begin)(void *arg, const struct fg_otlp_scope *scope);
    fg_otlp_attribute_fn scope_attribute;
    int (*scope_end)(void *arg);
    int (*span_begin)(void *arg, const struct fg_otlp_span *span);
    fg_otlp_attribute_fn span_attribute;
    int (*event_begin)(void *arg, const struct fg_otlp_event *event);
    fg_otlp_attribute_fn event_attribute;
    int (*event_end)(void *arg);
    int (*link_begin)(void *arg, const struct fg_otlp_link *link);
    fg_otlp_attribute_fn link_attribute;
    int (*link_end)(void *arg);
    int (*span_end)(void *arg);
};

/* body is an ExportTraceServiceRequest (or a TracesData, which is the same) in protobuf. Unknown
 * fields are ignored; a repeated singular message is merged, of a repeated scalar the last one
 * counts, and of an attribute's value the last one that has something set. Calls made before an
 * error is met are not taken back. FG_EINVALID, FG_ELIMIT (values nested too deep), FG_ENOMEM, or
 * what a callback returned; on those of its own *error (may be NULL) says what and where.
 * Thread-safe. */
FG_MUST_CHECK int fg_otlp_decode_traces(struct fg_slice body, const struct fg_otlp_visitor *visitor,
                                        void *arg, struct fg_wire_error *error);

/* The same for OTLP's JSON mapping (OTLP specification 1.x, "JSON Protobuf Encoding"): ids in
 * hexadecimal, 64-bit integers as numbers or strings, enums as numbers or names, bytes in base64,
 * keys in lowerCamelCase or as in the .proto file, null as absent, unknown keys ignored, of equal
 * keys the last one. Ill-formed UTF-8 is refused, as JSON has none. */
FG_MUST_CHECK int fg_otlp_decode_traces_json(struct fg_slice body,
                                             const struct fg_otlp_visitor *visitor, void *arg,
                                             struct fg_wire_error *error);
