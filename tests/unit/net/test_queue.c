/* net/queue.h: what several threads push comes out whole, and in the order of each thread. */
#include "net/queue.h"
#include "os/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS  4
#define MESSAGES 20000

struct numbered {
    struct fg_message message;
    unsigned thread, number;
};

struct pusher {
    struct fg_thread thread;
    struct numbered messages[MESSAGES];
};

static struct fg_queue queue;
static _Atomic unsigned wakes;
static unsigned next_number[THREADS];
static unsigned seen;

static void see(struct fg_message *message)
{
    struct numbered *numbered = (struct numbered *)message;
    assert_int_equal(numbered->number, next_number[numbered->thread]);
    next_number[numbered->thread]++;
    seen++;
}

static void push_all(void *arg)
{
    struct pusher *pusher = arg;
    for (size_t i = 0; i < MESSAGES; i++) {
        pusher->messages[i].message.run = see;
        if (fg_queue_push(&queue, &pusher->messages[i].message))
            atomic_fetch_add(&wakes, 1);
    }
}

static void many_threads(void **state)
{
    (void)state;
    static struct pusher pushers[THREADS];
    fg_queue_init(&queue);
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < MESSAGES; i++)
            pushers[t].messages[i] = (struct numbered){.thread = t, .number = i};
        assert_int_equal(fg_thread_start(&pushers[t].thread, "push", push_all, &pushers[t]), 0);
    }
    /* One wake a filling of the empty queue: a drain without one before it finds nothing. */
    unsigned drains_with_some = 0, total = 0;
    while (total < THREADS * MESSAGES) {
        size_t count = fg_queue_drain(&queue);
        drains_with_some += count > 0;
        total += (unsigned)count;
        if (count == 0)
            sched_yield();
    }
    for (unsigned t = 0; t < THREADS; t++)
        fg_thread_join(&pushers[t].thread);
    assert_int_equal(seen, THREADS * MESSAGES);
    assert_int_equal(atomic_load(&wakes), drains_with_some);
}

static unsigned runs;

static void again(struct fg_message *message)
{
    runs++;
    fg_queue_push(&queue, message);
}

static void what_is_pushed_meanwhile_waits(void **state)
{
    (void)state;
    struct fg_message message = {.run = again};
    fg_queue_init(&queue);
    assert_int_equal(fg_queue_drain(&queue), 0);
    assert_true(fg_queue_push(&queue, &message));
    assert_int_equal(fg_queue_drain(&queue), 1);
    assert_int_equal(runs, 1);
    assert_int_equal(fg_queue_drain(&queue), 1);
    assert_int_equal(runs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads),
        cmocka_unit_test(what_is_pushed_meanwhile_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
