/* GET /api/v1/journeys, /api/v1/journeys/{key}/{value}, /api/v1/board: lists, one verdict, and what
 * is wrong right now, as doc/journeys.md has them. */
#include "journey/journeys.h"
#include "base/limits.h"
#include "handlers.h"
#include "journey/common.h"
#include "journey/incidents.h"
#include "journey_json.h"
#include "permit.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <inttypes.h>
#include <stdio.h>

#define LIMIT_DEFAULT 100u

static struct fg_journeys *journeys_in(const struct fg_work *work)
{
    return fg_api_journeys(work->exchange->api, work->exchange->identity.tenant);
}

/* -- One */

struct one {
    struct fg_slice key, value;
    char message[400]; /* why it is not told */
};

/* What "not found" means here: which of the two names nothing, and what would. */
static void explain(struct fg_work *work, struct one *one, int error)
{
    struct fg_slice keys[FG_JOURNEY_KEYS_MAX];
    uint32_t count = fg_journeys_keys(journeys_in(work), keys);
    size_t size = sizeof one->message;
    int used;
    if (error == FG_ENOTFOUND) {
        snprintf(
            one->message, size,
            "nothing is known of \"%.*s\": no span with this %.*s has come, or it was long ago",
            (int)(one->value.size < 100 ? one->value.size : 100), (const char *)one->value.data,
            (int)(one->key.size < 100 ? one->key.size : 100), (const char *)one->key.data);
        work->message = one->message;
        return;
    }
    used = snprintf(one->message, size, "journeys are not followed by \"%.*s\", but by",
                    (int)(one->key.size < 100 ? one->key.size : 100), (const char *)one->key.data);
    for (uint32_t i = 0; i < count && used > 0 && (size_t)used < size; i++)
        used += snprintf(one->message + used, size - (size_t)used, "%s %.*s", i ? "," : "",
                         (int)keys[i].size, (const char *)keys[i].data);
    work->message = count > 0 ? one->message : "no journeys are followed: journey-keys is empty";
}

static void write_trace_id(struct fg_json_writer *json, uint64_t high, uint64_t low)
{
    char id[FG_TRACE_ID_TEXT_SIZE];
    fg_json_string(json, fg_trace_id_format(high, low, id));
}

static void write_span_ref(struct fg_json_writer *json, uint64_t high, uint64_t low, uint64_t span)
{
    char id[17];
    FG_JSON_KEY(json, "trace_id");
    write_trace_id(json, high, low);
    snprintf(id, sizeof id, "%016" PRIx64, span);
    fg_write_name(json, "span_id", id);
}

/* may_read: what spans say (messages, names of statements) is only for who may read traces; support
 * sees that there is a span, and the verdict's own words. */
static void write_evidence(struct fg_json_writer *json, const struct fg_finding *finding,
                           bool may_read)
{
    FG_JSON_KEY(json, "evidence");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < finding->evidence_count; i++) {
        const struct fg_evidence *evidence = &finding->evidence[i];
        fg_json_object_begin(json);
        fg_write_name(json, "kind", evidence->is_count ? "count" : "span");
        if (evidence->is_count) {
            FG_JSON_KEY(json, "value");
            fg_json_uint(json, evidence->value);
        } else {
            write_span_ref(json, evidence->trace_id_high, evidence->trace_id_low,
                           evidence->span_id);
        }
        fg_write_text(json, "text",
                      may_read || evidence->is_count ? evidence->text
                                                     : FG_SLICE("a span of its trace"));
        if (evidence->is_count)
            fg_write_text(json, "query", evidence->query);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_steps(struct fg_json_writer *json, const struct fg_journey_answer *answer)
{
    FG_JSON_KEY(json, "steps");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < answer->step_count; i++) {
        const struct fg_journey_step *step = &answer->steps[i];
        fg_json_object_begin(json);
        fg_write_text(json, "name", step->name);
        fg_write_text(json, "label", step->label);
        fg_write_labels(json, "labels", step->labels);
        fg_write_text(json, "service", step->service);
        fg_write_text(json, "human", step->human);
        fg_write_labels(json, "humans", step->humans);
        fg_write_time(json, "reached", step->reached_ns);
        if (step->reached_ns)
            write_span_ref(json, step->trace_id_high, step->trace_id_low, step->span_id);
        FG_JSON_KEY(json, "usual_ns");
        fg_json_uint(json, step->usual_ns);
        fg_write_flag(json, "optional", step->optional);
        fg_write_flag(json, "cancels", step->cancels);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_stays(struct fg_json_writer *json, const struct fg_journey_answer *answer)
{
    FG_JSON_KEY(json, "stays");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < answer->stay_count; i++) {
        const struct fg_journey_stay *stay = &answer->stays[i];
        fg_json_object_begin(json);
        fg_write_place(json, &stay->place);
        fg_write_text(json, "operation", stay->operation);
        fg_write_text(json, "by", stay->by);
        FG_JSON_KEY(json, "start_ns");
        fg_json_uint_string(json, stay->start_ns);
        FG_JSON_KEY(json, "end_ns");
        fg_json_uint_string(json, stay->end_ns);
        write_span_ref(json, stay->trace_id_high, stay->trace_id_low, stay->span_id);
        fg_write_flag(json, "failed", stay->failed);
        fg_write_flag(json, "interrupted", stay->interrupted);
        fg_write_flag(json, "queue", stay->is_queue);
        if (stay->is_queue) {
            fg_write_count(json, "taken", stay->taken);
            fg_write_count(json, "taken_failed", stay->taken_failed);
        }
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
    fg_write_flag(json, "more_stays", answer->more_stays);
}

static void write_queues(struct fg_json_writer *json, const struct fg_journey_answer *answer)
{
    FG_JSON_KEY(json, "queues");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < answer->queue_count; i++) {
        const struct fg_journey_queue *queue = &answer->queues[i];
        fg_json_object_begin(json);
        fg_write_text(json, "name", queue->name);
        fg_write_count(json, "published", queue->published);
        fg_write_count(json, "waiting", queue->waiting);
        fg_write_count(json, "consumed", queue->consumed);
        fg_write_count(json, "redelivered", queue->redelivered);
        fg_write_count(json, "rejected", queue->rejected);
        fg_write_count(json, "returned", queue->returned);
        FG_JSON_KEY(json, "waited_ns");
        fg_json_uint(json, queue->waited_ns);
        fg_write_time(json, "waiting_since", queue->waiting_since_ns);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_incident(struct fg_json_writer *json, const struct fg_exchange *exchange,
                           const struct one *one)
{
    struct fg_incidents *incidents = fg_api_incidents(exchange->api, exchange->identity.tenant);
    uint64_t id = incidents ? fg_incidents_of(incidents, one->key, one->value) : 0;
    FG_JSON_KEY(json, "incident");
    if (id)
        fg_json_uint_string(json, id);
    else
        fg_json_null(json);
}

static void write_recovery(struct fg_json_writer *json, const struct fg_recovery *recovery)
{
    FG_JSON_KEY(json, "recovered");
    if (recovery->cause == FG_CAUSE_NONE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    fg_write_place(json, &recovery->place);
    fg_write_cause(json, recovery->cause, recovery->text);
    fg_write_time(json, "since", recovery->since_ns);
    fg_write_time(json, "until", recovery->until_ns);
    fg_json_object_end(json);
}

static int write_one(struct fg_work *work)
{
    struct one *one = (struct one *)work->state;
    struct fg_journeys *journeys = journeys_in(work);
    struct fg_journey_answer answer;
    int r = fg_journeys_where(journeys, one->key, one->value, &work->arena, &answer);
    if (r == FG_ENOTFOUND || r == FG_EINVALID)
        explain(work, one, r);
    if (r < 0)
        return r;
    const struct fg_verdict *verdict = &answer.verdict;
    const struct fg_finding *finding = &verdict->finding;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_write_text(&json, "key", one->key);
    fg_write_text(&json, "value", one->value);
    fg_write_name(&json, "state", fg_journey_state_name(verdict->state));
    fg_write_time(&json, "since", verdict->since_ns);
    fg_write_place(&json, &finding->place);
    fg_write_cause(&json, finding->cause, finding->text);
    FG_JSON_KEY(&json, "confidence");
    fg_json_double(&json, finding->confidence);
    write_evidence(&json, finding,
                   fg_permission_is_held(FG_PERMISSION_VIEW, work->exchange->identity.roles));
    fg_write_text(&json, "next", finding->next);
    fg_write_text(&json, "flow", verdict->flow);
    fg_write_text(&json, "last_step", verdict->last_step);
    fg_write_text(&json, "expected_step", verdict->expected_step);
    fg_write_time(&json, "deadline", verdict->deadline_ns);
    fg_write_flag(&json, "deadline_provisional", verdict->deadline_is_provisional);
    fg_write_time(&json, "first", verdict->first_ns);
    fg_write_time(&json, "last", verdict->last_ns);
    write_recovery(&json, &verdict->recovered);
    write_incident(&json, work->exchange, one);
    FG_JSON_KEY(&json, "traces");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < answer.trace_count; i++)
        write_trace_id(&json, answer.traces[i].id_high, answer.traces[i].id_low);
    fg_json_array_end(&json);
    fg_write_flag(&json, "more_traces", answer.more_traces);
    write_steps(&json, &answer);
    write_stays(&json, &answer);
    write_queues(&json, &answer);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_journey(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !fg_journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "find the journey", write_one, sizeof(struct one));
    if (!work)
        return;
    *(struct one *)work->state =
        (struct one){.key = exchange->param, .value = exchange->second_param};
    fg_work_start(work, exchange->api->readers);
}

/* -- All anew */

static int reindex(struct fg_work *work)
{
    struct fg_journeys *journeys = journeys_in(work);
    struct fg_journeys_counters counters;
    int r = fg_journeys_reindex(journeys);
    if (r < 0)
        return r;
    fg_journeys_counters(journeys, &counters);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "journeys");
    fg_json_uint(&json, counters.count);
    fg_write_states(&json, counters.by_state);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_reindex(struct fg_exchange *exchange)
{
    if (!fg_journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "make the journeys anew", reindex, 0);
    if (work)
        fg_work_start(work, exchange->api->admin);
}

/* -- The board */

struct board {
    struct fg_journey_filter filter;
    uint32_t limit;
    struct fg_json_writer *json;
};

static int write_row(void *arg, const struct fg_journey_row *row)
{
    struct fg_json_writer *json = ((struct board *)arg)->json;
    fg_json_object_begin(json);
    fg_write_text(json, "key", row->key);
    fg_write_text(json, "value", row->value);
    fg_write_name(json, "state", fg_journey_state_name(row->state));
    fg_write_time(json, "since", row->since_ns);
    fg_write_place(json, &row->place);
    fg_write_cause(json, row->cause, row->text);
    FG_JSON_KEY(json, "confidence");
    fg_json_double(json, row->confidence);
    fg_write_text(json, "flow", row->flow);
    fg_write_text(json, "last_step", row->last_step);
    fg_write_text(json, "expected_step", row->expected_step);
    fg_write_time(json, "deadline", row->deadline_ns);
    fg_write_time(json, "first", row->first_ns);
    fg_write_time(json, "last", row->last_ns);
    FG_JSON_KEY(json, "trace_count");
    fg_json_uint(json, row->trace_count);
    fg_json_object_end(json);
    return 0;
}

static int write_board(struct fg_work *work)
{
    struct board *board = (struct board *)work->state;
    struct fg_journeys *journeys = journeys_in(work);
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_journeys_counters counters;
    uint64_t count = 0;
    board->json = &json;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "journeys");
    fg_json_array_begin(&json);
    int r = fg_journeys_list(journeys, &board->filter, board->limit, write_row, board, &count);
    fg_json_array_end(&json);
    fg_journeys_counters(journeys, &counters);
    FG_JSON_KEY(&json, "count");
    fg_json_uint(&json, count);
    fg_write_states(&json, counters.by_state);
    fg_write_flag(&json, "rebuilding", counters.is_rebuilding);
    fg_write_flag(&json, "full", counters.is_full);
    fg_json_object_end(&json);
    return r;
}

/* "stuck,broken"; false after a 400. */
static bool read_states(struct fg_exchange *exchange, unsigned *ret_states)
{
    struct fg_slice text = fg_exchange_param(exchange, "state");
    while (text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        struct fg_slice name = fg_slice(text.data, comma ? (size_t)(comma - text.data) : text.size);
        enum fg_journey_state state;
        if (!fg_journey_state_parse(name, &state)) {
            fg_answer_invalid(exchange,
                              "state: \"%.*s\" is none; expected flowing, waiting, late, stuck, "
                              "broken, done or cancelled, several with commas between them",
                              (int)name.size, (const char *)name.data);
            return false;
        }
        *ret_states |= 1u << state;
        size_t used = name.size + (comma != NULL);
        text = fg_slice(text.data + used, text.size - used);
    }
    return true;
}

/* A code by its name; an absent parameter leaves 0. False after a 400. */
static bool read_code(struct fg_exchange *exchange, const char *param, unsigned count,
                      const char *(*name_of)(unsigned code), unsigned *ret_code)
{
    struct fg_slice text = fg_exchange_param(exchange, param);
    for (unsigned i = 0; text.size > 0 && i < count; i++)
        if (fg_slice_equal(text, fg_slice_from_string(name_of(i)))) {
            *ret_code = i;
            return true;
        }
    if (text.size == 0)
        return true;
    char known[600];
    int used = 0;
    for (unsigned i = 1; i < count && used >= 0 && (size_t)used < sizeof known; i++)
        used += snprintf(known + used, sizeof known - (size_t)used, "%s%s", i > 1 ? ", " : "",
                         name_of(i));
    fg_answer_invalid(exchange, "%s: \"%.*s\" is none; expected %s", param,
                      (int)(text.size < 100 ? text.size : 100), (const char *)text.data, known);
    return false;
}

static const char *place_name(unsigned code)
{
    return fg_place_kind_name((enum fg_place_kind)code);
}

static const char *cause_name(unsigned code)
{
    return fg_cause_name((enum fg_cause)code);
}

/* False after a 400. */
static bool read_filter(struct fg_exchange *exchange, struct fg_journey_filter *filter)
{
    unsigned place = 0, cause = 0;
    if (!read_states(exchange, &filter->states) ||
        !read_code(exchange, "place", FG_PLACE_KIND_COUNT, place_name, &place) ||
        !read_code(exchange, "cause", FG_CAUSE_COUNT, cause_name, &cause))
        return false;
    filter->place = (enum fg_place_kind)place;
    filter->cause = (enum fg_cause)cause;
    filter->key = fg_exchange_param(exchange, "key");
    filter->place_service = fg_exchange_param(exchange, "service");
    filter->expected_step = fg_exchange_param(exchange, "step");
    return true;
}

void fg_handle_journeys(struct fg_exchange *exchange)
{
    static const char *const names[] = {"state", "key",  "place", "service",
                                        "cause", "step", "limit"};
    struct board board = {.limit = LIMIT_DEFAULT};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_count_param(exchange, "limit", FG_JOURNEY_LIST_MAX, &board.limit) ||
        !read_filter(exchange, &board.filter) || !fg_journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "list the journeys", write_board, sizeof board);
    if (!work)
        return;
    memcpy(work->state, &board, sizeof board);
    fg_work_start(work, exchange->api->readers);
}

/* -- What those that stopped have in common */

static int write_common(struct fg_work *work)
{
    const struct fg_journey_filter *filter = (const struct fg_journey_filter *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_journey_common common;
    int r = fg_journeys_common(journeys_in(work), filter,
                               fg_env_mono_ns(api->env) + FG_COMMON_TIME_NS, &work->arena, &common);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    fg_write_count(&json, "count", common.count);
    fg_write_count(&json, "stopped", common.stopped);
    fg_write_count(&json, "healthy", common.healthy);
    fg_write_flag(&json, "few", common.are_few);
    fg_write_flag(&json, "partial", common.is_partial);
    FG_JSON_KEY(&json, "facets");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < common.facet_count; i++) {
        const struct fg_journey_facet *facet = &common.facets[i];
        fg_json_object_begin(&json);
        fg_write_text(&json, "service", facet->service);
        fg_write_text(&json, "attribute", facet->attribute);
        fg_write_text(&json, "value", facet->value);
        fg_write_count(&json, "stopped", facet->stopped);
        fg_write_count(&json, "healthy", facet->healthy);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_common(struct fg_exchange *exchange)
{
    static const char *const names[] = {"state", "key", "place", "service", "cause", "step"};
    struct fg_journey_filter filter = {0};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !read_filter(exchange, &filter) || !fg_journeys_of(exchange))
        return;
    struct fg_work *work =
        fg_work_new(exchange, "compare the journeys", write_common, sizeof filter);
    if (!work)
        return;
    *(struct fg_journey_filter *)work->state = filter;
    fg_work_start(work, exchange->api->readers);
}

/* -- What is wrong right now */

struct now {
    struct fg_json_writer json;
    bool in_steps;
};

static void write_group(void *arg, const struct fg_journey_group *group)
{
    struct fg_json_writer *json = &((struct now *)arg)->json;
    fg_json_object_begin(json);
    fg_write_place(json, &group->place);
    fg_write_cause(json, group->cause, group->text);
    fg_write_time(json, "since", group->since_ns);
    FG_JSON_KEY(json, "count");
    fg_json_uint(json, group->count);
    fg_write_states(json, group->by_state);
    fg_write_text(json, "key", group->key);
    fg_write_text(json, "value", group->value);
    fg_json_object_end(json);
}

static void write_standing(void *arg, const struct fg_journey_standing *standing)
{
    struct now *now = arg;
    struct fg_json_writer *json = &now->json;
    const struct fg_flow_step *step = &standing->flow->steps[standing->step];
    if (!now->in_steps) {
        fg_json_array_end(json);
        FG_JSON_KEY(json, "steps");
        fg_json_array_begin(json);
        now->in_steps = true;
    }
    fg_json_object_begin(json);
    fg_write_text(json, "flow", standing->flow->name);
    fg_write_text(json, "key", standing->flow->key);
    fg_write_text(json, "name", step->name);
    fg_write_text(json, "label", step->label);
    fg_write_labels(json, "labels", step->labels);
    fg_write_text(json, "service", step->service);
    fg_write_text(json, "human", step->human);
    fg_write_labels(json, "humans", step->humans);
    fg_write_states(json, standing->by_state);
    fg_write_time(json, "since", standing->since_ns);
    fg_json_object_end(json);
}

static int write_change(void *arg, const struct fg_journey_change *change)
{
    fg_write_change(arg, change);
    return 0;
}

static int write_now(struct fg_work *work)
{
    struct fg_journeys *journeys = journeys_in(work);
    struct now now = {.json = fg_json_writer(&work->body)};
    struct fg_json_writer *json = &now.json;
    struct fg_journeys_counters counters;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "groups");
    fg_json_array_begin(json);
    int r = fg_journeys_board(journeys, write_group, write_standing, &now);
    fg_json_array_end(json);
    if (!now.in_steps) {
        FG_JSON_KEY(json, "steps");
        fg_json_array_begin(json);
        fg_json_array_end(json);
    }
    FG_JSON_KEY(json, "changes");
    fg_json_array_begin(json);
    if (r == 0)
        r = fg_journeys_changes(journeys, 0, write_change, json);
    fg_json_array_end(json);
    fg_journeys_counters(journeys, &counters);
    fg_write_states(json, counters.by_state);
    fg_write_flag(json, "rebuilding", counters.is_rebuilding);
    fg_write_flag(json, "full", counters.is_full);
    fg_write_time(json, "now", fg_env_wall_ns(work->exchange->api->env));
    fg_json_object_end(json);
    return r;
}

void fg_handle_board(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !fg_journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the board", write_now, 0);
    if (work)
        fg_work_start(work, exchange->api->readers);
}
