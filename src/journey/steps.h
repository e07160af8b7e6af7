/* Which steps of a flow the rows of a batch reach, by the conditions of all of them at once.
 *
 * Most conditions ask for no more than equal texts: a service, a name, one attribute's value, and a
 * kind. That part of a condition is its anchor. What an anchor asks for is looked up once for each
 * string and each resource of a batch, and a row then takes a few ands of sets of steps. Where the
 * anchor is all of the condition that is the answer; otherwise a matcher, as a search has it, is
 * asked in batches with a row that the anchor lets pass. A condition without an anchor is the
 * matcher's alone. Not thread-safe. */
#pragma once

#include "hits.h"
#include "journey/flow.h"

struct fg_steps;

/* The flow outlives it. What is asked for is put into the names, as far as there is room.
 * FG_ENOMEM, and what fg_matcher_new() returns. */
FG_MUST_CHECK int fg_steps_new(const struct fg_flow *flow, struct fg_names *names,
                               struct fg_steps **ret_steps);
void fg_steps_free(struct fg_steps *steps);

/* Rows of a batch, which the names are bound to, and of all of them their hits. */
struct fg_steps_rows {
    const struct fg_batch *batch;
    struct fg_names *names;
    const struct fg_hits *hits;
    uint32_t begin, end;
    const uint32_t *owner; /* by row - begin: rows with UINT32_MAX are not asked for */
};

/* Before fg_steps_of() with the same rows. FG_ENOMEM. */
FG_MUST_CHECK int fg_steps_find(struct fg_steps *steps, const struct fg_steps_rows *rows);
/* Bits of the rows that meet the condition of the step, from begin on; those of rows that are not
 * asked for may be set. They stay as they are until the next call. NULL: no row does. FG_ELIMIT,
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_steps_of(struct fg_steps *steps, const struct fg_steps_rows *rows,
                              uint32_t step, const uint64_t **ret_bits);
