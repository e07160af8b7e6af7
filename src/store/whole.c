/* Many traces at once (store/whole.h): the heads' rows, and the seam to the blocks. A trace that
 * lies in one batch of a head, and in no segment, is given where it lies when no span id is there
 * twice: then each span has one form. */
#include "store_internal.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"

#include <stdlib.h>

/* Up to this many rows each is compared with each. */
#define PAIRS_MAX 16u

/* A trace that lies in one batch of a head. */
struct found {
    const struct fg_head_entry *entry;
    uint32_t id;
    uint32_t row_count, row_begin; /* of the batch in hand */
};

struct gatherer {
    const struct fg_whole *whole;
    struct fg_store *store;
    struct fg_read_stats *stats;
    struct fg_snapshot snapshot;
    uint8_t *places;
    struct found *found; /* by entry */
    uint32_t found_count;
    struct fg_idmap map; /* of the traces of the batch in hand: index into found */
    struct fg_whole_trace *traces;
    uint32_t *rows, *trace_of_row;
    uint64_t *span_ids;
    size_t row_capacity;
};

static int check(void *arg)
{
    const struct gatherer *gatherer = arg;
    const struct fg_whole *whole = gatherer->whole;
    if (whole->is_cancelled && whole->is_cancelled(whole->arg))
        return FG_ECANCELLED;
    if (whole->deadline_mono_ns && fg_env_mono_ns(gatherer->store->env) >= whole->deadline_mono_ns)
        return FG_ETIMEOUT;
    if (whole->bytes_max && gatherer->stats->bytes_read > whole->bytes_max)
        return FG_ELIMIT;
    return fg_snapshot_check(&gatherer->snapshot);
}

/* -- Which lie in a head */

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->entry != y->entry)
        return (uintptr_t)x->entry < (uintptr_t)y->entry ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int find_in_heads(struct gatherer *gatherer)
{
    const struct fg_whole *whole = gatherer->whole;
    const struct fg_snapshot *snapshot = &gatherer->snapshot;
    gatherer->found = malloc((whole->count + (size_t)1) * sizeof *gatherer->found);
    if (!gatherer->found)
        return FG_ENOMEM;
    for (uint32_t id = 0; id < whole->count; id++) {
        const struct fg_head_entry *entry = NULL;
        uint32_t count = 0;
        for (int i = 0; i < 2; i++)
            if (snapshot->heads[i])
                count += fg_head_find(snapshot->heads[i], &snapshot->watermarks[i], whole->tenant,
                                      whole->ids[id].high, whole->ids[id].low, &entry);
        gatherer->places[id] =
            count < FG_BLOCKS_PLACES_MANY ? (uint8_t)count : FG_BLOCKS_PLACES_MANY;
        if (count == 1)
            gatherer->found[gatherer->found_count++] = (struct found){.entry = entry, .id = id};
    }
    return 0;
}

/* -- A batch's traces */

static int reserve_rows(struct gatherer *gatherer, size_t count)
{
    if (count <= gatherer->row_capacity)
        return 0;
    free(gatherer->rows);
    free(gatherer->trace_of_row);
    free(gatherer->span_ids);
    free(gatherer->traces);
    gatherer->row_capacity = 0;
    gatherer->rows = malloc(count * sizeof *gatherer->rows);
    gatherer->trace_of_row = malloc(count * sizeof *gatherer->trace_of_row);
    gatherer->span_ids = malloc(count * sizeof *gatherer->span_ids);
    gatherer->traces = malloc(count * sizeof *gatherer->traces);
    if (!gatherer->rows || !gatherer->trace_of_row || !gatherer->span_ids || !gatherer->traces)
        return FG_ENOMEM;
    gatherer->row_capacity = count;
    return 0;
}

struct wanted {
    const struct gatherer *gatherer;
    uint64_t high, low;
};

static bool is_wanted(const void *context, uint32_t at)
{
    const struct wanted *wanted = context;
    const struct gatherer *gatherer = wanted->gatherer;
    const struct fg_trace_id *id = &gatherer->whole->ids[gatherer->found[at].id];
    return id->high == wanted->high && id->low == wanted->low;
}

static uint64_t hash_id(uint64_t high, uint64_t low)
{
    return fg_hash_u64(fg_hash_u64(high) ^ low);
}

/* Which of found [begin, end) each row belongs to, UINT32_MAX: none; and how many rows each has. */
static int assign_rows(struct gatherer *gatherer, const struct fg_batch *batch, uint32_t begin,
                       uint32_t end)
{
    struct wanted wanted = {.gatherer = gatherer};
    int r = 0;
    fg_idmap_clear(&gatherer->map);
    for (uint32_t i = begin; r == 0 && i < end; i++) {
        const struct fg_trace_id *id = &gatherer->whole->ids[gatherer->found[i].id];
        uint32_t at;
        wanted.high = id->high;
        wanted.low = id->low;
        r = fg_idmap_intern(&gatherer->map, hash_id(id->high, id->low), is_wanted, &wanted, i, &at);
    }
    for (uint32_t row = 0; r == 0 && row < batch->span_count; row++) {
        uint64_t high = batch->trace_id_high[row], low = batch->trace_id_low[row];
        uint32_t at = UINT32_MAX;
        if (row > 0 && high == wanted.high && low == wanted.low) {
            at = gatherer->trace_of_row[row - 1];
        } else {
            wanted.high = high;
            wanted.low = low;
            if (fg_idmap_find(&gatherer->map, hash_id(high, low), is_wanted, &wanted, &at) < 0)
                at = UINT32_MAX;
        }
        gatherer->trace_of_row[row] = at;
        if (at != UINT32_MAX)
            gatherer->found[at].row_count++;
    }
    return r;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool has_repeats(struct gatherer *gatherer, const struct fg_batch *batch,
                        const uint32_t *rows, uint32_t count)
{
    uint64_t *ids = gatherer->span_ids;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = batch->span_id[rows[i]];
    if (count > PAIRS_MAX)
        qsort(ids, count, sizeof *ids, compare_ids);
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = count > PAIRS_MAX ? i - 1 : 0; k < i; k++)
            if (ids[k] == ids[i])
                return true;
    return false;
}

static int give_batch(struct gatherer *gatherer, uint32_t begin, uint32_t end)
{
    const struct fg_batch *batch = fg_block_batch(gatherer->found[begin].entry->block);
    struct fg_whole_rows list = {.batch = batch};
    uint32_t used = 0;
    int r = reserve_rows(gatherer, batch->span_count);
    if (r == 0)
        r = assign_rows(gatherer, batch, begin, end);
    if (r < 0)
        return r;
    for (uint32_t i = begin; i < end; i++) {
        gatherer->found[i].row_begin = used;
        used += gatherer->found[i].row_count;
        gatherer->found[i].row_count = 0;
    }
    for (uint32_t row = 0; row < batch->span_count; row++) {
        if (gatherer->trace_of_row[row] == UINT32_MAX)
            continue;
        struct found *found = &gatherer->found[gatherer->trace_of_row[row]];
        gatherer->rows[found->row_begin + found->row_count++] = row;
    }
    for (uint32_t i = begin; i < end; i++) {
        const struct found *found = &gatherer->found[i];
        const uint32_t *rows = gatherer->rows + found->row_begin;
        bool is_plain = found->row_count > 0 && found->row_count <= FG_TRACE_SPANS_MAX &&
                        !has_repeats(gatherer, batch, rows, found->row_count);
        if (is_plain)
            gatherer->traces[list.trace_count++] =
                (struct fg_whole_trace){found->id, found->row_begin, found->row_count};
    }
    list.traces = gatherer->traces;
    list.rows = gatherer->rows;
    gatherer->stats->rows_scanned += used;
    return list.trace_count ? gatherer->whole->rows(gatherer->whole->arg, &list) : 0;
}

static int give_heads(struct gatherer *gatherer)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < gatherer->found_count; i++)
        if (gatherer->places[gatherer->found[i].id] == 1)
            gatherer->found[used++] = gatherer->found[i];
    qsort(gatherer->found, used, sizeof *gatherer->found, compare_found);
    int r = 0;
    for (uint32_t begin = 0, end; r == 0 && begin < used; begin = end) {
        for (end = begin + 1;
             end < used && gatherer->found[end].entry == gatherer->found[begin].entry; end++)
            ;
        r = check(gatherer);
        if (r == 0)
            r = give_batch(gatherer, begin, end);
    }
    return r;
}

/* -- All of it */

static int gather(struct gatherer *gatherer)
{
    gatherer->places = calloc(gatherer->whole->count, sizeof *gatherer->places);
    if (!gatherer->places)
        return FG_ENOMEM;
    struct fg_blocks_whole ask = {.whole = gatherer->whole,
                                  .places = gatherer->places,
                                  .check = check,
                                  .check_arg = gatherer};
    int r = find_in_heads(gatherer);
    if (r == 0)
        r = gatherer->store->blocks->ops->whole(gatherer->snapshot.view, &ask, gatherer->stats);
    return r == 0 ? give_heads(gatherer) : r;
}

int fg_store_whole(struct fg_store *store, const struct fg_whole *whole,
                   struct fg_read_stats *stats)
{
    struct gatherer gatherer = {.whole = whole, .store = store, .stats = stats};
    if (whole->count == 0)
        return 0;
    int r = fg_snapshot_take(store, &gatherer.snapshot);
    if (r < 0)
        return r;
    fg_idmap_init(&gatherer.map);
    r = gather(&gatherer);
    fg_snapshot_release(&gatherer.snapshot);
    fg_idmap_free(&gatherer.map);
    free(gatherer.places);
    free(gatherer.found);
    free(gatherer.rows);
    free(gatherer.trace_of_row);
    free(gatherer.span_ids);
    free(gatherer.traces);
    return r;
}
