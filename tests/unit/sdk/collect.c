#include "collect.h"

void test_start(void (*change)(fg_options *options))
{
    fg_options options = FG_OPTIONS_INIT;
    options.service_name = "unit";
    options.endpoint = "http://127.0.0.1:1";
    options.recorder = FG_RECORDER_OFF;
    options.queue_size = 512;
    options.delay_ms = 1u << 29;
    if (change)
        change(&options);
    assert_int_equal(fg_tracing_start(&options), 0);
}

void test_stop(void)
{
    fg_tracing_stop(0);
}

char *test_collect(void)
{
    struct fg_active *active = atomic_load(&fg_sdk.active);
    const uint8_t *ring = (const void *)active->header;
    size_t size = FG_RING_SLOTS_OFFSET + (size_t)active->header->slot_count * FG_RING_SLOT_SIZE;
    struct fg_ring_view view;
    struct fg_rules rules;
    struct fg_parcel *parcel;
    struct fg_fate fate = {.is_over = false};
    struct fg_slice request;
    assert_int_equal(fg_ring_open(ring, size, &view), 0);
    assert_int_equal(fg_rules_read(view.settings, &rules), 0);
    assert_int_equal(fg_parcel_new(&parcel), 0);
    fg_parcel_reset(parcel, &view, &rules);
    for (uint32_t name = 1; name <= view.slot_count; name++) {
        enum fg_slot_phase phase = fg_ring_phase(&view, name);
        if (phase == FG_SLOT_OPEN || phase == FG_SLOT_ENDED)
            assert_true(fg_parcel_add(parcel, name, phase == FG_SLOT_ENDED));
    }
    assert_int_equal(fg_parcel_encode(parcel, &fate, 1, &request), 0);
    struct fg_buffer text;
    struct fg_otlp_encoder encoder;
    fg_buffer_init(&text, 64 << 20);
    fg_otlp_encoder_init(&encoder, FG_OTLP_JSON, &text);
    assert_int_equal(fg_otlp_decode_traces(request, encoder.visitor, &encoder, NULL), 0);
    assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
    fg_buffer_append_byte(&text, 0);
    fg_parcel_free(parcel);
    fg_rules_free(&rules);
    return (char *)text.data;
}

void assert_has(const char *json, const char *part)
{
    if (!strstr(json, part))
        fail_msg("%s is not in %s", part, json);
}

void assert_lacks(const char *json, const char *part)
{
    if (strstr(json, part))
        fail_msg("%s is in %s", part, json);
}

uint64_t test_count_of(const char *json, const char *part)
{
    uint64_t count = 0;
    for (const char *at = json; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

fg_stats test_stats(void)
{
    fg_stats stats = {.size = sizeof stats};
    fg_tracing_stats(&stats);
    return stats;
}
