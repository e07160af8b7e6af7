/* Which pages a scan must read. Row groups are looked at one by one in the order of their starts,
 * and a page is named as soon as no row group that was not looked at yet can have one that comes
 * before it: who stops early pays for what was named, and little more.
 *
 * A look at a row group depends on nothing but the row group, so that another thread may have made
 * it ahead (fg_segment_pruning_ahead()). */
#include "local/prune.h"

#include <stdlib.h>

struct fg_segment_looker {
    const struct fg_predicate *predicate;
    uint64_t start_ns_min, start_ns_max;
    struct fg_pruner pruner;
    bool has_pruner;
};

struct fg_segment_pruning {
    struct fg_segment *segment;
    struct fg_segment_looker *looker;
    struct fg_segment_ahead ahead; /* take is NULL: nobody looks ahead */
    bool newest_first;
    struct fg_prune_counters counters;
    bool damaged; /* a row group could not be read; the others can */

    uint32_t *order; /* row groups, in the order they are looked at */
    uint32_t order_count, order_at;
    struct fg_segment_page *pages; /* found and not named yet */
    size_t page_count, page_capacity;
};

/* -- One row group */

static bool is_outside(const struct fg_segment_looker *looker, uint64_t start_ns_min,
                       uint64_t start_ns_max)
{
    return start_ns_max < looker->start_ns_min || start_ns_min >= looker->start_ns_max;
}

int fg_segment_looker_new(const struct fg_predicate *predicate, uint64_t start_ns_min,
                          uint64_t start_ns_max, struct fg_segment_looker **ret_looker)
{
    struct fg_segment_looker *looker = calloc(1, sizeof *looker);
    if (!looker)
        return FG_ENOMEM;
    looker->predicate = predicate;
    looker->start_ns_min = start_ns_min;
    looker->start_ns_max = start_ns_max;
    *ret_looker = looker;
    return 0;
}

void fg_segment_looker_free(struct fg_segment_looker *looker)
{
    if (!looker)
        return;
    if (looker->has_pruner)
        fg_pruner_free(&looker->pruner);
    free(looker);
}

static int turn_to(struct fg_segment_looker *looker, struct fg_segment *segment,
                   uint64_t *bytes_read)
{
    if (looker->has_pruner)
        return fg_pruner_turn(&looker->pruner, segment, bytes_read);
    int r = fg_pruner_init(&looker->pruner, segment, looker->predicate, bytes_read);
    looker->has_pruner = r == 0;
    if (r < 0)
        fg_pruner_free(&looker->pruner);
    return r;
}

static int add_page(struct fg_segment_look *look, const struct fg_page *page)
{
    if (look->page_count == look->page_capacity) {
        size_t capacity = look->page_capacity ? look->page_capacity * 2 : 16;
        struct fg_segment_page *pages = realloc(look->pages, capacity * sizeof *pages);
        if (!pages)
            return FG_ENOMEM;
        look->pages = pages;
        look->page_capacity = capacity;
    }
    look->pages[look->page_count++] = (struct fg_segment_page){.row_begin = page->row_begin,
                                                               .row_count = page->row_count,
                                                               .start_ns_min = page->start_ns_min,
                                                               .start_ns_max = page->start_ns_max};
    return 0;
}

static int look_at_pages(struct fg_segment_looker *looker, struct fg_group *group,
                         struct fg_segment_look *look)
{
    struct fg_directory directory;
    struct fg_pruner *pruner = &looker->pruner;
    int r = fg_directory_load(group, pruner->codec, &look->counters.bytes_read, &directory);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < directory.page_count; i++) {
        const struct fg_page *page = &directory.pages[i];
        bool may = !is_outside(looker, page->start_ns_min, page->start_ns_max);
        look->counters.pages++;
        if (may)
            r = fg_pruner_page(pruner, page, &may);
        if (r == 0 && may)
            r = add_page(look, page);
        else if (r == 0)
            look->counters.pages_pruned++;
    }
    fg_directory_free(pruner->segment, &directory);
    return r;
}

int fg_segment_look(struct fg_segment_looker *looker, struct fg_segment *segment, uint32_t number,
                    struct fg_segment_look *look)
{
    struct fg_group *group = NULL;
    struct fg_pruner *pruner = &looker->pruner;
    uint64_t *bytes_read = &look->counters.bytes_read;
    bool may;
    int r = turn_to(looker, segment, bytes_read);
    if (r == 0)
        r = fg_group_load_columns(segment, number, bytes_read, &group);
    if (r < 0)
        return r;
    fg_pruner_begin(pruner, group);
    r = fg_pruner_glance(pruner, &may);
    if (r == 0 && may)
        r = fg_group_load_head(group, pruner->codec, bytes_read);
    if (r == 0 && may)
        r = fg_pruner_look(pruner, &may);
    if (r == 0 && may)
        r = look_at_pages(looker, group, look);
    else if (r == 0 && pruner->used_filter)
        look->counters.row_groups_pruned_filter++;
    else if (r == 0)
        look->counters.row_groups_pruned_statistics++;
    fg_group_unref(group);
    return r;
}

void fg_segment_look_free(struct fg_segment_look *look)
{
    free(look->pages);
    *look = (struct fg_segment_look){0};
}

/* -- All of them */

/* Less comes first. */
static uint64_t group_key(const struct fg_segment_pruning *walk, uint32_t number)
{
    const struct fg_segment_group_entry *entry = &walk->segment->groups[number].entry;
    return walk->newest_first ? ~entry->start_ns_max : entry->start_ns_min;
}

static uint64_t page_key(const struct fg_segment_pruning *walk, const struct fg_segment_page *page)
{
    return walk->newest_first ? ~page->start_ns_max : page->start_ns_min;
}

/* Row groups within the window, sorted; those of a segment nearly are already. */
static int order_groups(struct fg_segment_pruning *walk)
{
    uint32_t count = walk->segment->info.row_group_count;
    walk->order = malloc((count + (size_t)1) * sizeof *walk->order);
    if (!walk->order)
        return FG_ENOMEM;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t number = walk->newest_first ? count - 1 - k : k;
        const struct fg_segment_group_entry *entry = &walk->segment->groups[number].entry;
        walk->counters.row_groups++;
        if (is_outside(walk->looker, entry->start_ns_min, entry->start_ns_max)) {
            walk->counters.row_groups_pruned_time++;
            continue;
        }
        uint32_t at = walk->order_count++;
        for (; at > 0 && group_key(walk, walk->order[at - 1]) > group_key(walk, number); at--)
            walk->order[at] = walk->order[at - 1];
        walk->order[at] = number;
    }
    return 0;
}

static int add_pages(struct fg_segment_pruning *walk, const struct fg_segment_look *look)
{
    size_t need = walk->page_count + look->page_count;
    if (need > walk->page_capacity) {
        struct fg_segment_page *pages = realloc(walk->pages, 2 * need * sizeof *pages);
        if (!pages)
            return FG_ENOMEM;
        walk->pages = pages;
        walk->page_capacity = 2 * need;
    }
    if (look->page_count)
        memcpy(walk->pages + walk->page_count, look->pages, look->page_count * sizeof *look->pages);
    walk->page_count = need;
    return 0;
}

static void add_counters(struct fg_prune_counters *sum, const struct fg_prune_counters *counters)
{
    sum->row_groups_pruned_statistics += counters->row_groups_pruned_statistics;
    sum->row_groups_pruned_filter += counters->row_groups_pruned_filter;
    sum->pages += counters->pages;
    sum->pages_pruned += counters->pages_pruned;
    sum->bytes_read += counters->bytes_read;
}

/* What was found before the damage counts. */
static int look_at_next(struct fg_segment_pruning *walk)
{
    uint32_t number = walk->order[walk->order_at];
    struct fg_segment_look look = {0};
    int r = FG_ENOTFOUND;
    if (walk->ahead.take)
        r = walk->ahead.take(walk->ahead.arg, number, &look);
    if (r == FG_ENOTFOUND)
        r = fg_segment_look(walk->looker, walk->segment, number, &look);
    walk->order_at++;
    add_counters(&walk->counters, &look.counters);
    if (r == FG_ECORRUPT) {
        walk->damaged = true;
        r = 0;
    }
    if (r == 0)
        r = add_pages(walk, &look);
    fg_segment_look_free(&look);
    return r;
}

/* Names the pages that come before anything with a key of limit or more, in their order. */
static int name_pages(struct fg_segment_pruning *walk, uint64_t limit,
                      int (*fn)(void *arg, const struct fg_segment_page *page), void *arg,
                      bool *named)
{
    for (;;) {
        size_t first = SIZE_MAX;
        for (size_t i = 0; i < walk->page_count; i++) {
            uint64_t key = page_key(walk, &walk->pages[i]);
            if (key <= limit && (first == SIZE_MAX || key < page_key(walk, &walk->pages[first])))
                first = i;
        }
        if (first == SIZE_MAX)
            return 0;
        struct fg_segment_page page = walk->pages[first];
        walk->pages[first] = walk->pages[--walk->page_count];
        *named = true;
        int r = fn(arg, &page);
        if (r != 0)
            return r;
    }
}

int fg_segment_pruning_next(struct fg_segment_pruning *walk,
                            int (*fn)(void *arg, const struct fg_segment_page *page), void *arg,
                            bool *ret_done)
{
    bool named = false;
    for (int looks = 0; looks < 2 && !named; looks++) {
        bool is_last = walk->order_at == walk->order_count;
        uint64_t limit = is_last ? UINT64_MAX : group_key(walk, walk->order[walk->order_at]);
        int r = name_pages(walk, limit, fn, arg, &named);
        if (r == 0 && !is_last && !named && looks == 0)
            r = look_at_next(walk);
        if (r != 0)
            return r;
    }
    *ret_done = walk->order_at == walk->order_count && walk->page_count == 0;
    return *ret_done && walk->damaged ? FG_ECORRUPT : 0;
}

void fg_segment_pruning_ahead(struct fg_segment_pruning *walk, const struct fg_segment_ahead *ahead)
{
    walk->ahead = *ahead;
}

bool fg_segment_pruning_coming(const struct fg_segment_pruning *walk, uint32_t index,
                               uint32_t *ret_number, uint64_t *ret_start_ns_max)
{
    if (index >= walk->order_count - walk->order_at)
        return false;
    *ret_number = walk->order[walk->order_at + index];
    *ret_start_ns_max = walk->segment->groups[*ret_number].entry.start_ns_max;
    return true;
}

int fg_segment_pruning_new(struct fg_segment *segment, const struct fg_predicate *predicate,
                           uint64_t start_ns_min, uint64_t start_ns_max, bool newest_first,
                           struct fg_segment_pruning **ret_pruning)
{
    struct fg_segment_pruning *walk = calloc(1, sizeof *walk);
    if (!walk)
        return FG_ENOMEM;
    *walk = (struct fg_segment_pruning){.segment = segment, .newest_first = newest_first};
    int r = fg_segment_looker_new(predicate, start_ns_min, start_ns_max, &walk->looker);
    if (r == 0)
        r = order_groups(walk);
    if (r < 0) {
        fg_segment_pruning_free(walk);
        return r;
    }
    *ret_pruning = walk;
    return 0;
}

void fg_segment_pruning_free(struct fg_segment_pruning *walk)
{
    if (!walk)
        return;
    fg_segment_looker_free(walk->looker);
    free(walk->order);
    free(walk->pages);
    free(walk);
}

struct fg_prune_counters fg_segment_pruning_counters(const struct fg_segment_pruning *walk)
{
    return walk->counters;
}

int fg_segment_prune(struct fg_segment *segment, const struct fg_predicate *predicate,
                     uint64_t start_ns_min, uint64_t start_ns_max, bool newest_first,
                     int (*fn)(void *arg, const struct fg_segment_page *page), void *arg,
                     struct fg_prune_counters *counters)
{
    struct fg_segment_pruning *pruning;
    bool is_done = false;
    int r = fg_segment_pruning_new(segment, predicate, start_ns_min, start_ns_max, newest_first,
                                   &pruning);
    if (r < 0)
        return r;
    while (r == 0 && !is_done)
        r = fg_segment_pruning_next(pruning, fn, arg, &is_done);
    if (counters)
        *counters = fg_segment_pruning_counters(pruning);
    fg_segment_pruning_free(pruning);
    return r;
}
