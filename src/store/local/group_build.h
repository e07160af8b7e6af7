/* A row group in the making: a batch's rows taken apart into classes, shapes and columns.
 *
 * A shape is the list of the columns that an owner (a span, an event, a link) has values in, in
 * order. A class is what many owners of a level have in common: for a span name, kind, status,
 * scope, whether it is open, and its shape. A row then is a class, and a value in each column of
 * its shape. Names, kinds, presence and order of attributes so cost what telling one class from the
 * others costs, once. */
#pragma once

#include "base/arena.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "local/segment_format.h"
#include "span/batch.h"

struct fg_codec;
struct fg_buffer;

#define FG_NO_ID UINT32_MAX

struct fg_column_build {
    uint8_t level, part, type; /* enum fg_level, fg_part, fg_value_type */
    uint8_t form, filter_kind;
    uint32_t key;           /* source string id; 0 unless FG_PART_ATTR */
    uint32_t next_same_key; /* column, FG_NO_ID */

    uint32_t count, capacity;
    uint64_t *values; /* string ids of the source or bits; codes once the form is chosen */
    uint32_t *owners; /* ascending */

    uint32_t distinct_count; /* of codes; 0 where the form has none */
    uint64_t *distinct;      /* what each code stands for, as values before */
    uint32_t *defaults;      /* a code for each class of the level, NULL: none */
    uint64_t min, max;       /* of numbers; of doubles' bits, NaN left out */
    bool has_nan;
    uint64_t dictionary_size; /* bytes of strings that this column brought into the dictionary */
    uint32_t filter_size;

    uint32_t cursor; /* of the page at hand: values before it are written */
};

struct fg_class {
    uint32_t name; /* source string id; 0 for a link and where names have a column */
    uint32_t scope;
    uint32_t shape;
    uint8_t kind, status;
    uint8_t open; /* 1: the end is 0 */
    uint8_t reserved;
};
_Static_assert(sizeof(struct fg_class) == 16, "hashed as bytes: no padding");

struct fg_level_build {
    uint32_t owner_count;
    uint32_t *owner_class;
    struct fg_class *classes;
    uint32_t class_count, class_capacity;
    struct fg_idmap class_map;
    /* shape i has columns[shape_begin[i]] to columns[shape_begin[i + 1]] */
    uint32_t *shape_begin;
    uint32_t shape_count, shape_capacity;
    uint16_t *shape_columns;
    uint32_t shape_columns_count, shape_columns_capacity;
    struct fg_idmap shape_map;
    bool name_in_column;
    uint32_t part_column[FG_PART_COUNT];
};

struct fg_page_range {
    uint32_t row_begin, row_end;
};

struct fg_group_build {
    const struct fg_batch *batch;
    struct fg_arena arena;
    struct fg_level_build levels[FG_LEVEL_COUNT];
    struct fg_column_build *columns;
    uint32_t column_count, column_capacity, attr_column_count;
    uint32_t *key_column; /* by source string id: a column of this key, FG_NO_ID */

    uint32_t *resource;                  /* a row's, renumbered in order of appearance */
    uint32_t *resources, resource_count; /* source ids */
    uint32_t *scope_number;              /* by source id, FG_NO_ID */
    uint32_t *scopes, scope_count;

    uint64_t *row_cost; /* bytes of the rows so far, roughly: row_cost[0] is 0 */
    struct fg_page_range *pages;
    uint32_t page_count;

    /* the dictionary */
    uint32_t *string_id; /* by source string id: its id in the dictionary, FG_NO_ID */
    uint32_t *strings, string_count, string_capacity; /* source ids */
    uint64_t strings_size;

    uint16_t *shape; /* of the owner at hand */
    uint32_t shape_size, shape_capacity;
};

/* Takes a batch apart. Everything lies in memory until fg_group_build_free(), which also resets.
 * FG_ENOMEM, FG_ELIMIT (a row that has more than a page takes). */
FG_MUST_CHECK int fg_group_build(struct fg_group_build *group, const struct fg_batch *batch);
void fg_group_build_free(struct fg_group_build *group);

/* Chooses each column's form, makes its codes, and fills the dictionary (group_columns.c). */
FG_MUST_CHECK int fg_group_choose_forms(struct fg_group_build *group);
/* A string's id in the dictionary, put in where it is new. */
FG_MUST_CHECK int fg_group_string(struct fg_group_build *group, uint32_t source_id,
                                  uint32_t *ret_id);

/* The bytes of parts of the group, appended (group_encode.c). */
void fg_group_encode_columns(const struct fg_group_build *group, uint32_t dictionary_filter_size,
                             struct fg_buffer *out);
void fg_group_encode_head(const struct fg_group_build *group, struct fg_codec *codec,
                          struct fg_buffer *out);
void fg_group_encode_dictionary(const struct fg_group_build *group, struct fg_codec *codec,
                                struct fg_buffer *out);
void fg_group_encode_dictionary_filter(const struct fg_group_build *group, struct fg_buffer *out);
/* The column's filter; nothing where it has none. */
void fg_group_encode_filter(const struct fg_group_build *group,
                            const struct fg_column_build *column, struct fg_buffer *out);
