/* The rules for a journey that goes no further although nothing failed: what was the last thing
 * that happened, and what do the neighbours say. */
#include "base/limits.h"
#include "base/units.h"
#include "rules.h"
#include "store/instances.h"

/* Clocks of two machines differ, and spans come late: a moment is not later by less than this. */
#define SLACK_NS (3 * FG_NS_PER_SECOND)
/* Others that began later and arrived, from which on a message counts as overtaken: a prefetch and
 * a redelivery may let some pass. */
#define OVERTAKEN_MIN 5u

static const struct fg_flow_step *expected_of(const struct fg_case *c)
{
    return c->flow && c->expected_step != FG_FLOW_STEP_NONE ? &c->flow->steps[c->expected_step]
                                                            : NULL;
}

static uint64_t from_ns(const struct fg_case *c)
{
    return c->last_step == FG_FLOW_STEP_NONE ? c->first_ns : c->reached_ns[c->last_step];
}

static struct fg_slice say_duration(const struct fg_case *c, uint64_t ns)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_duration_format(ns, text);
    return fg_case_say(c, "%s", text);
}

/* The processes of the service that should do the next step, since the last one. */
static struct fg_instance_sum instances_of(const struct fg_case *c, struct fg_slice service)
{
    struct fg_instance_sum sum = {0};
    const struct fg_instance_filter filter = {
        .service = service, .from_ns = from_ns(c), .to_ns = c->now_ns};
    if (c->instances && service.size > 0)
        fg_instances_sum(c->instances, &filter, c->now_ns, &sum);
    return sum;
}

static void count_waiting(const struct fg_case *c, struct fg_finding *finding)
{
    if (c->waiting_count > 0)
        fg_finding_count(finding, c->waiting_count, FG_SLICE("others stand at the same step"));
}

/* -- A person */

bool fg_rule_person(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    if (!step || step->human.size == 0)
        return false;
    struct fg_finding finding = {
        .state = FG_JOURNEY_WAITING,
        .place = {FG_PLACE_PERSON, step->human, step->name},
        .cause = FG_CAUSE_WAITING,
        .since_ns = from_ns(c),
        .confidence = 0.9,
        .text = fg_case_say(c, "%.*s has to act: %.*s", FG_SAY(step->human), FG_SAY(step->label)),
        .next = fg_case_say(c, "Ask %.*s", FG_SAY(step->human))};
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step before it"));
    struct fg_hop_signs hops =
        fg_neighbours_hops(c->neighbours, c->flow_index, c->expected_step, finding.since_ns);
    if (hops.count > 0)
        fg_finding_count(&finding, hops.usual_ns / FG_NS_PER_SECOND,
                         FG_SLICE("seconds are usual for this step"));
    count_waiting(c, &finding);
    *ret_finding = finding;
    return true;
}

/* -- Work that does not end */

bool fg_rule_hung(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_batch *batch = c->batch;
    uint32_t row = FG_TREE_NONE;
    for (uint32_t i = 0; i < batch->span_count; i++)
        if (c->mine[i] && batch->end_ns[i] == 0 &&
            (row == FG_TREE_NONE || batch->start_ns[i] > batch->start_ns[row]))
            row = i; /* the last that began is the deepest */
    if (row == FG_TREE_NONE || batch->start_ns[row] + SLACK_NS > c->now_ns)
        return false;
    struct fg_slice service = fg_case_service(c, row), name = fg_case_name(c, row),
                    age = say_duration(c, c->now_ns - batch->start_ns[row]);
    struct fg_finding finding = {
        .state = FG_JOURNEY_STUCK, .since_ns = batch->start_ns[row], .confidence = 0.8};
    if (c->component[row] == FG_PLACE_DATABASE) {
        struct fg_slice peer = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS);
        finding.place =
            (struct fg_place){FG_PLACE_DATABASE, peer, fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
        finding.cause = FG_CAUSE_SLOW_QUERY;
        finding.confidence = 0.6;
        finding.text = fg_case_say(c, "a query of %.*s to the database %.*s runs since %.*s",
                                   FG_SAY(service), FG_SAY(peer), FG_SAY(age));
        finding.next = fg_case_say(c, "Look at the queries and locks of %.*s", FG_SAY(peer));
    } else if (c->component[row] == FG_PLACE_OBJECT_STORE) {
        struct fg_slice peer = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS);
        finding.place =
            (struct fg_place){FG_PLACE_OBJECT_STORE, peer, fg_case_text(c, row, FG_KEY_S3_BUCKET)};
        finding.cause = FG_CAUSE_SLOW;
        finding.confidence = 0.7;
        finding.text = fg_case_say(c, "the object store %.*s has not answered %.*s since %.*s",
                                   FG_SAY(peer), FG_SAY(service), FG_SAY(age));
        finding.next = fg_case_say(c, "Look at the object store %.*s", FG_SAY(peer));
    } else {
        finding.place = (struct fg_place){FG_PLACE_PROCESS, service, name};
        finding.cause = FG_CAUSE_HUNG;
        finding.text = fg_case_say(c, "%.*s works on %.*s since %.*s and does not end",
                                   FG_SAY(service), FG_SAY(name), FG_SAY(age));
        finding.next = fg_case_say(c, "Look at what the process of %.*s does", FG_SAY(service));
    }
    fg_finding_span(c, &finding, row, FG_SLICE("it began and has not ended"));
    *ret_finding = finding;
    return true;
}

/* -- A message on its way */

bool fg_rule_queue(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    uint32_t row = FG_TREE_NONE;
    for (uint32_t i = 0; i < c->batch->span_count; i++)
        if (c->mine[i] && c->component[i] == FG_PLACE_PRODUCER && !fg_case_failed(c, i) &&
            fg_case_consumer(c, i) == FG_TREE_NONE &&
            (row == FG_TREE_NONE || c->batch->start_ns[i] > c->batch->start_ns[row]))
            row = i;
    if (row == FG_TREE_NONE || !step || c->batch->start_ns[row] + SLACK_NS < from_ns(c))
        return false;
    uint64_t sent_ns = fg_case_moment(c, row);
    struct fg_slice producer = fg_case_service(c, row), consumer = step->service,
                    destination = fg_case_text(c, row, FG_KEY_DESTINATION),
                    age = say_duration(c, c->now_ns > sent_ns ? c->now_ns - sent_ns : 0);
    struct fg_service_signs signs = fg_neighbours_service(c->neighbours, consumer);
    struct fg_hop_signs hops =
        fg_neighbours_hops(c->neighbours, c->flow_index, c->expected_step, from_ns(c));
    if (signs.heard_ns == 0)
        return false; /* not instrumented, as far as is known */
    struct fg_finding finding = {.since_ns = sent_ns};
    fg_finding_span(c, &finding, row,
                    fg_case_say(c, "published to %.*s, not consumed in %.*s", FG_SAY(destination),
                                FG_SAY(age)));
    count_waiting(c, &finding);
    if (hops.overtook >= OVERTAKEN_MIN) {
        finding.state = FG_JOURNEY_BROKEN;
        finding.place = (struct fg_place){FG_PLACE_PRODUCER, producer, destination};
        finding.cause = FG_CAUSE_WRONG_ROUTE;
        finding.confidence = 0.75;
        finding.text =
            fg_case_say(c, "a message of %.*s did not arrive at %.*s, though later ones did",
                        FG_SAY(producer), FG_SAY(consumer));
        finding.next = fg_case_say(c, "Compare its routing key with the bindings of %.*s",
                                   FG_SAY(destination));
        fg_finding_count(&finding, hops.overtook, FG_SLICE("that were sent later have arrived"));
    } else if (signs.consumed_ns < sent_ns + SLACK_NS) {
        struct fg_instance_sum processes = instances_of(c, consumer);
        bool has_died =
            (signs.interrupted_ns + SLACK_NS > signs.heard_ns &&
             signs.interrupted_ns >= signs.consumed_ns) ||
            (processes.states[FG_INSTANCE_DIED] > 0 && processes.states[FG_INSTANCE_RUNNING] == 0);
        finding.state = FG_JOURNEY_STUCK;
        finding.place = (struct fg_place){FG_PLACE_CONSUMER, consumer, destination};
        finding.cause = FG_CAUSE_GONE;
        finding.confidence = has_died ? 0.9 : 0.8;
        finding.text =
            has_died ? fg_case_say(c, "%.*s reads nothing from %.*s any more: its process died",
                                   FG_SAY(consumer), FG_SAY(destination))
                     : fg_case_say(c, "%.*s reads nothing from %.*s any more", FG_SAY(consumer),
                                   FG_SAY(destination));
        finding.next = fg_case_say(c, "Look whether %.*s runs and is connected to the broker",
                                   FG_SAY(consumer));
    } else {
        finding.state = FG_JOURNEY_LATE;
        finding.place = (struct fg_place){FG_PLACE_CONSUMER, consumer, destination};
        finding.cause = FG_CAUSE_FALLING_BEHIND;
        finding.confidence = 0.75;
        finding.text = fg_case_say(c, "%.*s falls behind: the message still waits in its queue",
                                   FG_SAY(consumer));
        finding.next =
            fg_case_say(c, "Look at how fast %.*s works, and how many of it run", FG_SAY(consumer));
    }
    *ret_finding = finding;
    return true;
}

/* -- What is not known */

bool fg_rule_telemetry_lost(const struct fg_case *c, struct fg_finding *ret_finding)
{
    static const char *const what[FG_LOSS_KIND_COUNT] = {
        [FG_LOSS_EXPORTS] = "exports of it never arrived",
        [FG_LOSS_FULL] = "spans had no room in its process",
        [FG_LOSS_REFUSED] = "spans of it were refused"};
    const struct fg_flow_step *step = expected_of(c);
    uint64_t lost = 0;
    if (!step)
        return false;
    struct fg_instance_sum sum = instances_of(c, step->service);
    struct fg_finding finding = {
        .state = FG_JOURNEY_LATE,
        .place = {FG_PLACE_UNKNOWN, step->service, step->name},
        .cause = FG_CAUSE_TELEMETRY_LOST,
        .since_ns = from_ns(c),
        .confidence = 0.6,
        .text =
            fg_case_say(c, "spans of %.*s were lost: the step \"%.*s\" may have been done unseen",
                        FG_SAY(step->service), FG_SAY(step->label)),
        .next = fg_case_say(c, "Look at the order in %.*s itself, and at how its spans are sent",
                            FG_SAY(step->service))};
    for (unsigned i = 0; i < FG_LOSS_KIND_COUNT; i++) {
        lost += sum.lost[i];
        if (sum.lost[i] > 0)
            fg_finding_count(&finding, sum.lost[i], fg_slice_from_string(what[i]));
    }
    if (lost > 0)
        *ret_finding = finding;
    return lost > 0;
}

bool fg_rule_not_instrumented(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    if (!step || step->service.size == 0 ||
        fg_neighbours_service(c->neighbours, step->service).heard_ns != 0)
        return false;
    struct fg_finding finding = {
        .state = FG_JOURNEY_LATE,
        .place = {FG_PLACE_UNKNOWN, step->service, step->name},
        .cause = FG_CAUSE_NOT_INSTRUMENTED,
        .since_ns = from_ns(c),
        .confidence = 0.7,
        .text = fg_case_say(c,
                            "%.*s, which does the next step, has never sent a span: it is not "
                            "instrumented, or its spans do not arrive",
                            FG_SAY(step->service)),
        .next = fg_case_say(c, "Instrument %.*s, or watch it by a monitor", FG_SAY(step->service))};
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step that was seen"));
    *ret_finding = finding;
    return true;
}

/* What only reads can't have been meant to do the step. */
static bool only_reads(const struct fg_case *c, uint32_t row)
{
    struct fg_slice method = fg_case_text(c, row, FG_KEY_HTTP_METHOD);
    return fg_slice_equal(method, FG_SLICE("GET")) || fg_slice_equal(method, FG_SLICE("HEAD")) ||
           fg_slice_equal(method, FG_SLICE("OPTIONS"));
}

bool fg_rule_work_skipped(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    const struct fg_batch *batch = c->batch;
    uint32_t row = FG_TREE_NONE;
    if (!step || step->service.size == 0)
        return false;
    for (uint32_t i = 0; i < batch->span_count; i++)
        if (c->mine[i] &&
            (batch->kind[i] == FG_SPAN_KIND_SERVER || batch->kind[i] == FG_SPAN_KIND_CONSUMER) &&
            batch->end_ns[i] != 0 && !fg_case_failed(c, i) && !only_reads(c, i) &&
            batch->end_ns[i] > from_ns(c) && fg_slice_equal(fg_case_service(c, i), step->service))
            row = i;
    if (row == FG_TREE_NONE)
        return false;
    struct fg_slice name = fg_case_name(c, row);
    struct fg_hop_signs hops =
        fg_neighbours_hops(c->neighbours, c->flow_index, c->expected_step, from_ns(c));
    struct fg_finding finding = {
        .state = FG_JOURNEY_STUCK,
        .place = {FG_PLACE_APPLICATION, step->service, name},
        .cause = FG_CAUSE_WORK_SKIPPED,
        .since_ns = batch->end_ns[row],
        .confidence = hops.count > 0 ? 0.75 : 0.55,
        .text = fg_case_say(c, "%.*s answered %.*s as if all were well, but did not do its work",
                            FG_SAY(step->service), FG_SAY(name)),
        .next = fg_case_say(c, "Look at what %.*s of %.*s does in this case", FG_SAY(name),
                            FG_SAY(step->service))};
    fg_finding_span(
        c, &finding, row,
        fg_case_say(c, "it ended well, and the step \"%.*s\" did not follow", FG_SAY(step->label)));
    if (hops.count > 0)
        fg_finding_count(&finding, hops.count, FG_SLICE("others of late did reach this step"));
    *ret_finding = finding;
    return true;
}

void fg_rule_nothing(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    struct fg_finding finding = {
        .state = FG_JOURNEY_LATE,
        .place = {.kind = FG_PLACE_UNKNOWN, .service = step ? step->service : (struct fg_slice){0}},
        .cause = FG_CAUSE_NOT_ENOUGH_EVIDENCE,
        .since_ns = from_ns(c),
        .confidence = 0.3,
        .text = step ? fg_case_say(c, "the step \"%.*s\" did not come, and no span says why",
                                   FG_SAY(step->label))
                     : FG_SLICE("no span says what stopped it"),
        .next = step && step->service.size > 0
                    ? fg_case_say(c, "Look at %.*s; more of its work traced would tell",
                                  FG_SAY(step->service))
                    : FG_SLICE("Look at the last trace")};
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step that was seen"));
    count_waiting(c, &finding);
    *ret_finding = finding;
}

/* -- Pages */

bool fg_rule_page_disagrees(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_batch *batch = c->batch;
    uint32_t shown = FG_TREE_NONE, told = FG_TREE_NONE;
    if (c->shown_id == 0 || c->status_id == 0)
        return false;
    for (uint32_t row = 0; row < batch->span_count; row++)
        if (c->mine[row] && fg_case_attr(c, row, c->shown_id).size > 0 &&
            (shown == FG_TREE_NONE || batch->start_ns[row] >= batch->start_ns[shown]))
            shown = row;
    if (shown == FG_TREE_NONE)
        return false;
    struct fg_slice on_page = fg_case_attr(c, shown, c->shown_id);
    uint64_t shown_ns = fg_case_moment(c, shown);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct fg_slice status = fg_case_attr(c, row, c->status_id);
        if (!c->mine[row] || status.size == 0 || row == shown)
            continue;
        uint64_t moment_ns = fg_case_moment(c, row);
        bool is_near = moment_ns + SLACK_NS > shown_ns && moment_ns < shown_ns + SLACK_NS;
        if (is_near && fg_slice_equal(status, on_page))
            return false; /* it changed as the page was drawn */
        if (moment_ns + SLACK_NS <= shown_ns &&
            (told == FG_TREE_NONE || moment_ns > fg_case_moment(c, told)))
            told = row;
    }
    if (told == FG_TREE_NONE || fg_slice_equal(fg_case_attr(c, told, c->status_id), on_page))
        return false;
    struct fg_slice service = fg_case_service(c, shown);
    struct fg_finding finding = {
        .state = FG_JOURNEY_STUCK,
        .place = {FG_PLACE_PAGE, service, fg_case_name(c, shown)},
        .cause = FG_CAUSE_STATE_DISAGREES,
        .since_ns = shown_ns,
        .confidence = 0.85,
        .text = fg_case_say(c, "the page %.*s shows %.*s, but %.*s had said %.*s before",
                            FG_SAY(service), FG_SAY(on_page), FG_SAY(fg_case_service(c, told)),
                            FG_SAY(fg_case_attr(c, told, c->status_id))),
        .next = FG_SLICE("Reload the page; if it still disagrees, look at where it reads from")};
    fg_finding_span(c, &finding, shown, FG_SLICE("what the page showed"));
    fg_finding_span(c, &finding, told, FG_SLICE("what the service had said"));
    *ret_finding = finding;
    return true;
}
