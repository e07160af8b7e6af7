/* What is believed of a monitor: one bad look may be the network's or the check's own fault, so a
 * result is believed when it was seen again as often as the monitor says. Pure; no clock. */
#pragma once

#include "monitor/check.h"

struct fg_belief {
    enum fg_check_result result;
    bool is_new;             /* nothing was believed yet: result is unknown */
    uint64_t since_ns;       /* wall clock: when what is believed was first seen */
    uint32_t doubt_count;    /* looks in a row that differ from it; 0: none */
    uint64_t doubt_since_ns; /* of the first of them */
    bool saw_unknown, saw_degraded;
};

/* At the start, before any look. */
struct fg_belief fg_belief_new(void);

/* Takes one look's result at wall_ns. Good news is believed at once, anything else after confirm
 * looks more in a row that are not what is believed; down only where all of them were, otherwise
 * unknown, where one of them was, or degraded. True: belief changed. */
bool fg_belief_look(struct fg_belief *belief, enum fg_check_result seen, uint64_t wall_ns,
                    uint32_t confirm);
