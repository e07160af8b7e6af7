#include "belief.h"

struct fg_belief fg_belief_new(void)
{
    return (struct fg_belief){.result = FG_CHECK_UNKNOWN, .is_new = true};
}

static void forget_doubts(struct fg_belief *belief)
{
    belief->doubt_count = 0;
    belief->saw_unknown = belief->saw_degraded = false;
}

/* The most that all looks in doubt bear out. */
static enum fg_check_result borne_out(const struct fg_belief *belief)
{
    if (belief->saw_unknown)
        return FG_CHECK_UNKNOWN;
    return belief->saw_degraded ? FG_CHECK_DEGRADED : FG_CHECK_DOWN;
}

bool fg_belief_look(struct fg_belief *belief, enum fg_check_result seen, uint64_t wall_ns,
                    uint32_t confirm)
{
    if (seen == belief->result && !belief->is_new) {
        forget_doubts(belief);
        return false;
    }
    if (belief->doubt_count == 0)
        belief->doubt_since_ns = wall_ns;
    belief->doubt_count++;
    belief->saw_unknown |= seen == FG_CHECK_UNKNOWN;
    belief->saw_degraded |= seen == FG_CHECK_DEGRADED;
    if (seen != FG_CHECK_OK && belief->doubt_count <= confirm)
        return false;
    enum fg_check_result next = seen == FG_CHECK_OK ? FG_CHECK_OK : borne_out(belief);
    uint64_t since_ns = seen == FG_CHECK_OK ? wall_ns : belief->doubt_since_ns;
    bool is_change = belief->is_new || next != belief->result;
    if (is_change) {
        belief->result = next;
        belief->since_ns = since_ns;
        belief->is_new = false;
    }
    forget_doubts(belief);
    return is_change;
}
