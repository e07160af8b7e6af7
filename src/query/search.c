/* Keeps the best keys that were seen: at least count_max of them once there are so many. A trace
 * that was thrown away because count_max others were better can't come back into the first
 * count_max, since keys only rise; so throwing away is safe, and memory is bounded by count_max. */
#include "query/search.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/idmap.h"

#include <assert.h>
#include <stdlib.h>

/* Keys are thrown away when there are so many more than are wanted, or as many more as are. */
#define SLACK_MIN 1024u

struct top {
    const struct fg_search *search;
    struct fg_trace_key *keys;
    uint32_t count, capacity;
    struct fg_idmap map; /* hash of a trace id → index into keys */
    uint64_t floor_ns;   /* rows that start before can't matter any more */
    uint32_t sorted;     /* of keys: so many were there after they were sorted last */
};

/* Whether a comes before b in the list: newer, then the greater id. */
static bool is_before(const struct fg_trace_key *a, const struct fg_trace_key *b)
{
    if (a->start_ns != b->start_ns)
        return a->start_ns > b->start_ns;
    if (a->trace_id_high != b->trace_id_high)
        return a->trace_id_high > b->trace_id_high;
    return a->trace_id_low > b->trace_id_low;
}

int fg_trace_key_compare(const struct fg_trace_key *a, const struct fg_trace_key *b)
{
    return is_before(a, b) ? -1 : is_before(b, a);
}

static int compare_keys(const void *a, const void *b)
{
    return fg_trace_key_compare(a, b);
}

struct wanted {
    const struct top *top;
    uint64_t high, low;
};

static bool same_trace(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct fg_trace_key *key = &wanted->top->keys[id];
    return key->trace_id_high == wanted->high && key->trace_id_low == wanted->low;
}

static int put(struct top *top, const struct fg_trace_key *key)
{
    struct wanted wanted = {top, key->trace_id_high, key->trace_id_low};
    uint64_t hash = fg_hash_u64(key->trace_id_low ^ fg_hash_u64(key->trace_id_high));
    uint32_t id;
    int r = fg_idmap_intern(&top->map, hash, same_trace, &wanted, top->count, &id);
    if (r < 0)
        return r;
    if (id == top->count)
        top->keys[top->count++] = *key;
    else if (is_before(key, &top->keys[id]))
        top->keys[id] = *key;
    return 0;
}

/* Keeps the first count_max and knows from then on what can't matter. */
static int shrink(struct top *top)
{
    uint32_t wanted = top->search->count_max;
    qsort(top->keys, top->count, sizeof *top->keys, compare_keys);
    if (top->count > wanted)
        top->count = wanted;
    if (top->count == wanted)
        top->floor_ns = top->keys[wanted - 1].start_ns;
    fg_idmap_clear(&top->map);
    uint32_t count = top->count;
    int r = 0;
    for (top->count = 0; r == 0 && top->count < count;)
        r = put(top, &top->keys[top->count]);
    top->sorted = top->count;
    return r;
}

static int take_row(struct top *top, const struct fg_batch *batch, uint32_t row)
{
    struct fg_trace_key key = {batch->start_ns[row], batch->trace_id_high[row],
                               batch->trace_id_low[row]};
    if (key.start_ns < top->floor_ns || !is_before(&top->search->after, &key))
        return 0;
    int r = put(top, &key);
    if (r == 0 && top->count == top->capacity)
        r = shrink(top);
    return r;
}

#define ENOUGH      1
#define SORTS_APART 16u

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct top *top = arg;
    for (uint32_t begin = rows->row_begin; begin < rows->row_end; begin += 64) {
        uint64_t word = rows->bits[(begin - rows->row_begin) / 64];
        for (; word; word &= word - 1) {
            int r = take_row(top, rows->batch, begin + (uint32_t)__builtin_ctzll(word));
            if (r < 0)
                return r;
        }
    }
    /* Sorting costs, and tells little while few are new. */
    uint32_t wanted = top->search->count_max;
    bool is_due = top->count >= wanted &&
                  (top->sorted < wanted || top->count - top->sorted >= wanted / SORTS_APART);
    int r = is_due ? shrink(top) : 0;
    if (r < 0)
        return r;
    return top->floor_ns > rows->frontier_ns ? ENOUGH : 0;
}

static bool is_cancelled(void *arg)
{
    const struct top *top = arg;
    return top->search->is_cancelled && top->search->is_cancelled(top->search->arg);
}

int fg_search_run(struct fg_store *store, const struct fg_search *search, struct fg_arena *arena,
                  struct fg_search_result *ret_result)
{
    assert(search->count_max > 0 && search->count_max <= FG_SEARCH_KEYS_MAX);
    uint32_t slack = search->count_max > SLACK_MIN ? search->count_max : SLACK_MIN;
    struct top top = {.search = search, .capacity = search->count_max + slack};
    top.keys = fg_arena_calloc(arena, top.capacity, sizeof *top.keys);
    if (!top.keys)
        return FG_ELIMIT;
    fg_idmap_init(&top.map);
    uint64_t start_ns_max = search->start_ns_max;
    if (search->after.start_ns < start_ns_max)
        start_ns_max = search->after.start_ns + 1;
    struct fg_scan scan = {.tenant = search->tenant,
                           .start_ns_min = search->start_ns_min,
                           .start_ns_max = start_ns_max,
                           .predicate = search->predicate,
                           .columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES,
                           .bytes_max = search->bytes_max,
                           .deadline_mono_ns = search->deadline_mono_ns,
                           .takes_help = true,
                           .is_cancelled = is_cancelled,
                           .rows = take_rows,
                           .arg = &top};
    struct fg_search_result result = {.keys = top.keys};
    int r = fg_store_scan(store, &scan, &result.stats);
    bool is_spent = search->bytes_max && result.stats.bytes_read > search->bytes_max;
    if (r == FG_ETIMEOUT || (r == FG_ELIMIT && is_spent))
        result.cut = r;
    if (r == ENOUGH || result.cut)
        r = 0;
    if (r == 0)
        r = shrink(&top);
    fg_idmap_free(&top.map);
    if (r < 0)
        return r;
    result.count = top.count;
    *ret_result = result;
    return 0;
}

int fg_search_key(const struct fg_search *search, struct fg_matcher *matcher,
                  const struct fg_batch *trace, struct fg_arena *arena,
                  struct fg_trace_key *ret_key)
{
    size_t words = trace->span_count / 64 + 1;
    uint64_t *bits = fg_arena_calloc(arena, words, sizeof *bits);
    if (!bits)
        return FG_ELIMIT;
    memset(bits, 0xff, words * sizeof *bits);
    if (matcher) {
        int r = fg_matcher_bind(matcher, trace);
        if (r == 0)
            r = fg_matcher_run(matcher, 0, trace->span_count, bits);
        if (r < 0)
            return r;
    }
    struct fg_trace_key best = {0, 0, 0};
    bool is_found = false;
    for (uint32_t i = 0; i < trace->span_count; i++) {
        struct fg_trace_key key = {trace->start_ns[i], trace->trace_id_high[i],
                                   trace->trace_id_low[i]};
        bool matches = (bits[i / 64] >> (i % 64) & 1) != 0 &&
                       key.start_ns >= search->start_ns_min && key.start_ns < search->start_ns_max;
        if (matches && (!is_found || is_before(&key, &best)))
            best = key;
        is_found |= matches;
    }
    if (!is_found)
        return FG_ENOTFOUND;
    *ret_key = best;
    return 0;
}

void fg_trace_key_format(const struct fg_trace_key *key, char ret_text[FG_TRACE_KEY_TEXT_SIZE])
{
    uint8_t bytes[FG_TRACE_KEY_TEXT_SIZE / 2];
    fg_store_be64(bytes, key->start_ns);
    fg_store_be64(bytes + 8, key->trace_id_high);
    fg_store_be64(bytes + 16, key->trace_id_low);
    fg_hex_encode(fg_slice(bytes, sizeof bytes), ret_text);
}

int fg_trace_key_parse(struct fg_slice text, struct fg_trace_key *ret_key)
{
    uint8_t bytes[FG_TRACE_KEY_TEXT_SIZE / 2];
    if (text.size != FG_TRACE_KEY_TEXT_SIZE || fg_hex_decode(text, bytes) < 0)
        return FG_EINVALID;
    *ret_key = (struct fg_trace_key){fg_load_be64(bytes), fg_load_be64(bytes + 8),
                                     fg_load_be64(bytes + 16)};
    return 0;
}
