/* An incident as bytes, little-endian:
 *
 *     version u8 = 1 | kind u8 | cause u8 | flags u8 (1: imported) | news u8
 *     opened, found, spell, resolved, open, acknowledged, orders, merged into, latest since: u64
 * each reopened u32 service, name, text, acknowledged by, resolved by: size u16, bytes events u16,
 * each: at u64 | kind u8 | by, text: size u16, bytes
 *
 * Its id is the key. */
#include "incidents_internal.h"

#include "base/endian.h"

#define VERSION       1
#define FLAG_IMPORTED 1

static void put_text(struct fg_buffer *buffer, struct fg_slice text)
{
    fg_buffer_append_le16(buffer, (uint16_t)text.size); /* FG_INCIDENT_TEXT_SIZE_MAX at most */
    fg_buffer_append_slice(buffer, text);
}

void fg_incident_encode(const struct fg_incident_record *record, struct fg_buffer *buffer)
{
    const struct fg_incident *is = &record->is;
    fg_buffer_append_byte(buffer, VERSION);
    fg_buffer_append_byte(buffer, (uint8_t)is->place.kind);
    fg_buffer_append_byte(buffer, (uint8_t)is->cause);
    fg_buffer_append_byte(buffer, is->is_imported ? FLAG_IMPORTED : 0);
    fg_buffer_append_byte(buffer, record->news);
    const uint64_t numbers[] = {is->opened_ns,   is->found_ns,    is->spell_ns,
                                is->resolved_ns, is->open_ns,     is->acknowledged_ns,
                                is->order_count, is->merged_into, record->latest_since_ns};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fg_buffer_append_le64(buffer, numbers[i]);
    fg_buffer_append_le32(buffer, is->reopened_count);
    put_text(buffer, is->place.service);
    put_text(buffer, is->place.name);
    put_text(buffer, is->text);
    put_text(buffer, is->acknowledged_by);
    put_text(buffer, is->resolved_by);
    fg_buffer_append_le16(buffer, (uint16_t)is->event_count);
    for (uint32_t i = 0; i < is->event_count; i++) {
        fg_buffer_append_le64(buffer, is->events[i].at_ns);
        fg_buffer_append_byte(buffer, (uint8_t)is->events[i].kind);
        put_text(buffer, is->events[i].by);
        put_text(buffer, is->events[i].text);
    }
}

struct cursor {
    struct fg_slice left;
    bool is_short;
};

static const uint8_t *cut(struct cursor *cursor, size_t size)
{
    const uint8_t *at = cursor->left.data;
    if (cursor->is_short || size > cursor->left.size) {
        cursor->is_short = true;
        return NULL;
    }
    cursor->left = fg_slice(at + size, cursor->left.size - size);
    return at;
}

static uint8_t get_u8(struct cursor *cursor)
{
    const uint8_t *at = cut(cursor, 1);
    return at ? *at : 0;
}

static uint16_t get_u16(struct cursor *cursor)
{
    const uint8_t *at = cut(cursor, 2);
    return at ? fg_load_le16(at) : 0;
}

static uint64_t get_u64(struct cursor *cursor)
{
    const uint8_t *at = cut(cursor, 8);
    return at ? fg_load_le64(at) : 0;
}

static struct fg_slice get_text(struct cursor *cursor)
{
    size_t size = get_u16(cursor);
    const uint8_t *at = cut(cursor, size);
    return at ? fg_slice(at, size) : (struct fg_slice){0};
}

static int get_events(struct cursor *cursor, struct fg_incident_record *record)
{
    uint16_t count = get_u16(cursor);
    if (count > FG_INCIDENT_EVENTS_MAX)
        return FG_ECORRUPT;
    for (uint16_t i = 0; i < count && !cursor->is_short; i++) {
        uint64_t at_ns = get_u64(cursor);
        uint8_t kind = get_u8(cursor);
        struct fg_slice by = get_text(cursor), text = get_text(cursor);
        if (kind >= FG_INCIDENT_EVENT_KIND_COUNT)
            return FG_ECORRUPT;
        int r = fg_incident_tell(record, at_ns, (enum fg_incident_event_kind)kind, by, text);
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_incident_decode(struct fg_slice bytes, struct fg_incident_record *record)
{
    struct cursor cursor = {bytes, false};
    struct fg_incident *is = &record->is;
    uint8_t version = get_u8(&cursor), kind = get_u8(&cursor), cause = get_u8(&cursor),
            flags = get_u8(&cursor);
    if (version > VERSION)
        return FG_EUNSUPPORTED;
    if (version == 0 || kind >= FG_PLACE_KIND_COUNT || cause >= FG_CAUSE_COUNT)
        return FG_ECORRUPT;
    is->place.kind = (enum fg_place_kind)kind;
    is->cause = (enum fg_cause)cause;
    is->is_imported = (flags & FLAG_IMPORTED) != 0;
    record->news = get_u8(&cursor);
    uint64_t *const numbers[] = {&is->opened_ns,   &is->found_ns,    &is->spell_ns,
                                 &is->resolved_ns, &is->open_ns,     &is->acknowledged_ns,
                                 &is->order_count, &is->merged_into, &record->latest_since_ns};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = get_u64(&cursor);
    const uint8_t *reopened = cut(&cursor, 4);
    is->reopened_count = reopened ? fg_load_le32(reopened) : 0;
    struct fg_slice *const texts[] = {&is->place.service, &is->place.name, &is->text,
                                      &is->acknowledged_by, &is->resolved_by};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int r = fg_incident_set(texts[i], get_text(&cursor));
        if (r < 0)
            return r;
    }
    int r = get_events(&cursor, record);
    record->group = fg_incident_group(&is->place, is->cause);
    record->is_loaded = true;
    if (r == 0 && (cursor.is_short || cursor.left.size > 0))
        r = FG_ECORRUPT;
    return r;
}
