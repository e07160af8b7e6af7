/* Monitors: GET /api/v1/monitors, /api/v1/monitors/{name}, POST …/{name}/run and …/{name}/try, PUT
 * and DELETE /api/v1/monitors/{name}; doc/api.md shows the answers. */
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "json_fields.h"
#include "monitor/added.h"
#include "monitor_history.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <inttypes.h>
#include <stdio.h>

#define HISTORY_NS        (6 * 3600 * FG_NS_PER_SECOND)
#define HISTORY_READ_NS   (5 * FG_NS_PER_SECOND)
#define SIGHTINGS_DEFAULT 100u
#define SIGHTINGS_MAX     1000u
#define PERIODS_MAX       500u
#define TRY_NS_MAX        (30 * FG_NS_PER_SECOND) /* a try holds one of the api's threads */
#define TRY_BYTES_MAX     ((size_t)128 << 10)

struct asked {
    uint64_t start_ns, end_ns;
    char name[FG_MONITOR_NAME_SIZE_MAX + 1]; /* "": all */
    uint32_t limit;
    struct fg_slice body;
    char message[1200];
};

struct writing {
    struct fg_json_writer *json;
    const struct fg_monitor_history *history;
    uint32_t by_result[4], new_count;
};

static struct fg_monitors *monitors_of(struct fg_exchange *exchange)
{
    struct fg_monitors *monitors = fg_api_monitors(exchange->api, exchange->identity.tenant);
    if (!monitors) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "nothing is watched yet; try again later", FG_NS_PER_SECOND};
        fg_answer_failure(exchange, &failure);
    }
    return monitors;
}

static struct fg_monitors *monitors_in(const struct fg_work *work)
{
    return fg_api_monitors(work->exchange->api, work->exchange->identity.tenant);
}

/* -- Writing */

static void write_findings(struct fg_json_writer *json, const struct fg_check_report *report)
{
    FG_JSON_KEY(json, "findings");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < report->finding_count; i++) {
        const struct fg_check_finding *finding = &report->findings[i];
        fg_json_object_begin(json);
        fg_write_name(json, "code", finding->code);
        fg_write_name(json, "result", fg_check_result_name(finding->result));
        FG_JSON_KEY(json, "text");
        fg_json_string(json, finding->text);
        FG_JSON_KEY(json, "form");
        fg_json_string(json, finding->form);
        FG_JSON_KEY(json, "parts");
        fg_json_array_begin(json);
        for (uint32_t k = 0; k < finding->part_count; k++)
            fg_json_string(json, finding->parts[k]);
        fg_json_array_end(json);
        fg_write_flag(json, "standing", finding->standing);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_values(struct fg_json_writer *json, const struct fg_check_report *report)
{
    FG_JSON_KEY(json, "values");
    fg_json_object_begin(json);
    for (uint32_t i = 0; i < report->value_count; i++) {
        const struct fg_check_value *value = &report->values[i];
        fg_json_key(json, value->key);
        switch (value->type) {
        case FG_CHECK_VALUE_BOOL:
            fg_json_bool(json, value->boolean);
            break;
        case FG_CHECK_VALUE_INT:
            fg_json_int(json, value->integer);
            break;
        case FG_CHECK_VALUE_DOUBLE:
            fg_json_double(json, value->real);
            break;
        case FG_CHECK_VALUE_TEXT:
            fg_json_string(json, value->text);
            break;
        }
    }
    fg_json_object_end(json);
}

static void write_periods(struct fg_json_writer *json, const struct fg_monitor_past *past)
{
    uint32_t count = past ? past->period_count : 0;
    FG_JSON_KEY(json, "history");
    fg_json_array_begin(json);
    for (uint32_t i = count > PERIODS_MAX ? count - PERIODS_MAX : 0; i < count; i++) {
        const struct fg_monitor_period *period = &past->periods[i];
        fg_json_object_begin(json);
        fg_write_name(json, "result", fg_check_result_name(period->result));
        fg_write_time(json, "start", period->start_ns);
        fg_write_time(json, "end", period->end_ns);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_members(struct writing *writing, const struct fg_monitor_view *view)
{
    struct fg_json_writer *json = writing->json;
    const struct fg_monitor_config *config = view->config;
    fg_write_name(json, "name", config->name);
    fg_write_name(json, "kind", config->kind->name);
    fg_write_name(json, "service", config->service);
    fg_write_name(json, "result", fg_check_result_name(view->result));
    fg_write_time(json, "since", view->is_new ? 0 : view->since_ns);
    fg_write_flag(json, "is_new", view->is_new);
    fg_write_flag(json, "is_added", view->is_added);
    fg_write_flag(json, "is_paused", config->is_paused);
    fg_write_flag(json, "is_overdue", view->is_overdue);
    fg_write_count(json, "doubts", view->doubt_count);
    fg_write_time(json, "looked", view->looked_ns);
    fg_write_count(json, "took_ns", view->took_ns);
    fg_write_count(json, "interval_ns", config->interval_ns);
    fg_write_count(json, "time_limit_ns", config->time_limit_ns);
    fg_write_count(json, "runs", view->run_count);
    fg_write_count(json, "unstored", view->unstored_count);
    write_findings(json, view->report);
    write_values(json, view->report);
    write_periods(json, writing->history ? fg_monitor_history_find(
                                               writing->history, fg_slice_from_string(config->name))
                                         : NULL);
}

static void write_one_of_all(void *arg, const struct fg_monitor_view *view)
{
    struct writing *writing = arg;
    writing->by_result[view->result] += !view->is_new;
    writing->new_count += view->is_new;
    fg_json_object_begin(writing->json);
    write_members(writing, view);
    fg_json_object_end(writing->json);
}

static void write_alone(void *arg, const struct fg_monitor_view *view)
{
    write_members(arg, view);
}

/* -- Reading */

static int read_history(struct fg_work *work, struct fg_monitor_history *ret_history)
{
    const struct asked *asked = (const struct asked *)work->state;
    struct fg_api *api = work->exchange->api;
    const struct fg_monitor_history_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                                     .start_ns = asked->start_ns,
                                                     .end_ns = asked->end_ns,
                                                     .name = fg_slice_from_string(asked->name),
                                                     .deadline_mono_ns =
                                                         fg_env_mono_ns(api->env) + HISTORY_READ_NS,
                                                     .is_cancelled = fg_work_is_cancelled,
                                                     .arg = work->exchange->request};
    return fg_monitor_history_read(fg_api_store(api), &wanted, &work->arena, ret_history);
}

static void write_window(struct fg_json_writer *json, const struct asked *asked,
                         const struct fg_monitor_history *history)
{
    fg_write_time(json, "start", asked->start_ns);
    fg_write_time(json, "end", asked->end_ns);
    fg_write_time(json, "whole_from", history->whole_from_ns);
}

static int write_all(struct fg_work *work)
{
    const struct asked *asked = (const struct asked *)work->state;
    struct fg_monitor_history history;
    int r = read_history(work, &history);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct writing writing = {.json = &json, .history = &history};
    fg_json_object_begin(&json);
    write_window(&json, asked, &history);
    FG_JSON_KEY(&json, "monitors");
    fg_json_array_begin(&json);
    (void)fg_monitors_each(monitors_in(work), NULL, write_one_of_all, &writing);
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "counts");
    fg_json_object_begin(&json);
    for (int i = FG_CHECK_OK; i <= FG_CHECK_UNKNOWN; i++)
        fg_write_count(&json, fg_check_result_name((enum fg_check_result)i), writing.by_result[i]);
    fg_write_count(&json, "new", writing.new_count);
    fg_json_object_end(&json);
    fg_json_object_end(&json);
    return 0;
}

static void write_sightings(struct fg_json_writer *json, const struct fg_monitor_past *past,
                            uint32_t limit)
{
    uint32_t count = past ? past->sighting_count : 0;
    FG_JSON_KEY(json, "looks");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < count && i < limit; i++) {
        const struct fg_monitor_sighting *sighting = &past->sightings[count - 1 - i];
        char id[FG_TRACE_ID_TEXT_SIZE];
        fg_json_object_begin(json);
        fg_write_time(json, "start", sighting->start_ns);
        fg_write_count(json, "took_ns",
                       sighting->end_ns > sighting->start_ns ? sighting->end_ns - sighting->start_ns
                                                             : 0);
        fg_write_name(json, "result", fg_check_result_name(sighting->result));
        FG_JSON_KEY(json, "code");
        fg_json_string(json, sighting->code);
        FG_JSON_KEY(json, "text");
        fg_json_string(json, sighting->text);
        FG_JSON_KEY(json, "trace_id");
        fg_json_string(json,
                       fg_trace_id_format(sighting->trace_id_high, sighting->trace_id_low, id));
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static int write_one(struct fg_work *work)
{
    const struct asked *asked = (const struct asked *)work->state;
    struct fg_monitors *monitors = monitors_in(work);
    struct fg_monitor_history history;
    struct fg_buffer text;
    int r = read_history(work, &history);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct writing writing = {.json = &json, .history = &history};
    fg_json_object_begin(&json);
    if (fg_monitors_each(monitors, asked->name, write_alone, &writing) == 0)
        return FG_ENOTFOUND;
    write_window(&json, asked, &history);
    write_sightings(&json, fg_monitor_history_find(&history, fg_slice_from_string(asked->name)),
                    asked->limit);
    fg_buffer_init(&text, FG_BODY_SMALL);
    if (fg_monitors_added_text(monitors, asked->name, &text) == 0) {
        FG_JSON_KEY(&json, "text");
        fg_json_string(&json, fg_buffer_slice(&text));
    }
    fg_buffer_free(&text);
    fg_json_object_end(&json);
    return 0;
}

/* -- Changing */

static int run_one(struct fg_work *work)
{
    struct asked *asked = (struct asked *)work->state;
    struct fg_monitors *monitors = monitors_in(work);
    int r = fg_monitors_run(monitors, asked->name);
    if (r == FG_ETIMEOUT) {
        snprintf(asked->message, sizeof asked->message,
                 "the check of %s does not come back; its result stands when it does", asked->name);
        work->message = asked->message;
    }
    return r < 0 ? r : write_one(work);
}

/* What the parser said, a line for each thing, without the last line's end. */
static void say_errors(struct asked *asked, const struct fg_buffer *errors)
{
    snprintf(asked->message, sizeof asked->message, "%.*s",
             (int)(errors->size ? errors->size - 1 : 0), (const char *)errors->data);
}

/* Looks once with a monitor that is only in the request: nothing is kept, stored or told. */
static int try_one(struct fg_work *work)
{
    struct asked *asked = (struct asked *)work->state;
    struct fg_api *api = work->exchange->api;
    const struct fg_monitor_source source = {
        .env = api->env, .file_name = asked->name, .secrets = api->monitor_secrets};
    struct fg_monitor_config *config = NULL;
    struct fg_arena arena;
    struct fg_check_report report = {.arena = &arena};
    struct fg_buffer errors;
    fg_arena_init(&arena, TRY_BYTES_MAX);
    fg_buffer_init(&errors, sizeof asked->message - 1);
    int r = fg_monitor_config_parse(&source, asked->name, asked->body, &errors, &config);
    if (r == FG_EINVALID)
        say_errors(asked, &errors);
    if (asked->message[0])
        work->message = asked->message;
    if (r < 0)
        goto out;
    if (config->time_limit_ns > TRY_NS_MAX)
        config->time_limit_ns = TRY_NS_MAX;
    uint64_t begin_ns = fg_env_mono_ns(api->env);
    fg_monitor_try(api->env, config, &report);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_write_name(&json, "name", config->name);
    fg_write_name(&json, "kind", config->kind->name);
    fg_write_name(&json, "result", fg_check_result_name(fg_check_worst(&report)));
    fg_write_count(&json, "took_ns", fg_env_mono_ns(api->env) - begin_ns);
    write_findings(&json, &report);
    write_values(&json, &report);
    fg_json_object_end(&json);
out:
    fg_monitor_config_free(config);
    fg_buffer_free(&errors);
    fg_arena_free(&arena);
    return r;
}

static int put_one(struct fg_work *work)
{
    struct asked *asked = (struct asked *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_buffer errors;
    fg_buffer_init(&errors, sizeof asked->message - 1);
    int r =
        fg_monitors_add(monitors_in(work), api->monitor_secrets, asked->name, asked->body, &errors);
    if (r == FG_EINVALID)
        say_errors(asked, &errors);
    else if (r == FG_EEXIST)
        snprintf(asked->message, sizeof asked->message,
                 "a file of the server declares a monitor %s; change it there", asked->name);
    if (asked->message[0])
        work->message = asked->message;
    fg_buffer_free(&errors);
    return r < 0 ? r : write_one(work);
}

static int delete_one(struct fg_work *work)
{
    struct asked *asked = (struct asked *)work->state;
    int r = fg_monitors_drop(monitors_in(work), asked->name);
    if (r == FG_EEXIST) {
        snprintf(asked->message, sizeof asked->message,
                 "a file of the server declares the monitor %s; take it out there", asked->name);
        work->message = asked->message;
    }
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_write_name(&json, "deleted", asked->name);
    fg_json_object_end(&json);
    return 0;
}

/* -- The routes */

/* False after a 400. */
static bool read_window(struct fg_exchange *exchange, struct asked *asked)
{
    return fg_time_params(exchange, &asked->start_ns, &asked->end_ns) &&
           fg_window_params(exchange, HISTORY_NS, &asked->start_ns, &asked->end_ns);
}

static bool read_name(struct fg_exchange *exchange, struct asked *asked)
{
    if (!fg_monitor_name_valid(exchange->param)) {
        fg_answer_invalid(exchange,
                          "a monitor's name has letters, digits, '_', '.' and '-', at most %u",
                          FG_MONITOR_NAME_SIZE_MAX);
        return false;
    }
    memcpy(asked->name, exchange->param.data, exchange->param.size);
    return true;
}

static void start(struct fg_exchange *exchange, const char *verb, int (*run)(struct fg_work *work),
                  const struct asked *asked)
{
    struct fg_work *work = fg_work_new(exchange, verb, run, sizeof *asked);
    if (!work)
        return;
    memcpy(work->state, asked, sizeof *asked);
    bool is_read = run == write_all || run == write_one;
    fg_work_start(work, is_read ? exchange->api->readers : exchange->api->long_jobs);
}

void fg_handle_monitors(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct asked asked = {.limit = SIGHTINGS_DEFAULT};
    if (fg_params_known(exchange, names, 2) && read_window(exchange, &asked) &&
        monitors_of(exchange))
        start(exchange, "read the monitors", write_all, &asked);
}

void fg_handle_monitor(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end", "limit"};
    struct asked asked = {.limit = SIGHTINGS_DEFAULT};
    if (fg_params_known(exchange, names, 3) && read_window(exchange, &asked) &&
        fg_count_param(exchange, "limit", SIGHTINGS_MAX, &asked.limit) &&
        read_name(exchange, &asked) && monitors_of(exchange))
        start(exchange, "read the monitor", write_one, &asked);
}

static void change(struct fg_exchange *exchange, const char *verb, int (*run)(struct fg_work *work))
{
    struct asked asked = {.limit = 1, .body = exchange->request->body};
    if (fg_params_known(exchange, NULL, 0) && read_window(exchange, &asked) &&
        read_name(exchange, &asked) && monitors_of(exchange))
        start(exchange, verb, run, &asked);
}

void fg_handle_monitor_run(struct fg_exchange *exchange)
{
    change(exchange, "run the monitor", run_one);
}

void fg_handle_monitor_try(struct fg_exchange *exchange)
{
    change(exchange, "try the monitor", try_one);
}

void fg_handle_monitor_put(struct fg_exchange *exchange)
{
    change(exchange, "take the monitor", put_one);
}

void fg_handle_monitor_delete(struct fg_exchange *exchange)
{
    change(exchange, "remove the monitor", delete_one);
}
