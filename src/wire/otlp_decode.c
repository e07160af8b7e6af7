/* OTLP in protobuf. The visitor hears a message's scalars before its lists, whatever the order of
 * the bytes, without a tree between: scan() steps over a message's fields once, keeps the scalars,
 * and of each list only its count and where its first item begins and its last one ends; then the
 * lists are walked from there. Each level's frames are read twice at most, and no byte is copied.
 *
 * The messages are tables, so that their fields, types and names stand in one place. */
#include "wire/otlp.h"

#include "otlp_internal.h"

#include <stddef.h>

/* A repeated field, or a message that may come in pieces: its items lie in [begin, end), with other
 * fields between them perhaps. */
struct list {
    const uint8_t *begin;
    const uint8_t *end;
    uint32_t count;
};

enum store {
    UNKNOWN, /* stepped over */
    BYTES,   /* to a struct fg_slice */
    LIST,    /* to a struct list */
    VARINT,  /* to 32 bits: longer ones lose their upper bits, as protobuf has it */
    FIXED32, /* to a uint32_t */
    FIXED64, /* to a uint64_t */
};

static const uint8_t wire_types[] = {
    [BYTES] = FG_PB_BYTES,     [LIST] = FG_PB_BYTES,      [VARINT] = FG_PB_VARINT,
    [FIXED32] = FG_PB_FIXED32, [FIXED64] = FG_PB_FIXED64,
};

struct field {
    uint8_t store;
    uint8_t offset; /* in the message's struct */
    const char *name;
};

struct message {
    const struct field *fields; /* by number */
    size_t field_count;
    const char *name; /* below its place: ".attributes" */
};

#define MESSAGE(fields, name)                                                                      \
    {                                                                                              \
        (fields), sizeof(fields) / sizeof *(fields), (name)                                        \
    }

/* -- The messages
 * -----------------------------------------------------------------------------------------------
 */

struct request {
    struct list resource_spans;
};

static const struct field request_fields[] = {
    [REQUEST_RESOURCE_SPANS] = {LIST, offsetof(struct request, resource_spans), "resource_spans"},
};
static const struct message request_message = MESSAGE(request_fields, "");

struct resource {
    struct list resource;
    struct list scope_spans;
    struct list attributes; /* over all pieces: only the count means something */
    struct fg_otlp_resource scalars;
};
#define AT(member) offsetof(struct resource, member)

static const struct field resource_spans_fields[] = {
    [RESOURCE_SPANS_RESOURCE] = {LIST, AT(resource), "resource"},
    [RESOURCE_SPANS_SCOPE_SPANS] = {LIST, AT(scope_spans), "scope_spans"},
    [RESOURCE_SPANS_SCHEMA_URL] = {BYTES, AT(scalars.schema_url), "schema_url"},
};
static const struct message resource_spans_message = MESSAGE(resource_spans_fields, "");

static const struct field resource_fields[] = {
    [RESOURCE_ATTRIBUTES] = {LIST, AT(attributes), "attributes"},
    [RESOURCE_DROPPED_ATTRIBUTES] = {VARINT, AT(scalars.dropped_attributes_count),
                                     "dropped_attributes_count"},
};
static const struct message resource_message = MESSAGE(resource_fields, ".resource");
#undef AT

struct scope {
    struct list scope;
    struct list spans;
    struct list attributes; /* as a resource's */
    struct fg_otlp_scope scalars;
};
#define AT(member) offsetof(struct scope, member)

static const struct field scope_spans_fields[] = {
    [SCOPE_SPANS_SCOPE] = {LIST, AT(scope), "scope"},
    [SCOPE_SPANS_SPANS] = {LIST, AT(spans), "spans"},
    [SCOPE_SPANS_SCHEMA_URL] = {BYTES, AT(scalars.schema_url), "schema_url"},
};
static const struct message scope_spans_message = MESSAGE(scope_spans_fields, "");

static const struct field scope_fields[] = {
    [SCOPE_NAME] = {BYTES, AT(scalars.name), "name"},
    [SCOPE_VERSION] = {BYTES, AT(scalars.version), "version"},
    [SCOPE_ATTRIBUTES] = {LIST, AT(attributes), "attributes"},
    [SCOPE_DROPPED_ATTRIBUTES] = {VARINT, AT(scalars.dropped_attributes_count),
                                  "dropped_attributes_count"},
};
static const struct message scope_message = MESSAGE(scope_fields, ".scope");
#undef AT

struct span {
    struct list attributes;
    struct list events;
    struct list links;
    struct list status;
    struct fg_otlp_span scalars;
};
#define AT(member) offsetof(struct span, member)

static const struct field span_fields[] = {
    [SPAN_TRACE_ID] = {BYTES, AT(scalars.trace_id), "trace_id"},
    [SPAN_SPAN_ID] = {BYTES, AT(scalars.span_id), "span_id"},
    [SPAN_TRACE_STATE] = {BYTES, AT(scalars.trace_state), "trace_state"},
    [SPAN_PARENT_SPAN_ID] = {BYTES, AT(scalars.parent_span_id), "parent_span_id"},
    [SPAN_NAME] = {BYTES, AT(scalars.name), "name"},
    [SPAN_KIND] = {VARINT, AT(scalars.kind), "kind"},
    [SPAN_START] = {FIXED64, AT(scalars.start_ns), "start_time_unix_nano"},
    [SPAN_END] = {FIXED64, AT(scalars.end_ns), "end_time_unix_nano"},
    [SPAN_ATTRIBUTES] = {LIST, AT(attributes), "attributes"},
    [SPAN_DROPPED_ATTRIBUTES] = {VARINT, AT(scalars.dropped_attributes_count),
                                 "dropped_attributes_count"},
    [SPAN_EVENTS] = {LIST, AT(events), "events"},
    [SPAN_DROPPED_EVENTS] = {VARINT, AT(scalars.dropped_events_count), "dropped_events_count"},
    [SPAN_LINKS] = {LIST, AT(links), "links"},
    [SPAN_DROPPED_LINKS] = {VARINT, AT(scalars.dropped_links_count), "dropped_links_count"},
    [SPAN_STATUS] = {LIST, AT(status), "status"},
    [SPAN_FLAGS] = {FIXED32, AT(scalars.flags), "flags"},
};
static const struct message span_message = MESSAGE(span_fields, "");

static const struct field status_fields[] = {
    [STATUS_MESSAGE] = {BYTES, AT(scalars.status_message), "message"},
    [STATUS_CODE] = {VARINT, AT(scalars.status_code), "code"},
};
static const struct message status_message = MESSAGE(status_fields, ".status");
#undef AT

struct event {
    struct list attributes;
    struct fg_otlp_event scalars;
};
#define AT(member) offsetof(struct event, member)

static const struct field event_fields[] = {
    [EVENT_TIME] = {FIXED64, AT(scalars.time_ns), "time_unix_nano"},
    [EVENT_NAME] = {BYTES, AT(scalars.name), "name"},
    [EVENT_ATTRIBUTES] = {LIST, AT(attributes), "attributes"},
    [EVENT_DROPPED_ATTRIBUTES] = {VARINT, AT(scalars.dropped_attributes_count),
                                  "dropped_attributes_count"},
};
static const struct message event_message = MESSAGE(event_fields, ".events");
#undef AT

struct link {
    struct list attributes;
    struct fg_otlp_link scalars;
};
#define AT(member) offsetof(struct link, member)

static const struct field link_fields[] = {
    [LINK_TRACE_ID] = {BYTES, AT(scalars.trace_id), "trace_id"},
    [LINK_SPAN_ID] = {BYTES, AT(scalars.span_id), "span_id"},
    [LINK_TRACE_STATE] = {BYTES, AT(scalars.trace_state), "trace_state"},
    [LINK_ATTRIBUTES] = {LIST, AT(attributes), "attributes"},
    [LINK_DROPPED_ATTRIBUTES] = {VARINT, AT(scalars.dropped_attributes_count),
                                 "dropped_attributes_count"},
    [LINK_FLAGS] = {FIXED32, AT(scalars.flags), "flags"},
};
static const struct message link_message = MESSAGE(link_fields, ".links");
#undef AT

/* -- Reading
 * ----------------------------------------------------------------------------------------------------
 */

struct decoder {
    const struct fg_otlp_visitor *visitor;
    void *arg;
    struct fg_wire_error *error;
    const uint8_t *body;
    struct fg_otlp_place place;
};

static int store_list(struct fg_pb_reader *reader, const uint8_t *start, struct list *list)
{
    struct fg_slice item;
    int r = fg_pb_read_bytes(reader, &item);
    if (r < 0)
        return r;
    if (list->count++ == 0)
        list->begin = start;
    list->end = reader->at;
    return 0;
}

static int store_varint(struct fg_pb_reader *reader, uint32_t *ret_value)
{
    uint64_t value;
    int r = fg_pb_read_varint(reader, &value);
    if (r == 0)
        *ret_value = (uint32_t)value;
    return r;
}

static inline int store(struct fg_pb_reader *reader, const uint8_t *start, enum store store,
                        void *out)
{
    switch (store) {
    case BYTES:
        return fg_pb_read_bytes(reader, out);
    case LIST:
        return store_list(reader, start, out);
    case VARINT:
        return store_varint(reader, out);
    case FIXED32:
        return fg_pb_read_fixed32(reader, out);
    case FIXED64:
        return fg_pb_read_fixed64(reader, out);
    case UNKNOWN:
        break;
    }
    return FG_EINVALID;
}

static int refuse(struct decoder *decoder, const uint8_t *at, const struct message *message,
                  const char *field, const char *what)
{
    return fg_otlp_fail(decoder->error, FG_EINVALID, &decoder->place, (size_t)(at - decoder->body),
                        "%s%s%s: %s", message->name[0] ? message->name + 1 : "",
                        message->name[0] && field[0] ? "." : "", field, what);
}

/* A number past the table, or in a hole of it, is a field that nobody knows. */
static inline const struct field *find(const struct message *message, uint32_t number)
{
    static const struct field unknown = {UNKNOWN, 0, ""};
    if (number >= message->field_count || message->fields[number].store == UNKNOWN)
        return &unknown;
    return &message->fields[number];
}

/* Reads all fields of bytes; scalars and lists go to the struct out that message's table is about.
 */
static int scan(struct decoder *decoder, struct fg_slice bytes, const struct message *message,
                void *out)
{
    struct fg_pb_reader reader = fg_pb_reader(bytes);
    while (!fg_pb_reader_done(&reader)) {
        const uint8_t *start = reader.at;
        uint32_t tag;
        if (fg_pb_read_tag(&reader, &tag) < 0)
            return refuse(decoder, start, message, "", "malformed tag");
        const struct field *field = find(message, tag >> 3);
        int r;
        if (field->store == UNKNOWN)
            r = fg_pb_skip(&reader, tag);
        else if (wire_types[field->store] != (tag & 7))
            return refuse(decoder, start, message, field->name, "wrong wire type");
        else
            r = store(&reader, start, field->store, (uint8_t *)out + field->offset);
        if (r < 0)
            return refuse(decoder, start, message, field->name, "malformed or cut off");
    }
    return 0;
}

/* The next item of a list. What lies in the list was read by scan() before: nothing can fail. */
static inline bool next(struct fg_pb_reader *reader, uint32_t number, struct fg_slice *ret_item)
{
    while (!fg_pb_reader_done(reader)) {
        uint32_t tag;
        if (fg_pb_read_tag(reader, &tag) < 0)
            return false;
        if (tag == FG_PB_TAG(number, FG_PB_BYTES))
            return fg_pb_read_bytes(reader, ret_item) == 0;
        if (fg_pb_skip(reader, tag) < 0)
            return false;
    }
    return false;
}

static struct fg_pb_reader list_reader(const struct list *list)
{
    return (struct fg_pb_reader){list->begin, list->end};
}

/* Scans each piece of a message into the same struct: so pieces are merged. */
static int scan_pieces(struct decoder *decoder, const struct list *pieces, uint32_t number,
                       const struct message *message, void *out)
{
    struct fg_pb_reader reader = list_reader(pieces);
    struct fg_slice piece;
    int r = 0;
    while (r == 0 && next(&reader, number, &piece))
        r = scan(decoder, piece, message, out);
    return r;
}

static int refuse_attribute(struct decoder *decoder, struct fg_slice entry, int error,
                            const struct message *message)
{
    if (error == FG_ELIMIT)
        return fg_otlp_fail(decoder->error, error, &decoder->place,
                            (size_t)(entry.data - decoder->body),
                            "attributes: arrays and maps are nested too deep");
    return refuse(decoder, entry.data, message, "attributes", "malformed attribute");
}

/* The attributes among [reader->at, reader->end). */
static int visit_attributes(struct decoder *decoder, struct fg_pb_reader reader, uint32_t number,
                            const struct message *message, fg_otlp_attribute_fn attribute)
{
    struct fg_slice entry, key;
    struct fg_otlp_value value;
    while (next(&reader, number, &entry)) {
        int r = fg_otlp_entry_decode(entry, &key, &value);
        if (r < 0)
            return refuse_attribute(decoder, entry, r, message);
        r = attribute(decoder->arg, key, &value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The attributes of a resource or scope, which may come in pieces. */
static int visit_pieces(struct decoder *decoder, const struct list *pieces, uint32_t number,
                        uint32_t attributes_number, const struct message *message,
                        fg_otlp_attribute_fn attribute)
{
    struct fg_pb_reader reader = list_reader(pieces);
    struct fg_slice piece;
    int r = 0;
    while (r == 0 && next(&reader, number, &piece))
        r = visit_attributes(decoder, fg_pb_reader(piece), attributes_number, message, attribute);
    return r;
}

static int visit_event(struct decoder *decoder, struct fg_slice bytes)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct event event = {0};
    int r = scan(decoder, bytes, &event_message, &event);
    if (r < 0)
        return r;
    event.scalars.attribute_count = event.attributes.count;
    r = visitor->event_begin(decoder->arg, &event.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, list_reader(&event.attributes), EVENT_ATTRIBUTES, &event_message,
                         visitor->event_attribute);
    return r < 0 ? r : visitor->event_end(decoder->arg);
}

static int visit_link(struct decoder *decoder, struct fg_slice bytes)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct link link = {0};
    int r = scan(decoder, bytes, &link_message, &link);
    if (r < 0)
        return r;
    link.scalars.attribute_count = link.attributes.count;
    r = visitor->link_begin(decoder->arg, &link.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, list_reader(&link.attributes), LINK_ATTRIBUTES, &link_message,
                         visitor->link_attribute);
    return r < 0 ? r : visitor->link_end(decoder->arg);
}

static int visit_below_span(struct decoder *decoder, const struct span *span)
{
    int r = visit_attributes(decoder, list_reader(&span->attributes), SPAN_ATTRIBUTES,
                             &span_message, decoder->visitor->span_attribute);
    struct fg_slice item;
    struct fg_pb_reader events = list_reader(&span->events);
    while (r == 0 && next(&events, SPAN_EVENTS, &item))
        r = visit_event(decoder, item);
    struct fg_pb_reader links = list_reader(&span->links);
    while (r == 0 && next(&links, SPAN_LINKS, &item))
        r = visit_link(decoder, item);
    return r;
}

static int visit_span(struct decoder *decoder, struct fg_slice bytes)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct span span = {0};
    int r = scan(decoder, bytes, &span_message, &span);
    if (r == 0)
        r = scan_pieces(decoder, &span.status, SPAN_STATUS, &status_message, &span);
    if (r < 0)
        return r;
    span.scalars.attribute_count = span.attributes.count;
    span.scalars.event_count = span.events.count;
    span.scalars.link_count = span.links.count;
    r = visitor->span_begin(decoder->arg, &span.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_below_span(decoder, &span);
    return r < 0 ? r : visitor->span_end(decoder->arg);
}

static int visit_spans(struct decoder *decoder, const struct list *spans)
{
    struct fg_pb_reader reader = list_reader(spans);
    struct fg_slice bytes;
    int r = 0;
    decoder->place.depth = 3;
    decoder->place.span = 0;
    for (; r == 0 && next(&reader, SCOPE_SPANS_SPANS, &bytes); decoder->place.span++)
        r = visit_span(decoder, bytes);
    decoder->place.depth = 2;
    return r;
}

static int visit_scope(struct decoder *decoder, struct fg_slice bytes)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct scope scope = {0};
    int r = scan(decoder, bytes, &scope_spans_message, &scope);
    if (r == 0)
        r = scan_pieces(decoder, &scope.scope, SCOPE_SPANS_SCOPE, &scope_message, &scope);
    if (r < 0)
        return r;
    scope.scalars.attribute_count = scope.attributes.count;
    r = visitor->scope_begin(decoder->arg, &scope.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_pieces(decoder, &scope.scope, SCOPE_SPANS_SCOPE, SCOPE_ATTRIBUTES, &scope_message,
                     visitor->scope_attribute);
    if (r == 0)
        r = visitor->scope_end(decoder->arg);
    return r < 0 ? r : visit_spans(decoder, &scope.spans);
}

static int visit_scopes(struct decoder *decoder, const struct list *scopes)
{
    struct fg_pb_reader reader = list_reader(scopes);
    struct fg_slice bytes;
    int r = 0;
    decoder->place.depth = 2;
    decoder->place.scope_spans = 0;
    for (; r == 0 && next(&reader, RESOURCE_SPANS_SCOPE_SPANS, &bytes);
         decoder->place.scope_spans++)
        r = visit_scope(decoder, bytes);
    decoder->place.depth = 1;
    return r;
}

static int visit_resource(struct decoder *decoder, struct fg_slice bytes)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct resource resource = {0};
    int r = scan(decoder, bytes, &resource_spans_message, &resource);
    if (r == 0)
        r = scan_pieces(decoder, &resource.resource, RESOURCE_SPANS_RESOURCE, &resource_message,
                        &resource);
    if (r < 0)
        return r;
    resource.scalars.attribute_count = resource.attributes.count;
    r = visitor->resource_begin(decoder->arg, &resource.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_pieces(decoder, &resource.resource, RESOURCE_SPANS_RESOURCE, RESOURCE_ATTRIBUTES,
                     &resource_message, visitor->resource_attribute);
    if (r == 0)
        r = visitor->resource_end(decoder->arg);
    return r < 0 ? r : visit_scopes(decoder, &resource.scope_spans);
}

int fg_otlp_decode_traces(struct fg_slice body, const struct fg_otlp_visitor *visitor, void *arg,
                          struct fg_wire_error *error)
{
    struct decoder decoder = {visitor, arg, error, body.data, {0}};
    struct request request = {0};
    /* Each item takes two bytes at least, so that below this size 32-bit counts can't overflow. */
    if (body.size > UINT32_MAX)
        return fg_wire_fail(error, FG_ELIMIT, "request: larger than 4 GiB");
    int r = scan(&decoder, body, &request_message, &request);
    struct fg_pb_reader reader = list_reader(&request.resource_spans);
    struct fg_slice bytes;
    decoder.place.depth = 1;
    for (; r == 0 && next(&reader, REQUEST_RESOURCE_SPANS, &bytes); decoder.place.resource_spans++)
        r = visit_resource(&decoder, bytes);
    return r;
}
