#include "record.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

/* Pieces are of so many bytes, which is what an allocator gives, and have room for what fits: a
 * trace and a step together come next, as a rule. From so many traces on half as many again. */
#define PIECE_BYTES 32u
#define TRACES_MANY 8u
#define TRACE_BYTES (sizeof(struct fg_trace_ref) + sizeof(uint8_t))
#define STEP_BYTES  sizeof(uint64_t)

void fg_record_free(struct fg_record *record)
{
    free(record->traces);
    free(record->trouble);
    free(record->recovered);
    *record = (struct fg_record){.value = NULL};
}

/* -- The piece of memory */

static void copy(void *to, const void *from, size_t size)
{
    if (size > 0)
        memcpy(to, from, size);
}

/* A piece with room for so many at least, and what the record has of them in it: in the place of
 * the one before, which is left as it is. */
static int lay_out(struct fg_record *record, struct fg_slice value, uint32_t traces, uint32_t steps)
{
    uint32_t reached = fg_record_step_count(record);
    size_t size = traces * TRACE_BYTES + steps * STEP_BYTES + value.size + 1;
    size_t piece = (size + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES, rest = piece - size;
    if (rest >= TRACE_BYTES && traces < FG_JOURNEY_TRACES_MAX) {
        traces++;
        rest -= TRACE_BYTES;
    }
    for (; rest >= STEP_BYTES && steps < FG_FLOW_STEPS_MAX; steps++)
        rest -= STEP_BYTES;
    uint8_t *at = malloc(piece);
    if (!at)
        return FG_ENOMEM;
    struct fg_record is = *record;
    is.traces = (struct fg_trace_ref *)(void *)at;
    is.reached_ns = (uint64_t *)(void *)(is.traces + traces);
    is.trace_marks = (uint8_t *)(is.reached_ns + steps);
    is.value = (char *)is.trace_marks + traces;
    is.value_size = (uint16_t)value.size;
    is.trace_capacity = (uint16_t)traces;
    is.step_capacity = (uint8_t)steps;
    copy(is.traces, record->traces, record->trace_count * sizeof *is.traces);
    copy(is.trace_marks, record->trace_marks, record->trace_count);
    copy(is.reached_ns, record->reached_ns, reached * sizeof *is.reached_ns);
    copy(is.value, value.data, value.size);
    *record = is;
    return 0;
}

int fg_record_make(struct fg_record *record, struct fg_slice value, uint32_t traces, uint32_t steps)
{
    *record = (struct fg_record){.last_step = FG_NO_STEP, .expected_step = FG_NO_STEP};
    return lay_out(record, value, traces, steps);
}

static int grow(struct fg_record *record, uint32_t traces, uint32_t steps)
{
    void *before = record->traces;
    traces = traces > record->trace_capacity ? traces : record->trace_capacity;
    traces = traces < FG_JOURNEY_TRACES_MAX ? traces : FG_JOURNEY_TRACES_MAX;
    steps = steps > record->step_capacity ? steps : record->step_capacity;
    steps = steps < FG_FLOW_STEPS_MAX ? steps : FG_FLOW_STEPS_MAX;
    int r = lay_out(record, fg_slice(record->value, record->value_size), traces, steps);
    if (r == 0)
        free(before);
    return r;
}

/* Room for a trace more, and where steps are reached for a step. */
static int grow_for_trace(struct fg_record *record)
{
    uint32_t count = record->trace_count, more = count < TRACES_MANY ? 1 : count / 2,
             reached = fg_record_step_count(record);
    return grow(record, count + more, reached ? reached + 1 : 0);
}

/* -- Traces */

uint64_t fg_trace_hash(struct fg_trace_ref trace)
{
    return fg_hash_u64(trace.high ^ fg_hash_u64(trace.low));
}

/* The latest are asked for most. */
uint32_t fg_record_trace(const struct fg_record *record, struct fg_trace_ref trace)
{
    for (uint32_t i = record->trace_count; i > 0; i--)
        if (fg_trace_is_same(record->traces[i - 1], trace))
            return i - 1;
    return record->trace_count;
}

int fg_record_add_trace(struct fg_record *record, struct fg_trace_ref trace, uint8_t marks)
{
    int r = record->trace_count == record->trace_capacity ? grow_for_trace(record) : 0;
    if (r < 0)
        return r;
    record->trace_marks[record->trace_count] = marks;
    record->traces[record->trace_count++] = trace;
    return 0;
}

void fg_record_drop_trace(struct fg_record *record, uint32_t at)
{
    size_t behind = (size_t)record->trace_count - at - 1;
    memmove(record->traces + at, record->traces + at + 1, behind * sizeof *record->traces);
    memmove(record->trace_marks + at, record->trace_marks + at + 1, behind);
    record->trace_count--;
}

/* -- State */

bool fg_journey_has_ended(enum fg_journey_state state)
{
    return state == FG_JOURNEY_DONE || state == FG_JOURNEY_CANCELLED;
}

bool fg_record_has_ended(const struct fg_record *record)
{
    return fg_journey_has_ended((enum fg_journey_state)record->state);
}

bool fg_journey_is_trouble(enum fg_journey_state state)
{
    return state == FG_JOURNEY_LATE || state == FG_JOURNEY_STUCK || state == FG_JOURNEY_BROKEN;
}

bool fg_record_is_in_trouble(const struct fg_record *record)
{
    return fg_journey_is_trouble((enum fg_journey_state)record->state);
}

/* -- Steps */

uint32_t fg_record_step_count(const struct fg_record *record)
{
    return (uint32_t)__builtin_popcountll(record->reached);
}

static uint32_t steps_before(const struct fg_record *record, uint32_t step)
{
    return (uint32_t)__builtin_popcountll(record->reached & ((UINT64_C(1) << step) - 1));
}

uint64_t fg_record_reached_ns(const struct fg_record *record, uint32_t step)
{
    return record->reached >> step & 1 ? record->reached_ns[steps_before(record, step)] : 0;
}

int fg_record_reach(struct fg_record *record, uint32_t step, uint64_t at_ns)
{
    uint32_t at = steps_before(record, step), count = fg_record_step_count(record);
    bool is_new = (record->reached >> step & 1) == 0;
    int r = is_new && count == record->step_capacity ? grow(record, 0, count + 1) : 0;
    if (r < 0)
        return r;
    if (is_new) {
        uint64_t *times = record->reached_ns;
        memmove(times + at + 1, times + at, (count - at) * sizeof *times);
        record->reached |= UINT64_C(1) << step;
    }
    record->reached_ns[at] = at_ns;
    return 0;
}

void fg_record_steps(const struct fg_record *record, uint64_t ret_ns[FG_FLOW_STEPS_MAX])
{
    memset(ret_ns, 0, FG_FLOW_STEPS_MAX * sizeof *ret_ns);
    uint32_t at = 0;
    for (uint64_t bits = record->reached; bits != 0; bits &= bits - 1)
        ret_ns[__builtin_ctzll(bits)] = record->reached_ns[at++];
}

void fg_record_unreach(struct fg_record *record)
{
    record->reached = 0;
}
