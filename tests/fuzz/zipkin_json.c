/* Zipkin's JSON: any bytes are refused, or taken and written as OTLP that reads back. What Jaeger's
 * encoder makes of it goes through the reader of JSON. */
#include "json_reader.h"
#include "transcode.h"
#include "wire/jaeger.h"
#include "wire/zipkin.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_for_jaeger(struct fg_slice body)
{
    struct fg_buffer out;
    struct fg_arena arena;
    struct fg_jaeger_encoder encoder;
    fg_buffer_init(&out, (size_t)1 << 30);
    fg_arena_init(&arena, (size_t)1 << 30);
    struct fg_json_writer json = fg_json_writer(&out);
    fg_jaeger_encoder_init(&encoder, &json, &arena);
    if (fg_zipkin_decode_spans(body, encoder.visitor, &encoder, NULL) == 0) {
        need(fg_jaeger_encoder_finish(&encoder) == 0);
        need(fg_json_check(fg_buffer_slice(&out), NULL) == 0);
    }
    fg_arena_free(&arena);
    fg_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_slice body = fg_slice(data, size);
    transcode_twice(fg_zipkin_decode_spans, body, FG_OTLP_PROTOBUF);
    transcode_twice(fg_zipkin_decode_spans, body, FG_OTLP_JSON);
    write_for_jaeger(body);
    return 0;
}
