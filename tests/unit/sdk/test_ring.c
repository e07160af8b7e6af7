/* The ring: pool, streams, and a reader that takes a damaged file as far as it is whole. */
#include "collect.h"

#include "base/hash.h"
#include "stream.h"

static void chains_come_and_go(void **state)
{
    (void)state;
    struct fg_slot *slots = calloc(64, sizeof *slots);
    struct fg_pool pool;
    fg_pool_init(&pool, slots, 60); /* four of them fill no chain */
    uint32_t chains[8];
    for (int i = 0; i < 7; i++)
        assert_true((chains[i] = fg_pool_take(&pool)) != 0);
    assert_int_equal(fg_pool_take(&pool), 0);
    assert_int_equal(atomic_load(&pool.taken), 56);
    fg_pool_give(&pool, chains[2], FG_CHAIN_SLOTS);
    fg_pool_give(&pool, chains[5], FG_CHAIN_SLOTS);
    assert_int_equal(fg_pool_take(&pool), chains[5]);
    assert_int_equal(fg_pool_take(&pool), chains[2]);
    assert_int_equal(fg_pool_take(&pool), 0);
    free(slots);
}

/* A ring of one process, as bytes. */
static uint8_t *make_ring(size_t *ret_size)
{
    test_start(NULL);
    fg_span open = fg_span_start("open.span", NULL);
    fg_span_set_string(open, "k", "value");
    fg_span large = fg_span_start("large.span", NULL);
    char text[1500];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fg_span_set_string(large, "small", "kept");
    fg_span_set_string(large, "text", text);
    fg_span_end(large);
    struct fg_active *active = atomic_load(&fg_sdk.active);
    *ret_size = FG_RING_SLOTS_OFFSET + (size_t)active->header->slot_count * FG_RING_SLOT_SIZE;
    uint8_t *copy = aligned_alloc(64, *ret_size);
    /* The memory stays after the stop, and nobody writes to it any more. */
    test_stop();
    memcpy(copy, active->header, *ret_size);
    return copy;
}

static char *read_ring(const uint8_t *ring, size_t size, struct fg_parcel_counts *ret_counts)
{
    struct fg_ring_view view;
    struct fg_rules rules;
    struct fg_parcel *parcel;
    struct fg_slice request;
    struct fg_fate fate = {.is_over = true, .last_ns = 1, .cause = "test"};
    int r = fg_ring_open(ring, size, &view);
    if (r < 0)
        return NULL;
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
    *ret_counts = fg_parcel_counts(parcel);
    fg_parcel_free(parcel);
    fg_rules_free(&rules);
    return (char *)text.data;
}

static struct fg_slot *find_slot(uint8_t *ring, uint32_t phase)
{
    struct fg_slot *slot = fg_ring_slots(ring);
    while (FG_SLOT_PHASE(atomic_load(&slot->state)) != phase)
        slot++;
    return slot;
}

static void a_whole_ring_is_read(void **state)
{
    (void)state;
    size_t size;
    struct fg_parcel_counts counts;
    uint8_t *ring = make_ring(&size);
    char *json = read_ring(ring, size, &counts);
    assert_int_equal(counts.torn, 0);
    assert_has(json, "open.span");
    assert_has(json, "{\"key\":\"filigree.marks\",\"value\":{\"arrayValue\":{\"values\":[{"
                     "\"stringValue\":\"interrupted\"}]}}}");
    assert_has(json, "filigree.interrupted.cause");
    assert_int_equal(test_count_of(json, "filigree.marks"), 1);
    assert_has(json, "yyyy");
    free(json);
    free(ring);
}

static void a_torn_span_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    size_t size;
    struct fg_parcel_counts counts;
    uint8_t *ring = make_ring(&size);
    find_slot(ring, FG_SLOT_EXTENT)->extent.owner = 999;
    char *json = read_ring(ring, size, &counts);
    assert_true(counts.torn > 0);
    assert_has(json, "large.span");
    assert_has(json, "\"kept\"");
    assert_lacks(json, "yyyy");
    assert_has(json, "open.span");
    free(json);
    struct fg_slot *open = find_slot(ring, FG_SLOT_OPEN);
    atomic_store(&open->head.committed, UINT32_MAX);
    open->next = 0x7fffffff;
    json = read_ring(ring, size, &counts);
    assert_has(json, "open.span");
    free(json);
    free(ring);
}

static void wrong_headers_are_refused(void **state)
{
    (void)state;
    size_t size;
    struct fg_ring_view view;
    uint8_t *ring = make_ring(&size);
    struct fg_ring_header *header = (void *)ring;
    assert_int_equal(fg_ring_open(ring, size - 1, &view), FG_ECORRUPT);
    assert_int_equal(fg_ring_open(ring, 100, &view), FG_ECORRUPT);
    header->version = 2;
    assert_int_equal(fg_ring_open(ring, size, &view), FG_EUNSUPPORTED);
    header->version = 1;
    header->slot_count++;
    assert_int_equal(fg_ring_open(ring, size, &view), FG_ECORRUPT);
    header->slot_count--;
    ring[FG_RING_SETTINGS_OFFSET] ^= 1;
    assert_int_equal(fg_ring_open(ring, size, &view), FG_ECORRUPT);
    ring[FG_RING_SETTINGS_OFFSET] ^= 1;
    assert_int_equal(fg_ring_open(ring, size, &view), 0);
    ring[0] = 'X';
    assert_int_equal(fg_ring_open(ring, size, &view), FG_ECORRUPT);
    ring[0] = 'F';
    atomic_store(&header->state, FG_RING_EMPTY);
    assert_int_equal(fg_ring_open(ring, size, &view), FG_EAGAIN);
    free(ring);
}

/* Any bytes in the slots: it ends, and what comes is OTLP. */
static void noise_is_survived(void **state)
{
    (void)state;
    size_t size;
    struct fg_parcel_counts counts;
    uint8_t *ring = make_ring(&size);
    uint64_t random = 1;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 400; i++) {
            random = fg_hash_u64(random + 1);
            size_t at = FG_RING_SLOTS_OFFSET + random % (16 * FG_RING_SLOT_SIZE);
            ring[at] = (uint8_t)(random >> 32);
        }
        char *json = read_ring(ring, size, &counts);
        assert_non_null(json);
        free(json);
    }
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_come_and_go),
        cmocka_unit_test(a_whole_ring_is_read),
        cmocka_unit_test(a_torn_span_is_read_as_far_as_it_goes),
        cmocka_unit_test(wrong_headers_are_refused),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
