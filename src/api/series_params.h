/* What a route over time asks for: a window, cut into steps of whole minutes. */
#pragma once

#include "exchange.h"

#include <stdbool.h>
#include <stdint.h>

#define FG_SERIES_POINTS_MAX 1500u

struct fg_series_window {
    uint64_t start_ns, end_ns; /* whole steps since 1970 */
    uint64_t step_ns;          /* whole minutes */
    uint32_t point_count;      /* from 1 to FG_SERIES_POINTS_MAX */
};

/* Reads start, end and step. end: now; start: an hour before; step: what makes 60 points or so, as
 * people count minutes, hours and days. The window is widened to whole steps. False after a 400. */
FG_MUST_CHECK bool fg_series_window_params(struct fg_exchange *exchange,
                                           struct fg_series_window *ret_window);

/* A parameter that is one of two words, or absent, which is the first. False after a 400. */
FG_MUST_CHECK bool fg_word_param(struct fg_exchange *exchange, const char *name, const char *first,
                                 const char *second, bool *ret_is_second);

/* The point that a moment of the window belongs to; FG_SERIES_POINTS_MAX: none. */
uint32_t fg_series_point(const struct fg_series_window *window, uint64_t ns);

struct fg_json_writer;
/* start, start_ns, step_ns and count, as members of an object that is open. */
void fg_series_window_write(struct fg_json_writer *json, const struct fg_series_window *window);
