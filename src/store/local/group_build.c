/* Rows taken apart: one pass over spans, events and links that finds each owner's shape and class
 * and appends its values to columns; then where pages end. */
#include "local/group_build.h"

#include "base/hash.h"

#include <stdlib.h>

/* Names past one in so many rows, and past the least number, are kept in a column of their own: a
 * class for each would tell nothing. */
#define NAMES_MIN   4096u
#define ROWS_A_NAME 4u

/* Grows *array, of elements of this size, so that index fits. */
static int reserve(void *array, uint32_t *capacity, uint64_t index, size_t size)
{
    if (index < *capacity)
        return 0;
    uint64_t wanted = (uint64_t)*capacity * 2;
    if (wanted < 64)
        wanted = 64;
    if (wanted <= index)
        wanted = index + 1;
    if (wanted > UINT32_MAX)
        return FG_ELIMIT;
    void **p = array;
    void *grown = realloc(*p, (size_t)wanted * size);
    if (!grown)
        return FG_ENOMEM;
    *p = grown;
    *capacity = (uint32_t)wanted;
    return 0;
}

/* -- Columns */

static int column_new(struct fg_group_build *group, uint8_t level, uint8_t part, uint32_t key,
                      uint8_t type, uint32_t *ret_column)
{
    int r = reserve(&group->columns, &group->column_capacity, group->column_count,
                    sizeof *group->columns);
    if (r < 0)
        return r;
    group->columns[group->column_count] = (struct fg_column_build){
        .level = level, .part = part, .key = key, .type = type, .next_same_key = FG_NO_ID};
    *ret_column = group->column_count++;
    return 0;
}

static int part_column(struct fg_group_build *group, uint8_t level, uint8_t part,
                       uint32_t *ret_column)
{
    uint32_t *column = &group->levels[level].part_column[part];
    if (*column == FG_NO_ID) {
        bool text = part == FG_PART_NAME || part == FG_PART_TRACE_STATE ||
                    part == FG_PART_STATUS_MESSAGE || part == FG_PART_OVERFLOW_TEXT_KEY ||
                    part == FG_PART_OVERFLOW_TEXT || part == FG_PART_OVERFLOW_BITS_KEY;
        int r = column_new(group, level, part, 0, text ? FG_VALUE_STRING : FG_VALUE_INT, column);
        if (r < 0)
            return r;
    }
    *ret_column = *column;
    return 0;
}

/* The column of an attribute; FG_NO_ID where there are too many. */
static int attr_column(struct fg_group_build *group, uint8_t level, uint32_t key, uint8_t type,
                       uint32_t *ret_column)
{
    uint32_t index = group->key_column[key];
    while (index != FG_NO_ID &&
           (group->columns[index].type != type || group->columns[index].level != level))
        index = group->columns[index].next_same_key;
    *ret_column = index;
    if (index != FG_NO_ID || group->attr_column_count == FG_ATTR_COLUMNS_MAX)
        return 0;
    int r = column_new(group, level, FG_PART_ATTR, key, type, ret_column);
    if (r < 0)
        return r;
    group->columns[*ret_column].next_same_key = group->key_column[key];
    group->key_column[key] = *ret_column;
    group->attr_column_count++;
    return 0;
}

/* Appends a value, and its column to the shape of the owner at hand. */
static int push(struct fg_group_build *group, uint32_t index, uint32_t owner, uint64_t value)
{
    struct fg_column_build *column = &group->columns[index];
    if (column->count == column->capacity) {
        uint32_t capacity = column->capacity;
        int r = reserve(&column->values, &capacity, column->count, sizeof *column->values);
        capacity = column->capacity;
        if (r == 0)
            r = reserve(&column->owners, &capacity, column->count, sizeof *column->owners);
        if (r < 0)
            return r;
        column->capacity = capacity;
    }
    column->values[column->count] = value;
    column->owners[column->count++] = owner;
    int r = reserve(&group->shape, &group->shape_capacity, group->shape_size, sizeof *group->shape);
    if (r < 0)
        return r;
    group->shape[group->shape_size++] = (uint16_t)index;
    return 0;
}

static int push_part(struct fg_group_build *group, uint8_t level, uint8_t part, uint32_t owner,
                     uint64_t value)
{
    if (value == 0)
        return 0;
    uint32_t column;
    int r = part_column(group, level, part, &column);
    return r < 0 ? r : push(group, column, owner, value);
}

/* An attribute for which there is no column left: its key, type and value in three. */
static int push_overflow(struct fg_group_build *group, uint8_t level, uint32_t owner,
                         const struct fg_attrs *attrs, uint32_t i)
{
    bool text = fg_value_type_is_bytes(attrs->type[i]);
    uint8_t first = text ? FG_PART_OVERFLOW_TEXT_KEY : FG_PART_OVERFLOW_BITS_KEY;
    const uint64_t values[3] = {attrs->key[i], attrs->type[i], attrs->value[i]};
    for (uint8_t k = 0; k < 3; k++) {
        uint32_t column;
        int r = part_column(group, level, (uint8_t)(first + k), &column);
        if (r == 0)
            r = push(group, column, owner, values[k]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int push_attrs(struct fg_group_build *group, uint8_t level, uint32_t owner,
                      const struct fg_attrs *attrs, uint64_t *cost)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t column;
        int r = attr_column(group, level, attrs->key[i], attrs->type[i], &column);
        if (r == 0 && column != FG_NO_ID)
            r = push(group, column, owner, attrs->value[i]);
        else if (r == 0)
            r = push_overflow(group, level, owner, attrs, i);
        if (r < 0)
            return r;
        *cost += 16;
        if (fg_value_type_is_bytes(attrs->type[i]))
            *cost += group->batch->strings[attrs->value[i]].size;
    }
    return 0;
}

/* -- Shapes and classes */

struct shape_look {
    const struct fg_level_build *level;
    const uint16_t *columns;
    uint32_t count;
};

static bool is_shape(const void *context, uint32_t id)
{
    const struct shape_look *look = context;
    const struct fg_level_build *level = look->level;
    if (id == level->shape_count)
        return false;
    uint32_t begin = level->shape_begin[id], count = level->shape_begin[id + 1] - begin;
    return count == look->count &&
           (count == 0 || memcmp(level->shape_columns + begin, look->columns,
                                 count * sizeof *look->columns) == 0);
}

/* The id of the shape of the owner at hand. */
static int intern_shape(struct fg_group_build *group, struct fg_level_build *level,
                        uint32_t *ret_shape)
{
    struct shape_look look = {level, group->shape, group->shape_size};
    uint64_t hash = fg_hash(fg_slice(group->shape, group->shape_size * sizeof *group->shape));
    int r =
        fg_idmap_intern(&level->shape_map, hash, is_shape, &look, level->shape_count, ret_shape);
    if (r < 0 || *ret_shape < level->shape_count)
        return r;
    uint64_t end = (uint64_t)level->shape_columns_count + group->shape_size;
    r = reserve(&level->shape_columns, &level->shape_columns_capacity, end,
                sizeof *level->shape_columns);
    if (r == 0)
        r = reserve(&level->shape_begin, &level->shape_capacity, level->shape_count + UINT64_C(1),
                    sizeof *level->shape_begin);
    if (r < 0)
        return r;
    if (group->shape_size)
        memcpy(level->shape_columns + level->shape_columns_count, group->shape,
               group->shape_size * sizeof *group->shape);
    level->shape_begin[0] = 0;
    level->shape_columns_count = (uint32_t)end;
    level->shape_begin[++level->shape_count] = (uint32_t)end;
    return 0;
}

struct class_look {
    const struct fg_level_build *level;
    const struct fg_class *class;
};

static bool is_class(const void *context, uint32_t id)
{
    const struct class_look *look = context;
    return id < look->level->class_count &&
           memcmp(&look->level->classes[id], look->class, sizeof *look->class) == 0;
}

static int intern_class(struct fg_group_build *group, struct fg_level_build *level, uint32_t owner,
                        struct fg_class *class)
{
    int r = intern_shape(group, level, &class->shape);
    if (r < 0)
        return r;
    struct class_look look = {level, class};
    uint32_t id;
    r = fg_idmap_intern(&level->class_map, fg_hash(fg_slice(class, sizeof *class)), is_class, &look,
                        level->class_count, &id);
    if (r < 0)
        return r;
    if (id == level->class_count) {
        r = reserve(&level->classes, &level->class_capacity, id, sizeof *level->classes);
        if (r < 0)
            return r;
        level->classes[level->class_count++] = *class;
    }
    level->owner_class[owner] = id;
    return 0;
}

/* -- Owners */

static int add_link(struct fg_group_build *group, uint32_t link, uint64_t *cost)
{
    const struct fg_batch *batch = group->batch;
    group->shape_size = 0;
    int r = push_part(group, FG_LEVEL_LINK, FG_PART_FLAGS, link,
                      fg_column_u32(batch->link_flags, link));
    if (r == 0)
        r = push_part(group, FG_LEVEL_LINK, FG_PART_TRACE_STATE, link,
                      fg_column_u32(batch->link_trace_state, link));
    if (r == 0)
        r = push_part(group, FG_LEVEL_LINK, FG_PART_DROPPED_ATTRS, link,
                      fg_column_u32(batch->link_dropped_attrs, link));
    if (r == 0)
        r = push_attrs(group, FG_LEVEL_LINK, link, &batch->link_attrs, cost);
    struct fg_class class = {0};
    *cost += 32;
    return r < 0 ? r : intern_class(group, &group->levels[FG_LEVEL_LINK], link, &class);
}

static int add_event(struct fg_group_build *group, uint32_t event, uint64_t *cost)
{
    const struct fg_batch *batch = group->batch;
    struct fg_level_build *level = &group->levels[FG_LEVEL_EVENT];
    struct fg_class class = {.name = level->name_in_column ? 0 : batch->event_name[event]};
    group->shape_size = 0;
    int r = 0;
    if (level->name_in_column)
        r = push_part(group, FG_LEVEL_EVENT, FG_PART_NAME, event, batch->event_name[event]);
    if (r == 0)
        r = push_part(group, FG_LEVEL_EVENT, FG_PART_DROPPED_ATTRS, event,
                      fg_column_u32(batch->event_dropped_attrs, event));
    if (r == 0)
        r = push_attrs(group, FG_LEVEL_EVENT, event, &batch->event_attrs, cost);
    *cost += 24;
    return r < 0 ? r : intern_class(group, level, event, &class);
}

static int push_span_parts(struct fg_group_build *group, uint32_t row, uint32_t events,
                           uint32_t links)
{
    const struct fg_batch *batch = group->batch;
    bool name = group->levels[FG_LEVEL_SPAN].name_in_column;
    const struct {
        uint8_t part;
        uint64_t value;
    } parts[] = {
        {FG_PART_NAME, name ? batch->name[row] : 0},
        {FG_PART_FLAGS, fg_column_u32(batch->flags, row)},
        {FG_PART_MARKS, fg_column_u16(batch->marks, row)},
        {FG_PART_TRACE_STATE, fg_column_u32(batch->trace_state, row)},
        {FG_PART_STATUS_MESSAGE, fg_column_u32(batch->status_message, row)},
        {FG_PART_DROPPED_ATTRS, fg_column_u32(batch->dropped_attrs, row)},
        {FG_PART_DROPPED_EVENTS, fg_column_u32(batch->dropped_events, row)},
        {FG_PART_DROPPED_LINKS, fg_column_u32(batch->dropped_links, row)},
        {FG_PART_EVENT_COUNT, events},
        {FG_PART_LINK_COUNT, links},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int r = push_part(group, FG_LEVEL_SPAN, parts[i].part, row, parts[i].value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int number_row(struct fg_group_build *group, uint32_t row, uint32_t *resource_number,
                      uint32_t *ret_scope)
{
    const struct fg_batch *batch = group->batch;
    uint32_t resource = batch->resource[row], scope = batch->scope[row];
    if (resource_number[resource] == FG_NO_ID) {
        resource_number[resource] = group->resource_count;
        group->resources[group->resource_count++] = resource;
    }
    group->resource[row] = resource_number[resource];
    if (group->scope_number[scope] == FG_NO_ID) {
        group->scope_number[scope] = group->scope_count;
        group->scopes[group->scope_count++] = scope;
    }
    *ret_scope = group->scope_number[scope];
    return 0;
}

static int add_span(struct fg_group_build *group, uint32_t row, uint32_t *resource_number)
{
    const struct fg_batch *batch = group->batch;
    uint64_t cost = 128;
    uint32_t event = 0, event_end = 0, link = 0, link_end = 0, scope;
    if (batch->event_count) {
        event = batch->event_begin[row];
        event_end = batch->event_begin[row + 1];
    }
    if (batch->link_count) {
        link = batch->link_begin[row];
        link_end = batch->link_begin[row + 1];
    }
    number_row(group, row, resource_number, &scope);
    group->shape_size = 0;
    int r = push_span_parts(group, row, event_end - event, link_end - link);
    if (r == 0)
        r = push_attrs(group, FG_LEVEL_SPAN, row, &batch->span_attrs, &cost);
    struct fg_level_build *level = &group->levels[FG_LEVEL_SPAN];
    struct fg_class class = {.name = level->name_in_column ? 0 : batch->name[row],
                             .scope = scope,
                             .kind = batch->kind[row],
                             .status = batch->status[row],
                             .open = batch->end_ns[row] == 0};
    if (r == 0)
        r = intern_class(group, level, row, &class);
    for (; r == 0 && event < event_end; event++)
        r = add_event(group, event, &cost);
    for (; r == 0 && link < link_end; link++)
        r = add_link(group, link, &cost);
    group->row_cost[row + 1] = group->row_cost[row] + cost;
    return r;
}

/* -- Pages */

static bool starts_trace(const struct fg_batch *batch, uint32_t row)
{
    return batch->trace_id_high[row] != batch->trace_id_high[row - 1] ||
           batch->trace_id_low[row] != batch->trace_id_low[row - 1];
}

/* Where a page that begins at begin ends: with the last trace that fits, unless that would leave it
 * small. */
static uint32_t page_end(const struct fg_group_build *group, uint32_t begin)
{
    const struct fg_batch *batch = group->batch;
    uint32_t end = begin + 1;
    while (end < batch->span_count && end - begin < FG_SEGMENT_PAGE_ROWS &&
           group->row_cost[end + 1] - group->row_cost[begin] <= FG_PAGE_SIZE_MAX)
        end++;
    if (end == batch->span_count)
        return end;
    uint32_t least = begin + (end - begin) / 4;
    for (uint32_t row = end; row > least && row > begin; row--)
        if (starts_trace(batch, row))
            return row;
    return end;
}

/* Each row costs 16 bytes a cell or more, so a page of more than one row has few. */
_Static_assert(FG_PAGE_SIZE_MAX / 16 < FG_SEGMENT_CELLS_MAX, "cells of a page");

static int cut_pages(struct fg_group_build *group)
{
    uint32_t capacity = 0;
    for (uint32_t begin = 0; begin < group->batch->span_count;) {
        int r = reserve(&group->pages, &capacity, group->page_count, sizeof *group->pages);
        if (r < 0)
            return r;
        uint32_t end = page_end(group, begin);
        if (end == begin + 1 &&
            group->row_cost[end] - group->row_cost[begin] > FG_SEGMENT_TEXT_SIZE_MAX / 2)
            return FG_ELIMIT;
        group->pages[group->page_count++] = (struct fg_page_range){begin, end};
        begin = end;
    }
    return 0;
}

/* -- All of it */

/* Whether the names of this level are so many that classes would be as many. */
static bool has_many_names(struct fg_group_build *group, const uint32_t *names, uint32_t count)
{
    uint32_t distinct = 0;
    uint32_t *seen = group->string_id; /* not in use yet: all FG_NO_ID */
    for (uint32_t i = 0; i < count; i++) {
        if (seen[names[i]] == FG_NO_ID) {
            seen[names[i]] = 0;
            distinct++;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        seen[names[i]] = FG_NO_ID;
    return distinct > NAMES_MIN && distinct > count / ROWS_A_NAME;
}

static uint32_t *new_ids(size_t count)
{
    uint32_t *ids = malloc((count ? count : 1) * sizeof *ids);
    if (ids)
        memset(ids, 0xff, count * sizeof *ids);
    return ids;
}

static int level_init(struct fg_level_build *level, uint32_t owner_count)
{
    level->owner_count = owner_count;
    level->owner_class = malloc(((size_t)owner_count + 1) * sizeof *level->owner_class);
    fg_idmap_init(&level->class_map);
    fg_idmap_init(&level->shape_map);
    memset(level->part_column, 0xff, sizeof level->part_column);
    return level->owner_class ? 0 : FG_ENOMEM;
}

static int prepare(struct fg_group_build *group)
{
    const struct fg_batch *batch = group->batch;
    size_t rows = (size_t)batch->span_count + 1;
    fg_arena_init(&group->arena, SIZE_MAX / 2);
    int r = level_init(&group->levels[FG_LEVEL_SPAN], batch->span_count);
    r |= level_init(&group->levels[FG_LEVEL_EVENT], batch->event_count);
    r |= level_init(&group->levels[FG_LEVEL_LINK], batch->link_count);
    group->key_column = new_ids(batch->string_count);
    group->string_id = new_ids(batch->string_count);
    group->scope_number = new_ids(batch->scope_count);
    group->resource = new_ids(rows);
    group->resources = new_ids(batch->resource_count);
    group->scopes = new_ids(batch->scope_count);
    group->row_cost = calloc(rows, sizeof *group->row_cost);
    if (r || !group->key_column || !group->string_id || !group->scope_number || !group->resource ||
        !group->resources || !group->scopes || !group->row_cost)
        return FG_ENOMEM;
    group->levels[FG_LEVEL_SPAN].name_in_column =
        has_many_names(group, batch->name, batch->span_count);
    group->levels[FG_LEVEL_EVENT].name_in_column =
        batch->event_count && has_many_names(group, batch->event_name, batch->event_count);
    return 0;
}

int fg_group_build(struct fg_group_build *group, const struct fg_batch *batch)
{
    *group = (struct fg_group_build){.batch = batch};
    int r = prepare(group);
    uint32_t *resource_number = r < 0 ? NULL : new_ids(batch->resource_count);
    if (r == 0 && !resource_number)
        r = FG_ENOMEM;
    for (uint32_t row = 0; r == 0 && row < batch->span_count; row++)
        r = add_span(group, row, resource_number);
    free(resource_number);
    return r < 0 ? r : cut_pages(group);
}

void fg_group_build_free(struct fg_group_build *group)
{
    for (int i = 0; i < FG_LEVEL_COUNT; i++) {
        struct fg_level_build *level = &group->levels[i];
        free(level->owner_class);
        free(level->classes);
        free(level->shape_begin);
        free(level->shape_columns);
        fg_idmap_free(&level->class_map);
        fg_idmap_free(&level->shape_map);
    }
    for (uint32_t i = 0; i < group->column_count; i++) {
        free(group->columns[i].values);
        free(group->columns[i].owners);
    }
    free(group->columns);
    free(group->key_column);
    free(group->resource);
    free(group->resources);
    free(group->scope_number);
    free(group->scopes);
    free(group->row_cost);
    free(group->pages);
    free(group->string_id);
    free(group->strings);
    free(group->shape);
    fg_arena_free(&group->arena);
    *group = (struct fg_group_build){0};
}
