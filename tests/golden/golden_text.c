#include "golden_text.h"

#include "span/builder.h"
#include "store/rollup.h"

#include <stdio.h>
#include <stdlib.h>

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "golden: %s\n", what);
    exit(1);
}

/* -- One span */

static void put_bytes(struct fg_buffer *text, struct fg_slice bytes)
{
    fg_buffer_append_byte(text, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            fg_buffer_append_format(text, "\\x%02x", c);
        else
            fg_buffer_append_byte(text, c);
    }
    fg_buffer_append_byte(text, '"');
}

static void put_string(struct fg_buffer *text, const char *what, const struct fg_batch *batch,
                       uint32_t id)
{
    if (id == 0)
        return;
    fg_buffer_append_format(text, " %s=", what);
    put_bytes(text, batch->strings[id]);
}

static void put_number(struct fg_buffer *text, const char *what, uint64_t number)
{
    if (number)
        fg_buffer_append_format(text, " %s=%llu", what, (unsigned long long)number);
}

struct attr_order {
    const struct fg_batch *batch;
    const struct fg_attrs *attrs;
};

static int compare_keys(const void *a, const void *b, void *arg)
{
    const struct attr_order *order = arg;
    return fg_slice_compare(order->batch->strings[order->attrs->key[*(const uint32_t *)a]],
                            order->batch->strings[order->attrs->key[*(const uint32_t *)b]]);
}

/* By key, since a segment does not keep the order in which attributes came. */
static void put_attrs(struct fg_buffer *text, const struct fg_batch *batch,
                      const struct fg_attrs *attrs, uint32_t owner)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    uint32_t *places = malloc((end - begin + 1) * sizeof *places);
    must(places != NULL, "out of memory");
    for (uint32_t i = begin; i < end; i++)
        places[i - begin] = i;
    struct attr_order order = {batch, attrs};
    qsort_r(places, end - begin, sizeof *places, compare_keys, &order);
    fg_buffer_append_string(text, " {");
    for (uint32_t i = 0; i < end - begin; i++) {
        uint32_t at = places[i];
        put_bytes(text, batch->strings[attrs->key[at]]);
        fg_buffer_append_format(text, ":%u:", attrs->type[at]);
        if (fg_value_type_is_bytes(attrs->type[at]))
            put_bytes(text, batch->strings[attrs->value[at]]);
        else
            fg_buffer_append_format(text, "%llx", (unsigned long long)attrs->value[at]);
        fg_buffer_append_byte(text, ' ');
    }
    fg_buffer_append_string(text, "}");
    free(places);
}

static void put_resource(struct fg_buffer *text, const struct fg_batch *batch, uint32_t row)
{
    uint32_t resource = batch->resource[row], scope = batch->scope[row];
    put_string(text, "service", batch, batch->resource_service[resource]);
    put_string(text, "resource.schema", batch, batch->resource_schema_url[resource]);
    put_number(text, "resource.dropped", batch->resource_dropped_attrs[resource]);
    put_attrs(text, batch, &batch->resource_attrs, resource);
    put_string(text, "scope", batch, batch->scope_name[scope]);
    put_string(text, "version", batch, batch->scope_version[scope]);
    put_string(text, "scope.schema", batch, batch->scope_schema_url[scope]);
    put_number(text, "scope.dropped", batch->scope_dropped_attrs[scope]);
    put_attrs(text, batch, &batch->scope_attrs, scope);
}

static void put_events(struct fg_buffer *text, const struct fg_batch *batch, uint32_t row)
{
    uint32_t end = batch->event_begin ? batch->event_begin[row + 1] : 0;
    for (uint32_t i = batch->event_begin ? batch->event_begin[row] : 0; i < end; i++) {
        put_number(text, "event", batch->event_time_ns[i]);
        put_string(text, "name", batch, batch->event_name[i]);
        put_number(text, "dropped", fg_column_u32(batch->event_dropped_attrs, i));
        put_attrs(text, batch, &batch->event_attrs, i);
    }
}

static void put_links(struct fg_buffer *text, const struct fg_batch *batch, uint32_t row)
{
    uint32_t end = batch->link_begin ? batch->link_begin[row + 1] : 0;
    for (uint32_t i = batch->link_begin ? batch->link_begin[row] : 0; i < end; i++) {
        fg_buffer_append_format(text, " link=%016llx%016llx/%016llx",
                                (unsigned long long)batch->link_trace_id_high[i],
                                (unsigned long long)batch->link_trace_id_low[i],
                                (unsigned long long)batch->link_span_id[i]);
        put_string(text, "state", batch, fg_column_u32(batch->link_trace_state, i));
        put_number(text, "flags", fg_column_u32(batch->link_flags, i));
        put_number(text, "dropped", fg_column_u32(batch->link_dropped_attrs, i));
        put_attrs(text, batch, &batch->link_attrs, i);
    }
}

static void put_span(struct fg_buffer *text, const struct fg_batch *batch, uint32_t row)
{
    fg_buffer_append_format(
        text, "%016llx%016llx/%016llx", (unsigned long long)batch->trace_id_high[row],
        (unsigned long long)batch->trace_id_low[row], (unsigned long long)batch->span_id[row]);
    fg_buffer_append_format(text, " parent=%016llx",
                            (unsigned long long)batch->parent_span_id[row]);
    put_number(text, "start", batch->start_ns[row]);
    put_number(text, "end", batch->end_ns[row]);
    put_number(text, "received", batch->received_ns[row]);
    put_string(text, "name", batch, batch->name[row]);
    put_number(text, "kind", batch->kind[row]);
    put_number(text, "status", batch->status[row]);
    put_string(text, "message", batch, fg_column_u32(batch->status_message, row));
    put_number(text, "flags", fg_column_u32(batch->flags, row));
    put_number(text, "marks", fg_column_u16(batch->marks, row));
    put_string(text, "state", batch, fg_column_u32(batch->trace_state, row));
    put_number(text, "dropped.attrs", fg_column_u32(batch->dropped_attrs, row));
    put_number(text, "dropped.events", fg_column_u32(batch->dropped_events, row));
    put_number(text, "dropped.links", fg_column_u32(batch->dropped_links, row));
    put_attrs(text, batch, &batch->span_attrs, row);
    put_events(text, batch, row);
    put_links(text, batch, row);
    put_resource(text, batch, row);
    fg_buffer_append_byte(text, '\n');
}

/* -- All of them */

struct trace_id {
    uint64_t high, low;
};

struct traces {
    struct trace_id *ids;
    size_t count, capacity;
};

static int add_traces(void *arg, const struct fg_scan_rows *rows)
{
    struct traces *traces = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        if (traces->count == traces->capacity) {
            traces->capacity = traces->capacity ? traces->capacity * 2 : 256;
            traces->ids = realloc(traces->ids, traces->capacity * sizeof *traces->ids);
            must(traces->ids != NULL, "out of memory");
        }
        traces->ids[traces->count++] =
            (struct trace_id){rows->batch->trace_id_high[row], rows->batch->trace_id_low[row]};
    }
    return 0;
}

static int compare_traces(const void *a, const void *b)
{
    const struct trace_id *x = a, *y = b;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static int put_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct fg_buffer *text = arg;
    fg_buffer_append_format(text, "rollup %llu ", (unsigned long long)cell->minute_ns);
    put_bytes(text, cell->caller);
    put_bytes(text, cell->service);
    put_bytes(text, cell->name);
    fg_buffer_append_format(text, " %d %u %u %llu %llu", cell->is_edge, cell->kind, cell->status,
                            (unsigned long long)cell->count, (unsigned long long)cell->open_count);
    for (uint32_t i = 0; i < cell->bucket_count; i++)
        fg_buffer_append_format(text, " %u:%u", cell->buckets[i].bucket, cell->buckets[i].count);
    fg_buffer_append_byte(text, '\n');
    return 0;
}

static void put_rollup(struct fg_store *store, uint32_t tenant, struct fg_buffer *text)
{
    struct fg_rollup *rollup;
    must(fg_rollup_new(&rollup) == 0, "out of memory");
    must(fg_store_rollup(store, tenant, 0, UINT64_MAX, rollup) == 0, "rollups can't be read");
    must(fg_rollup_each(rollup, put_cell, text) == 0, "rollups can't be listed");
    fg_rollup_free(rollup);
}

static void put_spans(struct fg_store *store, uint32_t tenant, struct fg_buffer *text)
{
    struct traces traces = {0};
    struct fg_read_stats stats = {0};
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    const struct fg_scan scan = {.tenant = tenant,
                                 .start_ns_max = UINT64_MAX,
                                 .columns = FG_COLUMNS_IDS,
                                 .rows = add_traces,
                                 .arg = &traces};
    must(fg_store_scan(store, &scan, &stats) == 0 && stats.damaged_pages == 0, "scan failed");
    must(fg_builder_new(&limits, &builder) == 0, "out of memory");
    if (traces.count)
        qsort(traces.ids, traces.count, sizeof *traces.ids, compare_traces);
    for (size_t i = 0; i < traces.count; i++) {
        struct fg_trace_result result;
        struct fg_batch batch;
        if (i > 0 && compare_traces(&traces.ids[i - 1], &traces.ids[i]) == 0)
            continue;
        fg_builder_reset(builder);
        must(fg_store_trace(store, tenant, traces.ids[i].high, traces.ids[i].low, builder,
                            &result) == 0,
             "a trace can't be read");
        fg_builder_view(builder, &batch);
        for (uint32_t row = 0; row < batch.span_count; row++)
            put_span(text, &batch, row);
    }
    fg_builder_free(builder);
    free(traces.ids);
}

void golden_text(struct fg_store *store, struct fg_buffer *text)
{
    for (uint32_t tenant = 0; tenant < 2; tenant++) {
        fg_buffer_append_format(text, "tenant %u\n", tenant);
        put_spans(store, tenant, text);
    }
    fg_buffer_append_string(text, "rollups\n");
    for (uint32_t tenant = 0; tenant < 2; tenant++)
        put_rollup(store, tenant, text);
    must(text->error == 0, "out of memory");
}

/* -- Files */

struct copy {
    struct fg_env *from_env, *to_env;
    const char *from, *to;
};

static int copy_entry(void *arg, const struct fg_dir_entry *entry)
{
    const struct copy *copy = arg;
    char from[512], to[512];
    struct fg_file *in, *out;
    size_t size;
    snprintf(from, sizeof from, "%s/%s", copy->from, entry->name);
    snprintf(to, sizeof to, "%s/%s", copy->to, entry->name);
    if (entry->is_dir) {
        golden_copy(copy->from_env, from, copy->to_env, to);
        return 0;
    }
    uint8_t *bytes = malloc(entry->size + 1);
    must(bytes && fg_env_open(copy->from_env, from, FG_OPEN_READ, &in) == 0, "can't read a file");
    must(fg_file_pread(in, 0, bytes, entry->size, &size) == 0 && size == entry->size,
         "can't read a file");
    must(fg_env_open(copy->to_env, to, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE, &out) ==
                 0 &&
             fg_file_pwrite(out, 0, bytes, size) == 0 && fg_file_sync(out) == 0,
         "can't write a file");
    fg_file_close(in);
    fg_file_close(out);
    free(bytes);
    return 0;
}

void golden_copy(struct fg_env *from_env, const char *from, struct fg_env *to_env, const char *to)
{
    struct copy copy = {from_env, to_env, from, to};
    int r = fg_env_mkdir(to_env, to);
    must(r == 0 || r == FG_EEXIST, "can't make a folder");
    must(fg_env_list(from_env, from, copy_entry, &copy) == 0, "can't list a folder");
    must(fg_env_sync_dir(to_env, to) == 0, "can't sync a folder");
}
