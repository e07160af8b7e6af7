/* GET /api/v1/incidents, /api/v1/incidents/{id}; POST …/acknowledge, …/resolve, …/note, and
 * /api/v1/incidents/import: what went wrong, who looks after it, and how long it took. */
#include "base/units.h"
#include "body_json.h"
#include "handlers.h"
#include "journey/incidents.h"
#include "journey_json.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_DEFAULT   100u
#define LIMIT_MAX       FG_INCIDENTS_MAX
#define ERRORS_SIZE_MAX ((size_t)8 << 10)

static struct fg_incidents *incidents_of(struct fg_exchange *exchange)
{
    struct fg_incidents *incidents = fg_api_incidents(exchange->api, exchange->identity.tenant);
    if (!incidents) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "incidents are not known yet; try again later", 1000000000};
        fg_answer_failure(exchange, &failure);
    }
    return incidents;
}

static struct fg_incidents *incidents_in(const struct fg_work *work)
{
    return fg_api_incidents(work->exchange->api, work->exchange->identity.tenant);
}

/* -- As JSON */

static void write_id(struct fg_json_writer *json, const char *key, uint64_t id)
{
    fg_json_key(json, fg_slice_from_string(key));
    if (id)
        fg_json_uint_string(json, id);
    else
        fg_json_null(json);
}

static const char *state_of(const struct fg_incident *is)
{
    if (is->merged_into)
        return "merged";
    if (is->resolved_ns)
        return "resolved";
    return is->acknowledged_ns ? "acknowledged" : "open";
}

static void write_members(struct fg_json_writer *json, const struct fg_incident *is,
                          uint64_t now_ns)
{
    uint64_t open_ns = is->open_ns;
    if (is->resolved_ns == 0 && now_ns > is->spell_ns)
        open_ns += now_ns - is->spell_ns;
    write_id(json, "id", is->id);
    fg_write_name(json, "state", state_of(is));
    fg_write_place(json, &is->place);
    fg_write_cause(json, is->cause, is->text);
    fg_write_text(json, "text", is->text);
    fg_write_text(json, "owner", is->owner);
    fg_write_time(json, "opened", is->opened_ns);
    fg_write_time(json, "found", is->found_ns);
    fg_write_time(json, "acknowledged", is->acknowledged_ns);
    fg_write_text(json, "acknowledged_by",
                  is->acknowledged_ns ? is->acknowledged_by : (struct fg_slice){0});
    fg_write_time(json, "resolved", is->resolved_ns);
    fg_write_text(json, "resolved_by", is->resolved_ns ? is->resolved_by : (struct fg_slice){0});
    FG_JSON_KEY(json, "open_ns");
    fg_json_uint_string(json, open_ns);
    fg_write_count(json, "order_count", is->order_count);
    fg_write_count(json, "standing_count", is->standing_count);
    fg_write_count(json, "reopened_count", is->reopened_count);
    write_id(json, "merged_into", is->merged_into);
    fg_write_flag(json, "imported", is->is_imported);
}

/* -- The list */

struct list {
    struct fg_incident_filter filter;
    uint32_t limit;
};

static int write_list(struct fg_work *work)
{
    const struct list *wanted = (const struct list *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    uint64_t now_ns = fg_env_wall_ns(api->env), count, open_count;
    const struct fg_incident *list;
    uint32_t listed;
    int r = fg_incidents_list(incidents_in(work), &wanted->filter, wanted->limit, &work->arena,
                              &list, &listed, &count, &open_count);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "incidents");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < listed; i++) {
        fg_json_object_begin(&json);
        write_members(&json, &list[i], now_ns);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_write_count(&json, "count", count);
    fg_write_count(&json, "open_count", open_count);
    fg_write_time(&json, "now", now_ns);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_incidents(struct fg_exchange *exchange)
{
    static const char *const names[] = {"state", "service", "start", "end", "limit"};
    struct list list = {.limit = LIMIT_DEFAULT};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &list.filter.from_ns, &list.filter.to_ns) ||
        !fg_count_param(exchange, "limit", LIMIT_MAX, &list.limit) || !incidents_of(exchange))
        return;
    struct fg_slice state = fg_exchange_param(exchange, "state");
    list.filter.only_open = fg_slice_equal(state, FG_SLICE("open"));
    list.filter.only_ended = fg_slice_equal(state, FG_SLICE("resolved"));
    if (state.size > 0 && !list.filter.only_open && !list.filter.only_ended) {
        fg_answer_invalid(exchange, "state: \"%.*s\" is none; expected open or resolved",
                          (int)state.size, (const char *)state.data);
        return;
    }
    if (list.filter.to_ns == UINT64_MAX)
        list.filter.to_ns = 0;
    list.filter.service = fg_exchange_param(exchange, "service");
    struct fg_work *work = fg_work_new(exchange, "list the incidents", write_list, sizeof list);
    if (!work)
        return;
    memcpy(work->state, &list, sizeof list);
    fg_work_start(work, exchange->api->readers);
}

/* -- One */

enum deed { DEED_NONE, DEED_ACKNOWLEDGE, DEED_RESOLVE, DEED_NOTE };

struct one {
    uint64_t id;
    enum deed deed;
    struct fg_slice by, text;
};

/* False after a 404: what is no number is no incident's. */
static bool read_id(struct fg_exchange *exchange, uint64_t *ret_id)
{
    struct fg_slice text = exchange->param;
    uint64_t id = 0;
    bool is_number = text.size > 0 && text.size < 20;
    for (size_t i = 0; is_number && i < text.size; i++) {
        is_number = text.data[i] >= '0' && text.data[i] <= '9';
        id = id * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (!is_number) {
        const struct fg_failure failure = {404, FG_RPC_NOT_FOUND, "there is no such incident", 0};
        fg_answer_failure(exchange, &failure);
        return false;
    }
    *ret_id = id;
    return true;
}

static int write_one(struct fg_work *work)
{
    const struct one *one = (const struct one *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    const struct fg_incident_order *orders;
    struct fg_incident incident;
    uint32_t count;
    uint64_t now_ns = fg_env_wall_ns(api->env);
    int r = fg_incidents_get(incidents_in(work), one->id, &work->arena, &incident, &orders, &count);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    write_members(&json, &incident, now_ns);
    FG_JSON_KEY(&json, "timeline");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < incident.event_count; i++) {
        const struct fg_incident_event *event = &incident.events[i];
        fg_json_object_begin(&json);
        fg_write_time(&json, "at", event->at_ns);
        fg_write_name(&json, "what", fg_incident_event_name(event->kind));
        fg_write_text(&json, "by", event->by);
        fg_write_text(&json, "text", event->text);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "orders");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++) {
        fg_json_object_begin(&json);
        fg_write_text(&json, "key", orders[i].key);
        fg_write_text(&json, "value", orders[i].value);
        fg_write_time(&json, "since", orders[i].since_ns);
        fg_write_flag(&json, "stands", orders[i].stands);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_write_time(&json, "now", now_ns);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_incident(struct fg_exchange *exchange)
{
    uint64_t id;
    if (!fg_params_known(exchange, NULL, 0) || !incidents_of(exchange) || !read_id(exchange, &id))
        return;
    struct fg_work *work =
        fg_work_new(exchange, "find the incident", write_one, sizeof(struct one));
    if (!work)
        return;
    *(struct one *)work->state = (struct one){.id = id};
    fg_work_start(work, exchange->api->readers);
}

/* -- What people do */

static int do_it(struct fg_work *work)
{
    const struct one *one = (const struct one *)work->state;
    struct fg_incidents *incidents = incidents_in(work);
    int r = 0;
    switch (one->deed) {
    case DEED_ACKNOWLEDGE:
        r = fg_incidents_acknowledge(incidents, one->id, one->by);
        break;
    case DEED_RESOLVE:
        r = fg_incidents_resolve(incidents, one->id, one->by, one->text);
        break;
    case DEED_NOTE:
        r = fg_incidents_note(incidents, one->id, one->by, one->text);
        break;
    case DEED_NONE:
        break;
    }
    return r < 0 ? r : write_one(work);
}

/* {"by": "…", "text": "…"}; false after a 400. */
static bool read_deed(struct fg_exchange *exchange, struct one *one)
{
    static const char *const allowed[] = {"by", "text", NULL};
    json_t *root = fg_body_object(exchange, allowed);
    if (!root)
        return false;
    one->by = fg_body_by(exchange, root, FG_INCIDENT_BY_SIZE_MAX);
    if (one->by.size > 0 &&
        fg_body_short_text(exchange, root, "text", FG_INCIDENT_TEXT_SIZE_MAX, &one->text) &&
        one->deed == DEED_NOTE && one->text.size == 0)
        fg_answer_invalid(exchange, "text: expected the note");
    json_decref(root);
    return !fg_request_is_answered(exchange->request);
}

static void on_done(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct fg_work *work = exchange->work;
    fg_arena_free(&work->arena);
    if (work->error == 0) {
        fg_answer_take(exchange, 200, "application/json", &work->body);
        return;
    }
    fg_buffer_free(&work->body);
    if (work->error == FG_EEXIST)
        fg_answer_error_message(exchange, FG_EEXIST, "the incident has ended already");
    else
        fg_answer_error(exchange, work->error, work->verb);
}

static void start_deed(struct fg_exchange *exchange, enum deed deed, const char *verb)
{
    struct one one = {.deed = deed};
    if (!fg_params_known(exchange, NULL, 0) || !incidents_of(exchange) ||
        !read_id(exchange, &one.id) || !read_deed(exchange, &one))
        return;
    struct fg_work *work = fg_work_new(exchange, verb, do_it, sizeof one);
    if (!work)
        return;
    memcpy(work->state, &one, sizeof one);
    exchange->request->wake = on_done;
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_incident_acknowledge(struct fg_exchange *exchange)
{
    start_deed(exchange, DEED_ACKNOWLEDGE, "acknowledge the incident");
}

void fg_handle_incident_resolve(struct fg_exchange *exchange)
{
    start_deed(exchange, DEED_RESOLVE, "resolve the incident");
}

void fg_handle_incident_note(struct fg_exchange *exchange)
{
    start_deed(exchange, DEED_NOTE, "note it at the incident");
}

/* -- Those of before */

struct import {
    struct fg_slice csv;
    struct fg_buffer errors;
    uint32_t taken, known;
};

static int import(struct fg_work *work)
{
    struct import *import = (struct import *)work->state;
    int r = fg_incidents_import(incidents_in(work), import->csv, &import->errors, &import->taken,
                                &import->known);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_write_count(&json, "taken", import->taken);
    fg_write_count(&json, "known", import->known);
    fg_json_object_end(&json);
    return 0;
}

static void on_imported(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct fg_work *work = exchange->work;
    struct import *import = (struct import *)work->state;
    fg_arena_free(&work->arena);
    if (work->error == FG_EINVALID) {
        fg_buffer_append_byte(&import->errors, 0);
        const struct fg_failure failure = {
            400, FG_RPC_INVALID_ARGUMENT,
            import->errors.error ? "the table is wrong" : (const char *)import->errors.data, 0};
        fg_answer_failure(exchange, &failure);
        fg_buffer_free(&work->body);
    } else if (work->error < 0) {
        fg_answer_error(exchange, work->error, work->verb);
        fg_buffer_free(&work->body);
    } else {
        fg_answer_take(exchange, 200, "application/json", &work->body);
    }
    fg_buffer_free(&import->errors);
}

void fg_handle_incidents_import(struct fg_exchange *exchange)
{
    if (!fg_params_known(exchange, NULL, 0) || !incidents_of(exchange))
        return;
    struct fg_work *work =
        fg_work_new(exchange, "import the incidents", import, sizeof(struct import));
    if (!work)
        return;
    struct import *state = (struct import *)work->state;
    state->csv = exchange->request->body;
    fg_buffer_init(&state->errors, ERRORS_SIZE_MAX);
    exchange->request->wake = on_imported;
    fg_work_start(work, exchange->api->readers);
}
