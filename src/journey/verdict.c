/* The names of states, places and causes, as everyone reads them (doc/journeys.md). */
#include "journey/verdict.h"

static const char *const state_names[FG_JOURNEY_STATE_COUNT] = {
    [FG_JOURNEY_FLOWING] = "flowing",     [FG_JOURNEY_WAITING] = "waiting",
    [FG_JOURNEY_LATE] = "late",           [FG_JOURNEY_STUCK] = "stuck",
    [FG_JOURNEY_BROKEN] = "broken",       [FG_JOURNEY_DONE] = "done",
    [FG_JOURNEY_CANCELLED] = "cancelled",
};

static const char *const place_names[FG_PLACE_KIND_COUNT] = {
    [FG_PLACE_NONE] = "none",         [FG_PLACE_APPLICATION] = "application",
    [FG_PLACE_DATABASE] = "database", [FG_PLACE_OBJECT_STORE] = "object_store",
    [FG_PLACE_PRODUCER] = "producer", [FG_PLACE_CONSUMER] = "consumer",
    [FG_PLACE_PROCESS] = "process",   [FG_PLACE_PAGE] = "page",
    [FG_PLACE_BROKER] = "broker",     [FG_PLACE_PERSON] = "person",
    [FG_PLACE_UNKNOWN] = "unknown",
};

static const char *const cause_names[FG_CAUSE_COUNT] = {
    [FG_CAUSE_NONE] = "none",
    [FG_CAUSE_ERROR] = "error",
    [FG_CAUSE_WORK_SKIPPED] = "work_skipped",
    [FG_CAUSE_CONNECTION_LIMIT] = "connection_limit",
    [FG_CAUSE_SLOW_QUERY] = "slow_query",
    [FG_CAUSE_LOCK_WAIT] = "lock_wait",
    [FG_CAUSE_REPLICA_MISSING] = "replica_missing",
    [FG_CAUSE_REPLICA_LAG] = "replica_lag",
    [FG_CAUSE_UNREACHABLE] = "unreachable",
    [FG_CAUSE_OUT_OF_SPACE] = "out_of_space",
    [FG_CAUSE_SLOW] = "slow",
    [FG_CAUSE_WRONG_FORMAT] = "wrong_format",
    [FG_CAUSE_WRONG_ROUTE] = "wrong_route",
    [FG_CAUSE_REJECTED] = "rejected",
    [FG_CAUSE_FALLING_BEHIND] = "falling_behind",
    [FG_CAUSE_GONE] = "gone",
    [FG_CAUSE_DIED] = "died",
    [FG_CAUSE_HUNG] = "hung",
    [FG_CAUSE_SCRIPT_ERROR] = "script_error",
    [FG_CAUSE_STATE_DISAGREES] = "state_disagrees",
    [FG_CAUSE_FULL] = "full",
    [FG_CAUSE_WAITING] = "waiting",
    [FG_CAUSE_NOT_INSTRUMENTED] = "not_instrumented",
    [FG_CAUSE_TELEMETRY_LOST] = "telemetry_lost",
    [FG_CAUSE_SAMPLED_OUT] = "sampled_out",
    [FG_CAUSE_NOT_ENOUGH_EVIDENCE] = "not_enough_evidence",
    [FG_CAUSE_DEADLINE_TOO_TIGHT] = "deadline_too_tight",
};

const char *fg_journey_state_name(enum fg_journey_state state)
{
    return state_names[state];
}

const char *fg_place_kind_name(enum fg_place_kind kind)
{
    return place_names[kind];
}

const char *fg_cause_name(enum fg_cause cause)
{
    return cause_names[cause];
}

bool fg_journey_state_parse(struct fg_slice name, enum fg_journey_state *ret_state)
{
    for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++)
        if (fg_slice_equal(name, fg_slice_from_string(state_names[i]))) {
            *ret_state = (enum fg_journey_state)i;
            return true;
        }
    return false;
}
