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

static bool is_over(struct fg_journeys *journeys)
{
    const struct fg_hearing *hearing = &journeys->hearing;
    return atomic_load(&hearing->history_begin_ns) == 0 ||
           fg_env_mono_ns(journeys->options.env) - atomic_load(&hearing->declared_at_ns) >
               HISTORY_ENDS_NS;
}

void fg_journeys_history(struct fg_journeys *journeys, uint64_t received_ns, uint64_t until_ns)
{
    struct fg_hearing *hearing = &journeys->hearing;
    bool begins = is_over(journeys);
    atomic_store(&hearing->declared_ns, until_ns);
    atomic_store(&hearing->declared_at_ns, fg_env_mono_ns(journeys->options.env));
    if (!begins)
        return;
    atomic_store(&hearing->read_ns, 0);
    atomic_store(&hearing->history_begin_ns, received_ns);
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
    journeys->hearing.sampled_begin_ns = atomic_load(&journeys->hearing.history_begin_ns);
    journeys->hearing.sampled_ns = atomic_load(&journeys->hearing.declared_ns);
}

static void take_sample(struct fg_journeys *journeys)
{
    struct fg_hearing *hearing = &journeys->hearing;
    if (hearing->sampled_begin_ns == atomic_load(&hearing->history_begin_ns))
        atomic_store(&hearing->read_ns, hearing->sampled_ns);
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

uint64_t fg_hearing_now_ns(struct fg_journeys *journeys)
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

struct fg_history fg_hearing_history(struct fg_journeys *journeys)
{
    if (is_over(journeys))
        return (struct fg_history){.begin_ns = 0};
    return (struct fg_history){.begin_ns = atomic_load(&journeys->hearing.history_begin_ns),
                               .until_ns = atomic_load(&journeys->hearing.read_ns)};
}
