/* Taking a batch: which of its rows belong to journeys, which steps they reach, and which journeys
 * they put into doubt. No trace is read here. */
#include "journeys_internal.h"
#include "warm.h"

#include <stdlib.h>

/* Rows that are looked at before others get the mutex: a fraction of a millisecond, so that the
 * follower gets on, however many go on asking. */
#define ROWS_AT_ONCE 64u

/* The journey that a span of a trace named last: its other spans name the same one, as a rule. */
#define RECALLED 512u
struct recalled {
    struct fg_trace_ref trace;
    uint32_t record; /* FG_NO_RECORD: none */
    uint32_t string; /* the id of its name; NO_STRING: none that is known */
};

#define NO_STRING UINT32_MAX

/* The owner of a row whose trace has named no journey yet, and may still. */
#define AWAITED (FG_NO_RECORD - 1)

/* Hits whose records are fetched from memory at once. */
#define HITS_AHEAD 256u

/* A record that has got a trace of which something came before. */
#define CAUGHT_MAX 64u
struct caught {
    uint32_t record;
    struct fg_trace_ref trace;
};

/* A batch's rows while they are taken. */
struct intake {
    struct fg_journeys *journeys;
    const struct fg_batch *batch;
    struct fg_names *names; /* bound to the batch */
    uint32_t row_begin, row_end;
    const uint64_t *bits; /* of rows from bits_row on */
    uint32_t bits_row;
    uint32_t *owner; /* by row - row_begin: a record, FG_NO_RECORD, or AWAITED */
    bool has_owner, has_awaited;
    bool has_monitors; /* there are spans of monitors, which belong to no journey */
    uint32_t flows;    /* bits: flows that have rows here */
    struct recalled recalled[RECALLED];
    struct caught caught[CAUGHT_MAX];
    uint32_t caught_count;
};

static bool is_taken(const struct intake *intake, uint32_t row)
{
    uint32_t bit = row - intake->bits_row;
    if (intake->bits && (intake->bits[bit / 64] >> (bit % 64) & 1) == 0)
        return false;
    const struct fg_batch *batch = intake->batch;
    return !intake->has_monitors ||
           !fg_slice_equal(batch->strings[batch->resource_service[batch->resource[row]]],
                           FG_SLICE(FG_MONITOR_SERVICE));
}

static struct fg_trace_ref trace_of(const struct fg_batch *batch, uint32_t row)
{
    return (struct fg_trace_ref){batch->trace_id_high[row], batch->trace_id_low[row]};
}

/* Whether a span's attribute has the name of this number. */
static bool names(const struct intake *intake, uint32_t attr, uint32_t name)
{
    const struct fg_batch *batch = intake->batch;
    return name != FG_NAME_NONE &&
           fg_names_find(intake->names, batch, batch->span_attrs.key[attr]) == name;
}

/* The attributes whose name anybody asks for. */
static int find_hits(struct intake *intake)
{
    struct fg_hits *hits = &intake->journeys->hits;
    int r = 0;
    hits->count = 0;
    for (uint32_t row = intake->row_begin; r == 0 && row < intake->row_end; row++) {
        if (row % ROWS_AT_ONCE == 0)
            fg_journeys_let_in(intake->journeys);
        if (is_taken(intake, row))
            r = fg_hits_add(hits, intake->names, intake->batch, row);
    }
    return r;
}

/* -- Whose */

static uint32_t slot_of(struct fg_trace_ref trace)
{
    uint64_t bits = trace.high ^ trace.low;
    bits ^= bits >> 32;
    bits ^= bits >> 16;
    return (uint32_t)(bits ^ bits >> 8) % RECALLED;
}

/* What a row names: a string of the batch, where it is one. */
struct named {
    uint32_t key, string;
    struct fg_slice value;
};

/* Whether this record has this name, and the trace. One with as many traces as it may have loses
 * one to each that comes. */
static bool is_recalled(const struct intake *intake, const struct recalled *recalled,
                        struct fg_trace_ref trace, const struct named *named)
{
    if (recalled->record == FG_NO_RECORD || !fg_trace_is_same(recalled->trace, trace))
        return false;
    const struct fg_record *record = fg_table_record(&intake->journeys->table, recalled->record);
    if (record->key != named->key || record->trace_count >= FG_JOURNEY_TRACES_MAX)
        return false;
    return (named->string != NO_STRING && named->string == recalled->string) ||
           fg_slice_equal(fg_slice(record->value, record->value_size), named->value);
}

/* The one in memory, read back from disk, or new. */
static int record_of(struct fg_journeys *journeys, const struct named *named, uint32_t *ret_record)
{
    uint32_t count = journeys->table.count;
    bool is_new = false;
    int r = fg_journeys_fetch(journeys, named->key, named->value, ret_record);
    journeys->room.returned += journeys->table.count - count;
    if (r < 0 || *ret_record != FG_NO_RECORD)
        return r;
    if (journeys->is_full)
        return FG_ELIMIT;
    r = fg_table_intern(&journeys->table, named->key, named->value, ret_record, &is_new);
    if (r == 0 && is_new)
        journeys->by_state[FG_JOURNEY_FLOWING]++;
    return r;
}

/* What came of the trace before it was named is taken when all of the rows are owned: the trace may
 * be of several journeys. */
static void expect_early(struct intake *intake, uint32_t record, struct fg_trace_ref trace)
{
    struct fg_early_step steps[FG_EARLY_OF_TRACE];
    if (fg_early_of(intake->journeys->early, trace, steps) == 0)
        return;
    if (intake->caught_count < CAUGHT_MAX)
        intake->caught[intake->caught_count++] = (struct caught){record, trace};
    else
        fg_journeys_doubt(intake->journeys, record); /* all of it is read */
}

static void catch_up(struct intake *intake)
{
    for (uint32_t i = 0; i < intake->caught_count; i++)
        fg_journeys_catch_up(intake->journeys, intake->caught[i].record, intake->caught[i].trace);
}

static int own(struct intake *intake, uint32_t row, const struct named *named)
{
    struct fg_journeys *journeys = intake->journeys;
    struct fg_trace_ref trace = trace_of(intake->batch, row);
    struct recalled *recalled = &intake->recalled[slot_of(trace)];
    uint32_t record;
    if (named->value.size == 0)
        return 0;
    if (is_recalled(intake, recalled, trace, named)) {
        intake->owner[row - intake->row_begin] = recalled->record;
        return 0;
    }
    if (named->value.size > FG_JOURNEY_VALUE_SIZE_MAX) {
        journeys->counters.long_values++;
        return 0;
    }
    int r = record_of(journeys, named, &record);
    if (r == FG_ELIMIT) {
        journeys->counters.refused++;
        return 0;
    }
    if (r < 0)
        return r;
    intake->owner[row - intake->row_begin] = record;
    intake->has_owner = true;
    fg_journeys_changed(journeys, record);
    const struct fg_record *is = fg_table_record(&journeys->table, record);
    bool is_new = fg_record_trace(is, trace) == is->trace_count;
    journeys->room.met += is_new && is->trace_count > 0;
    r = fg_table_join(&journeys->table, record, trace);
    if (r < 0)
        return r;
    if (is_new)
        expect_early(intake, record, trace);
    *recalled = (struct recalled){trace, record, named->string};
    return 0;
}

/* As fg_whose_fn. */
static int own_by_text(void *arg, uint32_t row, uint32_t key, struct fg_slice value)
{
    return own(arg, row, &(struct named){.key = key, .string = NO_STRING, .value = value});
}

/* The key that a hit is the name of; FG_JOURNEY_KEYS_MAX: none. */
static uint32_t key_of(const struct fg_journeys *journeys, const struct fg_hit *hit)
{
    for (uint32_t k = 0; k < journeys->key_count; k++)
        if (journeys->keys[k].name_index == hit->name)
            return k;
    return FG_JOURNEY_KEYS_MAX;
}

static struct named named_by(const struct fg_batch *batch, const struct fg_hit *hit, uint32_t key,
                             char number[24])
{
    bool is_string = batch->span_attrs.type[hit->attr] == FG_VALUE_STRING;
    return (struct named){.key = key,
                          .string =
                              is_string ? (uint32_t)batch->span_attrs.value[hit->attr] : NO_STRING,
                          .value = fg_whose_text(batch, hit->attr, number)};
}

/* Of the journeys that these hits name each trace's once; others than texts are left out. */
static void warm(const struct intake *intake, const struct fg_hit *hits, uint32_t count)
{
    const struct fg_batch *batch = intake->batch;
    struct fg_warm names[FG_WARM_MAX];
    uint64_t last[RECALLED / 4] = {0}; /* by the trace, what was named in it */
    uint32_t name_count = 0;
    for (uint32_t i = 0; i < count && name_count < FG_WARM_MAX; i++) {
        uint32_t key = key_of(intake->journeys, &hits[i]);
        if (key == FG_JOURNEY_KEYS_MAX || batch->span_attrs.type[hits[i].attr] != FG_VALUE_STRING)
            continue;
        struct fg_trace_ref trace = trace_of(batch, hits[i].row);
        uint64_t string = batch->span_attrs.value[hits[i].attr],
                 *before = &last[slot_of(trace) % (RECALLED / 4)];
        if (*before == string || fg_trace_is_same(intake->recalled[slot_of(trace)].trace, trace))
            continue;
        *before = string;
        names[name_count++] = (struct fg_warm){key, batch->strings[string], trace};
        fg_early_expect(intake->journeys->early, trace);
        fg_vault_expect(intake->journeys->vault, intake->journeys->keys[key].hash,
                        batch->strings[string], trace);
    }
    fg_table_warm(&intake->journeys->table, names, name_count);
}

static int own_by_key(struct intake *intake)
{
    const struct fg_hits *hits = &intake->journeys->hits;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < hits->count; i++) {
        const struct fg_hit *hit = &hits->all[i];
        uint32_t left = hits->count - i;
        char number[24];
        if (i % ROWS_AT_ONCE == 0)
            fg_journeys_let_in(intake->journeys);
        if (i % HITS_AHEAD == 0)
            warm(intake, hit, left < HITS_AHEAD ? left : HITS_AHEAD);
        uint32_t key = key_of(intake->journeys, hit);
        if (key == FG_JOURNEY_KEYS_MAX)
            continue;
        struct named named = named_by(intake->batch, hit, key, number);
        r = own(intake, hit->row, &named);
    }
    return r;
}

/* By the rules of keys, for rows that don't carry one. */
static int own_by_rule(struct intake *intake)
{
    const struct fg_journeys *journeys = intake->journeys;
    int r = 0;
    if (journeys->options.flows->key_rule_count == 0)
        return 0;
    for (uint32_t row = intake->row_begin; r == 0 && row < intake->row_end; row++)
        if (intake->owner[row - intake->row_begin] == FG_NO_RECORD && is_taken(intake, row))
            r = fg_whose_by_rule(journeys, intake->names, intake->batch, row, own_by_text, intake);
    return r;
}

/* -- Traces that belong together */

#define OTHERS_MAX 16u

/* The trace joins the journeys of another where it names none itself. */
static int join(struct intake *intake, struct fg_trace_ref trace, struct fg_trace_ref of)
{
    struct fg_journeys *journeys = intake->journeys;
    struct fg_table *table = &journeys->table;
    int r = fg_journeys_fetch_trace(journeys, of);
    struct fg_trace_walk walk = fg_table_trace_walk(table, of);
    for (uint32_t record; r == 0 && (record = fg_table_trace_next(table, &walk)) != FG_NO_RECORD;) {
        bool is_new;
        r = fg_table_join_other(table, record, trace, &is_new);
        if (is_new) {
            fg_journeys_doubt(journeys, record); /* it may have reached steps already */
            fg_journeys_changed(journeys, record);
        }
    }
    return r;
}

static int meet(struct intake *intake, struct fg_trace_ref a, struct fg_trace_ref b)
{
    fg_joins_link(intake->journeys->joins, a, b);
    int r = join(intake, a, b);
    return r < 0 ? r : join(intake, b, a);
}

/* What is known to belong to a trace that is a journey's, joins it too. */
static int join_known(struct intake *intake, struct fg_trace_ref trace)
{
    struct fg_trace_ref others[OTHERS_MAX];
    uint32_t count = fg_joins_of(intake->journeys->joins, trace, others, OTHERS_MAX);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = join(intake, others[i], trace);
    return r;
}

static bool has_message(const struct fg_batch *batch, uint32_t row)
{
    return batch->kind[row] == FG_SPAN_KIND_PRODUCER || batch->kind[row] == FG_SPAN_KIND_CONSUMER;
}

static bool is_message_id(const struct intake *intake, const struct fg_hit *hit)
{
    const uint32_t *known = intake->journeys->message_names;
    return hit->name == known[0] || hit->name == known[1];
}

static void expect_messages(const struct intake *intake, const struct fg_hit *hits, uint32_t count)
{
    const struct fg_batch *batch = intake->batch;
    struct fg_slice ids[FG_JOINS_AHEAD];
    uint32_t id_count = 0;
    for (uint32_t i = 0; i < count && id_count < FG_JOINS_AHEAD; i++)
        if (has_message(batch, hits[i].row) && is_message_id(intake, &hits[i]) &&
            batch->span_attrs.type[hits[i].attr] == FG_VALUE_STRING)
            ids[id_count++] = batch->strings[batch->span_attrs.value[hits[i].attr]];
    fg_joins_expect(intake->journeys->joins, ids, id_count);
}

static int meet_by_message(struct intake *intake, uint32_t row, const struct fg_hit *hit,
                           const struct fg_hit *end)
{
    const struct fg_batch *batch = intake->batch;
    struct fg_trace_ref others[OTHERS_MAX], trace = trace_of(batch, row);
    int r = 0;
    for (; r == 0 && hit < end; hit++) {
        char number[24];
        struct fg_slice id;
        if (!is_message_id(intake, hit) || (id = fg_whose_text(batch, hit->attr, number)).size == 0)
            continue;
        uint32_t count = fg_joins_message(intake->journeys->joins, id, trace, others, OTHERS_MAX);
        for (uint32_t k = 0; r == 0 && k < count; k++)
            r = meet(intake, trace, others[k]);
    }
    return r;
}

static int own_by_joins(struct intake *intake)
{
    const struct fg_batch *batch = intake->batch;
    const struct fg_hits *hits = &intake->journeys->hits;
    struct fg_trace_ref last = {0};
    uint32_t at = 0, expected = 0; /* hits */
    int r = 0;
    for (uint32_t row = intake->row_begin; r == 0 && row < intake->row_end; row++) {
        if (!is_taken(intake, row))
            continue;
        const struct fg_hit *hit = fg_hits_of(hits, row, &at);
        if (at > expected) {
            uint32_t left = hits->count - expected, some = left < HITS_AHEAD ? left : HITS_AHEAD;
            expect_messages(intake, hits->all + expected, some);
            expected += some;
        }
        uint32_t begin = batch->link_count ? batch->link_begin[row] : 0,
                 end = batch->link_count ? batch->link_begin[row + 1] : 0;
        for (uint32_t i = begin; r == 0 && i < end; i++)
            r = meet(
                intake, trace_of(batch, row),
                (struct fg_trace_ref){batch->link_trace_id_high[i], batch->link_trace_id_low[i]});
        if (r == 0 && has_message(batch, row))
            r = meet_by_message(intake, row, hit, hits->all + at);
        struct fg_trace_ref trace = trace_of(batch, row);
        if (r < 0 || intake->owner[row - intake->row_begin] == FG_NO_RECORD ||
            fg_trace_is_same(trace, last))
            continue;
        r = join_known(intake, trace);
        last = trace;
    }
    return r;
}

/* The journeys of a trace that has a span which names none: the one that there is, or how many. */
static uint32_t mark_unnamed(struct fg_table *table, struct fg_trace_ref trace,
                             uint32_t *ret_record)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    uint32_t count = 0;
    *ret_record = FG_NO_RECORD;
    for (uint32_t id; (id = fg_table_trace_next(table, &walk)) != FG_NO_RECORD; count++) {
        fg_table_mark(table, id, trace, FG_TRACE_UNNAMED);
        *ret_record = id;
    }
    return count;
}

static void doubt_all(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    struct fg_trace_walk walk = fg_table_trace_walk(&journeys->table, trace);
    for (uint32_t id; (id = fg_table_trace_next(&journeys->table, &walk)) != FG_NO_RECORD;)
        fg_journeys_doubt(journeys, id);
}

/* Rows that don't name a key, of traces that are known. Where a trace is of several journeys only
 * its tree tells whose a row is: all are put into doubt. */
static int own_by_trace(struct intake *intake)
{
    struct fg_table *table = &intake->journeys->table;
    struct fg_trace_ref last = {0};
    uint32_t record = FG_NO_RECORD, count = 0;
    for (uint32_t row = intake->row_begin; row < intake->row_end; row++) {
        if (row % ROWS_AT_ONCE == 0)
            fg_journeys_let_in(intake->journeys);
        uint32_t *owner = &intake->owner[row - intake->row_begin];
        struct fg_trace_ref trace = trace_of(intake->batch, row);
        if (*owner != FG_NO_RECORD || !is_taken(intake, row))
            continue;
        if (!fg_trace_is_same(trace, last)) {
            int r = fg_journeys_fetch_trace(intake->journeys, trace);
            if (r < 0)
                return r;
            count = mark_unnamed(table, trace, &record);
        }
        last = trace;
        if (count == 1) {
            *owner = record;
            intake->has_owner = true;
        } else if (count > 1) {
            doubt_all(intake->journeys, trace);
        } else {
            *owner = AWAITED;
            intake->has_awaited = true;
        }
    }
    return 0;
}

/* -- What is new of them */

/* Clocks that are kept right are not further ahead than this. */
#define AHEAD_NS (3 * FG_NS_PER_SECOND)

/* When a row's span ended, of an open one when it began: never after it was received, as a clock
 * that runs ahead says it. */
static uint64_t moment_of(const struct fg_batch *batch, uint32_t row)
{
    uint64_t moment_ns = batch->end_ns[row] ? batch->end_ns[row] : batch->start_ns[row],
             received_ns = batch->received_ns[row];
    return received_ns > 0 && moment_ns > received_ns + AHEAD_NS ? received_ns : moment_ns;
}

static bool has_failed(const struct fg_batch *batch, uint32_t row)
{
    return batch->status[row] == FG_STATUS_ERROR ||
           (fg_column_u16(batch->marks, row) & FG_MARK_INTERRUPTED) != 0;
}

/* What must be read again whenever the journey is judged. */
static bool matters(const struct fg_batch *batch, uint32_t row)
{
    return has_failed(batch, row) || batch->end_ns[row] == 0 ||
           batch->kind[row] == FG_SPAN_KIND_PRODUCER || batch->kind[row] == FG_SPAN_KIND_CONSUMER;
}

/* Where there is no memory for it the journey's deadline finds it. */
static void note_early(struct intake *intake, uint32_t row, uint32_t flow, uint32_t step)
{
    struct fg_journeys *journeys = intake->journeys;
    if (fg_early_note(&journeys->early, trace_of(intake->batch, row), (uint8_t)flow, (uint8_t)step,
                      moment_of(intake->batch, row)) < 0)
        journeys->counters.failed_reads++;
}

static void touch_all(struct intake *intake)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_batch *batch = intake->batch;
    uint32_t at = 0;
    for (uint32_t row = intake->row_begin; row < intake->row_end; row++) {
        if (row % ROWS_AT_ONCE == 0)
            fg_journeys_let_in(journeys);
        uint32_t id = intake->owner[row - intake->row_begin];
        if (id == AWAITED && (has_failed(batch, row) || batch->end_ns[row] == 0))
            note_early(intake, row, 0, FG_EARLY_FAILED);
        if (id == FG_NO_RECORD || id == AWAITED)
            continue;
        struct fg_record *record = fg_table_record(&journeys->table, id);
        const struct fg_watched_key *key = &journeys->keys[record->key];
        uint64_t moment_ns = moment_of(batch, row);
        if (record->first_ns == 0 || batch->start_ns[row] < record->first_ns)
            record->first_ns = batch->start_ns[row];
        if (moment_ns > record->last_ns)
            record->last_ns = moment_ns;
        fg_journeys_changed(journeys, id);
        if (matters(batch, row))
            fg_table_mark(&journeys->table, id, trace_of(batch, row), FG_TRACE_MATTERS);
        if (key->flow)
            intake->flows |= UINT32_C(1) << key->flow_index;
        if (has_failed(batch, row) || fg_record_is_in_trouble(record))
            fg_journeys_doubt(journeys, id);
        const struct fg_hit *hit = fg_hits_of(&journeys->hits, row, &at);
        bool has_shown = key->flow && key->shown_name != FG_NAME_NONE;
        for (; has_shown && hit < journeys->hits.all + at; hit++)
            if (hit->name == key->shown_name)
                fg_journeys_doubt(journeys, id);
        if (!key->is_declared)
            fg_learn_plan(journeys, id);
    }
}

/* A row that meets the conditions of a step. */
static void match_row(struct intake *intake, uint32_t flow, const struct fg_flow_step *is,
                      uint32_t step, uint32_t row)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_batch *batch = intake->batch;
    uint32_t id = intake->owner[row - intake->row_begin];
    if (id == FG_NO_RECORD || batch->end_ns[row] == 0 ||
        (!is->any_status && has_failed(batch, row)))
        return;
    if (id == AWAITED) {
        note_early(intake, row, flow, step);
        return;
    }
    const struct fg_watched_key *key = &journeys->keys[fg_table_record(&journeys->table, id)->key];
    if (key->flow && key->flow_index == flow) {
        fg_table_mark(&journeys->table, id, trace_of(batch, row), FG_TRACE_MATTERS);
        fg_journeys_reach(journeys, id, step, moment_of(batch, row));
    }
}

static int match_step(struct intake *intake, const struct fg_steps_rows *rows, uint32_t flow,
                      const struct fg_flow_step *is, uint32_t step)
{
    const uint64_t *found;
    uint32_t count = rows->end - rows->begin;
    int r = fg_steps_of(intake->journeys->steps[flow], rows, step, &found);
    for (uint32_t word = 0; r == 0 && found && word * 64 < count; word++)
        for (uint64_t bits = found[word]; bits != 0; bits &= bits - 1) {
            uint32_t bit = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (bit < count)
                match_row(intake, flow, is, step, intake->row_begin + bit);
        }
    return r;
}

static int match_flow(struct intake *intake, const struct fg_flow *flow, uint32_t index)
{
    struct fg_steps_rows rows = {.batch = intake->batch,
                                 .names = intake->names,
                                 .hits = &intake->journeys->hits,
                                 .begin = intake->row_begin,
                                 .end = intake->row_end,
                                 .owner = intake->owner};
    int r = fg_steps_find(intake->journeys->steps[index], &rows);
    for (uint32_t step = 0; r == 0 && step < flow->step_count; step++)
        r = match_step(intake, &rows, index, &flow->steps[step], step);
    return r;
}

static int match_flows(struct intake *intake)
{
    const struct fg_journeys *journeys = intake->journeys;
    int r = 0;
    for (uint32_t k = 0; r == 0 && k < journeys->key_count; k++) {
        const struct fg_flow *flow = journeys->keys[k].flow;
        uint32_t index = journeys->keys[k].flow_index;
        if (flow && (intake->has_awaited || (intake->flows >> index & 1)))
            r = match_flow(intake, flow, index);
    }
    return r;
}

/* -- */

static int make_scratch(struct fg_journeys *journeys, uint32_t rows)
{
    if (rows <= journeys->owner_capacity)
        return 0;
    uint32_t *owner = realloc(journeys->owner, rows * sizeof *owner);
    if (!owner)
        return FG_ENOMEM;
    journeys->owner = owner;
    journeys->owner_capacity = rows;
    return 0;
}

/* Before numbers of records are noted, since they change: room for as many as may be new. */
static int make_room(struct intake *intake)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_batch *batch = intake->batch;
    const struct fg_table *table = &journeys->table;
    uint32_t rows = intake->row_end - intake->row_begin, named = 0, begin, end;
    int r = fg_journeys_widen(journeys, rows, rows);
    if (r < 0 || table->count < table->count_max / 8 * 7)
        return r;
    if (journeys->vault) /* those that are read back need room, too */
        return fg_journeys_make_room(journeys);
    uint32_t room = table->count_max - table->count;
    if (room >= rows)
        return 0;
    for (uint32_t row = intake->row_begin; row < intake->row_end && named <= room; row++) {
        fg_attrs_range(&batch->span_attrs, row, &begin, &end);
        for (uint32_t i = begin; i < end; i++)
            for (uint32_t k = 0; k < journeys->key_count; k++)
                named += is_taken(intake, row) && names(intake, i, journeys->keys[k].name_index);
    }
    return named > room ? fg_journeys_evict(journeys, FG_JOURNEYS_EIGHTHS) : 0;
}

static int take_some(struct fg_journeys *journeys, const struct fg_batch *batch, uint32_t row_begin,
                     uint32_t row_end, const uint64_t *bits, uint32_t bits_row)
{
    uint32_t rows = row_end - row_begin;
    int r = make_scratch(journeys, rows);
    if (r < 0 || rows == 0)
        return r;
    struct intake intake = {.journeys = journeys,
                            .batch = batch,
                            .names = &journeys->names,
                            .row_begin = row_begin,
                            .row_end = row_end,
                            .bits = bits,
                            .bits_row = bits_row,
                            .owner = journeys->owner};
    memset(intake.owner, 0xff, rows * sizeof *intake.owner);
    memset(intake.recalled, 0xff, sizeof intake.recalled);
    for (uint32_t i = 0; i < batch->resource_count; i++)
        intake.has_monitors |= fg_slice_equal(batch->strings[batch->resource_service[i]],
                                              FG_SLICE(FG_MONITOR_SERVICE));
    r = fg_names_bind(&journeys->names, batch);
    if (r == 0)
        r = make_room(&intake);
    if (r == 0)
        r = find_hits(&intake);
    if (r == 0)
        r = own_by_key(&intake);
    if (r == 0)
        r = own_by_rule(&intake);
    if (r == 0)
        r = own_by_joins(&intake);
    if (r == 0)
        r = own_by_trace(&intake);
    if (r < 0 || (!intake.has_owner && !intake.has_awaited))
        return r;
    touch_all(&intake);
    catch_up(&intake);
    return match_flows(&intake);
}

/* Room for the records that a piece of a batch may bring, so that none is refused while others
 * could be put to disk. */
#define PIECE_ROWS 4096u

int fg_journeys_take(struct fg_journeys *journeys, const struct fg_batch *batch, uint32_t row_begin,
                     uint32_t row_end, const uint64_t *bits)
{
    uint32_t piece = journeys->table.count_max / 16 + 1;
    int r = 0;
    piece = piece > PIECE_ROWS ? PIECE_ROWS : piece;
    for (uint32_t begin = row_begin; r == 0 && begin < row_end;) {
        uint32_t end = row_end - begin > piece ? begin + piece : row_end;
        r = take_some(journeys, batch, begin, end, bits, row_begin);
        begin = end;
    }
    return r;
}
