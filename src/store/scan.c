/* A scan: pages of the heads and of the blocks, newest first, matched row by row.
 *
 * Two sources give pages by the greatest start that they can hold. The frontier of a call is the
 * greatest start that either can still bring: a reader who has what it wants above it may stop. The
 * heads' pages come earlier than their turn where their memory is wanted back, and the heads are
 * given back behind the last of them: a long scan does not end because much comes in. */
#include "store_internal.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

/* A reader learns of the frontier at least this often, also where nothing matches. */
#define QUIET_NS_MAX (100 * FG_NS_PER_MS)

struct scanner {
    struct fg_store *store;
    const struct fg_scan *scan;
    struct fg_read_stats *stats;
    struct fg_snapshot snapshot;
    struct fg_matcher *matcher; /* NULL: every row matches */
    const struct fg_batch *bound;
    /* The heads' batches, by start_ns_max, greatest first. */
    const struct fg_head_entry **entries;
    size_t entry_count, entry_next;
    struct fg_blocks_scan *blocks;
    uint64_t *bits;
    size_t word_capacity;
    uint64_t last_call_mono_ns;
};

/* -- The heads */

static bool is_in_window(const struct fg_scan *scan, const struct fg_head_entry *entry)
{
    return entry->tenant == scan->tenant && entry->start_ns_max >= scan->start_ns_min &&
           entry->start_ns_min < scan->start_ns_max;
}

static void collect_head(struct scanner *scanner, int place)
{
    if (!scanner->snapshot.heads[place])
        return;
    struct fg_head_cursor cursor = fg_head_begin(&scanner->snapshot.watermarks[place]);
    for (const struct fg_head_entry *entry; (entry = fg_head_next(&cursor));)
        if (is_in_window(scanner->scan, entry))
            scanner->entries[scanner->entry_count++] = entry;
}

static int compare_entries(const void *a, const void *b)
{
    const struct fg_head_entry *x = *(const struct fg_head_entry *const *)a;
    const struct fg_head_entry *y = *(const struct fg_head_entry *const *)b;
    if (x->start_ns_max != y->start_ns_max)
        return x->start_ns_max > y->start_ns_max ? -1 : 1;
    return x->sequence > y->sequence ? -1 : x->sequence < y->sequence;
}

static int collect_heads(struct scanner *scanner)
{
    size_t count =
        scanner->snapshot.watermarks[0].entry_count + scanner->snapshot.watermarks[1].entry_count;
    scanner->entries = malloc((count + 1) * sizeof *scanner->entries);
    if (!scanner->entries)
        return FG_ENOMEM;
    for (int i = 0; i < 2; i++)
        collect_head(scanner, i);
    if (scanner->entry_count)
        qsort(scanner->entries, scanner->entry_count, sizeof *scanner->entries, compare_entries);
    return 0;
}

static bool peek_head(const struct scanner *scanner, uint64_t *ret_start_ns_max)
{
    if (scanner->entry_next == scanner->entry_count)
        return false;
    uint64_t start_ns_max = scanner->entries[scanner->entry_next]->start_ns_max;
    uint64_t last_ns = scanner->scan->start_ns_max - 1;
    *ret_start_ns_max = start_ns_max < last_ns ? start_ns_max : last_ns;
    return true;
}

static void next_of_head(struct scanner *scanner, struct fg_blocks_page *ret_page)
{
    const struct fg_head_entry *entry = scanner->entries[scanner->entry_next++];
    const struct fg_batch *batch = fg_block_batch(entry->block);
    *ret_page = (struct fg_blocks_page){.batch = batch, .row_end = batch->span_count};
}

/* -- Matching */

static int reserve_bits(struct scanner *scanner, size_t words)
{
    if (words <= scanner->word_capacity)
        return 0;
    uint64_t *bits = realloc(scanner->bits, words * sizeof *bits);
    if (!bits)
        return FG_ENOMEM;
    scanner->bits = bits;
    scanner->word_capacity = words;
    return 0;
}

static void set_all(uint64_t *bits, uint32_t count)
{
    memset(bits, 0xff, count / 64 * sizeof *bits);
    if (count % 64)
        bits[count / 64] = (UINT64_C(1) << count % 64) - 1;
}

/* Takes out rows whose start lies outside the window; says how many are left. */
static uint64_t clip_to_window(const struct scanner *scanner, const struct fg_blocks_page *page)
{
    const struct fg_scan *scan = scanner->scan;
    uint64_t matched = 0;
    uint32_t count = page->row_end - page->row_begin;
    for (uint32_t w = 0; w * 64 < count; w++) {
        const uint64_t *start_ns = page->batch->start_ns + page->row_begin + w * 64;
        for (uint64_t rest = scanner->bits[w]; rest; rest &= rest - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(rest);
            if (start_ns[bit] < scan->start_ns_min || start_ns[bit] >= scan->start_ns_max)
                scanner->bits[w] &= ~(UINT64_C(1) << bit);
        }
        matched += (uint64_t)__builtin_popcountll(scanner->bits[w]);
    }
    return matched;
}

static int match(struct scanner *scanner, const struct fg_blocks_page *page, uint64_t *ret_matched)
{
    uint32_t count = page->row_end - page->row_begin;
    int r = reserve_bits(scanner, count / 64 + 1);
    if (r < 0)
        return r;
    if (!scanner->matcher) {
        set_all(scanner->bits, count);
    } else {
        r = fg_matcher_bind(scanner->matcher, page->batch);
        if (r == 0)
            r = fg_matcher_run(scanner->matcher, page->row_begin, page->row_end, scanner->bits);
        if (r < 0)
            return r;
    }
    *ret_matched = clip_to_window(scanner, page);
    scanner->stats->rows_scanned += count;
    scanner->stats->rows_matched += *ret_matched;
    return 0;
}

/* -- Page by page */

static int check_limits(const struct scanner *scanner, uint64_t now_mono_ns)
{
    const struct fg_scan *scan = scanner->scan;
    if (scan->is_cancelled && scan->is_cancelled(scan->arg))
        return FG_ECANCELLED;
    if (scan->deadline_mono_ns && now_mono_ns >= scan->deadline_mono_ns)
        return FG_ETIMEOUT;
    if (scan->bytes_max && scanner->stats->bytes_read > scan->bytes_max)
        return FG_ELIMIT;
    return fg_snapshot_check(&scanner->snapshot);
}

/* What either source can still bring: FG_ENOTFOUND when both are used up. */
static int peek(struct scanner *scanner, uint64_t *ret_start_ns_max, bool *ret_is_head)
{
    const struct fg_blocks_ops *ops = scanner->store->blocks->ops;
    uint64_t of_head = 0, of_blocks = 0;
    bool has_head = peek_head(scanner, &of_head);
    int r = ops->scan_peek(scanner->blocks, &of_blocks);
    if (r < 0 && r != FG_ENOTFOUND)
        return r;
    if (r == FG_ENOTFOUND && !has_head)
        return r;
    *ret_start_ns_max = of_head > of_blocks ? of_head : of_blocks;
    *ret_is_head = has_head && (r == FG_ENOTFOUND || of_head >= of_blocks ||
                                fg_snapshot_is_behind(&scanner->snapshot));
    return 0;
}

/* Tells the reader of a page's rows, or at times only how far the scan is. */
static int tell(struct scanner *scanner, const struct fg_blocks_page *page, uint64_t matched)
{
    uint64_t frontier_ns = 0, now_mono_ns = fg_env_mono_ns(scanner->store->env);
    bool is_head;
    if (matched == 0 && now_mono_ns - scanner->last_call_mono_ns < QUIET_NS_MAX)
        return 0;
    int r = peek(scanner, &frontier_ns, &is_head);
    if (r < 0 && r != FG_ENOTFOUND)
        return r;
    scanner->last_call_mono_ns = now_mono_ns;
    static const struct fg_batch nothing; /* of a page that was looked at elsewhere */
    struct fg_scan_rows rows = {.batch = page->batch ? page->batch : &nothing,
                                .row_begin = page->row_begin,
                                .row_end = matched ? page->row_end : page->row_begin,
                                .bits = scanner->bits,
                                .frontier_ns = frontier_ns};
    return scanner->scan->rows(scanner->scan->arg, &rows);
}

static int next_page(struct scanner *scanner, bool is_head, struct fg_blocks_page *ret_page)
{
    if (!is_head)
        return scanner->store->blocks->ops->scan_next(scanner->blocks, ret_page);
    next_of_head(scanner, ret_page);
    return 0;
}

static int run(struct scanner *scanner)
{
    for (;;) {
        struct fg_blocks_page page;
        uint64_t start_ns_max, matched;
        bool is_head;
        if (scanner->entry_next == scanner->entry_count)
            fg_snapshot_leave_heads(&scanner->snapshot);
        int r = check_limits(scanner, fg_env_mono_ns(scanner->store->env));
        if (r == 0)
            r = peek(scanner, &start_ns_max, &is_head);
        if (r == FG_ENOTFOUND)
            return 0;
        if (r == 0 && start_ns_max < scanner->scan->start_ns_min)
            return 0;
        if (r == 0)
            r = next_page(scanner, is_head, &page);
        if (r == FG_ECORRUPT)
            continue;
        matched = 0;
        if (r == 0 && page.row_begin < page.row_end)
            r = match(scanner, &page, &matched);
        if (r == 0)
            r = tell(scanner, &page, matched);
        if (r != 0)
            return r;
    }
}

int fg_store_scan(struct fg_store *store, const struct fg_scan *scan, struct fg_read_stats *stats)
{
    struct scanner scanner = {.store = store,
                              .scan = scan,
                              .stats = stats,
                              .last_call_mono_ns = fg_env_mono_ns(store->env)};
    assert(scan->rows);
    if (scan->start_ns_min >= scan->start_ns_max)
        return 0;
    int r = fg_snapshot_take(store, &scanner.snapshot);
    if (r < 0)
        return r;
    if (scan->predicate)
        r = fg_matcher_new(scan->predicate, &scanner.matcher);
    if (r == 0)
        r = collect_heads(&scanner);
    if (r == 0)
        r = store->blocks->ops->scan_open(scanner.snapshot.view, scan, stats, &scanner.blocks);
    if (r == 0)
        r = run(&scanner);
    if (scanner.blocks)
        store->blocks->ops->scan_close(scanner.blocks);
    fg_matcher_free(scanner.matcher);
    fg_snapshot_release(&scanner.snapshot);
    free((void *)scanner.entries);
    free(scanner.bits);
    return r;
}
