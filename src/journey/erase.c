/* What an erase leaves of the journeys. What was asked by name goes even where no span of it is
 * stored any more, since a record outlives its spans; the records of the traces that lost spans go,
 * and come back as far as what is left of their traces tells of them. Whose names don't come back
 * are gone: nobody is told them any more, and who wrote them down is told (gone.h). */
#include "journey/gone.h"
#include "journeys_internal.h"
#include "span/builder.h"
#include "store/consumer.h"

#include <stdlib.h>

struct regained {
    struct fg_trace_ref *traces;
    uint32_t count, capacity;
    struct fg_gone *dropped; /* names of the records */
};

static int remember(struct fg_journeys *journeys, struct regained *regained,
                    const struct fg_record *record)
{
    fg_gone_add(regained->dropped, journeys->keys[record->key].name,
                fg_slice(record->value, record->value_size));
    for (uint32_t i = 0; i < record->trace_count; i++) {
        if (regained->count == regained->capacity) {
            uint32_t capacity = regained->capacity ? regained->capacity * 2 : 256;
            struct fg_trace_ref *traces =
                realloc(regained->traces, capacity * sizeof *regained->traces);
            if (!traces)
                return FG_ENOMEM;
            regained->traces = traces;
            regained->capacity = capacity;
        }
        regained->traces[regained->count++] = record->traces[i];
    }
    return 0;
}

static int drop(struct fg_journeys *journeys, uint32_t id, struct fg_state_batch *batch,
                struct regained *regained)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    if (fg_table_is(&journeys->table, FG_TABLE_DEAD, id))
        return 0;
    fg_table_mark_dead(&journeys->table, id, true);
    if (journeys->vault)
        fg_vault_delete(journeys->vault, batch, journeys->keys[record->key].hash, record);
    return remember(journeys, regained, record);
}

/* All records of the erased traces go, from memory and disk. */
static int drop_erased(struct fg_journeys *journeys, const struct fg_erased *erased,
                       struct fg_state_batch *batch, struct regained *regained)
{
    struct fg_table *table = &journeys->table;
    int r = 0;
    for (size_t i = 0; r == 0 && i < erased->trace_count; i++) {
        struct fg_trace_ref trace = {erased->traces[i].id_high, erased->traces[i].id_low};
        struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
        for (uint32_t id; r == 0 && (id = fg_table_trace_next(table, &walk)) != FG_NO_RECORD;)
            r = drop(journeys, id, batch, regained);
    }
    return r;
}

/* -- On disk alone */

#define WALK_RECORDS 1024u

struct absent {
    struct fg_journeys *journeys;
    struct fg_state_batch *batch;
    struct regained *regained;
    const struct fg_trace_ref *traces; /* in order */
    size_t trace_count;
};

static int compare_traces(const void *a, const void *b)
{
    const struct fg_trace_ref *x = a, *y = b;
    return x->high != y->high ? (x->high > y->high) - (x->high < y->high)
                              : (x->low > y->low) - (x->low < y->low);
}

static int drop_one_absent(void *arg, uint64_t key_hash, uint64_t flow_print, bool is_absent,
                           struct fg_record *record)
{
    struct absent *absent = arg;
    struct fg_journeys *journeys = absent->journeys;
    uint32_t key = fg_journeys_key_of(journeys, key_hash), at = 0;
    (void)flow_print;
    (void)is_absent;
    while (at < record->trace_count &&
           !bsearch(&record->traces[at], absent->traces, absent->trace_count,
                    sizeof *absent->traces, compare_traces))
        at++;
    if (at == record->trace_count || key == FG_JOURNEY_KEYS_MAX ||
        fg_table_find(&journeys->table, key, fg_slice(record->value, record->value_size)) !=
            FG_NO_RECORD)
        return 0;
    record->key = (uint16_t)key;
    fg_vault_delete(journeys->vault, absent->batch, key_hash, record);
    fg_journeys_uncount_absent(journeys, record);
    return remember(journeys, absent->regained, record);
}

/* Those that memory does not have. Their traces lead to them no more, since the spans are gone: all
 * are looked at. */
static int drop_absent(struct fg_journeys *journeys, const struct fg_erased *erased,
                       struct fg_state_batch *batch, struct regained *regained)
{
    struct fg_vault_walk walk = {.fn = drop_one_absent, .max = WALK_RECORDS};
    struct absent absent = {.journeys = journeys, .batch = batch, .regained = regained};
    int r = 0;
    if (!journeys->vault || erased->trace_count == 0)
        return 0;
    struct fg_trace_ref *traces = malloc(erased->trace_count * sizeof *traces);
    if (!traces)
        return FG_ENOMEM;
    for (size_t i = 0; i < erased->trace_count; i++)
        traces[i] = (struct fg_trace_ref){erased->traces[i].id_high, erased->traces[i].id_low};
    qsort(traces, erased->trace_count, sizeof *traces, compare_traces);
    absent.traces = traces;
    absent.trace_count = erased->trace_count;
    walk.arg = &absent;
    do {
        r = fg_vault_walk(journeys->vault, &walk);
        fg_journeys_let_in(journeys);
    } while (r == 0 && walk.after_size > 0);
    journeys->counters.damaged += walk.damaged;
    free(traces);
    return r;
}

/* And those that were asked by name. */
static int drop_asked(struct fg_journeys *journeys, const struct fg_gone *asked,
                      struct fg_state_batch *batch, struct regained *regained)
{
    struct fg_slice rest = fg_buffer_slice(&asked->names), key, value;
    int r = 0;
    while (r == 0 && fg_gone_next(&rest, &key, &value))
        for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++) {
            uint32_t record = FG_NO_RECORD;
            if (!fg_slice_equal(journeys->keys[i].name, key))
                continue;
            r = fg_journeys_fetch(journeys, i, value, &record);
            if (r == 0 && record != FG_NO_RECORD)
                r = drop(journeys, record, batch, regained);
        }
    return r;
}

static void uncount_dead(struct fg_journeys *journeys)
{
    FG_TABLE_EACH (&journeys->table, FG_TABLE_DEAD, id) {
        const struct fg_record *record = fg_table_record(&journeys->table, id);
        const struct fg_watched_key *key = &journeys->keys[record->key];
        journeys->by_state[record->state]--;
        if (key->flow && record->expected_step != FG_NO_STEP)
            journeys->standing[key->flow_index][record->expected_step]--;
    }
}

/* What is left of their traces is read again. */
static int regain(struct fg_journeys *journeys, const struct regained *regained)
{
    struct fg_builder *builder = journeys->builder;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < regained->count; i++) {
        struct fg_trace_result result;
        struct fg_batch batch;
        fg_builder_reset(builder);
        fg_mutex_unlock(&journeys->mutex);
        r = fg_store_trace(journeys->options.store, journeys->options.tenant,
                           regained->traces[i].high, regained->traces[i].low, builder, &result);
        fg_mutex_lock(&journeys->mutex);
        if (r == FG_ENOTFOUND) {
            r = 0;
            continue;
        }
        fg_builder_view(builder, &batch);
        if (r == 0)
            r = fg_journeys_take(journeys, &batch, 0, batch.span_count, NULL);
    }
    return r;
}

/* Of the dropped names those that did not come back are gone. */
static int see_who_is_gone(struct fg_journeys *journeys, const struct fg_gone *dropped)
{
    struct fg_slice rest = fg_buffer_slice(&dropped->names), key, value;
    int r = 0;
    while (r == 0 && fg_gone_next(&rest, &key, &value)) {
        uint32_t index = 0, record = FG_NO_RECORD;
        while (!fg_slice_equal(journeys->keys[index].name, key))
            index++; /* it is the name of one of them */
        r = fg_journeys_fetch(journeys, index, value, &record);
        if (r == 0 && record == FG_NO_RECORD)
            fg_gone_add(journeys->gone, key, value);
    }
    journeys->gone->all |= dropped->all;
    return r;
}

static bool is_gone(void *arg, uint64_t key_hash, struct fg_slice value)
{
    const struct fg_journeys *journeys = arg;
    uint32_t key = fg_journeys_key_of(journeys, key_hash);
    return key < FG_JOURNEY_KEYS_MAX &&
           fg_gone_has(journeys->gone, journeys->keys[key].name, value);
}

/* What leads to a record may have been left behind by a crash, and has its name, too. It is looked
 * at row by row, which others don't wait for: the vault is the follower's own. */
static int strike_gone(struct fg_journeys *journeys)
{
    if (!journeys->vault || journeys->gone->names.size == 0)
        return 0;
    fg_mutex_unlock(&journeys->mutex);
    int r = fg_vault_strike(journeys->vault, is_gone, journeys);
    fg_mutex_lock(&journeys->mutex);
    return r;
}

static int erase_some(struct fg_journeys *journeys, const struct fg_erased *erased,
                      struct fg_gone *dropped)
{
    struct regained regained = {.dropped = dropped};
    struct fg_state_batch *batch = NULL;
    int r = journeys->vault ? fg_state_batch_new(journeys->options.state, &batch) : 0;
    fg_early_forget(journeys, batch);
    if (r == 0)
        r = drop_erased(journeys, erased, batch, &regained);
    if (r == 0)
        r = drop_asked(journeys, journeys->gone, batch, &regained);
    if (r == 0) /* behind the others, which are in memory by now and are passed over */
        r = drop_absent(journeys, erased, batch, &regained);
    uncount_dead(journeys);
    fg_journeys_unlist_dead(journeys);
    fg_table_drop_dead(&journeys->table);
    for (uint32_t i = 0; i < journeys->key_count; i++)
        fg_learned_drop_rare(journeys->keys[i].learned); /* a name may be the erased one's */
    if (r == 0 && batch)
        r = fg_state_commit_take(journeys->options.state, batch);
    else
        fg_state_batch_free(batch);
    if (r == 0)
        r = regain(journeys, &regained);
    free(regained.traces);
    if (r == 0)
        r = see_who_is_gone(journeys, dropped);
    if (r == 0)
        r = strike_gone(journeys);
    return r == 0 ? fg_journeys_commit(journeys) : r;
}

static int erase(struct fg_journeys *journeys, const struct fg_erased *erased)
{
    struct fg_gone dropped;
    int r;
    fg_gone_add_asked(journeys->gone, erased->predicate);
    if (erased->has_more) {
        r = fg_journeys_clear(journeys);
        journeys->counters.is_rebuilding = true;
        journeys->rebuild_from_ns = 0;
        journeys->gone->all = true;
    } else {
        fg_gone_init(&dropped);
        r = erase_some(journeys, erased, &dropped);
        fg_gone_free(&dropped);
    }
    fg_journeys_forget_changes(journeys, journeys->gone);
    return r;
}

void fg_journeys_erase(struct fg_journeys *journeys)
{
    if (!journeys->erased)
        return;
    journeys->is_erasing = true;
    journeys->erased_result = erase(journeys, journeys->erased);
    journeys->is_erasing = false;
    journeys->erased = NULL;
    journeys->gone = NULL;
    fg_cond_broadcast(&journeys->cond);
}

int fg_journeys_erased(struct fg_journeys *journeys, const struct fg_erased *erased,
                       struct fg_gone *gone)
{
    if (erased->tenant != journeys->options.tenant)
        return 0;
    fg_mutex_lock(&journeys->mutex);
    while (journeys->erased) /* another's turn */
        fg_cond_wait(&journeys->cond, &journeys->mutex);
    journeys->erased = erased;
    journeys->gone = gone;
    if (journeys->options.manual)
        fg_journeys_erase(journeys);
    while (journeys->erased == erased && (journeys->is_erasing || !journeys->is_stopping))
        fg_cond_wait(&journeys->cond, &journeys->mutex);
    int r = journeys->erased == erased ? FG_ECANCELLED : journeys->erased_result;
    if (journeys->erased == erased) {
        journeys->erased = NULL;
        journeys->gone = NULL;
    }
    fg_mutex_unlock(&journeys->mutex);
    return r;
}
