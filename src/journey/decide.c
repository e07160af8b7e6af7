#include "decide.h"

#include "base/limits.h"
#include "base/units.h"
#include "evidence.h"
#include "rules.h"

#include <stdlib.h>

/* What rests on a deadline that nobody has accepted is said so, is less sure, and breaks nothing.
 */
#define PROVISIONAL_SHARE 0.7
/* What was not read may say otherwise. */
#define CUT_SHARE 0.8
/* Clocks that contradict each other were moved as far as is certain, which is not all. */
#define CLOCKS_SHARE 0.7
/* The last step's span came so long after its end: its sender was late, or its clock is behind, and
 * then the deadline has not passed. */
#define LATE_NS    FG_NS_PER_MINUTE
#define LATE_SHARE 0.7

static void weaken(const struct fg_case *c, struct fg_finding *finding)
{
    char within[FG_UNITS_TEXT_SIZE];
    fg_duration_format(c->hop.ns, within);
    finding->text = fg_case_say(
        c, "%.*s (%s deadline of %s is learned from %u journeys and not accepted yet)",
        FG_SAY(finding->text), c->flow_is_provisional ? "step and" : "the", within, c->hop.count);
    finding->confidence *= PROVISIONAL_SHARE;
    if (finding->state == FG_JOURNEY_BROKEN)
        finding->state = FG_JOURNEY_STUCK;
}

uint64_t fg_overdue_ns(const struct fg_deafness *deafness, uint64_t deadline_ns)
{
    uint64_t overdue_ns = deadline_ns + FG_JOURNEY_GRACE_NS;
    return overdue_ns > deafness->from_ns && overdue_ns < deafness->until_ns ? deafness->until_ns
                                                                             : overdue_ns;
}

/* Nothing is wrong but the deadline: nothing failed, and nothing that its service needs is found
 * wrong now. */
static bool is_deadline_alone(const struct fg_case *c, struct fg_finding *finding)
{
    struct fg_finding tight, other;
    bool handled;
    if (!fg_rule_deadline_tight(c, &tight) || fg_rule_failed(c, &other, &handled) ||
        fg_rule_watched(c, false, &other))
        return false;
    *finding = tight;
    return true;
}

static bool after_deadline(const struct fg_case *c, struct fg_finding *finding)
{
    bool handled;
    if (c->deadline_ns == 0 || c->now_ns <= fg_overdue_ns(&c->deafness, c->deadline_ns))
        return false;
    if (!is_deadline_alone(c, finding) && !fg_rule_hung(c, finding) &&
        !fg_rule_failed(c, finding, &handled) && !fg_rule_telemetry_lost(c, finding) &&
        !fg_rule_sampled_out(c, finding) && !fg_rule_queue(c, finding) &&
        !fg_rule_watched(c, false, finding) && !fg_rule_work_skipped(c, finding) &&
        !fg_rule_watched(c, true, finding) && !fg_rule_not_instrumented(c, finding))
        fg_rule_nothing(c, finding);
    if (c->hop.is_provisional)
        weaken(c, finding);
    return true;
}

static bool find_trouble(const struct fg_case *c, struct fg_finding *finding)
{
    struct fg_finding failed = *finding;
    bool handled;
    if (fg_rule_failed(c, &failed, &handled) && !handled) {
        *finding = failed;
        return true;
    }
    if (fg_rule_page_disagrees(c, finding) || fg_rule_slow_work(c, finding) ||
        fg_rule_person(c, finding))
        return true;
    return after_deadline(c, finding);
}

/* The journey's spans of whose clock is off. */
static struct fg_slice query_of_clock(const struct fg_case *c)
{
    struct fg_query_text text;
    fg_query_text_begin(c, &text);
    fg_query_text_is(&text, "service", c->clock_service);
    fg_query_text_any(&text);
    for (uint32_t row = 0; row < c->batch->span_count; row++)
        if (c->mine[row] && fg_slice_equal(fg_case_service(c, row), c->clock_service))
            fg_query_text_trace(&text, row);
    return fg_query_text_end(&text);
}

/* What makes a verdict less sure is said beside it. */
static void doubt(const struct fg_case *c, struct fg_verdict *verdict, bool is_overdue)
{
    struct fg_finding *finding = &verdict->finding;
    uint32_t row = c->last_step == FG_FLOW_STEP_NONE ? FG_TREE_NONE : c->reached_row[c->last_step];
    if (c->truncated) {
        finding->confidence *= CUT_SHARE;
        fg_finding_count(finding, c->batch->span_count,
                         FG_SLICE("spans of it were read, and there are more"),
                         fg_query_of_journey(c));
    }
    if (c->clock_shift_ns != 0) {
        finding->confidence *= CLOCKS_SHARE;
        fg_finding_count(finding, (uint64_t)llabs(c->clock_shift_ns) / FG_NS_PER_SECOND,
                         fg_case_say(c, "seconds the clock of %.*s is %s: its times were moved",
                                     FG_SAY(c->clock_service),
                                     c->clock_shift_ns > 0 ? "behind" : "ahead"),
                         query_of_clock(c));
    }
    if (c->history_left_ns >= FG_NS_PER_SECOND)
        fg_finding_count(finding, c->history_left_ns / FG_NS_PER_SECOND,
                         FG_SLICE("seconds ago this is how it stood: what came after is still "
                                  "being read"),
                         (struct fg_slice){0});
    if (c->hop_is_new)
        fg_finding_count(finding, (c->now_ns - c->hop.from_ns) / FG_NS_PER_SECOND,
                         FG_SLICE("seconds ago the flow was changed: this step's deadline counts "
                                  "from then"),
                         (struct fg_slice){0});
    if (!is_overdue || row == FG_TREE_NONE ||
        c->batch->received_ns[row] <= c->batch->end_ns[row] + LATE_NS)
        return;
    finding->confidence *= LATE_SHARE;
    fg_finding_count(finding,
                     (c->batch->received_ns[row] - c->batch->end_ns[row]) / FG_NS_PER_SECOND,
                     fg_case_say(c,
                                 "seconds after its end the last step's span came: %.*s sends "
                                 "late, or its clock is behind",
                                 FG_SAY(fg_case_service(c, row))),
                     fg_query_of_span(c, row));
}

void fg_decide(const struct fg_case *c, struct fg_verdict *ret_verdict)
{
    struct fg_verdict verdict = {.state = FG_JOURNEY_FLOWING,
                                 .since_ns = c->last_ns,
                                 .deadline_ns = c->deadline_ns,
                                 .deadline_is_provisional = c->hop.is_provisional,
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
    } else if (!c->flow) {
        finding.confidence = 0.5;
        finding.text = FG_SLICE("nothing failed; without a flow its next step is not known");
    }
    bool is_well = verdict.state == FG_JOURNEY_FLOWING || verdict.state == FG_JOURNEY_WAITING ||
                   verdict.state == FG_JOURNEY_DONE;
    if (is_well && !fg_rule_recovered(c, &verdict.recovered))
        verdict.recovered = (struct fg_recovery){.cause = FG_CAUSE_NONE};
    verdict.finding = finding;
    doubt(c, &verdict, verdict.state == FG_JOURNEY_LATE || verdict.state == FG_JOURNEY_STUCK);
    *ret_verdict = verdict;
}
