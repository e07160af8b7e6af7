/* Spans in: OTLP over gRPC and HTTP, and Zipkin. The request's bytes go through a codec into the
 * loop's builder in one pass; the frozen batch goes to the store; the answer waits until the store
 * says that it is durable. */
#include "auth/quota.h"
#include "base/hash.h"
#include "base/limits.h"
#include "exchange.h"
#include "handlers.h"
#include "journey/journeys.h"
#include "net/grpc.h"
#include "span/block.h"
#include "state.h"
#include "store/store.h"
#include "wire/zipkin.h"

#include <string.h>
#include <strings.h>

#define MESSAGE_SIZE_MAX ((size_t)4 << 10)
#define SENDER_SIZE_MAX  64u

/* A request between the loop that took it and the store's committer. In the request's arena. */
struct ingest {
    struct fg_append append;
    struct fg_exchange *exchange;
    enum fg_ingest_protocol protocol;
    int result;              /* written by the committer before it wakes the loop */
    uint64_t rejected_spans; /* partial success */
    bool has_stored;         /* other spans were taken */
    struct fg_slice message; /* why */
    struct fg_intake_notes notes;
};

typedef int (*decode_fn)(struct fg_slice body, const struct fg_otlp_visitor *visitor, void *arg,
                         struct fg_wire_error *error);

static void refuse(struct fg_exchange *exchange, enum fg_ingest_refusal reason,
                   const struct fg_failure *failure)
{
    fg_count(&exchange->loop->counters.refused_requests[reason], 1);
    fg_answer_failure(exchange, failure);
}

/* What the store's no, or a failure on the way there, means to the sender. */
static void refuse_error(struct fg_exchange *exchange, int error)
{
    struct fg_failure failure = {503, FG_RPC_UNAVAILABLE, NULL, 0};
    enum fg_ingest_refusal reason = FG_INGEST_FAILED;
    switch (error) {
    case FG_EAGAIN:
        reason = FG_INGEST_OVERLOADED;
        failure.status = 429;
        failure.code = FG_RPC_RESOURCE_EXHAUSTED;
        failure.message = "more spans come than the disk takes; try again later";
        failure.retry_after_ns = FG_NS_PER_SECOND;
        break;
    case FG_ENOSPACE:
        reason = FG_INGEST_NO_SPACE;
        failure.message =
            "the disk is full: free space, or shorten retention-age or retention-size";
        failure.retry_after_ns = 30 * FG_NS_PER_SECOND;
        break;
    case FG_ELIMIT:
        reason = FG_INGEST_TOO_LARGE;
        failure.status = 413;
        failure.code = FG_RPC_RESOURCE_EXHAUSTED;
        failure.message = "these spans are more than one batch holds; send smaller batches";
        break;
    case FG_ENOMEM:
        failure.message = "out of memory; try again later";
        failure.retry_after_ns = FG_NS_PER_SECOND;
        break;
    default:
        failure.message = "the store failed and takes nothing until it is restarted; see the log";
        break;
    }
    refuse(exchange, reason, &failure);
}

static void answer_grpc(struct ingest *ingest)
{
    struct fg_buffer body;
    fg_buffer_init(&body, MESSAGE_SIZE_MAX + 64);
    if (ingest->rejected_spans)
        fg_otlp_response_encode(&body, FG_OTLP_PROTOBUF, ingest->rejected_spans, ingest->message);
    ingest->exchange->status = 200;
    fg_grpc_respond(ingest->exchange->request, fg_buffer_slice(&body));
    fg_buffer_free(&body);
}

/* Zipkin's protocol has no partial success: its senders learn of spans that are not kept by a 400,
 * which they do not send again. The others are kept all the same. */
static void answer_zipkin(struct ingest *ingest)
{
    struct fg_exchange *exchange = ingest->exchange;
    if (ingest->rejected_spans == 0)
        fg_answer_copy(exchange, 202, NULL, (struct fg_slice){0});
    else
        fg_answer_invalid(exchange, "%.*s%s", (int)ingest->message.size,
                          (const char *)ingest->message.data,
                          ingest->has_stored ? "; the other spans of the request are stored" : "");
}

/* The acknowledgement: what was accepted is durable and can be found. */
static void answer_success(struct ingest *ingest)
{
    struct fg_exchange *exchange = ingest->exchange;
    uint64_t now_ns = fg_env_mono_ns(exchange->api->env);
    fg_intake_notes_apply(&ingest->notes, exchange->api->instances, exchange->identity.tenant,
                          exchange->request->received_ns);
    fg_latency_add(&exchange->loop->counters.ingest_seconds, now_ns - exchange->begin_mono_ns);
    if (ingest->protocol == FG_INGEST_OTLP_GRPC) {
        answer_grpc(ingest);
        return;
    }
    bool json = ingest->protocol == FG_INGEST_OTLP_HTTP_JSON;
    const char *type = json ? "application/json" : "application/x-protobuf";
    if (ingest->protocol == FG_INGEST_ZIPKIN) {
        answer_zipkin(ingest);
    } else if (ingest->rejected_spans == 0) {
        fg_answer_copy(exchange, 200, type, json ? FG_SLICE("{}") : (struct fg_slice){0});
    } else {
        struct fg_buffer body;
        fg_buffer_init(&body, MESSAGE_SIZE_MAX + 64);
        fg_otlp_response_encode(&body, json ? FG_OTLP_JSON : FG_OTLP_PROTOBUF,
                                ingest->rejected_spans, ingest->message);
        fg_answer_take(exchange, 200, type, &body);
    }
}

/* Loop thread, after the commit. */
static void on_wake(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct ingest *ingest = exchange->work;
    if (ingest->result < 0)
        refuse_error(exchange, ingest->result);
    else
        answer_success(ingest);
}

/* Committer's thread. */
static void on_done(struct fg_append *append, int result)
{
    struct ingest *ingest = (struct ingest *)append;
    ingest->result = result;
    fg_request_wake(ingest->exchange->request);
}

static void describe_partial(struct ingest *ingest)
{
    struct fg_intake *intake = &ingest->exchange->loop->intake;
    ingest->rejected_spans = fg_intake_rejected(&intake->counts);
    if (ingest->rejected_spans == 0)
        return;
    struct fg_buffer text;
    fg_buffer_init(&text, MESSAGE_SIZE_MAX);
    fg_intake_describe(intake, &text);
    if (!text.error)
        ingest->message = fg_arena_copy(ingest->exchange->request->arena, fg_buffer_slice(&text));
    fg_buffer_free(&text);
    if (ingest->message.size == 0)
        ingest->message = FG_SLICE("spans were refused; /metrics counts them by reason");
}

/* The loop's builder holds what was accepted: on to the store. */
static void store_spans(struct ingest *ingest)
{
    struct fg_exchange *exchange = ingest->exchange;
    int r = fg_block_freeze(exchange->loop->builder, &ingest->append.block);
    if (r < 0) {
        refuse_error(exchange, r);
        return;
    }
    ingest->append.request_hash = fg_hash_seeded(exchange->request->body, ingest->protocol);
    ingest->append.tenant = exchange->identity.tenant;
    ingest->append.done = on_done;
    ingest->has_stored = true;
    exchange->work = ingest;
    exchange->request->wake = on_wake;
    fg_request_release_body(exchange->request);
    r = fg_store_append_take(fg_api_store(exchange->api), &ingest->append);
    if (r < 0)
        refuse_error(exchange, r);
}

static void refuse_undecodable(struct fg_exchange *exchange, int error,
                               const struct fg_wire_error *why)
{
    bool is_senders_fault = error == FG_EINVALID || (error == FG_ELIMIT && *why->text);
    if (!is_senders_fault) {
        refuse_error(exchange, error);
        return;
    }
    struct fg_failure failure = {400, FG_RPC_INVALID_ARGUMENT,
                                 *why->text ? why->text : "the body can't be decoded", 0};
    refuse(exchange, FG_INGEST_MALFORMED, &failure);
}

static void refuse_over_quota(struct fg_exchange *exchange, uint64_t wait_ns, enum fg_quota_of of)
{
    static const char *const reasons[FG_QUOTA_COUNT] = {
        [FG_QUOTA_SPANS] = "more spans are sent than the quota allows; try again later",
        [FG_QUOTA_BYTES] = "more bytes are sent than the quota allows; try again later",
        [FG_QUOTA_ATTRIBUTES] = "more attributes are sent than the quota allows; try again later"};
    struct fg_failure failure = {429, FG_RPC_RESOURCE_EXHAUSTED, reasons[of], wait_ns};
    refuse(exchange, FG_INGEST_OVER_QUOTA, &failure);
}

/* Whole nanoseconds since 1970. */
static bool read_moment(struct fg_slice text, uint64_t *ret_ns)
{
    uint64_t ns = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || ns > (UINT64_MAX - digit) / 10)
            return false;
        ns = ns * 10 + digit;
    }
    *ret_ns = ns;
    return text.size > 0;
}

/* "MOMENT" or "end", and which of several senders says so: "; sender=NAME". */
static bool read_history(struct fg_slice text, uint64_t *ret_until_ns, uint64_t *ret_sender)
{
    const struct fg_slice parameter = FG_SLICE("; sender="), end = FG_SLICE("end");
    const uint8_t *semicolon = text.size > 0 ? memchr(text.data, ';', text.size) : NULL;
    struct fg_slice moment =
        fg_slice(text.data, semicolon ? (size_t)(semicolon - text.data) : text.size);
    struct fg_slice name = fg_slice(text.data + moment.size, text.size - moment.size);
    if (semicolon) {
        if (name.size <= parameter.size || name.size > parameter.size + SENDER_SIZE_MAX ||
            memcmp(name.data, parameter.data, parameter.size) != 0)
            return false;
        name = fg_slice(name.data + parameter.size, name.size - parameter.size);
    }
    *ret_sender = fg_hash(name);
    *ret_until_ns = FG_HISTORY_ENDED;
    return fg_slice_equal(moment, end) || read_moment(moment, ret_until_ns);
}

/* Of a sender of the past, until when it has sent all. False: refused. */
static bool take_history(struct fg_exchange *exchange)
{
    struct fg_slice field = fg_request_field(exchange->request, "filigree-history");
    struct fg_journeys *journeys = fg_api_journeys(exchange->api, exchange->identity.tenant);
    uint64_t until_ns, sender;
    if (!field.data)
        return true;
    if (!read_history(field, &until_ns, &sender)) {
        const struct fg_failure failure = {
            400, FG_RPC_INVALID_ARGUMENT,
            "filigree-history: expected nanoseconds since 1970, 0 or end, and where several send "
            "\"; sender=NAME\" behind it",
            0};
        refuse(exchange, FG_INGEST_MALFORMED, &failure);
        return false;
    }
    if (journeys)
        fg_journeys_history(journeys, sender, exchange->request->received_ns, until_ns);
    return true;
}

static void take_spans(struct fg_exchange *exchange, enum fg_ingest_protocol protocol,
                       decode_fn decode)
{
    struct fg_loop *loop = exchange->loop;
    uint64_t wait_ns;
    enum fg_quota_of of;
    if (fg_quota_ask(exchange->api->auth, &exchange->identity, &wait_ns, &of) < 0) {
        refuse_over_quota(exchange, wait_ns, of);
        return;
    }
    if (!take_history(exchange))
        return;
    struct fg_wire_error error = {""};
    struct ingest *ingest = fg_arena_calloc(exchange->request->arena, 1, sizeof *ingest);
    if (!ingest) {
        refuse_error(exchange, FG_ENOMEM);
        return;
    }
    ingest->notes.arena = exchange->request->arena;
    const struct fg_intake_rules rules = {.redactor = loop->redactor,
                                          .retention_age_ns = loop->settings->span_age_ns_max,
                                          .notes = &ingest->notes};
    ingest->exchange = exchange;
    ingest->protocol = protocol;
    fg_intake_begin(&loop->intake, &rules, exchange->request->received_ns);
    int r = decode(exchange->request->body, &fg_intake_visitor, &loop->intake, &error);
    if (r < 0) {
        refuse_undecodable(exchange, r, &error);
        return;
    }
    fg_count_intake(&loop->counters, protocol, &loop->intake.counts);
    const struct fg_quota_use use = {.spans = loop->intake.counts.accepted_spans,
                                     .bytes = exchange->request->body.size,
                                     .attributes = loop->intake.counts.attributes};
    fg_quota_charge(exchange->api->auth, &exchange->identity, &use);
    describe_partial(ingest);
    if (loop->intake.counts.accepted_spans == 0)
        answer_success(ingest);
    else
        store_spans(ingest);
}

void fg_handle_otlp_grpc(struct fg_exchange *exchange)
{
    if (exchange->request->is_grpc) {
        take_spans(exchange, FG_INGEST_OTLP_GRPC, fg_otlp_decode_traces);
        return;
    }
    struct fg_failure failure = {
        415, FG_RPC_INVALID_ARGUMENT,
        "this path takes gRPC (content-type application/grpc); OTLP over HTTP "
        "goes to /v1/traces",
        0};
    refuse(exchange, FG_INGEST_MALFORMED, &failure);
}

static bool is_type(const struct fg_request *request, struct fg_slice type)
{
    return request->content_type.size == type.size &&
           strncasecmp((const char *)request->content_type.data, (const char *)type.data,
                       type.size) == 0;
}

void fg_handle_otlp_http(struct fg_exchange *exchange)
{
    if (is_type(exchange->request, FG_SLICE("application/x-protobuf"))) {
        take_spans(exchange, FG_INGEST_OTLP_HTTP_PROTOBUF, fg_otlp_decode_traces);
    } else if (is_type(exchange->request, FG_SLICE("application/json"))) {
        take_spans(exchange, FG_INGEST_OTLP_HTTP_JSON, fg_otlp_decode_traces_json);
    } else {
        struct fg_failure failure = {
            415, FG_RPC_INVALID_ARGUMENT,
            "content-type must be application/x-protobuf or application/json", 0};
        refuse(exchange, FG_INGEST_MALFORMED, &failure);
    }
}

void fg_handle_zipkin(struct fg_exchange *exchange)
{
    if (is_type(exchange->request, FG_SLICE("application/json"))) {
        take_spans(exchange, FG_INGEST_ZIPKIN, fg_zipkin_decode_spans);
        return;
    }
    struct fg_failure failure = {415, FG_RPC_INVALID_ARGUMENT,
                                 "content-type must be application/json: Zipkin's v2 JSON", 0};
    refuse(exchange, FG_INGEST_MALFORMED, &failure);
}
