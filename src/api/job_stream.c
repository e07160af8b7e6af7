#include "job_stream.h"

#include "base/limits.h"
#include "permit.h"
#include "state.h"

#include <stdlib.h>

static void unref(struct fg_job_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (stream->release)
        stream->release(stream);
    fg_buffer_free(&stream->text);
    fg_cond_destroy(&stream->cond);
    fg_mutex_destroy(&stream->mutex);
    fg_request_unref(stream->request);
    free(stream);
}

/* -- The job's side
 * ------------------------------------------------------------------------------
 */

/* With the mutex held: what must be told to the loop. */
static bool must_wake(struct fg_job_stream *stream)
{
    bool is_first = !stream->has_written;
    bool wake = is_first || stream->pull_waits;
    stream->has_written = true;
    stream->pull_waits = false;
    return wake;
}

/* With the mutex held: room for new bytes, which are appended behind what is left. */
static size_t room(struct fg_job_stream *stream)
{
    size_t left = stream->text.size - stream->text_at;
    if (stream->text_at > 0 && stream->text.size >= FG_JOB_TEXT_SIZE_MAX) {
        memmove(stream->text.data, stream->text.data + stream->text_at, left);
        stream->text.size = left;
        stream->text_at = 0;
    }
    return FG_JOB_TEXT_SIZE_MAX - stream->text.size;
}

int fg_job_stream_write(struct fg_job_stream *stream, struct fg_slice text)
{
    int r = 0;
    while (text.size > 0 && r == 0) {
        bool wake = false;
        fg_mutex_lock(&stream->mutex);
        while (room(stream) == 0 && !stream->stopped)
            fg_cond_wait(&stream->cond, &stream->mutex);
        size_t size = room(stream) < text.size ? room(stream) : text.size;
        if (stream->stopped || fg_request_is_cancelled(stream->request)) {
            r = FG_ECANCELLED;
        } else {
            fg_buffer_append(&stream->text, text.data, size);
            r = stream->text.error;
            wake = must_wake(stream);
        }
        fg_mutex_unlock(&stream->mutex);
        if (wake)
            fg_request_wake(stream->request);
        text = fg_slice(text.data + size, text.size - size);
    }
    return r;
}

bool fg_job_stream_offer(struct fg_job_stream *stream, struct fg_slice text)
{
    bool wake = false, fits;
    fg_mutex_lock(&stream->mutex);
    fits = !stream->stopped && room(stream) >= text.size;
    if (fits) {
        fg_buffer_append_slice(&stream->text, text);
        fits = !stream->text.error;
        wake = must_wake(stream);
    }
    fg_mutex_unlock(&stream->mutex);
    if (wake)
        fg_request_wake(stream->request);
    return fits;
}

void fg_job_stream_sleep(struct fg_job_stream *stream, uint64_t timeout_ns)
{
    fg_mutex_lock(&stream->mutex);
    if (!stream->stopped)
        fg_cond_wait_for(&stream->cond, &stream->mutex, timeout_ns);
    fg_mutex_unlock(&stream->mutex);
}

/* Asked once a second: a session that has ended ends what it began. */
static bool is_permitted(struct fg_job_stream *stream)
{
    uint64_t now_ns = fg_env_mono_ns(stream->exchange->api->env);
    if (stream->permitted_ns && now_ns - stream->permitted_ns < FG_NS_PER_SECOND)
        return true;
    bool is = fg_permit_holds(stream->exchange);
    stream->permitted_ns = is ? now_ns : 0;
    return is;
}

bool fg_job_stream_is_cancelled(struct fg_job_stream *stream)
{
    fg_mutex_lock(&stream->mutex);
    bool stopped = stream->stopped;
    fg_mutex_unlock(&stream->mutex);
    return stopped || fg_request_is_cancelled(stream->request) || !is_permitted(stream);
}

static void run(struct fg_task *task)
{
    struct fg_job_stream *stream =
        (struct fg_job_stream *)((char *)task - offsetof(struct fg_job_stream, task));
    int r = fg_job_stream_is_cancelled(stream) ? FG_ECANCELLED : stream->run(stream);
    fg_mutex_lock(&stream->mutex);
    stream->is_over = true;
    stream->error = r;
    fg_mutex_unlock(&stream->mutex);
    fg_request_wake(stream->request);
    unref(stream);
}

/* -- The loop's side
 * -----------------------------------------------------------------------------
 */

static int pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct fg_job_stream *stream =
        (struct fg_job_stream *)((char *)generator - offsetof(struct fg_job_stream, generator));
    int r = 0;
    fg_mutex_lock(&stream->mutex);
    size_t left = stream->text.size - stream->text_at;
    size_t size = left < FG_PULL_SIZE ? left : FG_PULL_SIZE;
    fg_buffer_append(out, stream->text.data + stream->text_at, size);
    stream->text_at += size;
    if (size == left) {
        stream->text.size = 0;
        stream->text_at = 0;
    }
    if (size > 0)
        fg_cond_signal(&stream->cond);
    bool is_dry = size == left && stream->is_over;
    if (is_dry && stream->error < 0)
        r = stream->error;
    else if (is_dry)
        *ret_done = true;
    else if (size == 0)
        r = FG_EAGAIN;
    stream->pull_waits = r == FG_EAGAIN;
    fg_mutex_unlock(&stream->mutex);
    return r;
}

static void stop(struct fg_generator *generator)
{
    struct fg_job_stream *stream =
        (struct fg_job_stream *)((char *)generator - offsetof(struct fg_job_stream, generator));
    fg_mutex_lock(&stream->mutex);
    stream->stopped = true;
    fg_cond_signal(&stream->cond);
    fg_mutex_unlock(&stream->mutex);
    unref(stream);
}

static void on_wake(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct fg_job_stream *stream = exchange->work;
    if (fg_request_is_answered(request)) {
        fg_response_resume(request);
        return;
    }
    fg_mutex_lock(&stream->mutex);
    int error = stream->has_written ? 0 : stream->error;
    fg_mutex_unlock(&stream->mutex);
    if (error < 0) {
        if (*stream->message)
            fg_answer_error_message(exchange, error, stream->message);
        else
            fg_answer_error(exchange, error, stream->verb);
        unref(stream);
        return;
    }
    stream->generator = (struct fg_generator){.pull = pull, .stop = stop};
    fg_answer_pull(exchange, stream->content_type, &stream->generator);
}

struct fg_job_stream *fg_job_stream_new(struct fg_exchange *exchange, const char *verb,
                                        const char *content_type,
                                        int (*run_fn)(struct fg_job_stream *stream),
                                        size_t state_size)
{
    struct fg_job_stream *stream = calloc(1, sizeof *stream + state_size);
    if (!stream) {
        fg_answer_error(exchange, FG_ENOMEM, verb);
        return NULL;
    }
    stream->verb = verb;
    stream->content_type = content_type;
    stream->run = run_fn;
    stream->exchange = exchange;
    stream->task.run = run;
    stream->request = fg_request_ref(exchange->request);
    atomic_init(&stream->refs, 2);
    fg_mutex_init(&stream->mutex, FG_RANK_LEAF);
    fg_cond_init(&stream->cond);
    fg_buffer_init(&stream->text, FG_JOB_TEXT_SIZE_MAX);
    exchange->work = stream;
    exchange->request->wake = on_wake;
    return stream;
}

void fg_job_stream_abandon(struct fg_job_stream *stream)
{
    atomic_store(&stream->refs, 1); /* the job never had it */
    unref(stream);
}

void fg_job_stream_start_take(struct fg_job_stream *stream, struct fg_workers *workers)
{
    /* A parameter that memory did not suffice for looks as if it were absent. */
    bool lost_some = stream->exchange->request->arena->overflow;
    int r = lost_some ? FG_ENOMEM : fg_workers_queue(workers, &stream->task);
    if (r < 0) {
        fg_answer_error(stream->exchange, r, stream->verb);
        fg_job_stream_abandon(stream);
    }
}
