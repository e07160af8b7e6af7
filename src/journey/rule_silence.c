/* The rules for a journey that goes no further although nothing failed: what was the last thing
 * that happened, and what do the neighbours say. */
#include "base/limits.h"
#include "base/units.h"
#include "evidence.h"
#include "rules.h"
#include "store/instances.h"

/* Clocks of two machines differ, and spans come late: a moment is not later by less than this. */
#define SLACK_NS (3 * FG_NS_PER_SECOND)
/* Others that began later and arrived, from which on a message counts as overtaken: a prefetch and
 * a redelivery may let some pass. */
#define OVERTAKEN_MIN 5u
/* A deadline that so many did not keep, and went well, says nothing when it passes. */
#define TIGHT_SHARE 0.5
/* Of OTLP's Span.flags (trace.proto): W3C's sampled flag, and that the flags were recorded. */
#define FLAG_SAMPLED    1u
#define FLAGS_ARE_KNOWN 0x100u

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
        .tenant = c->tenant, .service = service, .from_ns = from_ns(c), .to_ns = c->now_ns};
    if (c->instances && service.size > 0)
        fg_instances_sum(c->instances, &filter, c->now_ns, &sum);
    return sum;
}

/* Who stands is in no span: the query leads to all that came as far. */
static void count_waiting(const struct fg_case *c, struct fg_finding *finding)
{
    if (c->waiting_count > 0)
        fg_finding_count(finding, c->waiting_count, FG_SLICE("others stand at the same step"),
                         fg_query_of_step(c, c->last_step));
}

/* -- A person */

bool fg_rule_person(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    if (!step || step->human.size == 0)
        return false;
    struct fg_finding finding = {.state = FG_JOURNEY_WAITING,
                                 .place = {FG_PLACE_PERSON, step->human, step->name},
                                 .cause = FG_CAUSE_WAITING,
                                 .since_ns = from_ns(c),
                                 .confidence = 0.9,
                                 .text = step->waits,
                                 .next = fg_case_say(c, "Ask %.*s", FG_SAY(step->human))};
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step before it"));
    struct fg_hop_signs hops =
        fg_neighbours_hops(c->neighbours, c->flow_index, c->expected_step, finding.since_ns);
    if (hops.count > 0)
        fg_finding_count(&finding, hops.usual_ns / FG_NS_PER_SECOND,
                         FG_SLICE("seconds are usual for this step"),
                         fg_query_of_step(c, c->expected_step));
    count_waiting(c, &finding);
    /* who reads from a replica that is gone or lags does not see that he has to act */
    struct fg_watch_sign sign;
    if (fg_find_replica_sign(c, step->service, finding.since_ns, &sign)) {
        fg_finding_blame_sign(c, &sign, step->service, &finding);
        finding.confidence = 0.6;
        finding.text =
            fg_case_say(c, "%.*s has to act (%.*s), but may not see it: %.*s", FG_SAY(step->human),
                        FG_SAY(step->label), (int)sign.text_size, sign.text);
    }
    *ret_finding = finding;
    return true;
}

/* -- Work that does not end */

static void blame_wait(const struct fg_case *c, uint32_t row, struct fg_slice age,
                       struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, row), name = fg_case_name(c, row),
                    peer = fg_case_peer(c, row, FG_KEY_SERVER_ADDRESS);
    struct fg_watch_where where = fg_case_where(c, row);
    struct fg_watch_text answers = {0};
    if (c->watch && where.kind == FG_PLACE_APPLICATION && peer.size > 0)
        answers = fg_watch_answers(c->watch, &where);
    if (peer.size > 0 && c->batch->kind[row] == FG_SPAN_KIND_CLIENT) {
        if (answers.size > 0)
            peer = fg_arena_copy(c->arena, fg_watch_slice(&answers));
        finding->place = (struct fg_place){FG_PLACE_PROCESS, peer, name};
        finding->cause = FG_CAUSE_HUNG;
        finding->text = fg_case_say(c, "%.*s has waited for an answer of %.*s for %.*s",
                                    FG_SAY(service), FG_SAY(peer), FG_SAY(age));
        finding->next = fg_case_say(c, "Look at what %.*s does", FG_SAY(peer));
        finding->confidence = 0.7;
        fg_finding_explain_service(c, peer, finding);
        return;
    }
    finding->place = (struct fg_place){FG_PLACE_PROCESS, service, name};
    finding->cause = FG_CAUSE_HUNG;
    finding->text = fg_case_say(c, "%.*s has worked on %.*s for %.*s and does not end",
                                FG_SAY(service), FG_SAY(name), FG_SAY(age));
    finding->next = fg_case_say(c, "Look at what the process of %.*s does", FG_SAY(service));
}

/* Nothing that a person has begun should take longer than the flow gives a machine. */
bool fg_rule_slow_work(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    uint64_t within_ns = c->flow && c->flow->within_ns ? c->flow->within_ns : 15 * FG_NS_PER_SECOND;
    struct fg_finding finding;
    if (!step || step->human.size == 0 || !fg_rule_hung(c, &finding) ||
        finding.since_ns + within_ns > c->now_ns)
        return false;
    *ret_finding = finding;
    return true;
}

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
    struct fg_slice service = fg_case_service(c, row),
                    age = say_duration(c, c->now_ns - batch->start_ns[row]);
    struct fg_finding finding = {
        .state = FG_JOURNEY_STUCK, .since_ns = batch->start_ns[row], .confidence = 0.8};
    fg_finding_span(c, &finding, row, FG_SLICE("it began and has not ended"));
    if (c->component[row] == FG_PLACE_DATABASE) {
        struct fg_slice peer = fg_case_peer(c, row, FG_KEY_DB_NAMESPACE);
        finding.place =
            (struct fg_place){FG_PLACE_DATABASE, peer, fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
        finding.cause = FG_CAUSE_SLOW_QUERY;
        finding.confidence = 0.6;
        finding.text = fg_case_say(c, "a query of %.*s to the database %.*s has run for %.*s",
                                   FG_SAY(service), FG_SAY(peer), FG_SAY(age));
        finding.next = fg_case_say(c, "Look at the queries and locks of %.*s", FG_SAY(peer));
        if (fg_case_is_commit(c, row)) {
            finding.cause = FG_CAUSE_REPLICA_MISSING;
            finding.confidence = 0.5;
            finding.text = fg_case_say(c,
                                       "a commit of %.*s in the database %.*s has not ended for "
                                       "%.*s: as a rule it waits for a "
                                       "synchronous replica that is gone or lags",
                                       FG_SAY(service), FG_SAY(peer), FG_SAY(age));
            finding.next = fg_case_say(c, "Look at the replicas of %.*s", FG_SAY(peer));
        }
    } else if (c->component[row] == FG_PLACE_OBJECT_STORE) {
        struct fg_slice peer = fg_case_peer(c, row, FG_KEY_S3_BUCKET);
        finding.place =
            (struct fg_place){FG_PLACE_OBJECT_STORE, peer, fg_case_text(c, row, FG_KEY_S3_BUCKET)};
        finding.cause = FG_CAUSE_SLOW;
        finding.confidence = 0.7;
        finding.text = fg_case_say(c, "the object store %.*s has not answered %.*s for %.*s",
                                   FG_SAY(peer), FG_SAY(service), FG_SAY(age));
        finding.next = fg_case_say(c, "Look at the object store %.*s", FG_SAY(peer));
    } else {
        blame_wait(c, row, age, &finding);
    }
    fg_finding_explain(c, row, &finding);
    *ret_finding = finding;
    return true;
}

/* -- A message on its way */

/* What the broker's monitors saw of the queue while the message was on its way. */
static bool blame_by_monitor(const struct fg_case *c, uint32_t row, struct fg_slice consumer,
                             struct fg_finding *finding)
{
    static const struct {
        enum fg_cause cause;
        enum fg_place_kind kind;
        enum fg_journey_state state;
        double confidence;
        const char *format;
    } says[] = {
        {FG_CAUSE_UNREACHABLE, FG_PLACE_BROKER, FG_JOURNEY_STUCK, 0.95,
         "the broker %.*s is down, with the message in it"},
        {FG_CAUSE_WRONG_ROUTE, FG_PLACE_PRODUCER, FG_JOURNEY_BROKEN, 0.93,
         "no binding leads the message of %.*s to a queue"},
        {FG_CAUSE_GONE, FG_PLACE_CONSUMER, FG_JOURNEY_STUCK, 0.95,
         "%.*s reads nothing from the queue any more: it has no consumer"},
        {FG_CAUSE_FULL, FG_PLACE_BROKER, FG_JOURNEY_STUCK, 0.85,
         "the broker %.*s is full: it blocks or drops messages"},
        {FG_CAUSE_FALLING_BEHIND, FG_PLACE_CONSUMER, FG_JOURNEY_LATE, 0.93,
         "%.*s falls behind: the message still waits in its queue"},
    };
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    struct fg_watch_where where = fg_case_where(c, row);
    uint64_t sent_ns = fg_case_moment(c, row);
    if (!c->watch)
        return false;
    struct fg_watch_text queue = fg_watch_queue(c->watch, consumer);
    where.name = fg_watch_slice(&queue);
    uint32_t count = fg_watch_signs(c->watch, &where, sent_ns, c->now_ns, signs);
    for (size_t k = 0; k < sizeof says / sizeof *says; k++)
        for (uint32_t i = 0; i < count; i++) {
            if (signs[i].cause != says[k].cause)
                continue;
            struct fg_slice broker = fg_case_peer(c, row, FG_KEY_MESSAGING_SYSTEM),
                            who = says[k].kind == FG_PLACE_BROKER     ? broker
                                  : says[k].kind == FG_PLACE_PRODUCER ? fg_case_service(c, row)
                                                                      : consumer;
            struct fg_slice name = fg_watch_slice(&signs[i].name);
            finding->state = says[k].state;
            finding->place =
                (struct fg_place){says[k].kind, who,
                                  name.size > 0 ? fg_arena_copy(c->arena, name)
                                                : fg_case_text(c, row, FG_KEY_DESTINATION)};
            finding->cause = says[k].cause;
            finding->confidence = says[k].confidence;
            finding->text = fg_case_say(c, says[k].format, FG_SAY(who));
            finding->next = fg_case_say(c, "Look at the queue %.*s in the broker, and at %.*s",
                                        FG_SAY(finding->place.name), FG_SAY(consumer));
            fg_finding_sign(c, finding, &signs[i]);
            return true;
        }
    return false;
}

/* The last message that was published and not consumed; FG_TREE_NONE. */
static uint32_t find_waiting(const struct fg_case *c)
{
    uint32_t row = FG_TREE_NONE;
    for (uint32_t i = 0; i < c->batch->span_count; i++)
        if (c->mine[i] && c->component[i] == FG_PLACE_PRODUCER && !fg_case_failed(c, i) &&
            fg_case_consumer(c, i) == FG_TREE_NONE &&
            (row == FG_TREE_NONE || c->batch->start_ns[i] > c->batch->start_ns[row]))
            row = i;
    if (row == FG_TREE_NONE || c->batch->start_ns[row] + SLACK_NS < from_ns(c))
        return FG_TREE_NONE;
    return row;
}

static void blame_route(const struct fg_case *c, uint32_t row, struct fg_slice consumer,
                        struct fg_finding *finding)
{
    struct fg_slice producer = fg_case_service(c, row),
                    destination = fg_case_text(c, row, FG_KEY_DESTINATION);
    finding->state = FG_JOURNEY_BROKEN;
    finding->place = (struct fg_place){FG_PLACE_PRODUCER, producer, destination};
    finding->cause = FG_CAUSE_WRONG_ROUTE;
    finding->confidence = 0.75;
    finding->text =
        fg_case_say(c, "a message of %.*s did not arrive at %.*s, though later ones did",
                    FG_SAY(producer), FG_SAY(consumer));
    finding->next =
        fg_case_say(c, "Compare its routing key with the bindings of %.*s", FG_SAY(destination));
}

static void blame_gone(const struct fg_case *c, uint32_t row, struct fg_slice consumer,
                       const struct fg_service_signs *signs, struct fg_finding *finding)
{
    struct fg_slice destination = fg_case_text(c, row, FG_KEY_DESTINATION);
    struct fg_instance_sum processes = instances_of(c, consumer);
    bool has_died =
        (signs->interrupted_ns + SLACK_NS > signs->heard_ns &&
         signs->interrupted_ns >= signs->consumed_ns) ||
        (processes.states[FG_INSTANCE_DIED] > 0 && processes.states[FG_INSTANCE_RUNNING] == 0);
    finding->state = FG_JOURNEY_STUCK;
    finding->place = (struct fg_place){FG_PLACE_CONSUMER, consumer, destination};
    finding->cause = FG_CAUSE_GONE;
    finding->confidence = has_died ? 0.9 : 0.8;
    finding->text = fg_case_say(c, "%.*s reads nothing from %.*s any more%s", FG_SAY(consumer),
                                FG_SAY(destination), has_died ? ": its process died" : "");
    finding->next =
        fg_case_say(c, "Look whether %.*s runs and is connected to the broker", FG_SAY(consumer));
}

/* Who takes nothing, or too little, since a database or an object store holds him up: the message
 * waits for that. */
static void blame_part(const struct fg_case *c, struct fg_slice consumer, uint64_t from_ns,
                       struct fg_finding *finding)
{
    struct fg_watch_sign sign;
    bool is_slow;
    if ((finding->cause != FG_CAUSE_GONE && finding->cause != FG_CAUSE_FALLING_BEHIND) ||
        !fg_find_part_sign(c, consumer, from_ns, &sign))
        return;
    is_slow = sign.cause == FG_CAUSE_SLOW_QUERY || sign.cause == FG_CAUSE_SLOW;
    finding->state = FG_JOURNEY_STUCK;
    fg_finding_blame_sign(c, &sign, consumer, finding);
    finding->confidence = is_slow ? 0.7 : 0.8;
}

/* A consumer that refuses all that it takes is not slow. */
static void count_failed(const struct fg_case *c, struct fg_slice consumer,
                         const struct fg_service_signs *signs, struct fg_finding *finding)
{
    struct fg_query_text text;
    if (signs->failed_count == 0 || finding->place.kind != FG_PLACE_CONSUMER)
        return;
    fg_query_text_begin(c, &text);
    fg_query_text_is(&text, "service", consumer);
    fg_query_text_condition(&text, "kind:consumer");
    fg_query_text_condition(&text, "status:error");
    fg_finding_count(
        finding, signs->failed_count,
        fg_case_say(c, "messages %.*s took in vain since it did one well", FG_SAY(consumer)),
        fg_query_text_end(&text));
}

bool fg_rule_queue(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    uint32_t row = find_waiting(c);
    if (row == FG_TREE_NONE || !step)
        return false;
    uint64_t sent_ns = fg_case_moment(c, row);
    struct fg_slice consumer = step->service,
                    destination = fg_case_text(c, row, FG_KEY_DESTINATION),
                    age = say_duration(c, c->now_ns > sent_ns ? c->now_ns - sent_ns : 0);
    struct fg_service_signs signs = fg_neighbours_service(c->neighbours, consumer);
    struct fg_hop_signs hops =
        fg_neighbours_hops(c->neighbours, c->flow_index, c->expected_step, from_ns(c));
    struct fg_finding finding = {.since_ns = sent_ns};
    fg_finding_span(c, &finding, row,
                    fg_case_say(c, "published to %.*s, not consumed in %.*s", FG_SAY(destination),
                                FG_SAY(age)));
    count_waiting(c, &finding);
    if (blame_by_monitor(c, row, consumer, &finding)) {
        blame_part(c, consumer, sent_ns, &finding);
        *ret_finding = finding;
        return true;
    }
    if (signs.heard_ns == 0)
        return false; /* not instrumented, as far as is known */
    if (hops.overtook >= OVERTAKEN_MIN) {
        blame_route(c, row, consumer, &finding);
        fg_finding_count(&finding, hops.overtook, FG_SLICE("that were sent later have arrived"),
                         fg_query_of_step(c, c->expected_step));
    } else if (signs.consumed_ns < sent_ns + SLACK_NS) {
        blame_gone(c, row, consumer, &signs, &finding);
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
    count_failed(c, consumer, &signs, &finding);
    blame_part(c, consumer, sent_ns, &finding);
    *ret_finding = finding;
    return true;
}

/* -- A deadline that is not kept as a rule */

bool fg_rule_deadline_tight(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    const struct fg_hop_deadline *hop = &c->hop;
    uint64_t begin_ns = c->deadline_ns - hop->ns;
    if (!step || hop->is_provisional || hop->longer_count < TIGHT_SHARE * hop->seen_count ||
        hop->seen_count == 0 || c->now_ns > begin_ns + hop->needed_ns)
        return false;
    struct fg_instance_sum processes = instances_of(c, step->service);
    if (processes.states[FG_INSTANCE_DIED] > 0 && processes.states[FG_INSTANCE_RUNNING] == 0)
        return false;
    struct fg_slice within = say_duration(c, hop->ns), needed = say_duration(c, hop->needed_ns);
    struct fg_finding finding = {
        .state = FG_JOURNEY_LATE,
        .place = {FG_PLACE_UNKNOWN, step->service, step->name},
        .cause = FG_CAUSE_DEADLINE_TOO_TIGHT,
        .since_ns = from_ns(c),
        .confidence = 0.5 + 0.3 * hop->seen_count / (hop->seen_count + 30.0),
        .text = fg_case_say(c,
                            "the deadline of %.*s for the step \"%.*s\" is tighter than what "
                            "orders need, which is up to %.*s",
                            FG_SAY(within), FG_SAY(step->label), FG_SAY(needed)),
        .next = fg_case_say(c,
                            "Wait until it has taken %.*s; give the step \"%.*s\" more time in the "
                            "flow",
                            FG_SAY(needed), FG_SAY(step->label))};
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step that was seen"));
    fg_finding_count(&finding, hop->longer_count,
                     fg_case_say(c,
                                 "of %u that went well took longer than the deadline to this "
                                 "step",
                                 hop->seen_count),
                     fg_query_of_step(c, c->expected_step));
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
            fg_finding_count(&finding, sum.lost[i], fg_slice_from_string(what[i]),
                             (struct fg_slice){0}); /* what was lost can't be found */
    }
    if (lost > 0)
        *ret_finding = finding;
    return lost > 0;
}

/* The least share of traces that is kept, as the journey's spans or those of a service say it; 1:
 * all, or nothing is said. *ret_row: the row that says it. */
static double sampled_share(const struct fg_case *c, struct fg_slice service, uint32_t *ret_row)
{
    const struct fg_batch *batch = c->batch;
    double least = 1, share = fg_neighbours_service(c->neighbours, service).sampled;
    if (share > 0)
        least = share;
    *ret_row = FG_TREE_NONE;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        if (!c->mine[row])
            continue;
        struct fg_slice rate = fg_case_text(c, row, FG_KEY_SAMPLE_RATE);
        uint64_t one_of = 0;
        for (size_t i = 0; i < rate.size && i < 9 && rate.data[i] >= '0' && rate.data[i] <= '9';
             i++)
            one_of = one_of * 10 + (uint64_t)(rate.data[i] - '0');
        share = fg_sampled_share(batch->strings[fg_column_u32(batch->trace_state, row)]);
        if (one_of > 1)
            share = 1 / (double)one_of;
        if (share > 0 && share < least) {
            least = share;
            *ret_row = row;
        }
    }
    return least;
}

/* The last span, where it was kept although its trace's context says that it is not sampled: who
 * continues the trace keeps nothing of it. */
static uint32_t find_unsampled(const struct fg_case *c)
{
    const struct fg_batch *batch = c->batch;
    uint32_t last = FG_TREE_NONE;
    for (uint32_t row = 0; row < batch->span_count; row++)
        if (c->mine[row] && (last == FG_TREE_NONE || batch->start_ns[row] > batch->start_ns[last]))
            last = row;
    uint32_t flags = last == FG_TREE_NONE ? 0 : fg_column_u32(batch->flags, last);
    return (flags & FLAGS_ARE_KNOWN) && (flags & FLAG_SAMPLED) == 0 ? last : FG_TREE_NONE;
}

bool fg_rule_sampled_out(const struct fg_case *c, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step = expected_of(c);
    uint32_t row, waiting = find_waiting(c), unsampled = find_unsampled(c);
    if (!step)
        return false;
    double share = sampled_share(c, step->service, &row);
    if (unsampled != FG_TREE_NONE) {
        share = 0;
        row = unsampled;
    }
    if (share > 0.99)
        return false;
    /* that a consumer takes nothing at all is seen at the share that is kept, too */
    if (waiting != FG_TREE_NONE && fg_neighbours_service(c->neighbours, step->service).consumed_ns <
                                       fg_case_moment(c, waiting) + SLACK_NS)
        return false;
    struct fg_finding finding = {
        .state = FG_JOURNEY_LATE,
        .place = {FG_PLACE_UNKNOWN, step->service, step->name},
        .cause = FG_CAUSE_SAMPLED_OUT,
        .since_ns = from_ns(c),
        .confidence = 0.35 + 0.5 * (1 - share),
        .text = fg_case_say(c,
                            "only %u of 100 traces are kept: the step \"%.*s\" may have been done "
                            "in one that was not",
                            (unsigned)(share * 100 + 0.5), FG_SAY(step->label)),
        .next =
            fg_case_say(c,
                        "Look at the order in %.*s itself; sample by the order, or keep all, to "
                        "see it here",
                        FG_SAY(step->service))};
    if (row != FG_TREE_NONE)
        fg_finding_span(c, &finding, row, FG_SLICE("this trace says how many are kept"));
    *ret_finding = finding;
    return true;
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

/* The client was told that nothing was done. */
static bool is_refusal(const struct fg_case *c, uint32_t row)
{
    struct fg_slice status = fg_case_text(c, row, FG_KEY_HTTP_STATUS);
    return status.size == 3 && status.data[0] == '4';
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
            batch->end_ns[i] != 0 && !fg_case_failed(c, i) && !is_refusal(c, i) &&
            !only_reads(c, i) && batch->end_ns[i] > from_ns(c) &&
            fg_slice_equal(fg_case_service(c, i), step->service))
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
        fg_finding_count(&finding, hops.count, FG_SLICE("others of late did reach this step"),
                         fg_query_of_step(c, c->expected_step));
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
    fg_finding_watched(c, c->deadline_ns, &finding);
    *ret_finding = finding;
}

/* -- Pages */

/* A page that reads from a replica shows what was. Where the database that its request read from,
 * or one that those services use, lags behind, the page is right about what it got. */
static void explain_page(const struct fg_case *c, uint32_t shown, struct fg_finding *finding)
{
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    const struct fg_batch *batch = c->batch;
    for (uint32_t row = 0; c->watch && row < batch->span_count; row++) {
        bool is_near = batch->start_ns[row] + 60 * FG_NS_PER_SECOND > batch->start_ns[shown] &&
                       batch->start_ns[row] < fg_case_moment(c, shown) + SLACK_NS;
        if (!c->mine[row] || c->component[row] != FG_PLACE_DATABASE || !is_near)
            continue;
        uint32_t count = fg_case_signs(c, row, signs);
        for (uint32_t i = 0; i < count; i++) {
            if (signs[i].cause != FG_CAUSE_REPLICA_LAG)
                continue;
            finding->place =
                (struct fg_place){FG_PLACE_DATABASE, fg_case_peer(c, row, FG_KEY_DB_NAMESPACE),
                                  fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
            finding->cause = FG_CAUSE_REPLICA_LAG;
            finding->text = fg_case_say(c, "%.*s, since a replica of the database %.*s lags behind",
                                        FG_SAY(finding->text), FG_SAY(finding->place.service));
            finding->next =
                fg_case_say(c, "Look at the replication of %.*s", FG_SAY(finding->place.service));
            finding->confidence = 0.9;
            fg_finding_sign(c, finding, &signs[i]);
            return;
        }
    }
}

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
    explain_page(c, shown, &finding);
    *ret_finding = finding;
    return true;
}
