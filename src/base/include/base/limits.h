/* All limits, each with its unit and its reason. Those marked (conf) are defaults that the
 * configuration may change. */
#pragma once

#include <stdint.h>

/* -- What a request may bring
 * ------------------------------------------------------------------------------------- */

/* Tenants of one server: each has tables in the keyed state and journeys of its own, whether or not
 * it sends anything. Numbers are given from 0, the default tenant's, upward. */
#define FG_TENANTS_MAX 64u

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
/* Nesting of AnyValue arrays and maps: recursion is bounded by it. */
#define FG_VALUE_DEPTH_MAX 32u
/* Nesting of a JSON text. OTLP has twelve brackets around an AnyValue, and four for each map in it.
 */
#define FG_JSON_DEPTH_MAX (6 * FG_VALUE_DEPTH_MAX)
/* Bytes of a number in JSON: more than the longest that still changes a double's last bit. */
#define FG_JSON_NUMBER_SIZE_MAX 1024u

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
#define FG_HEAD_SIZE_MAX   ((uint64_t)48 << 20)
#define FG_HEAD_AGE_NS_MAX (5 * FG_NS_PER_MINUTE)
/* Days of one seal; starts are the senders' to choose, and each day is a file. */
#define FG_SEAL_PARTITIONS_MAX 128u
/* Rows of one seal: a head of 4 GiB has fewer. */
#define FG_SEAL_ROWS_MAX ((uint64_t)64 << 20)
/* How long a commit waits at most for the sealer, so that senders are slowed before they are
 * refused: an acknowledgement that takes this long more is still a fast one to an exporter. */
#define FG_COMMIT_DELAY_NS_MAX (30 * FG_NS_PER_MS)
/* What sealing a byte of a head is taken to cost before the first one was sealed: 64 MiB a second.
 */
#define FG_SEAL_BYTE_NS 16u
/* Bytes that are taken and not yet on disk (conf): a second or two of the fastest ingest. */
#define FG_APPEND_QUEUE_BYTES_MAX ((uint64_t)64 << 20)
/* Memory for indexes, filters and dictionaries of all segments (conf). */
#define FG_CACHE_SIZE_MAX ((uint64_t)24 << 20)
/* Bytes a second that merges write (conf): half of what a slow disk takes. */
#define FG_MERGE_RATE_BYTES ((uint64_t)64 << 20)
/* Disk kept free for seals and merges (conf): a head, and the largest of the small merges. */
#define FG_RESERVE_BYTES ((uint64_t)256 << 20)
/* What traces of open and broken journeys may keep past their age (conf). */
#define FG_PINNED_BYTES_MAX ((uint64_t)1 << 30)
/* Retention policies (conf): a bit each. */
#define FG_RETENTION_POLICIES_MAX 32u
/* Bytes of a WAL segment file; a record lies in one. */
#define FG_WAL_SEGMENT_SIZE ((uint64_t)64 << 20)
/* Bytes of WAL files that are kept for a consumer that is behind (conf): some minutes of full load.
 * How long an erase or a backup waits for one to commit. */
#define FG_WAL_HOLD_BYTES_MAX   ((uint64_t)1 << 30)
#define FG_CONSUMER_WAIT_NS_MAX (10 * FG_NS_PER_SECOND)
/* A WAL frame's payload is compressed from here up. */
#define FG_WAL_COMPRESS_SIZE_MIN 4096u
/* Bytes of a WAL record before compression: a frozen builder of 256 MiB with its tables. */
#define FG_WAL_RECORD_RAW_SIZE_MAX ((uint64_t)512 << 20)
/* Bytes of a WAL file that a replay accepts. */
#define FG_WAL_FILE_SIZE_MAX ((uint64_t)1 << 30)
/* Rows of a segment's row group and page. */
#define FG_ROW_GROUP_ROWS_MAX 65536u
#define FG_PAGE_ROWS_MAX      8192u
/* Raw bytes after which a row group or page ends early, so that long values do not make it
 * unbounded. */
#define FG_ROW_GROUP_SIZE_MAX ((uint64_t)32 << 20)
#define FG_PAGE_SIZE_MAX      ((uint64_t)4 << 20)
/* Attribute columns of a row group; what is over goes to the overflow blob. */
#define FG_ATTR_COLUMNS_MAX 1000u
/* A commit waits so long for a seal when both heads are full; then its senders are sent away. */
#define FG_COMMIT_WAIT_NS_MAX (2 * FG_NS_PER_SECOND)
/* Bytes of a manifest: some 700 000 segments. */
#define FG_MANIFEST_SIZE_MAX ((size_t)64 << 20)
/* Bytes that a commit gathers into one write, unless a single record is larger. */
#define FG_COMMIT_GROUP_SIZE_MAX ((size_t)4 << 20)
/* A merge: inputs at least, unless its partition is quiet, and at most; and what its result may be,
 * so that what a merge keeps in memory (40 bytes a trace, two pages an input, one row group) and
 * the time until it can be stopped stay bounded. */
#define FG_MERGE_INPUTS_MIN 8u
#define FG_MERGE_INPUTS_MAX 16u
#define FG_MERGE_SPANS_MAX  ((uint64_t)16 << 20)
#define FG_MERGE_TRACES_MAX ((uint64_t)1 << 20)
#define FG_MERGE_SIZE_MAX   ((uint64_t)512 << 20)
/* A partition that got nothing for this long is merged down to as few segments as can be. */
#define FG_MERGE_QUIET_NS (3600 * FG_NS_PER_SECOND)
/* Traces that one erase of whole traces removes: their ids are in memory meanwhile. */
#define FG_ERASE_TRACES_MAX 4194304u
/* From this share of the bounds below on commits are slowed, more and more: where they are reached
 * a byte of spans takes FG_MERGE_SLOW_BYTE_NS (8 MiB a second), some 60 000 spans a second. */
#define FG_MERGE_SLOW_PERMILLE 500u
#define FG_MERGE_SLOW_BYTE_NS  120u
/* Past either of these ingest waits for merges: bytes that wait to be merged (half a minute of
 * merging), and segments of one partition that do, since a search opens them all. */
#define FG_MERGE_DEBT_BYTES_MAX   ((uint64_t)2 << 30)
#define FG_PARTITION_SEGMENTS_MAX 1024u
/* Bytes of one trace's spans that a merge joins in memory; a larger trace is put together unsorted.
 */
#define FG_MERGE_TRACE_SIZE_MAX ((uint64_t)128 << 20)
/* A snapshot of the store lives at most this long. */
#define FG_SNAPSHOT_AGE_NS_MAX (30 * FG_NS_PER_SECOND)
/* How long a search works alone before others help it: most are over by then. */
#define FG_SCAN_ALONE_NS (20 * FG_NS_PER_MS)
/* Hashes of the requests of this long are kept, to stop retries early. */
#define FG_RETRY_WINDOW_NS (10 * FG_NS_PER_MINUTE)
/* Of so many at most: 900 requests a second for the whole window; 16 MiB. */
#define FG_RETRIES_MAX 524288u
/* What minute rollups tell apart, so that a service that puts ids in its names fills no disk: names
 * of one service, services; what is over is counted as "other". Then operations and edges together,
 * bytes of names, and numbers (a minute's count in one histogram bucket) of one rollup: 48 MiB. */
#define FG_ROLLUP_NAMES_MAX      1000u
#define FG_ROLLUP_SERVICES_MAX   1000u
#define FG_ROLLUP_OPS_MAX        131072u
#define FG_ROLLUP_NAMES_SIZE_MAX ((uint32_t)8 << 20)
#define FG_ROLLUP_NUMBERS_MAX    3145728u
/* Bytes of an encoded rollup, before compression: what the limits above can come to. */
#define FG_ROLLUP_SIZE_MAX ((size_t)64 << 20)
/* The keyed state, in bytes that its file grows to (conf): a million open journeys with ease. Of
 * one batch of changes; of all batches that wait. */
#define FG_STATE_SIZE_MAX       ((uint64_t)4 << 30)
#define FG_STATE_BATCH_SIZE_MAX ((size_t)64 << 20)
#define FG_STATE_QUEUE_SIZE_MAX ((size_t)256 << 20)
/* Spans that one trace may give back in one answer. */
#define FG_TRACE_SPANS_MAX 1000000u

/* -- The network
 * --------------------------------------------------------------------------------------------------
 */

/* Connections of all listeners (conf); one that is idle costs some 2 KiB, one of HTTP/2 some 20. */
#define FG_NET_CONNECTIONS_MAX 20000u
/* HTTP/2: requests at once on one connection. SDKs use a handful. */
#define FG_NET_CONNECTION_STREAMS_MAX 128u
/* Bytes of names and values of one request's header, and their number: cookies and long tokens fit.
 */
#define FG_NET_HEADER_SIZE_MAX  ((size_t)32 << 10)
#define FG_NET_HEADER_COUNT_MAX 100u
/* Bytes of a request's URL: a TraceQL query in a parameter, percent-encoded. */
#define FG_NET_URL_SIZE_MAX ((size_t)8 << 10)
/* Bytes of bodies in memory at once, of all connections (conf): four of the largest requests, or
 * some hundreds of the usual. Past it requests are refused with 503, RESOURCE_EXHAUSTED. */
#define FG_NET_BUFFERED_SIZE_MAX ((uint64_t)256 << 20)
/* Bytes of a request's arena: headers, decoded parameters, what a handler builds. */
#define FG_NET_REQUEST_ARENA_SIZE_MAX ((size_t)1 << 20)
/* A connection without a request is closed after this: exporters send every few seconds. */
#define FG_NET_IDLE_TIMEOUT_NS (300 * FG_NS_PER_SECOND)
/* TLS: from accepting to the end of the handshake; a slow line needs three round trips. */
#define FG_NET_HANDSHAKE_TIMEOUT_NS (10 * FG_NS_PER_SECOND)
/* TLS handshakes under way at one time, over all loops: each holds some 40 KiB. */
#define FG_NET_HANDSHAKES_MAX 1024u
/* Bytes that a client may send in one: a chain of certificates; and changes of keys afterwards,
 * within FG_NET_FLOOD_WINDOW_NS. */
#define FG_NET_HANDSHAKE_SIZE_MAX ((size_t)64 << 10)
#define FG_NET_REKEYS_MAX         64u
/* A key of session tickets seals for this long, and opens for twice this long. */
#define FG_NET_TICKET_KEY_NS (3600 * FG_NS_PER_SECOND)
/* From a request's first byte to its last header. */
#define FG_NET_HEADER_TIMEOUT_NS (10 * FG_NS_PER_SECOND)
/* After the grace a body must have come at this many bytes a second on average; a modem does. */
#define FG_NET_BODY_GRACE_NS       (10 * FG_NS_PER_SECOND)
#define FG_NET_BODY_RATE_BYTES_MIN UINT64_C(1024)
/* A client that takes no byte of its answer for this long is cut. */
#define FG_NET_WRITE_TIMEOUT_NS (30 * FG_NS_PER_SECOND)
/* HTTP/2: what one connection may do within a window of this length before it is sent away: give up
 * streams (CVE-2023-44487), and send frames that move nothing (PING, SETTINGS, PRIORITY, empty
 * DATA). */
#define FG_NET_FLOOD_WINDOW_NS    (10 * FG_NS_PER_SECOND)
#define FG_NET_RESETS_MAX         200u
#define FG_NET_CONTROL_FRAMES_MAX 1000u
/* HTTP/2 flow control, bytes that a client may send ahead: a request of the usual size never waits.
 */
#define FG_NET_STREAM_WINDOW_SIZE     ((int32_t)4 << 20)
#define FG_NET_CONNECTION_WINDOW_SIZE ((int32_t)16 << 20)
/* Bytes that are read at once where the body's own buffer is not the target. */
#define FG_NET_READ_SIZE ((size_t)64 << 10)
/* Bytes of memory that a body of known size takes with its first byte; then twice what has come. */
#define FG_NET_BODY_FIRST_SIZE_MAX ((size_t)256 << 10)
/* HTTP/1.1: bytes that may come ahead while a request is worked on, beyond the read that brought
 * it; reading them shows that the client is still there. */
#define FG_NET_AHEAD_SIZE ((size_t)4 << 10)
/* HTTP/1.1: what is left of a refused request's body is read and dropped where it is no more than
 * this, and the connection lives on; otherwise it is closed after the answer. */
#define FG_NET_DISCARD_SIZE_MAX UINT64_C(262144)
/* A connection that is closed under a sending client is read and dropped for so long and so much,
 * so that the client sees the answer and not a reset. */
#define FG_NET_LINGER_NS       (2 * FG_NS_PER_SECOND)
#define FG_NET_LINGER_SIZE_MAX ((uint64_t)64 << 20)
/* Files that connections leave to the store and the rest of the process. */
#define FG_NET_FILES_RESERVED 1024u
/* Without a file descriptor left, accepting pauses for this long. */
#define FG_NET_ACCEPT_PAUSE_NS (100 * FG_NS_PER_MS)
/* Kept for reuse by each loop: requests, and buffers of each power of two between the sizes. */
#define FG_NET_SPARE_CALLS     64u
#define FG_NET_SPARE_BODIES    16u
#define FG_NET_SPARE_BODY_LOG  12u /* 4 KiB, … */
#define FG_NET_SPARE_BODY_LOGS 7u  /* … to 256 KiB */
/* Fields that a handler may put into an answer. */
#define FG_NET_RESPONSE_FIELDS_MAX 32u
/* Bytes that a generator should and may append in one pull. */
#define FG_PULL_SIZE     ((size_t)64 << 10)
#define FG_PULL_SIZE_MAX ((size_t)4 << 20)
/* gzip members or zstd frames of one body: block-wise writers make one for each 64 KiB or so. */
#define FG_INFLATE_PARTS_MAX 4096u
/* Bytes that a zstd frame may ask the reader to remember: RFC 8878 section 3.1.1.1.2 names 8 MB. */
#define FG_INFLATE_WINDOW_SIZE_MAX ((size_t)8 << 20)

/* -- Journeys
 * -----------------------------------------------------------------------------------------------------
 */

/* Traces of one journey that are read to judge it: an order of weeks has some tens. */
#define FG_JOURNEY_TRACES_MAX 128u
/* Bytes of a key's value: an order's number, a UUID, a URN. */
#define FG_JOURNEY_VALUE_SIZE_MAX 256u
/* Spans come late: exporters of stock SDKs send every five seconds. So long after a deadline a
 * journey is judged. */
#define FG_JOURNEY_GRACE_NS (7 * FG_NS_PER_SECOND)
/* After a start nothing is held against a journey that was in time when the server last listened
 * for as long as it did not listen, and this more, but for no longer than the second: who could not
 * send tries again after a wait that doubles, so about as late as that. */
#define FG_JOURNEY_HOLD_NS     (2 * FG_NS_PER_SECOND)
#define FG_JOURNEY_HOLD_NS_MAX (30 * FG_NS_PER_SECOND)
/* How long one that is in doubt is left alone after it was judged, unless its spans say more. */
#define FG_JOURNEY_AGAIN_NS (30 * FG_NS_PER_SECOND)
/* And no longer than this, however many they are. */
#define FG_JOURNEY_AGAIN_NS_MAX (600 * FG_NS_PER_SECOND)
/* Records of journeys that were not heard for so long are dropped from the disk; where the keyed
 * state is nearly full, ended ones and those that are not under way by a flow after
 * FG_JOURNEY_KEPT_SCARCE_NS. */
#define FG_JOURNEY_KEPT_NS        (90 * FG_NS_PER_DAY)
#define FG_JOURNEY_KEPT_SCARCE_NS (FG_NS_PER_DAY / 24)
/* How often records are committed: a journey's spans come in bursts, and records that are committed
 * together share pages of the disk. Sooner where the log that is kept for it grows large: see
 * fg_consumers_look(). */
#define FG_JOURNEY_COMMIT_NS (120 * FG_NS_PER_SECOND)
/* Memory of the spans of one journey that is judged, and of what is worked out of them. */
#define FG_CASE_BYTES_MAX ((uint64_t)64 << 20)

/* -- Queries
 * ------------------------------------------------------------------------------------------------------
 */

/* How long one may take where its asker says nothing, and at most: a proxy gives up after a minute.
 */
#define FG_QUERY_TIME_NS     (10 * FG_NS_PER_SECOND)
#define FG_QUERY_TIME_NS_MAX (60 * FG_NS_PER_SECOND)
/* Bytes that one may read from disk, likewise: a day of a busy store. */
#define FG_QUERY_BYTES     ((uint64_t)8 << 30)
#define FG_QUERY_BYTES_MAX ((uint64_t)256 << 30)
/* Conditions of one predicate, and their nesting, which is recursion. */
#define FG_PREDICATE_NODES_MAX 256u
#define FG_PREDICATE_DEPTH_MAX 32u
/* Bytes of a regular expression. */
#define FG_REGEX_SIZE_MAX 4096u
/* Steps (as PCRE2 counts them) and memory that one match of a regular expression on one string may
 * take: some milliseconds. A string of FG_ATTR_VALUE_SIZE_MAX is searched with ease. */
#define FG_REGEX_STEPS_MAX      1000000u
#define FG_REGEX_STACK_SIZE_MAX ((size_t)4 << 20)
