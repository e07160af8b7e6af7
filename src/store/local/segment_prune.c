/* Which pages a scan must read. Row groups are opened one by one in the order of their starts, and
 * a page is named as soon as no row group that is not open yet can have one that comes before it:
 * who stops early pays for what was named, and little more. */
#include "local/prune.h"

#include <stdlib.h>

struct fg_segment_pruning {
    struct fg_segment *segment;
    struct fg_pruner pruner;
    uint64_t start_ns_min, start_ns_max;
    bool newest_first;
    struct fg_prune_counters counters;
    bool damaged; /* a row group could not be read; the others can */

    uint32_t *order; /* row groups, in the order they are opened */
    uint32_t order_count, order_at;
    struct fg_segment_page *pages; /* found and not named yet */
    size_t page_count, page_capacity;
};

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

static bool is_outside(const struct fg_segment_pruning *walk, uint64_t start_ns_min,
                       uint64_t start_ns_max)
{
    return start_ns_max < walk->start_ns_min || start_ns_min >= walk->start_ns_max;
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
        if (is_outside(walk, entry->start_ns_min, entry->start_ns_max)) {
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

static int add_page(struct fg_segment_pruning *walk, const struct fg_page *page)
{
    if (walk->page_count == walk->page_capacity) {
        size_t capacity = walk->page_capacity ? walk->page_capacity * 2 : 64;
        struct fg_segment_page *pages = realloc(walk->pages, capacity * sizeof *pages);
        if (!pages)
            return FG_ENOMEM;
        walk->pages = pages;
        walk->page_capacity = capacity;
    }
    walk->pages[walk->page_count++] = (struct fg_segment_page){.row_begin = page->row_begin,
                                                               .row_count = page->row_count,
                                                               .start_ns_min = page->start_ns_min,
                                                               .start_ns_max = page->start_ns_max};
    return 0;
}

static int look_at_pages(struct fg_segment_pruning *walk, struct fg_group *group)
{
    struct fg_directory directory;
    int r = fg_directory_load(group, walk->pruner.codec, &walk->counters.bytes_read, &directory);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < directory.page_count; i++) {
        const struct fg_page *page = &directory.pages[i];
        bool may = !is_outside(walk, page->start_ns_min, page->start_ns_max);
        walk->counters.pages++;
        if (may)
            r = fg_pruner_page(&walk->pruner, page, &may);
        if (r == 0 && may)
            r = add_page(walk, page);
        else if (r == 0)
            walk->counters.pages_pruned++;
    }
    fg_directory_free(walk->segment, &directory);
    return r;
}

static int look_at_group(struct fg_segment_pruning *walk, uint32_t number)
{
    struct fg_group *group;
    bool may;
    int r = fg_group_load_columns(walk->segment, number, &walk->counters.bytes_read, &group);
    if (r < 0)
        return r;
    fg_pruner_begin(&walk->pruner, group);
    r = fg_pruner_glance(&walk->pruner, &may);
    if (r == 0 && may)
        r = fg_group_load_head(group, walk->pruner.codec, &walk->counters.bytes_read);
    if (r == 0 && may)
        r = fg_pruner_look(&walk->pruner, &may);
    if (r == 0 && may)
        r = look_at_pages(walk, group);
    else if (r == 0 && walk->pruner.used_filter)
        walk->counters.row_groups_pruned_filter++;
    else if (r == 0)
        walk->counters.row_groups_pruned_statistics++;
    fg_group_unref(group);
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
    while (!named) {
        bool is_last = walk->order_at == walk->order_count;
        uint64_t limit = is_last ? UINT64_MAX : group_key(walk, walk->order[walk->order_at]);
        int r = name_pages(walk, limit, fn, arg, &named);
        if (r != 0)
            return r;
        if (is_last || named)
            break;
        r = look_at_group(walk, walk->order[walk->order_at++]);
        walk->damaged |= r == FG_ECORRUPT;
        if (r < 0 && r != FG_ECORRUPT)
            return r;
    }
    *ret_done = walk->order_at == walk->order_count && walk->page_count == 0;
    return *ret_done && walk->damaged ? FG_ECORRUPT : 0;
}

int fg_segment_pruning_new(struct fg_segment *segment, const struct fg_predicate *predicate,
                           uint64_t start_ns_min, uint64_t start_ns_max, bool newest_first,
                           struct fg_segment_pruning **ret_pruning)
{
    struct fg_segment_pruning *walk = calloc(1, sizeof *walk);
    if (!walk)
        return FG_ENOMEM;
    *walk = (struct fg_segment_pruning){.segment = segment,
                                        .start_ns_min = start_ns_min,
                                        .start_ns_max = start_ns_max,
                                        .newest_first = newest_first};
    int r = fg_pruner_init(&walk->pruner, segment, predicate, &walk->counters.bytes_read);
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
    fg_pruner_free(&walk->pruner);
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
