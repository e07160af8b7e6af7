#include "api/intake.h"

#include "api/batch_visit.h"
#include "api/value_clean.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/units.h"
#include "base/utf8.h"
#include "export_scope.h"

#include <stdio.h>

#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE  8
/* Replaced texts of one span, or of one resource or scope: three bytes for each that came. */
#define SCRATCH_BYTES_MAX (3 * FG_REQUEST_INFLATED_SIZE_MAX)

static const struct {
    const char *name;
    const char *text;
} reasons[FG_REJECT_COUNT] = {
    [FG_REJECT_TRACE_ID_SIZE] = {"trace_id_size", "trace id is not 16 bytes"},
    [FG_REJECT_TRACE_ID_ZERO] = {"trace_id_zero", "trace id is all zero"},
    [FG_REJECT_SPAN_ID_SIZE] = {"span_id_size", "span id is not 8 bytes"},
    [FG_REJECT_SPAN_ID_ZERO] = {"span_id_zero", "span id is all zero"},
    [FG_REJECT_PARENT_ID_SIZE] = {"parent_id_size", "parent span id is neither empty nor 8 bytes"},
    [FG_REJECT_START_MISSING] = {"start_missing", "start time is not set"},
    [FG_REJECT_START_OLD] = {"start_old", "start time is older than the retention"},
    [FG_REJECT_TOO_MANY] = {"too_many", "more spans than one request may bring"},
};

const char *fg_reject_name(enum fg_reject reason)
{
    return reasons[reason].name;
}

void fg_intake_init(struct fg_intake *intake, struct fg_builder *builder)
{
    *intake = (struct fg_intake){.builder = builder};
    fg_arena_init(&intake->scratch, SCRATCH_BYTES_MAX);
}

void fg_intake_free(struct fg_intake *intake)
{
    fg_arena_free(&intake->scratch);
}

void fg_intake_begin(struct fg_intake *intake, const struct fg_intake_rules *rules, uint64_t now_ns)
{
    fg_builder_reset(intake->builder);
    fg_arena_reset(&intake->scratch);
    intake->counts = (struct fg_intake_counts){0};
    intake->rules = *rules;
    intake->now_ns = now_ns;
    bool for_ever = rules->retention_age_ns == 0 || rules->retention_age_ns > now_ns;
    intake->start_ns_min = for_ever ? 0 : now_ns - rules->retention_age_ns;
    intake->start_ns_max = now_ns + FG_START_AHEAD_NS_MAX;
}

uint64_t fg_intake_rejected(const struct fg_intake_counts *counts)
{
    uint64_t total = 0;
    for (size_t i = 0; i < FG_REJECT_COUNT; i++)
        total += counts->rejected_spans[i];
    return total;
}

void fg_intake_describe(const struct fg_intake *intake, struct fg_buffer *text)
{
    bool first = true;
    for (size_t i = 0; i < FG_REJECT_COUNT; i++) {
        uint64_t count = intake->counts.rejected_spans[i];
        if (count == 0)
            continue;
        fg_buffer_append_format(text, "%s%llu %s: %s", first ? "" : "; ", (unsigned long long)count,
                                count == 1 ? "span" : "spans", reasons[i].text);
        first = false;
        if (i != FG_REJECT_START_OLD)
            continue;
        char age[FG_UNITS_TEXT_SIZE];
        fg_duration_format(intake->rules.retention_age_ns, age);
        fg_buffer_append_format(text, " (%s)", age);
    }
}

static void note_changes(struct fg_intake *intake, const struct fg_value_changes *changes,
                         uint16_t *marks)
{
    intake->counts.redacted_attributes += changes->dropped_count;
    intake->counts.redacted_values += changes->redacted_count;
    intake->counts.replaced_texts += changes->text;
    *marks |=
        (uint16_t)((changes->dropped_count || changes->redacted_count ? FG_MARK_REDACTED : 0) |
                   (changes->text ? FG_MARK_INVALID_TEXT : 0));
}

/* A text that is no attribute's, by its name in the rules: well-formed, and without what may not be
 * kept. The marks go to *marks. */
static int clean(struct fg_intake *intake, struct fg_slice name, struct fg_slice text,
                 uint16_t *marks, struct fg_slice *ret_text)
{
    struct fg_value_changes changes = {0};
    int r = fg_text_clean(intake->rules.redactor, name, text, &intake->scratch, &changes, ret_text);
    note_changes(intake, &changes, marks);
    return r;
}

/* A key, well-formed. */
static int clean_key(struct fg_intake *intake, uint16_t *marks, struct fg_slice *key)
{
    if (fg_utf8_valid(*key))
        return 0;
    struct fg_value_changes changes = {.text = true};
    *key = fg_utf8_sanitize(*key, &intake->scratch);
    note_changes(intake, &changes, marks);
    return key->data ? 0 : FG_ELIMIT;
}

static struct fg_value typed(const struct fg_otlp_value *value)
{
    uint64_t bits;
    switch (value->type) {
    case FG_OTLP_STRING:
        return (struct fg_value){.type = FG_VALUE_STRING, .bytes = value->string};
    case FG_OTLP_BOOL:
        return (struct fg_value){.type = FG_VALUE_BOOL, .bits = value->boolean};
    case FG_OTLP_INT:
        return (struct fg_value){.type = FG_VALUE_INT, .bits = (uint64_t)value->integer};
    case FG_OTLP_DOUBLE:
        memcpy(&bits, &value->number, sizeof bits);
        return (struct fg_value){.type = FG_VALUE_DOUBLE, .bits = bits};
    case FG_OTLP_BYTES:
        return (struct fg_value){.type = FG_VALUE_BYTES, .bytes = value->bytes};
    case FG_OTLP_ARRAY:
        return (struct fg_value){.type = FG_VALUE_ARRAY, .bytes = value->encoded};
    case FG_OTLP_KVLIST:
        return (struct fg_value){.type = FG_VALUE_KVLIST, .bytes = value->encoded};
    case FG_OTLP_EMPTY:
        break;
    }
    return (struct fg_value){.type = FG_VALUE_EMPTY};
}

/* The way of every attribute. Returns 0 with what is to be appended, FG_VALUE_DROPPED, or an error.
 */
static int prepare(struct fg_intake *intake, uint16_t *marks, const struct fg_otlp_value *value,
                   struct fg_slice *key, struct fg_value *ret_value)
{
    struct fg_otlp_value cleaned;
    struct fg_value_changes changes = {0};
    int r = clean_key(intake, marks, key);
    if (r < 0)
        return r;
    r = fg_value_clean(intake->rules.redactor, *key, value, &intake->scratch, &changes, &cleaned);
    changes.dropped_count += r == FG_VALUE_DROPPED;
    note_changes(intake, &changes, marks);
    if (r == 0)
        *ret_value = typed(&cleaned);
    return r;
}

typedef int (*append_fn)(struct fg_builder *builder, struct fg_slice key,
                         const struct fg_value *value);

static int attribute(struct fg_intake *intake, append_fn append, uint16_t *marks,
                     struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_value stored;
    intake->counts.attributes++;
    int r = prepare(intake, marks, value, &key, &stored);
    return r == 0 ? append(intake->builder, key, &stored) : r == FG_VALUE_DROPPED ? 0 : r;
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    struct fg_intake *intake = arg;
    intake->resource = *resource;
    intake->resource_marks = 0;
    intake->sender = (struct fg_instance_note){.pid = 0};
    return fg_builder_resource_begin(intake->builder);
}

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_intake *intake = arg;
    struct fg_value stored;
    int r = prepare(intake, &intake->resource_marks, value, &key, &stored);
    if (r != 0)
        return r == FG_VALUE_DROPPED ? 0 : r;
    fg_export_scope_resource(intake, key, &stored);
    return fg_builder_resource_attr(intake->builder, key, &stored);
}

static int resource_end(void *arg)
{
    struct fg_intake *intake = arg;
    struct fg_slice schema_url;
    int r = clean(intake, FG_SLICE("schema_url"), intake->resource.schema_url,
                  &intake->resource_marks, &schema_url);
    if (r == 0)
        r = fg_builder_resource_end(intake->builder, schema_url,
                                    intake->resource.dropped_attributes_count,
                                    &intake->resource_id);
    fg_arena_reset(&intake->scratch);
    return r;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct fg_intake *intake = arg;
    intake->scope = *scope;
    intake->scope_marks = 0;
    fg_export_scope_begin(intake, scope->name);
    return fg_builder_scope_begin(intake->builder);
}

static int scope_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_intake *intake = arg;
    struct fg_value stored;
    int r = prepare(intake, &intake->scope_marks, value, &key, &stored);
    if (r != 0)
        return r == FG_VALUE_DROPPED ? 0 : r;
    if (fg_export_scope_take(intake, key, &stored))
        return 0;
    return fg_builder_scope_attr(intake->builder, key, &stored);
}

static int scope_end(void *arg)
{
    struct fg_intake *intake = arg;
    struct fg_slice name, version, schema_url;
    fg_export_scope_end(intake);
    int r = clean(intake, FG_SLICE("scope.name"), intake->scope.name, &intake->scope_marks, &name);
    if (r == 0)
        r = clean(intake, FG_SLICE("scope.version"), intake->scope.version, &intake->scope_marks,
                  &version);
    if (r == 0)
        r = clean(intake, FG_SLICE("schema_url"), intake->scope.schema_url, &intake->scope_marks,
                  &schema_url);
    if (r == 0)
        r = fg_builder_scope_end(intake->builder, name, version, schema_url,
                                 intake->scope.dropped_attributes_count, &intake->scope_id);
    fg_arena_reset(&intake->scratch);
    return r;
}

static bool all_zero(struct fg_slice id)
{
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i])
            return false;
    return true;
}

/* FG_REJECT_COUNT where nothing is against it. */
static enum fg_reject judge(const struct fg_intake *intake, const struct fg_otlp_span *span)
{
    if (span->trace_id.size != TRACE_ID_SIZE)
        return FG_REJECT_TRACE_ID_SIZE;
    if (all_zero(span->trace_id))
        return FG_REJECT_TRACE_ID_ZERO;
    if (span->span_id.size != SPAN_ID_SIZE)
        return FG_REJECT_SPAN_ID_SIZE;
    if (all_zero(span->span_id))
        return FG_REJECT_SPAN_ID_ZERO;
    if (span->parent_span_id.size && span->parent_span_id.size != SPAN_ID_SIZE)
        return FG_REJECT_PARENT_ID_SIZE;
    if (span->start_ns == 0)
        return FG_REJECT_START_MISSING;
    if (span->start_ns < intake->start_ns_min)
        return FG_REJECT_START_OLD;
    if (intake->counts.accepted_spans >= FG_REQUEST_SPANS_MAX)
        return FG_REJECT_TOO_MANY;
    return FG_REJECT_COUNT;
}

static uint16_t judge_times(struct fg_intake *intake, const struct fg_otlp_span *span)
{
    uint16_t marks = 0;
    if (span->start_ns > intake->start_ns_max) {
        intake->counts.filed_by_receipt++;
        marks |= FG_MARK_FILED_BY_RECEIPT;
    }
    if (span->end_ns && span->end_ns < span->start_ns) {
        intake->counts.ends_before_start++;
        marks |= FG_MARK_END_BEFORE_START;
    }
    intake->counts.open_spans += span->end_ns == 0;
    return marks;
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct fg_intake *intake = arg;
    enum fg_reject reason = judge(intake, span);
    if (reason != FG_REJECT_COUNT) {
        intake->counts.rejected_spans[reason]++;
        return FG_OTLP_SKIP;
    }
    intake->span = (struct fg_span){
        .trace_id_high = fg_load_be64(span->trace_id.data),
        .trace_id_low = fg_load_be64(span->trace_id.data + 8),
        .span_id = fg_load_be64(span->span_id.data),
        .parent_span_id = span->parent_span_id.size ? fg_load_be64(span->parent_span_id.data) : 0,
        .start_ns = span->start_ns,
        .end_ns = span->end_ns,
        .received_ns = intake->now_ns,
        .resource = intake->resource_id,
        .scope = intake->scope_id,
        .flags = span->flags,
        .dropped_attrs = span->dropped_attributes_count,
        .dropped_events = span->dropped_events_count,
        .dropped_links = span->dropped_links_count,
        .kind = span->kind >= 0 && span->kind <= UINT8_MAX ? (uint8_t)span->kind : 0,
        .status = span->status_code >= 0 && span->status_code <= FG_STATUS_ERROR
                      ? (uint8_t)span->status_code
                      : FG_STATUS_UNSET,
    };
    uint16_t marks = (uint16_t)(intake->resource_marks | intake->scope_marks |
                                (span->shared ? FG_MARK_SHARED : 0) | judge_times(intake, span));
    int r = clean(intake, FG_SLICE("span.name"), span->name, &marks, &intake->span.name);
    if (r == 0)
        r = clean(intake, FG_SLICE("span.trace_state"), span->trace_state, &marks,
                  &intake->span.trace_state);
    if (r == 0)
        r = clean(intake, FG_SLICE("span.status_message"), span->status_message, &marks,
                  &intake->span.status_message);
    intake->span.marks = marks;
    return r < 0 ? r : fg_builder_span_begin(intake->builder);
}

/* What an export of Filigree says of a span comes back as marks, not as an attribute. */
static uint16_t marks_from_value(const struct fg_otlp_value *value)
{
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    uint16_t marks = 0;
    while (fg_otlp_items_next(&items, &key, &item))
        marks |= item.type == FG_OTLP_STRING ? fg_mark_from_name(item.string) : 0;
    return marks;
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_intake *intake = arg;
    if (fg_slice_equal(key, FG_SLICE(FG_MARKS_KEY))) {
        intake->span.marks |= marks_from_value(value);
        return 0;
    }
    return attribute(intake, fg_builder_span_attr, &intake->span.marks, key, value);
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct fg_intake *intake = arg;
    intake->event = *event;
    return fg_builder_event_begin(intake->builder);
}

static int event_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_intake *intake = arg;
    return attribute(intake, fg_builder_event_attr, &intake->span.marks, key, value);
}

static int event_end(void *arg)
{
    struct fg_intake *intake = arg;
    struct fg_slice name;
    int r = clean(intake, FG_SLICE("event.name"), intake->event.name, &intake->span.marks, &name);
    if (r < 0)
        return r;
    return fg_builder_event_end(intake->builder, intake->event.time_ns, name,
                                intake->event.dropped_attributes_count);
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    struct fg_intake *intake = arg;
    if (link->trace_id.size != TRACE_ID_SIZE || link->span_id.size != SPAN_ID_SIZE) {
        intake->counts.dropped_links++;
        intake->span.dropped_links++;
        return FG_OTLP_SKIP;
    }
    intake->link = (struct fg_link){
        .trace_id_high = fg_load_be64(link->trace_id.data),
        .trace_id_low = fg_load_be64(link->trace_id.data + 8),
        .span_id = fg_load_be64(link->span_id.data),
        .flags = link->flags,
        .dropped_attrs = link->dropped_attributes_count,
    };
    int r = clean(intake, FG_SLICE("span.trace_state"), link->trace_state, &intake->span.marks,
                  &intake->link.trace_state);
    return r < 0 ? r : fg_builder_link_begin(intake->builder);
}

static int link_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_intake *intake = arg;
    return attribute(intake, fg_builder_link_attr, &intake->span.marks, key, value);
}

static int link_end(void *arg)
{
    struct fg_intake *intake = arg;
    return fg_builder_link_end(intake->builder, &intake->link);
}

static int span_end(void *arg)
{
    struct fg_intake *intake = arg;
    int r = fg_builder_span_end(intake->builder, &intake->span);
    fg_arena_reset(&intake->scratch);
    intake->counts.accepted_spans += r == 0;
    return r;
}

const struct fg_otlp_visitor fg_intake_visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = resource_attribute,
    .resource_end = resource_end,
    .scope_begin = scope_begin,
    .scope_attribute = scope_attribute,
    .scope_end = scope_end,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = event_attribute,
    .event_end = event_end,
    .link_begin = link_begin,
    .link_attribute = link_attribute,
    .link_end = link_end,
    .span_end = span_end,
};
