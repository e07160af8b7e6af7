#include "wire/otlp_response.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>

/* ExportTraceServiceResponse, google.rpc.Status, google.protobuf.Any and Duration. */
enum {
    RESPONSE_PARTIAL_SUCCESS = 1,
    PARTIAL_REJECTED_SPANS = 1,
    PARTIAL_ERROR_MESSAGE = 2,

    STATUS_CODE = 1,
    STATUS_MESSAGE = 2,
    STATUS_DETAILS = 3,
    ANY_TYPE_URL = 1,
    ANY_VALUE = 2,
    RETRY_INFO_DELAY = 1,
    DURATION_SECONDS = 1,
    DURATION_NANOS = 2,
};

#define RETRY_INFO_TYPE FG_SLICE("type.googleapis.com/google.rpc.RetryInfo")

static void response_protobuf(struct fg_buffer *buffer, uint64_t rejected_spans,
                              struct fg_slice message)
{
    size_t partial = fg_pb_begin(buffer, RESPONSE_PARTIAL_SUCCESS);
    if (rejected_spans)
        fg_pb_put_varint(buffer, PARTIAL_REJECTED_SPANS, rejected_spans);
    if (message.size)
        fg_pb_put_bytes(buffer, PARTIAL_ERROR_MESSAGE, message);
    fg_pb_end(buffer, partial);
}

static void response_json(struct fg_json_writer *json, uint64_t rejected_spans,
                          struct fg_slice message)
{
    FG_JSON_KEY(json, "partialSuccess");
    fg_json_object_begin(json);
    if (rejected_spans) {
        FG_JSON_KEY(json, "rejectedSpans");
        fg_json_uint_string(json, rejected_spans);
    }
    if (message.size) {
        FG_JSON_KEY(json, "errorMessage");
        fg_json_string(json, message);
    }
    fg_json_object_end(json);
}

void fg_otlp_response_encode(struct fg_buffer *buffer, enum fg_otlp_format format,
                             uint64_t rejected_spans, struct fg_slice error_message)
{
    bool is_full_success = rejected_spans == 0 && error_message.size == 0;
    if (format == FG_OTLP_PROTOBUF) {
        if (!is_full_success)
            response_protobuf(buffer, rejected_spans, error_message);
        return;
    }
    struct fg_json_writer json = fg_json_writer(buffer);
    fg_json_object_begin(&json);
    if (!is_full_success)
        response_json(&json, rejected_spans, error_message);
    fg_json_object_end(&json);
}

static void retry_info_protobuf(struct fg_buffer *buffer, uint64_t retry_delay_ns)
{
    size_t any = fg_pb_begin(buffer, STATUS_DETAILS);
    fg_pb_put_bytes(buffer, ANY_TYPE_URL, RETRY_INFO_TYPE);
    size_t info = fg_pb_begin(buffer, ANY_VALUE);
    size_t delay = fg_pb_begin(buffer, RETRY_INFO_DELAY);
    if (retry_delay_ns >= FG_NS_PER_SECOND)
        fg_pb_put_varint(buffer, DURATION_SECONDS, retry_delay_ns / FG_NS_PER_SECOND);
    if (retry_delay_ns % FG_NS_PER_SECOND)
        fg_pb_put_varint(buffer, DURATION_NANOS, retry_delay_ns % FG_NS_PER_SECOND);
    fg_pb_end(buffer, delay);
    fg_pb_end(buffer, info);
    fg_pb_end(buffer, any);
}

/* A Duration in JSON has no fraction, or one of three, six or nine digits. */
static void write_duration(struct fg_json_writer *json, uint64_t ns)
{
    char text[48];
    uint64_t seconds = ns / FG_NS_PER_SECOND, nanos = ns % FG_NS_PER_SECOND;
    int size;
    if (nanos == 0)
        size = snprintf(text, sizeof text, "%" PRIu64 "s", seconds);
    else if (nanos % 1000000 == 0)
        size =
            snprintf(text, sizeof text, "%" PRIu64 ".%03us", seconds, (unsigned)(nanos / 1000000));
    else if (nanos % 1000 == 0)
        size = snprintf(text, sizeof text, "%" PRIu64 ".%06us", seconds, (unsigned)(nanos / 1000));
    else
        size = snprintf(text, sizeof text, "%" PRIu64 ".%09us", seconds, (unsigned)nanos);
    fg_json_string(json, fg_slice(text, (size_t)size));
}

static void retry_info_json(struct fg_json_writer *json, uint64_t retry_delay_ns)
{
    FG_JSON_KEY(json, "details");
    fg_json_array_begin(json);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "@type");
    fg_json_string(json, RETRY_INFO_TYPE);
    FG_JSON_KEY(json, "retryDelay");
    write_duration(json, retry_delay_ns);
    fg_json_object_end(json);
    fg_json_array_end(json);
}

static void status_json(struct fg_json_writer *json, enum fg_rpc_code code, struct fg_slice message,
                        uint64_t retry_delay_ns)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "code");
    fg_json_uint(json, code);
    FG_JSON_KEY(json, "message");
    fg_json_string(json, message);
    if (retry_delay_ns)
        retry_info_json(json, retry_delay_ns);
    fg_json_object_end(json);
}

void fg_rpc_status_encode(struct fg_buffer *buffer, enum fg_otlp_format format,
                          enum fg_rpc_code code, struct fg_slice message, uint64_t retry_delay_ns)
{
    if (format == FG_OTLP_JSON) {
        struct fg_json_writer json = fg_json_writer(buffer);
        status_json(&json, code, message, retry_delay_ns);
        return;
    }
    if (code)
        fg_pb_put_varint(buffer, STATUS_CODE, code);
    if (message.size)
        fg_pb_put_bytes(buffer, STATUS_MESSAGE, message);
    if (retry_delay_ns)
        retry_info_protobuf(buffer, retry_delay_ns);
}
