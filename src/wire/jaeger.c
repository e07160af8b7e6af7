/* A span's object is written front to back: what the visitor tells at the begin, then tags, logs
 * and references as they come. The text of "processes" is kept in the arena until the end. */
#include "wire/jaeger.h"

#include "base/limits.h"
#include "wire/otlp_encode.h"

#include <inttypes.h>
#include <stdio.h>

/* What JavaScript's numbers hold exactly; integers past it go as strings, as Jaeger does. */
#define SAFE_INTEGER_MAX ((INT64_C(1) << 53) - 1)
/* What Jaeger calls the process of spans whose resource has no service.name. */
#define NO_SERVICE FG_SLICE("OTLPResourceNoServiceName")
/* A value's text may be longer than its encoding: an escaped byte takes six. */
#define TEXT_GROWTH_MAX 8

/* fg_jaeger_encoder.list. */
enum { TAGS, LOGS, REFERENCES };

struct fg_jaeger_text {
    struct fg_jaeger_text *next;
    struct fg_slice text;
};

/* -- Tags
 * -------------------------------------------------------------------------------------------------------
 */

static void tag_begin(struct fg_json_writer *json, struct fg_slice key, struct fg_slice type)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "key");
    fg_json_string(json, key);
    FG_JSON_KEY(json, "type");
    fg_json_string(json, type);
    FG_JSON_KEY(json, "value");
}

static void write_string_tag(struct fg_json_writer *json, struct fg_slice key, struct fg_slice text)
{
    tag_begin(json, key, FG_SLICE("string"));
    fg_json_string(json, text);
    fg_json_object_end(json);
}

static void write_bool_tag(struct fg_json_writer *json, struct fg_slice key, bool value)
{
    tag_begin(json, key, FG_SLICE("bool"));
    fg_json_bool(json, value);
    fg_json_object_end(json);
}

static void write_int_tag(struct fg_json_writer *json, struct fg_slice key, int64_t value)
{
    tag_begin(json, key, FG_SLICE("int64"));
    if (value > SAFE_INTEGER_MAX || value < -SAFE_INTEGER_MAX)
        fg_json_int_string(json, value);
    else
        fg_json_int(json, value);
    fg_json_object_end(json);
}

/* An array or map is a string that is JSON. */
static int write_list_tag(struct fg_json_writer *json, struct fg_slice key,
                          const struct fg_otlp_value *value)
{
    struct fg_buffer text;
    fg_buffer_init(&text, 64 + TEXT_GROWTH_MAX * value->encoded.size);
    struct fg_json_writer inner = fg_json_writer(&text);
    fg_otlp_value_write_plain(&inner, value);
    int r = text.error;
    if (r == 0)
        write_string_tag(json, key, fg_buffer_slice(&text));
    fg_buffer_free(&text);
    return r;
}

static int write_tag(struct fg_json_writer *json, struct fg_slice key,
                     const struct fg_otlp_value *value)
{
    switch (value->type) {
    case FG_OTLP_EMPTY:
        write_string_tag(json, key, fg_slice(NULL, 0));
        break;
    case FG_OTLP_STRING:
        write_string_tag(json, key, value->string);
        break;
    case FG_OTLP_BOOL:
        write_bool_tag(json, key, value->boolean);
        break;
    case FG_OTLP_INT:
        write_int_tag(json, key, value->integer);
        break;
    case FG_OTLP_DOUBLE:
        tag_begin(json, key, FG_SLICE("float64"));
        fg_json_double(json, value->number);
        fg_json_object_end(json);
        break;
    case FG_OTLP_BYTES:
        tag_begin(json, key, FG_SLICE("binary"));
        fg_json_base64(json, value->bytes);
        fg_json_object_end(json);
        break;
    case FG_OTLP_ARRAY:
    case FG_OTLP_KVLIST:
        return write_list_tag(json, key, value);
    }
    return json->buffer->error;
}

/* -- Processes
 * --------------------------------------------------------------------------------------------------
 */

/* Moves what was written to text into the arena, as the next part of "processes". */
static int keep(struct fg_jaeger_encoder *encoder, struct fg_buffer *text)
{
    struct fg_jaeger_text *part = NULL;
    int r = text->error;
    if (r == 0) {
        part = fg_arena_calloc(encoder->arena, 1, sizeof *part);
        r = part ? 0 : FG_ELIMIT;
    }
    if (r == 0) {
        part->text = fg_arena_copy(encoder->arena, fg_buffer_slice(text));
        r = part->text.data ? 0 : FG_ELIMIT;
    }
    if (r == 0) {
        *encoder->processes_end = part;
        encoder->processes_end = &part->next;
    }
    fg_buffer_free(text);
    return r;
}

static struct fg_json_writer process_writer(const struct fg_jaeger_encoder *encoder,
                                            struct fg_buffer *text)
{
    fg_buffer_init(text, encoder->json->buffer->size_max);
    struct fg_json_writer json = fg_json_writer(text);
    json.comma = encoder->process_comma;
    return json;
}

static void write_process_id(struct fg_json_writer *json, const struct fg_jaeger_encoder *encoder,
                             void (*write)(struct fg_json_writer *json, struct fg_slice id))
{
    char id[16];
    int size = snprintf(id, sizeof id, "p%" PRIu32, encoder->process_count);
    write(json, fg_slice(id, (size_t)size));
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    (void)resource;
    struct fg_jaeger_encoder *encoder = arg;
    struct fg_buffer text;
    encoder->process_comma = encoder->process_count > 0;
    encoder->process_count++;
    encoder->service = NO_SERVICE;
    struct fg_json_writer json = process_writer(encoder, &text);
    write_process_id(&json, encoder, fg_json_key);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "tags");
    fg_json_array_begin(&json);
    encoder->process_comma = json.comma;
    return keep(encoder, &text);
}

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_jaeger_encoder *encoder = arg;
    struct fg_buffer text;
    if (fg_slice_equal(key, FG_SLICE("service.name")) && value->type == FG_OTLP_STRING) {
        if (value->string.size == 0)
            return 0;
        encoder->service = fg_arena_copy(encoder->arena, value->string);
        return encoder->service.data ? 0 : FG_ELIMIT;
    }
    struct fg_json_writer json = process_writer(encoder, &text);
    int r = write_tag(&json, key, value);
    encoder->process_comma = json.comma;
    int kept = keep(encoder, &text);
    return r < 0 ? r : kept;
}

static int resource_end(void *arg)
{
    struct fg_jaeger_encoder *encoder = arg;
    struct fg_buffer text;
    struct fg_json_writer json = process_writer(encoder, &text);
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "serviceName");
    fg_json_string(&json, encoder->service);
    fg_json_object_end(&json);
    return keep(encoder, &text);
}

static void write_processes(struct fg_jaeger_encoder *encoder)
{
    struct fg_json_writer *json = encoder->json;
    FG_JSON_KEY(json, "processes");
    fg_json_object_begin(json);
    for (const struct fg_jaeger_text *part = encoder->processes; part; part = part->next)
        fg_buffer_append_slice(json->buffer, part->text);
    fg_json_object_end(json);
}

/* -- Spans
 * ------------------------------------------------------------------------------------------------------
 */

static int copy(struct fg_jaeger_encoder *encoder, struct fg_slice text, struct fg_slice *ret_copy)
{
    *ret_copy = (struct fg_slice){0};
    if (text.size == 0)
        return 0;
    *ret_copy = fg_arena_copy(encoder->arena, text);
    return ret_copy->data ? 0 : FG_ELIMIT;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct fg_jaeger_encoder *encoder = arg;
    int r = copy(encoder, scope->name, &encoder->scope_name);
    return r < 0 ? r : copy(encoder, scope->version, &encoder->scope_version);
}

/* Jaeger has no place for them. */
static int scope_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    (void)arg;
    (void)key;
    (void)value;
    return 0;
}

static int scope_end(void *arg)
{
    (void)arg;
    return 0;
}

static void write_text_tag(struct fg_json_writer *json, struct fg_slice key, struct fg_slice text)
{
    if (text.size)
        write_string_tag(json, key, text);
}

/* The tags that are fields in OTLP. */
static void write_field_tags(struct fg_jaeger_encoder *encoder, const struct fg_otlp_span *span)
{
    static const char *const kinds[] = {
        [FG_OTLP_KIND_UNSPECIFIED] = "",      [FG_OTLP_KIND_INTERNAL] = "internal",
        [FG_OTLP_KIND_SERVER] = "server",     [FG_OTLP_KIND_CLIENT] = "client",
        [FG_OTLP_KIND_PRODUCER] = "producer", [FG_OTLP_KIND_CONSUMER] = "consumer",
    };
    struct fg_json_writer *json = encoder->json;
    write_text_tag(json, FG_SLICE("otel.scope.name"), encoder->scope_name);
    write_text_tag(json, FG_SLICE("otel.scope.version"), encoder->scope_version);
    if (span->kind > 0 && (size_t)span->kind < sizeof kinds / sizeof *kinds)
        write_string_tag(json, FG_SLICE("span.kind"), fg_slice_from_string(kinds[span->kind]));
    if (span->status_code == FG_OTLP_STATUS_OK)
        write_string_tag(json, FG_SLICE("otel.status_code"), FG_SLICE("OK"));
    if (span->status_code == FG_OTLP_STATUS_ERROR) {
        write_string_tag(json, FG_SLICE("otel.status_code"), FG_SLICE("ERROR"));
        write_bool_tag(json, FG_SLICE("error"), true);
    }
    write_text_tag(json, FG_SLICE("otel.status_description"), span->status_message);
    write_text_tag(json, FG_SLICE("w3c.tracestate"), span->trace_state);
}

static void write_warnings(struct fg_json_writer *json, const struct fg_otlp_span *span)
{
    FG_JSON_KEY(json, "warnings");
    if (span->end_ns >= span->start_ns) {
        fg_json_null(json);
        return;
    }
    fg_json_array_begin(json);
    fg_json_string(json, span->end_ns ? FG_SLICE("the span ends before it starts")
                                      : FG_SLICE("the span has not ended"));
    fg_json_array_end(json);
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct fg_jaeger_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    encoder->span = *span;
    encoder->list = TAGS;
    if (!encoder->has_span && span->trace_id.size == sizeof encoder->trace_id)
        memcpy(encoder->trace_id, span->trace_id.data, sizeof encoder->trace_id);
    encoder->has_span = true;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "traceID");
    fg_json_hex(json, span->trace_id);
    FG_JSON_KEY(json, "spanID");
    fg_json_hex(json, span->span_id);
    /* Jaeger's sampled is W3C's, its debug is not W3C's second flag. */
    FG_JSON_KEY(json, "flags");
    fg_json_uint(json, span->flags & 1);
    FG_JSON_KEY(json, "operationName");
    fg_json_string(json, span->name);
    FG_JSON_KEY(json, "startTime");
    fg_json_uint(json, span->start_ns / 1000);
    FG_JSON_KEY(json, "duration");
    fg_json_uint(json, span->end_ns > span->start_ns ? (span->end_ns - span->start_ns) / 1000 : 0);
    FG_JSON_KEY(json, "processID");
    write_process_id(json, encoder, fg_json_string);
    write_warnings(json, span);
    FG_JSON_KEY(json, "tags");
    fg_json_array_begin(json);
    write_field_tags(encoder, span);
    return json->buffer->error;
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_jaeger_encoder *encoder = arg;
    return write_tag(encoder->json, key, value);
}

static void write_reference(struct fg_json_writer *json, bool is_parent, struct fg_slice trace_id,
                            struct fg_slice span_id)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "refType");
    fg_json_string(json, is_parent ? FG_SLICE("CHILD_OF") : FG_SLICE("FOLLOWS_FROM"));
    FG_JSON_KEY(json, "traceID");
    fg_json_hex(json, trace_id);
    FG_JSON_KEY(json, "spanID");
    fg_json_hex(json, span_id);
    fg_json_object_end(json);
}

/* All three lists are always there: those that got nothing are begun and ended on the way. */
static void turn_to_list(struct fg_jaeger_encoder *encoder, uint8_t list)
{
    struct fg_json_writer *json = encoder->json;
    const struct fg_otlp_span *span = &encoder->span;
    while (encoder->list < list) {
        fg_json_array_end(json);
        encoder->list++;
        fg_json_key(json, encoder->list == LOGS ? FG_SLICE("logs") : FG_SLICE("references"));
        fg_json_array_begin(json);
        /* Readers look for the parent in the first place. */
        if (encoder->list == REFERENCES && span->parent_span_id.size)
            write_reference(json, true, span->trace_id, span->parent_span_id);
    }
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct fg_jaeger_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    turn_to_list(encoder, LOGS);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "timestamp");
    fg_json_uint(json, event->time_ns / 1000);
    FG_JSON_KEY(json, "fields");
    fg_json_array_begin(json);
    write_text_tag(json, FG_SLICE("event"), event->name);
    return json->buffer->error;
}

static int event_end(void *arg)
{
    struct fg_jaeger_encoder *encoder = arg;
    fg_json_array_end(encoder->json);
    fg_json_object_end(encoder->json);
    return encoder->json->buffer->error;
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    struct fg_jaeger_encoder *encoder = arg;
    turn_to_list(encoder, REFERENCES);
    encoder->link = *link;
    encoder->link_is_parent = false;
    return 0;
}

static int link_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_jaeger_encoder *encoder = arg;
    if (fg_slice_equal(key, FG_SLICE("opentracing.ref_type")) && value->type == FG_OTLP_STRING)
        encoder->link_is_parent = fg_slice_equal(value->string, FG_SLICE("child_of"));
    return 0;
}

static int link_end(void *arg)
{
    struct fg_jaeger_encoder *encoder = arg;
    const struct fg_otlp_link *link = &encoder->link;
    const struct fg_otlp_span *span = &encoder->span;
    bool is_written = encoder->link_is_parent && fg_slice_equal(link->trace_id, span->trace_id) &&
                      fg_slice_equal(link->span_id, span->parent_span_id);
    if (!is_written)
        write_reference(encoder->json, encoder->link_is_parent, link->trace_id, link->span_id);
    return encoder->json->buffer->error;
}

static int span_end(void *arg)
{
    struct fg_jaeger_encoder *encoder = arg;
    turn_to_list(encoder, REFERENCES);
    fg_json_array_end(encoder->json);
    fg_json_object_end(encoder->json);
    return encoder->json->buffer->error;
}

static const struct fg_otlp_visitor jaeger_visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = resource_attribute,
    .resource_end = resource_end,
    .scope_begin = scope_begin,
    .scope_attribute = scope_attribute,
    .scope_end = scope_end,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = span_attribute,
    .event_end = event_end,
    .link_begin = link_begin,
    .link_attribute = link_attribute,
    .link_end = link_end,
    .span_end = span_end,
};

void fg_jaeger_encoder_init(struct fg_jaeger_encoder *encoder, struct fg_json_writer *json,
                            struct fg_arena *arena)
{
    *encoder = (struct fg_jaeger_encoder){.visitor = &jaeger_visitor, .json = json, .arena = arena};
    encoder->processes_end = &encoder->processes;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "spans");
    fg_json_array_begin(json);
}

int fg_jaeger_encoder_finish(struct fg_jaeger_encoder *encoder)
{
    struct fg_json_writer *json = encoder->json;
    fg_json_array_end(json);
    FG_JSON_KEY(json, "traceID");
    fg_json_hex(json,
                fg_slice(encoder->trace_id, encoder->has_span ? sizeof encoder->trace_id : 0));
    write_processes(encoder);
    FG_JSON_KEY(json, "warnings");
    fg_json_null(json);
    fg_json_object_end(json);
    return json->buffer->error;
}
