/* Pages of all segments of a tenant, newest first.
 *
 * A heap holds the segments, by the greatest start that their coming pages can have. A segment
 * enters with what its footer says and is asked for its next pages (fg_segment_pruning_next()) only
 * when it is at the top: a reader who wants the newest few never opens the old ones, nor the old
 * row groups of the newest. Few readers are open at once, since each holds a decoded page.
 *
 * A page that none rules out is probed: only the columns that the predicate reads are decoded and
 * looked at, and the others, of which the ids are most, only where a row matches. Where most pages
 * have rows that match probing would be work done twice, so it ends.
 *
 * A scan that takes long has helpers who look and probe ahead of it (ahead.h). */
#include "local/ahead.h"
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
    uint32_t ahead_count; /* of the row groups that come next, those that were given to helpers */
    bool is_counted;      /* that it was asked */
    struct opened full, probe; /* either may be closed */
    uint64_t used_at;
};

struct fg_blocks_scan {
    struct fg_blocks_view *view;
    const struct fg_scan *scan;
    struct fg_read_stats *stats;
    struct fg_segment_reader_options options, probe_options;
    struct fg_prober prober; /* its matcher is NULL: nothing is probed */
    struct fg_crew *crew;    /* NULL: it works alone */
    struct fg_ahead *ahead;  /* NULL: so far */
    uint64_t help_mono_ns;   /* from when on it is helped */
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

static int check(void *arg)
{
    struct fg_blocks_scan *scan = arg;
    const struct fg_scan *asked = scan->scan;
    if (asked->is_cancelled && asked->is_cancelled(asked->arg))
        return FG_ECANCELLED;
    if (asked->deadline_mono_ns &&
        fg_env_mono_ns(scan->view->local->env) >= asked->deadline_mono_ns)
        return FG_ETIMEOUT;
    if (asked->bytes_max && scan->stats->bytes_read > asked->bytes_max)
        return FG_ELIMIT;
    return fg_local_view_check(scan->view);
}

/* The top's; what it asks of helpers it takes from them. */
static int take_look(void *arg, uint32_t number, struct fg_segment_look *look)
{
    struct fg_blocks_scan *scan = arg;
    struct source *source = &scan->sources[0];
    if (source->ahead_count == 0)
        return FG_ENOTFOUND;
    source->ahead_count--;
    return fg_ahead_take(scan->ahead, source->segment->segment, number, check, scan, look);
}

static int open_pruning(struct fg_blocks_scan *scan, struct source *source)
{
    struct fg_segment_ahead ahead = {.take = take_look, .arg = scan};
    if (source->pruning)
        return 0;
    int r = fg_segment_pruning_new(source->segment->segment, scan->scan->predicate,
                                   scan->scan->start_ns_min, scan->scan->start_ns_max, true,
                                   &source->pruning);
    if (r == 0)
        fg_segment_pruning_ahead(source->pruning, &ahead);
    return r;
}

/* The next pages of the source, which may be none yet. */
static int prune(struct fg_blocks_scan *scan, struct source *source)
{
    struct fg_prune_counters before = {0}, after;
    int r = open_pruning(scan, source);
    if (r < 0)
        return r;
    if (source->is_counted)
        before = fg_segment_pruning_counters(source->pruning);
    source->is_counted = true;
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
    bool was_done = source->is_done;
    int r = was_done ? 0 : prune(scan, source);
    if (r == FG_ECORRUPT) {
        fg_local_damaged_page(source->segment, scan->stats);
        source->is_done = true;
        r = 0; /* the pages that it named before can be read */
    }
    if (r < 0)
        return r;
    if (source->page_next == source->page_count) {
        if (was_done)
            end_top(scan);
        return 0; /* limits are checked before it goes on */
    }
    source->had_pages = true;
    update_key(scan, source);
    sift_down(scan, 0);
    return 0;
}

/* -- Helpers */

static bool is_probing(const struct fg_blocks_scan *scan)
{
    return scan->prober.matcher &&
           (scan->probe_count < PROBES_MIN || scan->probe_hits * 2 <= scan->probe_count);
}

/* The greatest start of the source's first row group that nobody was given; false: there is none,
 * or none that can be read. */
static bool peek_group(const struct source *source, uint32_t *ret_number,
                       uint64_t *ret_start_ns_max)
{
    *ret_start_ns_max = source->start_ns_max;
    if (!source->segment->segment || source->is_done)
        return false;
    return !source->pruning || fg_segment_pruning_coming(source->pruning, source->ahead_count,
                                                         ret_number, ret_start_ns_max);
}

/* That whose row group comes next, as nearly as can be told before they are looked at. */
static struct source *next_to_give(struct fg_blocks_scan *scan, uint32_t *ret_number)
{
    struct source *next = NULL;
    uint64_t next_ns = 0, start_ns_max;
    uint32_t number = 0;
    for (size_t i = 0; i < scan->source_count; i++) {
        struct source *source = &scan->sources[i];
        if (!peek_group(source, &number, &start_ns_max) || (next && start_ns_max <= next_ns))
            continue;
        next = source;
        next_ns = start_ns_max;
        *ret_number = number;
    }
    return next && next_ns >= scan->scan->start_ns_min ? next : NULL;
}

/* Keeps helpers in work, once the scan has taken so long that it is worth their while. */
static int give_work(struct fg_blocks_scan *scan)
{
    if (!scan->crew || fg_env_mono_ns(scan->view->local->env) < scan->help_mono_ns)
        return 0;
    const struct fg_ahead_options options = {
        .crew = scan->crew, .scan = scan->scan, .probe = &scan->probe_options};
    int r = scan->ahead ? 0 : fg_ahead_new(&options, &scan->ahead);
    while (r == 0 && fg_ahead_has_room(scan->ahead, scan->stats->bytes_read)) {
        uint32_t number;
        struct source *source = next_to_give(scan, &number);
        if (!source)
            break;
        if (!source->pruning) {
            r = open_pruning(scan, source);
            continue;
        }
        fg_ahead_add(scan->ahead, source->segment->segment, number, is_probing(scan));
        source->ahead_count++;
    }
    return r;
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

static void count_bytes(struct fg_blocks_scan *scan, struct opened *opened)
{
    uint64_t bytes_read = fg_segment_reader_bytes_read(opened->reader);
    scan->stats->bytes_read += bytes_read - opened->bytes_read;
    opened->bytes_read = bytes_read;
}

/* The source's next page, with all columns. */
static int read_page(struct fg_blocks_scan *scan, struct source *source,
                     const struct fg_batch **ret_batch)
{
    uint64_t row_begin;
    int r = open_reader(scan, source, &scan->options, &source->full);
    if (r < 0)
        return r;
    /* A source whose pages were freed is no longer among them.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    r = fg_segment_reader_page(source->full.reader, source->pages[source->page_next].row_begin,
                               ret_batch, &row_begin);
    count_bytes(scan, &source->full);
    return r;
}

/* -- Probing */

/* Whether a row of the source's next page matches; *ret_batch is what was read to know, NULL where
 * a helper did. */
static int probe(struct fg_blocks_scan *scan, struct source *source,
                 const struct fg_batch **ret_batch, bool *ret_hit)
{
    const struct fg_segment_page *page = &source->pages[source->page_next];
    int r = page->probe.result;
    if (page->probe.is_there) {
        scan->stats->bytes_read += page->probe.bytes_read;
        *ret_hit = page->probe.hit;
    } else {
        r = open_reader(scan, source, &scan->probe_options, &source->probe);
        if (r < 0)
            return r;
        r = fg_probe(&scan->prober, source->probe.reader, page->row_begin, ret_batch, ret_hit);
        count_bytes(scan, &source->probe);
    }
    if (r < 0)
        return r;
    scan->probe_count++;
    scan->probe_hits += *ret_hit;
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
    const struct fg_store_options *options = view->local->options;
    new->crew = scan->takes_help ? view->local->crew : NULL;
    new->help_mono_ns = fg_env_mono_ns(view->local->env) + options->scan_alone_ns;
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
        r = fg_matcher_new(scan->predicate, &new->prober.matcher);
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
        int r = check(scan);
        if (r == 0)
            r = give_work(scan);
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
        r = read_page(scan, source, &page.batch);
    if (r < 0)
        return r;
    if (hit)
        page.row_end = page.batch->span_count;
    else
        scan->stats->rows_scanned += source->pages[source->page_next].row_count;
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
    fg_ahead_free(scan->ahead);
    for (size_t i = 0; i < scan->source_count; i++) {
        close_readers(scan, &scan->sources[i]);
        fg_segment_pruning_free(scan->sources[i].pruning);
        free(scan->sources[i].pages);
    }
    close_opened(&scan->last_full);
    close_opened(&scan->last_probe);
    fg_prober_free(&scan->prober);
    free(scan->sources);
    free(scan);
}
