/* GET /api/v1/tail: spans as they become durable, one JSON object a line, the newest last.
 *
 *     {"trace_id": …, "span_id": …, "service": …, "name": …, …, "attributes": {…}}
 *     {"missed": 12}
 *
 * Only from now on; what was before is a search. A client that reads too slowly misses spans and is
 * told how many, in their place; nothing waits for it. A blank line comes when there has been
 * nothing for a while, so that proxies keep the connection. */
#include "api/batch_visit.h"
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "job_stream.h"
#include "json_fields.h"
#include "search_params.h"
#include "span/names.h"
#include "state.h"
#include "wire/otlp_encode.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOK_NS         (100 * FG_NS_PER_MS) /* between two looks at the store */
#define QUIET_NS_MAX    (15 * FG_NS_PER_SECOND)
#define LINE_SIZE_MAX   (FG_JOB_TEXT_SIZE_MAX / 2)
#define LIMIT_MAX       1000000u
#define QUERY_BYTES_MAX ((size_t)256 << 10)
#define ENOUGH          1

struct tail {
    struct fg_job_stream *stream;
    struct fg_arena query_arena;
    const struct fg_predicate *predicate; /* in query_arena */
    uint32_t limit;                       /* spans to give out; 0: no end */
    uint32_t given;
    struct fg_buffer line;
    uint64_t missed; /* and not yet told */
    uint64_t told_mono_ns;
};

/* -- A span's line */

static void write_id(struct fg_json_writer *json, const char *key, uint64_t id)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, id);
    fg_json_key(json, fg_slice_from_string(key));
    if (id)
        fg_json_string(json, fg_slice(text, 16));
    else
        fg_json_null(json);
}

static void write_attributes(struct fg_json_writer *json, const struct fg_batch *batch,
                             uint32_t row)
{
    uint32_t begin, end;
    FG_JSON_KEY(json, "attributes");
    fg_json_object_begin(json);
    fg_attrs_range(&batch->span_attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_otlp_value value =
            fg_batch_value(batch, batch->span_attrs.type[i], batch->span_attrs.value[i]);
        fg_json_key(json, batch->strings[batch->span_attrs.key[i]]);
        fg_otlp_value_write_plain(json, &value);
    }
    fg_json_object_end(json);
}

static void write_span(struct fg_buffer *line, const struct fg_batch *batch, uint32_t row)
{
    struct fg_json_writer json = fg_json_writer(line);
    uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
    const char *kind = fg_span_kind_name(batch->kind[row]);
    const char *status = fg_status_code_name(batch->status[row]);
    char text[FG_UNITS_TEXT_SIZE];
    fg_json_object_begin(&json);
    fg_write_string(&json, "trace_id",
                    fg_trace_id_format(batch->trace_id_high[row], batch->trace_id_low[row], text));
    write_id(&json, "span_id", batch->span_id[row]);
    write_id(&json, "parent_span_id", batch->parent_span_id[row]);
    fg_write_string(&json, "service",
                    batch->strings[batch->resource_service[batch->resource[row]]]);
    fg_write_string(&json, "name", batch->strings[batch->name[row]]);
    fg_write_string(&json, "kind", fg_slice_from_string(kind ? kind : fg_span_kind_name(0)));
    fg_time_format(start_ns, text);
    fg_write_string(&json, "start", fg_slice_from_string(text));
    FG_JSON_KEY(&json, "start_ns");
    fg_json_uint_string(&json, start_ns);
    FG_JSON_KEY(&json, "duration_ns");
    fg_json_uint_string(&json, end_ns > start_ns ? end_ns - start_ns : 0);
    FG_JSON_KEY(&json, "open");
    fg_json_bool(&json, end_ns == 0);
    fg_write_string(&json, "status",
                    fg_slice_from_string(status ? status : fg_status_code_name(0)));
    fg_write_string(&json, "status_message",
                    batch->strings[fg_column_u32(batch->status_message, row)]);
    write_attributes(&json, batch, row);
    fg_json_object_end(&json);
    fg_buffer_append_byte(line, '\n');
}

/* -- The job */

static void offer(struct tail *tail)
{
    uint64_t now_ns = fg_env_mono_ns(tail->stream->exchange->api->env);
    bool fits =
        !tail->line.error && fg_job_stream_offer(tail->stream, fg_buffer_slice(&tail->line));
    fg_buffer_reset(&tail->line);
    if (fits)
        tail->told_mono_ns = now_ns;
    tail->missed += !fits;
    tail->given += fits;
}

/* Says what was missed, where there is room for it. */
static void tell_missed(struct tail *tail)
{
    char text[48];
    if (tail->missed == 0)
        return;
    snprintf(text, sizeof text, "{\"missed\":%" PRIu64 "}\n", tail->missed);
    if (fg_job_stream_offer(tail->stream, fg_slice_from_string(text)))
        tail->missed = 0;
}

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct tail *tail = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if ((rows->bits[bit / 64] >> (bit % 64) & 1) == 0)
            continue;
        tell_missed(tail);
        if (tail->missed) {
            tail->missed++;
            continue;
        }
        write_span(&tail->line, rows->batch, row);
        offer(tail);
        if (tail->limit && tail->given == tail->limit)
            return ENOUGH;
    }
    return fg_job_stream_is_cancelled(tail->stream) ? FG_ECANCELLED : 0;
}

static int follow(struct tail *tail)
{
    struct fg_api *api = tail->stream->exchange->api;
    struct fg_follow wanted = {.tenant = tail->stream->exchange->identity.tenant,
                               .predicate = tail->predicate,
                               .rows = take_rows,
                               .arg = tail};
    struct fg_follow_position position = fg_store_follow_end(fg_api_store(api));
    int r = fg_job_stream_write(tail->stream, FG_SLICE("\n")); /* it has begun */
    tail->told_mono_ns = fg_env_mono_ns(api->env);
    while (r == 0) {
        r = fg_store_follow(fg_api_store(api), &wanted, &position, &tail->missed);
        if (r == 0)
            tell_missed(tail);
        if (r == 0 && fg_env_mono_ns(api->env) - tail->told_mono_ns > QUIET_NS_MAX) {
            fg_job_stream_offer(tail->stream, FG_SLICE("\n"));
            tail->told_mono_ns = fg_env_mono_ns(api->env);
        }
        if (r == 0 && fg_job_stream_is_cancelled(tail->stream))
            r = FG_ECANCELLED;
        if (r == 0 && atomic_load(&api->draining))
            r = ENOUGH;
        if (r == 0)
            fg_job_stream_sleep(tail->stream, LOOK_NS);
    }
    return r == ENOUGH ? 0 : r;
}

static int run(struct fg_job_stream *stream)
{
    return follow((struct tail *)stream->state);
}

static void release(struct fg_job_stream *stream)
{
    struct tail *tail = (struct tail *)stream->state;
    atomic_fetch_sub(&stream->exchange->api->tail_count, 1);
    fg_arena_free(&tail->query_arena);
    fg_buffer_free(&tail->line);
}

/* -- The request */

/* The filter; false after a 400. */
static bool read_query(struct fg_exchange *exchange, struct tail *tail)
{
    bool is_whole;
    if (!fg_predicate_param(exchange, &tail->query_arena, &tail->predicate, &is_whole))
        return false;
    if (!is_whole)
        fg_answer_invalid(exchange, "q: a tail looks at one span at a time: it can't ask for "
                                    "trace.… and root.…");
    return is_whole;
}

void fg_handle_tail(struct fg_exchange *exchange)
{
    static const char *const names[] = {"q", "limit"};
    struct fg_api *api = exchange->api;
    uint32_t limit = 0;
    if (!fg_params_known(exchange, names, 2) ||
        !fg_count_param(exchange, "limit", LIMIT_MAX, &limit))
        return;
    struct fg_job_stream *stream = fg_job_stream_new(
        exchange, "follow spans", "application/x-ndjson", run, sizeof(struct tail));
    if (!stream)
        return;
    struct tail *tail = (struct tail *)stream->state;
    *tail = (struct tail){.stream = stream, .limit = limit};
    fg_arena_init(&tail->query_arena, QUERY_BYTES_MAX);
    fg_buffer_init(&tail->line, LINE_SIZE_MAX);
    stream->release = release;
    bool is_full = atomic_fetch_add(&api->tail_count, 1) >= FG_API_TAILS_MAX;
    if (is_full) {
        const struct fg_failure failure = {429, FG_RPC_RESOURCE_EXHAUSTED,
                                           "so many tails are followed already; end another one",
                                           FG_NS_PER_SECOND};
        fg_answer_failure(exchange, &failure);
    }
    if (is_full || !read_query(exchange, tail)) {
        fg_job_stream_abandon(stream);
        return;
    }
    fg_job_stream_start_take(stream, api->tails);
}
