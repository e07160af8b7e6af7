/* OTLP in its JSON mapping. As in otlp_decode.c the visitor hears an object's scalars before its
 * lists, whatever the order of the text: scan() reads an object's members once, keeps the scalars,
 * and of each list where it begins and how many elements it has; then the lists are walked from
 * there. JSON has no lengths, so stepping over a list reads it: a byte is read once for each of the
 * five levels of messages around it, and never more, however deep its own nesting. */
#include "otlp_json.h"

#include <stddef.h>

enum store {
    TEXT,   /* to a struct fg_slice */
    HEX,    /* to a struct fg_slice: an id */
    U32,    /* to a uint32_t */
    U64,    /* to a uint64_t */
    KIND,   /* to an int32_t: a number or SPAN_KIND_… */
    STATUS, /* to an int32_t: a number or STATUS_CODE_… */
    LIST,   /* to a struct list */
    OBJECT, /* to a struct list */
};

/* Where an array's elements or an object's members begin; NULL where there is none. */
struct list {
    const uint8_t *at;
    uint32_t count;
};

struct member {
    uint8_t store;
    uint8_t offset;   /* in the object's struct */
    const char *name; /* in lowerCamelCase */
    const char *proto_name;
};

struct object {
    const struct member *members;
    size_t member_count;
};

#define OBJECT_OF(members)                                                                         \
    {                                                                                              \
        (members), sizeof(members) / sizeof *(members)                                             \
    }

/* -- The objects
 * ---------------------------------------------------------------------------------------------------
 */

struct request {
    struct list resource_spans;
};

static const struct member request_members[] = {
    {LIST, offsetof(struct request, resource_spans), "resourceSpans", "resource_spans"},
};
static const struct object request_object = OBJECT_OF(request_members);

struct resource {
    struct list resource;
    struct list scope_spans;
    struct list attributes;
    struct fg_otlp_resource scalars;
};
#define AT(member) offsetof(struct resource, member)

static const struct member resource_spans_members[] = {
    {OBJECT, AT(resource), "resource", "resource"},
    {LIST, AT(scope_spans), "scopeSpans", "scope_spans"},
    {TEXT, AT(scalars.schema_url), "schemaUrl", "schema_url"},
};
static const struct object resource_spans_object = OBJECT_OF(resource_spans_members);

static const struct member resource_members[] = {
    {LIST, AT(attributes), "attributes", "attributes"},
    {U32, AT(scalars.dropped_attributes_count), "droppedAttributesCount",
     "dropped_attributes_count"},
};
static const struct object resource_object = OBJECT_OF(resource_members);
#undef AT

struct scope {
    struct list scope;
    struct list spans;
    struct list attributes;
    struct fg_otlp_scope scalars;
};
#define AT(member) offsetof(struct scope, member)

static const struct member scope_spans_members[] = {
    {OBJECT, AT(scope), "scope", "scope"},
    {LIST, AT(spans), "spans", "spans"},
    {TEXT, AT(scalars.schema_url), "schemaUrl", "schema_url"},
};
static const struct object scope_spans_object = OBJECT_OF(scope_spans_members);

static const struct member scope_members[] = {
    {TEXT, AT(scalars.name), "name", "name"},
    {TEXT, AT(scalars.version), "version", "version"},
    {LIST, AT(attributes), "attributes", "attributes"},
    {U32, AT(scalars.dropped_attributes_count), "droppedAttributesCount",
     "dropped_attributes_count"},
};
static const struct object scope_object = OBJECT_OF(scope_members);
#undef AT

struct span {
    struct list attributes;
    struct list events;
    struct list links;
    struct list status;
    struct fg_otlp_span scalars;
};
#define AT(member) offsetof(struct span, member)

static const struct member span_members[] = {
    {HEX, AT(scalars.trace_id), "traceId", "trace_id"},
    {HEX, AT(scalars.span_id), "spanId", "span_id"},
    {HEX, AT(scalars.parent_span_id), "parentSpanId", "parent_span_id"},
    {TEXT, AT(scalars.trace_state), "traceState", "trace_state"},
    {U32, AT(scalars.flags), "flags", "flags"},
    {TEXT, AT(scalars.name), "name", "name"},
    {KIND, AT(scalars.kind), "kind", "kind"},
    {U64, AT(scalars.start_ns), "startTimeUnixNano", "start_time_unix_nano"},
    {U64, AT(scalars.end_ns), "endTimeUnixNano", "end_time_unix_nano"},
    {LIST, AT(attributes), "attributes", "attributes"},
    {U32, AT(scalars.dropped_attributes_count), "droppedAttributesCount",
     "dropped_attributes_count"},
    {LIST, AT(events), "events", "events"},
    {U32, AT(scalars.dropped_events_count), "droppedEventsCount", "dropped_events_count"},
    {LIST, AT(links), "links", "links"},
    {U32, AT(scalars.dropped_links_count), "droppedLinksCount", "dropped_links_count"},
    {OBJECT, AT(status), "status", "status"},
};
static const struct object span_object = OBJECT_OF(span_members);

static const struct member status_members[] = {
    {TEXT, AT(scalars.status_message), "message", "message"},
    {STATUS, AT(scalars.status_code), "code", "code"},
};
static const struct object status_object = OBJECT_OF(status_members);
#undef AT

struct event {
    struct list attributes;
    struct fg_otlp_event scalars;
};
#define AT(member) offsetof(struct event, member)

static const struct member event_members[] = {
    {U64, AT(scalars.time_ns), "timeUnixNano", "time_unix_nano"},
    {TEXT, AT(scalars.name), "name", "name"},
    {LIST, AT(attributes), "attributes", "attributes"},
    {U32, AT(scalars.dropped_attributes_count), "droppedAttributesCount",
     "dropped_attributes_count"},
};
static const struct object event_object = OBJECT_OF(event_members);
#undef AT

struct link {
    struct list attributes;
    struct fg_otlp_link scalars;
};
#define AT(member) offsetof(struct link, member)

static const struct member link_members[] = {
    {HEX, AT(scalars.trace_id), "traceId", "trace_id"},
    {HEX, AT(scalars.span_id), "spanId", "span_id"},
    {TEXT, AT(scalars.trace_state), "traceState", "trace_state"},
    {LIST, AT(attributes), "attributes", "attributes"},
    {U32, AT(scalars.dropped_attributes_count), "droppedAttributesCount",
     "dropped_attributes_count"},
    {U32, AT(scalars.flags), "flags", "flags"},
};
static const struct object link_object = OBJECT_OF(link_members);
#undef AT

/* -- Reading
 * ----------------------------------------------------------------------------------------------------
 */

static const char *const kind_names[] = {
    [FG_OTLP_KIND_UNSPECIFIED] = "SPAN_KIND_UNSPECIFIED",
    [FG_OTLP_KIND_INTERNAL] = "SPAN_KIND_INTERNAL",
    [FG_OTLP_KIND_SERVER] = "SPAN_KIND_SERVER",
    [FG_OTLP_KIND_CLIENT] = "SPAN_KIND_CLIENT",
    [FG_OTLP_KIND_PRODUCER] = "SPAN_KIND_PRODUCER",
    [FG_OTLP_KIND_CONSUMER] = "SPAN_KIND_CONSUMER",
};

static const char *const status_names[] = {
    [FG_OTLP_STATUS_UNSET] = "STATUS_CODE_UNSET",
    [FG_OTLP_STATUS_OK] = "STATUS_CODE_OK",
    [FG_OTLP_STATUS_ERROR] = "STATUS_CODE_ERROR",
};

static int read_enum(const struct fg_json_value *value, const char *const *names, size_t count,
                     int32_t *ret_number)
{
    for (size_t i = 0; i < count; i++)
        if (fg_json_is(value, names[i])) {
            *ret_number = (int32_t)i;
            return 0;
        }
    return fg_json_int32(value, ret_number);
}

static int store_container(struct fg_json_reader *reader, const struct fg_json_value *value,
                           enum fg_json_type type, struct list *list)
{
    if (value->type != type)
        return FG_EINVALID;
    *list = (struct list){.at = reader->at};
    if (type == FG_JSON_ARRAY)
        list->count = fg_json_leave_counting(reader);
    else
        fg_json_leave(reader);
    return 0;
}

static int store(struct fg_json_reader *reader, const struct fg_json_value *value, enum store store,
                 struct fg_arena *arena, void *out)
{
    switch (store) {
    case TEXT:
        return fg_json_text(value, arena, out);
    case HEX:
        return fg_json_bytes_from_hex(value, arena, out);
    case U32:
        return fg_json_uint32(value, out);
    case U64:
        return fg_json_uint64(value, out);
    case KIND:
        return read_enum(value, kind_names, sizeof kind_names / sizeof *kind_names, out);
    case STATUS:
        return read_enum(value, status_names, sizeof status_names / sizeof *status_names, out);
    case LIST:
        return store_container(reader, value, FG_JSON_ARRAY, out);
    case OBJECT:
        return store_container(reader, value, FG_JSON_OBJECT, out);
    }
    return FG_EINVALID;
}

/* null is as good as absent: what an earlier member of that name brought is dropped too. */
static void clear(enum store store, void *out)
{
    static const size_t sizes[] = {
        [TEXT] = sizeof(struct fg_slice), [HEX] = sizeof(struct fg_slice),
        [U32] = sizeof(uint32_t),         [U64] = sizeof(uint64_t),
        [KIND] = sizeof(int32_t),         [STATUS] = sizeof(int32_t),
        [LIST] = sizeof(struct list),     [OBJECT] = sizeof(struct list),
    };
    memset(out, 0, sizes[store]);
}

static int refuse_member(struct fg_otlp_json *decoder, int error, const struct fg_json_value *value,
                         const struct member *member)
{
    static const char *const expected[] = {
        [TEXT] = "expected a string",
        [HEX] = "expected a string of hexadecimal digits",
        [U32] = "expected an unsigned integer of 32 bits",
        [U64] = "expected an unsigned integer of 64 bits, or a string with one",
        [KIND] = "expected a span kind",
        [STATUS] = "expected a status code",
        [LIST] = "expected an array",
        [OBJECT] = "expected an object",
    };
    return fg_otlp_json_refuse(decoder, error == FG_ENOMEM ? error : FG_EINVALID, value->at,
                               member->proto_name, expected[member->store]);
}

static const struct member *find(const struct object *object, const struct fg_json_value *key)
{
    for (size_t i = 0; i < object->member_count; i++) {
        const struct member *member = &object->members[i];
        if (fg_json_is(key, member->name) || fg_json_is(key, member->proto_name))
            return member;
    }
    return NULL;
}

/* Reads the object that reader is inside, to its end. */
static int scan(struct fg_otlp_json *decoder, struct fg_json_reader *reader,
                const struct object *object, struct fg_arena *arena, void *out)
{
    struct fg_json_value key;
    while (fg_json_member(reader, &key)) {
        const struct member *member = find(object, &key);
        struct fg_json_value value = fg_json_read(reader);
        if (!member) {
            fg_json_ignore(reader, &value);
            continue;
        }
        void *to = (uint8_t *)out + member->offset;
        if (value.type == FG_JSON_NULL) {
            clear(member->store, to);
            continue;
        }
        int r = store(reader, &value, member->store, arena, to);
        if (r < 0)
            return refuse_member(decoder, r, &value, member);
    }
    return 0;
}

static struct fg_json_reader list_reader(const struct fg_json_reader *whole,
                                         const struct list *list)
{
    return (struct fg_json_reader){list->at ? list->at : whole->end, whole->end};
}

/* The object that was stepped over before. */
static int scan_object(struct fg_otlp_json *decoder, const struct fg_json_reader *whole,
                       const struct list *list, const struct object *object, void *out)
{
    struct fg_json_reader reader = list_reader(whole, list);
    return scan(decoder, &reader, object, &decoder->outer_arena, out);
}

/* Whether the list has another element, an object, which reader is then inside; 1, 0, or an error.
 */
static int next(struct fg_otlp_json *decoder, struct fg_json_reader *reader, const char *name)
{
    if (!fg_json_element(reader))
        return 0;
    struct fg_json_value value = fg_json_read(reader);
    if (value.type != FG_JSON_OBJECT)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value.at, name,
                                   "expected an object in the array");
    return 1;
}

static int visit_attributes(struct fg_otlp_json *decoder, const struct fg_json_reader *whole,
                            const struct list *attributes, fg_otlp_attribute_fn attribute)
{
    struct fg_json_reader reader = list_reader(whole, attributes);
    struct fg_otlp_value value;
    struct fg_slice key;
    int r;
    while ((r = next(decoder, &reader, "attributes")) > 0) {
        r = fg_otlp_json_attribute(decoder, &reader, &key, &value);
        if (r == 0)
            r = attribute(decoder->arg, key, &value);
        if (r < 0)
            break;
    }
    return r;
}

static int visit_event(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct event event = {0};
    fg_arena_reset(&decoder->inner_arena);
    int r = scan(decoder, reader, &event_object, &decoder->inner_arena, &event);
    if (r < 0)
        return r;
    event.scalars.attribute_count = event.attributes.count;
    r = visitor->event_begin(decoder->arg, &event.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, reader, &event.attributes, visitor->event_attribute);
    return r < 0 ? r : visitor->event_end(decoder->arg);
}

static int visit_link(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct link link = {0};
    fg_arena_reset(&decoder->inner_arena);
    int r = scan(decoder, reader, &link_object, &decoder->inner_arena, &link);
    if (r < 0)
        return r;
    link.scalars.attribute_count = link.attributes.count;
    r = visitor->link_begin(decoder->arg, &link.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, reader, &link.attributes, visitor->link_attribute);
    return r < 0 ? r : visitor->link_end(decoder->arg);
}

static int visit_below_span(struct fg_otlp_json *decoder, const struct fg_json_reader *whole,
                            const struct span *span)
{
    int r = visit_attributes(decoder, whole, &span->attributes, decoder->visitor->span_attribute);
    struct fg_json_reader events = list_reader(whole, &span->events);
    while (r >= 0 && (r = next(decoder, &events, "events")) > 0)
        r = visit_event(decoder, &events);
    struct fg_json_reader links = list_reader(whole, &span->links);
    while (r >= 0 && (r = next(decoder, &links, "links")) > 0)
        r = visit_link(decoder, &links);
    return r;
}

static int visit_span(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct span span = {0};
    fg_arena_reset(&decoder->outer_arena);
    int r = scan(decoder, reader, &span_object, &decoder->outer_arena, &span);
    if (r == 0)
        r = scan_object(decoder, reader, &span.status, &status_object, &span);
    if (r < 0)
        return r;
    span.scalars.attribute_count = span.attributes.count;
    span.scalars.event_count = span.events.count;
    span.scalars.link_count = span.links.count;
    r = visitor->span_begin(decoder->arg, &span.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_below_span(decoder, reader, &span);
    return r < 0 ? r : visitor->span_end(decoder->arg);
}

static int visit_spans(struct fg_otlp_json *decoder, const struct fg_json_reader *whole,
                       const struct list *spans)
{
    struct fg_json_reader reader = list_reader(whole, spans);
    int r = 0;
    decoder->place.depth = 3;
    decoder->place.span = 0;
    for (; r >= 0 && (r = next(decoder, &reader, "spans")) > 0; decoder->place.span++)
        r = visit_span(decoder, &reader);
    decoder->place.depth = 2;
    return r;
}

static int visit_scope(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct scope scope = {0};
    fg_arena_reset(&decoder->outer_arena);
    int r = scan(decoder, reader, &scope_spans_object, &decoder->outer_arena, &scope);
    if (r == 0)
        r = scan_object(decoder, reader, &scope.scope, &scope_object, &scope);
    if (r < 0)
        return r;
    scope.scalars.attribute_count = scope.attributes.count;
    r = visitor->scope_begin(decoder->arg, &scope.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, reader, &scope.attributes, visitor->scope_attribute);
    if (r == 0)
        r = visitor->scope_end(decoder->arg);
    return r < 0 ? r : visit_spans(decoder, reader, &scope.spans);
}

static int visit_scopes(struct fg_otlp_json *decoder, const struct fg_json_reader *whole,
                        const struct list *scopes)
{
    struct fg_json_reader reader = list_reader(whole, scopes);
    int r = 0;
    decoder->place.depth = 2;
    decoder->place.scope_spans = 0;
    for (; r >= 0 && (r = next(decoder, &reader, "scope_spans")) > 0; decoder->place.scope_spans++)
        r = visit_scope(decoder, &reader);
    decoder->place.depth = 1;
    return r;
}

static int visit_resource(struct fg_otlp_json *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct resource resource = {0};
    fg_arena_reset(&decoder->outer_arena);
    int r = scan(decoder, reader, &resource_spans_object, &decoder->outer_arena, &resource);
    if (r == 0)
        r = scan_object(decoder, reader, &resource.resource, &resource_object, &resource);
    if (r < 0)
        return r;
    resource.scalars.attribute_count = resource.attributes.count;
    r = visitor->resource_begin(decoder->arg, &resource.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = visit_attributes(decoder, reader, &resource.attributes, visitor->resource_attribute);
    if (r == 0)
        r = visitor->resource_end(decoder->arg);
    return r < 0 ? r : visit_scopes(decoder, reader, &resource.scope_spans);
}

static int visit_request(struct fg_otlp_json *decoder, struct fg_slice body)
{
    struct request request = {0};
    struct fg_json_reader reader = fg_json_reader(body);
    struct fg_json_value value = fg_json_read(&reader);
    if (value.type != FG_JSON_OBJECT)
        return fg_otlp_json_refuse(decoder, FG_EINVALID, value.at, "body", "expected an object");
    int r = scan(decoder, &reader, &request_object, &decoder->outer_arena, &request);
    struct fg_json_reader list = list_reader(&reader, &request.resource_spans);
    decoder->place.depth = 1;
    for (; r >= 0 && (r = next(decoder, &list, "resource_spans")) > 0;
         decoder->place.resource_spans++)
        r = visit_resource(decoder, &list);
    return r;
}

int fg_otlp_decode_traces_json(struct fg_slice body, const struct fg_otlp_visitor *visitor,
                               void *arg, struct fg_wire_error *error)
{
    if (body.size > UINT32_MAX)
        return fg_wire_fail(error, FG_ELIMIT, "request: larger than 4 GiB");
    int r = fg_json_check(body, error);
    if (r < 0)
        return r;
    struct fg_otlp_json decoder = {
        .visitor = visitor, .arg = arg, .error = error, .body = body.data};
    /* A text that needs a copy has six bytes at least with its name, and takes sixteen. */
    fg_arena_init(&decoder.outer_arena, 4 * body.size);
    fg_arena_init(&decoder.inner_arena, 4 * body.size);
    /* Each part of an attribute is shorter in protobuf than in JSON. */
    fg_buffer_init(&decoder.attribute, body.size);
    r = visit_request(&decoder, body);
    fg_arena_free(&decoder.outer_arena);
    fg_arena_free(&decoder.inner_arena);
    fg_buffer_free(&decoder.attribute);
    return r;
}
