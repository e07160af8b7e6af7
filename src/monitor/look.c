/* What follows from a run: what is believed, whether a span is stored, when the next run is due. */
#include "base/hash.h"
#include "base/limits.h"
#include "base/units.h"
#include "monitors_internal.h"
#include "os/sandbox.h"
#include "report_span.h"

#include <stdio.h>

/* Of one report: texts of all values and findings. */
#define REPORT_BYTES_MAX  ((size_t)128 << 10)
#define REQUEST_BYTES_MAX ((size_t)256 << 10)
/* A span is stored at least so often. */
#define STORE_EVERY_NS FG_NS_PER_MINUTE
/* A bad result is looked at again so soon. */
#define CONFIRM_PAUSE_NS FG_NS_PER_SECOND
/* Who can't be seen is looked at less and less often, down to this. */
#define BACK_OFF_NS_MAX  (5 * FG_NS_PER_MINUTE)
#define BACK_OFF_DOUBLES 5u
/* Of new monitors, so that a thousand don't all begin at once. */
#define FIRST_SPREAD_NS (10 * FG_NS_PER_MS)

void fg_look_init(struct fg_look *look)
{
    fg_arena_init(&look->arena, REPORT_BYTES_MAX);
    fg_buffer_init(&look->request, REQUEST_BYTES_MAX);
}

void fg_look_free(struct fg_look *look)
{
    fg_arena_free(&look->arena);
    fg_buffer_free(&look->request);
}

/* -- When */

static uint64_t below(struct fg_monitors *monitors, uint64_t bound)
{
    uint64_t chance;
    fg_env_random(monitors->options.env, &chance, sizeof chance);
    return bound ? chance % bound : 0;
}

uint64_t fg_monitor_first_due(struct fg_monitors *monitors)
{
    uint64_t now_ns = fg_env_mono_ns(monitors->options.env);
    return now_ns + below(monitors, (monitors->count + 1) * FIRST_SPREAD_NS);
}

/* Give or take a tenth. */
static uint64_t jittered(struct fg_monitors *monitors, uint64_t ns)
{
    return ns - ns / 10 + below(monitors, ns / 5 + 1);
}

static uint64_t pause_of(const struct fg_monitor *monitor)
{
    uint64_t interval_ns = monitor->config->interval_ns;
    return interval_ns < CONFIRM_PAUSE_NS ? interval_ns : CONFIRM_PAUSE_NS;
}

/* The interval as it is now: longer while nothing can be seen. */
static uint64_t interval_of(const struct fg_monitor *monitor)
{
    uint64_t interval_ns = monitor->config->interval_ns, longest_ns = interval_ns;
    if (longest_ns < BACK_OFF_NS_MAX)
        longest_ns = BACK_OFF_NS_MAX;
    uint32_t doubles = monitor->unknown_count;
    if (doubles > BACK_OFF_DOUBLES)
        doubles = BACK_OFF_DOUBLES;
    uint64_t longer_ns = interval_ns << doubles; /* a day at most, times 32 */
    return longer_ns < longest_ns ? longer_ns : longest_ns;
}

static void set_due(struct fg_monitors *monitors, struct fg_monitor *monitor)
{
    uint64_t now_ns = fg_env_mono_ns(monitors->options.env);
    if (monitor->is_asked)
        monitor->due_ns = now_ns;
    else if (monitor->belief.doubt_count > 0)
        monitor->due_ns = now_ns + pause_of(monitor);
    else
        monitor->due_ns = monitor->begin_ns + jittered(monitors, interval_of(monitor));
    if (monitor->due_ns < now_ns)
        monitor->due_ns = now_ns + pause_of(monitor);
    monitor->is_asked = false;
    fg_cond_signal(&monitors->due);
}

/* How long a span speaks for: until the next one should be there, had everything to be tried
 * again. */
static uint64_t holds_of(const struct fg_monitor *monitor)
{
    uint64_t interval_ns = interval_of(monitor), limit_ns = monitor->config->time_limit_ns;
    uint64_t next_ns = interval_ns > STORE_EVERY_NS ? interval_ns : STORE_EVERY_NS;
    return next_ns + interval_ns + interval_ns / 5 +
           (monitor->config->confirm + 1) * (limit_ns + CONFIRM_PAUSE_NS) + FG_MONITOR_GRACE_NS;
}

/* -- What is kept of a run */

static void keep_report(struct fg_monitor *monitor, const struct fg_check_report *report)
{
    struct fg_check_report *kept = &monitor->report;
    fg_arena_reset(&monitor->arena);
    *kept = *report;
    kept->arena = &monitor->arena;
    kept->cancelled = NULL;
    for (uint32_t i = 0; i < kept->value_count; i++) {
        struct fg_check_value *value = &kept->values[i];
        if (value->type == FG_CHECK_VALUE_TEXT)
            value->text = fg_arena_copy(&monitor->arena, value->text);
    }
    for (uint32_t i = 0; i < kept->finding_count; i++) {
        struct fg_check_finding *finding = &kept->findings[i];
        finding->text = fg_arena_copy(&monitor->arena, finding->text);
        finding->form = fg_arena_copy(&monitor->arena, finding->form);
        for (uint32_t k = 0; k < finding->part_count; k++)
            finding->parts[k] = fg_arena_copy(&monitor->arena, finding->parts[k]);
    }
}

static uint64_t hash_findings(const struct fg_check_report *report)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < report->finding_count; i++)
        hash = fg_hash_seeded(fg_slice_from_string(report->findings[i].code), hash);
    return hash;
}

/* A span is due where something new is believed or found, and once a minute; not while in doubt,
 * since its run does not show what is believed. */
static bool is_span_due(const struct fg_monitor *monitor, const struct fg_check_report *report,
                        bool is_change, uint64_t now_ns)
{
    if (monitor->belief.is_new || monitor->belief.doubt_count > 0)
        return false;
    return is_change || monitor->is_unstored || monitor->stored_ns == 0 ||
           now_ns - monitor->stored_ns >= STORE_EVERY_NS ||
           hash_findings(report) != monitor->findings_hash;
}

struct outcome {
    struct fg_monitor_change change;
    bool is_change, is_told, is_stored;
};

static void describe_change(const struct fg_monitor *monitor, const struct fg_check_report *report,
                            const struct fg_belief *before, struct outcome *outcome)
{
    outcome->change = (struct fg_monitor_change){.name = monitor->config->name,
                                                 .kind = monitor->config->kind->name,
                                                 .service = monitor->config->service,
                                                 .before = before->result,
                                                 .result = monitor->belief.result,
                                                 .since_ns = monitor->belief.since_ns,
                                                 .before_since_ns = before->since_ns};
    enum fg_check_result worst = fg_check_worst(report);
    for (uint32_t i = 0; i < report->finding_count && !outcome->change.code; i++)
        if (report->findings[i].result == worst) {
            outcome->change.code = report->findings[i].code;
            outcome->change.text = report->findings[i].text;
        }
    /* that a new monitor finds all well is no news */
    outcome->is_told = !before->is_new || monitor->belief.result != FG_CHECK_OK;
}

/* Under the lock: believes, keeps, and writes the span that is to be stored. */
static void take_in(struct fg_monitors *monitors, struct fg_monitor *monitor, struct fg_look *look,
                    uint64_t begin_wall_ns, uint64_t took_ns, struct outcome *outcome)
{
    struct fg_belief before = monitor->belief;
    uint64_t now_ns = fg_env_mono_ns(monitors->options.env);
    enum fg_check_result seen = fg_check_worst(&look->report);
    *outcome = (struct outcome){.is_change = fg_belief_look(&monitor->belief, seen, begin_wall_ns,
                                                            monitor->config->confirm)};
    if (seen != FG_CHECK_UNKNOWN)
        monitor->unknown_count = 0;
    else if (monitor->belief.doubt_count == 0)
        monitor->unknown_count++;
    monitor->looked_wall_ns = begin_wall_ns;
    monitor->took_ns = took_ns;
    keep_report(monitor, &look->report);
    if (outcome->is_change)
        describe_change(monitor, &look->report, &before, outcome);
    outcome->is_stored = is_span_due(monitor, &look->report, outcome->is_change, now_ns);
    if (!outcome->is_stored)
        return;
    monitor->is_unstored = true;
    const struct fg_report_span span = {.config = monitor->config,
                                        .belief = &monitor->belief,
                                        .report = &look->report,
                                        .start_ns = begin_wall_ns,
                                        .end_ns = begin_wall_ns + took_ns,
                                        .holds_ns = holds_of(monitor)};
    fg_buffer_reset(&look->request);
    fg_report_span_write(&span, monitors->options.env, &look->request);
}

/* Without the lock, which is taken again: stores the span, tells whom it concerns. */
static void hand_out(struct fg_monitors *monitors, struct fg_monitor *monitor, struct fg_look *look,
                     const struct outcome *outcome)
{
    const struct fg_monitors_options *options = &monitors->options;
    struct fg_belief belief = monitor->belief;
    fg_mutex_unlock(&monitors->mutex);
    int r = 0;
    if (outcome->is_stored)
        r = look->request.error ? look->request.error
                                : options->append(options->arg, fg_buffer_slice(&look->request));
    if (outcome->is_change)
        fg_monitor_remember(monitors, monitor->config->name, &belief);
    if (outcome->is_change && outcome->is_told && options->changed)
        options->changed(options->arg, &outcome->change);
    fg_mutex_lock(&monitors->mutex);
    /* removed meanwhile: what was just kept must not outlast it */
    if (outcome->is_change && !fg_monitors_find(monitors, monitor->config->name)) {
        fg_mutex_unlock(&monitors->mutex);
        fg_monitor_forget(monitors, monitor->config->name);
        fg_mutex_lock(&monitors->mutex);
    }
    if (outcome->is_stored && r == 0) {
        monitor->is_unstored = false;
        monitor->stored_ns = fg_env_mono_ns(options->env);
        monitor->findings_hash = hash_findings(&look->report);
    }
    monitor->unstored_count += r < 0;
}

/* -- A run */

static void empty_report(struct fg_monitor *monitor, struct fg_look *look)
{
    fg_arena_reset(&look->arena);
    look->report.arena = &look->arena;
    look->report.cancelled = &monitor->cancelled;
    look->report.value_count = look->report.values_dropped = 0;
    look->report.finding_count = look->report.findings_dropped = 0;
}

static void report_overdue(struct fg_monitors *monitors, struct fg_monitor *monitor,
                           struct fg_look *look)
{
    struct outcome outcome;
    uint64_t now_ns = fg_env_mono_ns(monitors->options.env);
    char limit[FG_UNITS_TEXT_SIZE];
    fg_duration_format(monitor->config->time_limit_ns, limit);
    empty_report(monitor, look);
    fg_check_finding(&look->report, FG_CHECK_UNKNOWN, "check_overdue", false,
                     "the check did not come back within %s", limit);
    take_in(monitors, monitor, look, monitor->begin_wall_ns, now_ns - monitor->begin_ns, &outcome);
    hand_out(monitors, monitor, look, &outcome);
    now_ns = fg_env_mono_ns(monitors->options.env);
    if (monitor->phase == FG_MONITOR_OVERDUE)
        monitor->due_ns = now_ns + (monitor->belief.doubt_count ? pause_of(monitor)
                                                                : monitor->config->interval_ns);
    monitor->is_overdue_told = false;
    fg_cond_signal(&monitors->due);
}

/* A file that the server may not read would look like one that is broken, or missing. */
static void find_hidden(void *arg, const char *path)
{
    struct fg_check_report *report = arg;
    char why[FG_CHECK_TEXT_SIZE_MAX];
    if (fg_sandbox_explains(path, why, sizeof why))
        fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false, "%s can't be read: %s",
                         path, why);
}

void fg_monitor_run(const struct fg_monitor_config *config, uint64_t deadline_ns,
                    struct fg_check_report *report)
{
    fg_monitor_config_paths(config, find_hidden, report);
    if (report->finding_count == 0)
        config->kind->run(config->check, deadline_ns, report);
}

static void run(struct fg_monitors *monitors, struct fg_monitor *monitor, struct fg_look *look)
{
    struct fg_env *env = monitors->options.env;
    struct outcome outcome;
    monitor->phase = FG_MONITOR_RUNNING;
    monitor->begin_ns = fg_env_mono_ns(env);
    monitor->begin_wall_ns = fg_env_wall_ns(env);
    monitor->deadline_ns = monitor->begin_ns + monitor->config->time_limit_ns;
    uint64_t run = ++monitor->started_count, deadline_ns = monitor->deadline_ns;
    fg_cond_signal(&monitors->due);
    fg_mutex_unlock(&monitors->mutex);
    empty_report(monitor, look);
    fg_monitor_run(monitor->config, deadline_ns, &look->report);
    fg_mutex_lock(&monitors->mutex);
    bool is_wanted = !monitor->is_removed && !monitors->is_stopping;
    /* what it says is too old by now, and it was told as overdue already */
    bool is_late = monitor->phase == FG_MONITOR_OVERDUE;
    monitor->phase = FG_MONITOR_REPORTING;
    if (is_wanted && !is_late) {
        uint64_t took_ns = fg_env_mono_ns(env) - monitor->begin_ns;
        take_in(monitors, monitor, look, monitor->begin_wall_ns, took_ns, &outcome);
        hand_out(monitors, monitor, look, &outcome);
    }
    monitor->phase = FG_MONITOR_IDLE;
    monitor->ended_count = run;
    set_due(monitors, monitor);
    fg_cond_broadcast(&monitors->done);
}

void fg_monitor_work(struct fg_monitors *monitors, struct fg_monitor *monitor, struct fg_look *look)
{
    if (monitor->is_removed || monitors->is_stopping)
        monitor->phase = monitor->phase == FG_MONITOR_QUEUED ? FG_MONITOR_IDLE : monitor->phase;
    else if (monitor->phase == FG_MONITOR_QUEUED)
        run(monitors, monitor, look);
    else if (monitor->phase == FG_MONITOR_OVERDUE)
        report_overdue(monitors, monitor, look);
    else
        monitor->is_overdue_told = false; /* it came back meanwhile */
    fg_monitor_unref(monitor);
}

/* -- The queue */

static void queue(struct fg_monitors *monitors, struct fg_monitor *monitor)
{
    monitor->is_queued = true;
    monitor->next_queued = NULL;
    monitor->refs++;
    if (monitors->queue_tail)
        monitors->queue_tail->next_queued = monitor;
    else
        monitors->queue_head = monitor;
    monitors->queue_tail = monitor;
    monitors->queue_length++;
}

struct fg_monitor *fg_monitors_dequeue(struct fg_monitors *monitors)
{
    struct fg_monitor *monitor = monitors->queue_head;
    if (!monitor)
        return NULL;
    monitors->queue_head = monitor->next_queued;
    if (!monitors->queue_head)
        monitors->queue_tail = NULL;
    monitors->queue_length--;
    monitor->is_queued = false;
    return monitor;
}

/* When the monitor needs somebody, after which it is looked at again; UINT64_MAX: somebody else
 * will say. */
static uint64_t queue_if_due(struct fg_monitors *monitors, struct fg_monitor *monitor,
                             uint64_t now_ns)
{
    uint64_t overdue_ns = monitor->deadline_ns + FG_MONITOR_GRACE_NS;
    bool is_held = (monitor->config->is_paused && !monitor->is_asked) || monitor->is_overdue_told;
    if (monitor->phase == FG_MONITOR_IDLE && is_held)
        return UINT64_MAX;
    if (monitor->phase == FG_MONITOR_IDLE && monitor->due_ns > now_ns)
        return monitor->due_ns;
    if (monitor->phase == FG_MONITOR_RUNNING && overdue_ns > now_ns)
        return overdue_ns;
    if (monitor->phase == FG_MONITOR_IDLE && !monitor->is_queued) {
        monitor->phase = FG_MONITOR_QUEUED;
        queue(monitors, monitor);
    } else if (monitor->phase == FG_MONITOR_RUNNING) {
        monitor->phase = FG_MONITOR_OVERDUE;
        monitor->due_ns = now_ns;
    }
    if (monitor->phase != FG_MONITOR_OVERDUE || monitor->is_overdue_told || monitor->is_queued)
        return UINT64_MAX;
    if (monitor->due_ns > now_ns)
        return monitor->due_ns;
    monitor->is_overdue_told = true;
    queue(monitors, monitor);
    return UINT64_MAX;
}

uint64_t fg_monitors_queue_due(struct fg_monitors *monitors, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < monitors->count; i++) {
        uint64_t due_ns = queue_if_due(monitors, monitors->items[i], now_ns);
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    return next_ns;
}
