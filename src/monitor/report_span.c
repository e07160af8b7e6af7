#include "report_span.h"

#include "monitor/monitors.h"
#include "wire/otlp_encode.h"

#include <assert.h>
#include <stdio.h>

struct writer {
    struct fg_otlp_encoder encoder;
    const struct fg_report_span *span;
};

static void put(struct writer *writer, const char *key, const struct fg_otlp_value *value)
{
    /* what fails sticks to the buffer */
    (void)writer->encoder.visitor->span_attribute(&writer->encoder, fg_slice_from_string(key),
                                                  value);
}

static void put_text(struct writer *writer, const char *key, struct fg_slice text)
{
    struct fg_otlp_value value = fg_otlp_string(text);
    put(writer, key, &value);
}

static void put_name(struct writer *writer, const char *key, const char *name)
{
    put_text(writer, key, fg_slice_from_string(name));
}

static void put_number(struct writer *writer, const char *key, uint64_t number)
{
    struct fg_otlp_value value = fg_otlp_int((int64_t)number);
    put(writer, key, &value);
}

static void write_resource(struct writer *writer)
{
    struct fg_otlp_encoder *encoder = &writer->encoder;
    const struct fg_otlp_resource resource = {.attribute_count = 2};
    const struct fg_otlp_scope scope = {.name = FG_SLICE("filigree.monitor"),
                                        .version = FG_SLICE(FG_VERSION)};
    struct fg_otlp_value service = fg_otlp_string(FG_SLICE(FG_MONITOR_SERVICE));
    struct fg_otlp_value version = fg_otlp_string(FG_SLICE(FG_VERSION));
    (void)encoder->visitor->resource_begin(encoder, &resource);
    (void)encoder->visitor->resource_attribute(encoder, FG_SLICE("service.name"), &service);
    (void)encoder->visitor->resource_attribute(encoder, FG_SLICE("service.version"), &version);
    (void)encoder->visitor->resource_end(encoder);
    (void)encoder->visitor->scope_begin(encoder, &scope);
    (void)encoder->visitor->scope_end(encoder);
}

static const struct fg_check_finding *worst_of(const struct fg_check_report *report)
{
    enum fg_check_result worst = fg_check_worst(report);
    for (uint32_t i = 0; i < report->finding_count; i++)
        if (report->findings[i].result == worst)
            return &report->findings[i];
    return NULL;
}

/* " replica_missing lag ", so that a search for one code between blanks finds it. */
static void write_codes(struct writer *writer)
{
    const struct fg_check_report *report = writer->span->report;
    char codes[1024] = " ";
    size_t size = 1;
    bool is_standing = true;
    for (uint32_t i = 0; i < report->finding_count; i++) {
        int more = snprintf(codes + size, sizeof codes - size, "%s ", report->findings[i].code);
        if (more < 0 || (size_t)more >= sizeof codes - size)
            break;
        size += (size_t)more;
        is_standing &= report->findings[i].standing;
    }
    if (report->finding_count == 0)
        return;
    put_text(writer, "monitor.findings", fg_slice(codes, size));
    const struct fg_otlp_value standing = fg_otlp_bool(is_standing);
    put(writer, "monitor.standing", &standing);
}

static void write_values(struct writer *writer)
{
    const struct fg_check_report *report = writer->span->report;
    for (uint32_t i = 0; i < report->value_count; i++) {
        const struct fg_check_value *value = &report->values[i];
        struct fg_otlp_value out = {.type = FG_OTLP_EMPTY};
        switch (value->type) {
        case FG_CHECK_VALUE_BOOL:
            out = fg_otlp_bool(value->boolean);
            break;
        case FG_CHECK_VALUE_INT:
            out = fg_otlp_int(value->integer);
            break;
        case FG_CHECK_VALUE_DOUBLE:
            out = fg_otlp_double(value->real);
            break;
        case FG_CHECK_VALUE_TEXT:
            out = fg_otlp_string(value->text);
            break;
        }
        (void)writer->encoder.visitor->span_attribute(&writer->encoder, value->key, &out);
    }
}

static void write_attributes(struct writer *writer, const struct fg_check_finding *worst)
{
    const struct fg_report_span *span = writer->span;
    write_values(writer);
    put_name(writer, "monitor.name", span->config->name);
    put_name(writer, "monitor.kind", span->config->kind->name);
    put_name(writer, "monitor.result", fg_check_result_name(span->belief->result));
    put_number(writer, "monitor.since", span->belief->since_ns);
    put_number(writer, "monitor.holds_ms", span->holds_ns / 1000000);
    if (span->config->service)
        put_name(writer, "peer.service", span->config->service);
    if (worst)
        put_name(writer, "error.type", worst->code);
    write_codes(writer);
}

static void write_findings(struct writer *writer)
{
    struct fg_otlp_encoder *encoder = &writer->encoder;
    const struct fg_check_report *report = writer->span->report;
    for (uint32_t i = 0; i < report->finding_count; i++) {
        const struct fg_check_finding *finding = &report->findings[i];
        const struct fg_otlp_event event = {.name = FG_SLICE("monitor.finding"),
                                            .time_ns = writer->span->end_ns,
                                            .attribute_count = 4};
        const struct fg_otlp_value code = fg_otlp_string(fg_slice_from_string(finding->code));
        const struct fg_otlp_value result =
            fg_otlp_string(fg_slice_from_string(fg_check_result_name(finding->result)));
        const struct fg_otlp_value text = fg_otlp_string(finding->text);
        const struct fg_otlp_value standing = fg_otlp_bool(finding->standing);
        (void)encoder->visitor->event_begin(encoder, &event);
        (void)encoder->visitor->event_attribute(encoder, FG_SLICE("finding.code"), &code);
        (void)encoder->visitor->event_attribute(encoder, FG_SLICE("finding.result"), &result);
        (void)encoder->visitor->event_attribute(encoder, FG_SLICE("finding.text"), &text);
        (void)encoder->visitor->event_attribute(encoder, FG_SLICE("finding.standing"), &standing);
        (void)encoder->visitor->event_end(encoder);
    }
}

void fg_report_span_write(const struct fg_report_span *span, struct fg_env *env,
                          struct fg_buffer *request)
{
    struct writer writer = {.span = span};
    const struct fg_check_finding *worst = worst_of(span->report);
    uint8_t ids[24];
    char name[FG_MONITOR_NAME_SIZE_MAX + 40];
    fg_env_random(env, ids, sizeof ids);
    ids[0] |= 1; /* all zero is no id */
    ids[16] |= 1;
    snprintf(name, sizeof name, "%s %s", span->config->kind->name, span->config->name);
    bool is_error =
        span->belief->result == FG_CHECK_DOWN || span->belief->result == FG_CHECK_DEGRADED;
    const struct fg_otlp_span out = {
        .trace_id = fg_slice(ids, 16),
        .span_id = fg_slice(ids + 16, 8),
        .name = fg_slice_from_string(name),
        .kind = FG_OTLP_KIND_CLIENT,
        .start_ns = span->start_ns,
        .end_ns = span->end_ns,
        .status_code = is_error ? FG_OTLP_STATUS_ERROR : FG_OTLP_STATUS_UNSET,
        .status_message = is_error && worst ? worst->text : (struct fg_slice){0}};
    fg_otlp_encoder_init(&writer.encoder, FG_OTLP_PROTOBUF, request);
    write_resource(&writer);
    (void)writer.encoder.visitor->span_begin(&writer.encoder, &out);
    write_attributes(&writer, worst);
    write_findings(&writer);
    (void)writer.encoder.visitor->span_end(&writer.encoder);
    int r = fg_otlp_encoder_finish(&writer.encoder);
    assert(r == request->error);
    (void)r;
}
