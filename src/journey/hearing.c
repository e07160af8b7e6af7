/* Up to which moment is known what was sent. Deadlines are held against it rather than against the
 * clock: what was acknowledged and not read yet, and what the sender of a recording has still to
 * send, may hold the step that is missed.
 *
 *     sender --declares "all until T is sent"--> declared --sampled before a read--> read up to T
 *
 * A declaration comes before the spans behind it are stored, so what was declared before a read
 * that gave all there was is in memory after it. */
#include "journeys_internal.h"

#include "store/consumer.h"

#include <stdatomic.h>

/* A sender of history that says nothing more for so long has sent all of it. */
#define HISTORY_ENDS_NS (10 * FG_NS_PER_SECOND)

/* The lock is held. now_ns may be of before the last declaration: other threads make them. */
static bool is_over(const struct fg_hearing *hearing, uint64_t now_ns)
{
    return hearing->history_begin_ns == 0 ||
           (now_ns > hearing->declared_at_ns && now_ns - hearing->declared_at_ns > HISTORY_ENDS_NS);
}

void fg_hearing_init(struct fg_hearing *hearing)
{
    fg_mutex_init(&hearing->lock, FG_RANK_LEAF);
}

void fg_hearing_free(struct fg_hearing *hearing)
{
    fg_mutex_destroy(&hearing->lock);
}

void fg_journeys_history(struct fg_journeys *journeys, uint64_t received_ns, uint64_t until_ns)
{
    struct fg_hearing *hearing = &journeys->hearing;
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    fg_mutex_lock(&hearing->lock);
    if (is_over(hearing, now_ns)) {
        hearing->history_begin_ns = received_ns;
        hearing->read_ns = 0;
    }
    hearing->declared_ns = until_ns;
    hearing->declared_at_ns = now_ns;
    fg_mutex_unlock(&hearing->lock);
}

static struct fg_journeys *leader_of(struct fg_journeys *journeys)
{
    return journeys->options.leader ? journeys->options.leader : journeys;
}

static void each(struct fg_journeys *leader, void (*fn)(struct fg_journeys *journeys))
{
    fn(leader);
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX && leader->has_guests; tenant++) {
        struct fg_journeys *guest =
            atomic_load_explicit(&leader->guests[tenant], memory_order_acquire);
        if (guest)
            fn(guest);
    }
}

static void sample(struct fg_journeys *journeys)
{
    struct fg_hearing *hearing = &journeys->hearing;
    fg_mutex_lock(&hearing->lock);
    hearing->sampled_begin_ns = hearing->history_begin_ns;
    hearing->sampled_ns = hearing->declared_ns;
    fg_mutex_unlock(&hearing->lock);
}

static void take_sample(struct fg_journeys *journeys)
{
    struct fg_hearing *hearing = &journeys->hearing;
    fg_mutex_lock(&hearing->lock);
    if (hearing->sampled_begin_ns == hearing->history_begin_ns)
        hearing->read_ns = hearing->sampled_ns;
    fg_mutex_unlock(&hearing->lock);
}

void fg_hearing_begin(struct fg_journeys *leader)
{
    leader->hearing.sampled_wall_ns = fg_env_wall_ns(leader->options.env);
    each(leader, sample);
}

void fg_hearing_end(struct fg_journeys *leader)
{
    atomic_store(&leader->hearing.heard_ns, leader->hearing.sampled_wall_ns);
    each(leader, take_sample);
}

static uint64_t heard_until(struct fg_journeys *journeys)
{
    const struct fg_journeys *leader = leader_of(journeys);
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    uint64_t heard_ns = atomic_load(&leader->hearing.heard_ns);
    struct fg_consumer_lag lag;
    if (!leader->options.consumer || heard_ns == 0)
        return now_ns;
    fg_consumer_lag(leader->options.consumer, &lag);
    return lag.records > 0 && heard_ns < now_ns ? heard_ns : now_ns;
}

struct fg_heard fg_hearing_now(struct fg_journeys *journeys)
{
    struct fg_hearing *hearing = &journeys->hearing;
    struct fg_heard heard = {.now_ns = heard_until(journeys)};
    uint64_t mono_ns = fg_env_mono_ns(journeys->options.env);
    fg_mutex_lock(&hearing->lock);
    if (!is_over(hearing, mono_ns))
        heard.history = (struct fg_history){.begin_ns = hearing->history_begin_ns,
                                            .until_ns = hearing->read_ns};
    fg_mutex_unlock(&hearing->lock);
    return heard;
}
