/* GET /api/v1/journeys, /api/v1/journeys/{key}/{value}, /api/v1/board: lists, one verdict, and what
 * is wrong right now, as doc/journeys.md has them. */
#include "journey/journeys.h"
#include "base/units.h"
#include "handlers.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <inttypes.h>
#include <stdio.h>

#define LIMIT_DEFAULT 100u

static struct fg_journeys *journeys_of(struct fg_exchange *exchange)
{
    struct fg_journeys *journeys =
        atomic_load_explicit(&exchange->api->journeys, memory_order_acquire);
    if (!journeys) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "journeys are not followed yet; try again later", 1000000000};
        fg_answer_failure(exchange, &failure);
    }
    return journeys;
}

static void write_text(struct fg_json_writer *json, const char *key, struct fg_slice text)
{
    fg_json_key(json, fg_slice_from_string(key));
    if (text.size > 0)
        fg_json_string(json, text);
    else
        fg_json_null(json);
}

static void write_name(struct fg_json_writer *json, const char *key, const char *name)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_string(json, fg_slice_from_string(name));
}

/* RFC 3339, or null. */
static void write_time(struct fg_json_writer *json, const char *key, uint64_t ns)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_json_key(json, fg_slice_from_string(key));
    if (ns == 0) {
        fg_json_null(json);
        return;
    }
    fg_time_format(ns, text);
    fg_json_string(json, fg_slice_from_string(text));
}

static void write_place(struct fg_json_writer *json, const struct fg_place *place)
{
    FG_JSON_KEY(json, "place");
    if (place->kind == FG_PLACE_NONE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    write_name(json, "kind", fg_place_kind_name(place->kind));
    write_text(json, "service", place->service);
    write_text(json, "name", place->name);
    fg_json_object_end(json);
}

static void write_cause(struct fg_json_writer *json, enum fg_cause cause, struct fg_slice text)
{
    FG_JSON_KEY(json, "cause");
    if (cause == FG_CAUSE_NONE) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    write_name(json, "code", fg_cause_name(cause));
    write_text(json, "text", text);
    fg_json_object_end(json);
}

static void write_flag(struct fg_json_writer *json, const char *key, bool value)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_bool(json, value);
}

static void write_states(struct fg_json_writer *json, const uint64_t by_state[])
{
    FG_JSON_KEY(json, "states");
    fg_json_object_begin(json);
    for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++) {
        fg_json_key(json, fg_slice_from_string(fg_journey_state_name((enum fg_journey_state)i)));
        fg_json_uint(json, by_state[i]);
    }
    fg_json_object_end(json);
}

/* -- One */

struct one {
    struct fg_slice key, value;
};

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
    write_name(json, "span_id", id);
}

static void write_evidence(struct fg_json_writer *json, const struct fg_finding *finding)
{
    FG_JSON_KEY(json, "evidence");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < finding->evidence_count; i++) {
        const struct fg_evidence *evidence = &finding->evidence[i];
        fg_json_object_begin(json);
        write_name(json, "kind", evidence->is_count ? "count" : "span");
        if (evidence->is_count) {
            FG_JSON_KEY(json, "value");
            fg_json_uint(json, evidence->value);
        } else {
            write_span_ref(json, evidence->trace_id_high, evidence->trace_id_low,
                           evidence->span_id);
        }
        write_text(json, "text", evidence->text);
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
        write_text(json, "name", step->name);
        write_text(json, "label", step->label);
        write_text(json, "service", step->service);
        write_text(json, "human", step->human);
        write_time(json, "reached", step->reached_ns);
        if (step->reached_ns)
            write_span_ref(json, step->trace_id_high, step->trace_id_low, step->span_id);
        FG_JSON_KEY(json, "usual_ns");
        fg_json_uint(json, step->usual_ns);
        write_flag(json, "optional", step->optional);
        write_flag(json, "cancels", step->cancels);
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
        write_place(json, &stay->place);
        write_text(json, "operation", stay->operation);
        write_text(json, "by", stay->by);
        FG_JSON_KEY(json, "start_ns");
        fg_json_uint_string(json, stay->start_ns);
        FG_JSON_KEY(json, "end_ns");
        fg_json_uint_string(json, stay->end_ns);
        write_span_ref(json, stay->trace_id_high, stay->trace_id_low, stay->span_id);
        write_flag(json, "failed", stay->failed);
        write_flag(json, "interrupted", stay->interrupted);
        write_flag(json, "queue", stay->is_queue);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
    write_flag(json, "more_stays", answer->more_stays);
}

static int write_one(struct fg_work *work)
{
    const struct one *one = (const struct one *)work->state;
    struct fg_journeys *journeys = atomic_load(&work->exchange->api->journeys);
    struct fg_journey_answer answer;
    int r = fg_journeys_where(journeys, one->key, one->value, &work->arena, &answer);
    if (r < 0)
        return r;
    const struct fg_verdict *verdict = &answer.verdict;
    const struct fg_finding *finding = &verdict->finding;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    write_text(&json, "key", one->key);
    write_text(&json, "value", one->value);
    write_name(&json, "state", fg_journey_state_name(verdict->state));
    write_time(&json, "since", verdict->since_ns);
    write_place(&json, &finding->place);
    write_cause(&json, finding->cause, finding->text);
    FG_JSON_KEY(&json, "confidence");
    fg_json_double(&json, finding->confidence);
    write_evidence(&json, finding);
    write_text(&json, "next", finding->next);
    write_text(&json, "flow", verdict->flow);
    write_text(&json, "last_step", verdict->last_step);
    write_text(&json, "expected_step", verdict->expected_step);
    write_time(&json, "deadline", verdict->deadline_ns);
    write_time(&json, "first", verdict->first_ns);
    write_time(&json, "last", verdict->last_ns);
    FG_JSON_KEY(&json, "incident");
    fg_json_null(&json);
    FG_JSON_KEY(&json, "traces");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < answer.trace_count; i++)
        write_trace_id(&json, answer.traces[i].id_high, answer.traces[i].id_low);
    fg_json_array_end(&json);
    write_flag(&json, "more_traces", answer.more_traces);
    write_steps(&json, &answer);
    write_stays(&json, &answer);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_journey(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "find the journey", write_one, sizeof(struct one));
    if (!work)
        return;
    *(struct one *)work->state = (struct one){exchange->param, exchange->second_param};
    fg_work_start(work, exchange->api->readers);
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
    write_text(json, "key", row->key);
    write_text(json, "value", row->value);
    write_name(json, "state", fg_journey_state_name(row->state));
    write_time(json, "since", row->since_ns);
    write_place(json, &row->place);
    write_cause(json, row->cause, row->text);
    FG_JSON_KEY(json, "confidence");
    fg_json_double(json, row->confidence);
    write_text(json, "flow", row->flow);
    write_text(json, "last_step", row->last_step);
    write_text(json, "expected_step", row->expected_step);
    write_time(json, "deadline", row->deadline_ns);
    write_time(json, "first", row->first_ns);
    write_time(json, "last", row->last_ns);
    FG_JSON_KEY(json, "trace_count");
    fg_json_uint(json, row->trace_count);
    fg_json_object_end(json);
    return 0;
}

static int write_board(struct fg_work *work)
{
    struct board *board = (struct board *)work->state;
    struct fg_journeys *journeys = atomic_load(&work->exchange->api->journeys);
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
    write_states(&json, counters.by_state);
    write_flag(&json, "rebuilding", counters.is_rebuilding);
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
    if (text.size > 0)
        fg_answer_invalid(exchange, "%s: \"%.*s\" is none; see doc/journeys.md for the codes",
                          param, (int)text.size, (const char *)text.data);
    return text.size == 0;
}

static const char *place_name(unsigned code)
{
    return fg_place_kind_name((enum fg_place_kind)code);
}

static const char *cause_name(unsigned code)
{
    return fg_cause_name((enum fg_cause)code);
}

void fg_handle_journeys(struct fg_exchange *exchange)
{
    static const char *const names[] = {"state", "key",  "place", "service",
                                        "cause", "step", "limit"};
    struct board board = {.limit = LIMIT_DEFAULT};
    unsigned place = 0, cause = 0;
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !read_states(exchange, &board.filter.states) ||
        !fg_count_param(exchange, "limit", FG_JOURNEY_LIST_MAX, &board.limit) ||
        !read_code(exchange, "place", FG_PLACE_KIND_COUNT, place_name, &place) ||
        !read_code(exchange, "cause", FG_CAUSE_COUNT, cause_name, &cause) || !journeys_of(exchange))
        return;
    board.filter.place = (enum fg_place_kind)place;
    board.filter.cause = (enum fg_cause)cause;
    board.filter.key = fg_exchange_param(exchange, "key");
    board.filter.place_service = fg_exchange_param(exchange, "service");
    board.filter.expected_step = fg_exchange_param(exchange, "step");
    struct fg_work *work = fg_work_new(exchange, "list the journeys", write_board, sizeof board);
    if (!work)
        return;
    memcpy(work->state, &board, sizeof board);
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
    write_place(json, &group->place);
    write_cause(json, group->cause, group->text);
    write_time(json, "since", group->since_ns);
    FG_JSON_KEY(json, "count");
    fg_json_uint(json, group->count);
    write_states(json, group->by_state);
    write_text(json, "key", group->key);
    write_text(json, "value", group->value);
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
    write_text(json, "flow", standing->flow->name);
    write_text(json, "key", standing->flow->key);
    write_text(json, "name", step->name);
    write_text(json, "label", step->label);
    write_text(json, "service", step->service);
    write_text(json, "human", step->human);
    write_states(json, standing->by_state);
    write_time(json, "since", standing->since_ns);
    fg_json_object_end(json);
}

static int write_change(void *arg, const struct fg_journey_change *change)
{
    struct fg_json_writer *json = arg;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "sequence");
    fg_json_uint(json, change->sequence);
    write_time(json, "at", change->at_ns);
    write_text(json, "key", change->key);
    write_text(json, "value", change->value);
    write_name(json, "state", fg_journey_state_name(change->state));
    write_name(json, "from", fg_journey_state_name(change->from));
    write_place(json, &change->place);
    write_cause(json, change->cause, (struct fg_slice){0});
    write_text(json, "last_step", change->last_step);
    write_text(json, "expected_step", change->expected_step);
    fg_json_object_end(json);
    return 0;
}

static int write_now(struct fg_work *work)
{
    struct fg_journeys *journeys = atomic_load(&work->exchange->api->journeys);
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
    write_states(json, counters.by_state);
    write_flag(json, "rebuilding", counters.is_rebuilding);
    write_time(json, "now", fg_env_wall_ns(work->exchange->api->env));
    fg_json_object_end(json);
    return r;
}

void fg_handle_board(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the board", write_now, 0);
    if (work)
        fg_work_start(work, exchange->api->readers);
}
