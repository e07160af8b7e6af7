/* GET /api/v1/flows; POST /api/v1/flows/{key}/accept and …/withdraw: flows as they are declared,
 * beside what completed journeys show, and what is accepted of that. */
#include "body_json.h"
#include "handlers.h"
#include "journey/learned.h"
#include "journey_json.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

#include <jansson.h>

/* -- As JSON */

static void write_names(struct fg_json_writer *json, const char *key, const struct fg_slice *names,
                        uint32_t count)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < count; i++)
        fg_json_string(json, names[i]);
    fg_json_array_end(json);
}

static void write_differences(struct fg_json_writer *json, unsigned differences)
{
    static const char *const names[] = {"no_deadline", "too_tight", "too_loose",
                                        "passed_by",   "not_seen",  "not_in_it"};
    FG_JSON_KEY(json, "differences");
    fg_json_array_begin(json);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (differences >> i & 1)
            fg_json_string(json, fg_slice_from_string(names[i]));
    fg_json_array_end(json);
}

static const char *end_name(enum fg_flow_end end)
{
    return end == FG_FLOW_ENDS_DONE ? "done" : end == FG_FLOW_ENDS_CANCELLED ? "cancelled" : "";
}

static void write_step(struct fg_json_writer *json, const struct fg_flow_step_view *step)
{
    fg_json_object_begin(json);
    fg_write_text(json, "name", step->name);
    fg_write_text(json, "label", step->label);
    fg_write_labels(json, "labels", step->labels);
    fg_write_text(json, "when", step->condition);
    fg_write_text(json, "service", step->service);
    fg_write_text(json, "human", step->human);
    fg_write_labels(json, "humans", step->humans);
    fg_write_flag(json, "optional", step->optional);
    fg_write_text(json, "ends", fg_slice_from_string(end_name(step->ends)));
    write_names(json, "after", step->after, step->after_count);
    fg_write_count(json, "declared_ns", step->declared_ns);
    fg_write_count(json, "accepted_ns", step->accepted_ns);
    fg_write_count(json, "within_ns", step->within_ns);
    fg_write_flag(json, "provisional", step->is_provisional);
    FG_JSON_KEY(json, "learned");
    fg_json_object_begin(json);
    fg_write_count(json, "journeys", step->journeys);
    FG_JSON_KEY(json, "share");
    fg_json_double(json, step->share);
    fg_write_count(json, "hops", step->hops);
    fg_write_count(json, "median_ns", step->median_ns);
    fg_write_count(json, "p99_ns", step->quantile_ns);
    fg_write_count(json, "within_ns", step->learned_ns);
    FG_JSON_KEY(json, "confidence");
    fg_json_double(json, step->confidence);
    fg_json_object_end(json);
    write_differences(json, step->differences);
    fg_json_object_end(json);
}

static void write_flow(struct fg_json_writer *json, const struct fg_flow_view *flow)
{
    fg_json_object_begin(json);
    fg_write_text(json, "key", flow->key);
    fg_write_text(json, "name", flow->name);
    fg_write_name(json, "source", fg_flow_source_name(flow->source));
    fg_write_count(json, "journeys", flow->journeys);
    fg_write_count(json, "journeys_min", flow->journeys_min);
    fg_write_count(json, "refused_steps", flow->refused);
    fg_write_time(json, "accepted", flow->accepted_at_ns);
    fg_write_text(json, "accepted_by", flow->accepted_by);
    fg_write_flag(json, "can_accept", flow->can_accept);
    FG_JSON_KEY(json, "steps");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < flow->step_count; i++)
        write_step(json, &flow->steps[i]);
    fg_json_array_end(json);
    fg_write_text(json, "yaml", flow->yaml);
    fg_json_object_end(json);
}

static int write_flows(struct fg_work *work)
{
    struct fg_journeys *journeys =
        fg_api_journeys(work->exchange->api, work->exchange->identity.tenant);
    struct fg_json_writer json = fg_json_writer(&work->body);
    const struct fg_flow_view *flows;
    uint32_t count;
    int r = fg_journeys_flows(journeys, &work->arena, &flows, &count);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "flows");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++)
        write_flow(&json, &flows[i]);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_flows(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !fg_journeys_of(exchange))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the flows", write_flows, 0);
    if (work)
        fg_work_start(work, exchange->api->readers);
}

/* -- What people do */

struct deed {
    struct fg_slice key, by;
    bool is_withdrawal;
    uint32_t step_count;
    struct fg_slice steps[FG_FLOW_STEPS_MAX];
};

static int do_it(struct fg_work *work)
{
    const struct deed *deed = (const struct deed *)work->state;
    struct fg_journeys *journeys =
        fg_api_journeys(work->exchange->api, work->exchange->identity.tenant);
    int r = deed->is_withdrawal ? fg_journeys_flow_withdraw(journeys, deed->key)
                                : fg_journeys_flow_accept(journeys, deed->key, deed->steps,
                                                          deed->step_count, deed->by);
    return r < 0 ? r : write_flows(work);
}

/* False: it is no list of texts, or too long a one. */
static bool read_steps(struct fg_exchange *exchange, const json_t *list, struct deed *deed)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > FG_FLOW_STEPS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name))
            return false;
        deed->steps[deed->step_count++] = fg_body_text(exchange, name);
    }
    return true;
}

/* {"by": "…", "steps": ["…"]}; false after a 400. */
static bool read_deed(struct fg_exchange *exchange, struct deed *deed)
{
    static const char *const accepts[] = {"by", "steps", NULL}, *const withdraws[] = {"by", NULL};
    json_t *root = fg_body_object(exchange, deed->is_withdrawal ? withdraws : accepts);
    if (!root)
        return false;
    const json_t *steps = json_object_get(root, "steps");
    if (steps && !read_steps(exchange, steps, deed))
        fg_answer_invalid(exchange, "steps: expected a list of the names of steps");
    else
        deed->by = fg_body_by(exchange, root, FG_FLOW_BY_SIZE_MAX);
    json_decref(root);
    return !fg_request_is_answered(exchange->request);
}

static const char *why(const struct deed *deed, int error)
{
    if (error == FG_ENOTFOUND)
        return "there is no such key, or no such step in its flow";
    if (error == FG_EUNSUPPORTED)
        return "nothing can be accepted for good: there is no keyed state";
    if (error == FG_EINVALID)
        return "steps: of a learned flow only all can be accepted";
    if (error == FG_EEXIST)
        return deed->is_withdrawal ? "nothing is accepted"
                                   : "there is nothing to accept: too little was learned, or what "
                                     "is declared is as tight";
    return NULL;
}

static void on_done(struct fg_work *work)
{
    struct fg_exchange *exchange = work->exchange;
    const struct deed *deed = (const struct deed *)work->state;
    if (work->error == 0) {
        fg_answer_take(exchange, 200, "application/json", &work->body);
        return;
    }
    fg_buffer_free(&work->body);
    if (why(deed, work->error))
        fg_answer_error_message(exchange, work->error == FG_EUNSUPPORTED ? FG_EEXIST : work->error,
                                why(deed, work->error));
    else
        fg_answer_error(exchange, work->error, work->verb);
}

static void start_deed(struct fg_exchange *exchange, bool is_withdrawal, const char *verb)
{
    struct deed deed = {.key = exchange->param, .is_withdrawal = is_withdrawal};
    if (!fg_params_known(exchange, NULL, 0) || !fg_journeys_of(exchange) ||
        !read_deed(exchange, &deed))
        return;
    struct fg_work *work = fg_work_new(exchange, verb, do_it, sizeof deed);
    if (!work)
        return;
    memcpy(work->state, &deed, sizeof deed);
    work->answer = on_done;
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_flow_accept(struct fg_exchange *exchange)
{
    start_deed(exchange, false, "accept what was learned");
}

void fg_handle_flow_withdraw(struct fg_exchange *exchange)
{
    start_deed(exchange, true, "withdraw what was accepted");
}
