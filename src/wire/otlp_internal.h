/* What the decoders of OTLP share: fields' numbers, where in a request they are, and how they say
 * that something is wrong there. */
#pragma once

#include "wire/error.h"
#include "wire/otlp_value.h"

/* opentelemetry/proto/collector/trace/v1, trace/v1, resource/v1 and common/v1. */
enum {
    REQUEST_RESOURCE_SPANS = 1,

    RESOURCE_SPANS_RESOURCE = 1,
    RESOURCE_SPANS_SCOPE_SPANS = 2,
    RESOURCE_SPANS_SCHEMA_URL = 3,

    RESOURCE_ATTRIBUTES = 1,
    RESOURCE_DROPPED_ATTRIBUTES = 2,

    SCOPE_SPANS_SCOPE = 1,
    SCOPE_SPANS_SPANS = 2,
    SCOPE_SPANS_SCHEMA_URL = 3,

    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    SCOPE_ATTRIBUTES = 3,
    SCOPE_DROPPED_ATTRIBUTES = 4,

    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_TRACE_STATE = 3,
    SPAN_PARENT_SPAN_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_DROPPED_ATTRIBUTES = 10,
    SPAN_EVENTS = 11,
    SPAN_DROPPED_EVENTS = 12,
    SPAN_LINKS = 13,
    SPAN_DROPPED_LINKS = 14,
    SPAN_STATUS = 15,
    SPAN_FLAGS = 16,

    EVENT_TIME = 1,
    EVENT_NAME = 2,
    EVENT_ATTRIBUTES = 3,
    EVENT_DROPPED_ATTRIBUTES = 4,

    LINK_TRACE_ID = 1,
    LINK_SPAN_ID = 2,
    LINK_TRACE_STATE = 3,
    LINK_ATTRIBUTES = 4,
    LINK_DROPPED_ATTRIBUTES = 5,
    LINK_FLAGS = 6,

    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,

    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,

    LIST_VALUES = 1, /* of an ArrayValue and of a KeyValueList */
};

/* The lists from the request's root down to what is decoded now. */
struct fg_otlp_place {
    uint32_t resource_spans, scope_spans, span; /* indices */
    uint8_t depth;                              /* how many of them count: 0 to 3 */
};

/* "resource_spans[0].scope_spans[2].spans[7]: <what>, at byte 1234". Returns code. */
FG_MUST_CHECK int fg_otlp_fail(struct fg_wire_error *error, int code,
                               const struct fg_otlp_place *place, size_t offset, const char *format,
                               ...) __attribute__((format(printf, 5, 6)));

/* The key and value of a KeyValue message, checked as fg_otlp_value_decode() does. Of a key that is
 * there twice the last one counts, of a value the last one that has something set. */
FG_MUST_CHECK int fg_otlp_entry_decode(struct fg_slice entry, struct fg_slice *ret_key,
                                       struct fg_otlp_value *ret_value);
