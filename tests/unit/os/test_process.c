/* os/process.h and os/signal.h. */
#include "os/process.h"
#include "os/signal.h"
#include "os/thread.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void test_usage(void **state)
{
    (void)state;
    struct fg_process_usage before, after;
    assert_int_equal(fg_process_usage(&before), 0);
    assert_true(before.resident_bytes > 1 << 20 && before.virtual_bytes > before.resident_bytes);
    assert_true(before.thread_count >= 1);
    assert_true(before.open_files >= 3 && before.open_files_max > before.open_files);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t size = (size_t)64 << 20;
    char *memory = malloc(size);
    assert_non_null(memory);
    memset(memory, 1, size);
    assert_int_equal(fg_process_usage(&after), 0);
    assert_int_equal(after.open_files, before.open_files + 1);
    assert_true(after.resident_bytes > before.resident_bytes + size / 2);
    assert_true(after.cpu_ns >= before.cpu_ns);
    assert_int_equal(memory[size / 2], 1);
    free(memory);
    close(fd);
    assert_true(fg_processor_count() >= 1);
}

struct heard {
    struct fg_mutex mutex;
    struct fg_cond cond;
    unsigned stops, reloads;
};

static void on_signal(void *arg, enum fg_signal signal)
{
    struct heard *heard = arg;
    fg_mutex_lock(&heard->mutex);
    heard->stops += signal == FG_SIGNAL_STOP;
    heard->reloads += signal == FG_SIGNAL_RELOAD;
    fg_cond_broadcast(&heard->cond);
    fg_mutex_unlock(&heard->mutex);
}

static void wait_for(struct heard *heard, unsigned stops, unsigned reloads)
{
    fg_mutex_lock(&heard->mutex);
    while (heard->stops < stops || heard->reloads < reloads)
        assert_true(fg_cond_wait_for(&heard->cond, &heard->mutex, UINT64_C(60000000000)));
    assert_int_equal(heard->stops, stops);
    assert_int_equal(heard->reloads, reloads);
    fg_mutex_unlock(&heard->mutex);
}

static void test_signals(void **state)
{
    (void)state;
    struct heard heard = {.stops = 0};
    struct fg_signals *signals;
    fg_mutex_init(&heard.mutex, FG_RANK_LEAF);
    fg_cond_init(&heard.cond);
    assert_int_equal(fg_signals_start(on_signal, &heard, &signals), 0);
    kill(getpid(), SIGHUP);
    wait_for(&heard, 0, 1);
    kill(getpid(), SIGTERM);
    wait_for(&heard, 1, 1);
    kill(getpid(), SIGINT);
    wait_for(&heard, 2, 1);
    fg_signals_stop(signals);
    kill(getpid(), SIGTERM); /* stays blocked, and nobody is told */
    fg_mutex_lock(&heard.mutex);
    assert_int_equal(heard.stops, 2);
    fg_mutex_unlock(&heard.mutex);
    fg_signals_stop(NULL);
    fg_cond_destroy(&heard.cond);
    fg_mutex_destroy(&heard.mutex);
}

struct manner {
    enum fg_thread_manner manner;
    int nice, policy;
};

static void behave(void *arg)
{
    struct manner *manner = arg;
    fg_thread_behave(manner->manner);
    manner->nice = getpriority(PRIO_PROCESS, 0);
    manner->policy = sched_getscheduler(0);
}

static struct manner manner_of(enum fg_thread_manner manner)
{
    struct manner seen = {.manner = manner};
    struct fg_thread thread;
    assert_int_equal(fg_thread_start(&thread, "manner", behave, &seen), 0);
    fg_thread_join(&thread);
    return seen;
}

static void test_manners(void **state)
{
    (void)state;
    int own = getpriority(PRIO_PROCESS, 0);
    struct manner prompt = manner_of(FG_THREAD_PROMPT), patient = manner_of(FG_THREAD_PATIENT),
                  background = manner_of(FG_THREAD_BACKGROUND);
    assert_int_equal(prompt.nice, own);
    assert_int_equal(prompt.policy, SCHED_OTHER);
    assert_int_equal(patient.policy, SCHED_BATCH);
    assert_int_equal(background.policy, SCHED_BATCH);
    assert_true(patient.nice > own || own == 19);
    assert_true(background.nice > patient.nice || patient.nice == 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own); /* nobody else's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_manners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
