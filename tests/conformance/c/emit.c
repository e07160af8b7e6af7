/* Emits one part of scenario.json with libfiligree, as the other languages' programs do with their
 * SDKs. Prints the ids that it chose. */
#include <filigree.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPANS_MAX = 16, ATTRS_MAX = 64, LIST_MAX = 16, LINKS_MAX = 8 };

static uint64_t base_ns;

/* Attributes of a JSON list, with room for what arrays point to. */
struct attrs {
    fg_attr items[ATTRS_MAX];
    size_t count;
    union {
        const char *strings[LIST_MAX];
        int64_t integers[LIST_MAX];
        double numbers[LIST_MAX];
        unsigned char booleans[LIST_MAX];
    } lists[ATTRS_MAX];
};

static void fail(const char *what)
{
    fprintf(stderr, "emit: %s\n", what);
    exit(1);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static uint64_t time_of(const json_t *object, const char *key)
{
    return base_ns + (uint64_t)json_integer_value(json_object_get(object, key));
}

static int64_t integer_of(const json_t *value)
{
    return strtoll(json_string_value(value), NULL, 10);
}

/* An array's elements are of one kind. */
static fg_attr list_of(struct attrs *attrs, const char *key, const json_t *list)
{
    json_t *values = json_object_get(list, "values"), *element;
    size_t count = json_array_size(values), i;
    const char *kind = json_object_iter_key(json_object_iter(json_array_get(values, 0)));
    if (count > LIST_MAX)
        fail("a list is too long");
    json_array_foreach(values, i, element)
    {
        const json_t *content = json_object_get(element, kind);
        if (strcmp(kind, "stringValue") == 0)
            attrs->lists[attrs->count].strings[i] = json_string_value(content);
        else if (strcmp(kind, "intValue") == 0)
            attrs->lists[attrs->count].integers[i] = integer_of(content);
        else if (strcmp(kind, "doubleValue") == 0)
            attrs->lists[attrs->count].numbers[i] = json_number_value(content);
        else
            attrs->lists[attrs->count].booleans[i] = json_is_true(content);
    }
    if (strcmp(kind, "stringValue") == 0)
        return fg_attr_strings(key, attrs->lists[attrs->count].strings, count);
    if (strcmp(kind, "intValue") == 0)
        return fg_attr_ints(key, attrs->lists[attrs->count].integers, count);
    if (strcmp(kind, "doubleValue") == 0)
        return fg_attr_doubles(key, attrs->lists[attrs->count].numbers, count);
    return fg_attr_bools(key, attrs->lists[attrs->count].booleans, count);
}

static fg_attr attr_of(struct attrs *attrs, const char *key, const json_t *value)
{
    const char *kind = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)value));
    const json_t *content = json_object_get(value, kind);
    if (strcmp(kind, "stringValue") == 0)
        return fg_attr_string(key, json_string_value(content));
    if (strcmp(kind, "intValue") == 0)
        return fg_attr_int(key, integer_of(content));
    if (strcmp(kind, "doubleValue") == 0)
        return fg_attr_double(key, json_number_value(content));
    if (strcmp(kind, "boolValue") == 0)
        return fg_attr_bool(key, json_is_true(content));
    return list_of(attrs, key, content);
}

static void read_attrs(struct attrs *attrs, const json_t *list)
{
    size_t i;
    json_t *item;
    attrs->count = 0;
    json_array_foreach(list, i, item)
    {
        if (attrs->count == ATTRS_MAX)
            fail("too many attributes");
        attrs->items[attrs->count] =
            attr_of(attrs, text_of(item, "key"), json_object_get(item, "value"));
        attrs->count++;
    }
}

static const char *get_header(void *carrier, const char *name)
{
    (void)carrier;
    return strcmp(name, "traceparent") == 0  ? getenv("TRACEPARENT")
           : strcmp(name, "tracestate") == 0 ? getenv("TRACESTATE")
                                             : NULL;
}

/* The ids of a hexadecimal text. */
static fg_span linked(const json_t *link)
{
    fg_span span = {.opaque = 1}; /* sampled */
    for (size_t i = 0; i < 24; i++) {
        const char *text = i < 16 ? text_of(link, "traceId") : text_of(link, "spanId");
        unsigned byte;
        sscanf(text + 2 * (i < 16 ? i : i - 16), "%2x", &byte);
        *(i < 16 ? &span.trace_id[i] : &span.span_id[i - 16]) = (unsigned char)byte;
    }
    return span;
}

static fg_span_kind kind_of(const char *name)
{
    static const char *const names[] = {"", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    for (int i = 1; i <= FG_SPAN_CONSUMER; i++)
        if (strcmp(name, names[i]) == 0)
            return (fg_span_kind)i;
    return FG_SPAN_UNSPECIFIED;
}

/* A span: its id in the scenario, its name for itself, and the context with it. */
struct made {
    const char *id;
    fg_span span;
    fg_context *context;
};

static fg_context *parent_of(const char *parent, const struct made *made, size_t count)
{
    if (strcmp(parent, "remote") == 0)
        return fg_context_extract(get_header, NULL);
    for (size_t i = 0; i < count; i++)
        if (strcmp(parent, made[i].id) == 0)
            return fg_context_ref(made[i].context);
    return fg_context_root();
}

static fg_span start(const json_t *plan, const fg_tracer *tracer, const fg_context *parent)
{
    static struct attrs own, of_links[LINKS_MAX];
    fg_link links[LINKS_MAX];
    size_t i;
    json_t *link;
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    read_attrs(&own, json_object_get(plan, "attributes"));
    options.kind = kind_of(text_of(plan, "kind"));
    options.parent = parent;
    options.tracer = tracer;
    options.start_ns = time_of(plan, "start");
    options.attrs = own.items;
    options.attr_count = own.count;
    options.links = links;
    json_array_foreach(json_object_get(plan, "links"), i, link)
    {
        if (i == LINKS_MAX)
            fail("too many links");
        read_attrs(&of_links[i], json_object_get(link, "attributes"));
        links[i] = (fg_link){linked(link), of_links[i].items, of_links[i].count};
        options.link_count = i + 1;
    }
    return fg_span_start(text_of(plan, "name"), &options);
}

static void tell(fg_span span, const json_t *plan)
{
    static struct attrs attrs;
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(plan, "events"), i, event)
    {
        read_attrs(&attrs, json_object_get(event, "attributes"));
        fg_span_add_event_at(span, text_of(event, "name"), time_of(event, "time"), attrs.items,
                             attrs.count);
    }
    const json_t *status = json_object_get(plan, "status");
    const char *code = text_of(status, "code");
    if (strcmp(code, "OK") == 0)
        fg_span_set_status(span, FG_STATUS_IS_OK, NULL);
    if (strcmp(code, "ERROR") == 0)
        fg_span_set_status(span, FG_STATUS_IS_ERROR, text_of(status, "message"));
}

static void print_hex(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
}

/* The scenario's attributes as OTEL_RESOURCE_ATTRIBUTES would have them: texts, percent-encoded. */
static void put_resource(char *text, size_t size, const json_t *attributes)
{
    size_t at = 0, i;
    json_t *item;
    json_array_foreach(attributes, i, item)
    {
        const char *value =
            json_string_value(json_object_get(json_object_get(item, "value"), "stringValue"));
        if (!value)
            continue;
        at += (size_t)snprintf(text + at, size - at, "%s%s=", at ? "," : "", text_of(item, "key"));
        for (; *value && at < size; value++)
            at += (size_t)snprintf(text + at, size - at, "%%%02X", (unsigned char)*value);
    }
}

static void say(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *scenario = argc > 2 ? json_load_file(argv[1], 0, &error) : NULL;
    if (!scenario)
        fail("no scenario");
    base_ns = strtoull(getenv("CONFORMANCE_BASE_NS"), NULL, 10);
    char resource[1024] = "";
    const json_t *scope = json_object_get(scenario, "scope"), *plan;
    put_resource(resource, sizeof resource,
                 json_object_get(json_object_get(scenario, "resource"), "attributes"));
    fg_options options = FG_OPTIONS_INIT;
    options.resource_attributes = resource;
    options.redact_keys = options.redact_values = "";
    options.recorder = FG_RECORDER_OFF;
    options.diagnostic = say;
    if (fg_tracing_start(&options) < 0)
        fail("tracing does not start");
    const fg_tracer *tracer = fg_tracer_get(text_of(scope, "name"), text_of(scope, "version"));
    const json_t *plans = json_object_get(json_object_get(scenario, "parts"), argv[2]);
    struct made made[SPANS_MAX];
    size_t count = json_array_size(plans), i;
    if (count > SPANS_MAX)
        fail("too many spans");
    json_array_foreach(plans, i, plan)
    {
        fg_context *parent = parent_of(text_of(plan, "parent"), made, i);
        fg_span span = start(plan, tracer, parent);
        made[i] = (struct made){text_of(plan, "id"), span, fg_context_with_span(parent, span)};
        fg_context_free(parent);
        tell(made[i].span, plan);
    }
    for (i = 0; i < count; i++)
        fg_span_end_at(made[i].span, time_of(json_array_get(plans, i), "end"));
    if (fg_tracing_flush(20000) < 0)
        fail("the spans could not be sent");
    for (i = 0; i < count; i++) {
        printf("%s\"%s\": {\"traceId\": \"", i ? ", " : "{", made[i].id);
        print_hex(made[i].span.trace_id, 16);
        printf("\", \"spanId\": \"");
        print_hex(made[i].span.span_id, 8);
        printf("\"}");
        fg_context_free(made[i].context);
    }
    printf("}\n");
    json_decref(scenario);
    return 0;
}
