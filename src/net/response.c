/* Answers, as handlers give them. What is written is kept in call->answer; how it looks on the
 * wire is the protocol's. */
#include "call.h"

#include "count.h"
#include "loop.h"

#include <assert.h>

static bool status_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void begin(struct fg_call *call, const struct fg_response *response)
{
    struct fg_net_counters *counters = &call->loop->shared->counters;
    assert(!fg_call_is_answered(call));
    assert(response->status >= 200 && response->status <= 599);
    assert(response->field_count <= FG_NET_RESPONSE_FIELDS_MAX);
    call->answer.state = FG_ANSWER_READY;
    call->answer.status = response->status;
    call->answer.has_body =
        call->request.method != FG_METHOD_HEAD && status_has_body(response->status);
    fg_net_count(&counters->responses[response->status / 100], 1);
}

/* On to the protocol; nobody listens any more where the client has gone. */
static void hand_over(struct fg_call *call, const struct fg_response *response)
{
    if (call->is_gone) {
        fg_call_end(call);
        return;
    }
    call->conn->protocol->answer(call, response);
    fg_conn_touch(call->conn);
}

void fg_respond_copy(struct fg_request *request, const struct fg_response *response,
                     struct fg_slice body)
{
    struct fg_call *call = fg_call_of(request);
    begin(call, response);
    fg_buffer_append_slice(&call->answer.body, body);
    hand_over(call, response);
}

void fg_respond_take(struct fg_request *request, const struct fg_response *response,
                     struct fg_buffer *body)
{
    struct fg_call *call = fg_call_of(request);
    begin(call, response);
    fg_buffer_free(&call->answer.body);
    call->answer.body = *body;
    call->answer.body.size_max = SIZE_MAX;
    *body = (struct fg_buffer){.size_max = body->size_max};
    hand_over(call, response);
}

void fg_respond_pull(struct fg_request *request, const struct fg_response *response,
                     struct fg_generator *generator)
{
    struct fg_call *call = fg_call_of(request);
    begin(call, response);
    call->answer.generator = generator;
    hand_over(call, response);
}

void fg_respond_text(struct fg_request *request, unsigned status, const char *text)
{
    struct fg_call *call = fg_call_of(request);
    const struct fg_response response = {.status = status,
                                         .content_type = "text/plain; charset=utf-8"};
    begin(call, &response);
    fg_buffer_append_string(&call->answer.body, text);
    fg_buffer_append_byte(&call->answer.body, '\n');
    hand_over(call, &response);
}

void fg_call_respond_grpc(struct fg_call *call, const struct fg_response *response,
                          bool has_trailers)
{
    begin(call, response);
    call->answer.has_trailers = has_trailers;
    hand_over(call, response);
}

void fg_response_resume(struct fg_request *request)
{
    struct fg_call *call = fg_call_of(request);
    if (call->answer.state != FG_ANSWER_WAITING)
        return;
    call->answer.state = FG_ANSWER_SENDING;
    call->conn->protocol->resume(call);
    fg_conn_touch(call->conn);
}

bool fg_request_is_answered(const struct fg_request *request)
{
    return fg_call_is_answered((const struct fg_call *)request);
}

static void uncount_part(struct fg_call *call)
{
    fg_body_uncount(call->loop->shared, call->answer.counted_size);
    call->answer.counted_size = 0;
}

/* The part's memory counts as bodies do: what many slow readers were given to read is bounded. */
static int count_part(struct fg_call *call)
{
    size_t size =
        call->answer.body.capacity > FG_PULL_SIZE ? call->answer.body.capacity : FG_PULL_SIZE;
    if (size == call->answer.counted_size)
        return 0;
    uncount_part(call);
    int r = fg_body_count(call->loop->shared, size);
    if (r < 0)
        return r;
    call->answer.counted_size = size;
    return 0;
}

int fg_answer_pull_part(struct fg_call *call)
{
    struct fg_answer *answer = &call->answer;
    bool is_done = false;
    fg_buffer_reset(&answer->body);
    answer->body.size_max = FG_PULL_SIZE_MAX;
    answer->body_at = 0;
    int r = count_part(call);
    if (r < 0) {
        fg_net_count(&call->loop->shared->counters.refused[FG_REFUSED_BUFFERED_SIZE], 1);
        return FG_ENOMEM; /* there is no waiting for it: all of them may be readers that wait */
    }
    r = answer->generator->pull(answer->generator, &answer->body, &is_done);
    if (r == FG_EAGAIN) {
        answer->state = FG_ANSWER_WAITING;
        uncount_part(call);
        return r;
    }
    if (r == 0)
        r = answer->body.error;
    if (r == 0)
        r = count_part(call);
    if (r < 0)
        return r == FG_EAGAIN ? FG_ENOMEM : r;
    assert(answer->body.size || is_done);
    answer->is_last = is_done;
    return 0;
}

void fg_answer_clear(struct fg_call *call)
{
    struct fg_answer *answer = &call->answer;
    struct fg_generator *generator = answer->generator;
    uncount_part(call);
    answer->generator = NULL;
    if (generator)
        generator->stop(generator);
}
