/* What an erase takes from the incidents: orders of whom nothing is left go from the lists, and
 * their values from sentences and notes, where they stand as a word of their own. What was counted
 * stays: that so many orders stopped there names nobody. */
#include "incidents_internal.h"

#include "strike.h"

#include <stdlib.h>

#define ERASED ((struct fg_slice){(const uint8_t *)"[erased]", 8})

/* -- Texts */

static bool is_of_word(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '_' || byte >= 0x80;
}

/* Where value stands in text from `at` on as a word; text.size: nowhere. */
static size_t find_word(struct fg_slice text, struct fg_slice value, size_t at)
{
    for (; at + value.size <= text.size; at++) {
        size_t end = at + value.size;
        if (memcmp(text.data + at, value.data, value.size) != 0)
            continue;
        if ((at == 0 || !is_of_word(text.data[at - 1]) || !is_of_word(value.data[0])) &&
            (end == text.size || !is_of_word(text.data[end]) ||
             !is_of_word(value.data[value.size - 1])))
            return at;
    }
    return text.size;
}

static int strike_word(struct fg_slice *slot, struct fg_slice value, bool *did)
{
    struct fg_slice text = *slot;
    size_t at = value.size > 0 ? find_word(text, value, 0) : text.size;
    struct fg_buffer out;
    if (at == text.size)
        return 0;
    fg_buffer_init(&out, text.size * ERASED.size);
    size_t from = 0;
    for (; at < text.size; at = find_word(text, value, from)) {
        fg_buffer_append_slice(&out, fg_slice(text.data + from, at - from));
        fg_buffer_append_slice(&out, ERASED);
        from = at + value.size;
    }
    fg_buffer_append_slice(&out, fg_slice(text.data + from, text.size - from));
    int r = out.error ? out.error : fg_incident_set(slot, fg_buffer_slice(&out));
    fg_buffer_free(&out);
    *did |= r == 0;
    return r;
}

static int strike(struct fg_slice *slot, const struct fg_gone *gone, bool *did)
{
    struct fg_slice rest = fg_buffer_slice(&gone->names), key, value;
    int r = 0;
    while (r == 0 && slot->size > 0 && fg_gone_next(&rest, &key, &value))
        r = strike_word(slot, value, did);
    return r;
}

/* With the mutex. */
static int strike_texts(struct fg_incident_record *record, const struct fg_gone *gone)
{
    bool did = false;
    int r = strike(&record->is.place.name, gone, &did);
    if (r == 0)
        r = strike(&record->is.text, gone, &did);
    for (uint32_t i = 0; r == 0 && i < record->is.event_count; i++)
        r = strike(&record->events[i].text, gone, &did);
    record->is_dirty |= did;
    return r;
}

/* -- Lists */

static bool goes(void *arg, struct fg_slice key, struct fg_slice value)
{
    const struct fg_gone *gone = arg;
    struct fg_incident_row row;
    return fg_incident_row_read(key, value, &row) &&
           (gone->all || fg_gone_has(gone, row.key, row.value));
}

static int strike_lists(struct fg_incidents *incidents, const struct fg_gone *gone)
{
    struct fg_state *state = incidents->options.state;
    if (!state)
        return 0;
    return fg_strike(state, incidents->order_table, goes, (void *)(uintptr_t)gone);
}

/* -- */

int fg_incidents_erased(struct fg_incidents *incidents, const struct fg_gone *gone)
{
    int r = 0;
    if (gone->names.size == 0 && !gone->all)
        return 0;
    fg_mutex_lock(&incidents->write_mutex);
    fg_mutex_lock(&incidents->mutex);
    for (uint32_t i = 0; r == 0 && i < incidents->count; i++)
        r = strike_texts(incidents->records[i], gone);
    incidents->version++;
    fg_mutex_unlock(&incidents->mutex);
    if (r == 0) /* what waits to be listed is in the table then */
        r = fg_incidents_write(incidents);
    if (r == 0)
        r = strike_lists(incidents, gone);
    if (r == 0)
        r = fg_incidents_relist(incidents);
    fg_mutex_unlock(&incidents->write_mutex);
    return r;
}
