/* Entries hang in chains by the hash of their name, and all of them in one list by when they were
 * heard, newest first. */
#include "store/instances.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "os/thread.h"

#include <stdlib.h>

#define BUCKETS_MAX 16384u
/* A sign of life may be late by two of its intervals and a request's retries. */
#define PATIENCE_NS (10 * FG_NS_PER_SECOND)
/* A process's own sign of life is a second old at most. */
#define ALIVE_STEP_NS FG_NS_PER_SECOND
/* Losses of a kind that are no further apart are one. */
#define LOSS_JOIN_NS FG_NS_PER_MINUTE

struct entry {
    struct fg_instance facts;
    uint64_t seen; /* bit i: the export last.sequence - i came, or was before the first */
    uint64_t hash;
    struct entry *next;          /* of its chain */
    struct entry *newer, *older; /* by when it was heard */
};

struct fg_instances {
    struct fg_mutex mutex; /* guards all below */
    uint32_t count, count_max;
    struct entry *newest, *oldest;
    uint32_t counts[FG_TENANTS_MAX];
    struct fg_instance_totals totals;
    struct entry *buckets[BUCKETS_MAX];
};

void fg_instance_text_set(struct fg_instance_text *text, struct fg_slice from)
{
    struct fg_slice cut = fg_utf8_cut(from, sizeof text->text);
    text->size = (uint8_t)cut.size;
    if (cut.size)
        memcpy(text->text, cut.data, cut.size);
}

struct fg_slice fg_instance_text_slice(const struct fg_instance_text *text)
{
    return fg_slice(text->text, text->size);
}

const char *fg_instance_state_name(enum fg_instance_state state)
{
    static const char *const names[FG_INSTANCE_STATE_COUNT] = {
        [FG_INSTANCE_RUNNING] = "running",
        [FG_INSTANCE_SILENT] = "silent",
        [FG_INSTANCE_ENDED] = "ended",
        [FG_INSTANCE_DIED] = "died",
    };
    return names[state];
}

const char *fg_loss_kind_name(enum fg_loss_kind kind)
{
    static const char *const names[FG_LOSS_KIND_COUNT] = {
        [FG_LOSS_EXPORTS] = "exports", [FG_LOSS_FULL] = "full", [FG_LOSS_REFUSED] = "refused"};
    return names[kind];
}

enum fg_instance_state fg_instance_state(const struct fg_instance *instance, uint64_t now_ns)
{
    uint64_t interval_ns = instance->last.heartbeat_ns;
    if (instance->last.is_recovered)
        return FG_INSTANCE_DIED;
    if (instance->last.ended.size)
        return FG_INSTANCE_ENDED;
    if (interval_ns == 0 || interval_ns > UINT64_MAX / 4 || now_ns < instance->last_heard_ns)
        return FG_INSTANCE_RUNNING;
    return now_ns - instance->last_heard_ns > 2 * interval_ns + PATIENCE_NS ? FG_INSTANCE_SILENT
                                                                            : FG_INSTANCE_RUNNING;
}

int fg_instances_new(uint32_t count_max, struct fg_instances **ret_instances)
{
    struct fg_instances *instances = calloc(1, sizeof *instances);
    if (!instances)
        return FG_ENOMEM;
    fg_mutex_init(&instances->mutex, FG_RANK_LEAF);
    instances->count_max = count_max;
    *ret_instances = instances;
    return 0;
}

void fg_instances_free(struct fg_instances *instances)
{
    if (!instances)
        return;
    for (struct entry *entry = instances->newest, *older; entry; entry = older) {
        older = entry->older;
        free(entry);
    }
    fg_mutex_destroy(&instances->mutex);
    free(instances);
}

/* -- The table
 * -------------------------------------------------------------------------------------
 */

static void unlink_age(struct fg_instances *instances, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &instances->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &instances->oldest) = entry->newer;
}

static void link_newest(struct fg_instances *instances, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = instances->newest;
    *(instances->newest ? &instances->newest->newer : &instances->oldest) = entry;
    instances->newest = entry;
}

static uint32_t *count_of(struct fg_instances *instances, uint32_t tenant)
{
    return &instances->counts[tenant < FG_TENANTS_MAX ? tenant : 0];
}

/* A tenant that fills the table makes room by itself, so that it pushes no other's out. */
static void forget_for(struct fg_instances *instances, uint32_t tenant)
{
    struct entry *entry = instances->oldest;
    bool fills_it = *count_of(instances, tenant) > instances->count_max / 2;
    while (fills_it && entry->facts.last.tenant != tenant)
        entry = entry->newer;
    struct entry **at = &instances->buckets[entry->hash % BUCKETS_MAX];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    unlink_age(instances, entry);
    --*count_of(instances, entry->facts.last.tenant);
    free(entry);
    instances->count--;
    instances->totals.forgotten++;
}

static uint64_t hash_of(const struct fg_instance_note *note)
{
    uint64_t hash = fg_hash_seeded(fg_instance_text_slice(&note->service), note->started_ns);
    hash = fg_hash_seeded(fg_instance_text_slice(&note->space), hash);
    return fg_hash_seeded(fg_instance_text_slice(&note->instance), hash + note->tenant);
}

static bool is_text_same(const struct fg_instance_text *a, const struct fg_instance_text *b)
{
    return fg_slice_equal(fg_instance_text_slice(a), fg_instance_text_slice(b));
}

static bool is_same(const struct fg_instance_note *a, const struct fg_instance_note *b)
{
    return a->tenant == b->tenant && a->started_ns == b->started_ns &&
           is_text_same(&a->instance, &b->instance) && is_text_same(&a->service, &b->service) &&
           is_text_same(&a->space, &b->space);
}

static struct entry *find(struct fg_instances *instances, const struct fg_instance_note *note,
                          uint64_t hash)
{
    struct entry *entry = instances->buckets[hash % BUCKETS_MAX];
    while (entry && (entry->hash != hash || !is_same(&entry->facts.last, note)))
        entry = entry->next;
    return entry;
}

/* NULL where memory is short. */
static struct entry *add(struct fg_instances *instances, const struct fg_instance_note *note,
                         uint64_t hash, uint64_t now_ns)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        instances->totals.forgotten++;
        return NULL;
    }
    if (instances->count == instances->count_max)
        forget_for(instances, note->tenant);
    entry->facts.last = *note;
    entry->facts.first_heard_ns = now_ns;
    entry->facts.first_sequence = note->sequence;
    entry->facts.exports = 1;
    entry->seen = UINT64_MAX;
    entry->hash = hash;
    entry->next = instances->buckets[hash % BUCKETS_MAX];
    instances->buckets[hash % BUCKETS_MAX] = entry;
    link_newest(instances, entry);
    ++*count_of(instances, note->tenant);
    instances->count++;
    return entry;
}

/* -- What was lost
 * -------------------------------------------------------------------------------------
 */

static void lose(struct fg_instances *instances, struct fg_instance *facts, enum fg_loss_kind kind,
                 uint64_t count, uint64_t to_ns)
{
    if (count == 0)
        return;
    facts->lost[kind] += count;
    instances->totals.lost[kind] += count;
    uint64_t from_ns = facts->last.alive_ns;
    for (uint32_t i = facts->loss_count; i-- > 0;) {
        struct fg_loss *loss = &facts->losses[i];
        if (loss->kind != kind || from_ns > loss->to_ns + LOSS_JOIN_NS)
            continue;
        loss->to_ns = to_ns > loss->to_ns ? to_ns : loss->to_ns;
        loss->count += count;
        return;
    }
    if (facts->loss_count == FG_INSTANCE_LOSSES_MAX)
        memmove(facts->losses, facts->losses + 1, --facts->loss_count * sizeof *facts->losses);
    facts->losses[facts->loss_count++] =
        (struct fg_loss){.kind = kind, .from_ns = from_ns, .to_ns = to_ns, .count = count};
}

/* An export that was missed came after all. */
static void find_again(struct fg_instances *instances, struct fg_instance *facts)
{
    facts->lost[FG_LOSS_EXPORTS]--;
    instances->totals.lost[FG_LOSS_EXPORTS]--;
    for (uint32_t i = facts->loss_count; i-- > 0;) {
        struct fg_loss *loss = &facts->losses[i];
        if (loss->kind != FG_LOSS_EXPORTS)
            continue;
        if (--loss->count == 0) {
            facts->loss_count--;
            memmove(loss, loss + 1, (facts->loss_count - i) * sizeof *loss);
        }
        return;
    }
}

/* A number at or below the last: late, or again. */
static void take_late(struct fg_instances *instances, struct entry *entry, uint64_t behind)
{
    uint64_t bit = UINT64_C(1) << behind;
    if (entry->seen & bit)
        return;
    entry->seen |= bit;
    entry->facts.exports++;
    find_again(instances, &entry->facts);
}

static void take_newer(struct fg_instances *instances, struct entry *entry,
                       const struct fg_instance_note *note)
{
    struct fg_instance *facts = &entry->facts;
    struct fg_instance_note *last = &facts->last;
    uint64_t ahead = note->sequence - last->sequence;
    uint64_t to_ns = note->alive_ns + ALIVE_STEP_NS;
    entry->seen = ahead < FG_INSTANCE_WINDOW ? entry->seen << ahead | 1 : 1;
    facts->exports++;
    lose(instances, facts, FG_LOSS_EXPORTS, ahead - 1, to_ns);
    if (note->dropped_full > last->dropped_full)
        lose(instances, facts, FG_LOSS_FULL, note->dropped_full - last->dropped_full, to_ns);
    if (note->dropped_refused > last->dropped_refused)
        lose(instances, facts, FG_LOSS_REFUSED, note->dropped_refused - last->dropped_refused,
             to_ns);
    *last = *note;
}

/* What was dropped before the first export that was heard. */
static void take_first(struct fg_instances *instances, struct entry *entry)
{
    struct fg_instance *facts = &entry->facts;
    uint64_t alive_ns = facts->last.alive_ns;
    facts->last.alive_ns = facts->last.started_ns;
    lose(instances, facts, FG_LOSS_FULL, facts->last.dropped_full, alive_ns + ALIVE_STEP_NS);
    lose(instances, facts, FG_LOSS_REFUSED, facts->last.dropped_refused, alive_ns + ALIVE_STEP_NS);
    facts->last.alive_ns = alive_ns;
}

static void note_locked(struct fg_instances *instances, const struct fg_instance_note *note,
                        uint64_t now_ns)
{
    uint64_t hash = hash_of(note);
    struct entry *entry = find(instances, note, hash);
    if (!entry) {
        entry = add(instances, note, hash, now_ns);
        if (entry) {
            take_first(instances, entry);
            entry->facts.last_heard_ns = now_ns;
        }
        return;
    }
    uint64_t last = entry->facts.last.sequence;
    if (note->sequence > last)
        take_newer(instances, entry, note);
    else if (last - note->sequence < FG_INSTANCE_WINDOW)
        take_late(instances, entry, last - note->sequence);
    /* The process may have died between the server's word and its own memory of it: then what is
     * recovered has a number that was heard before, and its end is news all the same. */
    if (note->is_recovered && note->sequence <= last) {
        entry->facts.last.is_recovered = true;
        entry->facts.last.ended = note->ended;
    }
    entry->facts.last_heard_ns = now_ns;
    unlink_age(instances, entry);
    link_newest(instances, entry);
}

void fg_instances_note(struct fg_instances *instances, const struct fg_instance_note *note,
                       uint64_t now_ns)
{
    fg_mutex_lock(&instances->mutex);
    note_locked(instances, note, now_ns);
    fg_mutex_unlock(&instances->mutex);
}

/* -- Asking
 * ----------------------------------------------------------------------------------------
 */

/* A process that goes on lives until now, whenever it was heard. */
static bool fits(const struct fg_instance *facts, enum fg_instance_state state,
                 const struct fg_instance_filter *filter)
{
    const struct fg_instance_note *last = &facts->last;
    if (!filter->every_tenant && filter->tenant != last->tenant)
        return false;
    if (filter->has_state && state != filter->state)
        return false;
    if (filter->service.size &&
        !fg_slice_equal(filter->service, fg_instance_text_slice(&last->service)))
        return false;
    bool is_over = state == FG_INSTANCE_ENDED || state == FG_INSTANCE_DIED;
    return last->started_ns <= filter->to_ns && (!is_over || last->alive_ns >= filter->from_ns);
}

void fg_instances_list(struct fg_instances *instances, const struct fg_instance_filter *filter,
                       uint64_t now_ns,
                       bool (*visit)(void *arg, const struct fg_instance *instance,
                                     enum fg_instance_state state),
                       void *arg)
{
    fg_mutex_lock(&instances->mutex);
    for (const struct entry *entry = instances->newest; entry; entry = entry->older) {
        enum fg_instance_state state = fg_instance_state(&entry->facts, now_ns);
        if (fits(&entry->facts, state, filter) && !visit(arg, &entry->facts, state))
            break;
    }
    fg_mutex_unlock(&instances->mutex);
}

struct summing {
    const struct fg_instance_filter *filter;
    struct fg_instance_sum *sum;
};

static bool add_up(void *arg, const struct fg_instance *facts, enum fg_instance_state state)
{
    struct summing *summing = arg;
    summing->sum->count++;
    summing->sum->states[state]++;
    for (uint32_t i = 0; i < facts->loss_count; i++) {
        const struct fg_loss *loss = &facts->losses[i];
        if (loss->from_ns <= summing->filter->to_ns && loss->to_ns >= summing->filter->from_ns)
            summing->sum->lost[loss->kind] += loss->count;
    }
    return true;
}

void fg_instances_sum(struct fg_instances *instances, const struct fg_instance_filter *filter,
                      uint64_t now_ns, struct fg_instance_sum *ret_sum)
{
    *ret_sum = (struct fg_instance_sum){.count = 0};
    struct summing summing = {filter, ret_sum};
    fg_instances_list(instances, filter, now_ns, add_up, &summing);
}

void fg_instances_totals(struct fg_instances *instances, struct fg_instance_totals *ret_totals)
{
    fg_mutex_lock(&instances->mutex);
    *ret_totals = instances->totals;
    fg_mutex_unlock(&instances->mutex);
}
