/* Journeys of several tenants behind one reader of the log. The leader's thread gives each record
 * to its tenant's journeys, which are whole of themselves: their own records, tables on disk, flows
 * and matchers, so that nothing of one can come into an answer of another's.
 *
 * The leader's position in the log is committed when what each guest took is on disk: a start reads
 * no record for one of them that it has not given to all. */
#include "journeys_internal.h"

#include "store/consumer.h"

#include <stdatomic.h>

/* Records that a tenant may have in memory without being asked, beside what it has. */
#define ROOM_SHARE 4u
#define ROOM_MIN   1024u

static struct fg_journeys *guest_at(const struct fg_journeys *leader, uint32_t tenant)
{
    return tenant < FG_TENANTS_MAX
               ? atomic_load_explicit(&leader->guests[tenant], memory_order_acquire)
               : NULL;
}

int fg_guests_enter(struct fg_journeys *guest)
{
    struct fg_journeys *leader = guest->options.leader, *nobody = NULL;
    uint32_t tenant = guest->options.tenant;
    if (tenant >= FG_TENANTS_MAX || tenant == leader->options.tenant)
        return FG_EINVALID;
    if (atomic_load(&leader->unknown_tenants) >> tenant & 1)
        guest->must_rebuild = true; /* some of its spans were passed over */
    /* A reader that comes before this is told by the bit, one that comes after by the slot. */
    if (!atomic_compare_exchange_strong(&leader->guests[tenant], &nobody, guest))
        return FG_EINVALID;
    atomic_store(&leader->has_guests, true);
    return 0;
}

int fg_guests_give(struct fg_journeys *leader, const struct fg_consumed *consumed)
{
    struct fg_journeys *guest = guest_at(leader, consumed->tenant);
    if (!guest) {
        if (consumed->tenant < FG_TENANTS_MAX)
            atomic_fetch_or(&leader->unknown_tenants, UINT64_C(1) << consumed->tenant);
        return 0;
    }
    leader->guests_behind = true;
    return fg_journeys_take_batch(guest, consumed->batch);
}

static void make_anew(struct fg_journeys *guest)
{
    fg_mutex_lock(&guest->mutex);
    guest->must_rebuild = true;
    guest->counters.is_rebuilding = true;
    guest->rebuild_from_ns = 0;
    fg_mutex_unlock(&guest->mutex);
}

void fg_guests_missed(struct fg_journeys *leader)
{
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_journeys *guest = guest_at(leader, tenant);
        if (!guest)
            continue;
        leader->guests_behind = true;
        make_anew(guest);
    }
}

bool fg_guests_are_due(const struct fg_journeys *leader)
{
    return leader->guests_behind &&
           (leader->options.manual ||
            fg_env_mono_ns(leader->options.env) - leader->guests_committed_ns >=
                FG_JOURNEY_COMMIT_NS);
}

int fg_guests_commit(struct fg_journeys *leader)
{
    bool are_behind = false;
    int r = 0;
    leader->guests_committed_ns = fg_env_mono_ns(leader->options.env);
    if (!atomic_load(&leader->has_guests))
        return 0;
    for (uint32_t tenant = 0; r == 0 && tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_journeys *guest = guest_at(leader, tenant);
        if (!guest)
            continue;
        fg_mutex_lock(&guest->mutex);
        are_behind |= guest->must_rebuild || guest->counters.is_rebuilding;
        if (!guest->must_rebuild && !guest->counters.is_rebuilding && guest->changed_count > 0)
            r = fg_journeys_commit(guest);
        fg_mutex_unlock(&guest->mutex);
    }
    leader->guests_behind = are_behind || r < 0;
    return r;
}

/* -- Room: of all records in memory each tenant has what it needs, as long as all that is needed
 * fits; of what does not, those who need most give up first (max-min fairness). */

static void share(uint32_t total, uint32_t count, const uint32_t *wanted, uint32_t *ret_limit)
{
    uint32_t left = total, open = count, level = total / (count ? count : 1);
    bool is_settled[FG_TENANTS_MAX] = {false};
    for (bool goes_on = true; goes_on && open > 0;) {
        level = left / open;
        goes_on = false;
        for (uint32_t i = 0; i < count; i++)
            if (!is_settled[i] && wanted[i] <= level) {
                is_settled[i] = goes_on = true;
                ret_limit[i] = wanted[i];
                left -= wanted[i];
                open--;
            }
    }
    for (uint32_t i = 0; i < count; i++)
        ret_limit[i] = is_settled[i] ? ret_limit[i] + (open ? 0 : left / count) : level;
}

/* With what does not fit put to disk; where that fails the next round tries again. */
static void set_limit(struct fg_journeys *journeys, uint32_t limit)
{
    int r = 0;
    fg_mutex_lock(&journeys->mutex);
    fg_journeys_bound_room(journeys, limit);
    while (r == 0 && journeys->table.count > journeys->table.count_max &&
           !journeys->counters.is_rebuilding)
        r = fg_journeys_evict(journeys, FG_JOURNEYS_EIGHTHS);
    fg_mutex_unlock(&journeys->mutex);
}

/* Returns how many tenants there are. */
static uint32_t share_room(struct fg_journeys *leader)
{
    struct fg_journeys *all[FG_TENANTS_MAX];
    uint32_t wanted[FG_TENANTS_MAX], limit[FG_TENANTS_MAX], count = 0;
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_journeys *one =
            tenant == leader->options.tenant ? leader : guest_at(leader, tenant);
        if (!one)
            continue;
        fg_mutex_lock(&one->mutex);
        wanted[count] = one->table.count + one->table.count / ROOM_SHARE + ROOM_MIN;
        fg_mutex_unlock(&one->mutex);
        all[count++] = one;
    }
    share(leader->options.journeys_max, count, wanted, limit);
    for (uint32_t i = 0; i < count; i++)
        set_limit(all[i], limit[i]);
    return count;
}

void fg_guests_go_round(struct fg_journeys *leader, uint64_t budget_ns)
{
    if (!atomic_load(&leader->has_guests))
        return;
    uint32_t count = share_room(leader);
    if (budget_ns < UINT64_MAX && count > 1)
        budget_ns /= count - 1;
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_journeys *guest = guest_at(leader, tenant);
        bool is_quiet;
        if (!guest)
            continue;
        int r = fg_journeys_go_round(guest, 0, &is_quiet);
        if (r == 0)
            fg_journeys_judge(guest, budget_ns);
        fg_mutex_lock(&guest->mutex);
        fg_journeys_erase(guest);
        guest->counters.failed_reads += r < 0 && r != FG_ECANCELLED;
        leader->guests_behind |= guest->changed_count > 0;
        fg_mutex_unlock(&guest->mutex);
    }
}
