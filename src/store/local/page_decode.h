/* One page's chunks as a batch. */
#pragma once

#include "local/segment_internal.h"

/* What a reader wants of a level's columns, made once for each row group: its shapes without the
 * columns that nobody asked for. */
struct fg_level_plan {
    uint32_t *shape_begin;   /* shape_count + 1 */
    uint32_t *shape_columns; /* of wanted columns */
    uint32_t *shape_places;  /* the place of each in the whole shape */
    uint32_t *attr_count;    /* by shape: attributes that it gives */
    uint32_t *keys;          /* what those of shape_columns that are attributes give */
    uint8_t *types;
    bool *is_plain; /* by shape: all of them are attributes' columns */
};

struct fg_page_plan {
    uint32_t columns;   /* bits of enum fg_columns */
    const bool *wanted; /* by column */
    struct fg_level_plan levels[FG_LEVEL_COUNT];
};

/* keys_of: see struct fg_segment_reader_options. In arena. FG_ENOMEM. */
FG_MUST_CHECK int fg_page_plan_make(const struct fg_group *group, uint32_t columns,
                                    const struct fg_predicate *keys_of, struct fg_arena *arena,
                                    struct fg_page_plan *ret_plan);

/* Decodes a page into arena. The group's strings must be loaded; ret_batch refers to the group. */
FG_MUST_CHECK int fg_page_decode(const struct fg_group *group, const struct fg_page *page,
                                 const struct fg_page_plan *plan, struct fg_codec *codec,
                                 struct fg_arena *arena, uint64_t *bytes_read,
                                 struct fg_batch *ret_batch);

/* -- Between page_decode*.c and page_columns.c */

struct fg_page_decoder {
    const struct fg_group *group;
    const struct fg_page *page;
    const struct fg_page_plan *plan;
    struct fg_codec *codec;
    struct fg_arena *arena;
    uint64_t *bytes_read;
    struct fg_slice *chunks; /* FG_STREAM_COUNT and one a column: what is loaded */
    bool *is_loaded;
    uint64_t *values; /* scratch for the page's rows */

    struct fg_page_runs runs;
    uint32_t *run_begin;          /* run_count + 1 */
    uint32_t *class;              /* of the rows */
    uint32_t *parent;             /* rows of the page, FG_NO_ROW; NULL: not decoded yet */
    struct fg_input parents_rest; /* the ids that are elsewhere */
    uint32_t *parent_code;
    uint32_t *resource; /* NULL: not decoded yet */
    uint64_t *start, *end;

    /* strings of this page alone; their ids follow the dictionary's */
    struct fg_slice *strings;
    uint32_t string_count, string_capacity;
};

/* The payload of a chunk, loaded when it is not yet. */
FG_MUST_CHECK int fg_page_chunk(struct fg_page_decoder *decoder, uint32_t index,
                                struct fg_slice *ret_bytes);
/* The same as an input; and at its end: FG_ECORRUPT where something is left. */
FG_MUST_CHECK int fg_page_open(struct fg_page_decoder *decoder, uint32_t index,
                               struct fg_input *ret_in);
FG_MUST_CHECK int fg_page_close(struct fg_input *in);
/* Room for count elements and one more; NULL: FG_ENOMEM. */
void *fg_page_memory(struct fg_page_decoder *decoder, size_t count, size_t size);

/* The traces' runs and the rows' parents, once. */
FG_MUST_CHECK int fg_page_parents(struct fg_page_decoder *decoder);
/* Starts and ends. */
FG_MUST_CHECK int fg_page_times(struct fg_page_decoder *decoder);
FG_MUST_CHECK int fg_page_received(struct fg_page_decoder *decoder, uint64_t **ret_received);
/* counts: how many each span has. */
FG_MUST_CHECK int fg_page_events(struct fg_page_decoder *decoder, const uint32_t *counts,
                                 struct fg_batch *batch);
FG_MUST_CHECK int fg_page_links(struct fg_page_decoder *decoder, const uint32_t *counts,
                                struct fg_batch *batch);
/* The rows' resources, for those rules that go by them. */
FG_MUST_CHECK int fg_page_resources(struct fg_page_decoder *decoder);

/* Where the values of a level's owners go; NULL: nobody asked. */
struct fg_level_output {
    uint32_t *parts[FG_PART_COUNT];
    struct fg_attrs *attrs;
};

/* Decodes the wanted columns of a level and hands their values to its owners: attributes, and parts
 * whose array is given (all 0). */
FG_MUST_CHECK int fg_page_columns(struct fg_page_decoder *decoder, int level,
                                  const uint32_t *owner_class, uint32_t owner_count,
                                  const struct fg_level_output *output);
