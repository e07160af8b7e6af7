/* Whether a flow contradicts itself. */
#pragma once

#include "journey/flow.h"

enum fg_flow_contradiction {
    FG_FLOW_IS_SOUND,
    FG_FLOW_FOLLOWS_ITSELF,
    FG_FLOW_FOLLOWS_END,    /* the other step ends the flow */
    FG_FLOW_SAME_CONDITION, /* as the other step: one span would reach both */
    FG_FLOW_NEVER_BEGINS,   /* each step follows another */
    FG_FLOW_NEVER_REACHED,  /* only steps that are never reached lead to it */
};

/* The first contradiction, the step that has it, and where two contradict the other one. */
enum fg_flow_contradiction fg_flow_check(const struct fg_flow *flow, uint32_t *ret_step,
                                         uint32_t *ret_other);
