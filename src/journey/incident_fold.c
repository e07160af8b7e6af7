/* One look at all journeys that stand, and what it makes of the incidents.
 *
 *     stands in a place ── for FG_INCIDENT_SETTLE_NS, none is open there ──► opens one
 *                       ── one is open there ─────────────────────────────► joins it at once
 *                       ── one ended there within FG_INCIDENT_AGAIN_NS ────► reopens it
 *     none stands any more for FG_INCIDENT_QUIET_NS ───────────────────────► resolved, when the
 * last left all that left stand in another place now ───────────────────────────► merged into the
 * incident there
 *
 * An incident that people resolved while journeys still stood keeps those; only a journey that
 * stopped after that reopens it. Looks compare the whole with the whole: one that is left out, or
 * done twice, changes nothing. */
#include "incidents_internal.h"

#include "base/hash.h"

#include <stdlib.h>

/* Where these are the cause nothing stopped: it is not known how the journey goes. */
static bool is_no_fault(enum fg_cause cause)
{
    return cause == FG_CAUSE_NONE || cause == FG_CAUSE_WAITING ||
           cause == FG_CAUSE_NOT_INSTRUMENTED || cause == FG_CAUSE_TELEMETRY_LOST ||
           cause == FG_CAUSE_SAMPLED_OUT || cause == FG_CAUSE_DEADLINE_TOO_TIGHT;
}

static bool is_open(const struct fg_incident_record *record)
{
    return record->is.resolved_ns == 0;
}

/* -- The latest incident of each group */

static bool is_same_group(const void *context, uint32_t index)
{
    const struct fg_incidents *incidents = ((const void *const *)context)[0];
    const struct fg_journey_stopped *stopped = ((const void *const *)context)[1];
    const struct fg_incident *is = &incidents->records[index]->is;
    return is->place.kind == stopped->place.kind && is->cause == stopped->cause &&
           fg_slice_equal(is->place.service, stopped->place.service);
}

/* By hash alone: two groups of one hash in one day would be one; 64 bits make that unheard of. */
static int index_groups(struct fg_incidents *incidents)
{
    fg_idmap_clear(&incidents->groups);
    incidents->open_count = 0;
    for (uint32_t i = incidents->count; i-- > 0;) {
        struct fg_incident_record *record = incidents->records[i];
        uint32_t first;
        record->is.standing_count = 0;
        if (record->is.is_imported || record->is.merged_into > 0)
            continue;
        incidents->open_count += is_open(record);
        if (!is_open(record) && incidents->now_ns > record->is.resolved_ns + FG_INCIDENT_AGAIN_NS)
            continue;
        int r = fg_idmap_intern(&incidents->groups, record->group, NULL, NULL, i, &first);
        if (r < 0)
            return r;
    }
    return 0;
}

static struct fg_incident_record *find_group(const struct fg_incidents *incidents,
                                             const struct fg_journey_stopped *stopped,
                                             uint64_t group)
{
    const void *const context[] = {incidents, stopped};
    uint32_t index;
    if (fg_idmap_find(&incidents->groups, group, NULL, NULL, &index) < 0)
        return NULL;
    return !stopped || is_same_group(context, index) ? incidents->records[index] : NULL;
}

/* -- Opening, reopening, ending */

static void note(struct fg_incident_record *record, enum fg_incident_news news)
{
    record->news |= (uint8_t)(1u << news);
    record->is_dirty = true;
}

static int open_new(struct fg_incidents *incidents, const struct fg_journey_stopped *stopped,
                    uint64_t group, struct fg_incident_record **ret_record)
{
    struct fg_incident_record *record;
    uint32_t index;
    int r = fg_incident_add(incidents, incidents->next_id, &record);
    if (r < 0)
        return r;
    struct fg_incident *is = &record->is;
    record->group = group;
    is->place.kind = stopped->place.kind;
    is->cause = stopped->cause;
    is->found_ns = incidents->now_ns;
    is->opened_ns = is->spell_ns = stopped->since_ns;
    r = fg_incident_set(&is->place.service, stopped->place.service);
    if (r == 0)
        r = fg_incident_set(&is->place.name, stopped->place.name);
    if (r == 0)
        r = fg_incident_set(&is->text, stopped->text);
    if (r == 0)
        r = fg_incident_tell(record, incidents->now_ns, FG_INCIDENT_OPENED, FG_SLICE(""),
                             stopped->text);
    if (r == 0)
        r = fg_idmap_intern(&incidents->groups, group, NULL, NULL, incidents->count - 1, &index);
    if (r < 0) { /* it is the last: ids rise */
        incidents->count--;
        fg_incident_free(record);
        return r;
    }
    incidents->open_count++;
    incidents->counters.opened++;
    note(record, FG_INCIDENT_NEWS_OPEN);
    *ret_record = record;
    return 0;
}

static int reopen(struct fg_incidents *incidents, struct fg_incident_record *record,
                  const struct fg_journey_stopped *stopped)
{
    struct fg_incident *is = &record->is;
    int r = fg_incident_tell(record, incidents->now_ns, FG_INCIDENT_REOPENED, FG_SLICE(""),
                             stopped->text);
    if (r < 0)
        return r;
    is->spell_ns = stopped->since_ns > is->resolved_ns ? stopped->since_ns : is->resolved_ns;
    is->resolved_ns = is->acknowledged_ns = 0;
    is->reopened_count++;
    record->left_ns = record->recovered = record->moved = 0;
    incidents->open_count++;
    incidents->counters.reopened++;
    note(record, FG_INCIDENT_NEWS_OPEN);
    return 0;
}

static int end_at(struct fg_incidents *incidents, struct fg_incident_record *record,
                  uint64_t end_ns, uint64_t merged_into)
{
    struct fg_incident *is = &record->is;
    int r = fg_incident_tell(record, incidents->now_ns,
                             merged_into ? FG_INCIDENT_MERGED : FG_INCIDENT_RESOLVED, FG_SLICE(""),
                             FG_SLICE(""));
    if (r == 0)
        r = fg_incident_set(&is->resolved_by, FG_SLICE(""));
    if (r < 0)
        return r;
    is->resolved_ns = end_ns > is->spell_ns ? end_ns : is->spell_ns;
    is->open_ns += is->resolved_ns - is->spell_ns;
    is->merged_into = merged_into;
    record->left_ns = 0;
    if (merged_into)
        incidents->counters.merged++;
    else
        incidents->counters.resolved++;
    note(record, FG_INCIDENT_NEWS_END);
    return 0;
}

/* -- A journey that stands */

/* Whether it may join, which may mean that an incident is opened; *ret_record NULL: not (yet). */
static int find_or_open(struct fg_incidents *incidents, const struct fg_journey_stopped *stopped,
                        const struct fg_incident_member *member,
                        struct fg_incident_record **ret_record)
{
    struct fg_incident_record *record = find_group(incidents, stopped, member->group);
    bool is_settled = incidents->now_ns - member->first_ns >= FG_INCIDENT_SETTLE_NS;
    *ret_record = NULL;
    if (record && is_open(record)) {
        *ret_record = record;
        return 0;
    }
    /* It stood already when people resolved it: that is no coming back. */
    if (record && record->is.resolved_by.size > 0 && stopped->since_ns <= record->is.resolved_ns) {
        *ret_record = record;
        return 0;
    }
    if (!is_settled)
        return 0;
    if (incidents->open_count >= FG_INCIDENTS_OPEN_MAX) {
        incidents->counters.refused++;
        return 0;
    }
    int r = record ? reopen(incidents, record, stopped)
                   : open_new(incidents, stopped, member->group, &record);
    if (r == 0)
        *ret_record = record;
    return r;
}

static void count_order(struct fg_incidents *incidents, struct fg_incident_record *record,
                        const struct fg_journey_stopped *stopped, uint64_t hash)
{
    uint32_t number;
    bool is_counted = fg_idmap_find(&record->listed, hash, NULL, NULL, &number) == 0 ||
                      (record->is_loaded && record->listed_count == FG_INCIDENT_ORDERS_MAX &&
                       stopped->since_ns <= record->latest_since_ns);
    if (is_counted)
        return;
    record->is.order_count++;
    record->is_dirty = true;
    if (stopped->since_ns > record->latest_since_ns)
        record->latest_since_ns = stopped->since_ns;
    /* Judged later, stopped earlier: then it was that one that it began with. */
    if (record->is.reopened_count == 0 && stopped->since_ns < record->is.opened_ns)
        record->is.opened_ns = record->is.spell_ns = stopped->since_ns;
    fg_incident_list_order(incidents, record, stopped, hash);
}

static int push(struct fg_incident_members *members, const struct fg_incident_member *member)
{
    uint32_t id;
    if (members->count == members->capacity) {
        uint32_t capacity = members->capacity ? members->capacity * 2 : 256;
        struct fg_incident_member *items = realloc(members->items, capacity * sizeof *items);
        if (!items)
            return FG_ENOMEM;
        members->items = items;
        members->capacity = capacity;
    }
    int r = fg_idmap_intern(&members->by_hash, member->hash, NULL, NULL, members->count, &id);
    if (r == 0 && id == members->count)
        members->items[members->count++] = *member;
    return r;
}

static int fold(void *arg, const struct fg_journey_stopped *stopped)
{
    struct fg_incidents *incidents = arg;
    struct fg_incident_record *record = NULL;
    uint32_t index;
    int r = 0;
    if (is_no_fault(stopped->cause))
        return 0;
    struct fg_incident_member member = {.hash =
                                            fg_incident_order_hash(stopped->key, stopped->value),
                                        .group = fg_incident_group(&stopped->place, stopped->cause),
                                        .first_ns = incidents->now_ns};
    if (fg_idmap_find(&incidents->members.by_hash, member.hash, NULL, NULL, &index) == 0) {
        struct fg_incident_member *before = &incidents->members.items[index];
        before->is_kept = before->group == member.group;
        if (before->is_kept) {
            member.first_ns = before->first_ns;
            member.incident = before->incident;
        }
    }
    if (member.incident)
        record = fg_incident_find(incidents, member.incident);
    if (!record) {
        r = find_or_open(incidents, stopped, &member, &record);
        if (r == 0 && record)
            count_order(incidents, record, stopped, member.hash);
    }
    member.incident = record ? record->is.id : 0;
    if (record)
        record->is.standing_count++;
    return r == 0 ? push(&incidents->next_members, &member) : r;
}

/* -- After all were seen */

/* Those that stood before and don't any more, or stand elsewhere. */
static void see_who_left(struct fg_incidents *incidents)
{
    for (uint32_t i = 0; i < incidents->members.count; i++) {
        const struct fg_incident_member *member = &incidents->members.items[i];
        struct fg_incident_record *record;
        uint32_t index;
        if (member->is_kept || member->incident == 0)
            continue;
        record = fg_incident_find(incidents, member->incident);
        if (!record)
            continue;
        if (fg_idmap_find(&incidents->next_members.by_hash, member->hash, NULL, NULL, &index) ==
            0) {
            record->moved++;
            record->moved_group = incidents->next_members.items[index].group;
        } else {
            record->recovered++;
        }
    }
}

/* The incident that one was only the first sign of began with that sign. */
static int merge(struct fg_incidents *incidents, struct fg_incident_record *record,
                 struct fg_incident_record *into)
{
    int r = end_at(incidents, record, incidents->now_ns, into->is.id);
    if (r < 0)
        return r;
    if (into->is.reopened_count == 0 && record->is.opened_ns < into->is.opened_ns)
        into->is.opened_ns = into->is.spell_ns = record->is.opened_ns;
    if (record->is.acknowledged_ns > 0 && into->is.acknowledged_ns == 0) {
        r = fg_incident_set(&into->is.acknowledged_by, record->is.acknowledged_by);
        if (r == 0)
            into->is.acknowledged_ns = record->is.acknowledged_ns;
    }
    into->is_dirty = true;
    return r;
}

static int end_what_is_over(struct fg_incidents *incidents)
{
    for (uint32_t i = 0; i < incidents->count; i++) {
        struct fg_incident_record *record = incidents->records[i];
        int r = 0;
        if (!is_open(record) || record->is.is_imported)
            continue;
        if (record->is.standing_count > 0) {
            record->left_ns = 0;
            continue;
        }
        if (record->left_ns == 0)
            record->left_ns = incidents->now_ns;
        struct fg_incident_record *into = record->moved > 0 && record->recovered == 0
                                              ? find_group(incidents, NULL, record->moved_group)
                                              : NULL;
        if (into && into != record && is_open(into))
            r = merge(incidents, record, into);
        else if (incidents->now_ns - record->left_ns >= FG_INCIDENT_QUIET_NS)
            r = end_at(incidents, record, record->left_ns, 0);
        if (r < 0)
            return r;
    }
    return 0;
}

static int look_at(struct fg_incidents *incidents, const struct fg_journey_stopped *stopped,
                   size_t count)
{
    int r = 0;
    if (incidents->options.journeys)
        return fg_journeys_each_stopped(incidents->options.journeys, fold, incidents);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = fold(incidents, &stopped[i]);
    return r;
}

static void clear(struct fg_incident_members *members)
{
    members->count = 0;
    fg_idmap_clear(&members->by_hash);
}

/* A look that was cut short: who was seen stands, who was not is not known. */
static int keep_unseen(struct fg_incidents *incidents)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < incidents->members.count; i++) {
        struct fg_incident_member member = incidents->members.items[i];
        uint32_t index;
        if (fg_idmap_find(&incidents->next_members.by_hash, member.hash, NULL, NULL, &index) == 0)
            continue;
        struct fg_incident_record *record = fg_incident_find(incidents, member.incident);
        if (record)
            record->is.standing_count++;
        r = push(&incidents->next_members, &member);
    }
    return r;
}

int fg_incidents_look(struct fg_incidents *incidents, const struct fg_journey_stopped *stopped,
                      size_t count)
{
    fg_mutex_lock(&incidents->mutex);
    incidents->now_ns = fg_env_wall_ns(incidents->options.env);
    clear(&incidents->next_members);
    for (uint32_t i = 0; i < incidents->members.count; i++)
        incidents->members.items[i].is_kept = false;
    uint32_t records = incidents->count;
    int r = index_groups(incidents);
    if (r == 0)
        r = look_at(incidents, stopped, count);
    if (r == 0) {
        see_who_left(incidents);
        r = end_what_is_over(incidents);
    } else if (keep_unseen(incidents) < 0) {
        incidents->counters.refused++; /* no memory: what is missing is found by the next look */
    }
    struct fg_incident_members before = incidents->members;
    incidents->members = incidents->next_members;
    incidents->next_members = before;
    bool is_news = incidents->count != records;
    for (uint32_t i = 0; i < incidents->count; i++)
        is_news |= incidents->records[i]->is_dirty;
    incidents->version += is_news;
    fg_mutex_unlock(&incidents->mutex);
    return r == FG_EAGAIN ? 0 : r;
}
