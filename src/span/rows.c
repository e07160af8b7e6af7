#include "builder_state.h"

#include <stdlib.h>

#define CAPACITY_MIN 64

void fg_rows_init(struct fg_builder *builder)
{
    for (uint32_t i = 0; i < FG_COL_COUNT; i++)
        builder->row_bytes[fg_column_defs[i].table] += fg_column_defs[i].size;
}

void fg_rows_free(struct fg_builder *builder)
{
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        free(builder->columns[i]);
        builder->columns[i] = NULL;
    }
    for (int i = 0; i < 2; i++) {
        free(builder->shared_truncated[i]);
        builder->shared_truncated[i] = NULL;
    }
    memset(builder->capacities, 0, sizeof builder->capacities);
}

uint64_t fg_rows_held_bytes(const struct fg_builder *builder)
{
    uint64_t bytes = 0;
    for (int i = 0; i < FG_TABLE_COUNT; i++)
        bytes += (uint64_t)builder->capacities[i] * builder->row_bytes[i];
    return bytes;
}

static int grow_column(void **column, const struct fg_column_def *def, uint32_t capacity)
{
    uint8_t *memory = realloc(*column, fg_column_length(def, capacity) * def->size);
    if (!memory)
        return FG_ENOMEM;
    if (!*column && def->kind == FG_COLUMN_BEGIN)
        memset(memory, 0, def->size);
    *column = memory;
    return 0;
}

/* Where one column can't grow the others may have: they are merely larger than the capacity says.
 */
int fg_rows_grow(struct fg_builder *builder, enum fg_table table, uint32_t count)
{
    /* bytes_max has 32 bits and a row some 13 bytes: neither sum nor product overflows. */
    uint32_t need = builder->counts[table] + count;
    uint32_t capacity = builder->capacities[table] * 2;
    if (capacity < need)
        capacity = need;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        if (def->table != table)
            continue;
        int r = grow_column(&builder->columns[i], def, capacity);
        if (r < 0)
            return r;
    }
    if (table <= FG_TABLE_SCOPE) {
        uint8_t *flags = realloc(builder->shared_truncated[table], capacity);
        if (!flags)
            return FG_ENOMEM;
        builder->shared_truncated[table] = flags;
    }
    builder->capacities[table] = capacity;
    return 0;
}

void fg_rows_cut(struct fg_builder *builder, enum fg_table table, uint32_t count)
{
    uint32_t over = builder->counts[table] - count;
    builder->counts[table] = count;
    builder->rows_bytes -= (uint64_t)over * builder->row_bytes[table];
}

void fg_rows_ended(const struct fg_builder *builder, uint32_t ret_counts[FG_TABLE_COUNT],
                   void *ret_columns[FG_COL_COUNT])
{
    /* Parents come before children in both enumerations, but for the attributes of events and
     * links, whose columns stand before those of the spans that say how many events there are. */
    memcpy(ret_counts, builder->counts, sizeof builder->counts);
    uint32_t span_count = builder->counts[FG_TABLE_SPAN];
    const uint32_t *events = fg_col32(builder, FG_COL_EVENT_BEGIN);
    const uint32_t *links = fg_col32(builder, FG_COL_LINK_BEGIN);
    ret_counts[FG_TABLE_EVENT] = events ? events[span_count] : 0;
    ret_counts[FG_TABLE_LINK] = links ? links[span_count] : 0;
    for (uint32_t owner = 0; owner < FG_TABLE_OWNER_COUNT; owner++) {
        const uint32_t *begin = fg_col32(builder, fg_attr_column(owner, FG_ATTR_BEGIN));
        ret_counts[FG_TABLE_ATTRS + owner] = begin ? begin[ret_counts[owner]] : 0;
    }
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        bool is_empty = def->kind == FG_COLUMN_BEGIN ? ret_counts[def->child] == 0
                                                     : ret_counts[def->table] == 0;
        bool is_unused = def->is_rare && (builder->rare_used & fg_column_bit(i)) == 0;
        ret_columns[i] = is_empty || is_unused ? NULL : builder->columns[i];
    }
}
