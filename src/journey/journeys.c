/* The journeys' life: opening, the thread that follows the store, and what callers ask. */
#include "journeys_internal.h"

#include "base/hash.h"
#include "decide.h"
#include "span/builder.h"
#include "store/rollup.h"

#include <stdlib.h>

#define TICK_NS (200 * FG_NS_PER_MS)
/* Of each tick: a tenth of a processor, however many are in doubt. */
#define JUDGE_BUDGET_NS (20 * FG_NS_PER_MS)
/* Where spans were missed, those are read again that began up to this long before the last look. */
#define MISSED_AGE_NS (15 * FG_NS_PER_MINUTE)
/* A service that was heard within this time is instrumented. */
#define HEARD_AGE_NS    (7 * FG_NS_PER_DAY)
#define ARENA_BYTES_MAX ((size_t)FG_CASE_BYTES_MAX)

/* -- Records: states, doubts */

void fg_journeys_set_state(struct fg_journeys *journeys, uint32_t id, enum fg_journey_state state,
                           uint8_t expected_step)
{
    struct fg_record *record = &journeys->table.records[id];
    const struct fg_watched_key *key = &journeys->keys[record->key];
    journeys->by_state[record->state]--;
    journeys->by_state[state]++;
    if (key->flow && record->expected_step != FG_NO_STEP)
        journeys->standing[key->flow_index][record->expected_step]--;
    if (key->flow && expected_step != FG_NO_STEP)
        journeys->standing[key->flow_index][expected_step]++;
    record->state = (uint8_t)state;
    record->expected_step = expected_step;
}

void fg_journeys_doubt(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = &journeys->table.records[id];
    if (record->is_dirty)
        return;
    if (journeys->dirty_count == journeys->dirty_capacity) {
        uint32_t capacity = journeys->dirty_capacity ? journeys->dirty_capacity * 2 : 256;
        uint32_t *dirty = realloc(journeys->dirty, capacity * sizeof *dirty);
        if (!dirty) {
            journeys->counters.failed_reads++;
            return;
        }
        journeys->dirty = dirty;
        journeys->dirty_capacity = capacity;
    }
    record->is_dirty = true;
    journeys->dirty[journeys->dirty_count++] = id;
}

void fg_journeys_tell_hop(struct fg_journeys *journeys, const struct fg_record *record,
                          uint32_t step)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    uint64_t before = key->flow->steps[step].after & record->reached, from_ns = 0;
    for (uint32_t i = 0; i < key->flow->step_count; i++)
        if ((before >> i & 1) && record->reached_ns[i] > from_ns)
            from_ns = record->reached_ns[i];
    if (from_ns > 0)
        fg_neighbours_hop(journeys->neighbours, key->flow_index, step, from_ns,
                          record->reached_ns[step]);
}

/* All hops that a rebuilding brought; while it reads, a step may come before the one before it. */
static void tell_hops(struct fg_journeys *journeys)
{
    for (uint32_t i = 0; i < journeys->table.count; i++) {
        const struct fg_record *record = &journeys->table.records[i];
        const struct fg_flow *flow = journeys->keys[record->key].flow;
        for (uint32_t step = 0; flow && step < flow->step_count; step++)
            if (record->reached >> step & 1)
                fg_journeys_tell_hop(journeys, record, step);
    }
}

static void plan(struct fg_journeys *journeys, uint32_t id, uint64_t at_ns)
{
    if (fg_table_plan(&journeys->table, id, at_ns) < 0)
        fg_journeys_doubt(journeys, id); /* rather now than never */
}

void fg_journeys_stand(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = &journeys->table.records[id];
    const struct fg_flow *flow = journeys->keys[record->key].flow;
    uint32_t last = fg_flow_last(flow, record->reached);
    uint32_t expected = fg_flow_expected(flow, last, record->reached);
    enum fg_journey_state state = FG_JOURNEY_FLOWING;
    record->last_step = last == FG_FLOW_STEP_NONE ? FG_NO_STEP : (uint8_t)last;
    record->since_ns = last == FG_FLOW_STEP_NONE ? record->first_ns : record->reached_ns[last];
    record->deadline_ns = 0;
    record->look_ns = 0;
    record->place = FG_PLACE_NONE;
    record->cause = FG_CAUSE_NONE;
    free(record->trouble);
    record->trouble = NULL;
    if (last != FG_FLOW_STEP_NONE && flow->steps[last].ends != FG_FLOW_GOES_ON)
        state =
            flow->steps[last].ends == FG_FLOW_ENDS_DONE ? FG_JOURNEY_DONE : FG_JOURNEY_CANCELLED;
    if (expected != FG_FLOW_STEP_NONE && flow->steps[expected].within_ns > 0)
        record->deadline_ns = record->since_ns + flow->steps[expected].within_ns;
    if (expected != FG_FLOW_STEP_NONE && flow->steps[expected].human.size > 0) {
        state = FG_JOURNEY_WAITING;
        fg_journeys_doubt(journeys, id); /* for the words of it */
    }
    enum fg_journey_state from = (enum fg_journey_state)record->state;
    fg_journeys_set_state(journeys, id, state,
                          expected == FG_FLOW_STEP_NONE ? FG_NO_STEP : (uint8_t)expected);
    if (from != state)
        fg_journeys_note(journeys, id, from);
    if (record->deadline_ns)
        plan(journeys, id, record->deadline_ns + FG_JOURNEY_GRACE_NS + 1);
}

int fg_journeys_evict(struct fg_journeys *journeys)
{
    int r = fg_table_make_room(&journeys->table);
    journeys->dirty_count = 0;
    memset(journeys->by_state, 0, sizeof journeys->by_state);
    memset(journeys->standing, 0, sizeof journeys->standing);
    for (uint32_t i = 0; i < journeys->table.count; i++) {
        struct fg_record *record = &journeys->table.records[i];
        const struct fg_watched_key *key = &journeys->keys[record->key];
        journeys->by_state[record->state]++;
        if (key->flow && record->expected_step != FG_NO_STEP)
            journeys->standing[key->flow_index][record->expected_step]++;
        if (record->is_dirty) {
            record->is_dirty = false;
            fg_journeys_doubt(journeys, i);
        }
    }
    return r;
}

/* -- Following */

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct fg_journeys *journeys = arg;
    if (!rows->bits || rows->row_end == rows->row_begin)
        return 0;
    fg_mutex_lock(&journeys->mutex);
    int r = journeys->is_stopping ? FG_ECANCELLED : 0;
    if (r == 0)
        r = fg_journeys_take(journeys, rows->batch, rows->row_begin, rows->row_end, rows->bits);
    fg_mutex_unlock(&journeys->mutex);
    if (r == 0)
        fg_neighbours_add(journeys->neighbours, rows->batch);
    return r;
}

static uint32_t columns_of(const struct fg_journeys *journeys)
{
    const struct fg_flows *flows = journeys->options.flows;
    uint32_t columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES | FG_COLUMNS_RESOURCE | FG_COLUMNS_STATUS |
                       FG_COLUMNS_MISC | FG_COLUMNS_SPAN_ATTRS;
    for (uint32_t i = 0; i < flows->count; i++)
        for (uint32_t step = 0; step < flows->flows[i].step_count; step++)
            columns |= fg_predicate_columns(flows->flows[i].steps[step].when);
    return columns;
}

static int hear(void *arg, const struct fg_rollup_cell *cell)
{
    if (!cell->is_edge)
        fg_neighbours_hear(arg, cell->service, cell->kind == FG_SPAN_KIND_CONSUMER,
                           cell->minute_ns);
    return 0;
}

/* Who was heard at all, from the rollups: most of a service's spans name no key. */
static int hear_services(struct fg_journeys *journeys)
{
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(journeys->options.store, journeys->options.tenant,
                        now_ns > HEARD_AGE_NS ? now_ns - HEARD_AGE_NS : 0, UINT64_MAX, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, hear, journeys->neighbours);
    fg_rollup_free(rollup);
    return r;
}

/* Every stored span that names a key; those of its traces that don't are read when the journey is
 * judged, which all that have not ended are. */
static int rebuild(struct fg_journeys *journeys)
{
    struct fg_predicate exists[FG_JOURNEY_KEYS_MAX];
    const struct fg_predicate *children[FG_JOURNEY_KEYS_MAX];
    for (uint32_t i = 0; i < journeys->key_count; i++) {
        exists[i] = (struct fg_predicate){
            .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_SPAN, .key = journeys->keys[i].name};
        children[i] = &exists[i];
    }
    struct fg_predicate any = {
        .op = FG_PRED_OR, .child_count = journeys->key_count, .children = children};
    struct fg_scan scan = {.tenant = journeys->options.tenant,
                           .start_ns_min = journeys->rebuild_from_ns,
                           .start_ns_max = UINT64_MAX,
                           .predicate = &any,
                           .columns = columns_of(journeys),
                           .rows = on_rows,
                           .arg = journeys};
    struct fg_read_stats stats;
    journeys->position = fg_store_follow_end(journeys->options.store);
    int r = hear_services(journeys);
    if (r == 0)
        r = fg_store_scan(journeys->options.store, &scan, &stats);
    fg_mutex_lock(&journeys->mutex);
    for (uint32_t i = 0; i < journeys->table.count; i++) {
        uint8_t state = journeys->table.records[i].state;
        if (state != FG_JOURNEY_DONE && state != FG_JOURNEY_CANCELLED)
            fg_journeys_doubt(journeys, i);
    }
    if (r == 0)
        tell_hops(journeys);
    journeys->counters.is_rebuilding = r < 0;
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

static int follow(struct fg_journeys *journeys)
{
    struct fg_follow wanted = {
        .tenant = journeys->options.tenant, .rows = on_rows, .arg = journeys};
    uint64_t missed = 0, followed_ns = journeys->followed_ns;
    int r = fg_store_follow(journeys->options.store, &wanted, &journeys->position, &missed);
    fg_mutex_lock(&journeys->mutex);
    journeys->counters.missed_spans += missed;
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    for (uint32_t id; (id = fg_table_due(&journeys->table, now_ns)) != FG_NO_RECORD;)
        fg_journeys_doubt(journeys, id);
    fg_mutex_unlock(&journeys->mutex);
    if (missed > 0 && r == 0) {
        /* What was sealed unseen lies in segments, by its start. */
        journeys->rebuild_from_ns = followed_ns > MISSED_AGE_NS ? followed_ns - MISSED_AGE_NS : 0;
        return rebuild(journeys);
    }
    if (r == 0)
        journeys->followed_ns = now_ns;
    return r;
}

int fg_journeys_step(struct fg_journeys *journeys)
{
    int r = 0;
    if (journeys->counters.is_rebuilding)
        r = rebuild(journeys);
    if (r == 0)
        r = follow(journeys);
    fg_journeys_judge(journeys, UINT64_MAX);
    return r;
}

static void run(void *arg)
{
    struct fg_journeys *journeys = arg;
    fg_thread_behave(FG_THREAD_PATIENT);
    for (;;) {
        int r = journeys->counters.is_rebuilding ? rebuild(journeys) : follow(journeys);
        if (r == 0)
            fg_journeys_judge(journeys, JUDGE_BUDGET_NS);
        fg_mutex_lock(&journeys->mutex);
        if (r < 0 && r != FG_ECANCELLED)
            journeys->counters.failed_reads++;
        if (!journeys->is_stopping)
            fg_cond_wait_for(&journeys->cond, &journeys->mutex, TICK_NS);
        bool is_stopping = journeys->is_stopping;
        fg_mutex_unlock(&journeys->mutex);
        if (is_stopping)
            return;
    }
}

/* -- Opening */

static int add_key(struct fg_journeys *journeys, struct fg_slice name, uint32_t flow_index)
{
    for (uint32_t i = 0; i < journeys->key_count; i++)
        if (fg_slice_equal(journeys->keys[i].name, name))
            return 0;
    if (journeys->key_count == FG_JOURNEY_KEYS_MAX)
        return FG_ELIMIT;
    const struct fg_flows *flows = journeys->options.flows;
    journeys->keys[journeys->key_count++] = (struct fg_watched_key){
        .name = name,
        .flow = flow_index < flows->count ? &flows->flows[flow_index] : NULL,
        .flow_index = flow_index};
    return 0;
}

static int add_flows(struct fg_journeys *journeys)
{
    const struct fg_flows *flows = journeys->options.flows;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < flows->count; i++) {
        r = add_key(journeys, flows->flows[i].key, i);
        for (uint32_t step = 0; r == 0 && step < flows->flows[i].step_count; step++)
            r = fg_matcher_new(flows->flows[i].steps[step].when, &journeys->matchers[i][step]);
    }
    for (uint32_t i = 0; r == 0 && i < journeys->options.key_count; i++)
        r = add_key(journeys, journeys->options.keys[i], UINT32_MAX);
    return r;
}

int fg_journeys_open(const struct fg_journeys_options *options, struct fg_journeys **ret_journeys)
{
    struct fg_journeys *journeys = calloc(1, sizeof *journeys);
    struct fg_builder_limits limits = fg_builder_limits_default();
    if (!journeys)
        return FG_ENOMEM;
    journeys->options = *options;
    journeys->counters.is_rebuilding = true;
    limits.bytes_max = FG_CASE_BYTES_MAX;
    fg_mutex_init(&journeys->mutex, FG_RANK_JOURNEYS);
    fg_cond_init(&journeys->cond);
    fg_arena_init(&journeys->arena, ARENA_BYTES_MAX);
    fg_table_init(&journeys->table, options->journeys_max);
    int r = add_flows(journeys);
    if (r == 0)
        r = fg_neighbours_new(&journeys->neighbours);
    journeys->changes = calloc(FG_JOURNEY_CHANGES_KEPT, sizeof *journeys->changes);
    if (r == 0 && !journeys->changes)
        r = FG_ENOMEM;
    if (r == 0)
        r = fg_builder_new(&limits, &journeys->builder);
    if (r == 0 && !options->manual)
        r = fg_thread_start(&journeys->thread, "journeys", run, journeys);
    if (r < 0) {
        journeys->options.manual = true; /* there is no thread to end */
        fg_journeys_close(journeys);
        return r;
    }
    *ret_journeys = journeys;
    return 0;
}

void fg_journeys_stop(struct fg_journeys *journeys)
{
    if (!journeys || journeys->options.manual)
        return;
    fg_mutex_lock(&journeys->mutex);
    journeys->is_stopping = true;
    fg_cond_broadcast(&journeys->cond);
    fg_mutex_unlock(&journeys->mutex);
    fg_thread_join(&journeys->thread);
    journeys->options.manual = true; /* there is no thread any more */
}

void fg_journeys_close(struct fg_journeys *journeys)
{
    if (!journeys)
        return;
    fg_journeys_stop(journeys);
    for (uint32_t i = 0; i < FG_FLOWS_MAX; i++)
        for (uint32_t step = 0; step < FG_FLOW_STEPS_MAX; step++)
            fg_matcher_free(journeys->matchers[i][step]);
    fg_table_free(&journeys->table);
    fg_neighbours_free(journeys->neighbours);
    fg_builder_free(journeys->builder);
    fg_arena_free(&journeys->arena);
    fg_cond_destroy(&journeys->cond);
    fg_mutex_destroy(&journeys->mutex);
    free(journeys->changes);
    free(journeys->dirty);
    free(journeys->owner);
    free(journeys->bits);
    free(journeys);
}

void fg_journeys_counters(struct fg_journeys *journeys, struct fg_journeys_counters *ret_counters)
{
    fg_mutex_lock(&journeys->mutex);
    *ret_counters = journeys->counters;
    ret_counters->count = journeys->table.count;
    ret_counters->evicted = journeys->table.evicted;
    memcpy(ret_counters->by_state, journeys->by_state, sizeof ret_counters->by_state);
    fg_mutex_unlock(&journeys->mutex);
}
