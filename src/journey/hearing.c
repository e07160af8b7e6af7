/* Up to which moment is known what was sent. Deadlines are held against it rather than against the
 * clock: what was acknowledged and not read yet, and what the sender of a recording has still to
 * send, may hold the step that is missed.
 *
 *     sender --declares "all until T is sent"--> declared --sampled before a read--> read up to T
 *
 * A declaration comes before the spans behind it are stored, so what was declared before a read
 * that gave all there was is in memory after it. Of several senders the one that is furthest back
 * counts, and who has sent all, or says nothing any more, holds nothing up once that is read. */
#include "journeys_internal.h"

#include "store/consumer.h"

#include <stdatomic.h>

/* A sender of history that says nothing more for so long has sent all of it: longer than one waits
 * that was told to come again, and than a reader of a slow disk or server pauses. */
#define SILENCE_NS_MAX (60 * FG_NS_PER_SECOND)
/* Who begins so soon after the start went on with what it sent before it. */
#define GOES_ON_NS_MAX (120 * FG_NS_PER_SECOND)

void fg_hearing_init(struct fg_hearing *hearing, struct fg_env *env)
{
    fg_mutex_init(&hearing->lock, FG_RANK_LEAF);
    hearing->opened_at_ns = fg_env_mono_ns(env);
    hearing->read_ns = FG_HISTORY_ENDED;
}

void fg_hearing_free(struct fg_hearing *hearing)
{
    fg_mutex_destroy(&hearing->lock);
}

/* now_ns may be of before the last declaration: other threads make them. */
static bool is_silent(const struct fg_history_sender *sender, uint64_t now_ns)
{
    return now_ns > sender->declared_at_ns && now_ns - sender->declared_at_ns > SILENCE_NS_MAX;
}

/* One that is new. Where there are too many, the last place is of all that come: of them nothing is
 * known. The lock is held. */
static struct fg_history_sender *add_sender(struct fg_hearing *hearing, uint64_t received_ns,
                                            uint64_t now_ns)
{
    if (hearing->sender_count == 0)
        hearing->history_begin_ns =
            now_ns - hearing->opened_at_ns > GOES_ON_NS_MAX ? received_ns : 1;
    if (hearing->sender_count < FG_HISTORY_SENDERS_MAX)
        hearing->sender_count++;
    hearing->read_ns = 0;
    hearing->is_sampled = false; /* what was sampled was without it */
    return &hearing->senders[hearing->sender_count - 1];
}

void fg_journeys_history(struct fg_journeys *journeys, uint64_t sender, uint64_t received_ns,
                         uint64_t until_ns)
{
    struct fg_hearing *hearing = &journeys->hearing;
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    fg_mutex_lock(&hearing->lock);
    uint32_t i = 0;
    while (i < hearing->sender_count && hearing->senders[i].id != sender)
        i++;
    bool is_full = i == FG_HISTORY_SENDERS_MAX;
    if (i < hearing->sender_count)
        hearing->senders[i] = (struct fg_history_sender){sender, until_ns, now_ns};
    else if (until_ns != FG_HISTORY_ENDED)
        *add_sender(hearing, received_ns, now_ns) =
            (struct fg_history_sender){sender, is_full ? 0 : until_ns, now_ns};
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
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    uint32_t kept = 0;
    fg_mutex_lock(&hearing->lock);
    hearing->sampled_ns = FG_HISTORY_ENDED;
    hearing->is_sampled = true;
    for (uint32_t i = 0; i < hearing->sender_count; i++) {
        const struct fg_history_sender *sender = &hearing->senders[i];
        if (sender->declared_ns == FG_HISTORY_ENDED || is_silent(sender, now_ns))
            continue;
        if (sender->declared_ns < hearing->sampled_ns)
            hearing->sampled_ns = sender->declared_ns;
        hearing->senders[kept++] = *sender;
    }
    hearing->sender_count = kept;
    fg_mutex_unlock(&hearing->lock);
}

static void take_sample(struct fg_journeys *journeys)
{
    struct fg_hearing *hearing = &journeys->hearing;
    fg_mutex_lock(&hearing->lock);
    if (hearing->is_sampled)
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
    fg_mutex_lock(&hearing->lock);
    heard.history =
        (struct fg_history){.begin_ns = hearing->history_begin_ns, .until_ns = hearing->read_ns};
    fg_mutex_unlock(&hearing->lock);
    return heard;
}
