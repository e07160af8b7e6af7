/* Entries stand in chunks; a chunk that is full gets a successor and never moves, so that a reader
 * with a watermark needs no lock for what lies below it.
 *
 * The index is an open-addressing table from the hash of tenant and trace id to a chain of entries,
 * the newest first. Two traces with one hash share a chain: whoever looks into the batches compares
 * ids anyway. An index that memory does not suffice for is no reason to lose what is durable
 * already: it is given up, and lookups go through all entries of this head. */
#include "head.h"
#include "head_rollup.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

#define NODE_NONE UINT32_MAX

struct node {
    const struct fg_head_entry *entry;
    uint32_t next; /* index into nodes */
};

struct slot {
    uint64_t hash;
    uint32_t node; /* NODE_NONE: the slot is free */
};

struct index {
    uint64_t seed;
    struct slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t slots_used;
    struct node *nodes;
    uint32_t node_count, node_capacity;
    bool is_given_up;
};

struct fg_head {
    atomic_uint refs;
    atomic_uint *alive;
    struct fg_mutex lock; /* all below, but for entries under a watermark */
    struct fg_head_chunk *first, *last;
    size_t chunk_room; /* free entries in last and in those reserved after it */
    struct fg_head_info info;
    struct index index;
    struct fg_head_rollup *rollup; /* NULL: nobody has asked */
};

struct fg_head_rollup **fg_head_rollup_place(struct fg_head *head)
{
    return &head->rollup;
}

int fg_head_new(uint64_t sequence_begin, uint64_t now_mono_ns, uint64_t seed, atomic_uint *alive,
                struct fg_head **ret_head)
{
    struct fg_head *head = calloc(1, sizeof *head);
    if (!head)
        return FG_ENOMEM;
    atomic_init(&head->refs, 1);
    head->alive = alive;
    atomic_fetch_add(alive, 1);
    fg_mutex_init(&head->lock, FG_RANK_SEGMENT);
    head->index.seed = seed;
    head->info.sequence_begin = head->info.sequence_end = sequence_begin;
    head->info.created_mono_ns = now_mono_ns;
    *ret_head = head;
    return 0;
}

struct fg_head *fg_head_ref(struct fg_head *head)
{
    atomic_fetch_add_explicit(&head->refs, 1, memory_order_relaxed);
    return head;
}

void fg_head_unref(struct fg_head *head)
{
    if (!head || atomic_fetch_sub_explicit(&head->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct fg_head_info all = fg_head_info(head);
    struct fg_head_cursor cursor = fg_head_begin(&all);
    for (const struct fg_head_entry *entry; (entry = fg_head_next(&cursor));)
        fg_block_unref(entry->block);
    while (head->first) {
        struct fg_head_chunk *chunk = head->first;
        head->first = chunk->next;
        free(chunk);
    }
    fg_mutex_destroy(&head->lock);
    fg_head_rollup_free(head->rollup);
    free(head->index.slots);
    free(head->index.nodes);
    atomic_fetch_sub(head->alive, 1);
    free(head);
}

void fg_head_count_from(struct fg_head *head, uint64_t span_begin)
{
    fg_mutex_lock(&head->lock);
    head->info.span_begin = span_begin;
    fg_mutex_unlock(&head->lock);
}

/* -- The index */

static uint64_t hash_trace(const struct index *index, uint32_t tenant, uint64_t high, uint64_t low)
{
    return fg_hash_u64(fg_hash_u64(low ^ index->seed) ^ fg_hash_u64(high + tenant));
}

/* The slot of hash, or the free one where it belongs. There is one that is free. */
static struct slot *find_slot(const struct index *index, uint64_t hash)
{
    size_t mask = index->slot_count - 1;
    size_t i = (size_t)hash & mask;
    while (index->slots[i].node != NODE_NONE && index->slots[i].hash != hash)
        i = (i + 1) & mask;
    return &index->slots[i];
}

static bool grow_slots(struct index *index)
{
    struct index grown = {.slot_count = index->slot_count ? 2 * index->slot_count : 1024};
    grown.slots = malloc(grown.slot_count * sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < grown.slot_count; i++)
        grown.slots[i].node = NODE_NONE;
    for (size_t i = 0; i < index->slot_count; i++)
        if (index->slots[i].node != NODE_NONE)
            *find_slot(&grown, index->slots[i].hash) = index->slots[i];
    free(index->slots);
    index->slots = grown.slots;
    index->slot_count = grown.slot_count;
    return true;
}

static bool grow_nodes(struct index *index)
{
    if (index->node_capacity >= NODE_NONE / 2)
        return false;
    uint32_t capacity = index->node_capacity ? 2 * index->node_capacity : 1024;
    struct node *nodes = realloc(index->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return false;
    index->nodes = nodes;
    index->node_capacity = capacity;
    return true;
}

static void index_add(struct index *index, uint64_t hash, const struct fg_head_entry *entry)
{
    if (index->is_given_up)
        return;
    bool has_room = (index->slots_used < index->slot_count / 4 * 3 || grow_slots(index)) &&
                    (index->node_count < index->node_capacity || grow_nodes(index));
    if (!has_room) {
        index->is_given_up = true;
        return;
    }
    struct slot *slot = find_slot(index, hash);
    if (slot->node == NODE_NONE) {
        slot->hash = hash;
        index->slots_used++;
    } else if (index->nodes[slot->node].entry == entry) {
        return; /* a trace whose spans do not stand together in the batch */
    }
    index->nodes[index->node_count] = (struct node){.entry = entry, .next = slot->node};
    slot->node = index->node_count++;
}

static uint64_t index_size_bytes(const struct index *index)
{
    return index->slot_count * sizeof(struct slot) + index->node_capacity * sizeof(struct node);
}

/* -- Publishing */

int fg_head_reserve(struct fg_head *head, size_t count)
{
    int r = 0;
    fg_mutex_lock(&head->lock);
    struct fg_head_chunk *end = head->last;
    while (end && end->next)
        end = end->next;
    while (r == 0 && head->chunk_room < count) {
        struct fg_head_chunk *chunk = malloc(sizeof *chunk);
        if (!chunk) {
            r = FG_ENOMEM;
            break;
        }
        chunk->next = NULL;
        if (end)
            end->next = chunk;
        else
            head->first = head->last = chunk;
        end = chunk;
        head->chunk_room += FG_HEAD_CHUNK_COUNT;
    }
    fg_mutex_unlock(&head->lock);
    return r;
}

/* Stretches of rows of one trace cost one look into the index each. */
static void index_batch(struct index *index, const struct fg_head_entry *entry,
                        const struct fg_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count; i++) {
        uint64_t high = batch->trace_id_high[i], low = batch->trace_id_low[i];
        bool is_same =
            i > 0 && high == batch->trace_id_high[i - 1] && low == batch->trace_id_low[i - 1];
        if (!is_same)
            index_add(index, hash_trace(index, entry->tenant, high, low), entry);
    }
}

void fg_head_publish_take(struct fg_head *head, uint32_t tenant, uint64_t sequence,
                          struct fg_block *block)
{
    const struct fg_batch *batch = fg_block_batch(block);
    struct fg_head_entry entry = {.block = block,
                                  .tenant = tenant,
                                  .sequence = sequence,
                                  .start_ns_min = UINT64_MAX,
                                  .start_ns_max = 0};
    for (uint32_t i = 0; i < batch->span_count; i++) {
        uint64_t start_ns = batch->start_ns[i];
        entry.start_ns_min = start_ns < entry.start_ns_min ? start_ns : entry.start_ns_min;
        entry.start_ns_max = start_ns > entry.start_ns_max ? start_ns : entry.start_ns_max;
    }
    fg_mutex_lock(&head->lock);
    struct fg_head_info *info = &head->info;
    assert(head->chunk_room > 0 && sequence >= info->sequence_end);
    size_t place = info->entry_count % FG_HEAD_CHUNK_COUNT;
    if (place == 0 && info->entry_count > 0)
        head->last = head->last->next;
    struct fg_head_entry *kept = &head->last->entries[place];
    *kept = entry;
    head->chunk_room--;
    uint64_t index_before = index_size_bytes(&head->index);
    index_batch(&head->index, kept, batch);
    info->size_bytes +=
        fg_block_size_bytes(block) + sizeof *kept + index_size_bytes(&head->index) - index_before;
    info->span_count += batch->span_count;
    info->sequence_end = sequence + 1;
    info->entry_count++;
    fg_mutex_unlock(&head->lock);
}

/* -- Reading */

struct fg_head_info fg_head_info(struct fg_head *head)
{
    fg_mutex_lock(&head->lock);
    struct fg_head_info info = head->info;
    info.chunks = head->first;
    fg_mutex_unlock(&head->lock);
    return info;
}

struct entries {
    const struct fg_head_entry **list;
    size_t count, capacity;
};

static int entries_add(struct entries *entries, const struct fg_head_entry *entry)
{
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? 2 * entries->capacity : 64;
        const struct fg_head_entry **list = realloc((void *)entries->list, capacity * sizeof *list);
        if (!list)
            return FG_ENOMEM;
        entries->list = list;
        entries->capacity = capacity;
    }
    entries->list[entries->count++] = entry;
    return 0;
}

/* With lock: what the index knows, or everything. */
static int find_entries(const struct fg_head *head, const struct fg_head_info *watermark,
                        uint32_t tenant, uint64_t id_high, uint64_t id_low, struct entries *entries)
{
    const struct index *index = &head->index;
    int r = 0;
    if (index->is_given_up) {
        struct fg_head_cursor cursor = fg_head_begin(watermark);
        const struct fg_head_entry *entry;
        while (r == 0 && (entry = fg_head_next(&cursor)))
            if (entry->tenant == tenant)
                r = entries_add(entries, entry);
        return r;
    }
    if (index->slot_count == 0)
        return 0;
    uint32_t node = find_slot(index, hash_trace(index, tenant, id_high, id_low))->node;
    for (; r == 0 && node != NODE_NONE; node = index->nodes[node].next) {
        const struct fg_head_entry *entry = index->nodes[node].entry;
        if (entry->sequence < watermark->sequence_end && entry->tenant == tenant)
            r = entries_add(entries, entry);
    }
    return r;
}

int fg_head_trace(struct fg_head *head, const struct fg_head_info *watermark, uint32_t tenant,
                  uint64_t id_high, uint64_t id_low,
                  int (*page)(void *arg, const struct fg_blocks_page *page), void *arg)
{
    struct entries entries = {0};
    fg_mutex_lock(&head->lock);
    int r = find_entries(head, watermark, tenant, id_high, id_low, &entries);
    fg_mutex_unlock(&head->lock);
    for (size_t i = 0; r == 0 && i < entries.count; i++) {
        const struct fg_batch *batch = fg_block_batch(entries.list[i]->block);
        struct fg_blocks_page rows = {.batch = batch, .row_begin = 0, .row_end = batch->span_count};
        r = page(arg, &rows);
    }
    free((void *)entries.list);
    return r;
}

uint32_t fg_head_find(struct fg_head *head, const struct fg_head_info *watermark, uint32_t tenant,
                      uint64_t id_high, uint64_t id_low, const struct fg_head_entry **ret_entry)
{
    uint32_t count = 0;
    fg_mutex_lock(&head->lock);
    const struct index *index = &head->index;
    if (index->is_given_up)
        count = 2;
    if (count == 0 && index->slot_count) {
        uint32_t node = find_slot(index, hash_trace(index, tenant, id_high, id_low))->node;
        for (; count < 2 && node != NODE_NONE; node = index->nodes[node].next) {
            const struct fg_head_entry *entry = index->nodes[node].entry;
            if (entry->sequence >= watermark->sequence_end || entry->tenant != tenant)
                continue;
            *ret_entry = entry;
            count++;
        }
    }
    fg_mutex_unlock(&head->lock);
    return count;
}
