#include "exchange.h"

#include "base/endian.h"
#include "base/hex.h"
#include "base/limits.h"
#include "cors.h"
#include "net/grpc.h"
#include "net/url.h"
#include "security_fields.h"
#include "state.h"
#include "wire/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define FAILURE_SIZE_MAX ((size_t)16 << 10)
#define EXTRA_FIELDS_MAX (8 + FG_SECURITY_FIELDS_MAX)

struct fg_exchange *fg_exchange_of(struct fg_request *request)
{
    return request->user;
}

struct fg_slice fg_exchange_param(struct fg_exchange *exchange, const char *name)
{
    return fg_url_param(exchange->request->query, name, exchange->request->arena);
}

/* Retry-After in whole seconds, rounded up; text lives as long as the answer is being made. */
static size_t add_fields(struct fg_exchange *exchange, uint64_t retry_after_ns, char text[24],
                         struct fg_header_field *fields)
{
    size_t count = 0;
    bool cors = !exchange->route || exchange->route->cors;
    if (retry_after_ns) {
        uint64_t seconds = (retry_after_ns + FG_NS_PER_SECOND - 1) / FG_NS_PER_SECOND;
        snprintf(text, 24, "%llu", (unsigned long long)seconds);
        fields[count++] =
            (struct fg_header_field){FG_SLICE("retry-after"), fg_slice_from_string(text)};
    }
    if (exchange->allow.size)
        fields[count++] = (struct fg_header_field){FG_SLICE("allow"), exchange->allow};
    if (exchange->is_cut)
        fields[count++] = (struct fg_header_field){FG_SLICE("filigree-partial"), FG_SLICE("size")};
    for (size_t i = 0; i < exchange->more_count; i++)
        fields[count++] = exchange->more[i];
    if (cors)
        count += fg_cors_fields(exchange, fields + count);
    count += fg_security_fields(exchange->request, NULL, fields + count);
    return count;
}

static void respond(struct fg_exchange *exchange, unsigned status, const char *content_type,
                    uint64_t retry_after_ns, struct fg_buffer *take, struct fg_slice copy)
{
    char retry_text[24];
    struct fg_header_field fields[EXTRA_FIELDS_MAX];
    struct fg_response response = {
        .status = status, .content_type = content_type, .fields = fields};
    response.field_count = add_fields(exchange, retry_after_ns, retry_text, fields);
    exchange->status = status;
    if (take)
        fg_respond_take(exchange->request, &response, take);
    else
        fg_respond_copy(exchange->request, &response, copy);
}

void fg_answer_copy(struct fg_exchange *exchange, unsigned status, const char *content_type,
                    struct fg_slice body)
{
    respond(exchange, status, content_type, 0, NULL, body);
}

void fg_answer_take(struct fg_exchange *exchange, unsigned status, const char *content_type,
                    struct fg_buffer *body)
{
    if (body->error) {
        int error = body->error;
        fg_buffer_free(body);
        fg_answer_error(exchange, error, "write the answer");
        return;
    }
    respond(exchange, status, content_type, 0, body, (struct fg_slice){0});
}

void fg_answer_pull(struct fg_exchange *exchange, const char *content_type,
                    struct fg_generator *generator)
{
    char retry_text[24];
    struct fg_header_field fields[EXTRA_FIELDS_MAX];
    struct fg_response response = {.status = 200, .content_type = content_type, .fields = fields};
    response.field_count = add_fields(exchange, 0, retry_text, fields);
    exchange->status = 200;
    fg_respond_pull(exchange->request, &response, generator);
}

/* What the request was written in is what its answer is written in; JSON where that is neither. */
static bool is_json(const struct fg_request *request)
{
    struct fg_slice protobuf = FG_SLICE("application/x-protobuf");
    return request->content_type.size != protobuf.size ||
           strncasecmp((const char *)request->content_type.data, (const char *)protobuf.data,
                       protobuf.size) != 0;
}

static const char *code_name(enum fg_rpc_code code)
{
    switch (code) {
    case FG_RPC_INVALID_ARGUMENT:
        return "invalid";
    case FG_RPC_NOT_FOUND:
        return "not_found";
    case FG_RPC_PERMISSION_DENIED:
        return "denied";
    case FG_RPC_UNAUTHENTICATED:
        return "unauthenticated";
    case FG_RPC_RESOURCE_EXHAUSTED:
        return "limit";
    case FG_RPC_UNIMPLEMENTED:
        return "unsupported";
    case FG_RPC_UNAVAILABLE:
        return "unavailable";
    case FG_RPC_DEADLINE_EXCEEDED:
        return "timeout";
    default:
        return "internal";
    }
}

static void write_native(struct fg_json_writer *json, const struct fg_failure *failure,
                         size_t error_at)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "error");
    fg_json_string(json, fg_slice_from_string(failure->message));
    FG_JSON_KEY(json, "code");
    fg_json_string(json, fg_slice_from_string(code_name(failure->code)));
    if (error_at) {
        FG_JSON_KEY(json, "at");
        fg_json_uint(json, error_at);
    }
    fg_json_object_end(json);
}

/* The envelope of jaegertracing/jaeger cmd/query/app/http_handler.go: structuredResponse. */
static void write_jaeger(struct fg_json_writer *json, const struct fg_failure *failure)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "data");
    fg_json_null(json);
    FG_JSON_KEY(json, "total");
    fg_json_uint(json, 0);
    FG_JSON_KEY(json, "limit");
    fg_json_uint(json, 0);
    FG_JSON_KEY(json, "offset");
    fg_json_uint(json, 0);
    FG_JSON_KEY(json, "errors");
    fg_json_array_begin(json);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "code");
    fg_json_uint(json, failure->status);
    FG_JSON_KEY(json, "msg");
    fg_json_string(json, fg_slice_from_string(failure->message));
    fg_json_object_end(json);
    fg_json_array_end(json);
    fg_json_object_end(json);
}

/* The envelope of its newer API: GRPCGatewayError. */
static void write_jaeger_v3(struct fg_json_writer *json, const struct fg_failure *failure)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "error");
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "httpCode");
    fg_json_uint(json, failure->status);
    FG_JSON_KEY(json, "message");
    fg_json_string(json, fg_slice_from_string(failure->message));
    fg_json_object_end(json);
    fg_json_object_end(json);
}

static void answer_grpc(struct fg_exchange *exchange, const struct fg_failure *failure,
                        struct fg_buffer *details)
{
    fg_rpc_status_encode(details, FG_OTLP_PROTOBUF, failure->code,
                         fg_slice_from_string(failure->message), failure->retry_after_ns);
    exchange->status = failure->status;
    fg_grpc_respond_status(exchange->request, (enum fg_grpc_status)failure->code, failure->message,
                           fg_buffer_slice(details));
}

static enum fg_form form_of(const struct fg_exchange *exchange)
{
    if (exchange->route)
        return exchange->route->form;
    return exchange->request->face == FG_FACE_API ? FG_FORM_NATIVE : FG_FORM_OTLP;
}

void fg_answer_failure(struct fg_exchange *exchange, const struct fg_failure *failure)
{
    struct fg_buffer body;
    fg_buffer_init(&body, FAILURE_SIZE_MAX);
    if (exchange->request->is_grpc) {
        answer_grpc(exchange, failure, &body);
        fg_buffer_free(&body);
        return;
    }
    struct fg_json_writer json = fg_json_writer(&body);
    const char *content_type = "application/json";
    bool as_json = is_json(exchange->request);
    switch (form_of(exchange)) {
    case FG_FORM_NATIVE:
        write_native(&json, failure, exchange->error_at);
        break;
    case FG_FORM_JAEGER:
        write_jaeger(&json, failure);
        break;
    case FG_FORM_JAEGER_V3:
        write_jaeger_v3(&json, failure);
        break;
    case FG_FORM_OTLP:
        fg_rpc_status_encode(&body, as_json ? FG_OTLP_JSON : FG_OTLP_PROTOBUF, failure->code,
                             fg_slice_from_string(failure->message), failure->retry_after_ns);
        content_type = as_json ? "application/json" : "application/x-protobuf";
        break;
    case FG_FORM_TEXT:
        fg_buffer_append_format(&body, "%s\n", failure->message);
        content_type = "text/plain; charset=utf-8";
        break;
    }
    /* A failure that has no memory for its words is still one. */
    respond(exchange, failure->status, content_type, failure->retry_after_ns,
            body.error ? NULL : &body, (struct fg_slice){0});
    fg_buffer_free(&body);
}

void fg_answer_invalid(struct fg_exchange *exchange, const char *format, ...)
{
    char message[512];
    va_list args;
    /* What memory did not suffice for only looks as if it were absent, or wrong. */
    if (exchange->request->arena->overflow) {
        fg_answer_error(exchange, FG_ENOMEM, "read the request");
        return;
    }
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    struct fg_failure failure = {400, FG_RPC_INVALID_ARGUMENT, message, 0};
    fg_answer_failure(exchange, &failure);
}

/* What an error means to a client: status, code, whether to try again; and why, where its name says
 * too little. */
static struct fg_failure failure_of(int error, const char **ret_why)
{
    const char *why = fg_error_name(error);
    struct fg_failure failure = {500, FG_RPC_INTERNAL, NULL, 0};
    switch (error) {
    case FG_ENOTFOUND:
        failure = (struct fg_failure){404, FG_RPC_NOT_FOUND, NULL, 0};
        break;
    case FG_EINVALID:
        failure = (struct fg_failure){400, FG_RPC_INVALID_ARGUMENT, NULL, 0};
        break;
    case FG_EEXIST:
        failure = (struct fg_failure){409, FG_RPC_INVALID_ARGUMENT, NULL, 0};
        break;
    case FG_EDENIED:
        failure = (struct fg_failure){403, FG_RPC_PERMISSION_DENIED, NULL, 0};
        break;
    case FG_EAGAIN:
    case FG_EBUSY:
        failure = (struct fg_failure){429, FG_RPC_RESOURCE_EXHAUSTED, NULL, FG_NS_PER_SECOND};
        why = "too much is asked at once, try again later";
        break;
    case FG_ENOMEM:
        failure = (struct fg_failure){503, FG_RPC_UNAVAILABLE, NULL, FG_NS_PER_SECOND};
        break;
    case FG_ELIMIT:
        failure = (struct fg_failure){413, FG_RPC_RESOURCE_EXHAUSTED, NULL, 0};
        why = "the answer would be larger than a limit allows; ask for less";
        break;
    case FG_ETIMEOUT:
        failure = (struct fg_failure){504, FG_RPC_DEADLINE_EXCEEDED, NULL, 0};
        why = "it took too long; ask for a shorter time";
        break;
    case FG_ENOSPACE:
        failure = (struct fg_failure){503, FG_RPC_UNAVAILABLE, NULL, 0};
        why = "the disk is full";
        break;
    case FG_EIO:
        failure = (struct fg_failure){503, FG_RPC_UNAVAILABLE, NULL, 0};
        why = "the disk failed; the server's log says more";
        break;
    default:
        break;
    }
    *ret_why = why;
    return failure;
}

void fg_answer_error(struct fg_exchange *exchange, int error, const char *what)
{
    char message[256];
    const char *why;
    struct fg_failure failure = failure_of(error, &why);
    snprintf(message, sizeof message, "can't %s: %s", what, why);
    failure.message = message;
    fg_answer_failure(exchange, &failure);
}

void fg_answer_error_message(struct fg_exchange *exchange, int error, const char *message)
{
    const char *why;
    struct fg_failure failure = failure_of(error, &why);
    failure.message = message;
    fg_answer_failure(exchange, &failure);
}

struct fg_slice fg_trace_id_format(uint64_t high, uint64_t low,
                                   char ret_text[FG_TRACE_ID_TEXT_SIZE])
{
    uint8_t bytes[FG_TRACE_ID_TEXT_SIZE / 2];
    fg_store_be64(bytes, high);
    fg_store_be64(bytes + 8, low);
    fg_hex_encode(fg_slice(bytes, sizeof bytes), ret_text);
    return fg_slice(ret_text, FG_TRACE_ID_TEXT_SIZE);
}

int fg_trace_id_parse(struct fg_slice text, uint64_t *ret_high, uint64_t *ret_low)
{
    char digits[32];
    uint8_t bytes[16];
    if (text.size == 0 || text.size > sizeof digits)
        return FG_EINVALID;
    memset(digits, '0', sizeof digits);
    memcpy(digits + sizeof digits - text.size, text.data, text.size);
    if (fg_hex_decode(fg_slice(digits, sizeof digits), bytes) < 0)
        return FG_EINVALID;
    uint64_t high = fg_load_be64(bytes), low = fg_load_be64(bytes + 8);
    if (high == 0 && low == 0)
        return FG_EINVALID;
    *ret_high = high;
    *ret_low = low;
    return 0;
}
