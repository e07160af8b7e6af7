/* Flows that contradict themselves: no journey could go by them, or one span would be two steps. */
#include "flow_check.h"

static uint64_t bit(uint32_t step)
{
    return UINT64_C(1) << step;
}

/* Steps that a journey can come to. */
static uint64_t reachable(const struct fg_flow *flow)
{
    uint64_t reached = 0, before;
    do {
        before = reached;
        for (uint32_t i = 0; i < flow->step_count; i++)
            if (flow->steps[i].after == 0 || (flow->steps[i].after & reached) != 0)
                reached |= bit(i);
    } while (reached != before);
    return reached;
}

static enum fg_flow_contradiction check_step(const struct fg_flow *flow, uint32_t step,
                                             uint32_t *ret_other)
{
    const struct fg_flow_step *is = &flow->steps[step];
    if (is->after & bit(step))
        return FG_FLOW_FOLLOWS_ITSELF;
    for (uint32_t i = 0; i < flow->step_count; i++) {
        *ret_other = i;
        if ((is->after & bit(i)) && flow->steps[i].ends != FG_FLOW_GOES_ON)
            return FG_FLOW_FOLLOWS_END;
        if (i < step && fg_slice_equal(flow->steps[i].condition, is->condition))
            return FG_FLOW_SAME_CONDITION;
    }
    return FG_FLOW_IS_SOUND;
}

enum fg_flow_contradiction fg_flow_check(const struct fg_flow *flow, uint32_t *ret_step,
                                         uint32_t *ret_other)
{
    uint64_t reached = reachable(flow);
    *ret_step = *ret_other = 0;
    for (uint32_t i = 0; i < flow->step_count; i++) {
        enum fg_flow_contradiction found = check_step(flow, i, ret_other);
        *ret_step = i;
        if (found != FG_FLOW_IS_SOUND)
            return found;
    }
    if (reached == 0) {
        *ret_step = 0;
        return FG_FLOW_NEVER_BEGINS;
    }
    for (uint32_t i = 0; i < flow->step_count; i++) {
        *ret_step = i;
        if ((reached & bit(i)) == 0)
            return FG_FLOW_NEVER_REACHED;
    }
    return FG_FLOW_IS_SOUND;
}
