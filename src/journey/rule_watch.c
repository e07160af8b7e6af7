/* What monitors add: the reason that no span knows (who blocks a query, that a commit waits for a
 * replica that is gone, that a queue has no consumer), and a place for a journey that is silent.
 *
 * A sign explains what it touches in time. It replaces a cause only where spans leave it open (a
 * query that hangs has many reasons); what a component's own error says is only made more certain.
 * Standing findings alone break no order: they count where a query, a commit or a read of just that
 * component is what the journey waits for. */
#include "base/limits.h"
#include "base/units.h"
#include "evidence.h"
#include "rules.h"

#include <stdio.h>

/* A monitor looks every few seconds: what it sees may have begun so much later than the span tells.
 */
#define NEAR_NS (60 * FG_NS_PER_SECOND)
/* What a look had found to be over before the span began is not why; clocks differ by less. */
#define SLACK_NS (3 * FG_NS_PER_SECOND)

static struct fg_slice text_of(const struct fg_case *c, const struct fg_watch_sign *sign)
{
    return fg_arena_copy(c->arena, fg_slice(sign->text, sign->text_size));
}

void fg_finding_sign(const struct fg_case *c, struct fg_finding *finding,
                     const struct fg_watch_sign *sign)
{
    if (finding->evidence_count == FG_EVIDENCE_MAX)
        return;
    struct fg_slice monitor = fg_watch_slice(&sign->monitor);
    finding->evidence[finding->evidence_count++] =
        (struct fg_evidence){.trace_id_high = sign->trace_id_high,
                             .trace_id_low = sign->trace_id_low,
                             .span_id = sign->span_id,
                             .text = fg_case_say(c, "monitor %.*s: %.*s", FG_SAY(monitor),
                                                 (int)sign->text_size, sign->text)};
}

uint32_t fg_case_signs(const struct fg_case *c, uint32_t row, struct fg_watch_sign *ret_signs)
{
    struct fg_watch_where where = fg_case_where(c, row);
    uint64_t from_ns = c->batch->start_ns[row],
             to_ns = c->batch->end_ns[row] ? c->batch->end_ns[row] + NEAR_NS : c->now_ns;
    if (!c->watch || where.kind == FG_PLACE_NONE)
        return 0;
    return fg_watch_signs(c->watch, &where, from_ns > SLACK_NS ? from_ns - SLACK_NS : 0, to_ns,
                          ret_signs);
}

/* -- Databases */

bool fg_case_is_commit(const struct fg_case *c, uint32_t row)
{
    return fg_case_says(fg_case_text(c, row, FG_KEY_DB_OPERATION), "commit") ||
           fg_case_says(fg_case_name(c, row), "commit") ||
           fg_case_says(fg_case_text(c, row, FG_KEY_DB_QUERY), "commit");
}

static bool only_reads(const struct fg_case *c, uint32_t row)
{
    return fg_case_says(fg_case_text(c, row, FG_KEY_DB_OPERATION), "select") ||
           fg_case_says(fg_case_name(c, row), "select");
}

/* How well a sign tells why a query does not come back; 0: it does not. */
static unsigned rank_of_wait(const struct fg_case *c, uint32_t row, enum fg_cause cause)
{
    switch (cause) {
    case FG_CAUSE_UNREACHABLE:
        return 9;
    case FG_CAUSE_REPLICA_LAG: /* a synchronous commit waits for it */
        return fg_case_is_commit(c, row) ? 8 : 0;
    case FG_CAUSE_REPLICA_MISSING:
        return fg_case_is_commit(c, row) ? 7 : only_reads(c, row) ? 0 : 2;
    case FG_CAUSE_LOCK_WAIT:
        return fg_case_is_commit(c, row) ? 0 : 5;
    case FG_CAUSE_OUT_OF_SPACE:
        return 4;
    case FG_CAUSE_SLOW_QUERY:
        return fg_case_is_commit(c, row) ? 0 : 3;
    case FG_CAUSE_CONNECTION_LIMIT:
        return 1;
    default:
        return 0;
    }
}

/* What a sign may replace: a cause that was taken since none was known. */
static bool is_open_question(enum fg_cause cause)
{
    return cause == FG_CAUSE_SLOW_QUERY || cause == FG_CAUSE_HUNG || cause == FG_CAUSE_SLOW ||
           cause == FG_CAUSE_ERROR;
}

static void say_database(const struct fg_case *c, uint32_t row, const struct fg_watch_sign *sign,
                         struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, row), peer = finding->place.service;
    const char *what =
        sign->cause == FG_CAUSE_LOCK_WAIT          ? "waits behind a lock"
        : sign->cause == FG_CAUSE_REPLICA_MISSING  ? "waits for a replica that is not there"
        : sign->cause == FG_CAUSE_REPLICA_LAG      ? "waits for a replica that lags behind"
        : sign->cause == FG_CAUSE_UNREACHABLE      ? "gets no answer"
        : sign->cause == FG_CAUSE_OUT_OF_SPACE     ? "finds it without space"
        : sign->cause == FG_CAUSE_CONNECTION_LIMIT ? "finds its connections used up"
                                                   : "is slow";
    finding->text = fg_case_say(c, "work of %.*s on the database %.*s %s (%.*s)", FG_SAY(service),
                                FG_SAY(peer), what, FG_SAY(text_of(c, sign)));
}

/* A statement that runs long, and is not said to be of the service that waits, may be what holds a
 * lock: the next look tells. */
static bool is_of_another(const struct fg_case *c, uint32_t row, const struct fg_watch_sign *sign)
{
    char service[FG_WATCH_TEXT_SIZE_MAX];
    snprintf(service, sizeof service, "%.*s", FG_SAY(fg_case_service(c, row)));
    return sign->cause == FG_CAUSE_SLOW_QUERY && !fg_case_says(text_of(c, sign), service);
}

static void explain_database(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    uint32_t count = fg_case_signs(c, row, signs), best = 0;
    unsigned rank = 0;
    bool is_open = is_open_question(finding->cause) ||
                   (finding->cause == FG_CAUSE_REPLICA_MISSING && c->batch->end_ns[row] == 0);
    for (uint32_t i = 0; i < count; i++) {
        if (signs[i].cause == finding->cause && !is_open) {
            fg_finding_sign(c, finding, &signs[i]);
            finding->confidence = 0.97;
            return;
        }
        unsigned of_this = rank_of_wait(c, row, signs[i].cause);
        if (of_this > rank) {
            rank = of_this;
            best = i;
        }
    }
    if (rank == 0 || !is_open)
        return;
    finding->cause = signs[best].cause;
    bool is_sure = !signs[best].is_unsure && rank > 2 && !is_of_another(c, row, &signs[best]);
    finding->confidence = is_sure ? 0.93 : 0.75;
    say_database(c, row, &signs[best], finding);
    fg_finding_sign(c, finding, &signs[best]);
}

/* -- Others */

/* A sign of one of these causes, the first of them that there is. */
static const struct fg_watch_sign *find_sign(const struct fg_watch_sign *signs, uint32_t count,
                                             const enum fg_cause *causes, size_t cause_count)
{
    for (size_t k = 0; k < cause_count; k++)
        for (uint32_t i = 0; i < count; i++)
            if (signs[i].cause == causes[k])
                return &signs[i];
    return NULL;
}

/* A quota and a storage class are a bucket's own; a store that is down is down for all. */
static uint32_t leave_out_other_buckets(const struct fg_case *c, uint32_t row,
                                        struct fg_watch_sign *signs, uint32_t count)
{
    struct fg_slice bucket = fg_case_text(c, row, FG_KEY_S3_BUCKET);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct fg_slice name = fg_watch_slice(&signs[i].name);
        bool is_other = name.size > 0 && bucket.size > 0 && !fg_slice_equal(name, bucket);
        if (!is_other || signs[i].cause == FG_CAUSE_UNREACHABLE)
            signs[kept++] = signs[i];
    }
    return kept;
}

static void explain_object_store(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    static const enum fg_cause causes[] = {FG_CAUSE_OUT_OF_SPACE, FG_CAUSE_UNREACHABLE,
                                           FG_CAUSE_SLOW};
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    uint32_t count = fg_case_signs(c, row, signs);
    count = leave_out_other_buckets(c, row, signs, count);
    const struct fg_watch_sign *same = find_sign(signs, count, &finding->cause, 1);
    const struct fg_watch_sign *sign = same ? same : find_sign(signs, count, causes, 3);
    if (!sign)
        return;
    if (!same && finding->cause != FG_CAUSE_SLOW)
        return;
    finding->cause = sign->cause;
    finding->confidence = 0.95;
    fg_finding_sign(c, finding, sign);
}

static void explain_publish(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    static const enum fg_cause causes[] = {FG_CAUSE_UNREACHABLE, FG_CAUSE_FULL};
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    uint32_t count = fg_case_signs(c, row, signs);
    const struct fg_watch_sign *same = find_sign(signs, count, &finding->cause, 1);
    const struct fg_watch_sign *sign = same ? same : find_sign(signs, count, causes, 2);
    if (!sign)
        return;
    if (!same && finding->cause != FG_CAUSE_ERROR)
        return;
    if (!same) {
        finding->place.kind = FG_PLACE_BROKER;
        finding->place.service = fg_case_peer(c, row, FG_KEY_MESSAGING_SYSTEM);
        finding->cause = sign->cause;
        finding->text = fg_case_say(c, "the broker %.*s takes no messages of %.*s (%.*s)",
                                    FG_SAY(finding->place.service), FG_SAY(fg_case_service(c, row)),
                                    FG_SAY(text_of(c, sign)));
    }
    finding->confidence = 0.96;
    fg_finding_sign(c, finding, sign);
}

void fg_finding_explain(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    if (!c->watch)
        return;
    if (finding->place.kind == FG_PLACE_DATABASE)
        explain_database(c, row, finding);
    else if (finding->place.kind == FG_PLACE_OBJECT_STORE)
        explain_object_store(c, row, finding);
    else if (c->component[row] == FG_PLACE_PRODUCER || finding->place.kind == FG_PLACE_BROKER)
        explain_publish(c, row, finding);
}

/* -- A journey that is silent */

/* From a sign of a component to the verdict's words. False where it does not stop an order. */
static bool blame_sign(const struct fg_case *c, const struct fg_watch_sign *sign,
                       struct fg_slice service, struct fg_finding *finding)
{
    struct fg_slice monitor = fg_watch_slice(&sign->monitor),
                    address = fg_watch_slice(&sign->address), name = fg_watch_slice(&sign->name);
    struct fg_slice peer = address.size == 0 ? monitor
                           : sign->port ? fg_case_say(c, "%.*s:%u", FG_SAY(address), sign->port)
                                        : address;
    enum fg_place_kind kind = sign->kind;
    if (kind == FG_PLACE_PROCESS || kind == FG_PLACE_APPLICATION)
        peer = service;
    if (sign->cause == FG_CAUSE_GONE || sign->cause == FG_CAUSE_FALLING_BEHIND) {
        kind = FG_PLACE_CONSUMER;
        peer = service;
    }
    if (sign->cause == FG_CAUSE_WRONG_ROUTE)
        kind = FG_PLACE_PRODUCER;
    finding->place = (struct fg_place){kind, fg_arena_copy(c->arena, peer),
                                       name.size > 0 ? fg_arena_copy(c->arena, name) : name};
    finding->cause = sign->cause;
    finding->text =
        sign->text_size > 0
            ? fg_case_say(c, "%.*s stands still, and at %.*s %.*s", FG_SAY(service),
                          FG_SAY(monitor), (int)sign->text_size, sign->text)
            : fg_case_say(c, "%.*s stands still, and the monitor %.*s finds something wrong",
                          FG_SAY(service), FG_SAY(monitor));
    finding->next = fg_case_say(c, "Look at %.*s", FG_SAY(monitor));
    fg_finding_sign(c, finding, sign);
    return true;
}

/* What stops work most surely; 0: it marks the place, and stops nothing by itself. */
static unsigned rank_of_stop(const struct fg_watch_sign *sign)
{
    if (sign->is_standing || sign->is_unsure)
        return 0;
    switch (sign->cause) {
    case FG_CAUSE_DIED:
        return 9;
    case FG_CAUSE_UNREACHABLE:
        return 8;
    case FG_CAUSE_GONE:
        return 7;
    case FG_CAUSE_WRONG_ROUTE:
        return 6;
    case FG_CAUSE_FULL:
    case FG_CAUSE_OUT_OF_SPACE:
        return 5;
    case FG_CAUSE_CONNECTION_LIMIT:
    case FG_CAUSE_LOCK_WAIT:
    case FG_CAUSE_REPLICA_MISSING: /* commits wait for one */
        return 4;
    case FG_CAUSE_FALLING_BEHIND:
        return 3;
    case FG_CAUSE_SLOW_QUERY:
    case FG_CAUSE_SLOW:
        return 2;
    default:
        return 0;
    }
}

/* A store that is full stops those who write to it. Who takes messages since then goes on all the
 * same: as a rule it only reads there. */
static bool goes_on(const struct fg_case *c, struct fg_slice service,
                    const struct fg_watch_sign *sign)
{
    return sign->kind == FG_PLACE_OBJECT_STORE && sign->cause == FG_CAUSE_OUT_OF_SPACE &&
           fg_neighbours_service(c->neighbours, service).consumed_ns > sign->from_ns + SLACK_NS;
}

/* is_past: also what is over by now. A process that died is not well because another runs. */
static void keep_better(const struct fg_case *c, struct fg_slice service,
                        struct fg_watch_sign *best, const struct fg_watch_sign *signs,
                        uint32_t count, bool is_past, bool *ret_is_better)
{
    *ret_is_better = false;
    for (uint32_t i = 0; i < count; i++)
        if (!goes_on(c, service, &signs[i]) &&
            (is_past || signs[i].until_ns == 0 || signs[i].cause == FG_CAUSE_DIED) &&
            rank_of_stop(&signs[i]) > (best->cause ? rank_of_stop(best) : 0)) {
            *best = signs[i];
            *ret_is_better = true;
        }
}

static bool find_service_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                              bool is_past, struct fg_watch_sign *ret_sign)
{
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX], best = {.cause = FG_CAUSE_NONE};
    bool is_better;
    if (!c->watch || service.size == 0)
        return false;
    uint32_t count = fg_watch_service_signs(c->watch, service, from_ns, c->now_ns, signs);
    keep_better(c, service, &best, signs, count, is_past, &is_better);
    *ret_sign = best;
    return best.cause != FG_CAUSE_NONE;
}

bool fg_find_part_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                       struct fg_watch_sign *ret_sign)
{
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    const struct fg_watch_sign *best = NULL;
    if (!c->watch || service.size == 0)
        return false;
    uint32_t count = fg_watch_service_signs(c->watch, service, from_ns, c->now_ns, signs);
    for (uint32_t i = 0; i < count; i++) {
        bool is_part = signs[i].kind == FG_PLACE_DATABASE || signs[i].kind == FG_PLACE_OBJECT_STORE;
        if (signs[i].until_ns == 0 && !is_part && signs[i].kind != FG_PLACE_BROKER &&
            rank_of_stop(&signs[i]) > 0)
            return false; /* it is itself what is wrong */
        if (signs[i].until_ns == 0 && is_part && rank_of_stop(&signs[i]) > 0 &&
            !goes_on(c, service, &signs[i]) &&
            (!best || rank_of_stop(&signs[i]) > rank_of_stop(best)))
            best = &signs[i];
    }
    for (uint32_t i = 0; best && best->cause == FG_CAUSE_REPLICA_MISSING && i < count; i++)
        if (signs[i].cause == FG_CAUSE_REPLICA_LAG && signs[i].until_ns == 0 &&
            signs[i].port == best->port &&
            fg_slice_equal(fg_watch_slice(&signs[i].address), fg_watch_slice(&best->address)))
            best = &signs[i]; /* it is there, and late */
    if (best)
        *ret_sign = *best;
    return best != NULL;
}

bool fg_find_service_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                          struct fg_watch_sign *ret_sign)
{
    return find_service_sign(c, service, from_ns, true, ret_sign);
}

bool fg_rule_watched(const struct fg_case *c, bool is_past, struct fg_finding *ret_finding)
{
    const struct fg_flow_step *step =
        c->flow && c->expected_step != FG_FLOW_STEP_NONE ? &c->flow->steps[c->expected_step] : NULL;
    uint64_t from_ns =
        c->last_step == FG_FLOW_STEP_NONE ? c->first_ns : c->reached_ns[c->last_step];
    struct fg_watch_sign sign;
    struct fg_slice service = step ? step->service : (struct fg_slice){0};
    bool found = find_service_sign(c, service, from_ns, is_past, &sign);
    /* then those through whose hands it went last */
    uint32_t last = FG_TREE_NONE;
    for (uint32_t row = 0; !found && row < c->batch->span_count; row++)
        if (c->mine[row] && fg_case_moment(c, row) + NEAR_NS >= c->last_ns &&
            find_service_sign(c, fg_case_service(c, row), from_ns, is_past, &sign)) {
            found = true;
            last = row;
        }
    if (!found)
        return false;
    if (last != FG_TREE_NONE)
        service = fg_case_service(c, last);
    struct fg_finding finding = {.state = FG_JOURNEY_STUCK,
                                 .since_ns = sign.from_ns > from_ns ? sign.from_ns : from_ns,
                                 .confidence = last == FG_TREE_NONE ? 0.7 : 0.6};
    blame_sign(c, &sign, service, &finding);
    if (c->last_step != FG_FLOW_STEP_NONE)
        fg_finding_span(c, &finding, c->reached_row[c->last_step],
                        FG_SLICE("the last step that was seen"));
    *ret_finding = finding;
    return true;
}

bool fg_find_replica_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                          struct fg_watch_sign *ret_sign)
{
    struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
    if (!c->watch || service.size == 0)
        return false;
    uint32_t count = fg_watch_service_signs(c->watch, service, from_ns, c->now_ns, signs);
    for (uint32_t i = 0; i < count; i++)
        if (signs[i].until_ns == 0 && (signs[i].cause == FG_CAUSE_REPLICA_MISSING ||
                                       signs[i].cause == FG_CAUSE_REPLICA_LAG)) {
            *ret_sign = signs[i];
            return true;
        }
    return false;
}

void fg_finding_blame_sign(const struct fg_case *c, const struct fg_watch_sign *sign,
                           struct fg_slice service, struct fg_finding *finding)
{
    (void)blame_sign(c, sign, service, finding);
}

/* A service that hangs, while something that it uses is wrong. */
void fg_finding_explain_service(const struct fg_case *c, struct fg_slice service,
                                struct fg_finding *finding)
{
    struct fg_watch_sign sign;
    uint64_t from_ns = finding->since_ns > SLACK_NS ? finding->since_ns - SLACK_NS : 0;
    if (!fg_find_service_sign(c, service, from_ns, &sign))
        return;
    blame_sign(c, &sign, service, finding);
    finding->confidence = 0.8;
}

/* -- What was watched and well, or not watched, where nothing else is known */

/* The checks of the parts that were in this state then. */
struct watched {
    struct fg_query_text query;
    uint32_t count;
};

static void watched_begin(const struct fg_case *c, struct watched *watched)
{
    watched->count = 0;
    fg_query_text_begin(c, &watched->query);
    fg_query_text_is(&watched->query, "service", FG_SLICE(FG_MONITOR_SERVICE));
    fg_query_text_any(&watched->query);
}

static void watched_add(struct watched *watched, struct fg_slice address)
{
    watched->count++;
    fg_query_text_is(&watched->query, "server.address", address);
}

static void watched_tell(struct watched *watched, struct fg_finding *finding, struct fg_slice text)
{
    if (watched->count > 0)
        fg_finding_count(finding, watched->count, text, fg_query_text_end(&watched->query));
}

void fg_finding_watched(const struct fg_case *c, uint64_t at_ns, struct fg_finding *finding)
{
    struct watched well, gaps;
    watched_begin(c, &well);
    watched_begin(c, &gaps);
    for (uint32_t row = 0; c->watch && row < c->batch->span_count; row++) {
        struct fg_watch_where where = fg_case_where(c, row);
        bool is_new = c->mine[row] && where.kind != FG_PLACE_NONE && where.address.size > 0;
        for (uint32_t other = 0; is_new && other < row; other++) {
            struct fg_watch_where before = fg_case_where(c, other);
            is_new = !c->mine[other] || before.kind != where.kind || before.port != where.port ||
                     !fg_slice_equal(before.address, where.address);
        }
        if (!is_new)
            continue;
        enum fg_watch_state state = fg_watch_state(c->watch, &where, at_ns);
        if (state == FG_WATCH_OK)
            watched_add(&well, where.address);
        else if (state == FG_WATCH_GAP)
            watched_add(&gaps, where.address);
    }
    watched_tell(&well, finding, FG_SLICE("parts that it used were watched, and well"));
    watched_tell(&gaps, finding,
                 FG_SLICE("parts that it used have a monitor that did not look then"));
}
