/* The writer's own: output in steps, and what is kept until the end. */
#pragma once

#include "base/buffer.h"
#include "local/codec.h"
#include "local/segment.h"
#include "local/segment_format.h"

/* Bytes of one write. */
#define FG_SEGMENT_STEP_SIZE ((size_t)1 << 20)

struct fg_segment_writer {
    struct fg_segment_writer_options options;
    struct fg_file *file;
    struct fg_codec *codec;
    int error; /* sticky: the first that any call met */

    struct fg_buffer pending; /* not written yet */
    uint64_t offset;          /* in the file, of the next byte that is appended */

    struct fg_segment_info info;
    struct fg_buffer groups; /* struct fg_segment_group_entry, as on disk */
    struct fg_buffer index;  /* struct fg_segment_index_entry, as on disk */
    uint64_t *traces;        /* hash << FG_TRACE_NUMBER_BITS | number */
    size_t trace_capacity;
    uint64_t last_id_high, last_id_low; /* of the last row */
    struct fg_buffer rollup;
};

/* Appends bytes, and writes what makes whole steps. */
FG_MUST_CHECK int fg_segment_put(struct fg_segment_writer *writer, struct fg_slice bytes);
/* Appends a block; its size on disk. */
FG_MUST_CHECK int fg_segment_put_block(struct fg_segment_writer *writer, struct fg_slice payload,
                                       uint64_t *ret_size);
/* Counts rows and traces into the file's sums and a group's entry. */
FG_MUST_CHECK int fg_segment_note_rows(struct fg_segment_writer *writer,
                                       const struct fg_batch *rows,
                                       struct fg_segment_group_entry *entry);
/* The row group before this is whole. */
FG_MUST_CHECK int fg_segment_put_group_entry(struct fg_segment_writer *writer,
                                             const struct fg_segment_group_entry *entry);
/* Appends the trace index (segment_writer_index.c). */
FG_MUST_CHECK int fg_segment_put_index(struct fg_segment_writer *writer);
