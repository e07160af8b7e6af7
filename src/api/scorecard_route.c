/* GET /api/v1/scorecard: what Filigree is there to improve, over two periods and against targets.
 */
#include "base/limits.h"
#include "handlers.h"
#include "journey/score.h"
#include "journey_json.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

#define LENGTH_DEFAULT_NS (7 * FG_NS_PER_DAY)

static const char *unit_of(enum fg_score_measure measure)
{
    switch (measure) {
    case FG_SCORE_SUCCESS_RATE:
    case FG_SCORE_ERROR_RATE:
        return "share";
    case FG_SCORE_APDEX:
        return "score";
    default:
        return "ns";
    }
}

static void write_number(struct fg_json_writer *json, const char *key, double value)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_double(json, value);
}

static void write_figure(struct fg_json_writer *json, const char *key,
                         const struct fg_score_figure *figure)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_object_begin(json);
    if (figure->count > 0) {
        write_number(json, "value", figure->value);
    } else {
        FG_JSON_KEY(json, "value");
        fg_json_null(json);
    }
    fg_write_count(json, "count", figure->count);
    fg_write_flag(json, "few", figure->is_few);
    fg_json_object_end(json);
}

static void write_target(struct fg_json_writer *json, const struct fg_score_target *target)
{
    static const char *const names[] = {[FG_SCORE_CHANGE] = "change",
                                        [FG_SCORE_POINTS] = "points",
                                        [FG_SCORE_AT_LEAST] = "at_least",
                                        [FG_SCORE_AT_MOST] = "at_most"};
    FG_JSON_KEY(json, "target");
    if (target->kind == FG_SCORE_NO_TARGET) {
        fg_json_null(json);
        return;
    }
    fg_json_object_begin(json);
    fg_write_name(json, "kind", names[target->kind]);
    write_number(json, "value", target->value);
    fg_json_object_end(json);
}

static void write_line(struct fg_json_writer *json, enum fg_score_measure measure,
                       const struct fg_score_line *line)
{
    fg_json_object_begin(json);
    fg_write_name(json, "name", fg_score_measure_name(measure));
    fg_write_name(json, "unit", unit_of(measure));
    write_figure(json, "before", &line->before);
    write_figure(json, "after", &line->after);
    if (line->has_change) {
        write_number(json, "change", line->change);
    } else {
        FG_JSON_KEY(json, "change");
        fg_json_null(json);
    }
    write_target(json, &line->target);
    FG_JSON_KEY(json, "met");
    if (line->is_judged)
        fg_json_bool(json, line->is_met);
    else
        fg_json_null(json);
    fg_json_object_end(json);
}

static void write_service(struct fg_json_writer *json, const struct fg_score_service *service)
{
    fg_json_object_begin(json);
    fg_write_text(json, "service", service->service);
    fg_write_count(json, "threshold_ns", service->threshold_ns);
    FG_JSON_KEY(json, "measures");
    fg_json_array_begin(json);
    for (unsigned i = FG_SCORE_RESPONSE_P50; i < FG_SCORE_MEASURE_COUNT; i++)
        write_line(json, (enum fg_score_measure)i, &service->lines[i]);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "parts");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < service->part_count; i++) {
        fg_json_object_begin(json);
        fg_write_text(json, "name", service->parts[i].name);
        write_number(json, "before_ns", service->parts[i].before_ns);
        write_number(json, "after_ns", service->parts[i].after_ns);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
    fg_json_object_end(json);
}

static void write_period(struct fg_json_writer *json, const char *key,
                         const struct fg_score_period *period)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_object_begin(json);
    fg_write_time(json, "start", period->start_ns);
    fg_write_time(json, "end", period->end_ns);
    fg_write_count(json, "incidents", period->incident_count);
    fg_write_count(json, "open_incidents", period->open_count);
    fg_write_count(json, "done", period->done);
    fg_write_count(json, "cancelled", period->cancelled);
    fg_write_count(json, "stopped", period->stopped);
    fg_json_object_end(json);
}

static void write_points(struct fg_json_writer *json, const char *key,
                         const struct fg_score_point *points, uint32_t count)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < count; i++) {
        fg_json_object_begin(json);
        fg_write_count(json, "count", points[i].count);
        fg_write_count(json, "error_count", points[i].error_count);
        fg_write_count(json, "p95_ns", points[i].p95_ns);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static int write_score(struct fg_work *work)
{
    const struct fg_score_wanted *wanted = (const struct fg_score_wanted *)work->state;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_score score;
    int r = fg_score_read(wanted, &work->arena, &score);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    write_period(&json, "before", &score.before);
    write_period(&json, "after", &score.after);
    FG_JSON_KEY(&json, "measures");
    fg_json_array_begin(&json);
    for (unsigned i = 0; i < FG_SCORE_MEASURE_COUNT; i++)
        write_line(&json, (enum fg_score_measure)i, &score.lines[i]);
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "services");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < score.service_count; i++)
        write_service(&json, &score.services[i]);
    fg_json_array_end(&json);
    fg_write_count(&json, "more_services", score.more_services);
    FG_JSON_KEY(&json, "course");
    fg_json_object_begin(&json);
    fg_write_count(&json, "step_ns", score.step_ns);
    write_points(&json, "before", score.points[0], score.point_count);
    write_points(&json, "after", score.points[1], score.point_count);
    fg_json_object_end(&json);
    fg_write_time(&json, "requests_from", score.requests_from_ns);
    fg_write_time(&json, "journeys_from", score.journeys_from_ns);
    fg_write_flag(&json, "rebuilding", score.is_rebuilding);
    fg_json_object_end(&json);
    return 0;
}

static uint64_t whole_minute(uint64_t ns)
{
    return ns - ns % FG_NS_PER_MINUTE;
}

/* start, end, split; false after a 400. Without a split the time before start, as long as the
 * period, is what it is compared with; without a start each side is as long as the other. */
static bool read_periods(struct fg_exchange *exchange, struct fg_score_wanted *wanted)
{
    uint64_t now_ns = fg_env_wall_ns(exchange->api->env), start_ns, end_ns, split_ns = 0;
    if (!fg_time_params(exchange, &start_ns, &end_ns) ||
        !fg_moment_param(exchange, "split", &split_ns))
        return false;
    if (end_ns == UINT64_MAX)
        end_ns = whole_minute(now_ns) + FG_NS_PER_MINUTE;
    if (split_ns == 0) {
        split_ns = start_ns > 0 ? start_ns : end_ns - LENGTH_DEFAULT_NS;
        start_ns = 0;
    }
    split_ns = whole_minute(split_ns);
    end_ns = whole_minute(end_ns + FG_NS_PER_MINUTE - 1);
    if (split_ns >= end_ns) {
        fg_answer_invalid(exchange, "the period is empty: it ends before it begins");
        return false;
    }
    uint64_t length_ns = end_ns - split_ns;
    if (start_ns == 0)
        start_ns = split_ns > length_ns ? split_ns - length_ns : 0;
    start_ns = whole_minute(start_ns);
    if (start_ns >= split_ns) {
        fg_answer_invalid(exchange, "split must come after start");
        return false;
    }
    wanted->before_ns = start_ns;
    wanted->split_ns = split_ns;
    wanted->end_ns = end_ns;
    return true;
}

void fg_handle_scorecard(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "split", "end"};
    struct fg_api *api = exchange->api;
    struct fg_score_wanted wanted = {.store = fg_api_store(api),
                                     .tenant = exchange->identity.tenant,
                                     .journeys = fg_api_journeys(api, exchange->identity.tenant),
                                     .incidents = fg_api_incidents(api, exchange->identity.tenant),
                                     .rules = atomic_load(&api->score_rules)};
    if (!fg_params_known(exchange, names, 3) || !read_periods(exchange, &wanted) ||
        !fg_journeys_of(exchange))
        return;
    if (!wanted.incidents || !wanted.rules) {
        const struct fg_failure failure = {
            503, FG_RPC_UNAVAILABLE, "incidents are not kept yet; try again later", 1000000000};
        fg_answer_failure(exchange, &failure);
        return;
    }
    struct fg_work *work = fg_work_new(exchange, "read the scorecard", write_score, sizeof wanted);
    if (!work)
        return;
    memcpy(work->state, &wanted, sizeof wanted);
    fg_work_start(work, api->readers);
}
