#include "ring_read.h"

#include "base/hash.h"

int fg_ring_open(const uint8_t *data, size_t size, struct fg_ring_view *ret_view)
{
    if (size < FG_RING_SLOTS_OFFSET)
        return FG_ECORRUPT;
    const struct fg_ring_header *header = (const void *)data;
    if (atomic_load_explicit(&header->state, memory_order_acquire) == FG_RING_EMPTY)
        return FG_EAGAIN;
    if (memcmp(header->magic, FG_RING_MAGIC, sizeof header->magic) != 0)
        return FG_ECORRUPT;
    if (header->version > FG_RING_VERSION)
        return FG_EUNSUPPORTED;
    uint32_t slot_count = header->slot_count, settings_size = header->settings_size;
    if (header->version == 0 || header->slot_size != FG_RING_SLOT_SIZE || slot_count == 0 ||
        slot_count > FG_RING_SLOTS_MAX || settings_size > FG_RING_SETTINGS_SIZE ||
        size != FG_RING_SLOTS_OFFSET + (size_t)slot_count * FG_RING_SLOT_SIZE)
        return FG_ECORRUPT;
    struct fg_slice settings = fg_slice(data + FG_RING_SETTINGS_OFFSET, settings_size);
    if (fg_hash(settings) != header->settings_hash)
        return FG_ECORRUPT;
    uint32_t scope_count = atomic_load_explicit(&header->scope_count, memory_order_acquire);
    *ret_view = (struct fg_ring_view){
        .header = header,
        .scopes = (const void *)(data + FG_RING_SCOPES_OFFSET),
        .slots = (const void *)(data + FG_RING_SLOTS_OFFSET),
        .settings = settings,
        .slot_count = slot_count,
        .scope_count = scope_count < FG_RING_SCOPES_MAX ? scope_count : FG_RING_SCOPES_MAX,
    };
    return 0;
}

enum fg_slot_phase fg_ring_phase(const struct fg_ring_view *view, uint32_t name)
{
    uint64_t state = atomic_load_explicit(&view->slots[name - 1].state, memory_order_acquire);
    return FG_SLOT_PHASE(state);
}

uint32_t fg_ring_stream_size(const struct fg_ring_view *view, uint32_t name)
{
    const struct fg_slot *head = &view->slots[name - 1];
    return atomic_load_explicit(&head->head.committed, memory_order_acquire);
}

/* Puts the stream's parts one behind the other; returns how many bytes there are of size. */
static size_t gather(const struct fg_ring_view *view, uint32_t name, size_t size, uint8_t *scratch)
{
    const struct fg_slot *slot = &view->slots[name - 1];
    size_t done = FG_HEAD_PAYLOAD_SIZE;
    memcpy(scratch, slot->head.payload, done);
    while (done < size) {
        uint32_t next = slot->next;
        if (next == 0 || next > view->slot_count)
            break;
        slot = &view->slots[next - 1];
        uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
        if (FG_SLOT_PHASE(state) != FG_SLOT_EXTENT || slot->extent.owner != name)
            break;
        size_t part = size - done < FG_EXTENT_PAYLOAD_SIZE ? size - done : FG_EXTENT_PAYLOAD_SIZE;
        memcpy(scratch + done, slot->extent.payload, part);
        done += part;
    }
    return done;
}

int fg_ring_read(const struct fg_ring_view *view, uint32_t name, uint8_t *scratch,
                 struct fg_ring_span *ret_span)
{
    enum fg_slot_phase phase = fg_ring_phase(view, name);
    if (phase != FG_SLOT_OPEN && phase != FG_SLOT_ENDED)
        return FG_ENOTFOUND;
    const struct fg_slot *head = &view->slots[name - 1];
    size_t size = fg_ring_stream_size(view, name);
    bool is_torn = size > FG_STREAM_SPACE;
    if (is_torn)
        size = FG_STREAM_SPACE;
    struct fg_slice stream = fg_slice(head->head.payload, size);
    if (size > FG_HEAD_PAYLOAD_SIZE) {
        size_t got = gather(view, name, size, scratch);
        is_torn |= got < size;
        stream = fg_slice(scratch, got);
    }
    *ret_span = (struct fg_ring_span){head, stream};
    return is_torn ? FG_ECORRUPT : 0;
}

uint64_t fg_ring_last_alive_ns(const struct fg_ring_view *view)
{
    uint64_t last_ns = atomic_load_explicit(&view->header->alive_ns, memory_order_relaxed);
    if (atomic_load_explicit(&view->header->death_signal, memory_order_acquire) &&
        view->header->death_ns > last_ns)
        last_ns = view->header->death_ns;
    for (uint32_t name = 1; name <= view->slot_count; name++) {
        enum fg_slot_phase phase = fg_ring_phase(view, name);
        const struct fg_slot *slot = &view->slots[name - 1];
        if (phase == FG_SLOT_OPEN && slot->head.start_ns > last_ns)
            last_ns = slot->head.start_ns;
        if (phase == FG_SLOT_ENDED && slot->head.end_ns > last_ns)
            last_ns = slot->head.end_ns;
    }
    return last_ns;
}

bool fg_item_next(struct fg_slice *rest, struct fg_item *ret_item)
{
    struct fg_item_header header;
    if (rest->size < sizeof header)
        return false;
    memcpy(&header, rest->data, sizeof header);
    size_t room = rest->size - sizeof header;
    if (header.key_size > room || header.value_size > room - header.key_size)
        return false;
    const uint8_t *key = rest->data + sizeof header;
    *ret_item = (struct fg_item){
        .kind = header.kind,
        .type = header.type,
        .key = fg_slice(key, header.key_size),
        .value = fg_slice(key + header.key_size, header.value_size),
    };
    size_t size = sizeof header + header.key_size + header.value_size;
    *rest = fg_slice(rest->data + size, rest->size - size);
    return true;
}
