/* States of the thread: it waits (for the delay, for slots to run short, for a flush or the stop),
 * passes over the slots and sends parcels of them, and after a failure backs off: then it only
 * waits until retry_at_ns, while slots fill up and further spans are dropped by who starts them. */
#include "exporter.h"

#include "base/limits.h"
#include "os/thread.h"
#include "outlet.h"
#include "parcel.h"
#include "recovery.h"

#include <stdio.h>
#include <stdlib.h>

#define ALIVE_NS          FG_NS_PER_SECOND
#define BACKOFF_NS_MIN    (500 * FG_NS_PER_MS)
#define BACKOFF_NS_MAX    (30 * FG_NS_PER_SECOND)
#define RECOVERY_PAUSE_NS (30 * FG_NS_PER_SECOND)
#define WALL_STEP_NS      FG_NS_PER_MS
#define FINAL_CAUSE       "the program ended"

struct fg_exporter {
    struct fg_settings settings;
    struct fg_active *active;
    struct fg_map map;
    char *path;
    struct fg_ring_view view;
    struct fg_rules rules;
    struct fg_outlet *outlet;
    struct fg_parcel *parcel;
    struct fg_thread thread;
    uint32_t *announced;             /* the generation of each slot that was sent while open */
    uint32_t free_first, free_count; /* a chain that is being made */
    uint64_t retry_at_ns, backoff_ns;
    uint64_t last_export_ns, last_alive_ns;
    uint64_t recovery_at_ns; /* 0: nothing is left behind */
    struct fg_mutex mutex;
    struct fg_cond cond;
    uint64_t flush_wanted, flush_done; /* under the mutex */
    bool is_finished;
    struct fg_exporter *abandoned_before;
    atomic_bool is_stopping;
    _Atomic uint64_t stop_at_ns;
};

static uint64_t now_ns(const struct fg_exporter *exporter)
{
    return fg_env_mono_ns(exporter->active->env);
}

/* -- Signs of life ------------------------------------------------------------------------------
 */

/* The wall clock is followed where it was set; a slew of less than a step is not worth that a
 * parent seems to start after its child. */
static void follow_wall_clock(const struct fg_exporter *exporter)
{
    struct fg_env *env = exporter->active->env;
    uint64_t offset_ns = fg_env_wall_ns(env) - fg_env_mono_ns(env);
    uint64_t had_ns = atomic_load_explicit(&fg_sdk.wall_offset_ns, memory_order_relaxed);
    if (offset_ns - had_ns + WALL_STEP_NS > 2 * WALL_STEP_NS)
        atomic_store_explicit(&fg_sdk.wall_offset_ns, offset_ns, memory_order_relaxed);
}

static void show_life(struct fg_exporter *exporter)
{
    struct fg_ring_header *header = exporter->active->header;
    exporter->last_alive_ns = now_ns(exporter);
    follow_wall_clock(exporter);
    if (exporter->settings.fast_clock)
        fg_tick_adjust(&fg_sdk.tick, exporter->active->env);
    atomic_store_explicit(&header->alive_ns, fg_env_wall_ns(exporter->active->env),
                          memory_order_relaxed);
    atomic_store_explicit(&header->dropped_full, atomic_load(&fg_counters.dropped_full),
                          memory_order_relaxed);
    atomic_store_explicit(&header->dropped_refused, atomic_load(&fg_counters.dropped_refused),
                          memory_order_relaxed);
    struct fg_oom_count count;
    if (header->oom_path[0] && fg_oom_read(FG_OOM_ROOT, header->oom_path, &count) == 0)
        atomic_store_explicit(&header->oom_kills, count.kills, memory_order_relaxed);
}

/* Called while a request is on its way. */
static bool may_go_on(void *arg)
{
    struct fg_exporter *exporter = arg;
    uint64_t at_ns = now_ns(exporter);
    if (at_ns - exporter->last_alive_ns >= ALIVE_NS)
        show_life(exporter);
    return !atomic_load(&exporter->is_stopping) || at_ns < atomic_load(&exporter->stop_at_ns);
}

/* -- Freeing ------------------------------------------------------------------------------------
 */

static void free_slot(struct fg_exporter *exporter, uint32_t name)
{
    struct fg_pool *pool = &exporter->active->pool;
    struct fg_slot *slot = fg_pool_slot(pool, name);
    uint32_t generation =
        FG_SLOT_GENERATION(atomic_load_explicit(&slot->state, memory_order_relaxed));
    if (generation == 0)
        generation = exporter->active->first_generation;
    if (++generation == 0)
        generation = 1;
    atomic_store_explicit(&slot->state, FG_SLOT_STATE(generation, FG_SLOT_FREE),
                          memory_order_release);
    slot->next = exporter->free_first;
    exporter->free_first = name;
    if (++exporter->free_count == FG_CHAIN_SLOTS) {
        fg_pool_give(pool, exporter->free_first, exporter->free_count);
        exporter->free_first = 0;
        exporter->free_count = 0;
    }
}

static void free_span(struct fg_exporter *exporter, uint32_t name)
{
    for (uint32_t next; name; name = next) {
        next = fg_pool_slot(&exporter->active->pool, name)->next;
        free_slot(exporter, name);
    }
}

/* -- Sending --------------------------------------------------------------------------------------
 */

static void back_off(struct fg_exporter *exporter, const struct fg_outlet_answer *answer)
{
    uint64_t doubled_ns = exporter->backoff_ns * 2;
    exporter->backoff_ns = doubled_ns < BACKOFF_NS_MIN   ? BACKOFF_NS_MIN
                           : doubled_ns > BACKOFF_NS_MAX ? BACKOFF_NS_MAX
                                                         : doubled_ns;
    uint64_t pause_ns = answer->retry_after_ns;
    if (!pause_ns) {
        /* A half to the whole of it, so that a fleet does not come back in step. */
        uint64_t chance;
        fg_env_random(exporter->active->env, &chance, sizeof chance);
        pause_ns = exporter->backoff_ns / 2 + chance % (exporter->backoff_ns / 2);
    }
    exporter->retry_at_ns = now_ns(exporter) + pause_ns;
}

static void settle_accepted(struct fg_exporter *exporter, const struct fg_outlet_answer *answer)
{
    struct fg_parcel *parcel = exporter->parcel;
    struct fg_parcel_counts counts = fg_parcel_counts(parcel);
    uint32_t count = fg_parcel_count(parcel), ended = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name = fg_parcel_name(parcel, i);
        if (fg_parcel_is_ended(parcel, i)) {
            free_span(exporter, name);
            ended++;
        } else {
            exporter->announced[name - 1] = FG_SLOT_GENERATION(
                atomic_load(&fg_pool_slot(&exporter->active->pool, name)->state));
        }
    }
    uint64_t rejected = answer->rejected_spans < count ? answer->rejected_spans : count;
    fg_count(&fg_counters.exports, 1);
    fg_count(&fg_counters.announced, count - ended);
    fg_count(&fg_counters.exported, rejected < ended ? ended - rejected : 0);
    fg_count(&fg_counters.dropped_refused, rejected);
    fg_count(&fg_counters.redacted, counts.redacted);
    fg_count(&fg_counters.invalid_texts, counts.invalid_texts);
    if (counts.invalid_texts)
        fg_notice(FG_NOTICE_TEXT, "filigree: a text was not UTF-8; parts of it were replaced");
    if (rejected)
        fg_notice(FG_NOTICE_REFUSED, "filigree: the server refused %llu spans: %s",
                  (unsigned long long)rejected, answer->text);
    exporter->backoff_ns = 0;
    exporter->retry_at_ns = 0;
    exporter->last_export_ns = now_ns(exporter);
}

static void settle_refused(struct fg_exporter *exporter, const struct fg_outlet_answer *answer)
{
    struct fg_parcel *parcel = exporter->parcel;
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < fg_parcel_count(parcel); i++) {
        if (!fg_parcel_is_ended(parcel, i))
            continue;
        free_span(exporter, fg_parcel_name(parcel, i));
        dropped++;
    }
    fg_count(&fg_counters.failed_exports, 1);
    fg_count(&fg_counters.dropped_refused, dropped);
    fg_notice(FG_NOTICE_REFUSED, "filigree: spans were dropped, the server refuses them: %s",
              answer->text);
    exporter->last_export_ns = now_ns(exporter);
}

/* Sends the parcel, in halves where it is too large: what is left over is found by another pass.
 * FG_EAGAIN: later; FG_ENOMEM. */
static int send_parcel(struct fg_exporter *exporter, const struct fg_fate *fate, bool *ret_again)
{
    struct fg_parcel *parcel = exporter->parcel;
    struct fg_ring_header *header = exporter->active->header;
    struct fg_outlet_answer answer = {.verdict = FG_OUTLET_TOO_LARGE};
    struct fg_slice request;
    for (;;) {
        uint64_t sequence = atomic_load(&header->sequence) + 1;
        int r = fg_parcel_encode(parcel, fate, sequence, &request);
        if (r == FG_ENOMEM)
            return r;
        if (r == 0) {
            fg_outlet_send(exporter->outlet, request, FG_NS_PER_MINUTE * 60, may_go_on, exporter,
                           &answer);
            if (answer.verdict == FG_OUTLET_ACCEPTED)
                atomic_store(&header->sequence, sequence);
        }
        if (answer.verdict != FG_OUTLET_TOO_LARGE || fg_parcel_count(parcel) <= 1)
            break;
        fg_parcel_shrink(parcel, fg_parcel_count(parcel) / 2);
        *ret_again = true;
    }
    switch (answer.verdict) {
    case FG_OUTLET_ACCEPTED:
        settle_accepted(exporter, &answer);
        return 0;
    case FG_OUTLET_REFUSED:
    case FG_OUTLET_TOO_LARGE:
        settle_refused(exporter, &answer);
        return 0;
    case FG_OUTLET_RETRY:
        break;
    }
    fg_count(&fg_counters.failed_exports, 1);
    fg_notice(FG_NOTICE_FAILED, "filigree: an export to %s did not go through: %s",
              exporter->settings.outlet.url, answer.text);
    back_off(exporter, &answer);
    return FG_EAGAIN;
}

/* Whether an open span is to be sent now. */
static bool is_to_announce(const struct fg_exporter *exporter, uint32_t name, bool is_final)
{
    const struct fg_slot *slot = fg_pool_slot(&exporter->active->pool, name);
    if (is_final)
        return true;
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (exporter->settings.announce_after_ns == 0 ||
        exporter->announced[name - 1] == FG_SLOT_GENERATION(state))
        return false;
    /* The announced form is no more than a form: a wrong age, read while the slot changes hands,
     * costs one span sent early. */
    uint64_t age_ns = now_ns(exporter) - slot->head.start_mono_ns;
    return age_ns < INT64_MAX && age_ns >= exporter->settings.announce_after_ns;
}

/* One look at all slots. 0 where all that had ended was sent. */
static int pass(struct fg_exporter *exporter, const struct fg_fate *fate, bool *ret_again)
{
    struct fg_parcel *parcel = exporter->parcel;
    uint32_t slot_count = atomic_load_explicit(&exporter->active->pool.fresh, memory_order_acquire);
    int r = 0;
    *ret_again = false;
    fg_parcel_reset(parcel, &exporter->view, &exporter->rules);
    for (uint32_t name = 1; name <= slot_count && r == 0; name++) {
        enum fg_slot_phase phase = fg_ring_phase(&exporter->view, name);
        bool is_ended = phase == FG_SLOT_ENDED;
        if (!is_ended && (phase != FG_SLOT_OPEN || !is_to_announce(exporter, name, fate->is_over)))
            continue;
        bool is_full = !fg_parcel_add(parcel, name, is_ended);
        if (!is_full && fg_parcel_count(parcel) < exporter->settings.batch_size)
            continue;
        r = send_parcel(exporter, fate, ret_again);
        fg_parcel_reset(parcel, &exporter->view, &exporter->rules);
        name -= is_full;
    }
    if (r == 0 && fg_parcel_count(parcel))
        r = send_parcel(exporter, fate, ret_again);
    return r;
}

static int pass_until_done(struct fg_exporter *exporter, const struct fg_fate *fate)
{
    bool again = true;
    int r = 0;
    while (r == 0 && again)
        r = pass(exporter, fate, &again);
    return r;
}

/* A request without spans: the process is there, or has come to its end, and has no more to tell.
 */
static void send_sign(struct fg_exporter *exporter, const struct fg_fate *fate)
{
    bool again;
    fg_parcel_reset(exporter->parcel, &exporter->view, &exporter->rules);
    (void)send_parcel(exporter, fate, &again);
}

/* The last pass, once the program wants no more. Who was heard before says that this is the end, so
 * that silence means something else. */
static void finish(struct fg_exporter *exporter)
{
    struct fg_ring_header *header = exporter->active->header;
    uint64_t heard = atomic_load(&header->sequence), now_ns = fg_env_wall_ns(exporter->active->env);
    struct fg_fate fate = {.is_over = true, .last_ns = now_ns, .cause = FINAL_CAUSE};
    atomic_store_explicit(&header->ended_ns, now_ns, memory_order_release);
    exporter->is_finished = may_go_on(exporter) && pass_until_done(exporter, &fate) == 0;
    if (exporter->is_finished && heard && atomic_load(&header->sequence) == heard)
        send_sign(exporter, &fate);
}

/* -- What was left behind -------------------------------------------------------------------------
 */

static void say_recovery(void *arg, const char *path, const char *text)
{
    (void)arg;
    fg_notice(FG_NOTICE_RECORDER, "filigree: %s: %s", path, text);
}

static void recover(struct fg_exporter *exporter)
{
    struct fg_recovery recovery = {
        .env = exporter->active->env,
        .outlet = exporter->outlet,
        .service = exporter->settings.service,
        .alive = may_go_on,
        .say = say_recovery,
        .arg = exporter,
        .tries_max = 1,
    };
    int r = fg_recovery_run(&recovery, exporter->settings.recorder_dir);
    fg_count(&fg_counters.recovered, recovery.ended_spans + recovery.interrupted_spans);
    fg_count(&fg_counters.redacted, recovery.redacted);
    fg_count(&fg_counters.invalid_texts, recovery.invalid_texts);
    fg_count(&fg_counters.dropped_refused, recovery.refused_spans);
    bool is_done = (r == 0 && recovery.rings_left == 0) || r == FG_ENOTFOUND;
    exporter->recovery_at_ns = is_done ? 0 : now_ns(exporter) + RECOVERY_PAUSE_NS;
}

/* -- The thread
 * ------------------------------------------------------------------------------------ */

static void finish_flush(struct fg_exporter *exporter, uint64_t flush)
{
    fg_mutex_lock(&exporter->mutex);
    if (flush > exporter->flush_done)
        exporter->flush_done = flush;
    fg_cond_broadcast(&exporter->cond);
    fg_mutex_unlock(&exporter->mutex);
}

static uint64_t wanted_flush(struct fg_exporter *exporter)
{
    fg_mutex_lock(&exporter->mutex);
    uint64_t wanted = exporter->flush_wanted;
    fg_mutex_unlock(&exporter->mutex);
    return wanted;
}

static void work(struct fg_exporter *exporter)
{
    struct fg_active *active = exporter->active;
    struct fg_fate fate = {.is_over = false};
    uint64_t flush = wanted_flush(exporter), at_ns = now_ns(exporter);
    if (at_ns < exporter->retry_at_ns)
        return;
    atomic_store(&active->wake_at, INT64_MAX);
    int r = pass_until_done(exporter, &fate);
    if (r == 0) {
        finish_flush(exporter, flush);
        atomic_store(&active->wake_at,
                     atomic_load(&active->pool.taken) + exporter->settings.batch_size);
        if (exporter->settings.heartbeat_ns &&
            now_ns(exporter) - exporter->last_export_ns >= exporter->settings.heartbeat_ns)
            send_sign(exporter, &fate);
    }
    if (r == 0 && exporter->recovery_at_ns && at_ns >= exporter->recovery_at_ns)
        recover(exporter);
}

static uint64_t pause_ns(const struct fg_exporter *exporter)
{
    uint64_t at_ns = now_ns(exporter), wait_ns = ALIVE_NS;
    if (exporter->retry_at_ns > at_ns && exporter->retry_at_ns - at_ns < wait_ns)
        wait_ns = exporter->retry_at_ns - at_ns;
    if (exporter->retry_at_ns <= at_ns && exporter->settings.delay_ns < wait_ns)
        wait_ns = exporter->settings.delay_ns ? exporter->settings.delay_ns : FG_NS_PER_MS;
    return wait_ns;
}

static void run(void *arg)
{
    struct fg_exporter *exporter = arg;
    show_life(exporter);
    if (exporter->path)
        recover(exporter);
    while (!atomic_load(&exporter->is_stopping)) {
        (void)fg_wake_wait(&exporter->active->wake, pause_ns(exporter));
        show_life(exporter);
        if (!atomic_load(&exporter->is_stopping))
            work(exporter);
    }
    finish(exporter);
}

/* -- From outside
 * ------------------------------------------------------------------------------------ */

void fg_exporter_free(struct fg_exporter *exporter)
{
    fg_outlet_free(exporter->outlet);
    fg_parcel_free(exporter->parcel);
    fg_rules_free(&exporter->rules);
    fg_settings_free(&exporter->settings);
    fg_map_release(&exporter->map);
    free(exporter->announced);
    free(exporter->path);
    fg_mutex_destroy(&exporter->mutex);
    fg_cond_destroy(&exporter->cond);
    free(exporter);
}

static int prepare(struct fg_exporter *exporter)
{
    exporter->announced = calloc(exporter->settings.slot_count, sizeof *exporter->announced);
    if (!exporter->announced)
        return FG_ENOMEM;
    int r = fg_ring_open(exporter->map.data, exporter->map.size, &exporter->view);
    /* The table of scopes grows; parcels look it up as far as it will ever be. */
    exporter->view.scope_count = FG_RING_SCOPES_MAX;
    if (r == 0)
        r = fg_rules_read(exporter->view.settings, &exporter->rules);
    if (r == 0)
        r = fg_outlet_new(&exporter->settings.outlet, &exporter->outlet);
    if (r == 0)
        r = fg_parcel_new(&exporter->parcel);
    if (r == 0)
        r = fg_thread_start(&exporter->thread, "filigree", run, exporter);
    return r;
}

int fg_exporter_start_take(struct fg_settings *settings, struct fg_active *active,
                           struct fg_map *map, char *path, struct fg_exporter **ret_exporter)
{
    struct fg_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter) {
        fg_settings_free(settings);
        fg_map_release(map);
        free(path);
        return FG_ENOMEM;
    }
    exporter->settings = *settings;
    exporter->active = active;
    exporter->map = *map;
    exporter->path = path;
    fg_mutex_init(&exporter->mutex, FG_RANK_API);
    fg_cond_init(&exporter->cond);
    atomic_store(&active->wake_at, exporter->settings.batch_size);
    exporter->last_export_ns = now_ns(exporter);
    int r = prepare(exporter);
    if (r < 0) {
        fg_exporter_free(exporter);
        return r;
    }
    *ret_exporter = exporter;
    return 0;
}

int fg_exporter_flush(struct fg_exporter *exporter, uint64_t timeout_ns)
{
    uint64_t end_ns = now_ns(exporter) + timeout_ns;
    fg_mutex_lock(&exporter->mutex);
    uint64_t mine = ++exporter->flush_wanted;
    fg_wake_signal(&exporter->active->wake);
    while (exporter->flush_done < mine && !atomic_load(&exporter->is_stopping)) {
        uint64_t at_ns = now_ns(exporter);
        if (at_ns >= end_ns)
            break;
        (void)fg_cond_wait_for(&exporter->cond, &exporter->mutex, end_ns - at_ns);
    }
    bool is_done = exporter->flush_done >= mine;
    fg_mutex_unlock(&exporter->mutex);
    if (is_done)
        return 0;
    return atomic_load(&exporter->is_stopping) ? FG_ECANCELLED : FG_ETIMEOUT;
}

void fg_exporter_stop(struct fg_exporter *exporter, uint64_t timeout_ns)
{
    atomic_store(&exporter->stop_at_ns, now_ns(exporter) + timeout_ns);
    fg_mutex_lock(&exporter->mutex);
    atomic_store(&exporter->is_stopping, true);
    fg_cond_broadcast(&exporter->cond);
    fg_mutex_unlock(&exporter->mutex);
    fg_wake_signal(&exporter->active->wake);
    fg_outlet_nudge(exporter->outlet);
    fg_thread_join(&exporter->thread);
    /* What is left of it is for the next start. */
    if (exporter->is_finished && exporter->path &&
        fg_env_unlink(exporter->active->env, exporter->path) < 0)
        fg_notice(FG_NOTICE_RECORDER, "filigree: %s can't be removed", exporter->path);
}

void fg_exporter_lock(struct fg_exporter *exporter)
{
    fg_mutex_lock(&exporter->mutex);
}

void fg_exporter_unlock(struct fg_exporter *exporter)
{
    fg_mutex_unlock(&exporter->mutex);
}

int fg_exporter_abandon(struct fg_exporter *exporter, struct fg_exporter *before)
{
    exporter->abandoned_before = before;
    int r = fg_map_detach(&exporter->map);
    fg_mutex_unlock(&exporter->mutex);
    return r;
}
