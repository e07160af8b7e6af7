/* The incidents' life: opening, the thread that looks, what callers ask and what people do. */
#include "incidents_internal.h"

#include "base/utf8.h"
#include "journey/score.h"

#include <stdlib.h>

#define TICK_NS (1 * FG_NS_PER_SECOND)
/* Of looking: a fiftieth of a processor, however many journeys there are. */
#define LOOK_SHARE       50u
#define ORDERS_SIZE_MAX  ((size_t)16 << 20)
#define TELL_BYTES_MAX   ((size_t)1 << 20)
#define ENCODED_SIZE_MAX ((size_t)512 << 10)

/* -- Telling */

/* The next that is owed: its id, and what; 0: nothing. */
static uint64_t next_news(struct fg_incidents *incidents, uint64_t after, struct fg_arena *arena,
                          struct fg_incident *ret_incident, enum fg_incident_news *ret_news)
{
    uint64_t id = 0;
    fg_mutex_lock(&incidents->mutex);
    for (uint32_t i = 0; id == 0 && i < incidents->count; i++) {
        const struct fg_incident_record *record = incidents->records[i];
        if (record->news == 0 || record->is.id <= after)
            continue;
        *ret_news = record->news & 1u << FG_INCIDENT_NEWS_OPEN ? FG_INCIDENT_NEWS_OPEN
                                                               : FG_INCIDENT_NEWS_END;
        if (fg_incident_copy(record, incidents, arena, ret_incident) == 0)
            id = record->is.id;
    }
    fg_mutex_unlock(&incidents->mutex);
    return id;
}

static void tell_all(struct fg_incidents *incidents)
{
    struct fg_arena arena;
    struct fg_incident incident;
    enum fg_incident_news news;
    uint64_t id = 0;
    if (!incidents->options.tell)
        return;
    fg_arena_init(&arena, TELL_BYTES_MAX);
    while ((id = next_news(incidents, id, &arena, &incident, &news)) != 0) {
        int r = incidents->options.tell(incidents->options.arg, &incident, news);
        fg_mutex_lock(&incidents->mutex);
        struct fg_incident_record *record = fg_incident_find(incidents, id);
        if (r < 0)
            incidents->counters.failed_tells++;
        if (r == 0 && record) {
            record->news &= (uint8_t) ~(1u << news);
            record->is_dirty = true;
            if (record->news) /* its end too */
                id--;
        }
        fg_mutex_unlock(&incidents->mutex);
        fg_arena_reset(&arena);
    }
    fg_arena_free(&arena);
}

int fg_incidents_step(struct fg_incidents *incidents, const struct fg_journey_stopped *stopped,
                      size_t count)
{
    fg_mutex_lock(&incidents->write_mutex);
    int r = fg_incidents_look(incidents, stopped, count);
    if (r == 0)
        r = fg_incidents_write(incidents);
    fg_mutex_unlock(&incidents->write_mutex);
    if (r == 0)
        tell_all(incidents);
    return r;
}

static void run(void *arg)
{
    struct fg_incidents *incidents = arg;
    bool is_stopping = false;
    fg_thread_behave(FG_THREAD_BACKGROUND);
    while (!is_stopping) {
        uint64_t begin_ns = fg_env_mono_ns(incidents->options.env);
        /* What could not be written is counted, stays as it is in memory, and is tried again. */
        int r = fg_incidents_step(incidents, NULL, 0);
        uint64_t took_ns = fg_env_mono_ns(incidents->options.env) - begin_ns;
        uint64_t pause_ns =
            r == 0 && took_ns * LOOK_SHARE > TICK_NS ? took_ns * LOOK_SHARE : TICK_NS;
        fg_mutex_lock(&incidents->mutex);
        if (!incidents->is_stopping)
            fg_cond_wait_for(&incidents->cond, &incidents->mutex, pause_ns);
        is_stopping = incidents->is_stopping;
        fg_mutex_unlock(&incidents->mutex);
    }
}

/* -- Opening */

int fg_incidents_open(const struct fg_incidents_options *options,
                      struct fg_incidents **ret_incidents)
{
    struct fg_incidents *incidents = calloc(1, sizeof *incidents);
    if (!incidents)
        return FG_ENOMEM;
    incidents->options = *options;
    fg_mutex_init(&incidents->write_mutex, FG_RANK_DEEDS);
    fg_mutex_init(&incidents->mutex, FG_RANK_INCIDENTS);
    fg_cond_init(&incidents->cond);
    fg_buffer_init(&incidents->new_orders, ORDERS_SIZE_MAX);
    fg_idmap_init(&incidents->groups);
    fg_idmap_init(&incidents->members.by_hash);
    fg_idmap_init(&incidents->next_members.by_hash);
    int r = fg_incidents_load(incidents);
    if (r == 0 && !options->manual)
        r = fg_thread_start(&incidents->thread, "incidents", run, incidents);
    if (r < 0) {
        incidents->options.manual = true; /* there is no thread to end */
        fg_incidents_close(incidents);
        return r;
    }
    *ret_incidents = incidents;
    return 0;
}

void fg_incidents_stop(struct fg_incidents *incidents)
{
    if (!incidents || incidents->options.manual)
        return;
    fg_mutex_lock(&incidents->mutex);
    incidents->is_stopping = true;
    fg_cond_broadcast(&incidents->cond);
    fg_mutex_unlock(&incidents->mutex);
    fg_thread_join(&incidents->thread);
    incidents->options.manual = true; /* there is no thread any more */
}

void fg_incidents_close(struct fg_incidents *incidents)
{
    if (!incidents)
        return;
    fg_incidents_stop(incidents);
    for (uint32_t i = 0; i < incidents->count; i++)
        fg_incident_free(incidents->records[i]);
    free(incidents->records);
    free(incidents->members.items);
    free(incidents->next_members.items);
    fg_idmap_free(&incidents->members.by_hash);
    fg_idmap_free(&incidents->next_members.by_hash);
    fg_idmap_free(&incidents->groups);
    fg_buffer_free(&incidents->new_orders);
    fg_cond_destroy(&incidents->cond);
    fg_mutex_destroy(&incidents->mutex);
    fg_mutex_destroy(&incidents->write_mutex);
    free(incidents);
}

/* -- Reading */

static bool passes(const struct fg_incident_filter *filter, const struct fg_incident *is)
{
    bool is_open = is->resolved_ns == 0;
    if ((filter->only_open && !is_open) || (filter->only_ended && is_open))
        return false;
    if (filter->service.size > 0 && !fg_slice_equal(filter->service, is->place.service))
        return false;
    if (filter->to_ns > 0 && is->opened_ns >= filter->to_ns)
        return false;
    return is_open || is->resolved_ns >= filter->from_ns;
}

static int compare(const void *a, const void *b)
{
    const struct fg_incident *x = &(*(const struct fg_incident_record *const *)a)->is,
                             *y = &(*(const struct fg_incident_record *const *)b)->is;
    bool x_open = x->resolved_ns == 0, y_open = y->resolved_ns == 0;
    if (x_open != y_open)
        return x_open ? -1 : 1;
    if (x->spell_ns != y->spell_ns)
        return x->spell_ns > y->spell_ns ? -1 : 1;
    return (x->id < y->id) - (x->id > y->id);
}

int fg_incidents_list(struct fg_incidents *incidents, const struct fg_incident_filter *filter,
                      uint32_t limit, struct fg_arena *arena, const struct fg_incident **ret_list,
                      uint32_t *ret_listed, uint64_t *ret_count, uint64_t *ret_open_count)
{
    fg_mutex_lock(&incidents->mutex);
    const struct fg_incident_record **chosen =
        malloc(((size_t)incidents->count + 1) * sizeof(*chosen));
    struct fg_incident *list = fg_arena_calloc(arena, (size_t)limit + 1, sizeof *list);
    uint64_t open_count = 0;
    uint32_t count = 0, listed = 0;
    int r = !chosen ? FG_ENOMEM : !list ? FG_ELIMIT : 0;
    for (uint32_t i = 0; r == 0 && i < incidents->count; i++) {
        open_count += incidents->records[i]->is.resolved_ns == 0;
        if (passes(filter, &incidents->records[i]->is))
            chosen[count++] = incidents->records[i];
    }
    if (r == 0)
        qsort(chosen, count, sizeof(*chosen), compare);
    for (; r == 0 && listed < count && listed < limit; listed += r == 0)
        r = fg_incident_copy(chosen[listed], incidents, arena, &list[listed]);
    fg_mutex_unlock(&incidents->mutex);
    free(chosen);
    if (r < 0)
        return r;
    *ret_list = list;
    *ret_listed = listed;
    *ret_count = count;
    *ret_open_count = open_count;
    return 0;
}

static bool stands(const struct fg_incidents *incidents, uint64_t hash, uint64_t id)
{
    uint32_t index;
    return fg_idmap_find(&incidents->members.by_hash, hash, NULL, NULL, &index) == 0 &&
           incidents->members.items[index].incident == id;
}

static int copy_events(const struct fg_incident_record *record, struct fg_arena *arena,
                       struct fg_incident *incident)
{
    uint32_t count = record->is.event_count;
    struct fg_incident_event *events = fg_arena_calloc(arena, (size_t)count + 1, sizeof *events);
    for (uint32_t i = 0; events && i < count; i++) {
        events[i] = record->events[i];
        events[i].by = fg_arena_copy(arena, record->events[i].by);
        events[i].text = fg_arena_copy(arena, record->events[i].text);
    }
    incident->events = events;
    incident->event_count = count;
    return arena->overflow ? FG_ELIMIT : 0;
}

int fg_incidents_get(struct fg_incidents *incidents, uint64_t id, struct fg_arena *arena,
                     struct fg_incident *ret_incident, const struct fg_incident_order **ret_orders,
                     uint32_t *ret_order_count)
{
    struct fg_incident_order *orders;
    struct fg_incident incident;
    uint32_t count;
    int r = fg_incidents_orders(incidents, id, arena, &orders, &count);
    if (r < 0)
        return r;
    fg_mutex_lock(&incidents->mutex);
    const struct fg_incident_record *record = fg_incident_find(incidents, id);
    r = record ? fg_incident_copy(record, incidents, arena, &incident) : FG_ENOTFOUND;
    if (r == 0)
        r = copy_events(record, arena, &incident);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        orders[i].stands =
            stands(incidents, fg_incident_order_hash(orders[i].key, orders[i].value), id);
    fg_mutex_unlock(&incidents->mutex);
    if (r < 0)
        return r;
    *ret_incident = incident;
    *ret_orders = orders;
    *ret_order_count = count;
    return 0;
}

uint64_t fg_incidents_of(struct fg_incidents *incidents, struct fg_slice key, struct fg_slice value)
{
    uint64_t id = 0;
    uint32_t index;
    fg_mutex_lock(&incidents->mutex);
    if (fg_idmap_find(&incidents->members.by_hash, fg_incident_order_hash(key, value), NULL, NULL,
                      &index) == 0)
        id = incidents->members.items[index].incident;
    const struct fg_incident_record *record = fg_incident_find(incidents, id);
    if (!record || record->is.resolved_ns > 0)
        id = 0;
    fg_mutex_unlock(&incidents->mutex);
    return id;
}

uint64_t fg_incidents_version(struct fg_incidents *incidents)
{
    fg_mutex_lock(&incidents->mutex);
    uint64_t version = incidents->version;
    fg_mutex_unlock(&incidents->mutex);
    return version;
}

void fg_incidents_counters(struct fg_incidents *incidents,
                           struct fg_incidents_counters *ret_counters)
{
    fg_mutex_lock(&incidents->mutex);
    *ret_counters = incidents->counters;
    ret_counters->count = incidents->count;
    for (uint32_t i = 0; i < incidents->count; i++) {
        const struct fg_incident *is = &incidents->records[i]->is;
        ret_counters->open += is->resolved_ns == 0;
        ret_counters->acknowledged += is->resolved_ns == 0 && is->acknowledged_ns > 0;
    }
    fg_mutex_unlock(&incidents->mutex);
}

void fg_incidents_sum(struct fg_incidents *incidents, uint64_t start_ns, uint64_t end_ns,
                      uint64_t *ret_count, double *ret_open_ns, uint64_t *ret_open_count)
{
    uint64_t count = 0, open_count = 0;
    double open_ns = 0;
    fg_mutex_lock(&incidents->mutex);
    for (uint32_t i = 0; i < incidents->count; i++) {
        const struct fg_incident *is = &incidents->records[i]->is;
        if (is->merged_into > 0 || is->opened_ns >= end_ns)
            continue;
        bool has_ended = is->resolved_ns > 0 && is->resolved_ns < end_ns;
        open_count += !has_ended;
        if (!has_ended || is->resolved_ns < start_ns)
            continue;
        count++;
        open_ns += (double)is->open_ns;
    }
    fg_mutex_unlock(&incidents->mutex);
    *ret_count = count;
    *ret_open_ns = open_ns;
    *ret_open_count = open_count;
}

/* -- What people do */

struct deed {
    enum fg_incident_event_kind kind;
    struct fg_slice by, text;
};

static int do_it(struct fg_incidents *incidents, struct fg_incident_record *record,
                 const struct deed *deed)
{
    struct fg_incident *is = &record->is;
    uint64_t now_ns = fg_env_wall_ns(incidents->options.env);
    if (deed->kind != FG_INCIDENT_NOTED && is->resolved_ns > 0)
        return FG_EEXIST;
    int r = fg_incident_tell(record, now_ns, deed->kind, deed->by, deed->text);
    if (r == 0 && deed->kind == FG_INCIDENT_ACKNOWLEDGED)
        r = fg_incident_set(&is->acknowledged_by, deed->by);
    if (r == 0 && deed->kind == FG_INCIDENT_RESOLVED)
        r = fg_incident_set(&is->resolved_by, deed->by);
    if (r < 0)
        return r;
    if (deed->kind == FG_INCIDENT_ACKNOWLEDGED)
        is->acknowledged_ns = now_ns;
    if (deed->kind == FG_INCIDENT_RESOLVED) {
        is->resolved_ns = now_ns > is->spell_ns ? now_ns : is->spell_ns + 1;
        is->open_ns += is->resolved_ns - is->spell_ns;
        record->left_ns = 0;
        record->news |= (uint8_t)(1u << FG_INCIDENT_NEWS_END);
        incidents->counters.resolved++;
    }
    record->is_dirty = true;
    incidents->version++;
    return 0;
}

/* Puts back what the bytes say; who stands in it and what is listed stay. */
static void put_back(struct fg_incidents *incidents, uint64_t id, struct fg_slice bytes)
{
    struct fg_incident_record *before = calloc(1, sizeof *before);
    int r = before ? fg_incident_decode(bytes, before) : FG_ENOMEM;
    fg_mutex_lock(&incidents->mutex);
    struct fg_incident_record *record = fg_incident_find(incidents, id);
    if (r == 0 && record) {
        struct fg_incident_record after = *record;
        record->is = before->is;
        record->is.id = id;
        record->is.standing_count = after.is.standing_count;
        record->events = before->events;
        record->event_capacity = before->event_capacity;
        record->news = before->news;
        before->is = after.is;
        before->events = after.events;
    }
    fg_mutex_unlock(&incidents->mutex);
    fg_incident_free(before);
}

static int act(struct fg_incidents *incidents, uint64_t id, const struct deed *deed)
{
    struct fg_buffer before;
    if (deed->by.size == 0 || deed->by.size > FG_INCIDENT_BY_SIZE_MAX ||
        deed->text.size > FG_INCIDENT_TEXT_SIZE_MAX || !fg_utf8_valid(deed->by) ||
        !fg_utf8_valid(deed->text))
        return FG_EINVALID;
    fg_buffer_init(&before, ENCODED_SIZE_MAX);
    fg_mutex_lock(&incidents->write_mutex);
    fg_mutex_lock(&incidents->mutex);
    struct fg_incident_record *record = fg_incident_find(incidents, id);
    int r = record ? 0 : FG_ENOTFOUND;
    if (r == 0) {
        fg_incident_encode(record, &before);
        r = before.error;
    }
    if (r == 0)
        r = do_it(incidents, record, deed);
    fg_mutex_unlock(&incidents->mutex);
    if (r == 0) {
        r = fg_incidents_write(incidents);
        if (r < 0)
            put_back(incidents, id, fg_buffer_slice(&before));
    }
    fg_mutex_unlock(&incidents->write_mutex);
    fg_buffer_free(&before);
    if (r == 0 && !incidents->options.manual) {
        fg_mutex_lock(&incidents->mutex);
        fg_cond_broadcast(&incidents->cond); /* who has to be told is told soon */
        fg_mutex_unlock(&incidents->mutex);
    }
    return r;
}

int fg_incidents_acknowledge(struct fg_incidents *incidents, uint64_t id, struct fg_slice by)
{
    return act(incidents, id, &(struct deed){FG_INCIDENT_ACKNOWLEDGED, by, {0}});
}

int fg_incidents_resolve(struct fg_incidents *incidents, uint64_t id, struct fg_slice by,
                         struct fg_slice text)
{
    return act(incidents, id, &(struct deed){FG_INCIDENT_RESOLVED, by, text});
}

int fg_incidents_note(struct fg_incidents *incidents, uint64_t id, struct fg_slice by,
                      struct fg_slice text)
{
    if (text.size == 0)
        return FG_EINVALID;
    return act(incidents, id, &(struct deed){FG_INCIDENT_NOTED, by, text});
}
