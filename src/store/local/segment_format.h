/* What lies in a segment file, in numbers: doc/format.md, "The segment", tells the whole. All
 * integers are little-endian.
 *
 *   header | row group 0 | row group 1 … | trace index | rollup | footer | tail
 *
 * A row group:  chunks of its pages | filters | dictionary | directory | head | columns
 *
 * All but header and tail is made of blocks without gaps. A block is its payload and 8 bytes of
 * XXH3-64 over the payload, seeded with the block's offset in the file, so that a block that was
 * written or read elsewhere is known for damaged. */
#pragma once

#include <stdint.h>

#define FG_SEGMENT_MAGIC      "FGSEGMT\n"
#define FG_SEGMENT_MAGIC_SIZE 8u
#define FG_SEGMENT_VERSION    1u

#define FG_BLOCK_CHECKSUM_SIZE 8u

struct fg_segment_header {
    uint8_t magic[FG_SEGMENT_MAGIC_SIZE];
    uint32_t version;
    uint32_t reserved; /* 0 */
    uint64_t checksum; /* of what is before it, seed 0 */
};
_Static_assert(sizeof(struct fg_segment_header) == 24, "on disk");

/* The last bytes of the file. */
struct fg_segment_tail {
    uint64_t footer_offset;
    uint64_t footer_size; /* checksum included */
    uint64_t file_size;   /* this tail included */
    uint32_t version;
    uint32_t reserved; /* 0 */
    uint8_t magic[FG_SEGMENT_MAGIC_SIZE];
    uint64_t checksum; /* of what is before it in the tail, seed 0 */
};
_Static_assert(sizeof(struct fg_segment_tail) == 48, "on disk");

/* The footer's payload: this, then group_count entries of row groups, then index_count entries of
 * the trace index. */
struct fg_segment_footer {
    uint64_t span_count;
    uint64_t trace_count;
    uint64_t start_ns_min, start_ns_max;
    uint64_t end_ns_max;
    uint64_t received_ns_min, received_ns_max;
    uint64_t rollup_size; /* its block's; 0: none. It ends where the footer begins */
    uint32_t group_count;
    uint32_t index_count;
};
_Static_assert(sizeof(struct fg_segment_footer) == 72, "on disk");

struct fg_segment_group_entry {
    uint64_t chunks_size; /* of all chunks that are blocks of their own */
    uint64_t start_ns_min, start_ns_max;
    uint32_t row_count;
    uint32_t trace_count; /* that begin in it */
    uint32_t filters_size;
    uint32_t dictionary_size;
    uint32_t directory_size;
    uint32_t head_size;
    uint32_t columns_size;
    uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct fg_segment_group_entry) == 56, "on disk");

/* A part of the trace index: traces whose hashes lie together, with a filter of them. */
struct fg_segment_index_entry {
    uint64_t hash_min;
    uint32_t trace_count;
    uint32_t filter_size; /* of two blocks */
    uint32_t places_size;
    uint32_t reserved; /* 0 */
};
_Static_assert(sizeof(struct fg_segment_index_entry) == 24, "on disk");

/* Traces in the index are known by 36 bits of a hash of their id, and by their number in the file,
 * below 2^28. */
#define FG_TRACE_NUMBER_BITS 28u
#define FG_TRACE_COUNT_MAX   (UINT64_C(1) << FG_TRACE_NUMBER_BITS)
#define FG_INDEX_TRACES_MAX  8192u

/* Rows of a page that the writer aims at; a page ends with a trace where it can. */
#define FG_SEGMENT_PAGE_ROWS 4096u
/* Attributes, events and links of a page together, at most. */
#define FG_SEGMENT_CELLS_MAX (1u << 24)
/* Bytes of one page's strings that are not in the dictionary, of the dictionary, of a head or a
 * directory: what a reader takes for possible. */
#define FG_SEGMENT_TEXT_SIZE_MAX ((size_t)512 << 20)
/* Strings of one row group's dictionary past which columns keep theirs in the pages. */
#define FG_SEGMENT_DICTIONARY_SIZE_MAX ((size_t)4 << 20)
/* A chunk of at most so many bytes lies in the directory itself. */
#define FG_CHUNK_INLINE_SIZE_MAX 15u

/* The chunks that every page has, in this order; those of the columns follow. */
enum fg_stream {
    FG_STREAM_TRACES = 0,
    FG_STREAM_SPAN_IDS = 1,
    FG_STREAM_PARENTS = 2,
    FG_STREAM_CLASSES = 3,
    FG_STREAM_RESOURCES = 4,
    FG_STREAM_TIMES = 5,
    FG_STREAM_RECEIVED = 6,
    FG_STREAM_EVENTS = 7,
    FG_STREAM_LINKS = 8,
    FG_STREAM_COUNT = 9,
};

/* Whose a column, a shape or a class is. */
enum fg_level {
    FG_LEVEL_SPAN = 0,
    FG_LEVEL_EVENT = 1,
    FG_LEVEL_LINK = 2,
    FG_LEVEL_COUNT = 3,
};

/* What a column holds: an attribute's values, or something of its owner that is rare. A value that
 * is 0 is not stored. */
enum fg_part {
    FG_PART_ATTR = 0,
    FG_PART_NAME = 1, /* where names are too many for classes */
    FG_PART_FLAGS = 2,
    FG_PART_MARKS = 3,
    FG_PART_TRACE_STATE = 4,
    FG_PART_STATUS_MESSAGE = 5,
    FG_PART_DROPPED_ATTRS = 6,
    FG_PART_DROPPED_EVENTS = 7,
    FG_PART_DROPPED_LINKS = 8,
    FG_PART_EVENT_COUNT = 9,
    FG_PART_LINK_COUNT = 10,
    /* attributes past FG_ATTR_COLUMNS_MAX columns: key, type and value, of bytes or of bits */
    FG_PART_OVERFLOW_TEXT_KEY = 11,
    FG_PART_OVERFLOW_TEXT_TYPE = 12,
    FG_PART_OVERFLOW_TEXT = 13,
    FG_PART_OVERFLOW_BITS_KEY = 14,
    FG_PART_OVERFLOW_BITS_TYPE = 15,
    FG_PART_OVERFLOW_BITS = 16,
    FG_PART_COUNT = 17,
};

/* How a column's values are kept. */
enum fg_form {
    FG_FORM_TEXT_CODES = 0, /* codes of a list of the dictionary's strings */
    FG_FORM_BITS_CODES = 1, /* codes of a list of values */
    FG_FORM_TEXT = 2,       /* strings, each page its own */
    FG_FORM_NUMBERS = 3,
    FG_FORM_DECIMALS = 4, /* doubles as integers over a power of ten, chosen page by page */
    FG_FORM_COUNT = 5,
};

enum fg_filter_kind {
    FG_FILTER_NONE = 0,   /* the codes' list says it all */
    FG_FILTER_FUSE = 1,   /* over hashes of the values */
    FG_FILTER_BITMAP = 2, /* a bit for each number from the least value to the greatest */
};

#define FG_COLUMN_COUNT_MAX (FG_ATTR_COLUMNS_MAX + FG_LEVEL_COUNT * FG_PART_COUNT)
