#include "os/tick.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NS_PER_SECOND   INT64_C(1000000000)
#define ADJUST_NS_MIN   (NS_PER_SECOND / 2)
#define FIRST_NS_MIN    (NS_PER_SECOND / 10)
#define ERROR_NS_MAX    INT64_C(1000000)
#define RATE_MAX        (UINT64_C(1) << (FG_TICK_RATE_BITS + 1))
#define PASSED_BITS_MAX 34 /* 17 s, in nanoseconds; shifted by the rate's bits it keeps to 64 */
#define READINGS        5

#if defined(__x86_64__)
bool fg_tick_is_usable(void)
{
    static const char wanted[] = "tsc\n";
    char source[16] = "";
    int mode = 0;
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, source, sizeof source - 1);
    close(fd);
    return size > 0 && strcmp(source, wanted) == 0 && prctl(PR_GET_TSC, &mode) == 0 &&
           mode == PR_TSC_ENABLE;
}
#else
bool fg_tick_is_usable(void)
{
    return false;
}
#endif

/* Both clocks at one moment: of some readings the one that was disturbed least. */
static void read_both(struct fg_env *env, uint64_t *ret_ticks, uint64_t *ret_ns)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        uint64_t before = FG_TICK_COUNTER(), ns = fg_env_mono_ns(env), after = FG_TICK_COUNTER();
        if (after - before >= best)
            continue;
        best = after - before;
        *ret_ticks = before + best / 2;
        *ret_ns = ns;
    }
}

static void publish(struct fg_tick *tick, uint64_t ticks, uint64_t ns, uint64_t rate)
{
    /* A fork may have copied a line that was being written. */
    uint32_t sequence = atomic_load_explicit(&tick->sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&tick->sequence, sequence, memory_order_release);
    atomic_store_explicit(&tick->base_ticks, ticks, memory_order_release);
    atomic_store_explicit(&tick->base_ns, ns, memory_order_release);
    atomic_store_explicit(&tick->rate, rate, memory_order_release);
    sequence = sequence + 1 ? sequence + 1 : 2;
    atomic_store_explicit(&tick->sequence, sequence, memory_order_release);
}

/* What the line says at ticks, and its rate. False where there is none that is to be trusted. */
static bool follow(const struct fg_tick *tick, uint64_t ticks, uint64_t *ret_ns)
{
    uint64_t age = ticks - atomic_load_explicit(&tick->base_ticks, memory_order_relaxed);
    uint64_t rate = atomic_load_explicit(&tick->rate, memory_order_relaxed);
    if (atomic_load_explicit(&tick->sequence, memory_order_relaxed) == 0 || age >> FG_TICK_AGE_BITS)
        return false;
    *ret_ns = atomic_load_explicit(&tick->base_ns, memory_order_relaxed) +
              (age * rate >> FG_TICK_RATE_BITS);
    return true;
}

/* Nanoseconds a tick, of a stretch of time; 0 where it can't be: after a pause, or where one of the
 * clocks stood still, went back, or jumped. */
static uint64_t measure(uint64_t ticks, uint64_t ns)
{
    if (ticks == 0 || ticks >> PASSED_BITS_MAX || ns >> PASSED_BITS_MAX)
        return 0;
    uint64_t rate = (ns << FG_TICK_RATE_BITS) / ticks;
    return rate < RATE_MAX ? rate : 0;
}

void fg_tick_adjust(struct fg_tick *tick, struct fg_env *env)
{
    uint64_t ticks = 0, ns = 0, line_ns = 0;
    bool is_running = atomic_load_explicit(&tick->sequence, memory_order_relaxed) != 0;
    read_both(env, &ticks, &ns);
    uint64_t passed_ticks = ticks - tick->seen_ticks, passed_ns = ns - tick->seen_ns;
    bool is_first = tick->seen_ns == 0;
    if (!is_first && passed_ns < (uint64_t)(is_running ? ADJUST_NS_MIN : FIRST_NS_MIN))
        return;
    tick->seen_ticks = ticks;
    tick->seen_ns = ns;
    uint64_t rate = is_first ? 0 : measure(passed_ticks, passed_ns);
    bool is_followed = follow(tick, ticks, &line_ns);
    int64_t error_ns = (int64_t)(ns - line_ns);
    if (is_followed && (error_ns >= ERROR_NS_MAX || error_ns <= -ERROR_NS_MAX)) {
        /* A clock jumped: the stretch says nothing of the rate, unless that comes twice. */
        if (!tick->has_jumped || rate == 0)
            rate = atomic_load_explicit(&tick->rate, memory_order_relaxed);
        tick->has_jumped = true;
        publish(tick, ticks, ns, rate);
        return;
    }
    tick->has_jumped = false;
    if (rate == 0)
        return;
    if (!is_followed) {
        publish(tick, ticks, ns, rate);
        return;
    }
    /* Within the next second the error is made good, and no reading goes back. */
    uint64_t bent = rate + (uint64_t)((int64_t)rate * error_ns / NS_PER_SECOND);
    publish(tick, ticks, line_ns, bent);
}
