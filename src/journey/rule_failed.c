/* The rule of the first cause: which of the spans that failed is where it began, what kind of place
 * that is, and what it died of. */
#include "base/limits.h"
#include "evidence.h"
#include "journey/message.h"
#include "rules.h"
#include "schema.h"

/* A server that refuses does it at once; one that takes so long to say that it can't is too slow.
 */
#define LONG_NS (5 * FG_NS_PER_SECOND)
/* Clocks of two machines differ by less than this. */
#define SLACK_NS (3 * FG_NS_PER_SECOND)

/* -- Which span */

/* Whether what failed took a message that was sent below the span of a step: that this span ended
 * later changes nothing. */
static bool comes_after(const struct fg_case *c, uint32_t row, uint32_t step_row)
{
    bool is_other_side = false;
    for (uint32_t at = row; at != FG_TREE_NONE && at != step_row; at = c->parent[at])
        is_other_side = is_other_side || c->batch->kind[at] == FG_SPAN_KIND_CONSUMER;
    if (!is_other_side || step_row == FG_TREE_NONE)
        return false;
    for (uint32_t at = row; at != FG_TREE_NONE; at = c->parent[at])
        if (at == step_row)
            return true;
    return false;
}

/* When the journey got over it: a later step was reached, or the same work was done later. 0: it
 * did not. */
static uint64_t got_over_ns(const struct fg_case *c, uint32_t row)
{
    const struct fg_batch *batch = c->batch;
    uint64_t failed_ns = fg_case_moment(c, row), over_ns = 0;
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++)
        if ((c->reached >> i & 1) && c->reached_ns[i] > failed_ns &&
            !comes_after(c, row, c->reached_row[i]) && (over_ns == 0 || c->reached_ns[i] < over_ns))
            over_ns = c->reached_ns[i];
    uint32_t entry = fg_case_entry(c, row);
    uint32_t work = entry == FG_TREE_NONE ? row : entry;
    if (!fg_case_failed(c, work))
        return over_ns;
    for (uint32_t other = 0; other < batch->span_count; other++)
        if (c->mine[other] && batch->start_ns[other] > batch->start_ns[work] &&
            batch->end_ns[other] && !fg_case_failed(c, other) &&
            batch->name[other] == batch->name[work] && batch->kind[other] == batch->kind[work] &&
            fg_slice_equal(fg_case_service(c, other), fg_case_service(c, work)) &&
            (over_ns == 0 || batch->end_ns[other] < over_ns))
            over_ns = batch->end_ns[other];
    return over_ns;
}

/* Who had asked for it, and had answered before it began, did not wait for it: an outbox's row is
 * published when its request is over. */
static bool has_waited(const struct fg_case *c, uint32_t entry, uint32_t row)
{
    bool is_one_clock = fg_slice_equal(fg_case_service(c, entry), fg_case_service(c, row));
    uint64_t end_ns = c->batch->end_ns[entry] + (is_one_clock ? 0 : SLACK_NS);
    return c->batch->end_ns[entry] == 0 || c->batch->start_ns[row] <= end_ns;
}

/* A message that could not be handed over, where another service has to do the next step: as a rule
 * it would have learned it by this message. */
static bool is_missed_message(const struct fg_case *c, uint32_t row)
{
    const struct fg_flow_step *step =
        c->flow && c->expected_step != FG_FLOW_STEP_NONE ? &c->flow->steps[c->expected_step] : NULL;
    return c->component[row] == FG_PLACE_PRODUCER && step && step->human.size == 0 &&
           step->service.size > 0 && !fg_slice_equal(step->service, fg_case_service(c, row));
}

/* Whether who had asked for it, and was waiting, ended well: the failure was dealt with. Above a
 * consumer nobody waits. */
static bool was_handled(const struct fg_case *c, uint32_t row)
{
    bool handled = false;
    if (is_missed_message(c, row))
        return false;
    for (uint32_t at = row; at != FG_TREE_NONE; at = c->parent[at]) {
        bool is_entry = c->batch->kind[at] == FG_SPAN_KIND_SERVER ||
                        c->batch->kind[at] == FG_SPAN_KIND_CONSUMER;
        if (is_entry && has_waited(c, at, row))
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
            got_over_ns(c, row) != 0)
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

/* What databases say of themselves, in their own words and by the names that drivers give. */
static const struct {
    enum fg_cause cause;
    const char *words;
} database_says[] = {
    {FG_CAUSE_CONNECTION_LIMIT, "too many clients"},
    {FG_CAUSE_CONNECTION_LIMIT, "too many connections"},
    {FG_CAUSE_CONNECTION_LIMIT, "connection slots are reserved"},
    {FG_CAUSE_CONNECTION_LIMIT, "max_user_connections"},
    {FG_CAUSE_CONNECTION_LIMIT, "ER_CON_COUNT_ERROR"},
    {FG_CAUSE_LOCK_WAIT, "lock timeout"},
    {FG_CAUSE_LOCK_WAIT, "Lock wait timeout"},
    {FG_CAUSE_LOCK_WAIT, "Lock request time out"},
    {FG_CAUSE_LOCK_WAIT, "deadlock"},
    {FG_CAUSE_LOCK_WAIT, "ER_LOCK_WAIT_TIMEOUT"},
    {FG_CAUSE_SLOW_QUERY, "statement timeout"},
    {FG_CAUSE_SLOW_QUERY, "maximum statement execution time exceeded"},
    {FG_CAUSE_SLOW_QUERY, "ER_QUERY_TIMEOUT"},
    {FG_CAUSE_SLOW_QUERY, "operation exceeded time limit"},
    {FG_CAUSE_OUT_OF_SPACE, "no space left on device"},
    {FG_CAUSE_OUT_OF_SPACE, "disk full"},
};

/* Numbers of errors, as db.response.status_code has them: MySQL's error reference, SQL Server's
 * sys.messages. */
static const struct {
    const char *system, *code;
    enum fg_cause cause;
} database_codes[] = {
    {"mysql", "1040", FG_CAUSE_CONNECTION_LIMIT},  {"mysql", "1203", FG_CAUSE_CONNECTION_LIMIT},
    {"mysql", "1205", FG_CAUSE_LOCK_WAIT},         {"mysql", "1213", FG_CAUSE_LOCK_WAIT},
    {"mysql", "3024", FG_CAUSE_SLOW_QUERY},        {"mysql", "1021", FG_CAUSE_OUT_OF_SPACE},
    {"mysql", "1114", FG_CAUSE_OUT_OF_SPACE},      {"mysql", "2002", FG_CAUSE_UNREACHABLE},
    {"mysql", "2003", FG_CAUSE_UNREACHABLE},       {"mysql", "2006", FG_CAUSE_UNREACHABLE},
    {"mysql", "2013", FG_CAUSE_UNREACHABLE},       {"sql_server", "1205", FG_CAUSE_LOCK_WAIT},
    {"sql_server", "1222", FG_CAUSE_LOCK_WAIT},    {"sql_server", "1105", FG_CAUSE_OUT_OF_SPACE},
    {"sql_server", "9002", FG_CAUSE_OUT_OF_SPACE},
};

static enum fg_cause code_cause(struct fg_slice system, struct fg_slice code)
{
    bool is_sql_server = fg_case_says(system, "sql_server") || fg_case_says(system, "mssql");
    const char *name = is_sql_server ? "sql_server"
                       : fg_case_says(system, "mysql") || fg_case_says(system, "mariadb") ? "mysql"
                                                                                          : "";
    for (size_t i = 0; i < sizeof database_codes / sizeof *database_codes; i++)
        if (strcmp(database_codes[i].system, name) == 0 &&
            fg_slice_equal(code, fg_slice_from_string(database_codes[i].code)))
            return database_codes[i].cause;
    return FG_CAUSE_NONE;
}

/* SQLSTATE classes of PostgreSQL's Appendix A. */
static enum fg_cause sqlstate_cause(struct fg_slice state)
{
    struct fg_slice class = fg_slice(state.data, state.size >= 2 ? 2 : 0);
    if (fg_slice_equal(state, FG_SLICE("53300")))
        return FG_CAUSE_CONNECTION_LIMIT;
    if (fg_slice_equal(state, FG_SLICE("55P03")) || fg_slice_equal(state, FG_SLICE("40P01")))
        return FG_CAUSE_LOCK_WAIT;
    if (fg_slice_equal(state, FG_SLICE("57014")))
        return FG_CAUSE_SLOW_QUERY;
    if (fg_slice_equal(class, FG_SLICE("08")) || fg_slice_equal(state, FG_SLICE("57P01")) ||
        fg_slice_equal(state, FG_SLICE("57P02")) || fg_slice_equal(state, FG_SLICE("57P03")))
        return FG_CAUSE_UNREACHABLE;
    return fg_slice_equal(class, FG_SLICE("53")) ? FG_CAUSE_OUT_OF_SPACE : FG_CAUSE_NONE;
}

/* state: an SQLSTATE, or the system's own number. */
static enum fg_cause database_cause(struct fg_slice system, struct fg_slice state,
                                    struct fg_slice type, struct fg_slice message)
{
    for (size_t i = 0; i < sizeof database_says / sizeof *database_says; i++)
        if (fg_case_says(message, database_says[i].words) ||
            fg_case_says(type, database_says[i].words))
            return database_says[i].cause;
    enum fg_cause cause = code_cause(system, state.size > 0 ? state : type);
    if (cause == FG_CAUSE_NONE)
        cause = sqlstate_cause(state);
    if (cause != FG_CAUSE_NONE || state.size == 5)
        return cause;
    return says_unreachable(type, message) ? FG_CAUSE_UNREACHABLE : FG_CAUSE_NONE;
}

/* What clients' pools say when all of their connections are at work: of Node.js's pg, Knex and
 * Prisma, libfiligree, HikariCP, SQLAlchemy, sqlx. */
static bool is_pool_wait(const struct fg_case *c, uint32_t row)
{
    static const char *const words[] = {
        "timeout exceeded when trying to connect",
        "Timeout acquiring a connection",
        "Timed out fetching a new connection",
        "the pool gave no connection",
        "Connection is not available, request timed out",
        "QueuePool limit",
        "pool timed out",
    };
    struct fg_slice message = fg_case_message(c, row);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fg_case_says(message, words[i]))
            return true;
    return false;
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

/* -- Findings by place */

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

/* The pool is the service's own, and what keeps its connections at work is as a rule the database:
 * which of its reasons it is, monitors tell. */
static void blame_pool(const struct fg_case *c, uint32_t row, struct fg_slice peer,
                       struct fg_finding *finding)
{
    finding->place =
        (struct fg_place){FG_PLACE_DATABASE, peer, fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
    finding->cause = FG_CAUSE_SLOW_QUERY;
    finding->confidence -= 0.3;
    finding->text = fg_case_say(
        c, "all connections of %.*s to the database %.*s were at work, and none came free in time",
        FG_SAY(fg_case_service(c, row)), FG_SAY(peer));
    finding->next = fg_case_say(
        c, "Look at the queries and locks of %.*s, and at how many connections %.*s has",
        FG_SAY(peer), FG_SAY(fg_case_service(c, row)));
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
    enum fg_cause cause = database_cause(fg_case_text(c, row, FG_KEY_DB_SYSTEM), state, type,
                                         fg_case_message(c, row));
    struct fg_slice address = fg_case_peer(c, row, FG_KEY_SERVER_ADDRESS);
    if (cause == FG_CAUSE_NONE && address.size > 0 && is_pool_wait(c, row)) {
        blame_pool(c, row, address, finding);
        return;
    }
    if (cause == FG_CAUSE_NONE) { /* it answered: what it was asked was wrong */
        blame_application(c, row, finding);
        finding->confidence -= 0.1;
        return;
    }
    struct fg_slice peer = fg_case_peer(c, row, FG_KEY_DB_NAMESPACE);
    finding->place =
        (struct fg_place){FG_PLACE_DATABASE, peer, fg_case_text(c, row, FG_KEY_DB_NAMESPACE)};
    finding->cause = cause;
    if (cause == FG_CAUSE_SLOW_QUERY) /* or it waited: its monitors tell */
        finding->confidence -= 0.2;
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
    /* it is there, and gave up on itself */
    bool has_status = fg_case_text(c, row, FG_KEY_HTTP_STATUS).size > 0;
    if (cause == FG_CAUSE_UNREACHABLE && has_status &&
        fg_case_moment(c, row) > c->batch->start_ns[row] + LONG_NS) {
        cause = FG_CAUSE_SLOW;
        finding->confidence -= 0.1;
    }
    struct fg_slice peer = fg_case_peer(c, row, FG_KEY_S3_BUCKET);
    finding->place =
        (struct fg_place){FG_PLACE_OBJECT_STORE, peer, fg_case_text(c, row, FG_KEY_S3_BUCKET)};
    finding->cause = cause;
    finding->text = fg_case_say(c, "the object store %.*s %s", FG_SAY(peer),
                                cause == FG_CAUSE_UNREACHABLE    ? "could not be reached"
                                : cause == FG_CAUSE_OUT_OF_SPACE ? "took no more: it is full"
                                                                 : "did not answer in time");
    finding->next = fg_case_say(c, "Look at the object store %.*s", FG_SAY(peer));
}

static void blame_broker(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice peer = fg_case_peer(c, row, FG_KEY_MESSAGING_SYSTEM);
    finding->place =
        (struct fg_place){FG_PLACE_BROKER, peer, fg_case_text(c, row, FG_KEY_DESTINATION)};
    finding->cause = FG_CAUSE_UNREACHABLE;
    finding->text = fg_case_say(c, "the broker %.*s could not be reached by %.*s", FG_SAY(peer),
                                FG_SAY(fg_case_service(c, row)));
    finding->next = fg_case_say(c, "Look whether the broker %.*s runs", FG_SAY(peer));
}

/* A message that could not be handed over. */
static void blame_publish(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    struct fg_slice type = fg_case_text(c, row, FG_KEY_ERROR_TYPE),
                    message = fg_case_message(c, row), service = fg_case_service(c, row),
                    destination = fg_case_text(c, row, FG_KEY_DESTINATION),
                    peer = fg_case_peer(c, row, FG_KEY_MESSAGING_SYSTEM);
    bool is_returned = fg_message_is_returned(type, message);
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
        blame_broker(c, row, finding);
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

/* What the agreed format says of a message, by the shape that the producer's, the consumer's or the
 * failed span tells of it. */
static enum fg_schema_result check_shape(const struct fg_case *c, uint32_t row, uint32_t consumer,
                                         uint32_t publisher, char *why, size_t why_size)
{
    const uint32_t rows[] = {publisher, consumer, row};
    enum fg_schema_result result = FG_SCHEMA_UNKNOWN;
    for (size_t i = 0; c->flow && c->flow->schema && i < 3 && result == FG_SCHEMA_UNKNOWN; i++) {
        struct fg_slice shape = rows[i] == FG_TREE_NONE
                                    ? (struct fg_slice){0}
                                    : fg_case_text(c, rows[i], FG_KEY_MESSAGE_SHAPE);
        if (shape.size > 0)
            result = fg_schema_check(c->flow->schema, shape, why, why_size);
    }
    return result;
}

/* The producer's fault where the message breaks the agreed format: by its shape where spans tell
 * it, otherwise by what the consumer says. */
static void blame_message(const struct fg_case *c, uint32_t row, uint32_t consumer,
                          struct fg_finding *finding)
{
    char why[160] = "";
    struct fg_slice service = fg_case_service(c, consumer),
                    destination = fg_case_queue(c, consumer),
                    type = fg_case_text(c, row, FG_KEY_ERROR_TYPE);
    uint32_t publisher = fg_case_publisher(c, consumer);
    enum fg_schema_result shape = check_shape(c, row, consumer, publisher, why, sizeof why);
    bool is_wrong =
        shape == FG_SCHEMA_VIOLATES || (shape == FG_SCHEMA_UNKNOWN && is_format_error(c, type));
    if (shape != FG_SCHEMA_UNKNOWN)
        finding->confidence = 0.95;
    else if (c->flow && c->flow->schema)
        finding->confidence -= 0.1;
    if (is_wrong && publisher == FG_TREE_NONE) /* its span may be on its way yet */
        finding->confidence = 0.5;
    if (is_wrong && publisher != FG_TREE_NONE) {
        struct fg_slice producer = fg_case_service(c, publisher);
        finding->place = (struct fg_place){FG_PLACE_PRODUCER, producer,
                                           fg_case_text(c, publisher, FG_KEY_DESTINATION)};
        finding->cause = FG_CAUSE_WRONG_FORMAT;
        finding->text = fg_case_say(c, "%.*s sent a message in a wrong format%s%s; %.*s refused it",
                                    FG_SAY(producer), *why ? ": " : "", why, FG_SAY(service));
        finding->next =
            fg_case_say(c, "Compare what %.*s sends with the agreed format", FG_SAY(producer));
        fg_finding_span(c, finding, publisher, FG_SLICE("the message was published here"));
        return;
    }
    finding->place = (struct fg_place){FG_PLACE_CONSUMER, service, destination};
    finding->cause = FG_CAUSE_REJECTED;
    finding->text = fg_case_say(c, "%.*s rejected the message from %.*s%s", FG_SAY(service),
                                FG_SAY(destination),
                                shape == FG_SCHEMA_OBEYS ? ", which obeys the agreed format" : "");
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
    struct fg_slice peer = fg_case_peer(c, row, FG_KEY_SERVER_ADDRESS);
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
    else if (c->component[row] == FG_PLACE_BROKER &&
             says_unreachable(fg_case_text(c, row, FG_KEY_ERROR_TYPE), fg_case_message(c, row)))
        blame_broker(c, row, finding);
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

/* A connection that broke, or that the pool had none, says less than what the same database said
 * when it was asked again: the later row, where it names a cause. */
static uint32_t find_clearer(const struct fg_case *c, uint32_t row,
                             const struct fg_finding *finding)
{
    bool is_unclear = finding->cause == FG_CAUSE_UNREACHABLE || is_pool_wait(c, row);
    if (finding->place.kind != FG_PLACE_DATABASE || !is_unclear)
        return FG_TREE_NONE;
    for (uint32_t other = 0; other < c->batch->span_count; other++) {
        struct fg_finding of_other = {.state = FG_JOURNEY_BROKEN};
        if (!c->mine[other] || !fg_case_failed(c, other) || c->has_failed_child[other] ||
            c->component[other] != FG_PLACE_DATABASE || got_over_ns(c, other) != 0 ||
            fg_case_moment(c, other) <= fg_case_moment(c, row) || is_pool_wait(c, other))
            continue;
        blame_database(c, other, &of_other);
        if (of_other.place.kind == FG_PLACE_DATABASE && of_other.cause != FG_CAUSE_UNREACHABLE &&
            fg_slice_equal(of_other.place.service, finding->place.service))
            return other;
    }
    return FG_TREE_NONE;
}

/* When it first failed so: a later try may be the one by which it is known to be no matter that was
 * dealt with. */
static uint64_t first_alike_ns(const struct fg_case *c, uint32_t row)
{
    uint64_t first_ns = fg_case_moment(c, row);
    for (uint32_t other = 0; other < c->batch->span_count; other++)
        if (c->mine[other] && fg_case_failed(c, other) && !c->has_failed_child[other] &&
            c->batch->trace_id_low[other] == c->batch->trace_id_low[row] &&
            c->batch->trace_id_high[other] == c->batch->trace_id_high[row] &&
            c->batch->name[other] == c->batch->name[row] && got_over_ns(c, other) == 0 &&
            fg_slice_equal(fg_case_service(c, other), fg_case_service(c, row)) &&
            fg_case_moment(c, other) < first_ns)
            first_ns = fg_case_moment(c, other);
    return first_ns;
}

static bool is_alike(const struct fg_case *c, uint32_t other, uint32_t row)
{
    return c->mine[other] && fg_case_failed(c, other) &&
           c->batch->name[other] == c->batch->name[row] &&
           fg_slice_equal(fg_case_service(c, other), fg_case_service(c, row));
}

static uint32_t count_alike(const struct fg_case *c, uint32_t row)
{
    uint32_t count = 0;
    for (uint32_t other = 0; other < c->batch->span_count; other++)
        count += is_alike(c, other, row);
    return count;
}

/* Of those the query: in which traces they are, since not each span names the key. */
static struct fg_slice query_alike(const struct fg_case *c, uint32_t row)
{
    struct fg_query_text text;
    fg_query_text_begin(c, &text);
    fg_query_text_is(&text, "service", fg_case_service(c, row));
    fg_query_text_is(&text, "name", fg_case_name(c, row));
    if (c->batch->status[row] == FG_STATUS_ERROR)
        fg_query_text_condition(&text, "status:error");
    fg_query_text_any(&text);
    for (uint32_t other = 0; other < c->batch->span_count; other++)
        if (is_alike(c, other, row))
            fg_query_text_trace(&text, other);
    return fg_query_text_end(&text);
}

/* Beside what failed: how often the broker delivered its message again, and those who took it. */
static void count_redelivered(const struct fg_case *c, uint32_t row, struct fg_finding *finding)
{
    uint32_t consumer = fg_case_entry(c, row), publish = FG_TREE_NONE;
    struct fg_query_text text;
    if (consumer != FG_TREE_NONE && c->batch->kind[consumer] == FG_SPAN_KIND_CONSUMER)
        publish = fg_case_publisher(c, consumer);
    struct fg_deliveries deliveries = publish == FG_TREE_NONE ? (struct fg_deliveries){.count = 0}
                                                              : fg_case_deliveries(c, publish);
    if (deliveries.redelivered == 0)
        return;
    fg_query_text_begin(c, &text);
    fg_query_text_is(&text, "service", fg_case_service(c, consumer));
    fg_query_text_is(&text, "name", fg_case_name(c, consumer));
    fg_query_text_any(&text);
    for (uint32_t other = 0; other < c->batch->span_count; other++)
        if (fg_case_takes(c, other, publish))
            fg_query_text_trace(&text, other);
    fg_finding_count(finding, deliveries.redelivered,
                     FG_SLICE("times the broker delivered the message again"),
                     fg_query_text_end(&text));
}

bool fg_rule_failed(const struct fg_case *c, struct fg_finding *ret_finding, bool *ret_handled)
{
    uint32_t row = find_first(c, ret_handled);
    if (row == FG_TREE_NONE)
        return false;
    struct fg_finding finding = {.state = FG_JOURNEY_BROKEN,
                                 .since_ns = first_alike_ns(c, row),
                                 .confidence = *ret_handled ? 0.6 : 0.9};
    struct fg_slice message = fg_case_message(c, row);
    fg_finding_span(c, &finding, row,
                    message.size > 0 ? fg_case_say(c, "%.*s: %.*s", FG_SAY(fg_case_name(c, row)),
                                                   FG_SAY(message))
                                     : fg_case_say(c, "%.*s failed", FG_SAY(fg_case_name(c, row))));
    blame(c, row, &finding);
    uint32_t clearer = find_clearer(c, row, &finding);
    if (clearer != FG_TREE_NONE) {
        row = clearer;
        message = fg_case_message(c, row);
        finding.confidence = *ret_handled ? 0.6 : 0.9;
        blame(c, row, &finding);
        fg_finding_span(
            c, &finding, row,
            fg_case_say(c, "%.*s: %.*s", FG_SAY(fg_case_name(c, row)), FG_SAY(message)));
    }
    fg_finding_explain(c, row, &finding);
    uint32_t alike = count_alike(c, row);
    if (alike > 1)
        fg_finding_count(&finding, alike, FG_SLICE("times it failed in the same way"),
                         query_alike(c, row));
    count_redelivered(c, row, &finding);
    *ret_finding = finding;
    return true;
}

bool fg_rule_recovered(const struct fg_case *c, struct fg_recovery *ret_recovery)
{
    uint32_t found = FG_TREE_NONE;
    uint64_t until_ns = 0;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        if (!c->mine[row] || !fg_case_failed(c, row) || c->has_failed_child[row] ||
            was_handled(c, row))
            continue;
        uint64_t over_ns = got_over_ns(c, row);
        /* what came later was tried again in vain: the first is where it began */
        if (over_ns == 0 || over_ns < until_ns ||
            (over_ns == until_ns && fg_case_moment(c, row) >= fg_case_moment(c, found)))
            continue;
        found = row;
        until_ns = over_ns;
    }
    if (found == FG_TREE_NONE)
        return false;
    struct fg_finding finding = {.since_ns = fg_case_moment(c, found)};
    blame(c, found, &finding);
    fg_finding_explain(c, found, &finding);
    *ret_recovery = (struct fg_recovery){.place = finding.place,
                                         .cause = finding.cause,
                                         .text = finding.text,
                                         .since_ns = finding.since_ns,
                                         .until_ns = until_ns};
    return true;
}
