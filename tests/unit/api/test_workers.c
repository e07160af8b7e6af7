/* workers.h: what is queued runs once, the queue is bounded, freeing runs what waits. */
#include "workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TASKS 200

struct gate {
    struct fg_mutex mutex;
    struct fg_cond cond;
    bool open;
    unsigned waiting; /* tasks that stand before it */
    unsigned done;
};

struct job {
    struct fg_task task;
    struct gate *gate;
    unsigned runs;
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){.open = false};
    fg_mutex_init(&gate->mutex, FG_RANK_LEAF);
    fg_cond_init(&gate->cond);
}

static void gate_open(struct gate *gate)
{
    fg_mutex_lock(&gate->mutex);
    gate->open = true;
    fg_cond_broadcast(&gate->cond);
    fg_mutex_unlock(&gate->mutex);
}

static void gate_wait_for(struct gate *gate, unsigned waiting)
{
    fg_mutex_lock(&gate->mutex);
    while (gate->waiting < waiting)
        fg_cond_wait(&gate->cond, &gate->mutex);
    fg_mutex_unlock(&gate->mutex);
}

static void gate_free(struct gate *gate)
{
    fg_cond_destroy(&gate->cond);
    fg_mutex_destroy(&gate->mutex);
}

static void pass_gate(struct fg_task *task)
{
    struct job *job = (struct job *)task;
    fg_mutex_lock(&job->gate->mutex);
    job->gate->waiting++;
    fg_cond_broadcast(&job->gate->cond);
    while (!job->gate->open)
        fg_cond_wait(&job->gate->cond, &job->gate->mutex);
    job->runs++;
    job->gate->done++;
    fg_mutex_unlock(&job->gate->mutex);
}

static void test_each_task_runs_once(void **state)
{
    (void)state;
    struct gate gate;
    struct fg_workers *workers;
    static struct job jobs[TASKS];
    gate_init(&gate);
    gate_open(&gate);
    assert_int_equal(fg_workers_new("test", 3, TASKS, &workers), 0);
    for (int i = 0; i < TASKS; i++) {
        jobs[i] = (struct job){.task.run = pass_gate, .gate = &gate};
        assert_int_equal(fg_workers_queue(workers, &jobs[i].task), 0);
    }
    fg_workers_free(workers); /* runs what still waits */
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(jobs[i].runs, 1);
    assert_int_equal(gate.done, TASKS);
    gate_free(&gate);
}

static void test_queue_is_bounded(void **state)
{
    (void)state;
    struct gate gate;
    struct fg_workers *workers;
    struct job jobs[4];
    gate_init(&gate);
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct job){.task.run = pass_gate, .gate = &gate};
    assert_int_equal(fg_workers_new("test", 1, 2, &workers), 0);
    assert_int_equal(fg_workers_queue(workers, &jobs[0].task), 0);
    gate_wait_for(&gate, 1); /* it runs, and waits no more in the queue */
    assert_int_equal(fg_workers_queue(workers, &jobs[1].task), 0);
    assert_int_equal(fg_workers_queue(workers, &jobs[2].task), 0);
    assert_int_equal(fg_workers_queue(workers, &jobs[3].task), FG_EAGAIN);
    gate_open(&gate);
    fg_workers_free(workers);
    assert_int_equal(gate.done, 3);
    assert_int_equal(jobs[3].runs, 0);
    gate_free(&gate);
}

/* The task's memory is its owner's again once run was called: it may be queued from within. */
struct again {
    struct fg_task task;
    struct fg_workers *workers;
    struct gate *gate;
    unsigned left;
};

static void queue_again(struct fg_task *task)
{
    struct again *again = (struct again *)task;
    if (--again->left > 0)
        assert_int_equal(fg_workers_queue(again->workers, task), 0);
    else
        gate_open(again->gate);
}

static void test_task_may_queue_itself(void **state)
{
    (void)state;
    struct gate gate;
    struct again again = {.task.run = queue_again, .gate = &gate, .left = 100};
    gate_init(&gate);
    assert_int_equal(fg_workers_new("test", 2, 1, &again.workers), 0);
    assert_int_equal(fg_workers_queue(again.workers, &again.task), 0);
    fg_mutex_lock(&gate.mutex);
    while (!gate.open)
        fg_cond_wait(&gate.cond, &gate.mutex);
    fg_mutex_unlock(&gate.mutex);
    fg_workers_free(again.workers);
    assert_int_equal(again.left, 0);
    gate_free(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_runs_once),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_task_may_queue_itself),
    };
    fg_workers_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
