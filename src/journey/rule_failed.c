/* The rule of the first cause: which of the spans that failed is where it began, what kind of place
 * that is, and what it died of. */
#include "rules.h"

void fg_finding_span(const struct fg_case *c, struct fg_finding *finding, uint32_t row,
                     struct fg_slice text)
{
    if (finding->evidence_count == FG_EVIDENCE_MAX)
        return;
    finding->evidence[finding->evidence_count++] =
        (struct fg_evidence){.trace_id_high = c->batch->trace_id_high[row],
                             .trace_id_low = c->batch->trace_id_low[row],
                             .span_id = c->batch->span_id[row],
                             .text = text};
}

void fg_finding_count(struct fg_finding *finding, uint64_t value, struct fg_slice text)
{
    if (finding->evidence_count < FG_EVIDENCE_MAX)
        finding->evidence[finding->evidence_count++] =
            (struct fg_evidence){.is_count = true, .value = value, .text = text};
}

/* -- Which span */

/* Whether the journey got over it: a later step was reached, or the same work was done later. */
static bool got_over(const struct fg_case *c, uint32_t row)
{
    const struct fg_batch *batch = c->batch;
    uint64_t failed_ns = fg_case_moment(c, row);
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++)
        if ((c->reached >> i & 1) && c->reached_ns[i] > failed_ns)
            return true;
    uint32_t entry = fg_case_entry(c, row);
    uint32_t work = entry == FG_TREE_NONE ? row : entry;
    if (!fg_case_failed(c, work))
        return false;
    for (uint32_t other = 0; other < batch->span_count; other++)
        if (c->mine[other] && batch->start_ns[other] > batch->start_ns[work] &&
            batch->end_ns[other] && !fg_case_failed(c, other) &&
            batch->name[other] == batch->name[work] && batch->kind[other] == batch->kind[work] &&
            fg_slice_equal(fg_case_service(c, other), fg_case_service(c, work)))
            return true;
    return false;
}

/* Whether who had asked for it, and was waiting, ended well: the failure was dealt with. Above a
 * consumer nobody waits. */
static bool was_handled(const struct fg_case *c, uint32_t row)
{
    bool handled = false;
    for (uint32_t at = row; at != FG_TREE_NONE; at = c->parent[at]) {
        bool is_entry = c->batch->kind[at] == FG_SPAN_KIND_SERVER ||
                        c->batch->kind[at] == FG_SPAN_KIND_CONSUMER;
        if (is_entry)
            handled = c->batch->end_ns[at] != 0 && !fg_case_failed(c, at);
        if (c->batch->kind[at] == FG_SPAN_KIND_CONSUMER)
            break;
    }
    return handled;
}

static uint32_t find_first(const struct fg_case *c, bool *ret_handled)
{
    uint32_t found = FG_TREE_NONE;
    bool found_handled = false;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        if (!c->mine[row] || !fg_case_failed(c, row) || c->has_failed_child[row] ||
            got_over(c, row))
            continue;
        bool handled = was_handled(c, row);
        bool is_better =
            found == FG_TREE_NONE || (found_handled && !handled) ||
            (found_handled == handled && fg_case_moment(c, row) < fg_case_moment(c, found));
        if (is_better) {
            found = row;
            found_handled = handled;
        }
    }
    *ret_handled = found_handled;
    return found;
}

/* -- What it died of */

/* What client libraries say when nobody answers: names of errno, of Node.js, Java, Python, Go. */
static bool says_unreachable(struct fg_slice type, struct fg_slice message)
{
    static const char *const words[] = {
        "ECONNREFUSED",          "ECONNRESET",         "ETIMEDOUT",
        "EHOSTUNREACH",          "ENOTFOUND",          "EPIPE",
        "connection_refused",    "connection refused", "connection reset",
        "could not connect",     "failed to connect",  "server closed the",
        "connection_timeout",    "ConnectException",   "ConnectionError",
        "connection terminated", "no route to host",   "couldn't connect",
        "couldnt_connect",       "name resolution",    "connection closed",
        "socket closed",         "broken pipe",        "connection timed out",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fg_case_says(type, words[i]) || fg_case_says(message, words[i]))
            return true;
    return false;
}

/* SQLSTATE classes of PostgreSQL's Appendix A. */
static enum fg_cause database_cause(struct fg_slice state, struct fg_slice type,
                                    struct fg_slice message)
{
    struct fg_slice class = fg_slice(state.data, state.size >= 2 ? 2 : 0);
    if (fg_slice_equal(state, FG_SLICE("53300")) || fg_case_says(message, "too many clients") ||
        fg_case_says(message, "too many connections") ||
        fg_case_says(message, "connection slots are reserved"))
        return FG_CAUSE_CONNECTION_LIMIT;
    if (fg_slice_equal(state, FG_SLICE("55P03")) || fg_slice_equal(state, FG_SLICE("40P01")) ||
        fg_case_says(message, "lock timeout"))
        return FG_CAUSE_LOCK_WAIT;
    if (fg_slice_equal(state, FG_SLICE("57014")) || fg_case_says(message, "statement timeout"))
        return FG_CAUSE_SLOW_QUERY;
    if (fg_slice_equal(class, FG_SLICE("08")) || fg_slice_equal(state, FG_SLICE("57P01")) ||
        fg_slice_equal(state, FG_SLICE("57P02")) || fg_slice_equal(state, FG_SLICE("57P03")))
        return FG_CAUSE_UNREACHABLE;
    if (fg_slice_equal(class, FG_SLICE("53")))
        return FG_CAUSE_OUT_OF_SPACE;
    if (state.size == 5)
        return FG_CAUSE_NONE;
    return says_unreachable(type, message) ? FG_CAUSE_UNREACHABLE : FG_CAUSE_NONE;
}

static enum fg_cause store_cause(struct fg_slice status, struct fg_slice type,
                                 struct fg_slice message)
{
    static const char *const full[] = {"QuotaExceeded",     "EntityTooLarge", "InsufficientStorage",
                                       "XMinioStorageFull", "quota",          "no space"};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++)
        if (fg_case_says(type, full[i]) || fg_case_says(message, full[i]))
            return FG_CAUSE_OUT_OF_SPACE;
    if (fg_slice_equal(status, FG_SLICE("507")) || fg_slice_equal(status, FG_SLICE("413")))
        return FG_CAUSE_OUT_OF_SPACE;
    if (fg_slice_equal(status, FG_SLICE("503")) || fg_slice_equal(status, FG_SLICE("502")) ||
        fg_slice_equal(status, FG_SLICE("500")) || says_unreachable(type, message))
        return FG_CAUSE_UNREACHABLE;
    return fg_case_says(type, "timeout") || fg_case_says(message, "timed out") ? FG_CAUSE_SLOW
                                                                               : FG_CAUSE_NONE;
}

static bool is_format_error(const struct fg_case *c, struct fg_slice type)
{
    for (uint32_t i = 0; c->flow && i < c->flow->format_error_count; i++)
        if (fg_slice_equal(c->flow->format_errors[i], type))
            return true;
    return false;
}

/* The span that published what this one consumed: its parent, or what it links to. */
static uint32_t publisher_of(const struct fg_case *c, uint32_t consumer)
{
    const struct fg_batch *batch = c->batch;
    if (c->parent[consumer] != FG_TREE_NONE)
        return c->parent[consumer];
    for (uint32_t i = batch->link_count ? batch->link_begin[consumer] : 0;
         batch->link_count && i < batch->link_begin[consumer + 1]; i++)
        for (uint32_t row = 0; row < batch->span_count; row++)
            if (batch->span_id[row] == batch->link_span_id[i] &&
                batch->trace_id_low[row] == batch->link_trace_id_low[i] &&
                batch->trace_id_high[row] == batch->link_trace_id_high[i])
                return row;
    return FG_TREE_NONE;
}

/* -- Findings by place */

static struct fg_slice peer_of(const struct fg_case *c, uint32_t row, enum fg_case_key fallback)
{
    struct fg_slice peer = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS);
    return peer.size > 0 ? peer : fg_case_text(c, row, fallback);
}

static void blame_application(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, row);
    finding->place = (struct fg_place){FG_PLACE_APPLICATION, service, fg_case_name(c, row)};
    finding->cause = FG_CAUSE_ERROR;
    finding->text =
        fg_case_say(c, "%.*s failed in %.*s", FG_SAY(service), FG_SAY(finding->place.name));
    finding->next = fg_case_say(c, "Look at the error of %.*s, and at what changed in this service",
                                FG_SAY(service));
}

static void blame_database(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    static const char *const says[FG_CAUSE_COUNT] = {
        [FG_CAUSE_CONNECTION_LIMIT] = "refused a connection: its limit is reached",
        [FG_CAUSE_LOCK_WAIT] = "gave up waiting behind a lock",
        [FG_CAUSE_SLOW_QUERY] = "was too slow with a query, which was cancelled",
        [FG_CAUSE_UNREACHABLE] = "could not be reached",
        [FG_CAUSE_OUT_OF_SPACE] = "is out of disk or memory",
    };
    struct fg_slice state = fg_case_text(c, row, FG_KEY_DB_STATUS);
    struct fg_slice type = fg_case_text(c, row, FG_KEY_ERROR_TYPE);
    if (state.size == 0 && type.size == 5)
        state = type;
    enum fg_cause cause = database_cause(state, type, fg_case_message(c, row));
    if (cause == FG_CAUSE_NONE) { /* it answered: what it was asked was wrong */
        blame_application(c, row, finding);
        finding->confidence -= 0.1;
        return;
    }
    struct fg_slice peer = peer_of(c, row, FG_KEY_DB_NAMESPACE);
    finding->place =
        (struct fg_place){FG_PLACE_DATABASE, peer, fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
    finding->cause = cause;
    finding->text = fg_case_say(c, "the database %.*s of %.*s %s", FG_SAY(peer),
                                FG_SAY(fg_case_service(c, row)), says[cause]);
    finding->next = fg_case_say(c, "Look at the database %.*s: connections, locks, whether it runs",
                                FG_SAY(peer));
}

static void blame_object_store(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    enum fg_cause cause =
        store_cause(fg_case_text(c, row, FG_KEY_HTTP_STATUS),
                    fg_case_text(c, row, FG_KEY_ERROR_TYPE), fg_case_message(c, row));
    if (cause == FG_CAUSE_NONE) {
        blame_application(c, row, finding);
        finding->confidence -= 0.1;
        return;
    }
    struct fg_slice peer = peer_of(c, row, FG_KEY_S3_BUCKET);
    finding->place =
        (struct fg_place){FG_PLACE_OBJECT_STORE, peer, fg_case_text(c, row, FG_KEY_S3_BUCKET)};
    finding->cause = cause;
    finding->text = fg_case_say(c, "the object store %.*s %s", FG_SAY(peer),
                                cause == FG_CAUSE_UNREACHABLE    ? "could not be reached"
                                : cause == FG_CAUSE_OUT_OF_SPACE ? "took no more: it is full"
                                                                 : "did not answer in time");
    finding->next = fg_case_say(c, "Look at the object store %.*s", FG_SAY(peer));
}

/* A message that could not be handed over. */
static void blame_publish(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice type = fg_case_text(c, row, FG_KEY_ERROR_TYPE),
                    message = fg_case_message(c, row), service = fg_case_service(c, row),
                    destination = fg_case_text(c, row, FG_KEY_DESTINATION),
                    peer = peer_of(c, row, FG_KEY_MESSAGING_SYSTEM);
    bool is_returned = fg_case_says(type, "NO_ROUTE") || fg_case_says(message, "NO_ROUTE") ||
                       fg_case_says(message, "unroutable") || fg_case_says(message, "returned") ||
                       fg_slice_equal(type, FG_SLICE("312"));
    bool is_refused = fg_case_says(type, "nack") || fg_case_says(message, "nack") ||
                      fg_case_says(message, "blocked") || fg_case_says(message, "alarm") ||
                      fg_case_says(message, "queue is full") || fg_case_says(type, "resource");
    if (is_returned) {
        finding->place = (struct fg_place){FG_PLACE_PRODUCER, service, destination};
        finding->cause = FG_CAUSE_WRONG_ROUTE;
        finding->text = fg_case_say(
            c, "%.*s published a message that no queue takes (to %.*s, routing key \"%.*s\")",
            FG_SAY(service), FG_SAY(destination), FG_SAY(fg_case_text(c, row, FG_KEY_ROUTING_KEY)));
        finding->next = fg_case_say(c, "Compare the routing key with the bindings of %.*s",
                                    FG_SAY(destination));
    } else if (says_unreachable(type, message)) {
        finding->place = (struct fg_place){FG_PLACE_BROKER, peer, destination};
        finding->cause = FG_CAUSE_UNREACHABLE;
        finding->text = fg_case_say(c, "the broker %.*s could not be reached by %.*s", FG_SAY(peer),
                                    FG_SAY(service));
        finding->next = fg_case_say(c, "Look whether the broker %.*s runs", FG_SAY(peer));
    } else if (is_refused) {
        finding->place = (struct fg_place){FG_PLACE_BROKER, peer, destination};
        finding->cause = FG_CAUSE_FULL;
        finding->text = fg_case_say(c, "the broker %.*s took no more messages for %.*s",
                                    FG_SAY(peer), FG_SAY(destination));
        finding->next = fg_case_say(c, "Look at the length of %.*s, its limit and its consumers",
                                    FG_SAY(destination));
    } else {
        finding->place = (struct fg_place){FG_PLACE_PRODUCER, service, destination};
        finding->cause = FG_CAUSE_ERROR;
        finding->text =
            fg_case_say(c, "%.*s could not publish to %.*s", FG_SAY(service), FG_SAY(destination));
        finding->next = fg_case_say(c, "Look at the error of %.*s", FG_SAY(service));
        finding->confidence -= 0.2;
    }
}

static void blame_message(const struct fg_case *c, uint32_t row, uint32_t consumer,
                          struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, consumer),
                    destination = fg_case_text(c, consumer, FG_KEY_DESTINATION),
                    type = fg_case_text(c, row, FG_KEY_ERROR_TYPE);
    uint32_t publisher = publisher_of(c, consumer);
    if (is_format_error(c, type) && publisher != FG_TREE_NONE) {
        struct fg_slice producer = fg_case_service(c, publisher);
        finding->place = (struct fg_place){FG_PLACE_PRODUCER, producer,
                                           fg_case_text(c, publisher, FG_KEY_DESTINATION)};
        finding->cause = FG_CAUSE_WRONG_FORMAT;
        finding->text = fg_case_say(c, "%.*s sent a message in a wrong format; %.*s refused it",
                                    FG_SAY(producer), FG_SAY(service));
        finding->next =
            fg_case_say(c, "Compare what %.*s sends with the agreed format", FG_SAY(producer));
        fg_finding_span(c, finding, publisher, FG_SLICE("the message was published here"));
        return;
    }
    finding->place = (struct fg_place){FG_PLACE_CONSUMER, service, destination};
    finding->cause = FG_CAUSE_REJECTED;
    finding->text =
        fg_case_say(c, "%.*s rejected the message from %.*s", FG_SAY(service), FG_SAY(destination));
    finding->next =
        fg_case_say(c, "Look at why %.*s rejects it, and at what changed there", FG_SAY(service));
}

static void blame_process(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, row);
    finding->place = (struct fg_place){FG_PLACE_PROCESS, service, fg_case_name(c, row)};
    finding->cause = FG_CAUSE_DIED;
    finding->text =
        fg_case_say(c, "%.*s died during %.*s", FG_SAY(service), FG_SAY(finding->place.name));
    finding->next = fg_case_say(
        c, "Look at why the process of %.*s ended, and whether it runs again", FG_SAY(service));
    finding->confidence = 0.95;
}

/* A call to somebody who answers nothing, not even spans. */
static bool blame_peer(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice peer = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS);
    if (c->batch->kind[row] != FG_SPAN_KIND_CLIENT || peer.size == 0 ||
        !says_unreachable(fg_case_text(c, row, FG_KEY_ERROR_TYPE), fg_case_message(c, row)))
        return false;
    finding->place = (struct fg_place){FG_PLACE_APPLICATION, peer, fg_case_name(c, row)};
    finding->cause = FG_CAUSE_UNREACHABLE;
    finding->text = fg_case_say(c, "%.*s could not be reached by %.*s", FG_SAY(peer),
                                FG_SAY(fg_case_service(c, row)));
    finding->next = fg_case_say(c, "Look whether %.*s runs", FG_SAY(peer));
    return true;
}

static void blame_page(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice service = fg_case_service(c, row);
    finding->place = (struct fg_place){FG_PLACE_PAGE, service, fg_case_name(c, row)};
    finding->cause = FG_CAUSE_SCRIPT_ERROR;
    finding->text = fg_case_say(c, "the page %.*s failed in its script", FG_SAY(service));
    finding->next = fg_case_say(c, "Look at the script error of %.*s", FG_SAY(service));
}

static void blame(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    uint32_t entry = fg_case_entry(c, row);
    bool below_consumer = entry != FG_TREE_NONE && c->batch->kind[entry] == FG_SPAN_KIND_CONSUMER;
    if (fg_case_interrupted(c, row))
        blame_process(c, row, finding);
    else if (c->component[row] == FG_PLACE_DATABASE)
        blame_database(c, row, finding);
    else if (c->component[row] == FG_PLACE_OBJECT_STORE)
        blame_object_store(c, row, finding);
    else if (c->component[row] == FG_PLACE_PRODUCER)
        blame_publish(c, row, finding);
    else if (below_consumer &&
             (row == entry || is_format_error(c, fg_case_text(c, row, FG_KEY_ERROR_TYPE))))
        blame_message(c, row, entry, finding);
    else if (blame_peer(c, row, finding))
        return;
    else if (c->component[row] == FG_PLACE_PAGE)
        blame_page(c, row, finding);
    else
        blame_application(c, row, finding);
}

static uint32_t count_alike(const struct fg_case *c, uint32_t row)
{
    uint32_t count = 0;
    for (uint32_t other = 0; other < c->batch->span_count; other++)
        count += c->mine[other] && fg_case_failed(c, other) &&
                 c->batch->name[other] == c->batch->name[row] &&
                 fg_slice_equal(fg_case_service(c, other), fg_case_service(c, row));
    return count;
}

bool fg_rule_failed(const struct fg_case *c, struct fg_finding *ret_finding, bool *ret_handled)
{
    uint32_t row = find_first(c, ret_handled);
    if (row == FG_TREE_NONE)
        return false;
    struct fg_finding finding = {.state = FG_JOURNEY_BROKEN,
                                 .since_ns = fg_case_moment(c, row),
                                 .confidence = *ret_handled ? 0.6 : 0.9};
    struct fg_slice message = fg_case_message(c, row);
    fg_finding_span(c, &finding, row,
                    message.size > 0 ? fg_case_say(c, "%.*s: %.*s", FG_SAY(fg_case_name(c, row)),
                                                   FG_SAY(message))
                                     : fg_case_say(c, "%.*s failed", FG_SAY(fg_case_name(c, row))));
    blame(c, row, &finding);
    uint32_t alike = count_alike(c, row);
    if (alike > 1)
        fg_finding_count(&finding, alike, FG_SLICE("times it failed in the same way"));
    *ret_finding = finding;
    return true;
}
