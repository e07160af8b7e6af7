/* Laying a journey's spans out for the rules. */
#include "case.h"

#include "base/limits.h"
#include "span/builder.h"
#include "store/store.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const key_names[FG_KEY_COUNT][2] = {
    [FG_KEY_DB_SYSTEM] = {"db.system.name", "db.system"},
    [FG_KEY_DB_STATUS] = {"db.response.status_code", "db.sqlstate"},
    [FG_KEY_DB_NAMESPACE] = {"db.namespace", "db.name"},
    [FG_KEY_ERROR_TYPE] = {"error.type", "exception.type"},
    [FG_KEY_SERVER_ADDRESS] = {"server.address", "net.peer.name"},
    [FG_KEY_MESSAGING_SYSTEM] = {"messaging.system", NULL},
    [FG_KEY_DESTINATION] = {"messaging.destination.name", "messaging.destination"},
    [FG_KEY_ROUTING_KEY] = {"messaging.rabbitmq.destination.routing_key",
                            "messaging.rabbitmq.routing_key"},
    [FG_KEY_MESSAGING_OPERATION] = {"messaging.operation.type", "messaging.operation"},
    [FG_KEY_S3_BUCKET] = {"aws.s3.bucket", NULL},
    [FG_KEY_RPC_SERVICE] = {"rpc.service", NULL},
    [FG_KEY_HTTP_STATUS] = {"http.response.status_code", "http.status_code"},
    [FG_KEY_HTTP_METHOD] = {"http.request.method", "http.method"},
};

/* -- Texts */

struct fg_slice fg_case_say(const struct fg_case *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return (struct fg_slice){0};
    size_t used = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    return fg_arena_copy(c->arena, fg_slice(text, used));
}

bool fg_case_says(struct fg_slice text, const char *part)
{
    size_t size = strlen(part);
    for (size_t i = 0; size <= text.size && i <= text.size - size; i++) {
        size_t k = 0;
        while (k < size && tolower(text.data[i + k]) == tolower((unsigned char)part[k]))
            k++;
        if (k == size)
            return true;
    }
    return false;
}

/* -- Attributes */

static struct fg_slice value_text(const struct fg_case *c, uint8_t type, uint64_t value)
{
    if (type == FG_VALUE_STRING)
        return c->batch->strings[value];
    if (type == FG_VALUE_INT)
        return fg_case_say(c, "%" PRId64, (int64_t)value);
    if (type == FG_VALUE_BOOL)
        return value ? FG_SLICE("true") : FG_SLICE("false");
    return (struct fg_slice){0};
}

static struct fg_slice find_attr(const struct fg_case *c, const struct fg_attrs *attrs,
                                 uint32_t owner, uint32_t key_id)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; key_id && i < end; i++)
        if (attrs->key[i] == key_id)
            return value_text(c, attrs->type[i], attrs->value[i]);
    return (struct fg_slice){0};
}

struct fg_slice fg_case_attr(const struct fg_case *c, uint32_t row, uint32_t key_id)
{
    return find_attr(c, &c->batch->span_attrs, row, key_id);
}

struct fg_slice fg_case_text(const struct fg_case *c, uint32_t row, enum fg_case_key key)
{
    struct fg_slice text = fg_case_attr(c, row, c->key_ids[key][0]);
    return text.data ? text : fg_case_attr(c, row, c->key_ids[key][1]);
}

struct fg_slice fg_case_service(const struct fg_case *c, uint32_t row)
{
    return c->batch->strings[c->batch->resource_service[c->batch->resource[row]]];
}

struct fg_slice fg_case_name(const struct fg_case *c, uint32_t row)
{
    return c->batch->strings[c->batch->name[row]];
}

uint32_t fg_string_id(const struct fg_batch *batch, struct fg_slice text)
{
    for (uint32_t i = 1; text.size > 0 && i < batch->string_count; i++)
        if (fg_slice_equal(batch->strings[i], text))
            return i;
    return 0;
}

struct fg_slice fg_case_message(const struct fg_case *c, uint32_t row)
{
    const struct fg_batch *batch = c->batch;
    struct fg_slice message = batch->strings[fg_column_u32(batch->status_message, row)];
    if (message.size > 0 || batch->event_count == 0)
        return message;
    uint32_t key_id = fg_string_id(batch, FG_SLICE("exception.message"));
    for (uint32_t i = batch->event_begin[row]; i < batch->event_begin[row + 1]; i++) {
        struct fg_slice text = find_attr(c, &batch->event_attrs, i, key_id);
        if (text.size > 0)
            return text;
    }
    return (struct fg_slice){0};
}

uint64_t fg_case_moment(const struct fg_case *c, uint32_t row)
{
    return c->batch->end_ns[row] ? c->batch->end_ns[row] : c->batch->start_ns[row];
}

bool fg_case_interrupted(const struct fg_case *c, uint32_t row)
{
    return (fg_column_u16(c->batch->marks, row) & FG_MARK_INTERRUPTED) != 0;
}

bool fg_case_failed(const struct fg_case *c, uint32_t row)
{
    if (c->batch->status[row] == FG_STATUS_ERROR || fg_case_interrupted(c, row))
        return true;
    if (c->batch->kind[row] != FG_SPAN_KIND_SERVER)
        return false;
    struct fg_slice status = fg_case_text(c, row, FG_KEY_HTTP_STATUS);
    return status.size == 3 && status.data[0] == '5';
}

uint32_t fg_case_entry(const struct fg_case *c, uint32_t row)
{
    for (; row != FG_TREE_NONE; row = c->parent[row])
        if (c->batch->kind[row] == FG_SPAN_KIND_SERVER ||
            c->batch->kind[row] == FG_SPAN_KIND_CONSUMER)
            return row;
    return FG_TREE_NONE;
}

uint32_t fg_case_consumer(const struct fg_case *c, uint32_t publish)
{
    const struct fg_batch *batch = c->batch;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        if (batch->kind[row] != FG_SPAN_KIND_CONSUMER)
            continue;
        if (c->parent[row] == publish)
            return row;
        for (uint32_t i = batch->link_count ? batch->link_begin[row] : 0;
             batch->link_count && i < batch->link_begin[row + 1]; i++)
            if (batch->link_span_id[i] == batch->span_id[publish] &&
                batch->link_trace_id_low[i] == batch->trace_id_low[publish] &&
                batch->link_trace_id_high[i] == batch->trace_id_high[publish])
                return row;
    }
    return FG_TREE_NONE;
}

/* -- Laying out */

static void bind_keys(struct fg_case *c)
{
    for (unsigned i = 0; i < FG_KEY_COUNT; i++)
        for (unsigned k = 0; k < 2; k++)
            c->key_ids[i][k] =
                key_names[i][k] ? fg_string_id(c->batch, fg_slice_from_string(key_names[i][k])) : 0;
    c->language_id = fg_string_id(c->batch, FG_SLICE("telemetry.sdk.language"));
    if (c->flow) {
        c->shown_id = fg_string_id(c->batch, c->flow->shown_key);
        c->status_id = fg_string_id(c->batch, c->flow->status_key);
    }
}

/* What a span is about, by the semantic conventions. */
static enum fg_place_kind component_of(const struct fg_case *c, uint32_t row)
{
    const struct fg_batch *batch = c->batch;
    struct fg_slice language =
        find_attr(c, &batch->resource_attrs, batch->resource[row], c->language_id);
    if (fg_case_text(c, row, FG_KEY_DB_SYSTEM).size > 0)
        return FG_PLACE_DATABASE;
    if (fg_case_text(c, row, FG_KEY_S3_BUCKET).size > 0 ||
        fg_slice_equal(fg_case_text(c, row, FG_KEY_RPC_SERVICE), FG_SLICE("S3")))
        return FG_PLACE_OBJECT_STORE;
    if (batch->kind[row] == FG_SPAN_KIND_CONSUMER)
        return FG_PLACE_CONSUMER;
    if (batch->kind[row] == FG_SPAN_KIND_PRODUCER)
        return FG_PLACE_PRODUCER;
    if (fg_case_text(c, row, FG_KEY_MESSAGING_SYSTEM).size > 0) {
        struct fg_slice operation = fg_case_text(c, row, FG_KEY_MESSAGING_OPERATION);
        if (fg_slice_equal(operation, FG_SLICE("send")) ||
            fg_slice_equal(operation, FG_SLICE("create")) ||
            fg_slice_equal(operation, FG_SLICE("publish")))
            return FG_PLACE_PRODUCER;
        return FG_PLACE_BROKER;
    }
    if (fg_slice_equal(language, FG_SLICE("webjs")))
        return FG_PLACE_PAGE;
    return FG_PLACE_APPLICATION;
}

/* Parents, trace by trace: a span id names a span of its own trace only. */
static int lay_trees(struct fg_case *c, uint32_t *parent, const uint32_t *trace_ends,
                     uint32_t trace_count)
{
    const struct fg_batch *batch = c->batch;
    uint32_t begin = 0;
    for (uint32_t t = 0; t < trace_count; t++) {
        uint32_t count = trace_ends[t] - begin;
        struct fg_tree tree;
        struct fg_tree_span *spans = fg_arena_calloc(c->arena, count + 1, sizeof *spans);
        if (!spans)
            return FG_ELIMIT;
        for (uint32_t i = 0; i < count; i++)
            spans[i] = (struct fg_tree_span){
                .span_id = batch->span_id[begin + i],
                .parent_span_id = batch->parent_span_id[begin + i],
                .start_ns = batch->start_ns[begin + i],
                .process = batch->resource[begin + i],
                .is_shared = (fg_column_u16(batch->marks, begin + i) & FG_MARK_SHARED) != 0};
        int r = count ? fg_tree_build_spans(spans, count, c->arena, &tree) : 0;
        if (r < 0)
            return r;
        for (uint32_t i = 0; i < count; i++)
            parent[begin + i] =
                tree.parent[i] == FG_TREE_NONE ? FG_TREE_NONE : begin + tree.parent[i];
        begin = trace_ends[t];
    }
    return 0;
}

/* In a trace with one value of the key every span belongs to the journey. Where several meet, each
 * has the spans that name it and what lies below them. */
static void find_mine(struct fg_case *c, bool *mine, const uint32_t *trace_ends,
                      uint32_t trace_count)
{
    uint32_t key_id = fg_string_id(c->batch, c->key), begin = 0;
    for (uint32_t t = 0; t < trace_count; t++) {
        bool others = false;
        for (uint32_t row = begin; row < trace_ends[t]; row++) {
            struct fg_slice value = fg_case_attr(c, row, key_id);
            others |= value.data && !fg_slice_equal(value, c->value);
        }
        for (uint32_t row = begin; row < trace_ends[t]; row++) {
            uint32_t above = row;
            struct fg_slice value = fg_case_attr(c, row, key_id);
            while (others && !value.data && c->parent[above] != FG_TREE_NONE) {
                above = c->parent[above];
                value = fg_case_attr(c, above, key_id);
            }
            mine[row] = !others || (value.data && fg_slice_equal(value, c->value));
        }
        begin = trace_ends[t];
    }
}

static int find_steps(struct fg_case *c)
{
    const struct fg_batch *batch = c->batch;
    uint64_t *bits = fg_arena_calloc(c->arena, batch->span_count / 64 + 1, sizeof *bits);
    if (!bits)
        return FG_ELIMIT;
    for (uint32_t i = 0; c->flow && i < c->flow->step_count; i++) {
        const struct fg_flow_step *step = &c->flow->steps[i];
        struct fg_matcher *matcher;
        int r = fg_matcher_new(step->when, &matcher);
        if (r == 0)
            r = fg_matcher_bind(matcher, batch);
        if (r == 0)
            r = fg_matcher_run(matcher, 0, batch->span_count, bits);
        fg_matcher_free(matcher);
        if (r < 0)
            return r;
        for (uint32_t row = 0; row < batch->span_count; row++) {
            if ((bits[row / 64] >> (row % 64) & 1) == 0 || !c->mine[row] ||
                batch->end_ns[row] == 0 || (!step->any_status && fg_case_failed(c, row)))
                continue;
            if ((c->reached >> i & 1) == 0 || batch->end_ns[row] < c->reached_ns[i]) {
                c->reached |= UINT64_C(1) << i;
                c->reached_ns[i] = batch->end_ns[row];
                c->reached_row[i] = row;
            }
        }
    }
    return 0;
}

static void find_stand(struct fg_case *c)
{
    c->last_step = c->expected_step = FG_FLOW_STEP_NONE;
    c->first_ns = UINT64_MAX;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        if (!c->mine[row])
            continue;
        uint64_t moment_ns = fg_case_moment(c, row);
        c->row_count_mine++;
        c->first_ns = c->batch->start_ns[row] < c->first_ns ? c->batch->start_ns[row] : c->first_ns;
        c->last_ns = moment_ns > c->last_ns ? moment_ns : c->last_ns;
    }
    if (c->row_count_mine == 0)
        c->first_ns = 0;
    if (!c->flow)
        return;
    c->last_step = fg_flow_last(c->flow, c->reached);
    c->expected_step = fg_flow_expected(c->flow, c->last_step, c->reached);
    uint64_t from_ns =
        c->last_step == FG_FLOW_STEP_NONE ? c->first_ns : c->reached_ns[c->last_step];
    if (c->expected_step != FG_FLOW_STEP_NONE && c->flow->steps[c->expected_step].within_ns > 0)
        c->deadline_ns = from_ns + c->flow->steps[c->expected_step].within_ns;
}

int fg_case_lay_out(const struct fg_case_wanted *wanted, struct fg_builder *builder,
                    const uint32_t *trace_ends, uint32_t trace_count, struct fg_arena *arena,
                    struct fg_case *ret_case)
{
    struct fg_case c = {.flow = wanted->flow,
                        .flow_index = wanted->flow_index,
                        .key = wanted->key,
                        .value = wanted->value,
                        .now_ns = wanted->now_ns,
                        .neighbours = wanted->neighbours,
                        .instances = wanted->instances,
                        .waiting_count = wanted->waiting_count,
                        .truncated = wanted->more_traces,
                        .arena = arena};
    struct fg_batch *batch = fg_arena_alloc(arena, sizeof *batch);
    if (!batch)
        return FG_ELIMIT;
    fg_builder_view(builder, batch);
    c.batch = batch;
    size_t count = (size_t)batch->span_count + 1;
    uint32_t *parent = fg_arena_calloc(arena, count, sizeof *parent);
    bool *mine = fg_arena_calloc(arena, count, sizeof *mine);
    uint8_t *component = fg_arena_calloc(arena, count, sizeof *component);
    bool *has_failed_child = fg_arena_calloc(arena, count, sizeof *has_failed_child);
    if (!parent || !mine || !component || !has_failed_child)
        return FG_ELIMIT;
    bind_keys(&c);
    int r = lay_trees(&c, parent, trace_ends, trace_count);
    if (r < 0)
        return r;
    c.parent = parent;
    find_mine(&c, mine, trace_ends, trace_count);
    c.mine = mine;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        component[row] = (uint8_t)component_of(&c, row);
        if (parent[row] != FG_TREE_NONE && fg_case_failed(&c, row))
            has_failed_child[parent[row]] = true;
    }
    c.component = component;
    c.has_failed_child = has_failed_child;
    r = find_steps(&c);
    if (r < 0)
        return r;
    find_stand(&c);
    *ret_case = c;
    return 0;
}

int fg_case_read(const struct fg_case_wanted *wanted, struct fg_builder *builder,
                 struct fg_arena *arena, struct fg_case *ret_case)
{
    uint32_t *ends = fg_arena_calloc(arena, (size_t)wanted->trace_count + 1, sizeof *ends);
    bool truncated = false;
    if (!ends)
        return FG_ELIMIT;
    fg_builder_reset(builder);
    for (uint32_t i = 0; i < wanted->trace_count; i++) {
        struct fg_trace_result result = {0};
        int r = fg_store_trace(wanted->store, wanted->tenant, wanted->traces[i].high,
                               wanted->traces[i].low, builder, &result);
        if (r < 0 && r != FG_ENOTFOUND)
            return r;
        truncated |= result.truncated || result.stats.damaged_pages > 0;
        ends[i] = fg_builder_span_count(builder);
    }
    int r = fg_case_lay_out(wanted, builder, ends, wanted->trace_count, arena, ret_case);
    if (r == 0)
        ret_case->truncated |= truncated;
    return r;
}
