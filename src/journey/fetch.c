/* Reading back records that are on disk alone: by their name, by a trace, and when they are due.
 *
 * What finds a record by its traces stands on disk for those that are open or in trouble, where
 * their traces have spans that name none (keep.c), and for traces that joined one without naming it
 * (vault.h). For all others it would cost more than the
 * record itself, since traces come in no order: there the trace's own stored spans tell the name.
 */
#include "journeys_internal.h"
#include "span/builder.h"

#include <stdlib.h>

/* Absent records of one trace, and those due that are read back at once. */
#define FOUND_MAX 256u
/* So often at most those due are looked for in a tick. */
#define FINDS_MAX 16u
/* Rows that a search for those due looks at: a millisecond of it. */
#define DUE_ROWS_MAX 4096u
/* Of a stored trace what may name journeys is looked for in so much. */
#define STORED_BYTES_MAX ((size_t)8 << 20)
/* Traces that were looked up since something was evicted. */
#define KNOWN_COUNT 4096u
/* The filter may take what is new for something that was seen: of each second so much is spent on
 * reading traces of stored spans. */
#define STORED_NS_MAX (50 * FG_NS_PER_MS)

/* A record from disk as memory has it: its steps by the flow as it is declared now. */
int fg_fetch_fit(struct fg_journeys *journeys, uint32_t key_index, uint64_t flow_print,
                 struct fg_record *record, bool *ret_is_other_flow)
{
    const struct fg_watched_key *key = &journeys->keys[key_index];
    uint32_t steps = key->flow ? key->flow->step_count : 0;
    record->key = (uint16_t)key_index;
    *ret_is_other_flow = flow_print != (key->flow ? key->flow->print : 0);
    if (*ret_is_other_flow) {
        fg_record_unreach(record);
        record->last_step = record->expected_step = FG_NO_STEP;
        record->deadline_ns = 0;
    }
    if ((steps < FG_FLOW_STEPS_MAX && record->reached >> steps != 0) ||
        (record->expected_step != FG_NO_STEP && record->expected_step >= steps) ||
        (record->last_step != FG_NO_STEP && record->last_step >= steps))
        return FG_ECORRUPT;
    return 0;
}

/* Into memory; the record is taken. */
int fg_fetch_adopt(struct fg_journeys *journeys, struct fg_record *record, bool is_other_flow,
                   uint32_t *ret_record)
{
    int r = fg_table_adopt_take(&journeys->table, record, ret_record);
    if (r < 0)
        return r;
    if (is_other_flow)
        fg_journeys_doubt(journeys, *ret_record);
    return 0;
}

int fg_fetch_take_in(struct fg_journeys *journeys, uint32_t key, uint64_t flow_print,
                     struct fg_record *record, uint32_t *ret_record)
{
    bool is_other_flow;
    int r = fg_fetch_fit(journeys, key, flow_print, record, &is_other_flow);
    *ret_record = FG_NO_RECORD;
    if (r == FG_ECORRUPT)
        journeys->counters.damaged++;
    if (r < 0)
        return r == FG_ECORRUPT ? 0 : r;
    for (uint32_t i = 0; i < record->trace_count; i++) /* it was absent, by this process's doing */
        record->trace_marks[i] |= FG_TRACE_SIEVED;
    r = fg_fetch_adopt(journeys, record, is_other_flow, ret_record);
    if (r == 0 && journeys->absent_count > 0)
        journeys->absent_count--;
    return r;
}

int fg_journeys_fetch(struct fg_journeys *journeys, uint32_t key, struct fg_slice value,
                      uint32_t *ret_record)
{
    struct fg_record record;
    uint64_t flow_print;
    *ret_record = fg_table_find(&journeys->table, key, value);
    if (*ret_record != FG_NO_RECORD || !journeys->vault ||
        !fg_vault_may_have(journeys->vault, journeys->keys[key].hash, value))
        return 0;
    int r = fg_vault_get(journeys->vault, journeys->keys[key].hash, value, &record, &flow_print);
    if (r == FG_ENOTFOUND)
        return 0;
    if (r == FG_ECORRUPT) { /* made anew of what comes */
        journeys->counters.damaged++;
        return 0;
    }
    if (r < 0)
        return r;
    r = fg_fetch_take_in(journeys, key, flow_print, &record, ret_record);
    fg_record_free(&record);
    return r;
}

static int fetch_found(struct fg_journeys *journeys, const struct fg_vault_found *found,
                       uint32_t *ret_record)
{
    uint32_t key = fg_journeys_key_of(journeys, found->key_hash);
    *ret_record = FG_NO_RECORD;
    if (key == FG_JOURNEY_KEYS_MAX)
        return 0;
    return fg_journeys_fetch(journeys, key, fg_slice(found->value, found->value_size), ret_record);
}

/* -- By a trace */

void fg_fetch_free(struct fg_fetch *fetch)
{
    fg_builder_free(fetch->builder);
    fg_names_free(&fetch->names);
    free(fetch->known);
    *fetch = (struct fg_fetch){.builder = NULL};
}

void fg_fetch_forget(struct fg_fetch *fetch)
{
    if (fetch->known)
        memset(fetch->known, 0, KNOWN_COUNT * sizeof *fetch->known);
}

static int make(struct fg_fetch *fetch, const struct fg_names *names)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    int r = 0;
    limits.bytes_max = STORED_BYTES_MAX;
    if (!fetch->builder)
        r = fg_builder_new(&limits, &fetch->builder);
    if (!fetch->known)
        fetch->known = calloc(KNOWN_COUNT, sizeof *fetch->known);
    memcpy(fetch->names.names, names->names, sizeof names->names);
    fetch->names.count = names->count;
    return r < 0 || fetch->known ? r : FG_ENOMEM;
}

/* As fg_whose_fn. */
static int fetch_named(void *arg, uint32_t row, uint32_t key, struct fg_slice value)
{
    uint32_t record;
    (void)row;
    return value.size == 0 || value.size > FG_JOURNEY_VALUE_SIZE_MAX
               ? 0
               : fg_journeys_fetch(arg, key, value, &record);
}

/* Whether a record in memory has the trace. Then others of it that have ended are not looked for,
 * unless open ones are not found by their traces either. */
static bool is_in_memory(const struct fg_table *table, struct fg_trace_ref trace)
{
    return fg_table_trace(table, trace) != FG_NO_RECORD;
}

static bool has_time(struct fg_journeys *journeys)
{
    struct fg_fetch *fetch = &journeys->fetch;
    uint64_t now_ns = fg_env_mono_ns(journeys->options.env);
    if (now_ns - fetch->since_ns >= FG_NS_PER_SECOND) {
        fetch->since_ns = now_ns;
        fetch->spent_ns = 0;
    }
    return fetch->spent_ns < STORED_NS_MAX;
}

/* Those whose key a stored span of the trace names. What the builder has no room for is left. */
static int fetch_stored(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    struct fg_fetch *fetch = &journeys->fetch;
    uint64_t begin_ns = fg_env_mono_ns(journeys->options.env);
    struct fg_trace_result result;
    struct fg_batch batch;
    fg_builder_reset(fetch->builder);
    fg_mutex_unlock(&journeys->mutex);
    int r = fg_store_trace(journeys->options.store, journeys->options.tenant, trace.high, trace.low,
                           fetch->builder, &result);
    fg_journeys_follow(journeys);
    fetch->spent_ns += fg_env_mono_ns(journeys->options.env) - begin_ns;
    journeys->counters.traces_looked_up++;
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    fg_builder_view(fetch->builder, &batch);
    r = fg_names_bind(&fetch->names, &batch);
    for (uint32_t row = 0; r == 0 && row < batch.span_count; row++) {
        r = fg_whose_by_key(journeys, &fetch->names, &batch, row, fetch_named, journeys);
        if (r == 0)
            r = fg_whose_by_rule(journeys, &fetch->names, &batch, row, fetch_named, journeys);
    }
    return r;
}

static int fetch_listed(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    uint32_t count = 0, record;
    struct fg_vault_found *found = malloc(FOUND_MAX * sizeof *found);
    if (!found)
        return FG_ENOMEM;
    int r = fg_vault_of_trace(journeys->vault, trace, FOUND_MAX, found, &count);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = fetch_found(journeys, &found[i], &record);
    free(found);
    return r;
}

int fg_journeys_fetch_trace(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    struct fg_fetch *fetch = &journeys->fetch;
    if (!journeys->vault || !fg_vault_may_have_trace(journeys->vault, trace))
        return 0;
    int r = make(fetch, &journeys->names);
    if (r < 0)
        return r;
    struct fg_trace_ref *known = &fetch->known[fg_trace_hash(trace) % KNOWN_COUNT];
    if (known->high == trace.high && known->low == trace.low)
        return 0;
    uint32_t count = journeys->table.count;
    r = fetch_listed(journeys, trace);
    if (r == 0 && (!is_in_memory(&journeys->table, trace) || !fg_journeys_list_traces(journeys))) {
        if (!has_time(journeys)) {
            journeys->counters.traces_passed_over++;
            return 0;
        }
        r = fetch_stored(journeys, trace);
    }
    journeys->room.returned += journeys->table.count - count;
    if (r == FG_ELIMIT) { /* a trace of more journeys than there is room for */
        journeys->counters.refused++;
        return 0;
    }
    if (r == 0)
        *known = trace;
    return r;
}

/* -- By a time */

/* Rows of looks whose time has come. */
struct looks {
    struct fg_vault_found *found;
    uint32_t count;
    uint64_t now_ns;
};

/* Rows that led to a record before it is due: each gets another, in the commit that drops it. */
struct early {
    struct fg_state_batch *batch; /* NULL: none yet */
    uint32_t records[FOUND_MAX];  /* of them those in memory */
    uint32_t count;
};

static int commit_rows(struct fg_journeys *journeys, struct fg_state_batch *batch)
{
    fg_mutex_unlock(&journeys->mutex);
    int r = fg_state_commit_take(journeys->options.state, batch);
    fg_journeys_follow(journeys);
    return r;
}

/* What is left of a look when its record was read back, and is on disk as one to be looked at. */
static int drop_looks(struct fg_journeys *journeys, const struct looks *looks)
{
    struct fg_state_batch *batch;
    int r = fg_state_batch_new(journeys->options.state, &batch);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < looks->count; i++)
        fg_vault_drop_look(journeys->vault, batch, &looks->found[i]);
    return commit_rows(journeys, batch);
}

/* Of one that is on disk alone, and stays there unless it is due. A flow that has changed may have
 * another deadline for it. */
static int see_absent(struct fg_journeys *journeys, const struct fg_vault_found *found,
                      uint64_t now_ns, struct early *early, bool *ret_is_due)
{
    uint32_t key = fg_journeys_key_of(journeys, found->key_hash);
    const struct fg_flow *flow = journeys->keys[key].flow;
    struct fg_record record;
    struct fg_vault_name name = {.key_hash = found->key_hash};
    int r = fg_vault_get(journeys->vault, found->key_hash,
                         fg_slice(found->value, found->value_size), &record, &name.flow_print);
    if (r < 0) {
        journeys->counters.damaged += r == FG_ECORRUPT;
        return r == FG_ENOTFOUND || r == FG_ECORRUPT ? 0 : r;
    }
    *ret_is_due = fg_vault_is_due(&record, now_ns) || name.flow_print != (flow ? flow->print : 0);
    if (!*ret_is_due && record.stored_look_ns == found->at_ns) {
        record.stored_look_ns = 0;
        fg_vault_put(journeys->vault, early->batch, name, &record, true);
    }
    fg_record_free(&record);
    return 0;
}

static int see_look(struct fg_journeys *journeys, const struct fg_vault_found *found,
                    uint64_t now_ns, struct early *early, bool *ret_is_due)
{
    uint32_t id = fg_table_find(&journeys->table, fg_journeys_key_of(journeys, found->key_hash),
                                fg_slice(found->value, found->value_size));
    int r = early->batch ? 0 : fg_state_batch_new(journeys->options.state, &early->batch);
    *ret_is_due = false;
    if (r == 0 && id == FG_NO_RECORD)
        r = see_absent(journeys, found, now_ns, early, ret_is_due);
    else if (r == 0)
        *ret_is_due = fg_vault_is_due(fg_table_record(&journeys->table, id), now_ns);
    if (r < 0 || *ret_is_due)
        return r;
    if (id != FG_NO_RECORD) {
        fg_journeys_put_look(journeys, early->batch, id);
        early->records[early->count++] = id;
    }
    fg_vault_drop_look(journeys->vault, early->batch, found);
    return 0;
}

/* Leaves those rows that are due. */
static int pass_early(struct fg_journeys *journeys, struct looks *looks)
{
    struct early early = {.batch = NULL};
    uint32_t due = 0, seen = 0;
    int r = 0;
    for (; r == 0 && seen < looks->count; seen++) {
        bool is_due;
        r = see_look(journeys, &looks->found[seen], looks->now_ns, &early, &is_due);
        if (r == 0 && is_due)
            looks->found[due++] = looks->found[seen];
    }
    if (r == 0 && due < seen)
        r = commit_rows(journeys, early.batch);
    else
        fg_state_batch_free(early.batch);
    for (uint32_t i = 0; r < 0 && i < early.count; i++)
        fg_vault_doubt(fg_table_record(&journeys->table, early.records[i]));
    looks->count = due;
    return r;
}

/* In doubt is whose look it is still. One that memory has is planned there, too. */
static int fetch_looked_for(struct fg_journeys *journeys, const struct fg_vault_found *found,
                            bool *ret_is_fetched)
{
    uint32_t id, count = journeys->table.count;
    int r = fetch_found(journeys, found, &id);
    *ret_is_fetched = r < 0 || id == FG_NO_RECORD || count < journeys->table.count;
    if (r == 0 && id != FG_NO_RECORD &&
        fg_table_record(&journeys->table, id)->stored_look_ns == found->at_ns) {
        fg_journeys_doubt(journeys, id);
        fg_journeys_changed(journeys, id);
    }
    return r;
}

/* The looks of a key that is not followed any more wait until it is again. */
static bool is_followed(void *arg, uint64_t key_hash)
{
    return fg_journeys_key_of(arg, key_hash) < FG_JOURNEY_KEYS_MAX;
}

/* Those that are due of the next rows whose time has come. Where all of many are early the next
 * ones are looked at, too: nobody who is due waits behind them for long. */
static int find_due(struct fg_journeys *journeys, struct looks *looks)
{
    bool has_more = true;
    int r = 0;
    for (unsigned i = 0; r == 0 && has_more && i < FINDS_MAX; i++) {
        r = fg_vault_due(journeys->vault, &journeys->fetch.due, looks->found, &looks->count);
        has_more = looks->count == FOUND_MAX;
        if (r == 0)
            r = pass_early(journeys, looks);
        has_more &= looks->count == 0;
    }
    return r;
}

int fg_journeys_fetch_due(struct fg_journeys *journeys, uint64_t now_ns)
{
    struct looks looks = {.now_ns = now_ns};
    struct fg_vault_due *due = &journeys->fetch.due;
    uint32_t fetched = 0;
    bool is_fetched, is_news = false;
    uint64_t mono_ns = fg_env_mono_ns(journeys->options.env);
    bool is_early = mono_ns - journeys->due_ns < FG_JOURNEYS_TICK_NS && !journeys->options.manual;
    if (!journeys->vault || journeys->absent_count == 0 || is_early)
        return 0;
    journeys->due_ns = mono_ns;
    looks.found = malloc(FOUND_MAX * sizeof *looks.found);
    if (!looks.found)
        return FG_ENOMEM;
    due->wants = is_followed;
    due->arg = journeys;
    due->now_ns = now_ns;
    due->max = FOUND_MAX;
    due->rows_max = DUE_ROWS_MAX;
    int r = find_due(journeys, &looks);
    while (r == 0 && fetched < looks.count &&
           (r = fetch_looked_for(journeys, &looks.found[fetched], &is_fetched)) == 0) {
        fetched++;
        is_news |= is_fetched;
    }
    if (fetched < looks.count)
        due->after_size = 0;
    if (r == FG_ELIMIT)
        r = fg_journeys_make_room(journeys); /* the others with the next tick */
    /* What was read back is not found as due again; nor may others hide behind those that are in
     * memory, whose rows go when they are put next. */
    is_news |= fetched == FOUND_MAX || fetched < looks.count;
    looks.count = fetched;
    if (r == 0 && is_news)
        r = fg_journeys_commit(journeys);
    if (r == 0 && is_news)
        r = drop_looks(journeys, &looks);
    free(looks.found);
    return r;
}
