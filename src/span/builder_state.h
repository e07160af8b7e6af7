/* What a builder is made of. Private to the room.
 *
 * Each table has a count of rows and a capacity that all of its columns share; a rare column is
 * allocated with the others, and written from the first row that is not 0 (rare_used). A begin
 * column has one element more than its table has rows: the last is where the children of the row
 * that is being filled begin, so that rows which are not ended yet are never seen. */
#pragma once

#include "columns.h"
#include "span/builder.h"
#include "string_table.h"

enum fg_builder_state {
    FG_BUILDER_IDLE,
    FG_BUILDER_RESOURCE,
    FG_BUILDER_SCOPE,
    FG_BUILDER_SPAN,
    FG_BUILDER_EVENT,
    FG_BUILDER_LINK,
};

/* One for each string id that is a key. Where the attribute with this key stands in the owner that
 * is being filled, if it has it: the owner's serial number says for whom this was written. And
 * which key came after it last time, and its last text: most often they do again, and are not
 * looked up. */
struct fg_key_stamp {
    uint32_t owner, at;
    uint32_t next_key;
    uint32_t value;
};

/* An owner of attributes that is being filled. An event or a link is filled while its span is. */
struct fg_owner {
    uint32_t serial;
    uint32_t dropped_attrs;
    uint32_t last_key; /* 0 before the first */
    struct fg_key_stamp *stamps;
    uint32_t stamp_capacity;
};

enum fg_owner_level {
    FG_OWNER_OUTER /* resource, scope, span */,
    FG_OWNER_INNER /* event, link */
};

struct fg_builder {
    struct fg_builder_limits limits;
    enum fg_builder_state state;
    uint64_t generation; /* resets so far */

    struct fg_strings strings;
    struct fg_idmap shared[2];    /* resources and scopes, by content */
    uint8_t *shared_truncated[2]; /* one a resource or scope: its spans get FG_MARK_TRUNCATED */
    void *columns[FG_COL_COUNT];
    uint32_t counts[FG_TABLE_COUNT];
    uint32_t capacities[FG_TABLE_COUNT];
    uint32_t row_bytes[FG_TABLE_COUNT]; /* of one row, rare columns included */
    uint64_t rows_bytes;                /* of all rows */
    uint64_t rare_used;                 /* a set of columns */
    uint64_t recent_bytes;              /* what requests of late have taken */

    struct fg_owner owners[2];
    bool is_truncated; /* something of what is being filled was cut */
    bool is_skipped;   /* the event or link is one too many */
    uint32_t dropped_events, dropped_links;
    struct {
        uint32_t counts[FG_TABLE_COUNT];
        uint64_t rows_bytes, rare_used;
    } before; /* the span that is being filled */
};

/* -- rows.c: room and its price */

/* Sets row_bytes. */
void fg_rows_init(struct fg_builder *builder);
/* Frees all columns. */
void fg_rows_free(struct fg_builder *builder);
uint64_t fg_rows_held_bytes(const struct fg_builder *builder);
FG_MUST_CHECK int fg_rows_grow(struct fg_builder *builder, enum fg_table table, uint32_t count);
/* Takes back rows from count on. */
void fg_rows_cut(struct fg_builder *builder, enum fg_table table, uint32_t count);
/* The columns and counts of the rows that have ended; a column is NULL where it is absent. */
void fg_rows_ended(const struct fg_builder *builder, uint32_t ret_counts[FG_TABLE_COUNT],
                   void *ret_columns[FG_COL_COUNT]);

/* Bytes that may still come. */
static inline uint64_t fg_builder_room_bytes(const struct fg_builder *builder)
{
    uint64_t used_bytes = builder->rows_bytes + fg_strings_cost_bytes(&builder->strings);
    uint64_t bytes_max = builder->limits.bytes_max;
    return used_bytes < bytes_max ? bytes_max - used_bytes : 0;
}

/* Room for count more rows. FG_ELIMIT, FG_ENOMEM. */
FG_MUST_CHECK static inline int fg_rows_reserve(struct fg_builder *builder, enum fg_table table,
                                                uint32_t count)
{
    if ((uint64_t)count * builder->row_bytes[table] > fg_builder_room_bytes(builder))
        return FG_ELIMIT;
    if (count <= builder->capacities[table] - builder->counts[table])
        return 0;
    return fg_rows_grow(builder, table, count);
}

/* The reserved rows are there. */
static inline void fg_rows_add(struct fg_builder *builder, enum fg_table table, uint32_t count)
{
    builder->counts[table] += count;
    builder->rows_bytes += (uint64_t)count * builder->row_bytes[table];
}

static inline uint32_t *fg_col32(const struct fg_builder *builder, enum fg_column column)
{
    return (uint32_t *)builder->columns[column];
}

static inline uint64_t *fg_col64(const struct fg_builder *builder, enum fg_column column)
{
    return (uint64_t *)builder->columns[column];
}

static inline uint8_t *fg_col8(const struct fg_builder *builder, enum fg_column column)
{
    return (uint8_t *)builder->columns[column];
}

/* Writes a rare column's element at row, which is the newest. */
static inline void fg_rare_put32(struct fg_builder *builder, enum fg_column column, uint32_t row,
                                 uint32_t value)
{
    uint32_t *elements = fg_col32(builder, column);
    if ((builder->rare_used & fg_column_bit(column)) == 0) {
        if (value == 0)
            return;
        memset(elements, 0, row * sizeof *elements);
        builder->rare_used |= fg_column_bit(column);
    }
    elements[row] = value;
}

static inline void fg_rare_put16(struct fg_builder *builder, enum fg_column column, uint32_t row,
                                 uint16_t value)
{
    uint16_t *elements = (uint16_t *)builder->columns[column];
    if ((builder->rare_used & fg_column_bit(column)) == 0) {
        if (value == 0)
            return;
        memset(elements, 0, row * sizeof *elements);
        builder->rare_used |= fg_column_bit(column);
    }
    elements[row] = value;
}

/* -- attrs.c: attributes of the owner that is being filled */

static inline enum fg_owner_level fg_owner_level(enum fg_table table)
{
    return table <= FG_TABLE_SPAN ? FG_OWNER_OUTER : FG_OWNER_INNER;
}

/* Where its attributes begin, and how many it has so far. */
static inline uint32_t fg_owner_attrs_begin(const struct fg_builder *builder, enum fg_table table)
{
    return fg_col32(builder, fg_attr_column(table, FG_ATTR_BEGIN))[builder->counts[table]];
}

/* Starts the row after the last one of table, without attributes. */
FG_MUST_CHECK int fg_owner_begin(struct fg_builder *builder, enum fg_table table);
/* One attribute under all limits. */
FG_MUST_CHECK int fg_owner_attr(struct fg_builder *builder, enum fg_table table,
                                struct fg_slice key, const struct fg_value *value);
/* One attribute as it is, its strings being ids of this builder. Its key must be new to the owner.
 */
FG_MUST_CHECK int fg_owner_attr_ids(struct fg_builder *builder, enum fg_table table, uint32_t key,
                                    uint8_t type, uint64_t value);
/* The place of the owner's attribute with this key among all of table; false: it has none. */
bool fg_owner_find(const struct fg_builder *builder, enum fg_table table, uint32_t key,
                   uint32_t *ret_at);
/* The row is complete: with its attributes it counts from now on. Room was reserved. */
void fg_owner_end(struct fg_builder *builder, enum fg_table table);

/* A string of at most size_max bytes, cut where it is longer, as an id. */
FG_MUST_CHECK int fg_builder_text(struct fg_builder *builder, struct fg_slice text,
                                  uint32_t size_max, uint32_t *ret_id);

static inline uint32_t fg_add_saturated(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* -- shared.c: resources and scopes, each once */

/* At most: name, version, schema URL, dropped count. */
#define FG_SHARED_SCALARS_MAX 4

/* Ends the resource or scope that is being filled. scalars: of a resource schema URL and dropped
 * count, of a scope name, version, schema URL and dropped count; strings as ids. */
FG_MUST_CHECK int fg_shared_end(struct fg_builder *builder, enum fg_table table,
                                const uint32_t *scalars, uint32_t *ret_id);
/* The columns where those scalars stand. */
const enum fg_column *fg_shared_columns(enum fg_table table, int *ret_count);
