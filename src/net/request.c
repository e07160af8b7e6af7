/* The way of a request to its handler, the same for both protocols:
 *
 *     head → on_headers → body, bounded → unframed, decompressed → on_request
 *
 * At each step it may be refused instead: the handler may answer that in its own form, else net
 * does. */
#include "call.h"

#include "base/checked.h"
#include "conn.h"
#include "count.h"
#include "loop.h"
#include "refusal.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

struct fg_slice fg_request_field(const struct fg_request *request, const char *name)
{
    struct fg_slice wanted = fg_slice_from_string(name);
    for (size_t i = 0; i < request->field_count; i++)
        if (fg_slice_equal(request->fields[i].name, wanted))
            return request->fields[i].value;
    return fg_slice(NULL, 0);
}

void fg_request_limit_body(struct fg_request *request, uint64_t size_max,
                           uint64_t inflated_size_max)
{
    struct fg_call *call = fg_call_of(request);
    call->body_size_max = size_max;
    call->inflated_size_max = inflated_size_max;
}

void fg_request_release_body(struct fg_request *request)
{
    struct fg_call *call = fg_call_of(request);
    fg_body_free(call->loop, &call->body);
    request->body = fg_slice(NULL, 0);
}

static void count_open(struct fg_call *call)
{
    if (call->is_counted)
        return;
    call->is_counted = true;
    fg_net_count(&call->loop->shared->counters.requests_open, 1);
}

/* -- Refusals -------------------------------------------------------------------------------------
 */

static void answer_refusal(struct fg_call *call, const struct fg_refusal *refusal)
{
    if (call->request.is_grpc) {
        fg_grpc_respond_status(&call->request, (enum fg_grpc_status)refusal->grpc_status,
                               refusal->message, (struct fg_slice){0});
        return;
    }
    char seconds[24], text[256];
    uint64_t retry_s = (refusal->retry_after_ns + FG_NS_PER_SECOND - 1) / FG_NS_PER_SECOND;
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)retry_s);
    snprintf(text, sizeof text, "%s\n", refusal->message);
    const struct fg_header_field field = {FG_SLICE("retry-after"), fg_slice_from_string(seconds)};
    const struct fg_response response = {.status = refusal->http_status,
                                         .content_type = "text/plain; charset=utf-8",
                                         .fields = &field,
                                         .field_count = retry_s ? 1 : 0};
    fg_respond_copy(&call->request, &response, fg_slice_from_string(text));
}

/* What no client sends that means well, or that is built to cost: it is told of. */
static bool is_abuse(enum fg_refusal_reason reason)
{
    return reason == FG_REFUSED_MALFORMED || reason == FG_REFUSED_URL_SIZE ||
           reason == FG_REFUSED_HEADER_SIZE;
}

void fg_call_refuse(struct fg_call *call, enum fg_refusal_reason reason, const char *message)
{
    struct fg_net_shared *shared = call->loop->shared;
    struct fg_refusal refusal = fg_refusal_of(reason);
    if (fg_call_is_answered(call))
        return;
    if (is_abuse(reason) && call->conn)
        fg_conn_count_abuse(call->conn, reason);
    else
        fg_net_count(&shared->counters.refused[reason], 1);
    count_open(call);
    if (message)
        refusal.message = message;
    fg_body_free(call->loop, &call->body);
    call->request.body = fg_slice(NULL, 0);
    if (shared->on_refusal) {
        call->is_seen = true;
        shared->on_refusal(shared->arg, &call->request, &refusal);
    }
    if (!fg_call_is_answered(call))
        answer_refusal(call, &refusal);
}

void fg_call_refuse_memory(struct fg_call *call, int error)
{
    fg_call_refuse(call, error == FG_EAGAIN ? FG_REFUSED_BUFFERED_SIZE : FG_REFUSED_MEMORY, NULL);
}

/* -- The head -------------------------------------------------------------------------------------
 */

/* "application/grpc", "application/grpc+proto"; not "application/grpc-web". */
static bool is_grpc_type(struct fg_slice type)
{
    struct fg_slice grpc = FG_SLICE("application/grpc");
    if (type.size < grpc.size ||
        strncasecmp((const char *)type.data, (const char *)grpc.data, grpc.size) != 0)
        return false;
    return type.size == grpc.size || type.data[grpc.size] == '+';
}

/* What only gRPC has. False: refused. */
static bool take_grpc_head(struct fg_call *call)
{
    struct fg_request *request = &call->request;
    call->protocol = FG_PROTOCOL_GRPC;
    struct fg_slice timeout = fg_request_field(request, "grpc-timeout");
    uint64_t ns;
    if (timeout.size == 0)
        return true;
    if (fg_grpc_timeout_parse(timeout, &ns) < 0) {
        fg_call_refuse(call, FG_REFUSED_MALFORMED, "grpc-timeout: expected digits and a unit");
        return false;
    }
    uint64_t now_ns = call->loop->now_ns;
    if (fg_add_overflow(now_ns, ns, &request->deadline_mono_ns))
        request->deadline_mono_ns = UINT64_MAX;
    return true;
}

/* What on_headers let pass and net itself does not. */
static void check_body(struct fg_call *call)
{
    struct fg_request *request = &call->request;
    const char *name = request->is_grpc ? "grpc-encoding" : "content-encoding";
    if (fg_encoding_parse(fg_request_field(request, name), &call->encoding) < 0)
        fg_call_refuse(call, FG_REFUSED_ENCODING_UNKNOWN, NULL);
    else if (call->content_length != UINT64_MAX && call->content_length > call->body_size_max)
        fg_call_refuse(call, FG_REFUSED_BODY_SIZE, NULL);
}

/* In HTTP/2 it says little, but a body that is too large need not be read to its end to know. */
static uint64_t announced_length(const struct fg_call *call)
{
    struct fg_slice text = fg_request_field(&call->request, "content-length");
    uint64_t length = 0;
    if (text.size == 0)
        return UINT64_MAX;
    for (size_t i = 0; i < text.size; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!is_digit || length > (UINT64_MAX - 9) / 10)
            return UINT64_MAX;
        length = length * 10 + (uint64_t)(text.data[i] - '0');
    }
    return length;
}

void fg_call_on_head(struct fg_call *call)
{
    struct fg_net_shared *shared = call->loop->shared;
    struct fg_request *request = &call->request;
    request->received_ns = fg_env_wall_ns(shared->env);
    call->body_since_ns = call->loop->now_ns;
    fg_head_finish(call);
    if (call->protocol != FG_PROTOCOL_HTTP1)
        call->content_length = announced_length(call);
    count_open(call);
    bool has_grpc_type = is_grpc_type(request->content_type);
    /* Over HTTP/1.1 the client could not read a gRPC answer. */
    request->is_grpc = has_grpc_type && call->protocol != FG_PROTOCOL_HTTP1;
    if (call->failure != FG_NO_FAILURE) {
        fg_call_refuse(call, (enum fg_refusal_reason)call->failure, call->failure_message);
        return;
    }
    if (has_grpc_type && !request->is_grpc) {
        fg_call_refuse(call, FG_REFUSED_GRPC_HTTP1, NULL);
        return;
    }
    if (request->is_grpc && !take_grpc_head(call))
        return;
    fg_net_count(&shared->counters.requests[call->protocol], 1);
    if (shared->on_headers) {
        call->is_seen = true;
        shared->on_headers(shared->arg, request);
    }
    if (!fg_call_is_answered(call))
        check_body(call);
}

/* -- The body -------------------------------------------------------------------------------------
 */

uint64_t fg_net_body_due_ns(const struct fg_net_loop *loop, uint64_t since_ns,
                            uint64_t received_bytes)
{
    const struct fg_net_limits *limits = &loop->shared->limits;
    uint64_t due_ns = since_ns + limits->body_grace_ns;
    uint64_t rate = limits->body_rate_bytes_min;
    if (rate == 0)
        return UINT64_MAX;
    uint64_t earned_ns;
    if (fg_mul_overflow(received_bytes / rate, FG_NS_PER_SECOND, &earned_ns) ||
        fg_add_overflow(due_ns, earned_ns, &due_ns))
        return UINT64_MAX;
    return due_ns + received_bytes % rate * FG_NS_PER_SECOND / rate;
}

void fg_call_on_body(struct fg_call *call, struct fg_slice bytes)
{
    struct fg_body *body = &call->body;
    fg_net_count(&call->loop->shared->counters.body_bytes_in, bytes.size);
    if (fg_call_is_answered(call))
        return; /* read and dropped */
    if (body->size > call->body_size_max || bytes.size > call->body_size_max - body->size) {
        fg_call_refuse(call, FG_REFUSED_BODY_SIZE, NULL);
        return;
    }
    if (body->data && bytes.data == body->data + body->size) {
        body->size += bytes.size; /* it was read where it belongs */
        return;
    }
    uint64_t length = call->content_length;
    uint64_t most = length < call->body_size_max ? length : call->body_size_max;
    size_t first = most < FG_NET_BODY_FIRST_SIZE_MAX ? (size_t)most : FG_NET_BODY_FIRST_SIZE_MAX;
    int r = 0;
    if (body->size == 0 && length != UINT64_MAX)
        r = fg_body_reserve(call->loop, body, first, (size_t)most);
    if (r == 0)
        r = fg_body_append(call->loop, body, bytes, (size_t)most);
    if (r < 0)
        fg_call_refuse_memory(call, r);
}

struct inflated {
    struct fg_inflate_out out;
    struct fg_net_loop *loop;
    struct fg_body body;
};

static int reserve(struct fg_inflate_out *out, size_t size_min)
{
    struct inflated *inflated = (struct inflated *)out;
    inflated->body.size = out->size;
    int r = fg_body_reserve(inflated->loop, &inflated->body, size_min, out->size_max);
    if (r < 0)
        return r;
    out->data = inflated->body.data;
    out->capacity = inflated->body.capacity;
    return 0;
}

/* Puts the decompressed body in the place of the other. False: refused. */
static bool inflate_body(struct fg_call *call, enum fg_encoding encoding)
{
    struct fg_net_loop *loop = call->loop;
    uint64_t most = call->inflated_size_max < SIZE_MAX ? call->inflated_size_max : SIZE_MAX;
    struct inflated inflated = {.out = {.reserve = reserve, .size_max = (size_t)most},
                                .loop = loop};
    int r = fg_inflate(loop->inflater, encoding, call->request.body, &inflated.out);
    if (r < 0) {
        fg_body_free(loop, &inflated.body);
        if (r == FG_EINVALID)
            fg_call_refuse(call, FG_REFUSED_ENCODING_DAMAGED, NULL);
        else if (r == FG_ELIMIT)
            fg_call_refuse(call, FG_REFUSED_INFLATED_SIZE, NULL);
        else
            fg_call_refuse_memory(call, r);
        return false;
    }
    fg_body_free(loop, &call->body);
    call->body = inflated.body;
    call->body.size = inflated.out.size;
    call->request.body = fg_slice(call->body.data, call->body.size);
    return true;
}

/* Takes the gRPC frame off. False: refused. */
static bool unframe_body(struct fg_call *call, enum fg_encoding *ret_encoding)
{
    struct fg_grpc_frame frame;
    int r = fg_grpc_unframe(call->request.body, &frame);
    if (r < 0) {
        fg_call_refuse(call, FG_REFUSED_GRPC_FRAME,
                       r == FG_EUNSUPPORTED ? "this server takes one message a call, no streams"
                                            : NULL);
        return false;
    }
    if (frame.compressed && call->encoding == FG_ENCODING_IDENTITY) {
        fg_call_refuse(call, FG_REFUSED_GRPC_FRAME,
                       "the message is marked as compressed, but grpc-encoding names no way");
        return false;
    }
    call->request.body = frame.message;
    *ret_encoding = frame.compressed ? call->encoding : FG_ENCODING_IDENTITY;
    return true;
}

void fg_call_on_whole(struct fg_call *call)
{
    struct fg_net_shared *shared = call->loop->shared;
    struct fg_request *request = &call->request;
    enum fg_encoding encoding = call->encoding;
    assert(!call->is_whole);
    call->is_whole = true;
    if (fg_call_is_answered(call))
        return;
    request->body = fg_slice(call->body.data, call->body.size);
    if (request->is_grpc && !unframe_body(call, &encoding))
        return;
    /* No body at all is not damaged, whatever its encoding would have been. */
    bool is_packed = encoding != FG_ENCODING_IDENTITY && (request->body.size || request->is_grpc);
    if (is_packed && !inflate_body(call, encoding))
        return;
    if (request->body.size > call->inflated_size_max) {
        fg_call_refuse(call, FG_REFUSED_INFLATED_SIZE, NULL);
        return;
    }
    fg_net_count(&shared->counters.body_bytes_inflated, request->body.size);
    call->is_seen = true;
    shared->on_request(shared->arg, request);
}
