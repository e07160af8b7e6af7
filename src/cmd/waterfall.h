/* Draws a trace as text: its spans as a tree, each with service, name, a bar in time and its
 * duration. */
#pragma once

#include "base/arena.h"
#include "command.h"
#include "span/batch.h"

/* batch holds one trace. Texts of spans are shown without control characters, so that a span's name
 * can't steer the terminal. FG_ELIMIT where the arena is full. */
FG_MUST_CHECK int fg_waterfall_print(struct fg_cli *cli, const struct fg_batch *batch,
                                     struct fg_arena *arena);
