/* All limits, each with its unit and its reason. Those marked (conf) are defaults that the
 * configuration may change. */
#pragma once

#include <stdint.h>

/* -- What a request may bring
 * ------------------------------------------------------------------------------------- */

/* Bytes of a request's body before decompression (conf): OTLP exporters send some 100 KiB; the
 * Collector takes 20 MiB. */
#define FG_REQUEST_BODY_SIZE_MAX ((uint64_t)16 << 20)
/* Bytes of a body after decompression (conf), over all gzip members or zstd frames together. */
#define FG_REQUEST_INFLATED_SIZE_MAX ((uint64_t)64 << 20)
/* Spans of one request: what a batch's 32-bit row numbers and one WAL frame carry with ease. */
#define FG_REQUEST_SPANS_MAX 262144u
/* Bytes of one attribute's string or bytes value (conf); longer ones are cut and the span is
 * marked. */
#define FG_ATTR_VALUE_SIZE_MAX ((uint32_t)64 << 10)
/* Bytes of an attribute's key or a span's name. */
#define FG_NAME_SIZE_MAX 1024u
/* Attributes of one span, event, link, resource or scope (conf); what is over is dropped and
 * counted. OTel's: 128. */
#define FG_ATTRS_MAX 1024u
/* Events and links of one span (conf). OTel's SDK limit is 128 each. */
#define FG_EVENTS_MAX 1024u
#define FG_LINKS_MAX  1024u
/* Nesting of AnyValue arrays and maps, and of JSON: recursion is bounded by it. */
#define FG_VALUE_DEPTH_MAX 32u

/* -- Time
 * ----------------------------------------------------------------------------------------------------------
 */

#define FG_NS_PER_MS     UINT64_C(1000000)
#define FG_NS_PER_SECOND UINT64_C(1000000000)
#define FG_NS_PER_MINUTE (60 * FG_NS_PER_SECOND)
#define FG_NS_PER_DAY    (86400 * FG_NS_PER_SECOND)
/* A start further ahead of the clock than this is filed by the time of receipt, and marked. */
#define FG_START_AHEAD_NS_MAX (3600 * FG_NS_PER_SECOND)

/* -- The store
 * -----------------------------------------------------------------------------------------------------
 */

/* The head is sealed at this many bytes (conf) or this age (conf). */
#define FG_HEAD_SIZE_MAX   ((uint64_t)64 << 20)
#define FG_HEAD_AGE_NS_MAX (5 * FG_NS_PER_MINUTE)
/* Bytes of a WAL segment file; a record lies in one. */
#define FG_WAL_SEGMENT_SIZE ((uint64_t)64 << 20)
/* A WAL frame's payload is compressed from here up. */
#define FG_WAL_COMPRESS_SIZE_MIN 4096u
/* Rows of a segment's row group and page. */
#define FG_ROW_GROUP_ROWS_MAX 65536u
#define FG_PAGE_ROWS_MAX      8192u
/* Raw bytes after which a row group or page ends early, so that long values do not make it
 * unbounded. */
#define FG_ROW_GROUP_SIZE_MAX ((uint64_t)64 << 20)
#define FG_PAGE_SIZE_MAX      ((uint64_t)4 << 20)
/* Attribute columns of a row group; what is over goes to the overflow blob. */
#define FG_ATTR_COLUMNS_MAX 1000u
/* A snapshot of the store lives at most this long. */
#define FG_SNAPSHOT_AGE_NS_MAX (30 * FG_NS_PER_SECOND)
/* Hashes of the requests of this long are kept, to stop retries early. */
#define FG_RETRY_WINDOW_NS (10 * FG_NS_PER_MINUTE)
/* Spans that one trace may give back in one answer. */
#define FG_TRACE_SPANS_MAX 1000000u
