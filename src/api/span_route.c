/* GET /api/v1/traces/{id}/spans/{span}: one span whole, with its attributes, events and links, as
 * OTLP JSON: what a page asks for when somebody opens a row of the view. Where several spans have
 * the id (Zipkin's two halves of a call, forms that contradict each other) all of them come. */
#include "base/endian.h"
#include "base/hex.h"
#include "handlers.h"
#include "search_params.h"
#include "wire/otlp_encode.h"

struct answer {
    struct fg_otlp_encoder encoder;
    uint64_t span_id;
};

static struct answer *answer_of(struct fg_trace_stream *stream)
{
    return (struct answer *)stream->state;
}

/* Of the visit's rows those that have the id. */
static int keep_rows(struct fg_trace_stream *stream, uint64_t span_id)
{
    struct fg_batch_visit *visit = &stream->visit;
    uint32_t *kept = fg_arena_calloc(&stream->arena, visit->row_count, sizeof *kept);
    uint32_t count = 0;
    if (!kept)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < visit->row_count; i++)
        if (stream->batch.span_id[visit->rows[i]] == span_id)
            kept[count++] = visit->rows[i];
    visit->rows = kept;
    visit->row_count = count;
    return count ? 0 : FG_ENOTFOUND;
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct answer *answer = answer_of(stream);
    bool done = false;
    int r = fg_batch_visit_begin(&stream->visit, &stream->batch, &stream->arena);
    if (r == 0)
        r = keep_rows(stream, answer->span_id);
    if (r < 0)
        return r;
    fg_otlp_encoder_init(&answer->encoder, FG_OTLP_JSON, &stream->text);
    r = fg_batch_visit_step(&stream->visit, stream->visit.row_count, answer->encoder.visitor,
                            &answer->encoder, &done);
    *ret_render = true; /* nothing is left: the answer ends on the loop */
    return r;
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    *ret_done = true;
    return stream->text.error;
}

static int end(struct fg_trace_stream *stream)
{
    return fg_otlp_encoder_finish(&answer_of(stream)->encoder);
}

static const struct fg_trace_stream_ops ops = {
    .verb = "read the span",
    .not_found = "there is no such span",
    .loaded = loaded,
    .render = render,
    .end = end,
};

/* Up to 16 digits, since leading zeros may be cut, not all zero. */
static bool span_id_parse(struct fg_slice text, uint64_t *ret_id)
{
    char digits[16];
    uint8_t bytes[8];
    if (text.size == 0 || text.size > sizeof digits)
        return false;
    memset(digits, '0', sizeof digits);
    memcpy(digits + sizeof digits - text.size, text.data, text.size);
    if (fg_hex_decode(fg_slice(digits, sizeof digits), bytes) < 0)
        return false;
    *ret_id = fg_load_be64(bytes);
    return *ret_id != 0;
}

void fg_handle_span(struct fg_exchange *exchange)
{
    struct fg_trace_key key = {0};
    uint64_t span_id;
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "a trace id is 16 or 32 hexadecimal digits, not all zero");
        return;
    }
    if (!span_id_parse(exchange->second_param, &span_id)) {
        fg_answer_invalid(exchange, "a span id is 16 hexadecimal digits, not all zero");
        return;
    }
    if (!fg_params_known(exchange, NULL, 0))
        return;
    struct fg_trace_stream *stream = fg_trace_stream_new(exchange, &ops, sizeof(struct answer));
    if (!stream)
        return;
    answer_of(stream)->span_id = span_id;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}
