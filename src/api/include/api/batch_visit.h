/* Hands a batch's rows to a visitor of OTLP: the way back from columns to the wire, for answers and
 * exports. Rows are grouped by resource, then scope, each group in the order of the rows.
 *
 * A visit may be taken in steps, so that a long answer is rendered as fast as its reader reads. */
#pragma once

#include "base/arena.h"
#include "span/batch.h"
#include "wire/otlp.h"

/* The attribute that carries enum fg_span_mark, as an array of their names. The intake reads it
 * back, so that what is exported and imported keeps its marks. */
#define FG_MARKS_KEY "filigree.marks"

struct fg_batch_visit {
    const struct fg_batch *batch;
    const uint32_t *rows; /* in order of the calls */
    uint32_t row_count;
    uint32_t at;
    bool resource_is_open, scope_is_open;
    uint32_t resource, scope;
};

/* All rows of batch, which stays valid during the visit, as do the rows' order in arena. FG_ELIMIT.
 */
FG_MUST_CHECK int fg_batch_visit_begin(struct fg_batch_visit *visit, const struct fg_batch *batch,
                                       struct fg_arena *arena);

/* At most span_count_max spans more. *ret_done: there are no others. What the visitor returned,
 * when that is an error. Its begins may not answer FG_OTLP_SKIP. */
FG_MUST_CHECK int fg_batch_visit_step(struct fg_batch_visit *visit, uint32_t span_count_max,
                                      const struct fg_otlp_visitor *visitor, void *arg,
                                      bool *ret_done);

/* One stored value as the wire has it. */
struct fg_otlp_value fg_batch_value(const struct fg_batch *batch, uint8_t type, uint64_t value);

/* The bit of a mark's name; 0 for another text. */
uint16_t fg_mark_from_name(struct fg_slice name);
