/* The journeys' life: opening, the thread that follows the store, and what callers ask. */
#include "journeys_internal.h"

#include "base/hash.h"
#include "decide.h"
#include "os/process.h"
#include "span/builder.h"
#include "store/consumer.h"
#include "store/rollup.h"

#include <stdlib.h>

/* After spans came the next are waited for this long: a wake-up for each request costs more than
 * the request. */
#define GATHER_NS (5 * FG_NS_PER_MS)
/* And a twentieth for reading those that teach. */
#define LEARN_BUDGET_NS (10 * FG_NS_PER_MS)
/* Where spans were missed, those are read again that began up to this long before the last look. */
#define MISSED_AGE_NS (15 * FG_NS_PER_MINUTE)
/* A service that was heard within this time is instrumented. */
#define HEARD_AGE_NS    (7 * FG_NS_PER_DAY)
#define ARENA_BYTES_MAX ((size_t)FG_CASE_BYTES_MAX)
/* Records that a pass over all of them looks at before others get the mutex. */
#define LET_IN_EVERY 512u

/* So long at most the follower gives way at one time, however many go on asking. */
#define GIVE_WAY_NS (1 * FG_NS_PER_MS)

/* Whoever waits for what is durable asks until it is, and one that is behind has to catch up first:
 * commits no more often than so. */
#define ASKED_EVERY_NS FG_JOURNEYS_TICK_NS

/* So often it is put down that somebody listens while there is something to commit: after a crash
 * nothing is held against a journey for as long as nobody may have listened. */
#define HEARD_EVERY_NS (5 * FG_NS_PER_SECOND)

/* -- The mutex */

void fg_journeys_enter(struct fg_journeys *journeys)
{
    atomic_fetch_add(&journeys->askers, 1);
    fg_mutex_lock(&journeys->mutex);
    if (atomic_fetch_sub(&journeys->askers, 1) == 1)
        fg_cond_signal(&journeys->entered);
}

/* A mutex that is given up and taken again at once goes to the same thread again, since the one
 * that waits has to wake up first: it is waited for. */
void fg_journeys_let_in(struct fg_journeys *journeys)
{
    if (atomic_load(&journeys->askers) > 0)
        fg_cond_wait_for(&journeys->entered, &journeys->mutex, GIVE_WAY_NS);
}

void fg_journeys_follow(struct fg_journeys *journeys)
{
    fg_mutex_lock(&journeys->mutex);
    fg_journeys_let_in(journeys);
}

/* -- Records: states, doubts */

void fg_journeys_set_state(struct fg_journeys *journeys, uint32_t id, enum fg_journey_state state,
                           uint8_t expected_step)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    const struct fg_watched_key *key = &journeys->keys[record->key];
    enum fg_journey_state from = (enum fg_journey_state)record->state;
    journeys->by_state[from]--;
    journeys->by_state[state]++;
    if (key->flow && record->expected_step != FG_NO_STEP)
        journeys->standing[key->flow_index][record->expected_step]--;
    if (key->flow && expected_step != FG_NO_STEP)
        journeys->standing[key->flow_index][expected_step]++;
    record->state = (uint8_t)state;
    record->expected_step = expected_step;
    if (fg_journey_has_ended(from) != fg_journey_has_ended(state) ||
        fg_journey_is_trouble(from) != fg_journey_is_trouble(state))
        fg_table_see_state(&journeys->table, id);
}

void fg_journeys_doubt(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
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
    fg_journeys_changed(journeys, id);
}

void fg_journeys_tell_hop(struct fg_journeys *journeys, const struct fg_record *record,
                          uint32_t step)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    uint64_t before = key->flow->steps[step].after & record->reached, from_ns = 0;
    for (uint32_t i = 0; i < key->flow->step_count; i++)
        if ((before >> i & 1) && fg_record_reached_ns(record, i) > from_ns)
            from_ns = fg_record_reached_ns(record, i);
    if (from_ns > 0)
        fg_neighbours_hop(journeys->neighbours, key->flow_index, step, from_ns,
                          fg_record_reached_ns(record, step));
}

/* All hops that a rebuilding brought; while it reads, a step may come before the one before it. */
static void tell_hops(struct fg_journeys *journeys)
{
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        const struct fg_record *record = fg_table_record(&journeys->table, id);
        const struct fg_flow *flow = journeys->keys[record->key].flow;
        if (id % LET_IN_EVERY == 0)
            fg_journeys_let_in(journeys);
        for (uint32_t step = 0; flow && step < flow->step_count; step++)
            if (record->reached >> step & 1)
                fg_journeys_tell_hop(journeys, record, step);
    }
}

/* When the hop to a step that began then has taken too long: as it is declared, accepted or
 * learned; 0: never. */
static uint64_t deadline_of(const struct fg_journeys *journeys, uint32_t key, uint32_t step,
                            uint64_t begin_ns)
{
    const struct fg_hop_deadline *hop = &journeys->deadlines[journeys->keys[key].flow_index][step];
    return hop->ns ? (hop->from_ns > begin_ns ? hop->from_ns : begin_ns) + hop->ns : 0;
}

static void plan(struct fg_journeys *journeys, uint32_t id, uint64_t at_ns)
{
    if (fg_table_plan(&journeys->table, id, at_ns) < 0)
        fg_journeys_doubt(journeys, id); /* rather now than never */
}

void fg_journeys_stand(struct fg_journeys *journeys, uint32_t id)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    const struct fg_flow *flow = journeys->keys[record->key].flow;
    uint32_t last = fg_flow_last(flow, record->reached);
    uint32_t expected = fg_flow_expected(flow, last, record->reached);
    enum fg_journey_state state = FG_JOURNEY_FLOWING;
    record->last_step = last == FG_FLOW_STEP_NONE ? FG_NO_STEP : (uint8_t)last;
    record->since_ns =
        last == FG_FLOW_STEP_NONE ? record->first_ns : fg_record_reached_ns(record, last);
    record->deadline_ns = 0;
    record->place = FG_PLACE_NONE;
    record->cause = FG_CAUSE_NONE;
    free(record->trouble);
    record->trouble = NULL;
    if (last != FG_FLOW_STEP_NONE && flow->steps[last].ends != FG_FLOW_GOES_ON)
        state =
            flow->steps[last].ends == FG_FLOW_ENDS_DONE ? FG_JOURNEY_DONE : FG_JOURNEY_CANCELLED;
    if (expected != FG_FLOW_STEP_NONE)
        record->deadline_ns = deadline_of(journeys, record->key, expected, record->since_ns);
    if (expected != FG_FLOW_STEP_NONE && flow->steps[expected].human.size > 0) {
        state = FG_JOURNEY_WAITING; /* the flow says for whom: see fg_journeys_words() */
        record->place = FG_PLACE_PERSON;
        record->cause = FG_CAUSE_WAITING;
    }
    enum fg_journey_state from = (enum fg_journey_state)record->state;
    fg_journeys_set_state(journeys, id, state,
                          expected == FG_FLOW_STEP_NONE ? FG_NO_STEP : (uint8_t)expected);
    if (from != state)
        fg_journeys_note(journeys, id, from);
    if (record->deadline_ns)
        plan(journeys, id, record->deadline_ns + FG_JOURNEY_GRACE_NS + 1);
    else
        fg_table_unplan(&journeys->table, id);
    fg_learn_plan(journeys, id);
    fg_journeys_changed(journeys, id);
}

/* -- Following */

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct fg_journeys *journeys = arg;
    if (!rows->bits || rows->row_end == rows->row_begin)
        return 0;
    fg_journeys_follow(journeys);
    int r = journeys->is_stopping ? FG_ECANCELLED : 0;
    if (r == 0)
        r = fg_journeys_take(journeys, rows->batch, rows->row_begin, rows->row_end, rows->bits);
    fg_mutex_unlock(&journeys->mutex);
    if (r == 0)
        fg_neighbours_add(journeys->neighbours, rows->batch);
    if (r == 0 && !journeys->counters.is_rebuilding)
        fg_watch_add(journeys->watch, rows->batch, rows->row_begin, rows->row_end, rows->bits);
    return r;
}

static uint32_t columns_of(const struct fg_journeys *journeys)
{
    uint32_t columns = FG_COLUMNS_LINKS | FG_COLUMNS_NAME | FG_COLUMNS_IDS | FG_COLUMNS_TIMES |
                       FG_COLUMNS_RESOURCE | FG_COLUMNS_STATUS | FG_COLUMNS_MISC |
                       FG_COLUMNS_SPAN_ATTRS;
    for (uint32_t i = 0; i < journeys->key_count; i++) {
        const struct fg_flow *flow = journeys->keys[i].flow;
        for (uint32_t step = 0; flow && step < flow->step_count; step++)
            columns |= fg_predicate_columns(flow->steps[step].when);
    }
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

/* Every stored span that names a key, and every message's; those of its traces that don't are read
 * when the journey is judged, which all that have not ended are. */
static int rebuild(struct fg_journeys *journeys)
{
    struct fg_predicate wanted[FG_JOURNEY_KEYS_MAX + FG_KEY_RULES_MAX + 2];
    const struct fg_predicate *children[FG_JOURNEY_KEYS_MAX + FG_KEY_RULES_MAX + 2];
    const struct fg_flows *flows = journeys->options.flows;
    uint32_t count = 0;
    for (uint32_t i = 0; i < journeys->key_count; i++)
        wanted[count++] = (struct fg_predicate){
            .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_SPAN, .key = journeys->keys[i].name};
    bool any_name = false;
    for (uint32_t i = 0; i < flows->key_rule_count; i++) {
        bool of_name = fg_slice_equal(flows->key_rules[i].from, FG_SLICE("name"));
        any_name |= of_name;
        if (!of_name)
            wanted[count++] = (struct fg_predicate){
                .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_SPAN, .key = flows->key_rules[i].from};
    }
    for (int64_t kind = FG_SPAN_KIND_PRODUCER; kind <= FG_SPAN_KIND_CONSUMER; kind++)
        wanted[count++] = (struct fg_predicate){
            .op = FG_PRED_EQ, .field = FG_FIELD_KIND, .type = FG_VALUE_INT, .integer = kind};
    for (uint32_t i = 0; i < count; i++)
        children[i] = &wanted[i];
    struct fg_predicate any = {.op = FG_PRED_OR, .child_count = count, .children = children};
    struct fg_scan scan = {.tenant = journeys->options.tenant,
                           .start_ns_min = journeys->rebuild_from_ns,
                           .start_ns_max = UINT64_MAX,
                           .predicate = any_name ? NULL : &any,
                           .columns = columns_of(journeys),
                           .rows = on_rows,
                           .arg = journeys};
    struct fg_read_stats stats;
    journeys->position = fg_store_follow_end(journeys->options.store);
    int r = hear_services(journeys);
    if (r == 0)
        r = fg_journeys_recall_checks(journeys);
    if (r == 0)
        r = fg_store_scan(journeys->options.store, &scan, &stats);
    fg_journeys_follow(journeys);
    FG_TABLE_EACH (&journeys->table, FG_TABLE_ALL, id) {
        if (id % LET_IN_EVERY == 0)
            fg_journeys_let_in(journeys);
        if (!fg_table_is(&journeys->table, FG_TABLE_ENDED, id))
            fg_journeys_doubt(journeys, id);
    }
    if (r == 0)
        tell_hops(journeys);
    journeys->counters.is_rebuilding = r < 0;
    if (r == 0)
        fg_cond_broadcast(&journeys->cond); /* who waits for it */
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

/* Records that are due, and what memory and disk need from time to time. */
static int look_after(struct fg_journeys *journeys)
{
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    fg_journeys_follow(journeys);
    fg_journeys_close_ranks(journeys);
    journeys->learn_until_ns = fg_env_mono_ns(journeys->options.env) + LEARN_BUDGET_NS;
    journeys->learn_later = 0;
    for (uint32_t id; fg_table_due(&journeys->table, now_ns, &id);) {
        if (id != FG_NO_RECORD)
            fg_learn_look(journeys, id);
        fg_journeys_let_in(journeys);
    }
    int r = fg_learn_apply(journeys);
    fg_journeys_let_in(journeys);
    if (r == 0)
        r = fg_journeys_fetch_due(journeys, now_ns);
    fg_mutex_unlock(&journeys->mutex);
    fg_journeys_read_out_end(journeys);
    if (r == 0)
        r = fg_journeys_fill(journeys);
    return r == 0 ? fg_journeys_sweep(journeys, now_ns) : r;
}

/* What is in the heads, from memory: without a consumer of the log. */
static int follow_heads(struct fg_journeys *journeys)
{
    struct fg_follow wanted = {
        .tenant = journeys->options.tenant, .rows = on_rows, .arg = journeys};
    uint64_t missed = 0, followed_ns = journeys->followed_ns;
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    fg_hearing_begin(journeys);
    int r = fg_store_follow(journeys->options.store, &wanted, &journeys->position, &missed);
    if (r == 0)
        fg_hearing_end(journeys);
    fg_mutex_lock(&journeys->mutex);
    journeys->counters.missed_spans += missed;
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

int fg_journeys_take_batch(struct fg_journeys *journeys, const struct fg_batch *batch)
{
    fg_journeys_follow(journeys);
    /* It counts as given: what could not be taken of it is read again with all that is stored. */
    int r = fg_journeys_take(journeys, batch, 0, batch->span_count, NULL);
    journeys->must_rebuild |= r < 0;
    fg_mutex_unlock(&journeys->mutex);
    fg_neighbours_add(journeys->neighbours, batch);
    fg_watch_add(journeys->watch, batch, 0, batch->span_count, NULL);
    return r;
}

static int on_record(void *arg, const struct fg_consumed *consumed)
{
    struct fg_journeys *journeys = arg;
    if (consumed->tenant != journeys->options.tenant)
        return fg_guests_give(journeys, consumed);
    return fg_journeys_take_batch(journeys, consumed->batch);
}

/* The log, as a consumer that has a place of its own in it. */
static int follow_log(struct fg_journeys *journeys, uint64_t timeout_ns, bool *ret_is_quiet)
{
    struct fg_consumer_progress progress;
    fg_hearing_begin(journeys);
    int r =
        fg_consumer_read(journeys->options.consumer, timeout_ns, on_record, journeys, &progress);
    *ret_is_quiet = r == FG_ETIMEOUT || r == FG_ECANCELLED;
    r = *ret_is_quiet ? 0 : r;
    if (r == 0)
        fg_hearing_end(journeys);
    journeys->read_position = progress.position;
    if (progress.missed > 0)
        fg_guests_missed(journeys);
    uint64_t waited_ns = fg_env_mono_ns(journeys->options.env) - journeys->committed_ns;
    bool is_due =
        progress.is_commit_due && (waited_ns >= ASKED_EVERY_NS || journeys->options.manual);
    *ret_is_quiet &= !progress.is_commit_due;
    if (is_due || fg_guests_are_due(journeys)) {
        int committed = fg_guests_commit(journeys);
        r = r < 0 ? r : committed;
    }
    bool has_news =
        journeys->changed_count > 0 || journeys->read_position != journeys->committed_position;
    if (has_news && fg_env_mono_ns(journeys->options.env) - journeys->heard_ns >= HEARD_EVERY_NS) {
        int heard = fg_journeys_put_heard(journeys);
        r = r < 0 ? r : heard;
    }
    fg_journeys_follow(journeys);
    journeys->counters.missed_spans += progress.missed;
    journeys->must_rebuild |= progress.missed > 0;
    if (journeys->must_rebuild) {
        journeys->counters.is_rebuilding = true;
        journeys->rebuild_from_ns = 0;
    }
    if (!journeys->must_rebuild &&
        (is_due || (has_news && (waited_ns >= FG_JOURNEY_COMMIT_NS || journeys->options.manual)))) {
        int committed = fg_journeys_commit(journeys);
        r = r < 0 ? r : committed;
    }
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

/* Everything anew, where it was asked for or records of the log were missed. */
static int rebuild_if_wanted(struct fg_journeys *journeys)
{
    int r = 0;
    if (journeys->reindex_wanted) {
        fg_mutex_lock(&journeys->mutex);
        r = fg_journeys_clear(journeys);
        journeys->reindex_wanted = r < 0;
        journeys->rebuild_from_ns = 0;
        fg_mutex_unlock(&journeys->mutex);
    }
    if (r == 0)
        r = rebuild(journeys);
    if (r == 0)
        journeys->must_rebuild = false;
    return r;
}

/* The first round of a durable one: the records from disk, and what lies beside them in memory. */
static int recall(struct fg_journeys *journeys)
{
    int r = hear_services(journeys);
    if (r == 0)
        r = fg_journeys_recall_checks(journeys);
    fg_mutex_lock(&journeys->mutex);
    if (r == 0)
        r = fg_journeys_recall_room(journeys);
    fg_mutex_unlock(&journeys->mutex);
    if (r == 0)
        r = fg_early_load(journeys);
    if (r == 0)
        r = fg_journeys_load(journeys);
    fg_mutex_lock(&journeys->mutex);
    fg_journeys_begin_room(journeys);
    if (r == 0)
        tell_hops(journeys);
    journeys->is_loaded = r == 0;
    journeys->counters.is_rebuilding = r < 0 || journeys->must_rebuild;
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

int fg_journeys_go_round(struct fg_journeys *journeys, uint64_t timeout_ns, bool *ret_is_quiet)
{
    int r = 0;
    *ret_is_quiet = false;
    if (journeys->vault && !journeys->is_loaded)
        r = recall(journeys);
    if (r == 0 && journeys->vault && !journeys->options.leader) /* first: what was missed? */
        r = follow_log(journeys, journeys->counters.is_rebuilding ? 0 : timeout_ns, ret_is_quiet);
    if (journeys->counters.is_rebuilding && (r == 0 || journeys->must_rebuild))
        r = rebuild_if_wanted(journeys);
    else if (r == 0 && !journeys->vault)
        r = follow_heads(journeys);
    if (r == 0)
        r = look_after(journeys);
    return r;
}

int fg_journeys_step(struct fg_journeys *journeys)
{
    bool is_quiet;
    int r = fg_journeys_go_round(journeys, 0, &is_quiet);
    if (r == 0 && !journeys->vault)
        r = follow_heads(journeys); /* what came while all was made anew */
    fg_journeys_judge(journeys, UINT64_MAX);
    fg_guests_go_round(journeys, UINT64_MAX);
    if (r == 0)
        r = fg_guests_commit(journeys);
    fg_mutex_lock(&journeys->mutex);
    if (r == 0)
        r = fg_journeys_commit(journeys);
    fg_mutex_unlock(&journeys->mutex);
    return r;
}

static void run(void *arg)
{
    struct fg_journeys *journeys = arg;
    fg_thread_behave(FG_THREAD_PATIENT);
    for (;;) {
        bool is_quiet;
        int r = fg_journeys_go_round(journeys, FG_JOURNEYS_TICK_NS, &is_quiet);
        uint64_t budget_ns = fg_budget_now(&journeys->budget, fg_env_mono_ns(journeys->options.env),
                                           fg_process_cpu_ns, fg_thread_cpu_ns);
        if (r == 0)
            fg_journeys_judge(journeys, budget_ns);
        fg_guests_go_round(journeys, budget_ns);
        fg_mutex_lock(&journeys->mutex);
        fg_journeys_erase(journeys);
        if (r < 0 && r != FG_ECANCELLED)
            journeys->counters.failed_reads++;
        /* a consumer that found nothing has waited already */
        bool waits_long = r < 0 || !journeys->vault;
        if (!journeys->is_stopping && !journeys->erased && (waits_long || !is_quiet))
            fg_cond_wait_for(&journeys->cond, &journeys->mutex,
                             waits_long ? FG_JOURNEYS_TICK_NS : GATHER_NS);
        bool is_stopping = journeys->is_stopping;
        if (is_stopping) {
            fg_mutex_unlock(&journeys->mutex);
            r = fg_guests_commit(journeys);
            fg_mutex_lock(&journeys->mutex);
            journeys->counters.failed_reads += r < 0;
        }
        if (is_stopping && !journeys->counters.is_rebuilding && fg_journeys_commit(journeys) < 0)
            journeys->counters.failed_reads++; /* the next start reads from the last commit on */
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
    const struct fg_flow *flow = flow_index < flows->count ? &flows->flows[flow_index] : NULL;
    journeys->keys[journeys->key_count++] = (struct fg_watched_key){
        .name = name,
        .hash = fg_hash(name),
        .flow = flow,
        .is_declared = flow != NULL,
        .name_index = fg_names_add(&journeys->names, name),
        .shown_name = flow ? fg_names_add(&journeys->names, flow->shown_key) : FG_NAME_NONE};
    return 0;
}

/* Keys that rules alone give, too. */
static int add_rules(struct fg_journeys *journeys)
{
    const struct fg_flows *flows = journeys->options.flows;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < flows->key_rule_count; i++) {
        const struct fg_key_rule *rule = &flows->key_rules[i];
        r = add_key(journeys, rule->key, UINT32_MAX);
        journeys->rule_keys[i] = fg_journeys_key_of(journeys, fg_hash(rule->key));
        journeys->rule_names[i] = fg_names_add(&journeys->names, rule->from);
    }
    journeys->message_names[0] = fg_names_add(&journeys->names, FG_SLICE("messaging.message.id"));
    journeys->message_names[1] = fg_names_add(&journeys->names, FG_SLICE("messaging.message_id"));
    return r;
}

static int add_flows(struct fg_journeys *journeys)
{
    const struct fg_flows *flows = journeys->options.flows;
    int r = 0;
    /* each flow has a key of its own, and keys come in the same order */
    for (uint32_t i = 0; r == 0 && i < flows->count; i++)
        r = add_key(journeys, flows->flows[i].key, i);
    for (uint32_t i = 0; r == 0 && i < journeys->options.key_count; i++)
        r = add_key(journeys, journeys->options.keys[i], UINT32_MAX);
    if (r == 0)
        r = add_rules(journeys);
    for (uint32_t i = 0; r == 0 && i < flows->count;
         i++) /* whose names have room after the keys' */
        r = fg_steps_new(&flows->flows[i], &journeys->names, &journeys->steps[i]);
    for (uint32_t i = 0; i < journeys->key_count; i++)
        journeys->keys[i].flow_index = i;
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
    fg_hearing_init(&journeys->hearing, options->env);
    fg_cond_init(&journeys->cond);
    fg_cond_init(&journeys->entered);
    fg_arena_init(&journeys->arena, ARENA_BYTES_MAX);
    fg_table_init(&journeys->table, options->journeys_max);
    int r = add_flows(journeys);
    if (r == 0)
        r = fg_neighbours_new(&journeys->neighbours);
    if (r == 0)
        r = fg_watch_new(&journeys->watch);
    if (r == 0)
        r = fg_joins_new(&journeys->joins);
    journeys->changes = calloc(FG_JOURNEY_CHANGES_KEPT, sizeof *journeys->changes);
    if (r == 0 && !journeys->changes)
        r = FG_ENOMEM;
    if (r == 0)
        r = fg_builder_new(&limits, &journeys->builder);
    if (r == 0 && options->state && (options->consumer || options->leader))
        r = fg_vault_open(options->state, options->tenant, &journeys->vault);
    fg_journeys_open_room(journeys);
    if (r == 0 && journeys->vault && options->consumer)
        r = fg_journeys_recall_deafness(journeys);
    if (r == 0 && journeys->vault)
        r = fg_flow_since_open(journeys);
    if (r == 0 && journeys->vault)
        r = fg_early_open(journeys);
    if (r == 0)
        r = fg_learn_open(journeys);
    if (r == 0 && options->leader)
        r = fg_guests_enter(journeys);
    else if (r == 0 && !options->manual && !options->starts_later)
        r = fg_journeys_start(journeys);
    if (r < 0) {
        fg_journeys_close(journeys);
        return r;
    }
    *ret_journeys = journeys;
    return 0;
}

int fg_journeys_start(struct fg_journeys *journeys)
{
    int r = fg_thread_start(&journeys->thread, "journeys", run, journeys);
    journeys->has_thread = r == 0;
    return r;
}

void fg_journeys_stop(struct fg_journeys *journeys)
{
    if (!journeys)
        return;
    fg_mutex_lock(&journeys->mutex);
    journeys->is_stopping = true;
    fg_cond_broadcast(&journeys->cond);
    fg_mutex_unlock(&journeys->mutex);
    if (journeys->has_thread)
        fg_thread_join(&journeys->thread);
    journeys->has_thread = false;
}

void fg_journeys_close(struct fg_journeys *journeys)
{
    if (!journeys)
        return;
    fg_journeys_stop(journeys);
    for (uint32_t i = 0; i < FG_FLOWS_MAX; i++)
        fg_steps_free(journeys->steps[i]);
    fg_table_free(&journeys->table);
    fg_neighbours_free(journeys->neighbours);
    fg_watch_free(journeys->watch);
    fg_joins_free(journeys->joins);
    fg_early_free(journeys->early);
    fg_journeys_close_room(journeys);
    fg_vault_free(journeys->vault);
    fg_learn_close(journeys);
    fg_builder_free(journeys->builder);
    fg_arena_free(&journeys->arena);
    fg_cond_destroy(&journeys->cond);
    fg_cond_destroy(&journeys->entered);
    fg_mutex_destroy(&journeys->mutex);
    fg_hearing_free(&journeys->hearing);
    fg_names_free(&journeys->names);
    fg_fetch_free(&journeys->fetch);
    free(journeys->changes);
    free(journeys->dirty);
    free(journeys->changed);
    free(journeys->owner);
    fg_hits_free(&journeys->hits);
    free(journeys);
}

uint32_t fg_journeys_keys(const struct fg_journeys *journeys,
                          struct fg_slice ret_keys[FG_JOURNEY_KEYS_MAX])
{
    for (uint32_t i = 0; i < journeys->key_count; i++)
        ret_keys[i] = journeys->keys[i].name;
    return journeys->key_count;
}

void fg_journeys_counters(struct fg_journeys *journeys, struct fg_journeys_counters *ret_counters)
{
    fg_journeys_enter(journeys);
    *ret_counters = journeys->counters;
    ret_counters->count = journeys->table.count + journeys->absent_count;
    ret_counters->absent = journeys->absent_count;
    ret_counters->evicted = journeys->table.evicted;
    ret_counters->is_full = journeys->is_full;
    memcpy(ret_counters->by_state, journeys->by_state, sizeof ret_counters->by_state);
    fg_mutex_unlock(&journeys->mutex);
}
