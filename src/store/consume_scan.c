/* Reading all that is stored, for consumers that are new or missed records. */
#include "store/consumer.h"
#include "store_internal.h"

#include <stdlib.h>

struct rescan {
    struct fg_store *store;
    const struct fg_consumer_scan *scan;
    uint32_t *tenants;
    size_t tenant_count, tenant_capacity;
    uint32_t tenant; /* that is read */
    uint64_t frontier_ns;
    uint64_t done_spans, total_spans;
    int result; /* what rows() returned */
};

/* -- Whose spans there are */

static int add_tenant(struct rescan *rescan, uint32_t tenant)
{
    for (size_t i = 0; i < rescan->tenant_count; i++)
        if (rescan->tenants[i] == tenant)
            return 0;
    if (rescan->tenant_count == rescan->tenant_capacity) {
        size_t capacity = rescan->tenant_capacity ? 2 * rescan->tenant_capacity : 16;
        uint32_t *tenants = realloc(rescan->tenants, capacity * sizeof *tenants);
        if (!tenants)
            return FG_ENOMEM;
        rescan->tenants = tenants;
        rescan->tenant_capacity = capacity;
    }
    rescan->tenants[rescan->tenant_count++] = tenant;
    return 0;
}

static int on_segment(void *arg, const struct fg_segment_stats *segment)
{
    struct rescan *rescan = arg;
    rescan->total_spans += segment->span_count;
    return add_tenant(rescan, segment->tenant);
}

static int add_heads(struct rescan *rescan)
{
    struct fg_store *store = rescan->store;
    int r = 0;
    fg_mutex_lock(&store->lock);
    struct fg_head *heads[2] = {store->sealing ? fg_head_ref(store->sealing) : NULL,
                                fg_head_ref(store->active)};
    fg_mutex_unlock(&store->lock);
    for (int i = 0; i < 2; i++) {
        if (!heads[i])
            continue;
        struct fg_head_info info = fg_head_info(heads[i]);
        struct fg_head_cursor cursor = fg_head_begin(&info);
        rescan->total_spans += info.span_count;
        for (const struct fg_head_entry *entry; r == 0 && (entry = fg_head_next(&cursor));)
            r = add_tenant(rescan, entry->tenant);
        fg_head_unref(heads[i]);
    }
    return r;
}

/* -- One tenant's */

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct rescan *rescan = arg;
    rescan->frontier_ns = rows->frontier_ns;
    if (rows->row_begin == rows->row_end)
        return 0;
    rescan->done_spans += rows->row_end - rows->row_begin;
    rescan->result = rescan->scan->rows(rescan->scan->arg, rescan->tenant, rows);
    if (rescan->scan->progress)
        rescan->scan->progress(rescan->scan->arg, rescan->done_spans, rescan->total_spans);
    return rescan->result;
}

static bool is_cancelled(void *arg)
{
    const struct rescan *rescan = arg;
    return rescan->scan->is_cancelled && rescan->scan->is_cancelled(rescan->scan->arg);
}

/* A snapshot lives for some seconds only: the scan goes on from its frontier with another one. */
static int read_tenant(struct rescan *rescan, struct fg_read_stats *stats)
{
    uint64_t end_ns = UINT64_MAX;
    int r = FG_ETIMEOUT;
    while (r == FG_ETIMEOUT && rescan->result == 0) {
        const struct fg_scan scan = {.tenant = rescan->tenant,
                                     .start_ns_max = end_ns,
                                     .columns = rescan->scan->columns,
                                     .is_cancelled = is_cancelled,
                                     .rows = on_rows,
                                     .arg = rescan};
        rescan->frontier_ns = end_ns;
        r = fg_store_scan(rescan->store, &scan, stats);
        if (r == FG_ETIMEOUT && rescan->frontier_ns >= end_ns - 1)
            return r; /* it does not get on */
        end_ns = rescan->frontier_ns + 1;
    }
    return r;
}

int fg_consumer_rescan(struct fg_store *store, const struct fg_consumer_scan *scan,
                       struct fg_read_stats *stats)
{
    struct rescan rescan = {.store = store, .scan = scan};
    /* Heads first: what is sealed in between is in a segment. */
    int r = add_heads(&rescan);
    if (r == 0)
        r = fg_store_segments(store, on_segment, &rescan);
    for (size_t i = 0; r == 0 && i < rescan.tenant_count; i++) {
        rescan.tenant = rescan.tenants[i];
        r = read_tenant(&rescan, stats);
    }
    free(rescan.tenants);
    return r;
}
