/* A ring whose slots are the input, behind a header that holds. What is read of it is a request
 * that an OTLP decoder takes. */
#include "base/hash.h"
#include "parcel.h"

#include <stdlib.h>

#define SLOTS_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_whole(const uint8_t *ring, size_t size)
{
    struct fg_ring_view view;
    struct fg_rules rules;
    struct fg_parcel *parcel;
    struct fg_slice request;
    if (fg_ring_open(ring, size, &view) < 0 || fg_rules_read(view.settings, &rules) < 0)
        return;
    if (fg_parcel_new(&parcel) < 0)
        abort();
    struct fg_fate fate = {true, fg_ring_last_alive_ns(&view), "fuzz", true};
    fg_parcel_reset(parcel, &view, &rules);
    for (uint32_t name = 1; name <= view.slot_count; name++) {
        enum fg_slot_phase phase = fg_ring_phase(&view, name);
        if ((phase == FG_SLOT_OPEN || phase == FG_SLOT_ENDED) &&
            !fg_parcel_add(parcel, name, phase == FG_SLOT_ENDED))
            break;
    }
    if (fg_parcel_encode(parcel, &fate, 1, &request) == 0) {
        struct fg_buffer json;
        struct fg_otlp_encoder encoder;
        fg_buffer_init(&json, (size_t)256 << 20);
        fg_otlp_encoder_init(&encoder, FG_OTLP_JSON, &json);
        if (fg_otlp_decode_traces(request, encoder.visitor, &encoder, NULL) < 0)
            abort();
        fg_buffer_free(&json);
    }
    fg_parcel_free(parcel);
    fg_rules_free(&rules);
}

static void make_header(uint8_t *ring, uint32_t slot_count)
{
    static const uint8_t settings[] = {FG_RING_SETTING_DENIED_KEY << 3 | 2, 1, 'k',
                                       FG_RING_SETTING_KINDS << 3, 15};
    struct fg_ring_header *header = (void *)ring;
    memcpy(header->magic, FG_RING_MAGIC, sizeof header->magic);
    header->version = FG_RING_VERSION;
    header->slot_size = FG_RING_SLOT_SIZE;
    header->slot_count = slot_count;
    header->settings_size = sizeof settings;
    header->settings_hash = fg_hash(fg_slice(settings, sizeof settings));
    memcpy(ring + FG_RING_SETTINGS_OFFSET, settings, sizeof settings);
    atomic_store(&header->scope_count, 1);
    atomic_store(&header->state, FG_RING_LIVE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t slot_count = (uint32_t)(size / FG_RING_SLOT_SIZE) + 1;
    if (slot_count > SLOTS_MAX)
        slot_count = SLOTS_MAX;
    size_t room = (size_t)slot_count * FG_RING_SLOT_SIZE;
    uint8_t *ring = aligned_alloc(64, FG_RING_SLOTS_OFFSET + room);
    if (!ring)
        abort();
    memset(ring, 0, FG_RING_SLOTS_OFFSET + room);
    make_header(ring, slot_count);
    if (size)
        memcpy(ring + FG_RING_SLOTS_OFFSET, data, size < room ? size : room);
    read_whole(ring, FG_RING_SLOTS_OFFSET + room);
    free(ring);
    return 0;
}
