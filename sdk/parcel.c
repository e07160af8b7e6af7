#include "parcel.h"

#include "base/endian.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "redact/value.h"

#include <stdlib.h>

/* gRPC servers take 4 MiB unless told otherwise. */
#define REQUEST_SIZE_MAX    ((size_t)16 << 20)
#define REQUEST_SIZE_WANTED ((size_t)3 << 20)
#define SPANS_MAX           65536u
/* A span's request is larger than its stream by ids, times, and the attributes of an end. */
#define SPAN_OVERHEAD_SIZE 256u
/* An item has at least eight bytes. */
#define ITEMS_MAX (FG_STREAM_SPACE / sizeof(struct fg_item_header))
/* What cleaning and redaction of one span may need. */
#define SCRATCH_SIZE_MAX ((size_t)2 << 20)

struct fg_parcel {
    const struct fg_ring_view *view;
    const struct fg_rules *rules;
    uint32_t count;
    size_t size;          /* of the streams */
    uint64_t scopes_used; /* a bit for each */
    struct fg_buffer request;
    struct fg_otlp_encoder encoder;
    struct fg_arena arena;     /* cleaned texts of one span */
    struct fg_buffer redacted; /* one value */
    struct fg_buffer list;     /* one array */
    struct fg_parcel_counts counts;
    uint32_t names[SPANS_MAX];
    bool is_ended[SPANS_MAX];
    struct fg_item items[ITEMS_MAX];
    uint8_t stream[FG_STREAM_SPACE];
};
static_assert(FG_RING_SCOPES_MAX == 64, "a bit of scopes_used each");

int fg_parcel_new(struct fg_parcel **ret_parcel)
{
    struct fg_parcel *parcel = calloc(1, sizeof *parcel);
    if (!parcel)
        return FG_ENOMEM;
    fg_buffer_init(&parcel->request, REQUEST_SIZE_MAX);
    fg_buffer_init(&parcel->redacted, SCRATCH_SIZE_MAX);
    fg_buffer_init(&parcel->list, SCRATCH_SIZE_MAX);
    fg_arena_init(&parcel->arena, SCRATCH_SIZE_MAX);
    *ret_parcel = parcel;
    return 0;
}

void fg_parcel_free(struct fg_parcel *parcel)
{
    if (!parcel)
        return;
    fg_buffer_free(&parcel->request);
    fg_buffer_free(&parcel->redacted);
    fg_buffer_free(&parcel->list);
    fg_arena_free(&parcel->arena);
    free(parcel);
}

void fg_parcel_reset(struct fg_parcel *parcel, const struct fg_ring_view *view,
                     const struct fg_rules *rules)
{
    parcel->view = view;
    parcel->rules = rules;
    parcel->count = 0;
    parcel->size = 0;
    parcel->counts = (struct fg_parcel_counts){.torn = 0};
}

bool fg_parcel_add(struct fg_parcel *parcel, uint32_t name, bool is_ended)
{
    if (parcel->count == SPANS_MAX || parcel->size >= REQUEST_SIZE_WANTED)
        return false;
    parcel->is_ended[parcel->count] = is_ended;
    parcel->names[parcel->count++] = name;
    parcel->size += SPAN_OVERHEAD_SIZE;
    uint32_t size = fg_ring_stream_size(parcel->view, name);
    parcel->size += size < FG_STREAM_SPACE ? size : FG_STREAM_SPACE;
    return true;
}

uint32_t fg_parcel_count(const struct fg_parcel *parcel)
{
    return parcel->count;
}

uint32_t fg_parcel_name(const struct fg_parcel *parcel, uint32_t index)
{
    return parcel->names[index];
}

bool fg_parcel_is_ended(const struct fg_parcel *parcel, uint32_t index)
{
    return parcel->is_ended[index];
}

void fg_parcel_shrink(struct fg_parcel *parcel, uint32_t count)
{
    if (count < parcel->count)
        parcel->count = count;
}

struct fg_parcel_counts fg_parcel_counts(const struct fg_parcel *parcel)
{
    return parcel->counts;
}

/* -- Values ---------------------------------------------------------------------------------- */

/* text as UTF-8; valid until the arena is reset. */
static struct fg_slice clean(struct fg_parcel *parcel, struct fg_slice text)
{
    if (fg_utf8_valid(text))
        return text;
    parcel->counts.invalid_texts++;
    return fg_utf8_sanitize(text, &parcel->arena);
}

static bool is_sql_key(struct fg_slice key)
{
    return fg_slice_equal(key, FG_SLICE("db.query.text")) ||
           fg_slice_equal(key, FG_SLICE("db.statement"));
}

/* A text without what the rules forbid; valid until the next call. */
static struct fg_slice redact(struct fg_parcel *parcel, struct fg_slice key, struct fg_slice text)
{
    unsigned kinds = parcel->rules->kinds;
    struct fg_buffer *out = &parcel->redacted;
    fg_buffer_reset(out);
    size_t count;
    if ((kinds & FG_REDACT_SQL) && is_sql_key(key)) {
        count = fg_redact_sql(text, out);
    } else {
        if ((kinds & ~(unsigned)FG_REDACT_SQL) == 0 || fg_rules_is_journey(parcel->rules, key))
            return text;
        count = fg_redact_text(text, kinds, out);
    }
    if (count == 0)
        return text;
    parcel->counts.redacted += count;
    /* Rather nothing than what was to be taken out. */
    return out->error ? FG_SLICE("[redacted]") : fg_buffer_slice(out);
}

static struct fg_slice clean_text(struct fg_parcel *parcel, struct fg_slice key,
                                  struct fg_slice text)
{
    return redact(parcel, key, clean(parcel, text));
}

/* An array anew, element by element. False where it is none. */
static bool clean_array(struct fg_parcel *parcel, struct fg_slice key, struct fg_slice message,
                        struct fg_otlp_value *ret_value)
{
    struct fg_otlp_value value, element;
    struct fg_slice no_key;
    if (fg_otlp_value_decode(message, &value) < 0 || value.type != FG_OTLP_ARRAY)
        return false;
    struct fg_buffer *list = &parcel->list;
    fg_buffer_reset(list);
    size_t array = fg_pb_begin(list, FG_OTLP_ARRAY);
    struct fg_otlp_items items = fg_otlp_items(&value);
    while (fg_otlp_items_next(&items, &no_key, &element)) {
        if (element.type == FG_OTLP_STRING)
            element.string = clean_text(parcel, key, element.string);
        size_t any = fg_pb_begin(list, 1);
        fg_otlp_value_encode(list, &element);
        fg_pb_end(list, any);
    }
    fg_pb_end(list, array);
    *ret_value = (struct fg_otlp_value){.type = FG_OTLP_ARRAY, .encoded = fg_buffer_slice(list)};
    return !list->error;
}

/* False where the bytes are no value of their type. */
static bool make_value(struct fg_parcel *parcel, const struct fg_item *item,
                       struct fg_otlp_value *ret_value)
{
    uint64_t bits = 0;
    if (item->value.size == sizeof bits)
        bits = fg_load_le64(item->value.data);
    bool is_scalar = item->value.size == sizeof bits;
    switch (item->type) {
    case FG_OTLP_STRING:
        *ret_value = fg_otlp_string(clean_text(parcel, item->key, item->value));
        return true;
    case FG_OTLP_BOOL:
        *ret_value = fg_otlp_bool(bits != 0);
        return is_scalar;
    case FG_OTLP_INT:
        *ret_value = fg_otlp_int((int64_t)bits);
        return is_scalar;
    case FG_OTLP_DOUBLE:
        *ret_value = (struct fg_otlp_value){.type = FG_OTLP_DOUBLE};
        memcpy(&ret_value->number, &bits, sizeof bits);
        return is_scalar;
    case FG_OTLP_ARRAY:
        return clean_array(parcel, item->key, item->value, ret_value);
    default:
        return false;
    }
}

static void put_attribute(struct fg_parcel *parcel, fg_otlp_attribute_fn put,
                          const struct fg_item *item)
{
    struct fg_otlp_value value;
    struct fg_item cleaned = *item;
    cleaned.key = clean(parcel, item->key);
    if (fg_redact_denies(parcel->rules->denied, cleaned.key)) {
        parcel->counts.redacted++;
        return;
    }
    if (make_value(parcel, &cleaned, &value))
        (void)put(&parcel->encoder, cleaned.key, &value);
    else
        parcel->counts.torn++;
}

static void put_text(struct fg_parcel *parcel, fg_otlp_attribute_fn put, const char *key,
                     const char *text)
{
    struct fg_otlp_value value = fg_otlp_string(fg_slice_from_string(text));
    (void)put(&parcel->encoder, fg_slice_from_string(key), &value);
}

static void put_int(struct fg_parcel *parcel, fg_otlp_attribute_fn put, const char *key,
                    uint64_t number)
{
    struct fg_otlp_value value = fg_otlp_int((int64_t)number);
    (void)put(&parcel->encoder, fg_slice_from_string(key), &value);
}

/* -- A span ------------------------------------------------------------------------------------ */

/* What the items of a stream come to. */
struct summary {
    size_t item_count;
    struct fg_slice name, trace_state, status_message;
    int32_t status;
    bool has_rest; /* events or links */
};

static void summarise(struct fg_parcel *parcel, struct fg_slice stream, struct summary *summary)
{
    struct fg_item item;
    struct fg_slice rest = stream;
    while (summary->item_count < ITEMS_MAX && fg_item_next(&rest, &item)) {
        switch (item.kind) {
        case FG_ITEM_NAME:
            summary->name = item.value;
            continue;
        case FG_ITEM_STATUS:
            summary->status = item.type <= FG_OTLP_STATUS_ERROR ? item.type : 0;
            summary->status_message = item.value;
            continue;
        case FG_ITEM_TRACE_STATE:
            summary->trace_state = item.value;
            continue;
        case FG_ITEM_EVENT:
        case FG_ITEM_LINK:
            summary->has_rest = true;
            break;
        default:
            break;
        }
        parcel->items[summary->item_count++] = item;
    }
    if (rest.size)
        parcel->counts.torn++;
}

static bool is_set_again(const struct fg_parcel *parcel, size_t index, size_t count)
{
    const struct fg_item *item = &parcel->items[index];
    for (size_t i = index + 1; i < count; i++)
        if (parcel->items[i].kind == FG_ITEM_ATTRIBUTE &&
            fg_slice_equal(parcel->items[i].key, item->key))
            return true;
    return false;
}

static void put_events(struct fg_parcel *parcel, size_t count)
{
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const struct fg_item *item = &parcel->items[i];
        if (item->kind == FG_ITEM_EVENT_ATTRIBUTE && is_open) {
            put_attribute(parcel, visitor->event_attribute, item);
            continue;
        }
        if (is_open)
            (void)visitor->event_end(&parcel->encoder);
        is_open = item->kind == FG_ITEM_EVENT && item->value.size == sizeof(uint64_t);
        if (!is_open)
            continue;
        struct fg_otlp_event event = {.name = clean(parcel, item->key),
                                      .time_ns = fg_load_le64(item->value.data)};
        (void)visitor->event_begin(&parcel->encoder, &event);
    }
    if (is_open)
        (void)visitor->event_end(&parcel->encoder);
}

static void put_links(struct fg_parcel *parcel, size_t count)
{
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const struct fg_item *item = &parcel->items[i];
        if (item->kind == FG_ITEM_LINK_ATTRIBUTE && is_open) {
            put_attribute(parcel, visitor->link_attribute, item);
            continue;
        }
        if (is_open)
            (void)visitor->link_end(&parcel->encoder);
        is_open = item->kind == FG_ITEM_LINK && item->value.size == FG_LINK_VALUE_SIZE;
        if (!is_open)
            continue;
        struct fg_otlp_link link = {.trace_id = fg_slice(item->value.data, 16),
                                    .span_id = fg_slice(item->value.data + 16, 8),
                                    .flags = fg_load_le32(item->value.data + 24)};
        (void)visitor->link_begin(&parcel->encoder, &link);
    }
    if (is_open)
        (void)visitor->link_end(&parcel->encoder);
}

static void put_interruption(struct fg_parcel *parcel, const struct fg_fate *fate)
{
    fg_otlp_attribute_fn put = parcel->encoder.visitor->span_attribute;
    struct fg_buffer *list = &parcel->list;
    fg_buffer_reset(list);
    size_t array = fg_pb_begin(list, FG_OTLP_ARRAY);
    size_t any = fg_pb_begin(list, 1);
    fg_pb_put_bytes(list, FG_OTLP_STRING, FG_SLICE(FG_MARK_NAME));
    fg_pb_end(list, any);
    fg_pb_end(list, array);
    struct fg_otlp_value marks = {.type = FG_OTLP_ARRAY, .encoded = fg_buffer_slice(list)};
    (void)put(&parcel->encoder, FG_SLICE(FG_MARKS_ATTRIBUTE), &marks);
    put_text(parcel, put, FG_CAUSE_ATTRIBUTE, fate->cause);
    put_int(parcel, put, FG_LAST_ALIVE_ATTRIBUTE, fate->last_ns);
}

static void put_span(struct fg_parcel *parcel, uint32_t index, const struct fg_fate *fate)
{
    uint32_t name = parcel->names[index];
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    struct summary summary = {.item_count = 0};
    struct fg_ring_span span;
    /* One that ended since it was chosen as open goes out as open all the same, and its end with
     * the next request: else that would be the second of its kind. The last request has no next. */
    bool is_ended = fg_ring_phase(parcel->view, name) == FG_SLOT_ENDED &&
                    (parcel->is_ended[index] || fate->is_over);
    int r = fg_ring_read(parcel->view, name, parcel->stream, &span);
    if (r == FG_ENOTFOUND)
        return;
    parcel->counts.torn += r < 0;
    fg_arena_reset(&parcel->arena);
    summarise(parcel, span.stream, &summary);
    const struct fg_slot *head = span.head;
    uint64_t end_ns = is_ended ? head->head.end_ns : 0;
    bool is_interrupted = !is_ended && fate->is_over;
    if (is_interrupted) {
        end_ns = fate->last_ns > head->head.start_ns ? fate->last_ns : head->head.start_ns;
        if (summary.status == FG_OTLP_STATUS_UNSET) {
            summary.status = FG_OTLP_STATUS_ERROR;
            summary.status_message = fg_slice_from_string(fate->cause);
        }
    }
    uint64_t parent;
    memcpy(&parent, head->head.parent_span_id, sizeof parent);
    struct fg_otlp_span otlp = {
        .trace_id = fg_slice(head->head.trace_id, sizeof head->head.trace_id),
        .span_id = fg_slice(head->head.span_id, sizeof head->head.span_id),
        .parent_span_id = fg_slice(head->head.parent_span_id, parent ? sizeof parent : 0),
        .trace_state = clean(parcel, summary.trace_state),
        .name = clean(parcel, summary.name),
        .start_ns = head->head.start_ns,
        .end_ns = end_ns,
        .kind = head->head.kind,
        .status_code = summary.status,
        .flags = head->head.flags,
        .dropped_attributes_count = head->head.dropped_attributes,
        .dropped_events_count = head->head.dropped_events,
        .dropped_links_count = head->head.dropped_links,
    };
    /* Error messages quote what went wrong, addresses and tokens included. */
    otlp.status_message = clean_text(parcel, FG_SLICE("status"), summary.status_message);
    (void)visitor->span_begin(&parcel->encoder, &otlp);
    for (size_t i = 0; i < summary.item_count; i++)
        if (parcel->items[i].kind == FG_ITEM_ATTRIBUTE &&
            !is_set_again(parcel, i, summary.item_count))
            put_attribute(parcel, visitor->span_attribute, &parcel->items[i]);
    if (is_interrupted)
        put_interruption(parcel, fate);
    if (summary.has_rest) {
        put_events(parcel, summary.item_count);
        put_links(parcel, summary.item_count);
    }
    (void)visitor->span_end(&parcel->encoder);
}

/* -- The request ----------------------------------------------------------------------------------
 */

static void put_resource(struct fg_parcel *parcel)
{
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    struct fg_otlp_resource resource = {.attribute_count = 0};
    (void)visitor->resource_begin(&parcel->encoder, &resource);
    /* Fields of KeyValue, in the settings: repeated messages like a map's entries. */
    struct fg_pb_reader reader = fg_pb_reader(parcel->rules->settings);
    while (!fg_pb_reader_done(&reader)) {
        struct fg_slice entry, key = {0}, any = {0};
        struct fg_otlp_value value;
        uint32_t tag;
        if (fg_pb_read_tag(&reader, &tag) < 0)
            break;
        if (tag != FG_PB_TAG(FG_RING_SETTING_RESOURCE, FG_PB_BYTES)) {
            if (fg_pb_skip(&reader, tag) < 0)
                break;
            continue;
        }
        if (fg_pb_read_bytes(&reader, &entry) < 0)
            break;
        struct fg_pb_reader fields = fg_pb_reader(entry);
        while (fg_pb_read_tag(&fields, &tag) == 0)
            if (fg_pb_read_bytes(&fields, tag >> 3 == 1 ? &key : &any) < 0)
                break;
        if (fg_otlp_value_decode(any, &value) == 0)
            (void)visitor->resource_attribute(&parcel->encoder, clean(parcel, key), &value);
    }
    (void)visitor->resource_end(&parcel->encoder);
}

static void put_export_scope(struct fg_parcel *parcel, const struct fg_fate *fate,
                             uint64_t sequence)
{
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    const struct fg_ring_header *header = parcel->view->header;
    struct fg_otlp_scope scope = {.name = FG_SLICE(FG_PARCEL_SCOPE),
                                  .version = FG_SLICE(FG_VERSION)};
    (void)visitor->scope_begin(&parcel->encoder, &scope);
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_SEQUENCE, sequence);
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_DROPPED_FULL,
            atomic_load(&header->dropped_full));
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_DROPPED_REFUSED,
            atomic_load(&header->dropped_refused));
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_ALIVE,
            fate->is_over ? fate->last_ns : atomic_load(&header->alive_ns));
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_STARTED, header->started_ns);
    put_int(parcel, visitor->scope_attribute, FG_PARCEL_HEARTBEAT, header->heartbeat_ns);
    if (fate->is_over)
        put_text(parcel, visitor->scope_attribute,
                 fate->is_recovered ? FG_PARCEL_RECOVERED : FG_PARCEL_ENDED, fate->cause);
    (void)visitor->scope_end(&parcel->encoder);
}

static uint32_t scope_of(const struct fg_parcel *parcel, uint32_t name)
{
    uint32_t scope = parcel->view->slots[name - 1].head.scope;
    return scope < parcel->view->scope_count ? scope : 0;
}

static void put_scope(struct fg_parcel *parcel, uint32_t index, const struct fg_fate *fate)
{
    const struct fg_otlp_visitor *visitor = parcel->encoder.visitor;
    const struct fg_ring_scope *entry = &parcel->view->scopes[index];
    size_t name_size = entry->name_size, version_size = entry->version_size;
    if (name_size + version_size > sizeof entry->text)
        name_size = version_size = 0;
    struct fg_otlp_scope scope = {
        .name = clean(parcel, fg_slice(entry->text, name_size)),
        .version = clean(parcel, fg_slice(entry->text + name_size, version_size))};
    (void)visitor->scope_begin(&parcel->encoder, &scope);
    (void)visitor->scope_end(&parcel->encoder);
    for (uint32_t i = 0; i < parcel->count; i++)
        if (scope_of(parcel, parcel->names[i]) == index)
            put_span(parcel, i, fate);
}

int fg_parcel_encode(struct fg_parcel *parcel, const struct fg_fate *fate, uint64_t sequence,
                     struct fg_slice *ret_request)
{
    fg_buffer_reset(&parcel->request);
    fg_arena_reset(&parcel->arena);
    parcel->counts = (struct fg_parcel_counts){.torn = 0};
    fg_otlp_encoder_init(&parcel->encoder, FG_OTLP_PROTOBUF, &parcel->request);
    put_resource(parcel);
    put_export_scope(parcel, fate, sequence);
    parcel->scopes_used = 0;
    for (uint32_t i = 0; i < parcel->count; i++)
        parcel->scopes_used |= UINT64_C(1) << scope_of(parcel, parcel->names[i]);
    for (uint32_t index = 0; index < FG_RING_SCOPES_MAX; index++)
        if (parcel->scopes_used >> index & 1)
            put_scope(parcel, index, fate);
    int r = fg_otlp_encoder_finish(&parcel->encoder);
    if (r == 0)
        *ret_request = fg_buffer_slice(&parcel->request);
    return r;
}
