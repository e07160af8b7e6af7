/* What judging may take: following together takes a tenth of what the server takes, as long as
 * that can be kept. Which journey a span belongs to has to be found for each; which journeys are
 * judged now and which a second later is what can be chosen. Not thread-safe. */
#pragma once

#include <stdint.h>

struct fg_budget {
    uint64_t looked_ns; /* by the monotonic clock; 0: never */
    uint64_t server_ns,
        thread_ns;               /* of processors, then: of the process, of the follower's thread */
    uint64_t judging_ns;         /* the part of the thread's that went to judging, so far */
    uint64_t judged_ns;          /* the same, then */
    double wall, server, taking; /* ns, of late: what is longer ago counts less */
    uint64_t tick_ns;            /* to be spent of each tick */
};

/* What judging may take of each tick. It is looked again from time to time, with what the process
 * and the thread have taken since they began. */
uint64_t fg_budget_now(struct fg_budget *budget, uint64_t now_ns, uint64_t (*server_ns)(void),
                       uint64_t (*thread_ns)(void));

/* What it may take of a tick where the server's threads together took so much of wall_ns, and the
 * follower's taking_ns of it without judging: as long as that is less than half of a processor, a
 * tenth of one; otherwise what is left of an eighteenth of what the server takes, and not less than
 * a hundredth of it or an eightieth of a processor nor more than a tenth of one. */
uint64_t fg_budget_tick_ns(double server_ns, double taking_ns, double wall_ns);
