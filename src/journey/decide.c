#include "decide.h"

#include "base/limits.h"
#include "rules.h"

static bool after_deadline(const struct fg_case *c, struct fg_finding *finding)
{
    bool handled;
    if (c->deadline_ns == 0 || c->now_ns <= c->deadline_ns + FG_JOURNEY_GRACE_NS)
        return false;
    if (!fg_rule_hung(c, finding) && !fg_rule_failed(c, finding, &handled) &&
        !fg_rule_telemetry_lost(c, finding) && !fg_rule_queue(c, finding) &&
        !fg_rule_not_instrumented(c, finding) && !fg_rule_work_skipped(c, finding))
        fg_rule_nothing(c, finding);
    return true;
}

static bool find_trouble(const struct fg_case *c, struct fg_finding *finding)
{
    bool handled;
    if (fg_rule_failed(c, finding, &handled) && !handled)
        return true;
    if (fg_rule_page_disagrees(c, finding) || fg_rule_person(c, finding))
        return true;
    return after_deadline(c, finding);
}

void fg_decide(const struct fg_case *c, struct fg_verdict *ret_verdict)
{
    struct fg_verdict verdict = {.state = FG_JOURNEY_FLOWING,
                                 .since_ns = c->last_ns,
                                 .deadline_ns = c->deadline_ns,
                                 .first_ns = c->first_ns,
                                 .last_ns = c->last_ns};
    if (c->flow) {
        verdict.flow = c->flow->name;
        if (c->last_step != FG_FLOW_STEP_NONE)
            verdict.last_step = c->flow->steps[c->last_step].name;
        if (c->expected_step != FG_FLOW_STEP_NONE)
            verdict.expected_step = c->flow->steps[c->expected_step].name;
    }
    enum fg_flow_end end = FG_FLOW_GOES_ON;
    if (c->last_step != FG_FLOW_STEP_NONE) {
        end = c->flow->steps[c->last_step].ends;
        verdict.since_ns = c->reached_ns[c->last_step];
    }
    struct fg_finding finding = {.confidence = 0.9};
    if (end != FG_FLOW_GOES_ON) {
        verdict.state = end == FG_FLOW_ENDS_DONE ? FG_JOURNEY_DONE : FG_JOURNEY_CANCELLED;
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the step that ended it"));
    } else if (find_trouble(c, &finding)) {
        verdict.state = finding.state;
        verdict.since_ns = finding.since_ns;
        if (c->truncated) /* what was not read may say otherwise */
            finding.confidence *= 0.8;
    } else if (!c->flow) {
        finding.confidence = 0.5;
        finding.text = FG_SLICE("nothing failed; without a flow its next step is not known");
    }
    verdict.finding = finding;
    *ret_verdict = verdict;
}
