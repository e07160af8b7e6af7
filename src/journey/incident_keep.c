/* Incidents in the keyed state:
 *
 *     incidents         id be64                  → the incident (incident_codec.c)
 *     incident_orders   id be64, number be32     → since le64, size of the key le16, key, value
 *
 * An order is written once, when it joins; whether it stands still is known from the journeys. */
#include "incidents_internal.h"

#include "base/endian.h"
#include "store/state.h"

#include <stdlib.h>

#define TABLE            "incidents"
#define ORDER_TABLE      "incident_orders"
#define BATCH_RECORDS    1000u /* of some 10 KiB at most: well below a batch's bound */
#define ENCODED_SIZE_MAX ((size_t)512 << 10)

/* -- Loading */

static int load_incident(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_incidents *incidents = arg;
    struct fg_incident_record *record;
    if (key.size != sizeof(uint64_t))
        return FG_ECORRUPT;
    int r = fg_incident_add(incidents, fg_load_be64(key.data), &record);
    if (r == 0)
        r = fg_incident_decode(value, record);
    return r;
}

bool fg_incident_row_read(struct fg_slice key, struct fg_slice value,
                          struct fg_incident_row *ret_row)
{
    if (key.size != FG_INCIDENT_ORDER_KEY_SIZE || value.size < 10)
        return false;
    size_t size = fg_load_le16(value.data + 8);
    if (size > value.size - 10)
        return false;
    *ret_row = (struct fg_incident_row){fg_load_be64(key.data), fg_load_be32(key.data + 8),
                                        fg_load_le64(value.data), fg_slice(value.data + 10, size),
                                        fg_slice(value.data + 10 + size, value.size - 10 - size)};
    return true;
}

static int load_order(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_incidents *incidents = arg;
    struct fg_incident_row order;
    uint32_t id;
    if (!fg_incident_row_read(key, value, &order))
        return FG_ECORRUPT;
    struct fg_incident_record *record = fg_incident_find(incidents, order.incident);
    if (!record || record->listed_count == FG_INCIDENT_ORDERS_MAX)
        return 0;
    int r = fg_idmap_intern(&record->listed, fg_incident_order_hash(order.key, order.value), NULL,
                            NULL, record->listed_count, &id);
    record->listed_count++;
    record->next_number = order.number + 1;
    return r;
}

int fg_incidents_relist(struct fg_incidents *incidents)
{
    struct fg_state *state = incidents->options.state;
    struct fg_slice none = {0};
    struct fg_state_view *view;
    int r = state ? fg_state_view_take(state, &view) : 0;
    if (r < 0 || !state)
        return r;
    fg_mutex_lock(&incidents->mutex);
    for (uint32_t i = 0; i < incidents->count; i++) {
        fg_idmap_clear(&incidents->records[i]->listed);
        incidents->records[i]->listed_count = 0; /* the next number stays */
    }
    r = fg_state_each(view, incidents->order_table, none, none, load_order, incidents, NULL);
    fg_mutex_unlock(&incidents->mutex);
    fg_state_view_release(view);
    return r;
}

int fg_incidents_load(struct fg_incidents *incidents)
{
    struct fg_state *state = incidents->options.state;
    uint32_t tenant = incidents->options.tenant;
    struct fg_slice none = {0};
    struct fg_state_view *view;
    incidents->next_id = 1;
    if (!state)
        return 0;
    int r = fg_state_tenant_table(state, TABLE, tenant, &incidents->table);
    if (r == 0)
        r = fg_state_tenant_table(state, ORDER_TABLE, tenant, &incidents->order_table);
    if (r == 0)
        r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    r = fg_state_each(view, incidents->table, none, none, load_incident, incidents, NULL);
    if (r == 0)
        r = fg_state_each(view, incidents->order_table, none, none, load_order, incidents, NULL);
    fg_state_view_release(view);
    return r;
}

/* -- Writing */

void fg_incident_list_order(struct fg_incidents *incidents, struct fg_incident_record *record,
                            const struct fg_journey_stopped *stopped, uint64_t hash)
{
    struct fg_buffer *orders = &incidents->new_orders;
    uint32_t number;
    if (record->listed_count == FG_INCIDENT_ORDERS_MAX ||
        fg_idmap_intern(&record->listed, hash, NULL, NULL, record->listed_count, &number) < 0)
        return;
    uint8_t head[FG_INCIDENT_ORDER_KEY_SIZE + 4];
    size_t before = orders->size;
    fg_store_be64(head, record->is.id);
    fg_store_be32(head + 8, record->next_number++);
    record->listed_count++;
    fg_store_le32(head + FG_INCIDENT_ORDER_KEY_SIZE,
                  (uint32_t)(10 + stopped->key.size + stopped->value.size));
    fg_buffer_append(orders, head, sizeof head);
    fg_buffer_append_le64(orders, stopped->since_ns);
    fg_buffer_append_le16(orders, (uint16_t)stopped->key.size);
    fg_buffer_append_slice(orders, stopped->key);
    fg_buffer_append_slice(orders, stopped->value);
    if (orders->error) { /* full, since the state takes nothing: counted, not listed */
        orders->size = before;
        orders->error = 0;
    }
}

static void put_orders(struct fg_incidents *incidents, struct fg_state_batch *batch)
{
    const uint8_t *at = incidents->new_orders.data;
    size_t left = incidents->new_orders.size;
    while (left > 0) {
        size_t size = fg_load_le32(at + FG_INCIDENT_ORDER_KEY_SIZE),
               whole = FG_INCIDENT_ORDER_KEY_SIZE + 4 + size;
        fg_state_put(batch, incidents->order_table, fg_slice(at, FG_INCIDENT_ORDER_KEY_SIZE),
                     fg_slice(at + FG_INCIDENT_ORDER_KEY_SIZE + 4, size));
        at += whole;
        left -= whole;
    }
}

static void put_record(struct fg_incidents *incidents, struct fg_state_batch *batch,
                       const struct fg_incident_record *record, struct fg_buffer *encoded)
{
    uint8_t key[sizeof(uint64_t)];
    fg_store_be64(key, record->is.id);
    fg_buffer_reset(encoded);
    fg_incident_encode(record, encoded);
    fg_state_put(batch, incidents->table, fg_slice(key, sizeof key), fg_buffer_slice(encoded));
}

/* Those that ended longest ago go where there are too many: from memory and, with the batch, from
 * the state. */
static void drop_oldest(struct fg_incidents *incidents, struct fg_state_batch *batch)
{
    while (incidents->count > FG_INCIDENTS_MAX) {
        uint32_t oldest = UINT32_MAX;
        for (uint32_t i = 0; i < incidents->count; i++) {
            uint64_t end_ns = incidents->records[i]->is.resolved_ns;
            if (end_ns > 0 &&
                (oldest == UINT32_MAX || end_ns < incidents->records[oldest]->is.resolved_ns))
                oldest = i;
        }
        if (oldest == UINT32_MAX)
            return; /* FG_INCIDENTS_OPEN_MAX is far below: never */
        uint8_t key[sizeof(uint64_t)];
        fg_store_be64(key, incidents->records[oldest]->is.id);
        if (batch) {
            fg_state_delete(batch, incidents->table, fg_slice(key, sizeof key));
            fg_state_delete_prefix(batch, incidents->order_table, fg_slice(key, sizeof key));
        }
        fg_incident_free(incidents->records[oldest]);
        memmove(&incidents->records[oldest], &incidents->records[oldest + 1],
                (--incidents->count - oldest) * sizeof(*incidents->records));
    }
}

/* Fills a batch with some of what is dirty; their ids are noted, so that they can be dirty again.
 */
static uint32_t fill(struct fg_incidents *incidents, struct fg_state_batch *batch, uint64_t *ids)
{
    struct fg_buffer encoded;
    uint32_t count = 0;
    fg_buffer_init(&encoded, ENCODED_SIZE_MAX);
    drop_oldest(incidents, batch);
    for (uint32_t i = 0; i < incidents->count && count < BATCH_RECORDS; i++) {
        struct fg_incident_record *record = incidents->records[i];
        if (!record->is_dirty)
            continue;
        if (batch)
            put_record(incidents, batch, record, &encoded);
        if (encoded.error)
            break; /* no memory: the next time */
        record->is_dirty = false;
        ids[count++] = record->is.id;
    }
    fg_buffer_free(&encoded);
    return count;
}

int fg_incidents_write(struct fg_incidents *incidents)
{
    struct fg_state *state = incidents->options.state;
    uint64_t *ids = malloc(BATCH_RECORDS * sizeof *ids);
    uint32_t count;
    int r = ids ? 0 : FG_ENOMEM;
    do {
        struct fg_state_batch *batch = NULL;
        count = 0;
        if (r == 0 && state)
            r = fg_state_batch_new(state, &batch);
        if (r < 0)
            break;
        fg_mutex_lock(&incidents->mutex);
        count = fill(incidents, batch, ids);
        fg_mutex_unlock(&incidents->mutex);
        if (batch)
            put_orders(incidents, batch);
        if (batch && count == 0 && incidents->new_orders.size == 0)
            fg_state_batch_free(batch);
        else if (batch)
            r = fg_state_commit_take(state, batch);
        if (r == 0)
            fg_buffer_reset(&incidents->new_orders);
    } while (r == 0 && count == BATCH_RECORDS);
    if (r < 0) {
        fg_mutex_lock(&incidents->mutex);
        incidents->counters.failed_writes++;
        for (uint32_t i = 0; i < count; i++) {
            struct fg_incident_record *record = fg_incident_find(incidents, ids[i]);
            if (record)
                record->is_dirty = true;
        }
        fg_mutex_unlock(&incidents->mutex);
    }
    free(ids);
    return r;
}

/* -- Reading */

struct reading {
    struct fg_arena *arena;
    struct fg_incident_order *orders;
    uint32_t count;
};

static int take_order(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct reading *reading = arg;
    struct fg_incident_row order;
    if (!fg_incident_row_read(key, value, &order))
        return FG_ECORRUPT;
    if (reading->count == FG_INCIDENT_ORDERS_MAX)
        return 0;
    reading->orders[reading->count++] =
        (struct fg_incident_order){.key = fg_arena_copy(reading->arena, order.key),
                                   .value = fg_arena_copy(reading->arena, order.value),
                                   .since_ns = order.since_ns};
    return reading->arena->overflow ? FG_ELIMIT : 0;
}

int fg_incidents_orders(struct fg_incidents *incidents, uint64_t id, struct fg_arena *arena,
                        struct fg_incident_order **ret_orders, uint32_t *ret_count)
{
    struct reading reading = {.arena = arena};
    struct fg_state_view *view;
    uint8_t prefix[sizeof(uint64_t)];
    fg_store_be64(prefix, id);
    reading.orders = fg_arena_calloc(arena, FG_INCIDENT_ORDERS_MAX, sizeof *reading.orders);
    if (!reading.orders)
        return FG_ELIMIT;
    int r = 0;
    if (incidents->options.state) {
        r = fg_state_view_take(incidents->options.state, &view);
        if (r < 0)
            return r;
        r = fg_state_each(view, incidents->order_table, fg_slice(prefix, sizeof prefix),
                          (struct fg_slice){0}, take_order, &reading, NULL);
        fg_state_view_release(view);
    }
    if (r < 0)
        return r;
    *ret_orders = reading.orders;
    *ret_count = reading.count;
    return 0;
}
