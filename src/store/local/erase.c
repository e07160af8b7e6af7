/* Erasing: every span that matches is gone from the sealed files when it returns.
 *
 * Segment by segment: a scan with the predicate's own columns finds whether it holds a match; if so
 * it is written anew without, its rollup too, and an edit puts the one in the other's place. With
 * whole traces the ids of the traces that match are gathered first, from all segments. In the end
 * older readers are told to give up, since the old files live until the last of them, and the
 * removal of the files is made durable.
 *
 * Days whose spans have gone, all or some, have their counts in a file: erase_rollup.c says what of
 * it goes.
 *
 * A cut at any moment leaves some segments rewritten and others not; to erase again does the rest.
 * A segment that can't be read whole can't be promised to hold no match: FG_ECORRUPT, after all
 * others were done. */
#include "base/limits.h"
#include "local/erase_rollup.h"
#include "local/jobs.h"
#include "local/merge_plan.h"
#include "local/rewrite.h"
#include "local/trace_set.h"
#include "store/rollup.h"

#include <stdlib.h>

#define END_VIEWS_NS (FG_SNAPSHOT_AGE_NS_MAX + 5 * FG_NS_PER_SECOND)

struct erase {
    struct fg_local *local;
    uint32_t tenant;
    const struct fg_predicate *predicate; /* NULL: everything */
    struct fg_matcher *matcher;
    bool whole_traces, wants_traces;
    bool has_more_traces;       /* without whole_traces: not all are in the list */
    struct fg_trace_set traces; /* those that have a match */
    uint64_t bits[FG_PAGE_ROWS_MAX / 64 + 1];
    uint64_t count;
    bool has_damage;
};

static bool keeps_trace(void *arg, const struct fg_segment_trace *trace)
{
    const struct erase *erase = arg;
    return !fg_trace_set_has(&erase->traces, trace->id_high, trace->id_low);
}

/* -- Matching */

static int match_rows(struct erase *erase, const struct fg_batch *page, uint64_t *bits)
{
    if (!erase->predicate) {
        memset(bits, 0xff, (page->span_count + 63) / 64 * 8);
        return 0;
    }
    int r = fg_matcher_bind(erase->matcher, page);
    return r < 0 ? r : fg_matcher_run(erase->matcher, 0, page->span_count, bits);
}

static int add_traces(struct erase *erase, const struct fg_batch *page, const uint64_t *bits)
{
    for (uint32_t row = 0; row < page->span_count; row++) {
        if (!(bits[row / 64] >> (row % 64) & 1))
            continue;
        int r = fg_trace_set_add(&erase->traces, page->trace_id_high[row], page->trace_id_low[row]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Of a page that is written anew: what goes, and of which traces. */
static int drop_rows(void *arg, const struct fg_batch *page, uint64_t *bits)
{
    struct erase *erase = arg;
    int r = match_rows(erase, page, bits);
    if (r < 0 || !erase->wants_traces || erase->has_more_traces)
        return r;
    r = add_traces(erase, page, bits);
    erase->has_more_traces = r == FG_ELIMIT;
    return r == FG_ELIMIT ? 0 : r;
}

static bool has_bits(const struct erase *erase, uint32_t count)
{
    uint64_t any = 0;
    for (uint32_t row = 0; row < count; row++)
        any |= erase->bits[row / 64] >> (row % 64) & 1;
    return any;
}

struct pages {
    uint64_t *rows; /* the first of each page that may hold a match */
    size_t count, capacity;
};

static int add_page(void *arg, const struct fg_segment_page *page)
{
    struct pages *pages = arg;
    if (pages->count == pages->capacity) {
        size_t capacity = pages->capacity ? pages->capacity * 2 : 64;
        uint64_t *rows = realloc(pages->rows, capacity * sizeof *rows);
        if (!rows)
            return FG_ENOMEM;
        pages->rows = rows;
        pages->capacity = capacity;
    }
    pages->rows[pages->count++] = page->row_begin;
    return 0;
}

/* Pages that statistics do not rule out. A start of the last nanosecond of all lies in no window,
 * so a segment with such a span is read whole. */
static int list_pages(const struct erase *erase, struct fg_segment *segment, struct pages *pages)
{
    bool is_odd = fg_segment_info(segment)->start_ns_max == UINT64_MAX;
    const struct fg_predicate *predicate = is_odd ? NULL : erase->predicate;
    int r = fg_segment_prune(segment, predicate, 0, UINT64_MAX, false, add_page, pages, NULL);
    if (r < 0 || !is_odd)
        return r;
    pages->count = 0;
    for (uint64_t row = 0; row < fg_segment_info(segment)->span_count && r == 0; row++)
        r = add_page(pages, &(struct fg_segment_page){.row_begin = row});
    return r;
}

/* Reads the pages until one has a match, or all of them when their traces are wanted. */
static int scan_pages(struct erase *erase, struct fg_segment_reader *reader,
                      const struct pages *pages, bool *ret_matches)
{
    uint64_t next_row = 0;
    for (size_t i = 0; i < pages->count; i++) {
        const struct fg_batch *page;
        uint64_t row_begin;
        if (pages->rows[i] < next_row)
            continue; /* in the page that was read last */
        int r = fg_segment_reader_page(reader, pages->rows[i], &page, &row_begin);
        if (r == 0 && page->span_count > FG_PAGE_ROWS_MAX)
            r = FG_ECORRUPT;
        if (r == 0)
            r = match_rows(erase, page, erase->bits);
        if (r < 0)
            return r;
        next_row = row_begin + page->span_count;
        if (!has_bits(erase, page->span_count))
            continue;
        *ret_matches = true;
        if (!erase->whole_traces)
            return 0;
        r = add_traces(erase, page, erase->bits);
        if (r < 0)
            return r;
    }
    return 0;
}

static int scan_segment(struct erase *erase, struct fg_local_segment *segment, bool *ret_matches)
{
    const struct fg_segment_reader_options options = {
        .columns = (erase->predicate ? fg_predicate_columns(erase->predicate) : 0) | FG_COLUMNS_IDS,
        .keys_of = erase->predicate,
        .page_cache_count = 1};
    struct fg_segment_reader *reader = NULL;
    struct pages pages = {0};
    int r = list_pages(erase, segment->segment, &pages);
    if (r == 0 && pages.count > 0)
        r = fg_segment_reader_new(segment->segment, &options, &reader);
    if (r == 0 && pages.count > 0)
        r = scan_pages(erase, reader, &pages, ret_matches);
    fg_segment_reader_free(reader);
    free(pages.rows);
    return r;
}

static int end_where_it_goes(void *arg, const struct fg_segment_trace *trace)
{
    return !keeps_trace(arg, trace);
}

/* Whether any of its traces is one that goes. */
static int find_traces(struct erase *erase, struct fg_local_segment *segment, bool *ret_matches)
{
    int r = fg_segment_visit_traces(segment->segment, end_where_it_goes, erase);
    *ret_matches = r > 0;
    return r < 0 ? r : 0;
}

/* -- Segment by segment */

static bool is_cancelled(void *arg)
{
    const struct erase *erase = arg;
    return fg_upkeep_is_stopping(&erase->local->upkeep);
}

/* -- The files of days whose counts are apart from their spans */

/* Rows of a page that go, with or without the others of their trace. */
static int match_gone(void *arg, const struct fg_batch *page, uint64_t *bits)
{
    struct erase *erase = arg;
    if (!erase->whole_traces)
        return match_rows(erase, page, bits);
    memset(bits, 0, (page->span_count + 63) / 64 * sizeof *bits);
    for (uint32_t row = 0; row < page->span_count; row++)
        if (fg_trace_set_has(&erase->traces, page->trace_id_high[row], page->trace_id_low[row]))
            bits[row / 64] |= UINT64_C(1) << (row % 64);
    return 0;
}

static int edit_with_rollup(struct erase *erase, struct fg_local_segment *segment,
                            const struct fg_manifest_segment *added, const struct fg_rollup *gone,
                            uint32_t day)
{
    struct fg_local *local = erase->local;
    const struct fg_rollup_erase todo = {.local = local,
                                         .tenant = erase->tenant,
                                         .day = day,
                                         .predicate = erase->predicate,
                                         .gone = gone};
    const struct fg_manifest_rollup *old;
    struct fg_manifest_rollup new = {.id = 0};
    struct fg_local_version *version = fg_local_version_take(local);
    int r = fg_rollup_erase(&todo, version, &old, &new);
    if (segment && (r == FG_ECORRUPT || r == FG_ENOTFOUND))
        r = 0; /* the spans go all the same; erase_rollups() says it */
    const struct fg_job_edit edit = {.inputs = &segment,
                                     .input_count = segment != NULL,
                                     .added = added,
                                     .added_rollup = old && new.id ? &new : NULL,
                                     .removed_rollup = old};
    if (r == 0 && (segment || old))
        r = fg_job_edit(local, &edit);
    else if (r < 0 && added)
        fg_local_discard(local, added->id);
    fg_local_version_release(version);
    return r;
}

/* A segment whose spans are counted in its day's file: both change together. */
static int edit_kept(struct erase *erase, struct fg_local_segment *segment,
                     const struct fg_manifest_segment *added)
{
    struct fg_rollup *gone = NULL;
    int r = fg_rollup_new(&gone);
    if (r == 0)
        r = fg_rollup_count_gone(segment->segment, erase->predicate, match_gone, erase, gone);
    if (r == 0)
        r = edit_with_rollup(erase, segment, added, gone, segment->entry.day);
    else if (added)
        fg_local_discard(erase->local, added->id);
    fg_rollup_free(gone);
    return r;
}

/* Every day's file, for what is asked of services and names by itself. */
static int erase_rollups(struct erase *erase, const struct fg_local_version *version)
{
    int r = 0;
    for (size_t i = 0; i < version->rollup_count && r == 0; i++) {
        const struct fg_manifest_rollup *entry = &version->rollups[i]->entry;
        if (entry->tenant != erase->tenant)
            continue;
        r = edit_with_rollup(erase, NULL, NULL, NULL, entry->day);
        if (r == FG_ECORRUPT || r == FG_ENOTFOUND) {
            erase->has_damage = true;
            fg_store_event(erase->local->options, FG_LOG_ERROR,
                           "rollups/%016llx.rol is damaged or missing, so it can't be told what of "
                           "it would have to be erased; put it back from a backup and erase again",
                           (unsigned long long)entry->id);
            r = 0;
        }
    }
    return r;
}

static int rewrite(struct erase *erase, struct fg_local_segment *segment)
{
    struct fg_local *local = erase->local;
    struct fg_rewrite_result result;
    struct fg_local_segment *bad = NULL;
    const struct fg_rewrite todo = {.local = local,
                                    .inputs = &segment,
                                    .input_count = 1,
                                    .level = segment->entry.level,
                                    .with_rollup = segment->entry.level < FG_LEVEL_KEPT,
                                    .is_cancelled = is_cancelled,
                                    .keeps_trace = erase->whole_traces ? keeps_trace : NULL,
                                    .match_rows = erase->whole_traces ? NULL : drop_rows,
                                    .arg = erase};
    int r = fg_rewrite_run(&todo, &result, &bad);
    if (r < 0)
        return r;
    const struct fg_manifest_segment *added = result.is_empty ? NULL : &result.entry;
    const struct fg_job_edit edit = {.inputs = &segment, .input_count = 1, .added = added};
    bool is_kept = segment->entry.level >= FG_LEVEL_KEPT;
    r = is_kept ? edit_kept(erase, segment, added) : fg_job_edit(local, &edit);
    if (r < 0)
        return r;
    erase->count += result.dropped_spans;
    atomic_fetch_add(&local->counters.erased_spans, result.dropped_spans);
    return 0;
}

static void say_damaged(struct erase *erase, struct fg_local_segment *segment)
{
    struct fg_read_stats stats = {0};
    erase->has_damage = true;
    fg_local_damaged_page(segment, &stats);
    fg_store_event(erase->local->options, FG_LOG_ERROR,
                   "segments/%016llx.seg can't be read whole, so it can't be told what of it would "
                   "have to be erased; put it back from a backup and erase again",
                   (unsigned long long)segment->entry.id);
}

/* One pass over the tenant's segments: with collect, traces are gathered and nothing is written. */
static int pass(struct erase *erase, const struct fg_local_version *version, bool collect)
{
    int r = 0;
    for (size_t i = 0; i < version->segment_count && r == 0; i++) {
        struct fg_local_segment *segment = version->segments[i];
        bool matches = false;
        if (segment->entry.tenant != erase->tenant)
            continue;
        if (is_cancelled(erase))
            return FG_ECANCELLED;
        if (!segment->segment)
            r = FG_ECORRUPT;
        else if (collect || !erase->whole_traces)
            r = scan_segment(erase, segment, &matches);
        else
            r = find_traces(erase, segment, &matches);
        if (r == 0 && matches && !collect)
            r = rewrite(erase, segment);
        if (r == FG_ECORRUPT) {
            say_damaged(erase, segment);
            r = 0;
        }
    }
    return r;
}

static int run(struct erase *erase)
{
    struct fg_local *local = erase->local;
    char folder[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_local_version *version = fg_local_version_take(local);
    int r = erase->whole_traces ? pass(erase, version, true) : 0;
    if (r == 0)
        r = pass(erase, version, false);
    if (r == 0)
        r = erase_rollups(erase, version);
    fg_local_version_release(version);
    if (r < 0)
        return r;
    r = fg_local_end_views(local, END_VIEWS_NS);
    fg_local_segments_folder(local, folder);
    if (r == 0)
        r = fg_env_sync_dir(local->env, folder);
    fg_local_rollups_folder(local, folder);
    if (r == 0)
        r = fg_env_sync_dir(local->env, folder);
    return r == 0 && erase->has_damage ? FG_ECORRUPT : r;
}

int fg_local_erase(struct fg_blocks *blocks, const struct fg_blocks_erase *todo,
                   struct fg_blocks_erased *ret_erased)
{
    struct erase *erase = calloc(1, sizeof *erase);
    if (!erase)
        return FG_ENOMEM;
    erase->local = (struct fg_local *)blocks;
    erase->tenant = todo->tenant;
    erase->predicate = todo->predicate;
    erase->whole_traces = todo->whole_traces;
    erase->wants_traces = todo->wants_traces;
    erase->has_more_traces = !todo->predicate;
    fg_trace_set_init(&erase->traces);
    int r = erase->predicate ? fg_matcher_new(erase->predicate, &erase->matcher) : 0;
    if (r == 0)
        r = run(erase);
    if (r == 0 || r == FG_ECORRUPT) {
        *ret_erased = (struct fg_blocks_erased){.span_count = erase->count,
                                                .traces = erase->traces.traces,
                                                .trace_count = erase->traces.count,
                                                .has_more_traces = erase->has_more_traces};
        erase->traces.traces = NULL;
    }
    fg_matcher_free(erase->matcher);
    fg_trace_set_free(&erase->traces);
    free(erase);
    return r;
}
