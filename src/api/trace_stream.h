/* An answer that is made of traces: one, or those of a search. A reader thread loads a trace, the
 * loop renders it as fast as the client takes it, and only then is the next one loaded: a slow
 * client stalls the reading, not the memory.
 *
 * Two hold a stream: the generator until it is stopped, and the reader's task while it is queued or
 * runs. Whoever lets go last frees it. Of its fields the reader writes only while its task is under
 * way, the loop only while it is not. */
#pragma once

#include "api/batch_visit.h"
#include "exchange.h"
#include "query/query.h"
#include "query/search.h"
#include "query/sift.h"
#include "store/trace_reader.h"
#include "workers.h"

#include <stdatomic.h>

struct fg_trace_stream;

/* What a kind of answer does. Reader's functions may block; all return 0 or an fg_error. */
struct fg_trace_stream_ops {
    const char *verb;      /* "read the trace", for errors */
    const char *not_found; /* NULL: "trace not found" */
    /* Before the first trace; text is the answer's begin. Reader. */
    int (*begin)(struct fg_trace_stream *stream);
    /* A trace is in stream->batch. Either writes it to text, whole (*ret_render false), or leaves
     * it to render(). Reader. */
    int (*loaded)(struct fg_trace_stream *stream, bool *ret_render);
    /* Appends some more of the trace to text. Loop. */
    int (*render)(struct fg_trace_stream *stream, bool *ret_done);
    /* The trace of stream->key, one of a list, is not there. NULL where there are no lists. Reader.
     */
    int (*missing)(struct fg_trace_stream *stream);
    /* The answer's end. Reader, or loop after the last render. */
    int (*end)(struct fg_trace_stream *stream);
};

struct fg_trace_stream {
    const struct fg_trace_stream_ops *ops;
    struct fg_generator generator;
    struct fg_task task;
    struct fg_exchange *exchange;
    struct fg_request *request; /* a reference */
    _Atomic unsigned refs;
    _Atomic bool stopped;

    bool is_search;
    bool is_list; /* with is_search: the traces of page.keys, which are there before the start */
    struct fg_arena query_arena;
    const struct fg_query *query; /* in query_arena; NULL: every trace */
    struct fg_search search;      /* with what the store can look for of the query */
    bool is_whole;                /* that is all of it */
    bool explain;                 /* the answer tells the plan */
    struct fg_matcher *matcher;   /* of search.predicate */
    struct fg_query_matcher *query_matcher;
    struct fg_sifter *sifter;  /* where traces have to be examined; otherwise NULL */
    struct fg_read_stats read; /* so far */
    uint32_t examined;         /* traces that were looked at to decide the query */
    int cut;                   /* why the search ended early: FG_ETIMEOUT, FG_ELIMIT; or 0 */
    bool gave_up;              /* a pattern took more steps than it may: with FG_ELIMIT */
    uint32_t wanted;           /* traces that may still be given out */
    uint32_t given;
    struct fg_arena page_arena; /* the search's or list's keys */
    struct fg_search_result page;
    uint32_t page_at;
    bool has_page, page_was_full;  /* full: there may be another one */
    struct fg_trace_key page_last; /* of a full one: the last key that its pass found */

    struct fg_trace_key key; /* of the trace in batch; of a single one only the id counts */
    struct fg_builder *builder;
    struct fg_arena arena; /* of this trace */
    struct fg_batch batch;
    struct fg_trace_summary summary; /* of a search */
    struct fg_batch_visit visit;
    uint64_t reserved_bytes; /* of fg_api.read_bytes */
    bool truncated, partial;
    bool was_truncated;             /* some trace so far */
    bool is_large;                  /* the trace in hand, so that large_readers read it */
    struct fg_trace_reader *reader; /* of a task under way */

    struct fg_buffer text; /* made and not yet pulled */
    size_t text_at;
    bool has_begun; /* begin() was written */
    bool has_trace; /* render() goes on */
    bool is_over;   /* end() was written */
    int error;
    _Alignas(16) uint8_t state[]; /* the ops' own */
};

/* Loads the trace of key, or, with is_search set, those of search; then answers. stream comes from
 * fg_trace_stream_new(), and is consumed. */
void fg_trace_stream_start_take(struct fg_trace_stream *stream);

/* With state_size bytes of zeroes for the ops' own. NULL: out of memory; the exchange was answered.
 */
struct fg_trace_stream *fg_trace_stream_new(struct fg_exchange *exchange,
                                            const struct fg_trace_stream_ops *ops,
                                            size_t state_size);

/* For ops that render the trace by an encoder of OTLP's calls: loaded() as it stands, and a part of
 * render(). *ret_done: the last span was visited. */
FG_MUST_CHECK int fg_trace_stream_visit(struct fg_trace_stream *stream, bool *ret_render);
FG_MUST_CHECK int fg_trace_stream_visit_some(struct fg_trace_stream *stream,
                                             const struct fg_otlp_visitor *visitor, void *arg,
                                             bool *ret_done);

/* For a stream that was not started; the exchange was answered. */
void fg_trace_stream_abandon(struct fg_trace_stream *stream);
