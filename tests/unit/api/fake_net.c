#include "fake_net.h"

#include "base/limits.h"
#include "net/grpc.h"
#include "net/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fg_net_counters fake_counters;

static struct fake_request *fake_of(const struct fg_request *request)
{
    return (struct fake_request *)(uintptr_t)request;
}

void fake_init(struct fake_request *fake, enum fg_method method, const char *path,
               const char *query, int face)
{
    *fake = (struct fake_request){.grpc_status = -1};
    fg_mutex_init(&fake->mutex, FG_RANK_LEAF);
    fg_cond_init(&fake->cond);
    fg_arena_init(&fake->arena, FG_NET_REQUEST_ARENA_SIZE_MAX);
    fg_buffer_init(&fake->answer, (size_t)1 << 30);
    fake->request = (struct fg_request){
        .method = method,
        .path = fg_slice_from_string(path),
        .query = fg_slice_from_string(query),
        .fields = fake->fields,
        .http_major = 1,
        .http_minor = 1,
        .face = face,
        .peer = FG_SLICE("127.0.0.1:5"),
        .received_ns = UINT64_C(1764000000000000000),
        .arena = &fake->arena,
    };
}

void fake_field(struct fake_request *fake, const char *name, const char *value)
{
    assert_true(fake->request.field_count < FAKE_FIELDS_MAX);
    fake->fields[fake->request.field_count++] =
        (struct fg_header_field){fg_slice_from_string(name), fg_slice_from_string(value)};
}

void fake_body(struct fake_request *fake, const char *content_type, struct fg_slice body)
{
    fake->request.content_type = fg_slice_from_string(content_type);
    fake->request.body = body;
}

void fake_free(struct fake_request *fake)
{
    if (fake->request.finish)
        fake->request.finish(&fake->request);
    assert_int_equal(fake->refs, 0);
    fg_arena_free(&fake->arena);
    fg_buffer_free(&fake->answer);
    fg_cond_destroy(&fake->cond);
    fg_mutex_destroy(&fake->mutex);
}

void fake_wait(struct fake_request *fake)
{
    fg_mutex_lock(&fake->mutex);
    while (fake->wakes == 0)
        fg_cond_wait(&fake->cond, &fake->mutex);
    fake->wakes = 0;
    fg_mutex_unlock(&fake->mutex);
    fake->request.wake(&fake->request);
}

static void stop(struct fake_request *fake)
{
    struct fg_generator *generator = fake->generator;
    fake->generator = NULL;
    if (generator)
        generator->stop(generator);
}

bool fake_pull(struct fake_request *fake)
{
    struct fg_buffer part;
    bool done = false;
    if (!fake->generator)
        return false;
    fg_buffer_init(&part, FG_PULL_SIZE_MAX);
    int r = fake->generator->pull(fake->generator, &part, &done);
    if (r == 0)
        r = part.error;
    fg_buffer_append_slice(&fake->answer, fg_buffer_slice(&part));
    if (part.size > fake->pull_size_max)
        fake->pull_size_max = part.size;
    fg_buffer_free(&part);
    if (r == FG_EAGAIN) {
        fake_wait(fake);
        return true;
    }
    if (r < 0)
        fake->broken = r;
    if (r < 0 || done)
        stop(fake);
    return fake->generator != NULL;
}

/* Whoever still holds the request is about to let it go. */
void fake_wait_refs(struct fake_request *fake)
{
    fg_mutex_lock(&fake->mutex);
    while (fake->refs > 0)
        fg_cond_wait(&fake->cond, &fake->mutex);
    fg_mutex_unlock(&fake->mutex);
}

void fake_cancel(struct fake_request *fake)
{
    atomic_store(&fake->cancelled, true);
    if (fake->request.cancel)
        fake->request.cancel(&fake->request);
    stop(fake);
    fake_wait_refs(fake);
}

const char *fake_text(struct fake_request *fake)
{
    fg_buffer_append_byte(&fake->answer, 0);
    assert_int_equal(fake->answer.error, 0);
    fake->answer.size--;
    return (const char *)fake->answer.data;
}

/* -- net/request.h and what of net/grpc.h answers
 * ----------------------------------------------------
 */

struct fg_slice fg_request_field(const struct fg_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (fg_slice_equal(request->fields[i].name, fg_slice_from_string(name)))
            return request->fields[i].value;
    return (struct fg_slice){0};
}

void fg_request_limit_body(struct fg_request *request, uint64_t size_max,
                           uint64_t inflated_size_max)
{
    fake_of(request)->body_size_max = size_max;
    fake_of(request)->inflated_size_max = inflated_size_max;
}

void fg_request_release_body(struct fg_request *request)
{
    request->body = (struct fg_slice){0};
}

void fg_request_wake(struct fg_request *request)
{
    struct fake_request *fake = fake_of(request);
    fg_mutex_lock(&fake->mutex);
    fake->wakes++;
    fg_cond_broadcast(&fake->cond);
    fg_mutex_unlock(&fake->mutex);
}

bool fg_request_is_cancelled(const struct fg_request *request)
{
    return atomic_load(&fake_of(request)->cancelled);
}

struct fg_request *fg_request_ref(struct fg_request *request)
{
    struct fake_request *fake = fake_of(request);
    fg_mutex_lock(&fake->mutex);
    fake->refs++;
    fg_mutex_unlock(&fake->mutex);
    return request;
}

void fg_request_unref(struct fg_request *request)
{
    struct fake_request *fake = fake_of(request);
    fg_mutex_lock(&fake->mutex);
    fake->refs--;
    fg_cond_broadcast(&fake->cond);
    fg_mutex_unlock(&fake->mutex);
}

static void take_head(struct fg_request *request, const struct fg_response *response)
{
    struct fake_request *fake = fake_of(request);
    assert_false(fake->answered);
    fake->answered = true;
    fake->status = response->status;
    snprintf(fake->content_type, sizeof fake->content_type, "%s",
             response->content_type ? response->content_type : "");
    size_t at = 0;
    for (size_t i = 0; i < response->field_count; i++) {
        const struct fg_header_field *field = &response->fields[i];
        at += (size_t)snprintf(fake->header + at, sizeof fake->header - at, "%.*s: %.*s\n",
                               (int)field->name.size, (const char *)field->name.data,
                               (int)field->value.size, (const char *)field->value.data);
        assert_true(at < sizeof fake->header);
    }
}

void fg_respond_copy(struct fg_request *request, const struct fg_response *response,
                     struct fg_slice body)
{
    take_head(request, response);
    fg_buffer_append_slice(&fake_of(request)->answer, body);
}

void fg_respond_take(struct fg_request *request, const struct fg_response *response,
                     struct fg_buffer *body)
{
    fg_respond_copy(request, response, fg_buffer_slice(body));
    fg_buffer_free(body);
}

void fg_respond_pull(struct fg_request *request, const struct fg_response *response,
                     struct fg_generator *generator)
{
    take_head(request, response);
    fake_of(request)->generator = generator;
}

void fg_respond_text(struct fg_request *request, unsigned status, const char *text)
{
    struct fg_response response = {.status = status, .content_type = "text/plain"};
    fg_respond_copy(request, &response, fg_slice_from_string(text));
}

void fg_response_resume(struct fg_request *request)
{
    (void)request; /* fake_pull() goes on by itself */
}

bool fg_request_is_answered(const struct fg_request *request)
{
    return fake_of(request)->answered;
}

const struct fg_net_counters *fg_server_counters(const struct fg_server *server)
{
    (void)server;
    return &fake_counters;
}

void fg_grpc_respond(struct fg_request *request, struct fg_slice message)
{
    struct fg_response response = {.status = 200, .content_type = "application/grpc"};
    assert_true(request->is_grpc);
    fg_respond_copy(request, &response, message);
    fake_of(request)->grpc_status = FG_GRPC_OK;
}

void fg_grpc_respond_status(struct fg_request *request, enum fg_grpc_status status,
                            const char *message, struct fg_slice details)
{
    struct fg_response response = {.status = 200, .content_type = "application/grpc"};
    assert_true(request->is_grpc);
    fg_respond_copy(request, &response, details);
    fake_of(request)->grpc_status = (int)status;
    snprintf(fake_of(request)->grpc_message, sizeof fake_of(request)->grpc_message, "%s",
             message ? message : "");
}
