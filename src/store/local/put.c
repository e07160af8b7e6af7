/* Sealing: the rows of a head become one segment for each tenant and day.
 *
 * A row's day is that of its start, or that of its receipt where it is marked so. Senders choose
 * starts, so they could spread a head over thousands of days; what is beyond the first
 * FG_SEAL_PARTITIONS_MAX that were met is filed by receipt and marked.
 *
 * Order on the disk: each segment is written and synced under a number that no manifest names;
 * fg_local_edit() then syncs their folder and swaps the manifest, which names them all and moves
 * the checkpoint. A start that comes before the swap removes them and has the rows in the log. */
#include "local/local.h"

#include "base/limits.h"
#include "local/pour.h"
#include "order.h"

#include <stdlib.h>

struct partition {
    uint32_t tenant, day;
    uint32_t row_begin, row_count; /* in rows */
};

struct sealing {
    struct fg_local *local;
    const struct fg_blocks_put *put;
    const struct fg_batch **batches;
    struct fg_row *rows; /* by partition */
    struct partition *partitions;
    uint32_t partition_count, partition_capacity;
    struct fg_manifest_segment *entries; /* one a partition, as they are finished */
    size_t entry_count;
    uint64_t duplicates;
    struct fg_pour_source *sources; /* one a batch */
    struct fg_arena arena;          /* of the partition that is being written */
};

/* -- Partitions */

static struct partition *find_partition(const struct sealing *sealing, uint32_t tenant,
                                        uint32_t day, uint32_t last)
{
    struct partition *partitions = sealing->partitions;
    if (last < sealing->partition_count && partitions[last].tenant == tenant &&
        partitions[last].day == day)
        return &partitions[last];
    for (uint32_t i = 0; i < sealing->partition_count; i++)
        if (partitions[i].tenant == tenant && partitions[i].day == day)
            return &partitions[i];
    return NULL;
}

static struct partition *add_partition(struct sealing *sealing, uint32_t tenant, uint32_t day)
{
    if (sealing->partition_count == sealing->partition_capacity) {
        uint32_t capacity = sealing->partition_capacity ? 2 * sealing->partition_capacity : 16;
        struct partition *partitions =
            realloc(sealing->partitions, capacity * sizeof *sealing->partitions);
        if (!partitions)
            return NULL;
        sealing->partitions = partitions;
        sealing->partition_capacity = capacity;
    }
    struct partition *partition = &sealing->partitions[sealing->partition_count++];
    *partition = (struct partition){.tenant = tenant, .day = day};
    return partition;
}

/* Where a row is filed, and the marks that it gets for that. NULL: no memory. */
static struct partition *file_row(struct sealing *sealing, uint32_t tenant,
                                  const struct fg_batch *batch, uint32_t row, uint32_t last,
                                  uint16_t *ret_marks)
{
    bool by_receipt = fg_column_u16(batch->marks, row) & FG_MARK_FILED_BY_RECEIPT;
    uint32_t receipt_day = (uint32_t)(batch->received_ns[row] / FG_NS_PER_DAY);
    uint32_t day = by_receipt ? receipt_day : (uint32_t)(batch->start_ns[row] / FG_NS_PER_DAY);
    struct partition *partition = find_partition(sealing, tenant, day, last);
    *ret_marks = 0;
    if (!partition && !by_receipt && sealing->partition_count >= FG_SEAL_PARTITIONS_MAX) {
        *ret_marks = FG_MARK_FILED_BY_RECEIPT;
        day = receipt_day;
        partition = find_partition(sealing, tenant, day, last);
    }
    return partition ? partition : add_partition(sealing, tenant, day);
}

/* Files every row, then sorts them by partition by counting: filed[i] is where row i of all
 * belongs. */
static int file_rows(struct sealing *sealing, struct fg_row *filed, uint32_t *places)
{
    const struct fg_blocks_put *put = sealing->put;
    uint32_t last = 0, at = 0;
    for (uint32_t b = 0; b < put->count; b++) {
        const struct fg_batch *batch = put->rows[b].batch;
        for (uint32_t row = 0; row < batch->span_count; row++, at++) {
            filed[at] = (struct fg_row){.batch = b, .row = row};
            struct partition *partition =
                file_row(sealing, put->rows[b].tenant, batch, row, last, &filed[at].or_marks);
            if (!partition)
                return FG_ENOMEM;
            partition->row_count++;
            last = places[at] = (uint32_t)(partition - sealing->partitions);
        }
    }
    uint32_t begin = 0;
    for (uint32_t i = 0; i < sealing->partition_count; i++) {
        sealing->partitions[i].row_begin = begin;
        begin += sealing->partitions[i].row_count;
        sealing->partitions[i].row_count = 0;
    }
    for (uint32_t i = 0; i < at; i++) {
        struct partition *partition = &sealing->partitions[places[i]];
        sealing->rows[partition->row_begin + partition->row_count++] = filed[i];
    }
    return 0;
}

static int make_partitions(struct sealing *sealing, uint32_t row_count)
{
    struct fg_row *filed = calloc((size_t)row_count + 1, sizeof *filed);
    uint32_t *places = calloc((size_t)row_count + 1, sizeof *places);
    sealing->rows = calloc((size_t)row_count + 1, sizeof *sealing->rows);
    int r = filed && places && sealing->rows ? 0 : FG_ENOMEM;
    if (r == 0)
        r = file_rows(sealing, filed, places);
    free(filed);
    free(places);
    return r;
}

/* -- One segment */

static int write_segment(struct sealing *sealing, const struct fg_order *order, uint64_t id,
                         struct fg_segment_info *ret_info)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_segment_writer_options options = {0};
    struct fg_pour *pour;
    fg_local_segment_path(sealing->local, id, path);
    int r = fg_pour_open(sealing->local->env, path, &options, true, &pour);
    if (r < 0)
        return r;
    r = fg_pour_order(pour, sealing->batches, sealing->sources, order);
    if (r < 0) {
        fg_pour_abort(pour);
        return r;
    }
    return fg_pour_finish_take(pour, ret_info);
}

static int seal_partition(struct sealing *sealing, const struct partition *partition)
{
    struct fg_local *local = sealing->local;
    struct fg_order order;
    fg_arena_reset(&sealing->arena);
    int r = fg_order_rows(sealing->batches, sealing->rows + partition->row_begin,
                          partition->row_count, &sealing->arena, &order);
    if (r < 0)
        return r == FG_ELIMIT ? FG_ENOMEM : r; /* the arena's bound is enough for all rows */
    struct fg_segment_info info;
    uint64_t id = fg_local_id_new(local);
    r = write_segment(sealing, &order, id, &info);
    /* Remaps know the builder of one pour. */
    for (size_t i = 0; i < sealing->put->count; i++)
        fg_pour_source_forget(&sealing->sources[i]);
    if (r < 0) {
        fg_local_discard(local, id);
        return r;
    }
    sealing->duplicates += order.counts.duplicates;
    sealing->entries[sealing->entry_count++] =
        fg_local_entry(id, partition->tenant, partition->day, 0, &info);
    return 0;
}

/* -- The set */

static int init(struct sealing *sealing, uint32_t row_count)
{
    const struct fg_blocks_put *put = sealing->put;
    sealing->batches = calloc(put->count + 1, sizeof *sealing->batches);
    sealing->sources = calloc(put->count + 1, sizeof *sealing->sources);
    if (!sealing->batches || !sealing->sources)
        return FG_ENOMEM;
    for (size_t i = 0; i < put->count; i++)
        sealing->batches[i] = put->rows[i].batch;
    int r = make_partitions(sealing, row_count);
    if (r < 0)
        return r;
    sealing->entries = calloc((size_t)sealing->partition_count + 1, sizeof *sealing->entries);
    return sealing->entries ? 0 : FG_ENOMEM;
}

static void uninit(struct sealing *sealing)
{
    for (size_t i = 0; sealing->sources && i < sealing->put->count; i++)
        fg_pour_source_free(&sealing->sources[i]);
    free((void *)sealing->batches);
    free(sealing->sources);
    free(sealing->partitions);
    free(sealing->rows);
    free(sealing->entries);
    fg_arena_free(&sealing->arena);
}

static uint64_t sum_bytes(const struct sealing *sealing)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < sealing->entry_count; i++)
        bytes += sealing->entries[i].size_bytes;
    return bytes;
}

static int seal_all(struct sealing *sealing)
{
    struct fg_local *local = sealing->local;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < sealing->partition_count; i++)
        r = seal_partition(sealing, &sealing->partitions[i]);
    struct fg_manifest_edit edit = {.add = sealing->entries,
                                    .add_count = sealing->entry_count,
                                    .checkpoint = sealing->put->sequence_end,
                                    .hold = sealing->put->hold};
    if (r == 0)
        r = fg_local_edit(local, &edit);
    for (size_t i = 0; r < 0 && r != FG_EIO && i < sealing->entry_count; i++)
        fg_local_discard(local, sealing->entries[i].id);
    if (r == 0) {
        atomic_fetch_add(&local->counters.seal_bytes_written, sum_bytes(sealing));
        atomic_fetch_add(&local->counters.duplicate_spans, sealing->duplicates);
    }
    return r;
}

static bool is_put_already(struct fg_local *local, const struct fg_blocks_put *put)
{
    fg_mutex_lock(&local->edit_lock);
    bool is_there = put->sequence_end <= local->manifest.checkpoint;
    fg_mutex_unlock(&local->edit_lock);
    return is_there;
}

int fg_local_put(struct fg_blocks *blocks, const struct fg_blocks_put *put)
{
    struct fg_local *local = (struct fg_local *)blocks;
    struct sealing sealing = {.local = local, .put = put};
    uint64_t row_count = 0;
    if (is_put_already(local, put))
        return 0;
    for (size_t i = 0; i < put->count; i++)
        row_count += put->rows[i].batch->span_count;
    if (row_count > FG_SEAL_ROWS_MAX || put->count > FG_SEAL_ROWS_MAX)
        return FG_ELIMIT;
    fg_arena_init(&sealing.arena, (size_t)(row_count + 4096) * 320);
    int r = init(&sealing, (uint32_t)row_count);
    if (r == 0)
        r = seal_all(&sealing);
    uninit(&sealing);
    return r;
}
