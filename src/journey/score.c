/* The scorecard: two periods read from rollups, journeys and incidents, and compared. */
#include "journey/score.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "span/batch.h"
#include "store/rollup.h"
#include "store/store.h"

#include <stdlib.h>

/* What the requests of a period add up to. */
struct sums {
    struct fg_histogram durations;
    uint64_t count, error_count;
    double ns;                    /* the sum of durations, from the middles of their buckets */
    double satisfied, tolerating; /* by the service's threshold */
};

struct part {
    struct fg_slice name;
    double ns[2];
};

struct service {
    struct fg_slice name;
    uint64_t threshold_ns;
    struct sums *sums; /* two: before, after. NULL: it answers no requests (yet) */
    struct part parts[FG_SCORE_PARTS_MAX];
    uint32_t part_count;
    double other_ns[2];
};

#define SERVICES_MAX 1000u

struct reading {
    const struct fg_score_wanted *wanted;
    struct fg_arena *arena;
    struct fg_idmap by_name;
    struct service *services[SERVICES_MAX];
    uint32_t service_count;
    struct sums *all;
    struct fg_histogram *courses; /* point_count of before, then of after */
    struct fg_score_point *points;
    uint32_t point_count;
    uint64_t step_ns, first_ns;
};

static double middle_ns(uint32_t bucket)
{
    uint64_t begin_ns, end_ns;
    fg_histogram_bounds(bucket, &begin_ns, &end_ns);
    return (double)begin_ns + (double)(end_ns - begin_ns) / 2;
}

static double sum_ns(const struct fg_rollup_cell *cell)
{
    double ns = 0;
    for (uint32_t i = 0; i < cell->bucket_count; i++)
        ns += cell->buckets[i].count * middle_ns(cell->buckets[i].bucket);
    return ns;
}

/* Of a cell's spans how many took at most limit_ns; a bucket that it cuts counts in part. */
static double count_below(const struct fg_rollup_cell *cell, uint64_t limit_ns)
{
    double count = 0;
    for (uint32_t i = 0; i < cell->bucket_count; i++) {
        uint64_t begin_ns, end_ns;
        fg_histogram_bounds(cell->buckets[i].bucket, &begin_ns, &end_ns);
        if (end_ns <= limit_ns)
            count += cell->buckets[i].count;
        else if (begin_ns < limit_ns)
            count += cell->buckets[i].count * (double)(limit_ns - begin_ns) /
                     (double)(end_ns - begin_ns);
    }
    return count;
}

/* NULL: no more services are told apart; out of memory shows in the arena. */
static struct service *service_of(struct reading *reading, struct fg_slice name)
{
    uint32_t id;
    if (fg_idmap_find(&reading->by_name, fg_hash(name), NULL, NULL, &id) == 0)
        return reading->services[id];
    if (reading->service_count == SERVICES_MAX)
        return NULL;
    struct service *service = fg_arena_calloc(reading->arena, 1, sizeof *service);
    if (!service || fg_idmap_intern(&reading->by_name, fg_hash(name), NULL, NULL,
                                    reading->service_count, &id) < 0)
        return NULL;
    service->name = fg_arena_copy(reading->arena, name);
    service->threshold_ns = fg_score_threshold(reading->wanted->rules, name);
    reading->services[reading->service_count++] = service;
    return service;
}

static void add_request(struct sums *sums, const struct fg_rollup_cell *cell, uint64_t threshold_ns)
{
    double satisfied = count_below(cell, threshold_ns),
           tolerated = count_below(cell, 4 * threshold_ns);
    fg_histogram_add(&sums->durations, cell);
    sums->count += cell->count;
    sums->error_count += cell->error_count;
    sums->ns += sum_ns(cell);
    if (cell->error_count == 0) {
        sums->satisfied += satisfied;
        sums->tolerating += tolerated - satisfied;
    }
}

static void add_call(struct reading *reading, struct service *service, unsigned period,
                     const struct fg_rollup_cell *cell)
{
    uint32_t i = 0;
    while (i < service->part_count && !fg_slice_equal(service->parts[i].name, cell->name))
        i++;
    if (i == FG_SCORE_PARTS_MAX) {
        service->other_ns[period] += sum_ns(cell);
        return;
    }
    if (i == service->part_count)
        service->parts[service->part_count++].name = fg_arena_copy(reading->arena, cell->name);
    service->parts[i].ns[period] += sum_ns(cell);
}

/* As long before the split as the time after it is. */
static void add_point(struct reading *reading, const struct fg_rollup_cell *cell)
{
    uint64_t begin_ns = reading->wanted->split_ns - reading->point_count * reading->step_ns,
             index = (cell->minute_ns - begin_ns) / reading->step_ns;
    if (cell->minute_ns < begin_ns || index >= 2 * reading->point_count)
        return;
    reading->points[index].count += cell->count;
    reading->points[index].error_count += cell->error_count;
    fg_histogram_add(&reading->courses[index], cell);
}

static int see(void *arg, const struct fg_rollup_cell *cell)
{
    struct reading *reading = arg;
    if (cell->is_edge || (cell->kind != FG_SPAN_KIND_SERVER && cell->kind != FG_SPAN_KIND_CLIENT))
        return 0;
    unsigned period = cell->minute_ns >= reading->wanted->split_ns;
    struct service *service = service_of(reading, cell->service);
    if (!service)
        return reading->service_count == SERVICES_MAX ? 0 : FG_ELIMIT;
    if (cell->kind == FG_SPAN_KIND_CLIENT) {
        add_call(reading, service, period, cell);
        return 0;
    }
    if (!service->sums)
        service->sums = fg_arena_calloc(reading->arena, 2, sizeof *service->sums);
    if (!service->sums)
        return FG_ELIMIT;
    if (reading->first_ns == 0)
        reading->first_ns = cell->minute_ns;
    add_request(&service->sums[period], cell, service->threshold_ns);
    add_request(&reading->all[period], cell, service->threshold_ns);
    add_point(reading, cell);
    return 0;
}

/* -- Lines */

static struct fg_score_figure figure(uint64_t count, uint64_t few, double value)
{
    return (struct fg_score_figure){
        .count = count, .value = count ? value : 0, .is_few = count > 0 && count < few};
}

static bool is_difference(enum fg_score_measure measure)
{
    return measure == FG_SCORE_SUCCESS_RATE || measure == FG_SCORE_APDEX;
}

static void judge(struct fg_score_line *line)
{
    double before = line->before.value, after = line->after.value, target = line->target.value;
    bool has_both = line->before.count > 0 && line->after.count > 0;
    switch (line->target.kind) {
    case FG_SCORE_NO_TARGET:
        return;
    case FG_SCORE_CHANGE:
        /* From nothing nothing is taken away: it is met where it stays so. */
        line->is_judged = has_both;
        line->is_met = target < 0 ? after <= before * (1 + target) : after >= before * (1 + target);
        break;
    case FG_SCORE_POINTS:
        line->is_judged = has_both;
        /* More than all can't be: who completes all orders has met it. */
        line->is_met = target < 0 ? after <= before + target || after <= 0
                                  : after >= before + target || after >= 1;
        break;
    case FG_SCORE_AT_LEAST:
        line->is_judged = line->after.count > 0;
        line->is_met = after >= target;
        break;
    case FG_SCORE_AT_MOST:
        line->is_judged = line->after.count > 0;
        line->is_met = after <= target;
        break;
    }
    line->is_met &= line->is_judged;
}

static struct fg_score_line line_of(const struct fg_score_rules *rules,
                                    enum fg_score_measure measure, struct fg_score_figure before,
                                    struct fg_score_figure after)
{
    struct fg_score_line line = {
        .before = before, .after = after, .target = fg_score_target_of(rules, measure)};
    if (before.count > 0 && after.count > 0 && is_difference(measure)) {
        line.has_change = true;
        line.change = after.value - before.value;
    } else if (before.count > 0 && after.count > 0 && before.value > 0) {
        line.has_change = true;
        line.change = after.value / before.value - 1;
    }
    judge(&line);
    return line;
}

static double apdex(const struct sums *sums)
{
    return sums->count ? (sums->satisfied + sums->tolerating / 2) / (double)sums->count : 0;
}

static void write_requests(const struct fg_score_rules *rules, const struct sums *sums,
                           struct fg_score_line *lines)
{
    static const double quantiles[] = {0.50, 0.95, 0.99};
    struct fg_score_figure figures[2][FG_SCORE_MEASURE_COUNT];
    for (unsigned period = 0; period < 2; period++) {
        const struct sums *of = &sums[period];
        for (unsigned q = 0; q < 3; q++)
            figures[period][FG_SCORE_RESPONSE_P50 + q] =
                figure(of->count, FG_SCORE_FEW_REQUESTS,
                       (double)fg_histogram_quantile(&of->durations, quantiles[q]));
        figures[period][FG_SCORE_ERROR_RATE] =
            figure(of->count, FG_SCORE_FEW_REQUESTS,
                   of->count ? (double)of->error_count / (double)of->count : 0);
        figures[period][FG_SCORE_APDEX] = figure(of->count, FG_SCORE_FEW_REQUESTS, apdex(of));
    }
    for (unsigned i = FG_SCORE_RESPONSE_P50; i < FG_SCORE_MEASURE_COUNT; i++)
        lines[i] = line_of(rules, (enum fg_score_measure)i, figures[0][i], figures[1][i]);
}

/* -- Services */

static int compare_parts(const void *a, const void *b)
{
    const struct fg_score_part *x = a, *y = b;
    double dx = x->after_ns > 0 ? x->after_ns : x->before_ns,
           dy = y->after_ns > 0 ? y->after_ns : y->before_ns;
    if (dx > dy || dx < dy)
        return dx > dy ? -1 : 1;
    return fg_slice_compare(x->name, y->name);
}

static int write_parts(const struct service *service, struct fg_arena *arena,
                       struct fg_score_service *to)
{
    struct fg_score_part *parts = fg_arena_calloc(arena, service->part_count + 2, sizeof *parts);
    double calls[2] = {service->other_ns[0], service->other_ns[1]};
    uint32_t count = 0;
    if (!parts)
        return FG_ELIMIT;
    const double requests[2] = {(double)(service->sums[0].count ? service->sums[0].count : 1),
                                (double)(service->sums[1].count ? service->sums[1].count : 1)};
    for (uint32_t i = 0; i < service->part_count; i++) {
        const struct part *part = &service->parts[i];
        parts[count++] = (struct fg_score_part){part->name, part->ns[0] / requests[0],
                                                part->ns[1] / requests[1]};
        calls[0] += part->ns[0];
        calls[1] += part->ns[1];
    }
    if (service->other_ns[0] + service->other_ns[1] > 0)
        parts[count++] =
            (struct fg_score_part){FG_SLICE("other"), service->other_ns[0] / requests[0],
                                   service->other_ns[1] / requests[1]};
    /* Calls at one time, or outside of requests, may come to more than the requests took. */
    double own[2];
    for (unsigned period = 0; period < 2; period++) {
        double ns = service->sums[period].ns - calls[period];
        own[period] = ns > 0 ? ns / requests[period] : 0;
    }
    parts[count++] = (struct fg_score_part){{0}, own[0], own[1]};
    qsort(parts, count, sizeof *parts, compare_parts);
    to->parts = parts;
    to->part_count = count;
    return 0;
}

static int compare_services(const void *a, const void *b)
{
    const struct service *x = *(struct service *const *)a, *y = *(struct service *const *)b;
    if (!x->sums != !y->sums)
        return x->sums ? -1 : 1;
    if (x->sums && x->sums[1].count != y->sums[1].count)
        return x->sums[1].count > y->sums[1].count ? -1 : 1;
    return fg_slice_compare(x->name, y->name);
}

static int write_services(struct reading *reading, struct fg_score *score)
{
    struct fg_score_service *services =
        fg_arena_calloc(reading->arena, FG_SCORE_SERVICES_MAX, sizeof *services);
    int r = services ? 0 : FG_ELIMIT;
    qsort(reading->services, reading->service_count, sizeof(*reading->services), compare_services);
    for (uint32_t i = 0; r == 0 && i < reading->service_count && reading->services[i]->sums; i++) {
        const struct service *from = reading->services[i];
        if (score->service_count == FG_SCORE_SERVICES_MAX) {
            score->more_services++;
            continue;
        }
        struct fg_score_service *to = &services[score->service_count++];
        to->service = from->name;
        to->threshold_ns = from->threshold_ns;
        write_requests(reading->wanted->rules, from->sums, to->lines);
        r = write_parts(from, reading->arena, to);
    }
    score->services = services;
    return r;
}

/* -- All */

static int plan_course(struct reading *reading)
{
    uint64_t minutes = (reading->wanted->end_ns - reading->wanted->split_ns) / FG_NS_PER_MINUTE + 1;
    uint64_t step = (minutes + FG_SCORE_POINTS_MAX - 1) / FG_SCORE_POINTS_MAX;
    reading->step_ns = step * FG_NS_PER_MINUTE;
    reading->point_count = (uint32_t)((minutes + step - 1) / step);
    if (reading->point_count * reading->step_ns > reading->wanted->split_ns)
        reading->point_count = (uint32_t)(reading->wanted->split_ns / reading->step_ns);
    reading->courses = fg_arena_calloc(reading->arena, 2 * (size_t)reading->point_count + 1,
                                       sizeof *reading->courses);
    reading->points = fg_arena_calloc(reading->arena, 2 * (size_t)reading->point_count + 1,
                                      sizeof *reading->points);
    return reading->courses && reading->points ? 0 : FG_ELIMIT;
}

static void write_course(struct reading *reading, struct fg_score *score)
{
    for (uint32_t i = 0; i < 2 * reading->point_count; i++)
        reading->points[i].p95_ns = fg_histogram_quantile(&reading->courses[i], 0.95);
    score->points[0] = reading->points;
    score->points[1] = reading->points + reading->point_count;
    score->point_count = reading->point_count;
    score->step_ns = reading->step_ns;
}

static int read_requests(struct reading *reading)
{
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(reading->wanted->store, reading->wanted->tenant, reading->wanted->before_ns,
                        reading->wanted->end_ns, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, see, reading);
    fg_rollup_free(rollup);
    if (r == 0 && reading->arena->overflow)
        r = FG_ELIMIT;
    return r;
}

static void write_ends(const struct fg_score_wanted *wanted, struct fg_score *score)
{
    const uint64_t bounds_ns[3] = {wanted->before_ns, wanted->split_ns, wanted->end_ns};
    struct fg_score_period *const periods[2] = {&score->before, &score->after};
    struct fg_journey_ends ends[2];
    struct fg_score_figure rates[2], times[2];
    score->is_rebuilding =
        !fg_journeys_ends(wanted->journeys, bounds_ns, ends, &score->journeys_from_ns);
    for (unsigned i = 0; i < 2; i++) {
        double open_ns;
        uint64_t ended = ends[i].done + ends[i].stopped;
        periods[i]->start_ns = bounds_ns[i];
        periods[i]->end_ns = bounds_ns[i + 1];
        periods[i]->done = ends[i].done;
        periods[i]->cancelled = ends[i].cancelled;
        periods[i]->stopped = ends[i].stopped;
        rates[i] =
            figure(ended, FG_SCORE_FEW_JOURNEYS, ended ? (double)ends[i].done / (double)ended : 0);
        fg_incidents_sum(wanted->incidents, bounds_ns[i], bounds_ns[i + 1],
                         &periods[i]->incident_count, &open_ns, &periods[i]->open_count);
        times[i] =
            figure(periods[i]->incident_count, FG_SCORE_FEW_INCIDENTS,
                   periods[i]->incident_count ? open_ns / (double)periods[i]->incident_count : 0);
    }
    score->lines[FG_SCORE_SUCCESS_RATE] =
        line_of(wanted->rules, FG_SCORE_SUCCESS_RATE, rates[0], rates[1]);
    score->lines[FG_SCORE_MTTR] = line_of(wanted->rules, FG_SCORE_MTTR, times[0], times[1]);
}

int fg_score_read(const struct fg_score_wanted *wanted, struct fg_arena *arena,
                  struct fg_score *ret_score)
{
    struct fg_score score = {.service_count = 0};
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        return FG_ENOMEM;
    reading->wanted = wanted;
    reading->arena = arena;
    fg_idmap_init(&reading->by_name);
    reading->all = fg_arena_calloc(arena, 2, sizeof *reading->all);
    int r = reading->all ? plan_course(reading) : FG_ELIMIT;
    if (r == 0)
        r = read_requests(reading);
    if (r == 0)
        r = write_services(reading, &score);
    if (r == 0) {
        write_requests(wanted->rules, reading->all, score.lines);
        write_course(reading, &score);
        write_ends(wanted, &score);
        score.requests_from_ns = reading->first_ns;
        *ret_score = score;
    }
    fg_idmap_free(&reading->by_name);
    free(reading);
    return r;
}
