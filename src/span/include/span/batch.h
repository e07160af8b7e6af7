/* A span batch: some spans as typed columns, with the strings, resources and scopes that they use.
 *
 * It is the one form in which spans exist between the wire and a segment's pages: the builder fills
 * it, the WAL's frame is its frozen block, the head keeps it, the sealer sorts it, a segment's page
 * decodes to it. A struct fg_batch is a read-only view of arrays; whoever made it says who owns
 * them (see builder.h, block.h, and the segment reader).
 *
 * Ids are indexes: a string id into strings, a resource id into resources and so on. String 0 is
 * always the empty string. A builder and a frozen block hold each string once; a segment's page may
 * hold one twice. Trace and span ids are numbers, the first byte on the wire being the most
 * significant.
 *
 * A column marked (rare) may be NULL: then it is 0 for every row. Use fg_column_u32() to read it. A
 * batch that was decoded with less than all columns has NULL for those that were not asked for. */
#pragma once

#include "base/slice.h"

/* How a value is stored in attrs.value. Numbers are part of the disk format. */
enum fg_value_type {
    FG_VALUE_EMPTY = 0,  /* an AnyValue without a value; value is 0 */
    FG_VALUE_STRING = 1, /* string id */
    FG_VALUE_BOOL = 2,   /* 0 or 1 */
    FG_VALUE_INT = 3,    /* int64_t, two's complement */
    FG_VALUE_DOUBLE = 4, /* IEEE 754 bits */
    FG_VALUE_BYTES = 5,  /* string id; any bytes */
    FG_VALUE_ARRAY = 6, /* string id; the protobuf encoding of an AnyValue that holds array_value */
    FG_VALUE_KVLIST =
        7, /* string id; the protobuf encoding of an AnyValue that holds kvlist_value */
    FG_VALUE_TYPE_COUNT = 8,
};

/* Whether attrs.value is a string id for this type. */
static inline bool fg_value_type_is_bytes(uint8_t type)
{
    return type == FG_VALUE_STRING || type >= FG_VALUE_BYTES;
}

/* Span.SpanKind and Status.StatusCode of opentelemetry/proto/trace/v1. */
enum fg_span_kind {
    FG_SPAN_KIND_UNSPECIFIED = 0,
    FG_SPAN_KIND_INTERNAL = 1,
    FG_SPAN_KIND_SERVER = 2,
    FG_SPAN_KIND_CLIENT = 3,
    FG_SPAN_KIND_PRODUCER = 4,
    FG_SPAN_KIND_CONSUMER = 5,
};

enum fg_status_code { FG_STATUS_UNSET = 0, FG_STATUS_OK = 1, FG_STATUS_ERROR = 2 };

/* What Filigree itself has to say of a span. Part of the disk format. */
enum fg_span_mark {
    FG_MARK_TRUNCATED = 1,         /* a value, name or list was over a limit and was cut */
    FG_MARK_FILED_BY_RECEIPT = 2,  /* its start lies too far ahead of the clock */
    FG_MARK_INTERRUPTED = 4,       /* its process died before it ended */
    FG_MARK_CONFLICT = 8,          /* ended forms of it differ; all are kept */
    FG_MARK_REDACTED = 16,         /* something of it was removed at the door */
    FG_MARK_INVALID_TEXT = 32,     /* bytes that are no UTF-8 were replaced */
    FG_MARK_END_BEFORE_START = 64, /* kept as sent */
    FG_MARK_SHARED =
        128, /* Zipkin: the server's half of a span that shares its id with the client's */
};

/* Attributes of the owners of one kind: owner i has [begin[i], begin[i + 1]). Keys are unique
 * within an owner. */
struct fg_attrs {
    uint32_t count;
    const uint32_t *begin; /* owner count + 1 elements; NULL when count is 0 */
    const uint32_t *key;   /* string ids */
    const uint8_t *type;   /* enum fg_value_type */
    const uint64_t *value;
};

struct fg_batch {
    const struct fg_slice *strings; /* UTF-8 for names and STRING values, any bytes otherwise */
    uint32_t string_count;
    /* Batches with the same non-zero string_epoch share their first stable_string_count strings. */
    uint32_t stable_string_count;
    uint64_t string_epoch;

    /* One element a resource. resource_service: string id of service.name ("" where there is none).
     */
    uint32_t resource_count;
    struct fg_attrs resource_attrs;
    const uint32_t *resource_service;
    const uint32_t *resource_schema_url;
    const uint32_t *resource_dropped_attrs;

    /* One element an instrumentation scope. */
    uint32_t scope_count;
    struct fg_attrs scope_attrs;
    const uint32_t *scope_name;
    const uint32_t *scope_version;
    const uint32_t *scope_schema_url;
    const uint32_t *scope_dropped_attrs;

    /* One element a span. */
    uint32_t span_count;
    const uint64_t *trace_id_high;
    const uint64_t *trace_id_low;
    const uint64_t *span_id;
    const uint64_t *parent_span_id; /* 0: none */
    const uint64_t *start_ns;       /* since 1970 UTC */
    const uint64_t *end_ns;         /* 0: an open span */
    const uint64_t *received_ns;    /* when Filigree took it; orders the forms of one span */
    const uint32_t *name;
    const uint32_t *resource;
    const uint32_t *scope;
    const uint8_t *kind;            /* enum fg_span_kind; other values as sent */
    const uint8_t *status;          /* enum fg_status_code */
    const uint32_t *flags;          /* (rare) W3C trace flags and OTLP's is_remote bits */
    const uint16_t *marks;          /* (rare) enum fg_span_mark */
    const uint32_t *trace_state;    /* (rare) string id */
    const uint32_t *status_message; /* (rare) string id */
    const uint32_t *dropped_attrs;  /* (rare) as the sender said plus what a limit dropped here */
    const uint32_t *dropped_events; /* (rare) */
    const uint32_t *dropped_links;  /* (rare) */
    struct fg_attrs span_attrs;

    /* Span i has events [event_begin[i], event_begin[i + 1]); NULL when event_count is 0. Links
     * alike. */
    uint32_t event_count;
    const uint32_t *event_begin;
    const uint64_t *event_time_ns;
    const uint32_t *event_name;
    const uint32_t *event_dropped_attrs; /* (rare) */
    struct fg_attrs event_attrs;

    uint32_t link_count;
    const uint32_t *link_begin;
    const uint64_t *link_trace_id_high;
    const uint64_t *link_trace_id_low;
    const uint64_t *link_span_id;
    const uint32_t *link_trace_state;   /* (rare) string id */
    const uint32_t *link_flags;         /* (rare) */
    const uint32_t *link_dropped_attrs; /* (rare) */
    struct fg_attrs link_attrs;
};

static inline uint32_t fg_column_u32(const uint32_t *column, uint32_t row)
{
    return column ? column[row] : 0;
}

static inline uint16_t fg_column_u16(const uint16_t *column, uint32_t row)
{
    return column ? column[row] : 0;
}

/* The attributes of one owner as a range of attrs' arrays. */
static inline void fg_attrs_range(const struct fg_attrs *attrs, uint32_t owner, uint32_t *ret_begin,
                                  uint32_t *ret_end)
{
    *ret_begin = attrs->begin ? attrs->begin[owner] : 0;
    *ret_end = attrs->begin ? attrs->begin[owner + 1] : 0;
}
