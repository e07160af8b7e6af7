/* Walking a flow: where a journey stands, and what should come next. */
#include "journey/flow.h"

#include "schema.h"

const struct fg_flow *fg_flows_find(const struct fg_flows *flows, struct fg_slice key)
{
    for (uint32_t i = 0; i < flows->count; i++)
        if (fg_slice_equal(flows->flows[i].key, key))
            return &flows->flows[i];
    return NULL;
}

int fg_flow_set_schema(struct fg_flow *flow, struct fg_slice json, struct fg_arena *arena,
                       struct fg_buffer *errors)
{
    return fg_schema_parse(json, arena, errors, &flow->schema);
}

/* All steps from which `step` can be reached. A flow may go in circles (a piece that is made
 * again): each step is taken once. */
static uint64_t ancestors(const struct fg_flow *flow, uint32_t step)
{
    uint64_t found = 0, next = flow->steps[step].after;
    while (next != 0) {
        uint64_t before = 0;
        found |= next;
        for (; next != 0; next &= next - 1)
            before |= flow->steps[__builtin_ctzll(next)].after;
        next = before & ~found;
    }
    return found & ~(UINT64_C(1) << step);
}

uint32_t fg_flow_last(const struct fg_flow *flow, uint64_t reached)
{
    uint32_t last = FG_FLOW_STEP_NONE;
    for (uint32_t i = 0; i < flow->step_count; i++) {
        if ((reached >> i & 1) == 0)
            continue;
        if (flow->steps[i].ends != FG_FLOW_GOES_ON)
            return i;
        /* of two that lead to each other the later in the list is taken */
        if (last == FG_FLOW_STEP_NONE || (ancestors(flow, last) >> i & 1) == 0 ||
            (ancestors(flow, i) >> last & 1) != 0)
            last = i;
    }
    return last;
}

uint32_t fg_flow_expected(const struct fg_flow *flow, uint32_t last, uint64_t reached)
{
    if (last != FG_FLOW_STEP_NONE && flow->steps[last].ends != FG_FLOW_GOES_ON)
        return FG_FLOW_STEP_NONE;
    for (uint32_t i = 0; i < flow->step_count; i++) {
        const struct fg_flow_step *step = &flow->steps[i];
        bool follows =
            last == FG_FLOW_STEP_NONE ? step->after == 0 : (step->after >> last & 1) != 0;
        if (follows && (reached >> i & 1) == 0 && !step->optional &&
            step->ends != FG_FLOW_ENDS_CANCELLED)
            return i;
    }
    return FG_FLOW_STEP_NONE;
}
