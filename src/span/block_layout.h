/* Where things lie in a frozen batch; the format stands in block.c. Private to the room. */
#pragma once

#include "columns.h"

#define FG_BLOCK_MAGIC       UINT32_C(0x42464746) /* "FGFB" */
#define FG_BLOCK_VERSION     1
#define FG_BLOCK_HEADER_SIZE 72

/* The header, as numbers. */
struct fg_block_header {
    uint64_t size_bytes; /* of the whole payload */
    uint64_t columns;    /* those that are present */
    uint32_t counts[FG_TABLE_COUNT];
    uint32_t string_count;
    uint32_t string_bytes;
};

struct fg_block_layout {
    uint64_t columns[FG_COL_COUNT]; /* offset; 0: absent */
    uint64_t string_ends;
    uint64_t string_bytes;
    uint64_t size_bytes;
};

/* Offsets in the order of the format. Nothing overflows, whatever the counts are. */
void fg_block_layout(const struct fg_block_header *header, struct fg_block_layout *ret_layout);

/* The header of a payload, its counts and columns agreeing with each other and with the size.
 * FG_ECORRUPT, FG_EUNSUPPORTED. */
FG_MUST_CHECK int fg_block_check_header(struct fg_slice payload, struct fg_block_header *ret_header,
                                        struct fg_block_layout *ret_layout);

/* Every number of a payload whose header was checked and whose memory is aligned to 8. scratch: a
 * word for each string, of any content. FG_ECORRUPT, FG_ENOMEM. */
FG_MUST_CHECK int fg_block_check_content(const uint8_t *payload,
                                         const struct fg_block_header *header,
                                         const struct fg_block_layout *layout, uint64_t *scratch);
