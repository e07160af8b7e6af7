/* A span's object is read once for its scalars and for where its lists are; its tags are read once
 * for those that are fields in OTLP, and once more to be handed on. The body is checked before, see
 * json_reader.h. */
#include "wire/zipkin.h"

#include "base/hex.h"
#include "json_reader.h"

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE  8
#define NS_PER_US     UINT64_C(1000)

struct endpoint {
    struct fg_slice service_name;
    struct fg_slice ip; /* of two the IPv6 address */
    uint32_t port;
};

/* Tags that are not attributes. */
enum tag {
    TAG_PLAIN,
    TAG_ERROR,
    TAG_STATUS_CODE,
    TAG_STATUS_DESCRIPTION,
    TAG_TRACE_STATE,
    TAG_SPAN_KIND,
    TAG_SCOPE_NAME,
    TAG_SCOPE_VERSION,
    TAG_COUNT,
};

struct span {
    struct fg_otlp_span scalars;
    uint8_t trace_id[TRACE_ID_SIZE];
    uint8_t span_id[SPAN_ID_SIZE];
    uint8_t parent_span_id[SPAN_ID_SIZE];
    uint64_t duration_ns;
    bool has_duration;
    bool debug;
    struct endpoint local, remote;
    const uint8_t *tags;        /* in the object; NULL where there are none */
    const uint8_t *annotations; /* in the array */
    struct fg_slice tag[TAG_COUNT];
    bool has_tag[TAG_COUNT];
};

struct decoder {
    const struct fg_otlp_visitor *visitor;
    void *arg;
    struct fg_wire_error *error;
    struct fg_slice body;
    uint32_t index;             /* of the span */
    struct fg_arena texts;      /* of the span */
    struct fg_arena part_texts; /* of one tag or annotation */
    /* What the spans before came under, in `held`. */
    struct fg_arena held;
    struct fg_slice service, scope_name, scope_version;
    bool is_open;
    bool is_skipped; /* the visitor wants nothing of it */
};

static int refuse(struct decoder *decoder, int error, const uint8_t *at, const char *field,
                  const char *what)
{
    if (error == FG_ENOMEM)
        return error;
    return fg_wire_fail(decoder->error, FG_EINVALID, "spans[%u].%s: %s, at byte %zu",
                        decoder->index, field, what, (size_t)(at - decoder->body.data));
}

/* -- Scalars
 * ----------------------------------------------------------------------------------------------------
 */

/* Ids may be shorter than they should be: zeroes on the left are as good as absent. */
static int read_id(const struct fg_json_value *value, uint8_t *ret_bytes, size_t size,
                   struct fg_slice *ret_id)
{
    char digits[2 * TRACE_ID_SIZE];
    if (value->type != FG_JSON_STRING || value->is_escaped || value->text.size > 2 * size)
        return FG_EINVALID;
    memset(digits, '0', sizeof digits);
    memcpy(digits + 2 * size - value->text.size, value->text.data, value->text.size);
    int r = fg_hex_decode(fg_slice(digits, 2 * size), ret_bytes);
    if (r < 0)
        return r;
    *ret_id = fg_slice(ret_bytes, value->text.size ? size : 0);
    return 0;
}

static int read_time(const struct fg_json_value *value, uint64_t *ret_ns)
{
    uint64_t us;
    int r = fg_json_uint64(value, &us);
    if (r < 0)
        return r;
    if (us > UINT64_MAX / NS_PER_US)
        return FG_ELIMIT;
    *ret_ns = us * NS_PER_US;
    return 0;
}

static int read_bool(const struct fg_json_value *value, bool *ret_bool)
{
    if (value->type != FG_JSON_TRUE && value->type != FG_JSON_FALSE)
        return FG_EINVALID;
    *ret_bool = value->type == FG_JSON_TRUE;
    return 0;
}

static int read_kind(const struct fg_json_value *value, int32_t *ret_kind)
{
    static const struct {
        const char *name;
        int32_t kind;
    } kinds[] = {
        {"CLIENT", FG_OTLP_KIND_CLIENT},
        {"SERVER", FG_OTLP_KIND_SERVER},
        {"PRODUCER", FG_OTLP_KIND_PRODUCER},
        {"CONSUMER", FG_OTLP_KIND_CONSUMER},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (fg_json_is(value, kinds[i].name)) {
            *ret_kind = kinds[i].kind;
            return 0;
        }
    return FG_EINVALID;
}

/* A tag's value: Zipkin's own reader takes numbers for strings too. */
static int read_tag(const struct fg_json_value *value, struct fg_arena *arena,
                    struct fg_slice *ret_text)
{
    switch (value->type) {
    case FG_JSON_STRING:
        return fg_json_text(value, arena, ret_text);
    case FG_JSON_NUMBER:
        *ret_text = value->text;
        return 0;
    case FG_JSON_TRUE:
        *ret_text = FG_SLICE("true");
        return 0;
    case FG_JSON_FALSE:
        *ret_text = FG_SLICE("false");
        return 0;
    default:
        return FG_EINVALID;
    }
}

static int read_endpoint(struct decoder *decoder, struct fg_json_reader *reader,
                         const struct fg_json_value *object, const char *field,
                         struct endpoint *endpoint)
{
    if (object->type != FG_JSON_OBJECT)
        return refuse(decoder, FG_EINVALID, object->at, field, "expected an object");
    struct fg_slice ipv4 = {0}, ipv6 = {0};
    struct fg_json_value key;
    *endpoint = (struct endpoint){0};
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        int r = 0;
        if (value.type == FG_JSON_NULL)
            continue;
        if (fg_json_is(&key, "serviceName"))
            r = fg_json_text(&value, &decoder->texts, &endpoint->service_name);
        else if (fg_json_is(&key, "ipv4"))
            r = fg_json_text(&value, &decoder->texts, &ipv4);
        else if (fg_json_is(&key, "ipv6"))
            r = fg_json_text(&value, &decoder->texts, &ipv6);
        else if (fg_json_is(&key, "port"))
            r = fg_json_uint32(&value, &endpoint->port);
        else
            fg_json_ignore(reader, &value);
        if (r < 0)
            return refuse(decoder, r, value.at, field,
                          "serviceName, ipv4 and ipv6 are strings, port a number");
    }
    endpoint->ip = ipv6.size ? ipv6 : ipv4;
    return 0;
}

/* -- Lists
 * ------------------------------------------------------------------------------------------------------
 */

static enum tag tag_of(const struct fg_json_value *key)
{
    static const struct {
        const char *name;
        enum tag tag;
    } names[] = {
        {"error", TAG_ERROR},
        {"otel.status_code", TAG_STATUS_CODE},
        {"otel.status_description", TAG_STATUS_DESCRIPTION},
        {"w3c.tracestate", TAG_TRACE_STATE},
        {"span.kind", TAG_SPAN_KIND},
        {"otel.scope.name", TAG_SCOPE_NAME},
        {"otel.library.name", TAG_SCOPE_NAME},
        {"otel.scope.version", TAG_SCOPE_VERSION},
        {"otel.library.version", TAG_SCOPE_VERSION},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fg_json_is(key, names[i].name))
            return names[i].tag;
    return TAG_PLAIN;
}

/* -1 for a text that names no status. */
static int32_t status_of(struct fg_slice code)
{
    static const char *const names[][2] = {
        [FG_OTLP_STATUS_UNSET] = {"UNSET", "STATUS_CODE_UNSET"},
        [FG_OTLP_STATUS_OK] = {"OK", "STATUS_CODE_OK"},
        [FG_OTLP_STATUS_ERROR] = {"ERROR", "STATUS_CODE_ERROR"},
    };
    for (int32_t status = FG_OTLP_STATUS_UNSET; status <= FG_OTLP_STATUS_ERROR; status++)
        if (fg_slice_equal(code, fg_slice_from_string(names[status][0])) ||
            fg_slice_equal(code, fg_slice_from_string(names[status][1])))
            return status;
    return -1;
}

/* Whether a tag is said whole by the fields that were made of it. */
static bool is_field(const struct span *span, enum tag tag, struct fg_slice value)
{
    switch (tag) {
    case TAG_PLAIN:
        return false;
    case TAG_ERROR:
        return value.size == 0 || fg_slice_equal(value, FG_SLICE("true"));
    case TAG_STATUS_CODE:
        return status_of(value) >= 0;
    case TAG_SPAN_KIND:
        return span->scalars.kind == FG_OTLP_KIND_INTERNAL;
    default:
        return true;
    }
}

/* Reads the object that reader is inside for the tags that are fields, and counts them all. */
static int scan_tags(struct decoder *decoder, struct fg_json_reader *reader, struct span *span)
{
    struct fg_json_value key;
    span->tags = reader->at;
    memset(span->has_tag, 0, sizeof span->has_tag);
    memset(span->tag, 0, sizeof span->tag);
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        struct fg_slice text;
        enum tag tag = tag_of(&key);
        if (value.type == FG_JSON_NULL)
            continue;
        int r = value.type == FG_JSON_ARRAY || value.type == FG_JSON_OBJECT ? FG_EINVALID : 0;
        if (r == 0 && tag != TAG_PLAIN) {
            r = read_tag(&value, &decoder->texts, &text);
            span->has_tag[tag] = true;
            span->tag[tag] = r == 0 ? text : (struct fg_slice){0};
        }
        if (r < 0)
            return refuse(decoder, r, value.at, "tags", "expected strings as values");
    }
    return 0;
}

/* Counts the tags that will be attributes: is_field() needs all fields to be known. */
static uint32_t count_tags(struct decoder *decoder, const struct span *span)
{
    struct fg_json_reader reader = {span->tags, decoder->body.data + decoder->body.size};
    struct fg_json_value key;
    uint32_t count = 0;
    while (span->tags && fg_json_member(&reader, &key)) {
        struct fg_json_value value = fg_json_read(&reader);
        enum tag tag = tag_of(&key);
        count += value.type != FG_JSON_NULL && !is_field(span, tag, span->tag[tag]);
    }
    return count;
}

static int read_annotation(struct decoder *decoder, struct fg_json_reader *reader,
                           struct fg_arena *arena, struct fg_otlp_event *event)
{
    struct fg_json_value key, object = fg_json_read(reader);
    *event = (struct fg_otlp_event){0};
    if (object.type != FG_JSON_OBJECT)
        return refuse(decoder, FG_EINVALID, object.at, "annotations", "expected objects");
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        int r = 0;
        if (value.type == FG_JSON_NULL)
            continue;
        if (fg_json_is(&key, "timestamp"))
            r = read_time(&value, &event->time_ns);
        else if (fg_json_is(&key, "value"))
            r = fg_json_text(&value, arena, &event->name);
        else
            fg_json_ignore(reader, &value);
        if (r < 0)
            return refuse(decoder, r, value.at, "annotations",
                          "timestamp is a number of microseconds, value a string");
    }
    return 0;
}

/* Counts the annotations of the array that reader is inside, and finds the earliest. */
static int scan_annotations(struct decoder *decoder, struct fg_json_reader *reader,
                            struct span *span, uint64_t *ret_earliest_ns)
{
    span->annotations = reader->at;
    span->scalars.event_count = 0;
    *ret_earliest_ns = 0;
    while (fg_json_element(reader)) {
        struct fg_otlp_event event;
        fg_arena_reset(&decoder->part_texts);
        int r = read_annotation(decoder, reader, &decoder->part_texts, &event);
        if (r < 0)
            return r;
        span->scalars.event_count++;
        if (event.time_ns && (*ret_earliest_ns == 0 || event.time_ns < *ret_earliest_ns))
            *ret_earliest_ns = event.time_ns;
    }
    return 0;
}

/* -- A span
 * ------------------------------------------------------------------------------------------------------
 */

struct member {
    const char *name;
    const char *expected;
};

enum { TRACE_ID, ID, PARENT_ID, NAME, KIND, TIMESTAMP, DURATION, SHARED, DEBUG };

static const struct member members[] = {
    [TRACE_ID] = {"traceId", "expected up to 32 hexadecimal digits"},
    [ID] = {"id", "expected up to 16 hexadecimal digits"},
    [PARENT_ID] = {"parentId", "expected up to 16 hexadecimal digits"},
    [NAME] = {"name", "expected a string"},
    [KIND] = {"kind", "expected CLIENT, SERVER, PRODUCER or CONSUMER"},
    [TIMESTAMP] = {"timestamp", "expected a number of microseconds"},
    [DURATION] = {"duration", "expected a number of microseconds"},
    [SHARED] = {"shared", "expected true or false"},
    [DEBUG] = {"debug", "expected true or false"},
};

static int read_scalar(struct decoder *decoder, size_t member, const struct fg_json_value *value,
                       struct span *span)
{
    struct fg_otlp_span *scalars = &span->scalars;
    switch (member) {
    case TRACE_ID:
        return read_id(value, span->trace_id, sizeof span->trace_id, &scalars->trace_id);
    case ID:
        return read_id(value, span->span_id, sizeof span->span_id, &scalars->span_id);
    case PARENT_ID:
        return read_id(value, span->parent_span_id, sizeof span->parent_span_id,
                       &scalars->parent_span_id);
    case NAME:
        return fg_json_text(value, &decoder->texts, &scalars->name);
    case KIND:
        return read_kind(value, &scalars->kind);
    case TIMESTAMP:
        return read_time(value, &scalars->start_ns);
    case DURATION:
        span->has_duration = true;
        return read_time(value, &span->duration_ns);
    case SHARED:
        return read_bool(value, &scalars->shared);
    case DEBUG:
        return read_bool(value, &span->debug);
    default:
        return FG_EINVALID;
    }
}

/* A member that is an object or array, or one that nobody knows. */
static int read_container(struct decoder *decoder, struct fg_json_reader *reader,
                          const struct fg_json_value *key, const struct fg_json_value *value,
                          struct span *span, uint64_t *earliest_ns)
{
    if (fg_json_is(key, "localEndpoint"))
        return read_endpoint(decoder, reader, value, "localEndpoint", &span->local);
    if (fg_json_is(key, "remoteEndpoint"))
        return read_endpoint(decoder, reader, value, "remoteEndpoint", &span->remote);
    if (fg_json_is(key, "tags")) {
        if (value->type != FG_JSON_OBJECT)
            return refuse(decoder, FG_EINVALID, value->at, "tags", "expected an object");
        return scan_tags(decoder, reader, span);
    }
    if (fg_json_is(key, "annotations")) {
        if (value->type != FG_JSON_ARRAY)
            return refuse(decoder, FG_EINVALID, value->at, "annotations", "expected an array");
        return scan_annotations(decoder, reader, span, earliest_ns);
    }
    fg_json_ignore(reader, value);
    return 0;
}

/* Reads the object that reader is inside. Of equal names the last one counts, null is as good as
 * absent. */
static int scan(struct decoder *decoder, struct fg_json_reader *reader, struct span *span,
                uint64_t *ret_earliest_ns)
{
    struct fg_json_value key;
    *ret_earliest_ns = 0;
    while (fg_json_member(reader, &key)) {
        struct fg_json_value value = fg_json_read(reader);
        size_t member = 0;
        if (value.type == FG_JSON_NULL)
            continue;
        while (member < sizeof members / sizeof *members && !fg_json_is(&key, members[member].name))
            member++;
        int r;
        if (member < sizeof members / sizeof *members) {
            r = read_scalar(decoder, member, &value, span);
            if (r < 0)
                return refuse(decoder, r, value.at, members[member].name, members[member].expected);
        } else {
            r = read_container(decoder, reader, &key, &value, span, ret_earliest_ns);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static bool all_zero(struct fg_slice id)
{
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i])
            return false;
    return true;
}

static void set_status(struct span *span)
{
    struct fg_otlp_span *scalars = &span->scalars;
    struct fg_slice error = span->tag[TAG_ERROR];
    int32_t status = status_of(span->tag[TAG_STATUS_CODE]);
    scalars->status_code = status > 0 ? status : FG_OTLP_STATUS_UNSET;
    scalars->status_message = span->tag[TAG_STATUS_DESCRIPTION];
    if (!span->has_tag[TAG_ERROR] || fg_slice_equal(error, FG_SLICE("false")))
        return;
    scalars->status_code = FG_OTLP_STATUS_ERROR;
    if (scalars->status_message.size == 0 && !is_field(span, TAG_ERROR, error))
        scalars->status_message = error;
}

/* What follows from the members when all are known. */
static int complete(struct decoder *decoder, const uint8_t *at, struct span *span,
                    uint64_t earliest_ns)
{
    struct fg_otlp_span *scalars = &span->scalars;
    if (all_zero(scalars->parent_span_id) ||
        fg_slice_equal(scalars->parent_span_id, scalars->span_id))
        scalars->parent_span_id = (struct fg_slice){0};
    if (scalars->kind == 0 && fg_slice_equal(span->tag[TAG_SPAN_KIND], FG_SLICE("internal")))
        scalars->kind = FG_OTLP_KIND_INTERNAL;
    scalars->trace_state = span->tag[TAG_TRACE_STATE];
    set_status(span);
    if (scalars->start_ns == 0)
        scalars->start_ns = earliest_ns;
    if (span->has_duration && span->duration_ns > UINT64_MAX - scalars->start_ns)
        return refuse(decoder, FG_EINVALID, at, "duration", "the end is past the year 2554");
    scalars->end_ns = span->has_duration ? scalars->start_ns + span->duration_ns : 0;
    scalars->attribute_count = count_tags(decoder, span) + (span->local.ip.size > 0) +
                               (span->local.port > 0) + (span->remote.service_name.size > 0) +
                               (span->remote.ip.size > 0) + (span->remote.port > 0) + span->debug;
    return 0;
}

/* -- Calls
 * ------------------------------------------------------------------------------------------------------
 */

static int give_tags(struct decoder *decoder, const struct span *span)
{
    struct fg_json_reader reader = {span->tags, decoder->body.data + decoder->body.size};
    struct fg_json_value key;
    while (span->tags && fg_json_member(&reader, &key)) {
        struct fg_json_value value = fg_json_read(&reader);
        enum tag tag = tag_of(&key);
        struct fg_slice name, text;
        if (value.type == FG_JSON_NULL || is_field(span, tag, span->tag[tag]))
            continue;
        fg_arena_reset(&decoder->part_texts);
        int r = fg_json_text(&key, &decoder->part_texts, &name);
        if (r == 0)
            r = read_tag(&value, &decoder->part_texts, &text);
        if (r < 0)
            return r;
        struct fg_otlp_value string = fg_otlp_string(text);
        r = decoder->visitor->span_attribute(decoder->arg, name, &string);
        if (r < 0)
            return r;
    }
    return 0;
}

static int give_string(struct decoder *decoder, struct fg_slice key, struct fg_slice text)
{
    struct fg_otlp_value value = fg_otlp_string(text);
    return text.size ? decoder->visitor->span_attribute(decoder->arg, key, &value) : 0;
}

static int give_port(struct decoder *decoder, struct fg_slice key, uint32_t port)
{
    struct fg_otlp_value value = fg_otlp_int(port);
    return port ? decoder->visitor->span_attribute(decoder->arg, key, &value) : 0;
}

static int give_attributes(struct decoder *decoder, const struct span *span)
{
    const struct fg_otlp_value debug = fg_otlp_bool(true);
    int r = give_tags(decoder, span);
    if (r >= 0)
        r = give_string(decoder, FG_SLICE("net.host.ip"), span->local.ip);
    if (r >= 0)
        r = give_port(decoder, FG_SLICE("net.host.port"), span->local.port);
    if (r >= 0)
        r = give_string(decoder, FG_SLICE("peer.service"), span->remote.service_name);
    if (r >= 0)
        r = give_string(decoder, FG_SLICE("net.peer.ip"), span->remote.ip);
    if (r >= 0)
        r = give_port(decoder, FG_SLICE("net.peer.port"), span->remote.port);
    if (r >= 0 && span->debug)
        r = decoder->visitor->span_attribute(decoder->arg, FG_SLICE("zipkin.debug"), &debug);
    return r;
}

static int give_events(struct decoder *decoder, const struct span *span)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct fg_json_reader reader = {span->annotations, decoder->body.data + decoder->body.size};
    while (span->annotations && fg_json_element(&reader)) {
        struct fg_otlp_event event;
        fg_arena_reset(&decoder->part_texts);
        int r = read_annotation(decoder, &reader, &decoder->part_texts, &event);
        if (r < 0)
            return r;
        r = visitor->event_begin(decoder->arg, &event);
        if (r == 0)
            r = visitor->event_end(decoder->arg);
        if (r < 0)
            return r;
    }
    return 0;
}

static int hold(struct decoder *decoder, struct fg_slice text, struct fg_slice *ret_copy)
{
    *ret_copy = (struct fg_slice){0};
    if (text.size == 0)
        return 0;
    *ret_copy = fg_arena_copy(&decoder->held, text);
    return ret_copy->data ? 0 : FG_ENOMEM;
}

static int open_resource(struct decoder *decoder)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct fg_otlp_resource resource = {.attribute_count = decoder->service.size > 0};
    struct fg_otlp_value service = fg_otlp_string(decoder->service);
    int r = visitor->resource_begin(decoder->arg, &resource);
    if (r == 0 && decoder->service.size)
        r = visitor->resource_attribute(decoder->arg, FG_SLICE("service.name"), &service);
    return r != 0 ? r : visitor->resource_end(decoder->arg);
}

/* The resource and scope of the span, unless they are open already. */
static int open_place(struct decoder *decoder, const struct span *span)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct fg_otlp_scope scope = {.name = span->tag[TAG_SCOPE_NAME],
                                  .version = span->tag[TAG_SCOPE_VERSION]};
    if (decoder->is_open && fg_slice_equal(decoder->service, span->local.service_name) &&
        fg_slice_equal(decoder->scope_name, scope.name) &&
        fg_slice_equal(decoder->scope_version, scope.version))
        return 0;
    decoder->is_open = true;
    fg_arena_reset(&decoder->held);
    int r = hold(decoder, span->local.service_name, &decoder->service);
    if (r == 0)
        r = hold(decoder, scope.name, &decoder->scope_name);
    if (r == 0)
        r = hold(decoder, scope.version, &decoder->scope_version);
    if (r == 0)
        r = open_resource(decoder);
    if (r == 0)
        r = visitor->scope_begin(decoder->arg, &scope);
    if (r == 0)
        r = visitor->scope_end(decoder->arg);
    decoder->is_skipped = r == FG_OTLP_SKIP;
    return r < 0 ? r : 0;
}

static int visit_span(struct decoder *decoder, struct fg_json_reader *reader)
{
    const struct fg_otlp_visitor *visitor = decoder->visitor;
    struct span span = {.scalars = {.kind = FG_OTLP_KIND_UNSPECIFIED}};
    struct fg_json_value object = fg_json_read(reader);
    uint64_t earliest_ns;
    if (object.type != FG_JSON_OBJECT)
        return fg_wire_fail(decoder->error, FG_EINVALID,
                            "spans[%u]: expected an object, at byte %zu", decoder->index,
                            (size_t)(object.at - decoder->body.data));
    fg_arena_reset(&decoder->texts);
    int r = scan(decoder, reader, &span, &earliest_ns);
    if (r == 0)
        r = complete(decoder, object.at, &span, earliest_ns);
    if (r == 0)
        r = open_place(decoder, &span);
    if (r < 0 || decoder->is_skipped)
        return r;
    r = visitor->span_begin(decoder->arg, &span.scalars);
    if (r != 0)
        return r == FG_OTLP_SKIP ? 0 : r;
    r = give_attributes(decoder, &span);
    if (r >= 0)
        r = give_events(decoder, &span);
    return r < 0 ? r : visitor->span_end(decoder->arg);
}

static int visit_spans(struct decoder *decoder)
{
    struct fg_json_reader reader = fg_json_reader(decoder->body);
    struct fg_json_value list = fg_json_read(&reader);
    if (list.type != FG_JSON_ARRAY)
        return fg_wire_fail(decoder->error, FG_EINVALID, "body: expected an array of spans");
    int r = 0;
    for (; r >= 0 && fg_json_element(&reader); decoder->index++)
        r = visit_span(decoder, &reader);
    return r;
}

int fg_zipkin_decode_spans(struct fg_slice body, const struct fg_otlp_visitor *visitor, void *arg,
                           struct fg_wire_error *error)
{
    if (body.size > UINT32_MAX)
        return fg_wire_fail(error, FG_ELIMIT, "body: larger than 4 GiB");
    int r = fg_json_check(body, error);
    if (r < 0)
        return r;
    struct decoder decoder = {.visitor = visitor, .arg = arg, .error = error, .body = body};
    /* All texts together are no longer than the body; each takes a multiple of sixteen bytes. */
    fg_arena_init(&decoder.texts, 4 * body.size);
    fg_arena_init(&decoder.part_texts, 4 * body.size);
    fg_arena_init(&decoder.held, 4 * body.size);
    r = visit_spans(&decoder);
    fg_arena_free(&decoder.texts);
    fg_arena_free(&decoder.part_texts);
    fg_arena_free(&decoder.held);
    return r;
}
