#include "trace_stream.h"

#include "base/limits.h"
#include "span/builder.h"
#include "state.h"

#include <stdlib.h>

/* Spans rendered between two looks at how much text there is. */
#define SPANS_A_STEP  64u
#define TEXT_SIZE_MAX ((size_t)256 << 20)
/* Of a trace of FG_TRACE_SPANS_MAX: its tree, and what a view works out. */
#define TRACE_ARENA_BYTES ((size_t)640 << 20)
#define PAGE_ARENA_BYTES  ((size_t)4 << 20)
#define TRACE_BYTES_MAX   ((uint64_t)512 << 20)
#define QUERY_ARENA_BYTES ((size_t)1 << 20)
/* Where the query can be decided on whole traces alone, so many are looked at on the first page;
 * then several times as many as before, since what is that rare is worth fewer, longer passes. */
#define EXAMINED_PAGE_MIN 100u
#define EXAMINED_GROWTH   3u

static void unref(struct fg_trace_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub(&stream->exchange->api->read_bytes, stream->reserved_bytes);
    fg_query_matcher_free(stream->query_matcher);
    fg_sifter_free(stream->sifter);
    fg_matcher_free(stream->matcher);
    fg_builder_free(stream->builder);
    fg_arena_free(&stream->arena);
    fg_arena_free(&stream->page_arena);
    fg_arena_free(&stream->query_arena);
    fg_buffer_free(&stream->text);
    fg_request_unref(stream->request);
    free(stream);
}

/* -- The reader's side
 * ------------------------------------------------------------------------------
 */

/* Counts the batch against the memory of all answers. */
static int reserve(struct fg_trace_stream *stream)
{
    struct fg_api *api = stream->exchange->api;
    uint64_t bytes = fg_builder_size_bytes(stream->builder);
    atomic_fetch_sub(&api->read_bytes, stream->reserved_bytes);
    stream->reserved_bytes = 0;
    if (atomic_fetch_add(&api->read_bytes, bytes) + bytes > FG_API_READ_BYTES_MAX) {
        atomic_fetch_sub(&api->read_bytes, bytes);
        return FG_EAGAIN;
    }
    stream->reserved_bytes = bytes;
    return 0;
}

static bool is_cancelled(void *arg)
{
    const struct fg_trace_stream *stream = arg;
    return atomic_load_explicit(&stream->stopped, memory_order_relaxed) ||
           fg_request_is_cancelled(stream->request);
}

static int open_reader(struct fg_trace_stream *stream)
{
    if (stream->reader)
        return 0;
    int r = fg_trace_reader_new(fg_api_store(stream->exchange->api), &stream->reader);
    if (r == 0)
        fg_trace_reader_cancel_by(stream->reader, is_cancelled, stream);
    return r;
}

/* FG_EBUSY: it is large, and this thread is for the others. */
static int load(struct fg_trace_stream *stream)
{
    struct fg_trace_result result;
    fg_builder_reset(stream->builder);
    fg_arena_reset(&stream->arena);
    int r = open_reader(stream);
    if (r == 0)
        r = fg_trace_reader_read(stream->reader, stream->search.tenant, stream->key.trace_id_high,
                                 stream->key.trace_id_low,
                                 stream->is_large ? 0 : FG_API_LARGE_TRACE_SPANS, stream->builder,
                                 &result);
    if (r == 0)
        r = reserve(stream);
    if (r < 0)
        return r;
    stream->is_large = false;
    stream->truncated = result.truncated;
    stream->was_truncated |= result.truncated;
    stream->partial |= result.stats.damaged_pages > 0;
    fg_builder_view(stream->builder, &stream->batch);
    return 0;
}

static void add_stats(struct fg_read_stats *sum, const struct fg_read_stats *stats)
{
    sum->segments += stats->segments;
    sum->segments_pruned += stats->segments_pruned;
    sum->row_groups += stats->row_groups;
    sum->row_groups_pruned += stats->row_groups_pruned;
    sum->pages += stats->pages;
    sum->pages_pruned += stats->pages_pruned;
    sum->bytes_read += stats->bytes_read;
    sum->rows_scanned += stats->rows_scanned;
    sum->rows_matched += stats->rows_matched;
    sum->damaged_pages += stats->damaged_pages;
}

static uint32_t page_size(const struct fg_trace_stream *stream)
{
    uint32_t size = stream->wanted - stream->given;
    if (size < EXAMINED_PAGE_MIN)
        size = EXAMINED_PAGE_MIN;
    if (stream->examined >= FG_SEARCH_KEYS_MAX / EXAMINED_GROWTH)
        return FG_SEARCH_KEYS_MAX;
    return size < stream->examined * EXAMINED_GROWTH ? stream->examined * EXAMINED_GROWTH : size;
}

/* Takes those out of the page that can't be an answer. */
static int sift_page(struct fg_trace_stream *stream)
{
    uint32_t decided = 0;
    int r = fg_sifter_run(stream->sifter, fg_api_store(stream->exchange->api), &stream->search,
                          &stream->page, &decided);
    stream->gave_up = r == FG_ELIMIT;
    stream->examined += decided;
    return r;
}

/* The next page of keys, after the last one that was looked at. */
static int turn_page(struct fg_trace_stream *stream)
{
    struct fg_search *search = &stream->search;
    if (stream->page_was_full)
        search->after = stream->page_last;
    fg_arena_reset(&stream->page_arena);
    search->count_max = stream->wanted - stream->given;
    if (!stream->is_whole)
        search->count_max = page_size(stream);
    stream->page_at = 0;
    stream->page.count = 0;
    int r = fg_search_run(fg_api_store(stream->exchange->api), search, &stream->page_arena,
                          &stream->page);
    stream->gave_up = r == FG_ELIMIT && !stream->page_arena.overflow;
    if (r < 0)
        return r;
    stream->page_was_full = stream->page.count == search->count_max;
    if (stream->page_was_full)
        stream->page_last = stream->page.keys[stream->page.count - 1];
    if (stream->sifter && !stream->page.cut)
        r = sift_page(stream);
    if (r < 0)
        return r;
    uint64_t bytes = stream->page.stats.bytes_read;
    add_stats(&stream->read, &stream->page.stats);
    stream->cut = stream->page.cut;
    stream->partial |= stream->page.stats.damaged_pages > 0 || stream->cut != 0;
    if (search->bytes_max)
        search->bytes_max = bytes < search->bytes_max ? search->bytes_max - bytes : 1;
    return 0;
}

/* The next key, from this page or one after it. FG_ENOTFOUND: there is none. */
static int next_key(struct fg_trace_stream *stream)
{
    if (stream->given == stream->wanted)
        return FG_ENOTFOUND;
    while (stream->page_at == stream->page.count) {
        bool is_last = stream->has_page && !stream->page_was_full;
        int r = is_last || stream->cut ? FG_ENOTFOUND : turn_page(stream);
        if (r < 0)
            return r;
        stream->has_page = true;
    }
    stream->key = stream->page.keys[stream->page_at++];
    return 0;
}

/* The trace in hand was found by an older form of a span, which made it stand too early: where this
 * page reaches as far as its true key it comes again there, otherwise a later page has it. */
static void put_back(struct fg_trace_stream *stream, const struct fg_trace_key *key)
{
    struct fg_trace_key *keys = stream->page.keys;
    uint32_t count = stream->page.count, at = stream->page_at;
    if (stream->page_was_full && fg_trace_key_compare(&stream->page_last, key) < 0)
        return;
    for (at--; at + 1 < count && fg_trace_key_compare(&keys[at + 1], key) < 0; at++)
        keys[at] = keys[at + 1];
    keys[at] = *key;
    stream->page_at--;
}

/* Whether the loaded trace belongs to the answer, here, and was not on an earlier page. */
static int judge(struct fg_trace_stream *stream, bool *ret_belongs)
{
    struct fg_trace_key key;
    bool matches = true;
    *ret_belongs = false;
    int r = fg_search_key(&stream->search, stream->matcher, &stream->batch, &stream->arena, &key);
    stream->gave_up = r == FG_ELIMIT && !stream->arena.overflow;
    if (r == FG_ENOTFOUND && stream->truncated) { /* the span is among those that were cut off */
        key = stream->key;
        r = 0;
    }
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    if (fg_trace_key_compare(&key, &stream->search.after) <= 0)
        return 0;
    if (fg_trace_key_compare(&stream->key, &key) < 0) {
        put_back(stream, &key);
        return 0;
    }
    r = fg_trace_summarize(&stream->batch, &stream->arena, &stream->summary);
    if (r == 0 && stream->query_matcher) {
        r = fg_query_matches(stream->query_matcher, &stream->batch, &stream->summary,
                             stream->search.start_ns_min, stream->search.start_ns_max, &matches);
        stream->gave_up = r == FG_ELIMIT;
        matches |= stream->is_whole && stream->truncated; /* as the key says */
    }
    *ret_belongs = r == 0 && matches;
    return r;
}

/* Past the deadline what was found is the answer. */
static bool is_over_time(struct fg_trace_stream *stream)
{
    uint64_t deadline_ns = stream->search.deadline_mono_ns;
    if (!deadline_ns || fg_env_mono_ns(stream->exchange->api->env) < deadline_ns)
        return false;
    stream->cut = FG_ETIMEOUT;
    stream->partial = true;
    return true;
}

/* Loads the next trace of a search. FG_ENOTFOUND: there is none. */
static int load_next(struct fg_trace_stream *stream)
{
    for (;;) {
        bool belongs = false;
        int r = next_key(stream);
        if (r < 0)
            return r;
        r = load(stream);
        stream->examined += r == 0;
        if (r == 0)
            r = judge(stream, &belongs);
        if (is_cancelled(stream))
            return FG_ECANCELLED;
        if (r < 0 && r != FG_ENOTFOUND)
            return r;
        if (belongs) {
            stream->given++;
            return 0;
        }
        /* It expired meanwhile, was given out on an earlier page, or is not meant. */
        if (is_over_time(stream))
            return FG_ENOTFOUND;
    }
}

/* Loads the next trace of a list that is there. FG_ENOTFOUND: the list is at its end. */
static int load_listed(struct fg_trace_stream *stream)
{
    int r = 0;
    while (r == 0 && stream->page_at < stream->page.count) {
        stream->key = stream->page.keys[stream->page_at++];
        r = load(stream);
        if (is_cancelled(stream))
            return FG_ECANCELLED;
        if (r != FG_ENOTFOUND)
            return r;
        r = stream->ops->missing(stream);
    }
    return r < 0 ? r : FG_ENOTFOUND;
}

static int load_another(struct fg_trace_stream *stream)
{
    if (stream->is_list)
        return load_listed(stream);
    return stream->is_search ? load_next(stream) : load(stream);
}

static int read_some(struct fg_trace_stream *stream)
{
    while (stream->text.size < FG_PULL_SIZE) {
        int r = load_another(stream);
        if (stream->is_search && r == FG_ENOTFOUND) {
            stream->is_over = true;
            return stream->ops->end(stream);
        }
        if (r == 0)
            r = stream->ops->loaded(stream, &stream->has_trace);
        if (r < 0 || stream->has_trace)
            return r;
    }
    return 0;
}

static int queue(struct fg_trace_stream *stream);

/* Goes on with a large trace where it holds up nobody else. */
static bool moves_on(struct fg_trace_stream *stream, int r)
{
    if (r != FG_EBUSY || stream->is_large)
        return false;
    stream->is_large = true;
    if (stream->is_search) /* the key that was taken comes again */
        stream->page_at--;
    int queued = queue(stream); /* from here on it is another thread's, unless that failed */
    if (queued < 0)
        stream->error = queued;
    return queued == 0;
}

static void run(struct fg_task *task)
{
    struct fg_trace_stream *stream =
        (struct fg_trace_stream *)((char *)task - offsetof(struct fg_trace_stream, task));
    int r = 0;
    if (is_cancelled(stream))
        r = FG_ECANCELLED;
    if (r == 0 && !stream->has_begun && stream->ops->begin)
        r = stream->ops->begin(stream);
    stream->has_begun = true;
    if (r == 0)
        r = read_some(stream);
    fg_trace_reader_free(stream->reader);
    stream->reader = NULL;
    if (moves_on(stream, r)) {
        unref(stream);
        return;
    }
    if (r != FG_EBUSY)
        stream->error = r;
    fg_request_wake(stream->request);
    unref(stream);
}

/* -- The loop's side
 * --------------------------------------------------------------------------------
 */

static int queue(struct fg_trace_stream *stream)
{
    atomic_fetch_add(&stream->refs, 1);
    struct fg_api *api = stream->exchange->api;
    int r = fg_workers_queue(stream->is_large ? api->large_readers : api->readers, &stream->task);
    if (r < 0)
        atomic_fetch_sub(&stream->refs, 1); /* not the last one: the caller has one */
    return r;
}

/* Moves what is in text to out; false where text was empty. */
static bool hand_out(struct fg_trace_stream *stream, struct fg_buffer *out)
{
    size_t size = stream->text.size - stream->text_at;
    if (size == 0)
        return false;
    if (size > FG_PULL_SIZE)
        size = FG_PULL_SIZE;
    fg_buffer_append(out, stream->text.data + stream->text_at, size);
    stream->text_at += size;
    if (stream->text_at == stream->text.size) {
        fg_buffer_reset(&stream->text);
        stream->text_at = 0;
    }
    return true;
}

static int pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct fg_trace_stream *stream =
        (struct fg_trace_stream *)((char *)generator - offsetof(struct fg_trace_stream, generator));
    if (stream->error < 0)
        return stream->error;
    if (hand_out(stream, out)) {
        *ret_done = stream->is_over && stream->text.size == 0;
        return 0;
    }
    bool done = false;
    int r = stream->has_trace ? stream->ops->render(stream, &done) : 0;
    if (r < 0)
        return r;
    if (done) {
        stream->has_trace = false;
        stream->is_over = !stream->is_search;
        r = stream->is_over ? stream->ops->end(stream) : 0;
    }
    if (r < 0 || stream->text.error)
        return r < 0 ? r : stream->text.error;
    if (hand_out(stream, out) || stream->is_over) {
        *ret_done = stream->is_over && stream->text.size == 0;
        return 0;
    }
    r = queue(stream);
    return r < 0 ? FG_ELIMIT : FG_EAGAIN;
}

static void stop(struct fg_generator *generator)
{
    struct fg_trace_stream *stream =
        (struct fg_trace_stream *)((char *)generator - offsetof(struct fg_trace_stream, generator));
    atomic_store(&stream->stopped, true);
    unref(stream);
}

static void on_wake(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    struct fg_trace_stream *stream = exchange->work;
    if (fg_request_is_answered(request)) {
        fg_response_resume(request);
        return;
    }
    if (stream->error < 0) {
        if (stream->error == FG_ENOTFOUND) {
            const char *message = stream->ops->not_found;
            struct fg_failure failure = {404, FG_RPC_NOT_FOUND,
                                         message ? message : "trace not found", 0};
            fg_answer_failure(exchange, &failure);
        } else if (stream->gave_up) {
            fg_answer_invalid(exchange, "a regular expression takes too many steps on some text; "
                                        "make it simpler");
        } else {
            fg_answer_error(exchange, stream->error, stream->ops->verb);
        }
        unref(stream);
        return;
    }
    stream->generator = (struct fg_generator){.pull = pull, .stop = stop};
    exchange->is_cut = stream->truncated;
    fg_answer_pull(exchange, "application/json", &stream->generator);
}

int fg_trace_stream_visit(struct fg_trace_stream *stream, bool *ret_render)
{
    *ret_render = true;
    return fg_batch_visit_begin(&stream->visit, &stream->batch, &stream->arena);
}

int fg_trace_stream_visit_some(struct fg_trace_stream *stream,
                               const struct fg_otlp_visitor *visitor, void *arg, bool *ret_done)
{
    bool done = false;
    int r = 0;
    while (r == 0 && !done && stream->text.size < FG_PULL_SIZE)
        r = fg_batch_visit_step(&stream->visit, SPANS_A_STEP, visitor, arg, &done);
    if (r == 0)
        *ret_done = done;
    return r;
}

struct fg_trace_stream *fg_trace_stream_new(struct fg_exchange *exchange,
                                            const struct fg_trace_stream_ops *ops,
                                            size_t state_size)
{
    struct fg_trace_stream *stream = calloc(1, sizeof *stream + state_size);
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = TRACE_BYTES_MAX;
    if (!stream || fg_builder_new(&limits, &stream->builder) < 0) {
        free(stream);
        fg_answer_error(exchange, FG_ENOMEM, ops->verb);
        return NULL;
    }
    stream->ops = ops;
    stream->task.run = run;
    stream->exchange = exchange;
    stream->request = fg_request_ref(exchange->request);
    stream->search.tenant = exchange->identity.tenant;
    stream->search.after = FG_TRACE_KEY_FIRST;
    stream->search.is_cancelled = is_cancelled;
    stream->search.arg = stream;
    atomic_init(&stream->refs, 1);
    fg_arena_init(&stream->arena, TRACE_ARENA_BYTES);
    fg_arena_init(&stream->page_arena, PAGE_ARENA_BYTES);
    fg_arena_init(&stream->query_arena, QUERY_ARENA_BYTES);
    fg_buffer_init(&stream->text, TEXT_SIZE_MAX);
    exchange->work = stream;
    exchange->request->wake = on_wake;
    return stream;
}

void fg_trace_stream_abandon(struct fg_trace_stream *stream)
{
    unref(stream);
}

void fg_trace_stream_start_take(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    /* A parameter that memory did not suffice for looks as if it were absent. */
    int r = exchange->request->arena->overflow ? FG_ENOMEM : 0;
    if (r == 0 && stream->is_search && stream->search.predicate)
        r = fg_matcher_new(stream->search.predicate, &stream->matcher);
    if (r == 0 && stream->query)
        r = fg_query_matcher_new(stream->query, &stream->query_matcher);
    if (r == 0 && stream->query && !stream->is_whole)
        r = fg_sifter_new(stream->query, &stream->sifter);
    if (r == 0)
        r = queue(stream);
    if (r < 0) {
        fg_answer_error(exchange, r, stream->ops->verb);
        unref(stream);
    }
}
