/* Taking a batch: which of its rows belong to journeys, which steps they reach, and which journeys
 * they put into doubt. No trace is read here. */
#include "journeys_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A batch's rows while they are taken. */
struct intake {
    struct fg_journeys *journeys;
    const struct fg_batch *batch;
    uint32_t row_begin, row_end;
    const uint64_t *bits;
    uint32_t *owner; /* by row - row_begin */
    uint32_t key_ids[FG_JOURNEY_KEYS_MAX];
    bool has_key, has_owner;
    uint32_t flows; /* bits: flows that have rows here */
};

static bool is_taken(const struct intake *intake, uint32_t row)
{
    uint32_t bit = row - intake->row_begin;
    return !intake->bits || (intake->bits[bit / 64] >> (bit % 64) & 1) != 0;
}

static struct fg_trace_ref trace_of(const struct fg_batch *batch, uint32_t row)
{
    return (struct fg_trace_ref){batch->trace_id_high[row], batch->trace_id_low[row]};
}

/* -- Whose */

/* The value as a journey is named by it: texts as they are, whole numbers in decimal. */
static struct fg_slice value_text(const struct fg_batch *batch, uint32_t attr, char number[24])
{
    uint64_t value = batch->span_attrs.value[attr];
    if (batch->span_attrs.type[attr] == FG_VALUE_STRING)
        return batch->strings[value];
    if (batch->span_attrs.type[attr] != FG_VALUE_INT)
        return (struct fg_slice){0};
    int size = snprintf(number, 24, "%" PRId64, (int64_t)value);
    return fg_slice(number, (size_t)size);
}

static int own(struct intake *intake, uint32_t row, uint32_t key, struct fg_slice value)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_flow *flow = journeys->keys[key].flow;
    uint32_t record;
    bool is_new;
    if (value.size == 0)
        return 0;
    if (value.size > FG_JOURNEY_VALUE_SIZE_MAX) {
        journeys->counters.long_values++;
        return 0;
    }
    int r = fg_table_intern(&journeys->table, key, value, flow ? flow->step_count : 0, &record,
                            &is_new);
    if (r == FG_ELIMIT) {
        journeys->counters.refused++;
        return 0;
    }
    if (r < 0)
        return r;
    if (is_new)
        journeys->by_state[FG_JOURNEY_FLOWING]++;
    intake->owner[row - intake->row_begin] = record;
    intake->has_owner = true;
    return fg_table_join(&journeys->table, record, trace_of(intake->batch, row));
}

static int own_by_key(struct intake *intake)
{
    const struct fg_batch *batch = intake->batch;
    for (uint32_t row = intake->row_begin; row < intake->row_end; row++) {
        uint32_t begin, end;
        if (!is_taken(intake, row))
            continue;
        fg_attrs_range(&batch->span_attrs, row, &begin, &end);
        for (uint32_t i = begin; i < end; i++)
            for (uint32_t k = 0; k < intake->journeys->key_count; k++) {
                char number[24];
                if (intake->key_ids[k] == 0 || batch->span_attrs.key[i] != intake->key_ids[k])
                    continue;
                int r = own(intake, row, k, value_text(batch, i, number));
                if (r < 0)
                    return r;
            }
    }
    return 0;
}

/* Rows that don't name a key, of traces that are known. Where a trace is of several journeys only
 * its tree tells whose a row is: all are put into doubt. */
static void own_by_trace(struct intake *intake)
{
    struct fg_table *table = &intake->journeys->table;
    struct fg_trace_ref last = {0};
    uint32_t membership = FG_NO_RECORD;
    for (uint32_t row = intake->row_begin; row < intake->row_end; row++) {
        uint32_t *owner = &intake->owner[row - intake->row_begin];
        struct fg_trace_ref trace = trace_of(intake->batch, row);
        if (*owner != FG_NO_RECORD || !is_taken(intake, row))
            continue;
        if (trace.high != last.high || trace.low != last.low)
            membership = fg_table_trace(table, trace);
        last = trace;
        if (membership == FG_NO_RECORD)
            continue;
        if (table->memberships[membership].next == FG_NO_RECORD) {
            *owner = table->memberships[membership].record;
            intake->has_owner = true;
            continue;
        }
        for (uint32_t m = membership; m != FG_NO_RECORD; m = table->memberships[m].next)
            fg_journeys_doubt(intake->journeys, table->memberships[m].record);
    }
}

/* -- What is new of them */

static bool has_failed(const struct fg_batch *batch, uint32_t row)
{
    return batch->status[row] == FG_STATUS_ERROR ||
           (fg_column_u16(batch->marks, row) & FG_MARK_INTERRUPTED) != 0;
}

static bool is_in_trouble(const struct fg_record *record)
{
    return record->state == FG_JOURNEY_LATE || record->state == FG_JOURNEY_STUCK ||
           record->state == FG_JOURNEY_BROKEN;
}

static void touch_all(struct intake *intake)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_batch *batch = intake->batch;
    uint32_t shown_ids[FG_FLOWS_MAX] = {0};
    for (uint32_t i = 0; i < journeys->options.flows->count; i++)
        shown_ids[i] = fg_string_id(batch, journeys->options.flows->flows[i].shown_key);
    for (uint32_t row = intake->row_begin; row < intake->row_end; row++) {
        uint32_t id = intake->owner[row - intake->row_begin], begin, end;
        if (id == FG_NO_RECORD)
            continue;
        struct fg_record *record = &journeys->table.records[id];
        const struct fg_watched_key *key = &journeys->keys[record->key];
        uint64_t moment_ns = batch->end_ns[row] ? batch->end_ns[row] : batch->start_ns[row];
        if (record->first_ns == 0 || batch->start_ns[row] < record->first_ns)
            record->first_ns = batch->start_ns[row];
        if (moment_ns > record->last_ns)
            record->last_ns = moment_ns;
        if (key->flow)
            intake->flows |= UINT32_C(1) << key->flow_index;
        if (has_failed(batch, row) || is_in_trouble(record))
            fg_journeys_doubt(journeys, id);
        fg_attrs_range(&batch->span_attrs, row, &begin, &end);
        for (uint32_t i = begin; key->flow && shown_ids[key->flow_index] && i < end; i++)
            if (batch->span_attrs.key[i] == shown_ids[key->flow_index])
                fg_journeys_doubt(journeys, id);
    }
}

static void reach(struct fg_journeys *journeys, uint32_t id, uint32_t step, uint64_t at_ns)
{
    struct fg_record *record = &journeys->table.records[id];
    bool is_new = (record->reached >> step & 1) == 0;
    if (!is_new && record->reached_ns[step] <= at_ns)
        return;
    record->reached |= UINT64_C(1) << step;
    record->reached_ns[step] = at_ns;
    if (is_new && !journeys->counters.is_rebuilding)
        fg_journeys_tell_hop(journeys, record, step);
    if (is_in_trouble(record))
        fg_journeys_doubt(journeys, id);
    else
        fg_journeys_stand(journeys, id);
}

static int match_step(struct intake *intake, uint32_t flow, uint32_t step)
{
    struct fg_journeys *journeys = intake->journeys;
    const struct fg_batch *batch = intake->batch;
    struct fg_matcher *matcher = journeys->matchers[flow][step];
    bool any_status = journeys->options.flows->flows[flow].steps[step].any_status;
    int r = fg_matcher_bind(matcher, batch);
    if (r == 0)
        r = fg_matcher_run(matcher, intake->row_begin, intake->row_end, journeys->bits);
    for (uint32_t row = intake->row_begin; r == 0 && row < intake->row_end; row++) {
        uint32_t bit = row - intake->row_begin, id = intake->owner[bit];
        if (id == FG_NO_RECORD || (journeys->bits[bit / 64] >> (bit % 64) & 1) == 0 ||
            batch->end_ns[row] == 0 || (!any_status && has_failed(batch, row)))
            continue;
        const struct fg_watched_key *key = &journeys->keys[journeys->table.records[id].key];
        if (key->flow && key->flow_index == flow)
            reach(journeys, id, step, batch->end_ns[row]);
    }
    return r;
}

static int match_steps(struct intake *intake)
{
    const struct fg_flows *flows = intake->journeys->options.flows;
    for (uint32_t i = 0; i < flows->count; i++)
        for (uint32_t step = 0; (intake->flows >> i & 1) && step < flows->flows[i].step_count;
             step++) {
            int r = match_step(intake, i, step);
            if (r < 0)
                return r;
        }
    return 0;
}

/* -- */

static int make_scratch(struct fg_journeys *journeys, uint32_t rows)
{
    if (rows <= journeys->owner_capacity)
        return 0;
    uint32_t *owner = realloc(journeys->owner, rows * sizeof *owner);
    if (owner)
        journeys->owner = owner;
    uint64_t *bits = realloc(journeys->bits, (rows / 64 + 1) * sizeof *bits);
    if (bits)
        journeys->bits = bits;
    if (!owner || !bits)
        return FG_ENOMEM;
    journeys->owner_capacity = rows;
    return 0;
}

int fg_journeys_take(struct fg_journeys *journeys, const struct fg_batch *batch, uint32_t row_begin,
                     uint32_t row_end, const uint64_t *bits)
{
    uint32_t rows = row_end - row_begin;
    int r = make_scratch(journeys, rows);
    if (r < 0 || rows == 0)
        return r;
    struct intake intake = {.journeys = journeys,
                            .batch = batch,
                            .row_begin = row_begin,
                            .row_end = row_end,
                            .bits = bits,
                            .owner = journeys->owner};
    memset(intake.owner, 0xff, rows * sizeof *intake.owner);
    for (uint32_t k = 0; k < journeys->key_count; k++) {
        intake.key_ids[k] = fg_string_id(batch, journeys->keys[k].name);
        intake.has_key |= intake.key_ids[k] != 0;
    }
    /* Before numbers of records are noted: they change. */
    if (intake.has_key && journeys->table.count_max - journeys->table.count < rows &&
        journeys->table.count >= journeys->table.count_max / 8 * 7)
        r = fg_journeys_evict(journeys);
    if (r == 0 && intake.has_key)
        r = own_by_key(&intake);
    if (r < 0)
        return r;
    own_by_trace(&intake);
    if (!intake.has_owner)
        return 0;
    touch_all(&intake);
    return match_steps(&intake);
}
