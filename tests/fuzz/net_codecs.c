/* The small codecs of net: URLs and their parameters, gRPC's frame, timeout and message. */
#include "base/limits.h"
#include "net/grpc.h"
#include "net/inflate.h"
#include "net/url.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_url(struct fg_slice text)
{
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 16);
    struct fg_slice decoded = fg_url_decode(text, false, &arena);
    assert(decoded.size <= text.size);
    struct fg_slice query = text;
    struct fg_url_param param;
    size_t total = 0;
    while (fg_url_next_param(&query, &arena, &param))
        total += param.name.size + param.value.size;
    assert(total <= text.size);
    fg_url_param(text, "q", &arena);
    fg_arena_free(&arena);
}

static void read_grpc(struct fg_slice text)
{
    struct fg_grpc_frame frame;
    uint64_t ns;
    enum fg_encoding encoding;
    if (fg_grpc_unframe(text, &frame) == 0)
        assert(frame.message.size == text.size - FG_GRPC_FRAME_HEADER_SIZE);
    if (fg_grpc_timeout_parse(text, &ns) == 0)
        assert(text.size <= 9);
    if (fg_encoding_parse(text, &encoding) == 0)
        assert(text.size <= 8);
}

/* What is encoded is printable, and decodes to what it was. */
static void encode_message(struct fg_slice text)
{
    struct fg_buffer buffer;
    struct fg_arena arena;
    fg_buffer_init(&buffer, 1 << 20);
    fg_arena_init(&arena, 1 << 20);
    fg_grpc_message_encode(&buffer, text);
    if (!buffer.error) {
        for (size_t i = 0; i < buffer.size; i++)
            assert(buffer.data[i] >= ' ' && buffer.data[i] <= '~');
        assert(fg_slice_equal(fg_url_decode(fg_buffer_slice(&buffer), false, &arena), text));
    }
    fg_arena_free(&arena);
    fg_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 10000)
        return 0;
    read_url(fg_slice(data, size));
    read_grpc(fg_slice(data, size));
    encode_message(fg_slice(data, size));
    return 0;
}
