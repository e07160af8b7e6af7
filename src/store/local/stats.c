/* What fills the disk, segment by segment and column by column. */
#include "local/local.h"

int fg_local_segments(struct fg_blocks *blocks,
                      int (*fn)(void *arg, const struct fg_segment_stats *segment), void *arg)
{
    struct fg_local_version *version = fg_local_version_take((struct fg_local *)blocks);
    int r = 0;
    for (size_t i = 0; i < version->segment_count && r == 0; i++) {
        const struct fg_manifest_segment *entry = &version->segments[i]->entry;
        const struct fg_segment_stats stats = {.tenant = entry->tenant,
                                               .day = entry->day,
                                               .id = entry->id,
                                               .level = entry->level,
                                               .span_count = entry->span_count,
                                               .trace_count = entry->trace_count,
                                               .size_bytes = entry->size_bytes,
                                               .start_ns_min = entry->start_ns_min,
                                               .start_ns_max = entry->start_ns_max};
        r = fn(arg, &stats);
    }
    fg_local_version_release(version);
    return r;
}

/* One segment's columns on their way to the caller. */
struct columns {
    int (*fn)(void *arg, const struct fg_column_stats *column);
    void *arg;
    uint32_t tenant, day;
    int result; /* the first that is not 0: nothing more is given */
};

static void give_column(void *arg, const struct fg_segment_column *column)
{
    struct columns *columns = arg;
    const struct fg_column_stats stats = {.tenant = columns->tenant,
                                          .day = columns->day,
                                          .level = column->level,
                                          .key = column->key,
                                          .size_bytes = column->size_bytes,
                                          .value_count = column->value_count};
    if (columns->result == 0)
        columns->result = columns->fn(columns->arg, &stats);
}

int fg_local_columns(struct fg_blocks *blocks,
                     int (*fn)(void *arg, const struct fg_column_stats *column), void *arg)
{
    struct fg_local_version *version = fg_local_version_take((struct fg_local *)blocks);
    int r = 0;
    for (size_t i = 0; i < version->segment_count && r == 0; i++) {
        struct fg_local_segment *segment = version->segments[i];
        struct columns columns = {
            .fn = fn, .arg = arg, .tenant = segment->entry.tenant, .day = segment->entry.day};
        if (!segment->segment)
            continue; /* said at the start */
        r = fg_segment_columns(segment->segment, give_column, &columns);
        if (r == FG_ECORRUPT) {
            struct fg_read_stats stats = {0};
            fg_local_damaged_page(segment, &stats);
            r = 0;
        }
        r = r == 0 ? columns.result : r;
    }
    fg_local_version_release(version);
    return r;
}
