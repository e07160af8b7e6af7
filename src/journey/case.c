/* Laying a journey's spans out for the rules. */
#include "case.h"

#include "base/limits.h"
#include "journey/message.h"
#include "key_rule.h"
#include "span/builder.h"
#include "store/trace_reader.h"

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
    [FG_KEY_SERVER_PORT] = {"server.port", "net.peer.port"},
    [FG_KEY_DB_OPERATION] = {"db.operation.name", "db.operation"},
    [FG_KEY_DB_QUERY] = {"db.query.text", "db.statement"},
    [FG_KEY_MESSAGE_ID] = {"messaging.message.id", "messaging.message_id"},
    [FG_KEY_MESSAGE_SHAPE] = {"messaging.message.shape", NULL},
    [FG_KEY_SAMPLE_RATE] = {"SampleRate", "sampling.rate"},
    [FG_KEY_SUBSCRIPTION] = {"messaging.destination.subscription.name", "messaging.source.name"},
    [FG_KEY_REDELIVERED] = {FG_REDELIVERED_ATTRIBUTE, NULL},
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

/* Ports that say nothing beside the kind of the one who listens. */
static bool is_usual_port(struct fg_slice port)
{
    static const char *const usual[] = {"80",   "443",  "5432",  "3306", "1433", "1521",
                                        "5671", "5672", "27017", "6379", "9092", "4222"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (fg_slice_equal(port, fg_slice_from_string(usual[i])))
            return true;
    return false;
}

struct fg_slice fg_case_peer(const struct fg_case *c, uint32_t row, enum fg_case_key otherwise)
{
    struct fg_slice address = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS),
                    port = fg_case_text(c, row, FG_KEY_SERVER_PORT);
    if (address.size == 0)
        return fg_case_text(c, row, otherwise);
    if (port.size == 0 || is_usual_port(port))
        return address;
    return fg_case_say(c, "%.*s:%.*s", (int)address.size, (const char *)address.data,
                       (int)port.size, (const char *)port.data);
}

struct fg_slice fg_case_queue(const struct fg_case *c, uint32_t row)
{
    struct fg_slice queue = fg_case_text(c, row, FG_KEY_SUBSCRIPTION), name = fg_case_name(c, row);
    if (queue.size > 0)
        return queue;
    /* amqplib's instrumentation tells it in the name alone: "QUEUE process" */
    static const char suffix[] = " process";
    size_t size = sizeof suffix - 1;
    if (name.size > size && memcmp(name.data + name.size - size, suffix, size) == 0)
        return fg_slice(name.data, name.size - size);
    queue = fg_case_text(c, row, FG_KEY_DESTINATION);
    const uint8_t *colon = queue.size > 0 ? memrchr(queue.data, ':', queue.size) : NULL;
    if (!colon)
        return queue;
    return fg_slice(colon + 1, (size_t)(queue.data + queue.size - colon - 1));
}

struct fg_watch_where fg_case_where(const struct fg_case *c, uint32_t row)
{
    struct fg_watch_where where = {.kind = (enum fg_place_kind)c->component[row],
                                   .address = fg_case_text(c, row, FG_KEY_SERVER_ADDRESS)};
    struct fg_slice port = fg_case_text(c, row, FG_KEY_SERVER_PORT);
    for (size_t i = 0; i < port.size && i < 5 && isdigit(port.data[i]); i++)
        where.port = where.port * 10 + (uint32_t)(port.data[i] - '0');
    switch (where.kind) {
    case FG_PLACE_DATABASE:
        where.name = fg_case_text(c, row, FG_KEY_DB_NAMESPACE);
        break;
    case FG_PLACE_OBJECT_STORE:
        where.name = fg_case_text(c, row, FG_KEY_S3_BUCKET);
        break;
    case FG_PLACE_PRODUCER:
    case FG_PLACE_CONSUMER:
    case FG_PLACE_BROKER:
        if (where.kind == FG_PLACE_CONSUMER) /* a producer names an exchange, which is no queue */
            where.name = fg_case_queue(c, row);
        where.kind = FG_PLACE_BROKER;
        break;
    case FG_PLACE_APPLICATION:
        if (c->batch->kind[row] == FG_SPAN_KIND_CLIENT)
            break;
        return (struct fg_watch_where){.kind = FG_PLACE_NONE};
    default:
        return (struct fg_watch_where){.kind = FG_PLACE_NONE};
    }
    return where;
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

static bool is_same_message(const struct fg_case *c, uint32_t a, uint32_t b)
{
    struct fg_slice id = fg_case_text(c, a, FG_KEY_MESSAGE_ID);
    return id.size > 0 && fg_slice_equal(id, fg_case_text(c, b, FG_KEY_MESSAGE_ID));
}

uint32_t fg_case_publisher(const struct fg_case *c, uint32_t consumer)
{
    const struct fg_batch *batch = c->batch;
    if (c->parent[consumer] != FG_TREE_NONE)
        return c->parent[consumer];
    for (uint32_t i = batch->link_count ? batch->link_begin[consumer] : 0;
         batch->link_count && i < batch->link_begin[consumer + 1]; i++)
        for (uint32_t row = 0; row < batch->span_count; row++)
            if (batch->span_id[row] == batch->link_span_id[i] &&
                batch->trace_id_low[row] == batch->link_trace_id_low[i] &&
                batch->trace_id_high[row] == batch->link_trace_id_high[i])
                return row;
    for (uint32_t row = 0; row < batch->span_count; row++)
        if (c->component[row] == FG_PLACE_PRODUCER && is_same_message(c, row, consumer))
            return row;
    return FG_TREE_NONE;
}

bool fg_case_takes(const struct fg_case *c, uint32_t row, uint32_t publish)
{
    const struct fg_batch *batch = c->batch;
    if (batch->kind[row] != FG_SPAN_KIND_CONSUMER)
        return false;
    if (c->parent[row] == publish || is_same_message(c, row, publish))
        return true;
    for (uint32_t i = batch->link_count ? batch->link_begin[row] : 0;
         batch->link_count && i < batch->link_begin[row + 1]; i++)
        if (batch->link_span_id[i] == batch->span_id[publish] &&
            batch->link_trace_id_low[i] == batch->trace_id_low[publish] &&
            batch->link_trace_id_high[i] == batch->trace_id_high[publish])
            return true;
    return false;
}

uint32_t fg_case_consumer(const struct fg_case *c, uint32_t publish)
{
    for (uint32_t row = 0; row < c->batch->span_count; row++)
        if (fg_case_takes(c, row, publish))
            return row;
    return FG_TREE_NONE;
}

uint32_t fg_case_count_taken(const struct fg_case *c, uint32_t publish, uint32_t consumer,
                             uint32_t *ret_failed)
{
    uint32_t count = 0, failed = 0;
    for (uint32_t row = consumer; row < c->batch->span_count; row++)
        if (c->batch->name[row] == c->batch->name[consumer] &&
            c->batch->resource_service[c->batch->resource[row]] ==
                c->batch->resource_service[c->batch->resource[consumer]] &&
            fg_case_takes(c, row, publish)) {
            count++;
            failed += fg_case_failed(c, row);
        }
    *ret_failed = failed;
    return count;
}

/* Whether an earlier row of the same reader took it as well. */
static bool is_again(const struct fg_case *c, uint32_t publish, uint32_t row)
{
    struct fg_slice says = fg_case_text(c, row, FG_KEY_REDELIVERED);
    if (says.size > 0)
        return fg_slice_equal(says, FG_SLICE("true"));
    for (uint32_t before = 0; before < row; before++)
        if (fg_slice_equal(fg_case_service(c, before), fg_case_service(c, row)) &&
            fg_case_takes(c, before, publish))
            return true;
    return false;
}

struct fg_deliveries fg_case_deliveries(const struct fg_case *c, uint32_t publish)
{
    struct fg_deliveries all = {.count = 0};
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        if (!fg_case_takes(c, row, publish))
            continue;
        bool failed = fg_case_failed(c, row);
        all.count++;
        all.rejected += failed;
        all.ended_well += !failed && c->batch->end_ns[row] != 0;
        all.redelivered += is_again(c, publish, row);
        if (all.first_ns == 0 || c->batch->start_ns[row] < all.first_ns)
            all.first_ns = c->batch->start_ns[row];
    }
    return all;
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

/* The journey that a row names: by the key, or by a rule; {NULL, 0}: none. */
static struct fg_slice named_value(const struct fg_case *c, uint32_t row, uint32_t key_id)
{
    struct fg_slice value = fg_case_attr(c, row, key_id);
    for (uint32_t i = 0; !value.data && c->flows && i < c->flows->key_rule_count; i++) {
        const struct fg_key_rule *rule = &c->flows->key_rules[i];
        if (!fg_slice_equal(rule->key, c->key))
            continue;
        struct fg_slice text = fg_slice_equal(rule->from, FG_SLICE("name"))
                                   ? fg_case_name(c, row)
                                   : fg_case_attr(c, row, fg_string_id(c->batch, rule->from));
        if (text.size > 0)
            value = fg_key_rule_value(rule, text);
        if (value.size == 0)
            value = (struct fg_slice){0};
    }
    return value;
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
            struct fg_slice value = named_value(c, row, key_id);
            others |= value.data && !fg_slice_equal(value, c->value);
        }
        for (uint32_t row = begin; row < trace_ends[t]; row++) {
            uint32_t above = row;
            struct fg_slice value = named_value(c, row, key_id);
            while (others && !value.data && c->parent[above] != FG_TREE_NONE) {
                above = c->parent[above];
                value = named_value(c, above, key_id);
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

static void find_stand(struct fg_case *c, const struct fg_hop_deadline *deadlines)
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
    if (c->expected_step == FG_FLOW_STEP_NONE)
        return;
    c->hop = deadlines ? deadlines[c->expected_step]
                       : (struct fg_hop_deadline){.ns = c->flow->steps[c->expected_step].within_ns};
    c->hop_is_new = c->hop.from_ns > from_ns;
    if (c->hop.ns > 0)
        c->deadline_ns = (c->hop_is_new ? c->hop.from_ns : from_ns) + c->hop.ns;
}

/* Who comes to the last step by history is judged as of what was read of it, but never as of before
 * what its own spans tell. */
static void find_now(struct fg_case *c, const struct fg_history *history)
{
    uint32_t row = c->last_step == FG_FLOW_STEP_NONE ? FG_TREE_NONE : c->reached_row[c->last_step];
    uint64_t now_ns = history->until_ns > c->last_ns ? history->until_ns : c->last_ns;
    if (history->begin_ns == 0 || row == FG_TREE_NONE || now_ns >= c->now_ns)
        return;
    uint64_t received_ns = c->batch->received_ns[row];
    if (received_ns < history->begin_ns ||
        received_ns <= c->batch->end_ns[row] + FG_JOURNEY_GRACE_NS)
        return;
    c->history_left_ns = c->now_ns - now_ns;
    c->now_ns = now_ns;
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
                        .deafness = wanted->deafness,
                        .neighbours = wanted->neighbours,
                        .tenant = wanted->tenant,
                        .instances = wanted->instances,
                        .watch = wanted->watch,
                        .flows = wanted->flows,
                        .waiting_count = wanted->waiting_count,
                        .truncated = wanted->more_traces,
                        .flow_is_provisional = wanted->flow_is_provisional,
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
    r = fg_case_set_clocks(&c, batch);
    if (r == 0)
        r = find_steps(&c);
    if (r < 0)
        return r;
    for (uint32_t i = 0; c.flow && wanted->reached_ns && i < c.flow->step_count; i++)
        if ((wanted->reached >> i & 1) && (c.reached >> i & 1) == 0) {
            c.reached |= UINT64_C(1) << i;
            c.reached_ns[i] = wanted->reached_ns[i];
            c.reached_row[i] = FG_TREE_NONE;
        }
    find_stand(&c, wanted->deadlines);
    find_now(&c, &wanted->history);
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
        int r = fg_trace_reader_read(wanted->reader, wanted->tenant, wanted->traces[i].high,
                                     wanted->traces[i].low, 0, builder, &result);
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

void fg_case_learn(const struct fg_case *c)
{
    const struct fg_batch *batch = c->batch;
    struct fg_slice nobody = {0};
    for (uint32_t row = 0; c->watch && row < batch->span_count; row++) {
        struct fg_watch_where where = fg_case_where(c, row);
        uint32_t above = c->parent[row];
        if (where.kind != FG_PLACE_NONE && where.address.size > 0)
            fg_watch_use(c->watch, fg_case_service(c, row), &where, nobody);
        if (batch->kind[row] != FG_SPAN_KIND_SERVER || above == FG_TREE_NONE ||
            batch->kind[above] != FG_SPAN_KIND_CLIENT)
            continue;
        where = fg_case_where(c, above);
        if (where.kind == FG_PLACE_APPLICATION)
            fg_watch_use(c->watch, fg_case_service(c, above), &where, fg_case_service(c, row));
    }
}
