/* Reading one trace after another. What they share is kept: the decoded pages of a few segments,
 * since traces that started together lie together. One thread; to be freed soon, since it keeps
 * segments open that a merge has replaced. */
#pragma once

#include "store/store.h"

struct fg_trace_reader;

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_trace_reader_new(struct fg_store *store, struct fg_trace_reader **ret_reader);
void fg_trace_reader_free(struct fg_trace_reader *reader);

/* Has reads end with FG_ECANCELLED when is_cancelled, which is asked once a page, says so. */
void fg_trace_reader_cancel_by(struct fg_trace_reader *reader, bool (*is_cancelled)(void *arg),
                               void *arg);

/* As fg_store_trace(). spans_max: a trace that has more of them in segments is left alone, and the
 * result is FG_EBUSY, so that it can be read where it is in nobody's way; 0: no bound. */
FG_MUST_CHECK int fg_trace_reader_read(struct fg_trace_reader *reader, uint32_t tenant,
                                       uint64_t id_high, uint64_t id_low, uint64_t spans_max,
                                       struct fg_builder *builder,
                                       struct fg_trace_result *ret_result);
