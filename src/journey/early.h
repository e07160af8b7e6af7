/* What spans told before a span of their trace named a journey: which steps they reach, and that
 * they failed. A service's spans may come seconds before those of the one that called it, and it
 * alone may know the order's number.
 *
 * Bounded: of each trace the latest few things are kept, and of all traces the latest some
 * thousands. What is forgotten the journey's deadline finds, when its traces are read. Not
 * thread-safe. */
#pragma once

#include "base/error.h"
#include "case.h"

#include <stdbool.h>

struct fg_early;

/* In the place of a step: a span that failed, or had not ended. */
#define FG_EARLY_FAILED UINT8_MAX
/* Things that are told of one trace at most. */
#define FG_EARLY_OF_TRACE 8u

struct fg_early_step {
    struct fg_trace_ref trace;
    uint64_t at_ns; /* the first time that it was told */
    uint8_t flow, step;
};

/* *early may be NULL, and is made then. FG_ENOMEM. */
FG_MUST_CHECK int fg_early_note(struct fg_early **early, struct fg_trace_ref trace, uint8_t flow,
                                uint8_t step, uint64_t at_ns);
/* Returns how many there are of the trace; 0 where early is NULL. They stay: several journeys may
 * have the trace. */
uint32_t fg_early_of(const struct fg_early *early, struct fg_trace_ref trace,
                     struct fg_early_step ret_steps[FG_EARLY_OF_TRACE]);
/* It is asked for soon: what tells that there is nothing is fetched from memory meanwhile. */
void fg_early_expect(const struct fg_early *early, struct fg_trace_ref trace);
void fg_early_free(struct fg_early *early);

/* -- For who keeps them: chunks of at most so many of them. */
#define FG_EARLY_CHUNK 256u

/* A chunk that has changed since it was settled; false: none, or early is NULL. */
bool fg_early_changed(const struct fg_early *early, uint32_t *ret_chunk);
/* Returns how many are in a chunk, which is settled then. */
uint32_t fg_early_settle(struct fg_early *early, uint32_t chunk,
                         struct fg_early_step ret_steps[FG_EARLY_CHUNK]);
/* All have changed. */
void fg_early_unsettle(struct fg_early *early);
