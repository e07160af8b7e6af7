#include "work.h"

#include "state.h"

#define BODY_SIZE_MAX   ((size_t)64 << 20)
#define ARENA_BYTES_MAX ((size_t)256 << 20)

static void run(struct fg_task *task)
{
    struct fg_work *work = (struct fg_work *)((char *)task - offsetof(struct fg_work, task));
    work->error =
        fg_request_is_cancelled(work->exchange->request) ? FG_ECANCELLED : work->run(work);
    fg_request_wake(work->exchange->request);
}

static void on_wake(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct fg_work *work = exchange->work;
    fg_arena_free(&work->arena);
    if (work->answer) {
        work->answer(work);
        fg_buffer_free(&work->body);
        return;
    }
    if (work->error == 0) {
        fg_answer_take(exchange, 200, "application/json", &work->body);
        return;
    }
    fg_buffer_free(&work->body);
    if (work->message)
        fg_answer_error_message(exchange, work->error, work->message);
    else
        fg_answer_error(exchange, work->error, work->verb);
}

struct fg_work *fg_work_new(struct fg_exchange *exchange, const char *verb,
                            int (*run_fn)(struct fg_work *work), size_t state_size)
{
    struct fg_work *work = fg_arena_calloc(exchange->request->arena, 1, sizeof *work + state_size);
    if (!work) {
        fg_answer_error(exchange, FG_ENOMEM, verb);
        return NULL;
    }
    work->task.run = run;
    work->exchange = exchange;
    work->verb = verb;
    work->run = run_fn;
    fg_buffer_init(&work->body, BODY_SIZE_MAX);
    fg_arena_init(&work->arena, ARENA_BYTES_MAX);
    exchange->work = work;
    exchange->request->wake = on_wake;
    return work;
}

bool fg_work_is_cancelled(void *arg)
{
    return fg_request_is_cancelled(arg);
}

void fg_work_start(struct fg_work *work, struct fg_workers *workers)
{
    /* A parameter that memory did not suffice for looks as if it were absent. */
    bool lost_some = work->exchange->request->arena->overflow;
    int r = lost_some ? FG_ENOMEM : fg_workers_queue(workers, &work->task);
    if (r < 0)
        fg_answer_error(work->exchange, r, work->verb);
}
