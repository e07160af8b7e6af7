/* traceparent, tracestate and baggage: whatever comes in a header. What is read back from what was
 * written is the same. */
#include "wire/w3c.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition)
        abort();
}

static void check_traceparent(struct fg_slice text)
{
    struct fg_traceparent parent, again;
    char written[FG_TRACEPARENT_TEXT_SIZE];
    if (fg_traceparent_parse(text, &parent) < 0)
        return;
    fg_traceparent_format(&parent, written);
    need(fg_traceparent_parse(fg_slice(written, sizeof written), &again) == 0);
    need(memcmp(&parent, &again, sizeof parent) == 0);
}

static void check_baggage(struct fg_slice text)
{
    struct fg_baggage_member member, own;
    struct fg_buffer value, encoded, back;
    fg_buffer_init(&value, text.size + 1);
    fg_buffer_init(&encoded, 3 * text.size + 16);
    fg_buffer_init(&back, 3 * text.size + 16);
    int r;
    while ((r = fg_baggage_next(&text, &member)) != 0) {
        if (r < 0)
            continue;
        need(fg_baggage_key_valid(member.key));
        fg_buffer_reset(&value);
        fg_buffer_reset(&encoded);
        fg_buffer_reset(&back);
        fg_baggage_decode(&value, member.value);
        need(!value.error);
        fg_buffer_append_string(&encoded, "k=");
        fg_baggage_encode(&encoded, fg_buffer_slice(&value));
        struct fg_slice rest = fg_buffer_slice(&encoded);
        need(fg_baggage_next(&rest, &own) == 1 && rest.size == 0);
        fg_baggage_decode(&back, own.value);
        need(fg_slice_equal(fg_buffer_slice(&back), fg_buffer_slice(&value)));
        (void)fg_baggage_has_property(member.properties, FG_SLICE("journey"));
    }
    fg_buffer_free(&value);
    fg_buffer_free(&encoded);
    fg_buffer_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_slice text = fg_slice(data, size);
    check_traceparent(text);
    check_baggage(text);
    (void)fg_tracestate_valid(text);
    return 0;
}
