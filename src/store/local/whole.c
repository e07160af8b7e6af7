/* Many traces at once (store/whole.h), of sealed rows. First every segment's index is asked for all
 * of them, part by part: a part's filter is loaded once for all hashes that fall into it, and its
 * numbers are decoded once where the filter lets any pass. Then the traces that lie in one place
 * are given segment by segment, in the order of their numbers, so that each page is decoded once.
 */
#include "local/local.h"

#include "local/fuse.h"
#include "local/segment_hash.h"
#include "local/trace_pages.h"

#include <stdlib.h>

/* A trace that is looked for, in the order of the hashes. */
struct wanted {
    uint64_t hash;
    uint32_t id;
};

/* A trace's number in a segment, as its index has it. */
struct hit {
    uint64_t number;
    uint32_t id; /* NONE: another trace stands there */
};

#define NONE UINT32_MAX

struct search {
    const struct fg_blocks_whole *ask;
    const struct fg_whole *whole;
    struct fg_read_stats *stats;
    struct fg_codec *codec;
    struct wanted *wanted; /* ask->whole->count */
    uint8_t *hit_counts;   /* by id, up to FG_BLOCKS_PLACES_MANY */
    struct hit *hits;      /* of all segments, one after the other */
    size_t hit_count, hit_capacity;
    uint64_t *values; /* of one part */
    /* of one page */
    struct fg_arena arena;
    struct fg_whole_trace *traces;
    uint32_t *rows;
    uint32_t trace_capacity, row_capacity;
};

/* -- Where they lie */

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int want_all(struct search *search)
{
    const struct fg_whole *whole = search->whole;
    search->wanted = malloc(whole->count * sizeof *search->wanted);
    search->values = malloc(FG_INDEX_TRACES_MAX * 2 * sizeof *search->values);
    search->hit_counts = calloc(whole->count, sizeof *search->hit_counts);
    if (!search->wanted || !search->values || !search->hit_counts)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < whole->count; i++)
        search->wanted[i] =
            (struct wanted){fg_trace_hash(whole->ids[i].high, whole->ids[i].low), i};
    qsort(search->wanted, whole->count, sizeof *search->wanted, compare_wanted);
    return 0;
}

static void count_one(uint8_t *places)
{
    if (*places < FG_BLOCKS_PLACES_MANY)
        (*places)++;
}

static int add_hit(struct search *search, uint64_t number, uint32_t id)
{
    if (search->hit_count == search->hit_capacity) {
        size_t capacity = search->hit_capacity ? search->hit_capacity * 2 : 1024;
        struct hit *hits = realloc(search->hits, capacity * sizeof *hits);
        if (!hits)
            return FG_ENOMEM;
        search->hits = hits;
        search->hit_capacity = capacity;
    }
    search->hits[search->hit_count++] = (struct hit){number, id};
    count_one(&search->hit_counts[id]);
    return 0;
}

/* The numbers of those in [begin, end) of passed that the part has. */
static int take_places(struct search *search, const struct fg_segment *segment,
                       const struct fg_segment_index_part *part, struct fg_slice places,
                       const struct wanted *passed, uint32_t passed_count)
{
    uint32_t count = part->entry.trace_count, at = 0;
    uint64_t *hashes = search->values, *numbers = search->values + count;
    struct fg_input in = fg_input(places);
    unsigned shift = (unsigned)fg_input_varint_max(&in, 63);
    int r = fg_int_decode(search->codec, &in, count, NULL, hashes);
    if (r == 0)
        r = fg_int_decode(search->codec, &in, count, NULL, numbers);
    if (r == 0 && (in.error || fg_input_rest(&in) != 0))
        r = FG_ECORRUPT;
    for (uint32_t i = 0; r == 0 && i < passed_count; i++) {
        uint64_t hash = passed[i].hash >> shift;
        uint32_t high = count; /* both rise */
        for (uint32_t step = 1; at + step < count && hashes[at + step] < hash; step *= 2)
            at += step;
        while (at < high) {
            uint32_t middle = at + (high - at) / 2;
            if (hashes[middle] < hash)
                at = middle + 1;
            else
                high = middle;
        }
        for (uint32_t k = at; r == 0 && k < count && hashes[k] == hash; k++)
            r = numbers[k] < segment->info.trace_count ? add_hit(search, numbers[k], passed[i].id)
                                                       : FG_ECORRUPT;
    }
    return r;
}

/* Of wanted those that the part's filter does not rule out move to the front. */
static int filter_part(struct search *search, struct fg_segment *segment,
                       const struct fg_segment_index_part *part, const struct wanted *wanted,
                       uint32_t count, struct wanted *passed, uint32_t *ret_count)
{
    struct fg_loaded loaded;
    struct fg_fuse fuse;
    uint32_t used = 0;
    int r = fg_segment_load(segment, part->offset, part->entry.filter_size,
                            &search->stats->bytes_read, &loaded);
    if (r < 0)
        return r;
    r = fg_fuse_parse(loaded.bytes, &fuse);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        if (fg_fuse_contains(&fuse, wanted[i].hash))
            passed[used++] = wanted[i];
    fg_loaded_free(segment, &loaded);
    *ret_count = used;
    return r;
}

static int look_into_part(struct search *search, struct fg_segment *segment,
                          const struct fg_segment_index_part *part, const struct wanted *wanted,
                          uint32_t count)
{
    struct wanted *passed = malloc(count * sizeof *passed);
    uint32_t passed_count = 0;
    struct fg_loaded loaded;
    if (!passed)
        return FG_ENOMEM;
    int r = filter_part(search, segment, part, wanted, count, passed, &passed_count);
    if (r == 0 && passed_count) {
        r = fg_segment_load(segment, part->offset + part->entry.filter_size,
                            part->entry.places_size, &search->stats->bytes_read, &loaded);
        if (r == 0) {
            r = take_places(search, segment, part, loaded.bytes, passed, passed_count);
            fg_loaded_free(segment, &loaded);
        }
    }
    free(passed);
    return r;
}

static int look_into(struct search *search, struct fg_local_segment *local)
{
    struct fg_segment *segment = local->segment;
    uint32_t begin = 0, count = search->whole->count;
    search->stats->segments++;
    if (!segment) {
        fg_local_damaged_page(local, search->stats);
        return 0;
    }
    size_t hits = search->hit_count;
    for (uint32_t i = 0; i < segment->index_count; i++) {
        /* Equal hashes may end one part and begin the next. */
        const struct fg_segment_index_part *part = &segment->index[i];
        uint64_t last = i + 1 < segment->index_count ? part[1].entry.hash_min : UINT64_MAX;
        while (begin < count && search->wanted[begin].hash < part->entry.hash_min)
            begin++;
        uint32_t end = begin;
        while (end < count && search->wanted[end].hash <= last)
            end++;
        if (begin == end)
            continue;
        int r = search->ask->check(search->ask->check_arg);
        if (r == 0)
            r = look_into_part(search, segment, part, search->wanted + begin, end - begin);
        if (r == FG_ECORRUPT)
            fg_local_damaged_page(local, search->stats);
        else if (r != 0)
            return r;
    }
    search->stats->segments_pruned += search->hit_count == hits;
    return 0;
}

/* -- Pages of hits */

/* The row group at hand. */
struct group {
    struct fg_local_segment *local;
    struct fg_segment_reader *reader; /* NULL while ids are checked */
    struct fg_trace_pages pages;
    struct fg_trace_pages after; /* of the one after it, once somebody asked */
};

/* What is done with the hits of a page, which begin in it. */
typedef int (*page_fn)(struct search *search, struct group *group, uint32_t page_number,
                       struct hit *hits, size_t count);

static int compare_hits(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Makes row group number the one at hand. */
static int turn_to(struct group *group, uint32_t number)
{
    if (group->after.group && group->after.group_number == number) {
        struct fg_trace_pages kept = group->pages;
        group->pages = group->after;
        group->after = kept;
        fg_trace_pages_close(&group->after);
    }
    return fg_trace_pages_open(&group->pages, number);
}

/* hits: of the row group at hand, which are used up page by page. */
static int walk_group(struct search *search, struct group *group, struct hit *hits, size_t count,
                      page_fn fn)
{
    for (size_t begin = 0, end; begin < count; begin = end) {
        int r = search->ask->check(search->ask->check_arg);
        uint32_t page_number = fg_trace_pages_page_of(&group->pages, hits[begin].number);
        const struct fg_page *page = &group->pages.directory.pages[page_number];
        uint64_t trace_end = page->trace_begin + page->run_count - (page->continued ? 1 : 0);
        for (end = begin; end < count && hits[end].number < trace_end; end++)
            ;
        if (r == 0 && (end == begin || hits[begin].number < page->trace_begin))
            return FG_ECORRUPT;
        fg_arena_reset(&search->arena);
        if (r == 0)
            r = fn(search, group, page_number, hits + begin, end - begin);
        if (r == FG_ECORRUPT)
            fg_local_damaged_page(group->local, search->stats);
        else if (r != 0)
            return r;
    }
    return 0;
}

/* hits: some of the segment's, which come back by number. */
static int walk(struct search *search, struct group *group, struct hit *hits, size_t count,
                page_fn fn)
{
    const struct fg_segment *segment = group->local->segment;
    const struct fg_trace_pages closed = {.segment = group->local->segment, .codec = search->codec};
    int r = 0;
    group->pages = group->after = closed;
    qsort(hits, count, sizeof *hits, compare_hits);
    for (size_t begin = 0, end; r == 0 && begin < count; begin = end) {
        uint32_t number = fg_trace_pages_group_of(segment, hits[begin].number);
        const struct fg_segment_group *place = &segment->groups[number];
        uint64_t trace_end = place->trace_begin + place->entry.trace_count;
        for (end = begin + 1; end < count && hits[end].number < trace_end; end++)
            ;
        search->stats->row_groups++;
        r = turn_to(group, number);
        if (r == 0)
            r = walk_group(search, group, hits + begin, end - begin, fn);
        if (r == FG_ECORRUPT) {
            fg_local_damaged_page(group->local, search->stats);
            r = 0;
        }
    }
    search->stats->bytes_read += group->pages.bytes_read + group->after.bytes_read;
    fg_trace_pages_close(&group->pages);
    fg_trace_pages_close(&group->after);
    return r;
}

/* The run of a page where the trace of this number begins. */
static uint64_t run_of(const struct fg_page *page, uint64_t number)
{
    return number - page->trace_begin + (page->continued ? 1 : 0);
}

static bool is_at(const struct search *search, const struct fg_page_runs *runs, uint64_t run,
                  uint32_t id)
{
    const struct fg_trace_id *wanted = &search->whole->ids[id];
    return runs->id_high[run] == wanted->high && runs->id_low[run] == wanted->low;
}

/* -- Where the index errs */

static int check_page(struct search *search, struct group *group, uint32_t page_number,
                      struct hit *hits, size_t count)
{
    const struct fg_page *page = &group->pages.directory.pages[page_number];
    struct fg_page_runs runs;
    int r = fg_trace_pages_runs(&group->pages, page, &search->arena, &runs);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!is_at(search, &runs, run_of(page, hits[i].number), hits[i].id))
            hits[i].id = NONE;
    return r;
}

/* Of a segment's hits those that aren't all that is known of their trace go to the front. */
static size_t pick_doubtful(const struct search *search, struct hit *hits, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t places = search->ask->places[hits[i].id];
        if (places >= FG_BLOCKS_PLACES_MANY ||
            places + search->hit_counts[hits[i].id] < FG_BLOCKS_PLACES_MANY)
            continue;
        struct hit hit = hits[i];
        hits[i] = hits[used];
        hits[used++] = hit;
    }
    return used;
}

/* -- Giving them */

/* Of a segment's hits those that lie nowhere else go to the front. */
static size_t pick_single(const struct search *search, struct hit *hits, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (hits[i].id != NONE && search->ask->places[hits[i].id] == 1)
            hits[used++] = hits[i];
    return used;
}

static int reserve(struct search *search, uint32_t traces, uint32_t rows)
{
    if (traces > search->trace_capacity) {
        struct fg_whole_trace *grown = realloc(search->traces, traces * sizeof *grown);
        if (!grown)
            return FG_ENOMEM;
        search->traces = grown;
        search->trace_capacity = traces;
    }
    if (rows > search->row_capacity) {
        uint32_t *grown = realloc(search->rows, rows * sizeof *grown);
        if (!grown)
            return FG_ENOMEM;
        search->rows = grown;
        search->row_capacity = rows;
    }
    return 0;
}

/* Whether the page's last trace has rows in the page after it, or that can't be told. */
static bool goes_on(struct group *group, uint32_t page_number)
{
    const struct fg_trace_pages *pages = &group->pages;
    if (page_number + 1 < pages->directory.page_count)
        return pages->directory.pages[page_number + 1].continued;
    if (pages->group_number + 1 == pages->segment->info.row_group_count)
        return false;
    if (fg_trace_pages_open(&group->after, pages->group_number + 1) < 0)
        return true;
    return group->after.directory.page_count == 0 || group->after.directory.pages[0].continued;
}

/* The traces of the hits, with their rows. */
static void list_traces(struct search *search, struct group *group, uint32_t page_number,
                        const struct fg_page_runs *runs, const struct hit *hits, size_t count,
                        struct fg_whole_rows *list)
{
    const struct fg_page *page = &group->pages.directory.pages[page_number];
    uint32_t row = 0, run = 0, row_count = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t wanted = run_of(page, hits[i].number); run < wanted; run++)
            row += runs->row_count[run];
        bool is_last = run + 1 == page->run_count;
        if (!is_at(search, runs, run, hits[i].id) || (is_last && goes_on(group, page_number)))
            continue;
        search->traces[list->trace_count++] =
            (struct fg_whole_trace){hits[i].id, row_count, runs->row_count[run]};
        for (uint32_t k = 0; k < runs->row_count[run]; k++)
            search->rows[row_count++] = row + k;
    }
    list->traces = search->traces;
    list->rows = search->rows;
    search->stats->rows_scanned += row_count;
}

static int give_page(struct search *search, struct group *group, uint32_t page_number,
                     struct hit *hits, size_t count)
{
    const struct fg_page *page = &group->pages.directory.pages[page_number];
    struct fg_whole_rows list = {0};
    struct fg_page_runs runs;
    uint64_t row_begin;
    int r = reserve(search, (uint32_t)count, page->row_count);
    if (r == 0)
        r = fg_trace_pages_runs(&group->pages, page, &search->arena, &runs);
    if (r < 0)
        return r;
    list_traces(search, group, page_number, &runs, hits, count, &list);
    if (list.trace_count == 0)
        return 0;
    uint64_t bytes_before = fg_segment_reader_bytes_read(group->reader);
    r = fg_segment_reader_page(group->reader, page->row_begin, &list.batch, &row_begin);
    search->stats->bytes_read += fg_segment_reader_bytes_read(group->reader) - bytes_before;
    search->stats->pages++;
    return r < 0 ? r : search->whole->rows(search->whole->arg, &list);
}

static int give_segment(struct search *search, struct fg_local_segment *local, struct hit *hits,
                        size_t count)
{
    const struct fg_segment_reader_options options = {.columns = search->whole->columns |
                                                                 FG_COLUMNS_IDS | FG_COLUMNS_TIMES,
                                                      .keys_of = search->whole->keys_of,
                                                      .page_cache_count = 1};
    struct group group = {.local = local};
    int r = fg_segment_reader_new(local->segment, &options, &group.reader);
    if (r == 0)
        r = walk(search, &group, hits, count, give_page);
    fg_segment_reader_free(group.reader);
    return r;
}

/* -- All of it */

/* begins: of each segment the first of its hits, and the end. */
static int find_all(struct search *search, const struct fg_local_version *version, size_t *begins)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++) {
        begins[i] = search->hit_count;
        if (version->segments[i]->entry.tenant == search->whole->tenant)
            r = look_into(search, version->segments[i]);
    }
    begins[version->segment_count] = search->hit_count;
    return r;
}

static int check_all(struct search *search, const struct fg_local_version *version,
                     const size_t *begins)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++) {
        struct hit *hits = search->hits + begins[i];
        struct group group = {.local = version->segments[i]};
        size_t count = pick_doubtful(search, hits, begins[i + 1] - begins[i]);
        if (count)
            r = walk(search, &group, hits, count, check_page);
    }
    for (size_t i = 0; r == 0 && i < search->hit_count; i++)
        if (search->hits[i].id != NONE)
            count_one(&search->ask->places[search->hits[i].id]);
    return r;
}

static int give_all(struct search *search, const struct fg_local_version *version,
                    const size_t *begins)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++) {
        struct hit *hits = search->hits + begins[i];
        size_t count = pick_single(search, hits, begins[i + 1] - begins[i]);
        if (count)
            r = give_segment(search, version->segments[i], hits, count);
    }
    return r;
}

static int run(struct search *search, const struct fg_local_version *version, size_t *begins)
{
    int r = want_all(search);
    if (r == 0)
        r = fg_codec_new(&search->codec);
    if (r == 0)
        r = find_all(search, version, begins);
    if (r == 0)
        r = check_all(search, version, begins);
    return r == 0 ? give_all(search, version, begins) : r;
}

int fg_local_whole(struct fg_blocks_view *view, const struct fg_blocks_whole *ask,
                   struct fg_read_stats *stats)
{
    const struct fg_local_version *version = view->version;
    struct search search = {.ask = ask, .whole = ask->whole, .stats = stats};
    size_t *begins = calloc(version->segment_count + 1, sizeof *begins);
    if (!begins)
        return FG_ENOMEM;
    fg_arena_init(&search.arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = run(&search, version, begins);
    fg_arena_free(&search.arena);
    fg_codec_free(search.codec);
    free(search.wanted);
    free(search.values);
    free(search.hit_counts);
    free(search.hits);
    free(search.traces);
    free(search.rows);
    free(begins);
    return r;
}
