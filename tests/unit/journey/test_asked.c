/* Who asks waits for no more than a moment of the follower's work, and never for the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "journeys_internal.h"
#include "os/thread.h"
#include "store/state.h"
#include "world.h"

static void put_orders(struct world *world, unsigned begin, unsigned end)
{
    for (unsigned i = begin; i < end; i++) {
        char value[24];
        snprintf(value, sizeof value, "ORD-%u", i);
        put(world, (struct told){"shop", "place", .value = value, .trace = 1000 + i});
    }
}

struct step {
    struct world *world;
    struct fg_thread thread;
    int result;
    atomic_bool is_over;
};

static void run_step(void *arg)
{
    struct step *step = arg;
    step->result = fg_journeys_step(step->world->journeys);
    atomic_store(&step->is_over, true);
}

/* A commit that holds up all that come after it, until it is let go: a disk that takes its time. */
struct gate {
    struct fg_state *state;
    struct fg_mutex mutex;
    struct fg_cond cond;
    bool is_shut, is_open, is_over;
};

static void shut(struct gate *gate);

static void on_committed(void *arg, int result)
{
    struct gate *gate = arg;
    fg_mutex_lock(&gate->mutex);
    gate->is_shut = result == 0;
    fg_cond_broadcast(&gate->cond);
    while (!gate->is_open)
        fg_cond_wait(&gate->cond, &gate->mutex);
    gate->is_open = gate->is_shut = false;
    bool is_over = gate->is_over;
    fg_mutex_unlock(&gate->mutex);
    if (!is_over)
        shut(gate);
}

static void shut(struct gate *gate)
{
    struct fg_state_batch *batch;
    assert_int_equal(fg_state_batch_new(gate->state, &batch), 0);
    fg_state_put_position(batch, "gate", 1, 1);
    fg_state_commit_start_take(gate->state, batch, on_committed, gate);
}

static void wait_until_shut(struct gate *gate)
{
    fg_mutex_lock(&gate->mutex);
    while (!gate->is_shut)
        fg_cond_wait(&gate->cond, &gate->mutex);
    fg_mutex_unlock(&gate->mutex);
}

static void open_gate(struct gate *gate, bool is_over)
{
    fg_mutex_lock(&gate->mutex);
    gate->is_open = true;
    gate->is_over = is_over;
    fg_cond_broadcast(&gate->cond);
    fg_mutex_unlock(&gate->mutex);
}

/* The disk stands still at each commit of a step in turn, of those by which records go from memory
 * as well; it is asked meanwhile. Whoever held the records there would hold them for ever. */
static void test_disk_stands(void **state)
{
    struct world world;
    struct gate gate = {.state = NULL};
    (void)state;
    alarm(60);
    world_is_durable = true;
    begin(&world, 64);
    put_orders(&world, 0, 60);
    send(&world);
    struct step step = {.world = &world};
    gate.state = world.state;
    fg_mutex_init(&gate.mutex, FG_RANK_LEAF);
    fg_cond_init(&gate.cond);
    for (unsigned i = 60; i < 120; i += 20) {
        put_orders(&world, i, i + 20);
        append(&world);
    }
    shut(&gate);
    wait_until_shut(&gate);
    assert_int_equal(fg_thread_start(&step.thread, "step", run_step, &step), 0);
    while (!atomic_load(&step.is_over)) {
        for (unsigned i = 0; i < 20; i++) {
            char value[24];
            snprintf(value, sizeof value, "ORD-%u", i * 3);
            assert_int_equal(where(&world, value).state, FG_JOURNEY_FLOWING);
            assert_true(counters_of(&world).count >= 60);
        }
        open_gate(&gate, false);
        wait_until_shut(&gate);
    }
    open_gate(&gate, true);
    fg_thread_join(&step.thread);
    assert_int_equal(step.result, 0);
    assert_int_equal(counters_of(&world).count, 120);
    assert_true(counters_of(&world).absent > 0);
    end(&world);
    fg_cond_destroy(&gate.cond);
    fg_mutex_destroy(&gate.mutex);
    alarm(0);
}

/* How often somebody who asks all the time was answered within a batch. Another waits for the mutex
 * all the while, so that the follower gives it up wherever it lets in whoever waits, for as long as
 * it ever does: the batch is not over before the one who asks has had a turn. */
static unsigned answers_within(unsigned count)
{
    struct world world;
    unsigned between = 0;
    begin(&world, 20000);
    put_orders(&world, 0, count);
    append(&world);
    atomic_fetch_add(&world.journeys->askers, 1);
    struct step step = {.world = &world};
    assert_int_equal(fg_thread_start(&step.thread, "step", run_step, &step), 0);
    while (!atomic_load(&step.is_over)) {
        uint64_t known = counters_of(&world).count;
        between += known > 0 && known < count;
    }
    fg_thread_join(&step.thread);
    atomic_fetch_sub(&world.journeys->askers, 1);
    assert_int_equal(step.result, 0);
    assert_int_equal(counters_of(&world).count, count);
    end(&world);
    return between;
}

/* A batch of many orders is not taken as a whole before somebody is answered. */
static void test_large_batch(void **state)
{
    (void)state;
    world_is_durable = false;
    assert_true(answers_within(4000) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {

        cmocka_unit_test(test_disk_stands),
        cmocka_unit_test(test_large_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
