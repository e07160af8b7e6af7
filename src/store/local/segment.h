/* A segment: an immutable file of spans as encoded columns. Byte format: doc/format.md and
 * segment_format.h.
 *
 * Rows stand in this order, which the writer's caller makes: traces by their earliest start, then
 * by id; a trace's spans in depth-first pre-order. Row groups of at most FG_ROW_GROUP_ROWS_MAX rows
 * hold pages of at most FG_PAGE_ROWS_MAX; a trace may cross both.
 *
 * A segment that is open is immutable and may be read by any number of threads. Every page, index,
 * filter block and footer carries a checksum that is checked when it is read. */
#pragma once

#include "base/error.h"
#include "os/env.h"
#include "span/batch.h"
#include "store/predicate.h"

struct fg_codec;
struct fg_builder;
struct fg_cache;
struct fg_segment;
struct fg_segment_writer;
struct fg_segment_reader;

struct fg_segment_info {
    uint64_t span_count, trace_count;
    uint64_t size_bytes; /* of the file */
    uint64_t start_ns_min, start_ns_max;
    uint64_t end_ns_max;
    uint64_t received_ns_min, received_ns_max;
    uint32_t row_group_count;
};

/* -- Writing. One thread.
 * ------------------------------------------------------------------------------------------- */

/* Makes path (which must not exist). Writes are paced by pace(arg, bytes) when given, called before
 * each written step of at most 1 MiB; each step is written out before the next. */
struct fg_segment_writer_options {
    void (*pace)(void *arg, size_t bytes);
    void *pace_arg;
};

FG_MUST_CHECK int fg_segment_writer_open(struct fg_env *env, const char *path,
                                         const struct fg_segment_writer_options *options,
                                         struct fg_segment_writer **ret_writer);

/* Writes rows, in final order, as one row group (at most FG_ROW_GROUP_ROWS_MAX rows). A trace that
 * goes on in the next call is recognised. rows is borrowed. */
FG_MUST_CHECK int fg_segment_writer_add(struct fg_segment_writer *writer,
                                        const struct fg_batch *rows);

/* A block of bytes that the caller owns the meaning of (minute rollups); stored with a checksum. At
 * most one. */
FG_MUST_CHECK int fg_segment_writer_rollup(struct fg_segment_writer *writer, struct fg_slice bytes);

/* Writes indexes, filters and footer, syncs the file (not its folder), closes. Frees the writer in
 * every case. On failure the file is left for the caller to unlink. */
FG_MUST_CHECK int fg_segment_writer_finish_take(struct fg_segment_writer *writer,
                                                struct fg_segment_info *ret_info);
/* Closes and frees without finishing; NULL is accepted. */
void fg_segment_writer_abort(struct fg_segment_writer *writer);

/* -- Reading
 * ---------------------------------------------------------------------------------------------------------
 */

/* Reads and checks the footer only. FG_ECORRUPT, FG_EUNSUPPORTED (newer format), FG_ENOTFOUND,
 * FG_EIO. cache: bounds what indexes, filters and dictionaries of all segments keep in memory
 * together; borrowed, may be NULL (nothing is kept). */
FG_MUST_CHECK int fg_segment_open(struct fg_env *env, const char *path, struct fg_cache *cache,
                                  struct fg_segment **ret_segment);
struct fg_segment *fg_segment_ref(struct fg_segment *segment);
void fg_segment_unref(struct fg_segment *segment);
const struct fg_segment_info *fg_segment_info(const struct fg_segment *segment);

/* The rollup block into a buffer that the caller frees with free(); size 0 where there is none. */
FG_MUST_CHECK int fg_segment_rollup(struct fg_segment *segment, uint8_t **ret_bytes,
                                    size_t *ret_size);

struct fg_segment_trace {
    uint64_t id_high, id_low;
    uint64_t start_ns; /* earliest */
    uint64_t row_begin;
    uint64_t row_count;
};

/* Where a trace lies: by filter, then by the sorted hash index. FG_ENOTFOUND. */
FG_MUST_CHECK int fg_segment_find_trace(struct fg_segment *segment, uint64_t id_high,
                                        uint64_t id_low, struct fg_segment_trace *ret_trace);
/* The same for who looks for many: *codec is NULL, or what was made when it was first needed. The
 * caller frees it. */
FG_MUST_CHECK int fg_segment_find_trace_by(struct fg_segment *segment, uint64_t id_high,
                                           uint64_t id_low, struct fg_codec **codec,
                                           struct fg_segment_trace *ret_trace);

/* All traces in file order, at most as many as the segment's info tells. What fn returns but 0 ends
 * it and is returned. FG_ECORRUPT may come after some were given. */
FG_MUST_CHECK int
fg_segment_visit_traces(struct fg_segment *segment,
                        int (*fn)(void *arg, const struct fg_segment_trace *trace), void *arg);

/* Decodes pages one at a time. columns: bits of enum fg_columns; key_filter (may be NULL: all) says
 * which span attribute keys are wanted. One thread a reader; holds a reference to the segment. */
struct fg_segment_reader_options {
    uint32_t columns;
    const struct fg_predicate *keys_of; /* only the keys that this predicate uses; NULL: all */
    uint32_t page_cache_count;          /* decoded pages kept, at least 1 */
    bool reads_once; /* of row groups that it is done with nothing stays in the cache */
};

FG_MUST_CHECK int fg_segment_reader_new(struct fg_segment *segment,
                                        const struct fg_segment_reader_options *options,
                                        struct fg_segment_reader **ret_reader);
void fg_segment_reader_free(struct fg_segment_reader *reader);

/* The decoded page that holds row; row ret_row_begin + i of the segment is row i of ret_page. Valid
 * until the reader's next call (the page just returned and the one before it stay valid when
 * page_cache_count >= 2). FG_ECORRUPT for a damaged page: other pages can still be read. */
FG_MUST_CHECK int fg_segment_reader_page(struct fg_segment_reader *reader, uint64_t row,
                                         const struct fg_batch **ret_page, uint64_t *ret_row_begin);

/* Bytes read from disk so far for what the reader was asked; what came from the cache is not
 * counted. */
uint64_t fg_segment_reader_bytes_read(const struct fg_segment_reader *reader);

struct fg_segment_page {
    uint64_t row_begin, row_count;
    uint64_t start_ns_min, start_ns_max;
    /* What whoever looked ahead found in it (ahead.h). */
    struct {
        bool is_there, hit; /* a row matches */
        int result;
        uint64_t bytes_read;
    } probe;
};

/* What a scan may skip: calls fn for each page, newest or oldest first, whose statistics,
 * dictionaries and filters do not rule out that a row with start in [start_ns_min, start_ns_max)
 * matches predicate (NULL: everything). A non-zero return of fn ends it and is the result. counters
 * may be NULL. */
struct fg_prune_counters {
    uint64_t row_groups, row_groups_pruned_time, row_groups_pruned_statistics,
        row_groups_pruned_filter, pages, pages_pruned, bytes_read;
};

FG_MUST_CHECK int fg_segment_prune(struct fg_segment *segment, const struct fg_predicate *predicate,
                                   uint64_t start_ns_min, uint64_t start_ns_max, bool newest_first,
                                   int (*fn)(void *arg, const struct fg_segment_page *page),
                                   void *arg, struct fg_prune_counters *counters);

/* What a look at one row group finds: pages that it does not rule out, and those that were found
 * before it met damage. */
struct fg_segment_look {
    struct fg_segment_page *pages; /* from malloc */
    size_t page_count, page_capacity;
    struct fg_prune_counters counters; /* of it alone */
};

/* Looks at row groups of any segments, one after another. One thread; the predicate and the
 * segment that was looked at last outlive it. look is all zeros before. */
struct fg_segment_looker;
FG_MUST_CHECK int fg_segment_looker_new(const struct fg_predicate *predicate, uint64_t start_ns_min,
                                        uint64_t start_ns_max,
                                        struct fg_segment_looker **ret_looker);
FG_MUST_CHECK int fg_segment_look(struct fg_segment_looker *looker, struct fg_segment *segment,
                                  uint32_t number, struct fg_segment_look *look);
void fg_segment_look_free(struct fg_segment_look *look);
void fg_segment_looker_free(struct fg_segment_looker *looker);

/* fg_segment_prune(), no further than is asked for: next() looks at one row group at most, and
 * names the pages of which it is known then that none comes before them, which may be none.
 * *ret_done: there are no more; FG_ECORRUPT, then, where row groups could not be read. The segment
 * outlives it. One thread. */
struct fg_segment_pruning;
FG_MUST_CHECK int fg_segment_pruning_new(struct fg_segment *segment,
                                         const struct fg_predicate *predicate,
                                         uint64_t start_ns_min, uint64_t start_ns_max,
                                         bool newest_first,
                                         struct fg_segment_pruning **ret_pruning);
FG_MUST_CHECK int fg_segment_pruning_next(struct fg_segment_pruning *pruning,
                                          int (*fn)(void *arg, const struct fg_segment_page *page),
                                          void *arg, bool *ret_done);

/* Has looks taken from where they may have been made already; FG_ENOTFOUND: this one was not. */
struct fg_segment_ahead {
    int (*take)(void *arg, uint32_t number, struct fg_segment_look *look);
    void *arg;
};
void fg_segment_pruning_ahead(struct fg_segment_pruning *pruning,
                              const struct fg_segment_ahead *ahead);
/* The row groups that next() will look at, the next one having index 0; false: there are fewer. */
bool fg_segment_pruning_coming(const struct fg_segment_pruning *pruning, uint32_t index,
                               uint32_t *ret_number, uint64_t *ret_start_ns_max);
/* So far. */
struct fg_prune_counters fg_segment_pruning_counters(const struct fg_segment_pruning *pruning);
void fg_segment_pruning_free(struct fg_segment_pruning *pruning);

/* -- Looking after
 * ---------------------------------------------------------------------------------------------------
 */

struct fg_segment_damage {
    uint64_t offset, size;         /* in the file */
    const char *what;              /* "page of column span.http.route", … */
    uint64_t row_begin, row_count; /* rows concerned; 0, 0 when not a page */
};

/* Reads every byte that carries a checksum; fn for each damage. Returns 0 also when there was
 * damage, an error only when reading failed. */
FG_MUST_CHECK int fg_segment_verify(struct fg_segment *segment,
                                    void (*fn)(void *arg, const struct fg_segment_damage *damage),
                                    void *arg);

struct fg_segment_column {
    enum fg_field level;  /* FG_FIELD_ATTR_*; FG_FIELD_NAME for what is no attribute */
    struct fg_slice key;  /* the attribute's key, or the column's name */
    uint8_t type;         /* enum fg_value_type; FG_VALUE_EMPTY for what is no attribute */
    uint64_t size_bytes;  /* in this segment, dictionary and filter included */
    uint64_t value_count; /* rows that have it */
};

FG_MUST_CHECK int fg_segment_columns(struct fg_segment *segment,
                                     void (*fn)(void *arg, const struct fg_segment_column *column),
                                     void *arg);
