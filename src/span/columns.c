#include "columns.h"

_Static_assert(FG_COL_COUNT <= 64, "a set of columns is one word");
_Static_assert(sizeof(struct fg_batch) <= UINT16_MAX, "view_offset has 16 bits");

/* Offset and width come from the member itself, so that they can't disagree with the view. */
#define DEFINE(member, table_, kind_, child_, rare_)                                               \
    {                                                                                              \
        .view_offset = offsetof(struct fg_batch, member), .table = table_,                         \
        .size = sizeof *((struct fg_batch *)NULL)->member, .kind = kind_, .child = child_,         \
        .is_rare = rare_                                                                           \
    }
#define COLUMN(member, table, kind)                                                                \
    DEFINE(member, FG_TABLE_##table, FG_COLUMN_##kind, FG_TABLE_COUNT, false)
#define RARE(member, table, kind)                                                                  \
    DEFINE(member, FG_TABLE_##table, FG_COLUMN_##kind, FG_TABLE_COUNT, true)
#define BEGIN(member, table, child)                                                                \
    DEFINE(member, FG_TABLE_##table, FG_COLUMN_BEGIN, FG_TABLE_##child, false)

#define ATTRS_BEGIN(owner) [FG_COL_ATTRS + 4 * FG_TABLE_##owner + FG_ATTR_BEGIN]
#define ATTRS_KEY(owner)   [FG_COL_ATTRS + 4 * FG_TABLE_##owner + FG_ATTR_KEY]
#define ATTRS_TYPE(owner)  [FG_COL_ATTRS + 4 * FG_TABLE_##owner + FG_ATTR_TYPE]
#define ATTRS_VALUE(owner) [FG_COL_ATTRS + 4 * FG_TABLE_##owner + FG_ATTR_VALUE]

const struct fg_column_def fg_column_defs[FG_COL_COUNT] = {
    ATTRS_BEGIN(RESOURCE) = BEGIN(resource_attrs.begin, RESOURCE, RESOURCE_ATTR),
    ATTRS_KEY(RESOURCE) = COLUMN(resource_attrs.key, RESOURCE_ATTR, STRING),
    ATTRS_TYPE(RESOURCE) = COLUMN(resource_attrs.type, RESOURCE_ATTR, TYPE),
    ATTRS_VALUE(RESOURCE) = COLUMN(resource_attrs.value, RESOURCE_ATTR, VALUE),
    ATTRS_BEGIN(SCOPE) = BEGIN(scope_attrs.begin, SCOPE, SCOPE_ATTR),
    ATTRS_KEY(SCOPE) = COLUMN(scope_attrs.key, SCOPE_ATTR, STRING),
    ATTRS_TYPE(SCOPE) = COLUMN(scope_attrs.type, SCOPE_ATTR, TYPE),
    ATTRS_VALUE(SCOPE) = COLUMN(scope_attrs.value, SCOPE_ATTR, VALUE),
    ATTRS_BEGIN(SPAN) = BEGIN(span_attrs.begin, SPAN, SPAN_ATTR),
    ATTRS_KEY(SPAN) = COLUMN(span_attrs.key, SPAN_ATTR, STRING),
    ATTRS_TYPE(SPAN) = COLUMN(span_attrs.type, SPAN_ATTR, TYPE),
    ATTRS_VALUE(SPAN) = COLUMN(span_attrs.value, SPAN_ATTR, VALUE),
    ATTRS_BEGIN(EVENT) = BEGIN(event_attrs.begin, EVENT, EVENT_ATTR),
    ATTRS_KEY(EVENT) = COLUMN(event_attrs.key, EVENT_ATTR, STRING),
    ATTRS_TYPE(EVENT) = COLUMN(event_attrs.type, EVENT_ATTR, TYPE),
    ATTRS_VALUE(EVENT) = COLUMN(event_attrs.value, EVENT_ATTR, VALUE),
    ATTRS_BEGIN(LINK) = BEGIN(link_attrs.begin, LINK, LINK_ATTR),
    ATTRS_KEY(LINK) = COLUMN(link_attrs.key, LINK_ATTR, STRING),
    ATTRS_TYPE(LINK) = COLUMN(link_attrs.type, LINK_ATTR, TYPE),
    ATTRS_VALUE(LINK) = COLUMN(link_attrs.value, LINK_ATTR, VALUE),
    [FG_COL_RESOURCE_SERVICE] = COLUMN(resource_service, RESOURCE, STRING),
    [FG_COL_RESOURCE_SCHEMA_URL] = COLUMN(resource_schema_url, RESOURCE, STRING),
    [FG_COL_RESOURCE_DROPPED_ATTRS] = COLUMN(resource_dropped_attrs, RESOURCE, PLAIN),
    [FG_COL_SCOPE_NAME] = COLUMN(scope_name, SCOPE, STRING),
    [FG_COL_SCOPE_VERSION] = COLUMN(scope_version, SCOPE, STRING),
    [FG_COL_SCOPE_SCHEMA_URL] = COLUMN(scope_schema_url, SCOPE, STRING),
    [FG_COL_SCOPE_DROPPED_ATTRS] = COLUMN(scope_dropped_attrs, SCOPE, PLAIN),
    [FG_COL_TRACE_ID_HIGH] = COLUMN(trace_id_high, SPAN, PLAIN),
    [FG_COL_TRACE_ID_LOW] = COLUMN(trace_id_low, SPAN, PLAIN),
    [FG_COL_SPAN_ID] = COLUMN(span_id, SPAN, PLAIN),
    [FG_COL_PARENT_SPAN_ID] = COLUMN(parent_span_id, SPAN, PLAIN),
    [FG_COL_START_NS] = COLUMN(start_ns, SPAN, PLAIN),
    [FG_COL_END_NS] = COLUMN(end_ns, SPAN, PLAIN),
    [FG_COL_RECEIVED_NS] = COLUMN(received_ns, SPAN, PLAIN),
    [FG_COL_NAME] = COLUMN(name, SPAN, STRING),
    [FG_COL_RESOURCE] = COLUMN(resource, SPAN, RESOURCE),
    [FG_COL_SCOPE] = COLUMN(scope, SPAN, SCOPE),
    [FG_COL_KIND] = COLUMN(kind, SPAN, PLAIN),
    [FG_COL_STATUS] = COLUMN(status, SPAN, STATUS),
    [FG_COL_FLAGS] = RARE(flags, SPAN, PLAIN),
    [FG_COL_MARKS] = RARE(marks, SPAN, PLAIN),
    [FG_COL_TRACE_STATE] = RARE(trace_state, SPAN, STRING),
    [FG_COL_STATUS_MESSAGE] = RARE(status_message, SPAN, STRING),
    [FG_COL_DROPPED_ATTRS] = RARE(dropped_attrs, SPAN, PLAIN),
    [FG_COL_DROPPED_EVENTS] = RARE(dropped_events, SPAN, PLAIN),
    [FG_COL_DROPPED_LINKS] = RARE(dropped_links, SPAN, PLAIN),
    [FG_COL_EVENT_BEGIN] = BEGIN(event_begin, SPAN, EVENT),
    [FG_COL_EVENT_TIME_NS] = COLUMN(event_time_ns, EVENT, PLAIN),
    [FG_COL_EVENT_NAME] = COLUMN(event_name, EVENT, STRING),
    [FG_COL_EVENT_DROPPED_ATTRS] = RARE(event_dropped_attrs, EVENT, PLAIN),
    [FG_COL_LINK_BEGIN] = BEGIN(link_begin, SPAN, LINK),
    [FG_COL_LINK_TRACE_ID_HIGH] = COLUMN(link_trace_id_high, LINK, PLAIN),
    [FG_COL_LINK_TRACE_ID_LOW] = COLUMN(link_trace_id_low, LINK, PLAIN),
    [FG_COL_LINK_SPAN_ID] = COLUMN(link_span_id, LINK, PLAIN),
    [FG_COL_LINK_TRACE_STATE] = RARE(link_trace_state, LINK, STRING),
    [FG_COL_LINK_FLAGS] = RARE(link_flags, LINK, PLAIN),
    [FG_COL_LINK_DROPPED_ATTRS] = RARE(link_dropped_attrs, LINK, PLAIN),
};

void fg_columns_view(const uint32_t counts[FG_TABLE_COUNT], void *const columns[FG_COL_COUNT],
                     struct fg_batch *ret_batch)
{
    ret_batch->resource_count = counts[FG_TABLE_RESOURCE];
    ret_batch->scope_count = counts[FG_TABLE_SCOPE];
    ret_batch->span_count = counts[FG_TABLE_SPAN];
    ret_batch->event_count = counts[FG_TABLE_EVENT];
    ret_batch->link_count = counts[FG_TABLE_LINK];
    struct fg_attrs *attrs[FG_TABLE_OWNER_COUNT] = {
        &ret_batch->resource_attrs, &ret_batch->scope_attrs, &ret_batch->span_attrs,
        &ret_batch->event_attrs, &ret_batch->link_attrs};
    for (uint32_t owner = 0; owner < FG_TABLE_OWNER_COUNT; owner++)
        attrs[owner]->count = counts[FG_TABLE_ATTRS + owner];
    for (uint32_t i = 0; i < FG_COL_COUNT; i++)
        memcpy((char *)ret_batch + fg_column_defs[i].view_offset, &columns[i], sizeof columns[i]);
}
