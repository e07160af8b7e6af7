/* The columns of a batch as data: what the builder grows, the view hands out, the block writes and
 * checks, all by one table. Private to the room.
 *
 * A column's number is its bit in a frozen batch: it is part of the disk format and is never used
 * for another column. */
#pragma once

#include "base/error.h"
#include "span/batch.h"

/* What has rows. Owners of attributes come first, then their attributes in the same order. */
enum fg_table {
    FG_TABLE_RESOURCE = 0,
    FG_TABLE_SCOPE = 1,
    FG_TABLE_SPAN = 2,
    FG_TABLE_EVENT = 3,
    FG_TABLE_LINK = 4,
    FG_TABLE_OWNER_COUNT = 5,
    FG_TABLE_ATTRS = 5, /* + the owner's table */
    FG_TABLE_RESOURCE_ATTR = 5,
    FG_TABLE_SCOPE_ATTR = 6,
    FG_TABLE_SPAN_ATTR = 7,
    FG_TABLE_EVENT_ATTR = 8,
    FG_TABLE_LINK_ATTR = 9,
    FG_TABLE_COUNT = 10,
};

enum fg_column {
    FG_COL_ATTRS = 0, /* + 4 * the owner's table + one of enum fg_attr_column */
    FG_COL_RESOURCE_SERVICE = 20,
    FG_COL_RESOURCE_SCHEMA_URL = 21,
    FG_COL_RESOURCE_DROPPED_ATTRS = 22,
    FG_COL_SCOPE_NAME = 23,
    FG_COL_SCOPE_VERSION = 24,
    FG_COL_SCOPE_SCHEMA_URL = 25,
    FG_COL_SCOPE_DROPPED_ATTRS = 26,
    FG_COL_TRACE_ID_HIGH = 27,
    FG_COL_TRACE_ID_LOW = 28,
    FG_COL_SPAN_ID = 29,
    FG_COL_PARENT_SPAN_ID = 30,
    FG_COL_START_NS = 31,
    FG_COL_END_NS = 32,
    FG_COL_RECEIVED_NS = 33,
    FG_COL_NAME = 34,
    FG_COL_RESOURCE = 35,
    FG_COL_SCOPE = 36,
    FG_COL_KIND = 37,
    FG_COL_STATUS = 38,
    FG_COL_FLAGS = 39,
    FG_COL_MARKS = 40,
    FG_COL_TRACE_STATE = 41,
    FG_COL_STATUS_MESSAGE = 42,
    FG_COL_DROPPED_ATTRS = 43,
    FG_COL_DROPPED_EVENTS = 44,
    FG_COL_DROPPED_LINKS = 45,
    FG_COL_EVENT_BEGIN = 46,
    FG_COL_EVENT_TIME_NS = 47,
    FG_COL_EVENT_NAME = 48,
    FG_COL_EVENT_DROPPED_ATTRS = 49,
    FG_COL_LINK_BEGIN = 50,
    FG_COL_LINK_TRACE_ID_HIGH = 51,
    FG_COL_LINK_TRACE_ID_LOW = 52,
    FG_COL_LINK_SPAN_ID = 53,
    FG_COL_LINK_TRACE_STATE = 54,
    FG_COL_LINK_FLAGS = 55,
    FG_COL_LINK_DROPPED_ATTRS = 56,
    FG_COL_COUNT = 57, /* at most 64: a set of columns is a word */
};

enum fg_attr_column { FG_ATTR_BEGIN, FG_ATTR_KEY, FG_ATTR_TYPE, FG_ATTR_VALUE };

static inline enum fg_column fg_attr_column(uint32_t owner, enum fg_attr_column column)
{
    return (enum fg_column)(FG_COL_ATTRS + 4 * owner + column);
}

/* What a column's numbers are, and so what makes one wrong. */
enum fg_column_kind {
    FG_COLUMN_PLAIN,    /* any number */
    FG_COLUMN_STRING,   /* a string id */
    FG_COLUMN_RESOURCE, /* a resource id */
    FG_COLUMN_SCOPE,    /* a scope id */
    FG_COLUMN_STATUS,   /* enum fg_status_code */
    FG_COLUMN_TYPE,     /* enum fg_value_type */
    FG_COLUMN_VALUE,    /* as its type says */
    FG_COLUMN_BEGIN,    /* row i has the child table's rows [begin[i], begin[i + 1]) */
};

struct fg_column_def {
    uint16_t view_offset; /* of the pointer in struct fg_batch */
    uint8_t table;        /* enum fg_table */
    uint8_t size;         /* bytes of one element */
    uint8_t kind;         /* enum fg_column_kind */
    uint8_t child;        /* BEGIN: enum fg_table */
    bool is_rare;         /* left out when all of it is 0 */
};

extern const struct fg_column_def fg_column_defs[FG_COL_COUNT];

/* Elements of a column whose table has row_count rows. */
static inline uint64_t fg_column_length(const struct fg_column_def *def, uint64_t row_count)
{
    return row_count + (def->kind == FG_COLUMN_BEGIN);
}

static inline uint64_t fg_column_bit(uint32_t column)
{
    return UINT64_C(1) << column;
}

/* Fills all of batch but its strings: counts are those of enum fg_table, columns[i] is NULL where
 * column i is absent. */
void fg_columns_view(const uint32_t counts[FG_TABLE_COUNT], void *const columns[FG_COL_COUNT],
                     struct fg_batch *ret_batch);
