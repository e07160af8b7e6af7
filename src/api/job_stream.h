/* An answer that a job writes while its client reads it. The job's thread blocks while the client
 * is slow, so that between the two never lies more than FG_JOB_TEXT_SIZE_MAX.
 *
 * States: queued → running, silent → answering (the first bytes are there: 200) → over. A job that
 * fails while it is silent is answered by its error; one that fails later has its answer cut, or
 * says it in its own words before it returns.
 *
 * Two hold a stream: the job while it is queued or runs, and the loop until the answer is over or
 * its generator stopped. Whoever lets go last frees it. */
#pragma once

#include "base/buffer.h"
#include "exchange.h"
#include "workers.h"

#include <stdatomic.h>

#define FG_JOB_TEXT_SIZE_MAX ((size_t)1 << 20)

struct fg_job_stream {
    const char *verb; /* "export spans", for errors */
    const char *content_type;
    /* The job's thread. Writes by fg_job_stream_write(); 0 or an fg_error. */
    int (*run)(struct fg_job_stream *stream);
    /* When the last of both lets go, also where run was never called; may be NULL. Any thread. */
    void (*release)(struct fg_job_stream *stream);
    struct fg_exchange *exchange;
    char message[512]; /* written by run that fails and has its own words for it */

    /* the stream's own */
    struct fg_task task;
    struct fg_generator generator;
    struct fg_request *request; /* a reference */
    _Atomic unsigned refs;
    struct fg_mutex mutex; /* guards what follows */
    struct fg_cond cond;   /* there is room, or the client went */
    struct fg_buffer text; /* written and not yet pulled */
    size_t text_at;
    uint64_t
        permitted_ns; /* when that was last found, by the monotonic clock; the job's thread's */
    bool has_written;
    bool pull_waits; /* for more text */
    bool is_over;    /* the job ended */
    bool stopped;    /* nothing will be pulled any more */
    int error;       /* the job's */

    _Alignas(16) uint8_t state[]; /* the job's own */
};

/* With state_size bytes of zeroes for the job's own. NULL: out of memory; the exchange was
 * answered. */
struct fg_job_stream *fg_job_stream_new(struct fg_exchange *exchange, const char *verb,
                                        const char *content_type,
                                        int (*run)(struct fg_job_stream *stream),
                                        size_t state_size);

/* Answers in any case, now or later; consumes stream. */
void fg_job_stream_start_take(struct fg_job_stream *stream, struct fg_workers *workers);

/* For a stream that was not started; the exchange was answered. */
void fg_job_stream_abandon(struct fg_job_stream *stream);

/* The job's thread. Blocks while there is no room. FG_ECANCELLED: the client went; FG_ENOMEM. */
FG_MUST_CHECK int fg_job_stream_write(struct fg_job_stream *stream, struct fg_slice text);

/* The same for what may be left out: writes all of it or, where there is no room, nothing, and
 * never blocks. Whether it was written. */
bool fg_job_stream_offer(struct fg_job_stream *stream, struct fg_slice text);

/* Sleeps for at most timeout_ns; ends early when nobody reads any more. */
void fg_job_stream_sleep(struct fg_job_stream *stream, uint64_t timeout_ns);

/* Whether nobody reads any more, or who does may no more. */
bool fg_job_stream_is_cancelled(struct fg_job_stream *stream);
