/* Jaeger's /api/metrics/…: latencies, call and error rates over time, for the Monitor tab of its
 * UI. Jaeger asks a Prometheus for them; here the minute rollups answer.
 *
 * The answer is protobuf's JSON of jaeger.api_v2.metrics.MetricFamily (jaegertracing/jaeger-idl,
 * openmetrics.proto). Each point at t tells of the time from t - ratePer, taken back to the begin
 * of a minute, to t. A point of nothing is 0 for calls and NaN for what is a share of them, as
 * Prometheus has it. */
#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "jaeger_envelope.h"
#include "jaeger_params.h"
#include "net/url.h"
#include "service_totals.h"
#include "span/names.h"
#include "state.h"
#include "work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define LOOKBACK_NS   (60 * FG_NS_PER_MINUTE)
#define STEP_NS       (5 * FG_NS_PER_SECOND)
#define RATE_NS       (10 * FG_NS_PER_MINUTE)
#define POINTS_MAX    11000u /* as Prometheus refuses more */
#define SERVICES_MAX  64u
#define GROUPS_MAX    4096u
#define QUANTILE_SIZE 24

enum measure { LATENCIES, CALLS, ERRORS };

struct query {
    enum measure measure;
    double quantile;
    struct fg_slice services[SERVICES_MAX];
    uint32_t service_count;
    unsigned kinds; /* bits, 1 << enum fg_span_kind */
    bool by_operation;
    uint64_t start_ns, end_ns, step_ns, rate_ns;
};

/* What a minute adds to a series. */
struct minute {
    struct minute *next;
    uint64_t minute_ns;
    uint64_t count, error_count;
    const struct fg_rollup_bucket *buckets;
    uint32_t bucket_count;
};

struct group {
    struct fg_slice service, operation;
    struct minute *first, **last; /* by time */
};

struct groups {
    const struct query *query;
    struct fg_arena *arena;
    struct group *groups;
    uint32_t count;
    struct fg_idmap map;
};

/* -- Reading
 * ---------------------------------------------------------------------------------------
 */

struct wanted {
    const struct groups *groups;
    struct fg_slice service, operation;
};

static bool same_group(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct group *group = &wanted->groups->groups[id];
    return fg_slice_equal(group->service, wanted->service) &&
           fg_slice_equal(group->operation, wanted->operation);
}

static int find_group(struct groups *groups, const struct fg_rollup_cell *cell,
                      struct group **ret_group)
{
    struct wanted wanted = {groups, cell->service, (struct fg_slice){0}};
    uint32_t id = 0;
    if (groups->query->by_operation)
        wanted.operation = cell->name;
    int r = fg_idmap_intern(&groups->map, fg_hash_seeded(wanted.operation, fg_hash(wanted.service)),
                            same_group, &wanted, groups->count, &id);
    if (r < 0)
        return r;
    if (id == groups->count) {
        if (groups->count == GROUPS_MAX)
            return FG_ELIMIT;
        struct group *group = &groups->groups[groups->count++];
        group->service = fg_arena_copy(groups->arena, wanted.service);
        group->operation = fg_arena_copy(groups->arena, wanted.operation);
        group->last = &group->first;
        if (groups->arena->overflow)
            return FG_ELIMIT;
    }
    *ret_group = &groups->groups[id];
    return 0;
}

static bool is_wanted(const struct query *query, const struct fg_rollup_cell *cell)
{
    if (cell->is_edge || cell->kind > FG_SPAN_KIND_CONSUMER ||
        (query->kinds >> cell->kind & 1) == 0)
        return false;
    for (uint32_t i = 0; i < query->service_count; i++)
        if (fg_slice_equal(query->services[i], cell->service))
            return true;
    return false;
}

/* Cells come by time, so that a group's list is in order. */
static int add_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct groups *groups = arg;
    struct group *group;
    if (!is_wanted(groups->query, cell))
        return 0;
    int r = find_group(groups, cell, &group);
    if (r < 0)
        return r;
    struct minute *minute = fg_arena_calloc(groups->arena, 1, sizeof *minute);
    struct fg_rollup_bucket *buckets = NULL;
    if (groups->query->measure == LATENCIES)
        buckets = fg_arena_calloc(groups->arena, cell->bucket_count, sizeof *buckets);
    if (groups->arena->overflow)
        return FG_ELIMIT;
    *minute = (struct minute){.minute_ns = cell->minute_ns,
                              .count = cell->count,
                              .error_count = cell->error_count,
                              .buckets = buckets,
                              .bucket_count = buckets ? cell->bucket_count : 0};
    if (minute->bucket_count)
        memcpy(buckets, cell->buckets, cell->bucket_count * sizeof *buckets);
    *group->last = minute;
    group->last = &minute->next;
    return 0;
}

static uint64_t minute_of(uint64_t ns)
{
    return ns / FG_NS_PER_MINUTE * FG_NS_PER_MINUTE;
}

/* The begin of what a point at t tells of. */
static uint64_t window_begin(const struct query *query, uint64_t t_ns)
{
    return minute_of(t_ns > query->rate_ns ? t_ns - query->rate_ns : 0);
}

static int read_groups(struct fg_work *work, struct groups *groups)
{
    const struct query *query = groups->query;
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                        window_begin(query, query->start_ns), query->end_ns, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, add_cell, groups);
    fg_rollup_free(rollup);
    return r;
}

/* -- A window that moves over a group's minutes
 * --------------------------------------------------------
 */

struct window {
    const struct minute *enters, *leaves; /* the next ones to do so */
    uint64_t count, error_count;
    struct fg_histogram histogram;
};

static void enter(struct window *window, const struct minute *minute)
{
    window->count += minute->count;
    window->error_count += minute->error_count;
    for (uint32_t i = 0; i < minute->bucket_count; i++) {
        window->histogram.count += minute->buckets[i].count;
        window->histogram.buckets[minute->buckets[i].bucket] += minute->buckets[i].count;
    }
}

static void leave(struct window *window, const struct minute *minute)
{
    window->count -= minute->count;
    window->error_count -= minute->error_count;
    for (uint32_t i = 0; i < minute->bucket_count; i++) {
        window->histogram.count -= minute->buckets[i].count;
        window->histogram.buckets[minute->buckets[i].bucket] -= minute->buckets[i].count;
    }
}

static void move(struct window *window, uint64_t begin_ns, uint64_t end_ns)
{
    while (window->enters && window->enters->minute_ns < end_ns) {
        enter(window, window->enters);
        window->enters = window->enters->next;
    }
    while (window->leaves != window->enters && window->leaves->minute_ns < begin_ns) {
        leave(window, window->leaves);
        window->leaves = window->leaves->next;
    }
}

static double value_of(const struct window *window, const struct query *query, uint64_t length_ns)
{
    switch (query->measure) {
    case LATENCIES:
        if (window->histogram.count == 0)
            return NAN;
        return (double)fg_histogram_quantile(&window->histogram, query->quantile) /
               (double)FG_NS_PER_MS;
    case CALLS:
        return (double)window->count / ((double)length_ns / (double)FG_NS_PER_SECOND);
    case ERRORS:
        break;
    }
    return window->count ? (double)window->error_count / (double)window->count : NAN;
}

/* -- Writing
 * ---------------------------------------------------------------------------------------
 */

static void write_label(struct fg_json_writer *json, const char *name, struct fg_slice value)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, fg_slice_from_string(name));
    FG_JSON_KEY(json, "value");
    fg_json_string(json, value);
    fg_json_object_end(json);
}

static void write_point(struct fg_json_writer *json, uint64_t t_ns, double value)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_time_format(t_ns, text);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "gaugeValue");
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "doubleValue");
    fg_json_double(json, value);
    fg_json_object_end(json);
    FG_JSON_KEY(json, "timestamp");
    fg_json_string(json, fg_slice_from_string(text));
    fg_json_object_end(json);
}

static void write_group(struct fg_json_writer *json, const struct query *query,
                        const struct group *group, struct window *window)
{
    *window = (struct window){.enters = group->first, .leaves = group->first};
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "labels");
    fg_json_array_begin(json);
    if (query->by_operation)
        write_label(json, "operation", group->operation);
    write_label(json, "service_name", group->service);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "metricPoints");
    fg_json_array_begin(json);
    for (uint64_t t_ns = query->start_ns; t_ns <= query->end_ns; t_ns += query->step_ns) {
        uint64_t begin_ns = window_begin(query, t_ns);
        move(window, begin_ns, t_ns);
        write_point(json, t_ns, value_of(window, query, t_ns - begin_ns));
    }
    fg_json_array_end(json);
    fg_json_object_end(json);
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int order = fg_slice_compare(x->service, y->service);
    return order ? order : fg_slice_compare(x->operation, y->operation);
}

static void write_head(struct fg_json_writer *json, const struct query *query)
{
    static const char *const names[][2] = {
        [LATENCIES] = {"service_latencies", "service_operation_latencies"},
        [CALLS] = {"service_call_rate", "service_operation_call_rate"},
        [ERRORS] = {"service_error_rate", "service_operation_error_rate"},
    };
    static const char *const helps[] = {
        [LATENCIES] = "quantile latency, grouped by service",
        [CALLS] = "calls/sec, grouped by service",
        [ERRORS] = ("error rate, computed as a fraction of errors/sec over calls/sec, grouped by "
                    "service"),
    };
    char quantile[QUANTILE_SIZE] = "", help[160];
    if (query->measure == LATENCIES)
        snprintf(quantile, sizeof quantile, "%.2fth ", query->quantile);
    snprintf(help, sizeof help, "%s%s%s", quantile, helps[query->measure],
             query->by_operation ? " & operation" : "");
    FG_JSON_KEY(json, "name");
    fg_json_string(json, fg_slice_from_string(names[query->measure][query->by_operation]));
    FG_JSON_KEY(json, "type");
    fg_json_string(json, FG_SLICE("GAUGE"));
    FG_JSON_KEY(json, "help");
    fg_json_string(json, fg_slice_from_string(help));
}

static int write_family(struct fg_work *work, const struct groups *groups)
{
    struct window *window = fg_arena_calloc(&work->arena, 1, sizeof *window);
    struct fg_json_writer json = fg_json_writer(&work->body);
    if (!window)
        return FG_ELIMIT;
    fg_json_object_begin(&json);
    write_head(&json, groups->query);
    FG_JSON_KEY(&json, "metrics");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < groups->count && !work->body.error; i++)
        write_group(&json, groups->query, &groups->groups[i], window);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

static int run(struct fg_work *work)
{
    struct groups groups = {.query = (const struct query *)work->state, .arena = &work->arena};
    groups.groups = fg_arena_calloc(&work->arena, GROUPS_MAX, sizeof *groups.groups);
    if (!groups.groups)
        return FG_ELIMIT;
    fg_idmap_init(&groups.map);
    int r = read_groups(work, &groups);
    fg_idmap_free(&groups.map);
    if (r < 0)
        return r;
    qsort(groups.groups, groups.count, sizeof *groups.groups, compare_groups);
    return write_family(work, &groups);
}

/* -- Parameters
 * ------------------------------------------------------------------------------------
 */

static bool is_word(struct fg_slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* "server", as Jaeger takes it; and with OpenTelemetry's prefix, as it took it once. */
static bool read_kind(struct fg_exchange *exchange, struct fg_slice text, unsigned *kinds)
{
    static const char prefix[] = "SPAN_KIND_";
    size_t skip = sizeof prefix - 1;
    struct fg_slice word = text;
    if (text.size > skip && memcmp(text.data, prefix, skip) == 0)
        word = fg_slice(text.data + skip, text.size - skip);
    for (unsigned i = 0; fg_span_kind_name(i); i++) {
        if (!is_word(word, fg_span_kind_name(i)))
            continue;
        *kinds |= 1u << i;
        return true;
    }
    fg_jaeger_answer_unparsed(exchange, "spanKind", text, "is an unsupported span kind");
    return false;
}

static bool read_lists(struct fg_exchange *exchange, struct query *query)
{
    struct fg_slice rest = exchange->request->query;
    struct fg_url_param param;
    while (fg_url_next_param(&rest, exchange->request->arena, &param)) {
        if (fg_slice_equal(param.name, FG_SLICE("spanKind"))) {
            if (!read_kind(exchange, param.value, &query->kinds))
                return false;
        } else if (fg_slice_equal(param.name, FG_SLICE("service"))) {
            if (query->service_count == SERVICES_MAX) {
                fg_answer_invalid(exchange, "more than %u services", SERVICES_MAX);
                return false;
            }
            query->services[query->service_count++] = param.value;
        }
    }
    if (query->service_count == 0) {
        fg_answer_invalid(exchange,
                          "unable to parse param 'service': please provide at least one service "
                          "name");
        return false;
    }
    if (query->kinds == 0)
        query->kinds = 1u << FG_SPAN_KIND_SERVER;
    return true;
}

/* What Go's strconv.ParseBool() takes. */
static bool read_flag(struct fg_exchange *exchange, const char *name, bool *flag)
{
    static const char *const texts[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    struct fg_slice text = fg_exchange_param(exchange, name);
    if (text.size == 0)
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!fg_slice_equal(text, fg_slice_from_string(texts[i])))
            continue;
        *flag = i < sizeof texts / sizeof *texts / 2;
        return true;
    }
    fg_jaeger_answer_unparsed(exchange, name, text, "is neither true nor false");
    return false;
}

static bool read_quantile(struct fg_exchange *exchange, double *quantile)
{
    struct fg_slice text = fg_exchange_param(exchange, "quantile");
    char copy[QUANTILE_SIZE], *end = copy;
    if (text.size > 0 && text.size < sizeof copy) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
        *quantile = strtod(copy, &end);
    }
    if (end != copy && *end == 0 && *quantile >= 0 && *quantile <= 1)
        return true;
    fg_jaeger_answer_unparsed(exchange, "quantile", text, "is no number from 0 to 1");
    return false;
}

static bool read_steps(struct fg_exchange *exchange, struct query *query)
{
    query->step_ns = STEP_NS;
    query->rate_ns = RATE_NS;
    if (!fg_jaeger_window_params(exchange, LOOKBACK_NS, &query->start_ns, &query->end_ns) ||
        !fg_jaeger_integer_param(exchange, "step", FG_NS_PER_MS, &query->step_ns) ||
        !fg_jaeger_integer_param(exchange, "ratePer", FG_NS_PER_MS, &query->rate_ns))
        return false;
    if (query->step_ns == 0 || query->rate_ns == 0) {
        fg_answer_invalid(exchange, "step and ratePer must be at least 1");
        return false;
    }
    if ((query->end_ns - query->start_ns) / query->step_ns >= POINTS_MAX ||
        query->step_ns > UINT64_MAX - query->end_ns) {
        fg_answer_invalid(exchange, "more than %u points; ask for a longer step or less time",
                          POINTS_MAX);
        return false;
    }
    return true;
}

static void start(struct fg_exchange *exchange, enum measure measure)
{
    struct query query = {.measure = measure};
    if (measure == LATENCIES && !read_quantile(exchange, &query.quantile))
        return;
    if (!read_lists(exchange, &query) ||
        !read_flag(exchange, "groupByOperation", &query.by_operation) ||
        !read_steps(exchange, &query))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the metrics", run, sizeof query);
    if (!work)
        return;
    memcpy(work->state, &query, sizeof query);
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_jaeger_latencies(struct fg_exchange *exchange)
{
    start(exchange, LATENCIES);
}

void fg_handle_jaeger_calls(struct fg_exchange *exchange)
{
    start(exchange, CALLS);
}

void fg_handle_jaeger_errors(struct fg_exchange *exchange)
{
    start(exchange, ERRORS);
}

/* A minute: finer steps would tell nothing more. */
void fg_handle_jaeger_min_step(struct fg_exchange *exchange)
{
    struct fg_buffer body;
    fg_buffer_init(&body, 1024);
    struct fg_json_writer json = fg_json_writer(&body);
    fg_jaeger_envelope_begin(&json);
    fg_json_uint(&json, FG_NS_PER_MINUTE / FG_NS_PER_MS);
    fg_jaeger_envelope_end(&json, 0);
    fg_answer_take(exchange, 200, "application/json", &body);
}
