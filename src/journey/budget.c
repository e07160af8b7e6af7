#include "budget.h"

#include "base/limits.h"
#include "journeys_internal.h"

#define LOOK_EVERY_NS (1 * FG_NS_PER_SECOND)
/* Following comes by fits: records go to disk once in two minutes. What the last quarter of one
 * took counts most. */
#define KEPT_PART (15.0 / 16.0)

/* The follower's thread's part of the server. With what it leaves to others, as committing, and to
 * the cache of the processor it makes a tenth of the throughput. */
#define FOLLOWING_SHARE 18.0
#define LEAST_SHARE     100.0
/* And of a processor. */
#define LEAST (1 / 80.0)
#define MOST  (1 / 10.0)

uint64_t fg_budget_tick_ns(double server_ns, double taking_ns, double wall_ns)
{
    const double tick_ns = FG_JOURNEYS_TICK_NS;
    if (wall_ns <= 0 || server_ns < wall_ns / 2)
        return (uint64_t)(tick_ns * MOST);
    double left = (server_ns / FOLLOWING_SHARE - taking_ns) / wall_ns;
    const double least[] = {server_ns / LEAST_SHARE / wall_ns, LEAST};
    for (unsigned i = 0; i < sizeof least / sizeof *least; i++)
        left = left > least[i] ? left : least[i];
    return (uint64_t)(tick_ns * (left < MOST ? left : MOST));
}

/* 0 where a clock went back. */
static double passed(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) : 0;
}

static void look(struct fg_budget *budget, uint64_t now_ns, uint64_t server_ns, uint64_t thread_ns)
{
    if (budget->looked_ns > 0) {
        double thread = passed(budget->thread_ns, thread_ns),
               judging = passed(budget->judged_ns, budget->judging_ns);
        budget->wall = budget->wall * KEPT_PART + passed(budget->looked_ns, now_ns);
        budget->server = budget->server * KEPT_PART + passed(budget->server_ns, server_ns);
        budget->taking = budget->taking * KEPT_PART + (thread > judging ? thread - judging : 0);
    }
    budget->looked_ns = now_ns;
    budget->server_ns = server_ns;
    budget->thread_ns = thread_ns;
    budget->judged_ns = budget->judging_ns;
    budget->tick_ns = fg_budget_tick_ns(budget->server, budget->taking, budget->wall);
}

uint64_t fg_budget_now(struct fg_budget *budget, uint64_t now_ns, uint64_t (*server_ns)(void),
                       uint64_t (*thread_ns)(void))
{
    if (budget->looked_ns == 0 || now_ns - budget->looked_ns >= LOOK_EVERY_NS)
        look(budget, now_ns, server_ns(), thread_ns());
    return budget->tick_ns;
}
