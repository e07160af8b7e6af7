/* Pages of all segments of a tenant, newest first.
 *
 * A heap holds the segments, by the greatest start that their coming pages can have. A segment
 * enters with what its footer says and is asked for its next pages (fg_segment_pruning_next()) only
 * when it is at the top: a reader who wants the newest few never opens the old ones, nor the old
 * row groups of the newest. Few readers are open at once, since each holds a decoded page.
 *
 * A page that none rules out is probed: only the columns that the predicate reads are decoded and
 * looked at, and the others, of which the ids are most, only where a row matches. Where most pages
 * have rows that match probing would be work done twice, so it ends. */
#include "local/local.h"

#include <stdlib.h>

#define READERS_MAX 8u
/* Probes before they are judged; they go on while at most one in two finds something. */
#define PROBES_MIN 8u

struct opened {
    struct fg_segment_reader *reader;
    uint64_t bytes_read; /* by it, so far */
};

struct source {
    struct fg_local_segment *segment;
    uint64_t start_ns_max;              /* of the coming pages, within the scan's window */
    struct fg_segment_pruning *pruning; /* NULL: not asked yet */
    bool is_done;                       /* it has no pages beyond these */
    bool had_pages;
    struct fg_segment_page *pages; /* that it named last, by start_ns_max, greatest first */
    size_t page_count, page_capacity, page_next;
    struct opened full, probe; /* either may be closed */
    uint64_t used_at;
};

struct fg_blocks_scan {
    struct fg_blocks_view *view;
    const struct fg_scan *scan;
    struct fg_read_stats *stats;
    struct fg_segment_reader_options options, probe_options;
    struct fg_matcher *matcher; /* NULL: nothing is probed */
    uint64_t *bits;
    size_t word_capacity;
    uint64_t probe_count, probe_hits;
    struct source *sources; /* a heap */
    size_t source_count;
    uint32_t reader_count;               /* sources that have readers */
    struct opened last_full, last_probe; /* of a source that is used up; the caller has its page */
    uint64_t clock;
};

/* -- The heap */

static void swap_sources(struct fg_blocks_scan *scan, size_t a, size_t b)
{
    struct source kept = scan->sources[a];
    scan->sources[a] = scan->sources[b];
    scan->sources[b] = kept;
}

static void sift_down(struct fg_blocks_scan *scan, size_t i)
{
    for (;;) {
        size_t greatest = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < scan->source_count; child++)
            if (scan->sources[child].start_ns_max > scan->sources[greatest].start_ns_max)
                greatest = child;
        if (greatest == i)
            return;
        swap_sources(scan, i, greatest);
        i = greatest;
    }
}

static void close_opened(struct opened *opened)
{
    fg_segment_reader_free(opened->reader);
    *opened = (struct opened){0};
}

static bool has_reader(const struct source *source)
{
    return source->full.reader || source->probe.reader;
}

static void close_readers(struct fg_blocks_scan *scan, struct source *source)
{
    scan->reader_count -= has_reader(source);
    close_opened(&source->full);
    close_opened(&source->probe);
}

static void drop_top(struct fg_blocks_scan *scan)
{
    close_readers(scan, &scan->sources[0]);
    fg_segment_pruning_free(scan->sources[0].pruning);
    /* The last one takes its place. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    free(scan->sources[0].pages);
    scan->sources[0] = scan->sources[--scan->source_count];
    sift_down(scan, 0);
}

/* -- Pages of a segment */

static int on_page(void *arg, const struct fg_segment_page *page)
{
    struct source *source = arg;
    if (source->page_count == source->page_capacity) {
        size_t capacity = source->page_capacity ? 2 * source->page_capacity : 32;
        struct fg_segment_page *pages = realloc(source->pages, capacity * sizeof *pages);
        if (!pages)
            return FG_ENOMEM;
        source->pages = pages;
        source->page_capacity = capacity;
    }
    source->pages[source->page_count++] = *page;
    return 0;
}

static uint64_t row_groups_pruned(const struct fg_prune_counters *counters)
{
    return counters->row_groups_pruned_time + counters->row_groups_pruned_statistics +
           counters->row_groups_pruned_filter;
}

/* What was looked at between two states of a segment's counters. */
static void count_pruned(struct fg_read_stats *stats, const struct fg_prune_counters *before,
                         const struct fg_prune_counters *after)
{
    stats->row_groups += after->row_groups - before->row_groups;
    stats->row_groups_pruned += row_groups_pruned(after) - row_groups_pruned(before);
    stats->pages += after->pages - before->pages;
    stats->pages_pruned += after->pages_pruned - before->pages_pruned;
    stats->bytes_read += after->bytes_read - before->bytes_read;
}

/* What a source's next page can hold at most, within the window. */
static void update_key(const struct fg_blocks_scan *scan, struct source *source)
{
    uint64_t start_ns_max = source->pages[source->page_next].start_ns_max;
    uint64_t last_ns = scan->scan->start_ns_max - 1;
    source->start_ns_max = start_ns_max < last_ns ? start_ns_max : last_ns;
}

/* The next pages of the source. */
static int prune(struct fg_blocks_scan *scan, struct source *source)
{
    struct fg_prune_counters before = {0}, after;
    int r = 0;
    if (source->pruning)
        before = fg_segment_pruning_counters(source->pruning);
    else
        r = fg_segment_pruning_new(source->segment->segment, scan->scan->predicate,
                                   scan->scan->start_ns_min, scan->scan->start_ns_max, true,
                                   &source->pruning);
    if (r < 0)
        return r;
    source->page_count = source->page_next = 0;
    r = fg_segment_pruning_next(source->pruning, on_page, source, &source->is_done);
    after = fg_segment_pruning_counters(source->pruning);
    count_pruned(scan->stats, &before, &after);
    return r;
}

/* The top has no more pages. The caller may have its last page still, whose readers are kept for
 * one call more unless that page is another one's. */
static void end_top(struct fg_blocks_scan *scan)
{
    struct source *source = &scan->sources[0];
    if (!source->had_pages)
        scan->stats->segments_pruned++;
    if (!scan->last_full.reader && !scan->last_probe.reader) {
        scan->reader_count -= has_reader(source);
        scan->last_full = source->full;
        scan->last_probe = source->probe;
        source->full = source->probe = (struct opened){0};
    }
    drop_top(scan);
}

static int prune_top(struct fg_blocks_scan *scan)
{
    struct source *source = &scan->sources[0];
    if (!source->segment->segment) {
        fg_local_damaged_page(source->segment, scan->stats);
        drop_top(scan);
        return 0;
    }
    int r = source->is_done ? 0 : prune(scan, source);
    if (r == FG_ECORRUPT) {
        fg_local_damaged_page(source->segment, scan->stats);
        source->is_done = true;
        r = 0; /* the pages that it named before can be read */
    }
    if (r < 0)
        return r;
    if (source->page_next == source->page_count) {
        end_top(scan);
        return 0;
    }
    source->had_pages = true;
    update_key(scan, source);
    sift_down(scan, 0);
    return 0;
}

/* -- Readers */

static void close_oldest_readers(struct fg_blocks_scan *scan)
{
    struct source *oldest = NULL;
    for (size_t i = 0; i < scan->source_count; i++) {
        struct source *source = &scan->sources[i];
        if (has_reader(source) && (!oldest || source->used_at < oldest->used_at))
            oldest = source;
    }
    if (oldest)
        close_readers(scan, oldest);
}

static int open_reader(struct fg_blocks_scan *scan, struct source *source,
                       const struct fg_segment_reader_options *options, struct opened *opened)
{
    source->used_at = ++scan->clock;
    if (opened->reader)
        return 0;
    bool is_first = !has_reader(source);
    if (is_first && scan->reader_count >= READERS_MAX)
        close_oldest_readers(scan);
    opened->bytes_read = 0;
    int r = fg_segment_reader_new(source->segment->segment, options, &opened->reader);
    scan->reader_count += r == 0 && is_first;
    return r;
}

/* The source's next page, with the columns of all or of the probe. */
static int read_page(struct fg_blocks_scan *scan, struct source *source, bool is_probe,
                     const struct fg_batch **ret_batch)
{
    struct opened *opened = is_probe ? &source->probe : &source->full;
    uint64_t row_begin;
    int r = open_reader(scan, source, is_probe ? &scan->probe_options : &scan->options, opened);
    if (r < 0)
        return r;
    /* A source whose pages were freed is no longer among them.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    r = fg_segment_reader_page(opened->reader, source->pages[source->page_next].row_begin,
                               ret_batch, &row_begin);
    uint64_t bytes_read = fg_segment_reader_bytes_read(opened->reader);
    scan->stats->bytes_read += bytes_read - opened->bytes_read;
    opened->bytes_read = bytes_read;
    return r;
}

/* -- Probing */

static bool is_probing(const struct fg_blocks_scan *scan)
{
    return scan->matcher &&
           (scan->probe_count < PROBES_MIN || scan->probe_hits * 2 <= scan->probe_count);
}

static int reserve_bits(struct fg_blocks_scan *scan, size_t words)
{
    if (words <= scan->word_capacity)
        return 0;
    uint64_t *bits = realloc(scan->bits, words * sizeof *bits);
    if (!bits)
        return FG_ENOMEM;
    scan->bits = bits;
    scan->word_capacity = words;
    return 0;
}

/* Whether a row of the source's next page matches; batch holds what was read to know. */
static int probe(struct fg_blocks_scan *scan, struct source *source,
                 const struct fg_batch **ret_batch, bool *ret_hit)
{
    const struct fg_batch *batch;
    bool hit = false;
    int r = read_page(scan, source, true, &batch);
    if (r < 0)
        return r;
    size_t words = batch->span_count / 64 + 1;
    r = reserve_bits(scan, words);
    if (r == 0)
        r = fg_matcher_bind(scan->matcher, batch);
    if (r == 0)
        r = fg_matcher_run(scan->matcher, 0, batch->span_count, scan->bits);
    if (r < 0)
        return r;
    for (size_t i = 0; i < words && i * 64 < batch->span_count; i++)
        hit |= scan->bits[i] != 0;
    scan->probe_count++;
    scan->probe_hits += hit;
    *ret_batch = batch;
    *ret_hit = hit;
    return 0;
}

/* -- Calls */

int fg_local_scan_open(struct fg_blocks_view *view, const struct fg_scan *scan,
                       struct fg_read_stats *stats, struct fg_blocks_scan **ret_scan)
{
    const struct fg_local_version *version = view->version;
    struct fg_blocks_scan *new = calloc(1, sizeof *new);
    if (!new)
        return FG_ENOMEM;
    *new = (struct fg_blocks_scan){.view = view, .scan = scan, .stats = stats};
    uint32_t columns = scan->predicate ? fg_predicate_columns(scan->predicate) : 0;
    new->options.columns = scan->columns | columns | FG_COLUMNS_TIMES;
    new->options.page_cache_count = 1;
    if (!(scan->columns & FG_COLUMNS_SPAN_ATTRS))
        new->options.keys_of = scan->predicate;
    new->probe_options = (struct fg_segment_reader_options){
        .columns = columns, .keys_of = scan->predicate, .page_cache_count = 1};
    new->sources = calloc(version->segment_count + 1, sizeof *new->sources);
    int r = new->sources ? 0 : FG_ENOMEM;
    if (r == 0 && scan->predicate && columns != new->options.columns)
        r = fg_matcher_new(scan->predicate, &new->matcher);
    if (r < 0) {
        free(new->sources);
        free(new);
        return r;
    }
    for (size_t i = 0; i < version->segment_count; i++) {
        struct fg_local_segment *segment = version->segments[i];
        const struct fg_manifest_segment *entry = &segment->entry;
        if (entry->tenant != scan->tenant)
            continue;
        stats->segments++;
        if (entry->start_ns_max < scan->start_ns_min || entry->start_ns_min >= scan->start_ns_max) {
            stats->segments_pruned++;
            continue;
        }
        new->sources[new->source_count++] =
            (struct source){.segment = segment, .start_ns_max = entry->start_ns_max};
    }
    for (size_t i = new->source_count / 2; i-- > 0;)
        sift_down(new, i);
    *ret_scan = new;
    return 0;
}

int fg_local_scan_peek(struct fg_blocks_scan *scan, uint64_t *ret_start_ns_max)
{
    while (scan->source_count && scan->sources[0].page_next == scan->sources[0].page_count) {
        int r = fg_local_view_check(scan->view);
        if (r == 0)
            r = prune_top(scan);
        if (r < 0)
            return r;
    }
    if (scan->source_count == 0)
        return FG_ENOTFOUND;
    *ret_start_ns_max = scan->sources[0].start_ns_max;
    return 0;
}

/* To the top's next page. After the last that it named it stays at the top, where it is asked for
 * more. */
static void advance(struct fg_blocks_scan *scan)
{
    struct source *source = &scan->sources[0];
    source->page_next++;
    if (source->page_next < source->page_count) {
        update_key(scan, source);
        sift_down(scan, 0);
    }
}

/* The top's next page: probed, and only where a row matches read whole. */
static int read_next(struct fg_blocks_scan *scan, struct fg_blocks_page *ret_page)
{
    struct source *source = &scan->sources[0];
    struct fg_blocks_page page = {0};
    bool hit = true;
    int r = is_probing(scan) ? probe(scan, source, &page.batch, &hit) : 0;
    if (r == 0 && hit)
        r = read_page(scan, source, false, &page.batch);
    if (r < 0)
        return r;
    if (hit)
        page.row_end = page.batch->span_count;
    else
        scan->stats->rows_scanned += page.batch->span_count;
    *ret_page = page;
    return 0;
}

int fg_local_scan_next(struct fg_blocks_scan *scan, struct fg_blocks_page *ret_page)
{
    uint64_t start_ns_max;
    close_opened(&scan->last_full);
    close_opened(&scan->last_probe);
    int r = fg_local_scan_peek(scan, &start_ns_max);
    if (r < 0)
        return r;
    r = read_next(scan, ret_page);
    if (r == FG_ECORRUPT)
        fg_local_damaged_page(scan->sources[0].segment, scan->stats);
    if (r == 0 || r == FG_ECORRUPT)
        advance(scan);
    return r;
}

void fg_local_scan_close(struct fg_blocks_scan *scan)
{
    if (!scan)
        return;
    for (size_t i = 0; i < scan->source_count; i++) {
        close_readers(scan, &scan->sources[i]);
        fg_segment_pruning_free(scan->sources[i].pruning);
        free(scan->sources[i].pages);
    }
    close_opened(&scan->last_full);
    close_opened(&scan->last_probe);
    fg_matcher_free(scan->matcher);
    free(scan->bits);
    free(scan->sources);
    free(scan);
}
