#include "series_params.h"

#include "base/limits.h"
#include "base/units.h"
#include "search_params.h"
#include "state.h"
#include "wire/json_writer.h"

#define LOOKBACK_NS   (60 * FG_NS_PER_MINUTE)
#define POINTS_WANTED 60u

/* The first of the steps that people count in which cuts length_ns into no more than what is
 * wanted. */
static uint64_t step_for(uint64_t length_ns)
{
    static const uint32_t minutes[] = {1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440};
    size_t count = sizeof minutes / sizeof *minutes;
    for (size_t i = 0; i < count; i++)
        if (length_ns / (minutes[i] * FG_NS_PER_MINUTE) <= POINTS_WANTED)
            return minutes[i] * FG_NS_PER_MINUTE;
    uint64_t days = length_ns / FG_NS_PER_DAY / POINTS_WANTED + 1;
    return days * FG_NS_PER_DAY;
}

static bool step_param(struct fg_exchange *exchange, uint64_t *step_ns)
{
    struct fg_slice text = fg_exchange_param(exchange, "step");
    if (text.size == 0)
        return true;
    if (fg_duration_parse(text, step_ns) == 0 && *step_ns > 0 && *step_ns % FG_NS_PER_MINUTE == 0)
        return true;
    fg_answer_invalid(exchange, "step: expected whole minutes, like 5m or 1h");
    return false;
}

bool fg_series_window_params(struct fg_exchange *exchange, struct fg_series_window *ret_window)
{
    uint64_t start_ns, end_ns, step_ns = 0;
    if (!fg_time_params(exchange, &start_ns, &end_ns) || !step_param(exchange, &step_ns))
        return false;
    if (!fg_window_params(exchange, LOOKBACK_NS, &start_ns, &end_ns))
        return false;
    if (step_ns == 0)
        step_ns = step_for(end_ns - start_ns);
    start_ns -= start_ns % step_ns;
    uint64_t points = (end_ns - start_ns) / step_ns + ((end_ns - start_ns) % step_ns != 0);
    if (points > FG_SERIES_POINTS_MAX || points > (UINT64_MAX - start_ns) / step_ns) {
        fg_answer_invalid(exchange, "more than %u points; ask for a longer step or less time",
                          FG_SERIES_POINTS_MAX);
        return false;
    }
    *ret_window = (struct fg_series_window){.start_ns = start_ns,
                                            .end_ns = start_ns + points * step_ns,
                                            .step_ns = step_ns,
                                            .point_count = (uint32_t)points};
    return true;
}

bool fg_word_param(struct fg_exchange *exchange, const char *name, const char *first,
                   const char *second, bool *ret_is_second)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    *ret_is_second = fg_slice_equal(text, fg_slice_from_string(second));
    if (text.size == 0 || *ret_is_second || fg_slice_equal(text, fg_slice_from_string(first)))
        return true;
    fg_answer_invalid(exchange, "%s: expected %s or %s", name, first, second);
    return false;
}

uint32_t fg_series_point(const struct fg_series_window *window, uint64_t ns)
{
    if (ns < window->start_ns || ns >= window->end_ns)
        return FG_SERIES_POINTS_MAX;
    return (uint32_t)((ns - window->start_ns) / window->step_ns);
}

void fg_series_window_write(struct fg_json_writer *json, const struct fg_series_window *window)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_time_format(window->start_ns, text);
    FG_JSON_KEY(json, "start");
    fg_json_string(json, fg_slice_from_string(text));
    FG_JSON_KEY(json, "start_ns");
    fg_json_uint_string(json, window->start_ns);
    FG_JSON_KEY(json, "step_ns");
    fg_json_uint(json, window->step_ns);
    FG_JSON_KEY(json, "count");
    fg_json_uint(json, window->point_count);
}
