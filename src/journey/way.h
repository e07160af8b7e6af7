/* The way that a journey took: its steps, and where it was when. */
#pragma once

#include "case.h"
#include "journey/journeys.h"

/* Fills steps and stays of answer, in arena, with texts of its own. FG_ELIMIT. */
FG_MUST_CHECK int fg_way_find(const struct fg_case *c, struct fg_arena *arena,
                              struct fg_journey_answer *answer);
