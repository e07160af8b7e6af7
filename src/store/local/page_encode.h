/* One page of a row group as chunks. */
#pragma once

#include "base/buffer.h"
#include "local/codec.h"
#include "local/group_build.h"

struct fg_page_encoder {
    struct fg_codec *codec;
    struct fg_group_build *group;
    uint64_t group_start_ns_min;
    struct fg_buffer *directory; /* gets the page's entry */
    /* Takes a chunk that is a block of its own; the size that it has on disk, or an error. */
    int (*emit)(void *arg, struct fg_slice payload, uint64_t *ret_size);
    void *arg;
    /* the encoder's own */
    struct fg_buffer chunk;
    uint64_t *values;
    uint32_t *a, *b, *defaults, *parent, *class, *stamp;
    struct fg_slice *texts;
    uint32_t capacity;
    /* of the page at hand */
    uint32_t row_begin, row_count;
    uint32_t *run_begin; /* rows where a trace begins, and row_count */
    uint64_t *run_start;
    uint32_t run_count;
};

/* For the pages of one group. FG_ENOMEM. */
FG_MUST_CHECK int fg_page_encoder_init(struct fg_page_encoder *encoder, struct fg_codec *codec,
                                       struct fg_group_build *group);
void fg_page_encoder_free(struct fg_page_encoder *encoder);

/* Pages in order. continued: its first trace goes on from the row before. */
FG_MUST_CHECK int fg_page_encode(struct fg_page_encoder *encoder, struct fg_page_range range,
                                 bool continued);
