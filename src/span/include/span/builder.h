/* Fills a span batch row by row. Reused request after request; its memory is kept between them.
 *
 * Calls come in this order: for each resource begin, attributes, end; scopes alike; then for each
 * span fg_builder_span_begin(), its attributes, events and links in any order, and
 * fg_builder_span_end() with its scalars or fg_builder_span_cancel(), which takes back all that the
 * span brought. Resources and scopes that are equal get one id. Of two attributes with one key in
 * one owner the later wins.
 *
 * Errors are FG_ENOMEM and FG_ELIMIT (bytes_max); both leave the rows that ended before intact.
 * Limits of counts and sizes are no errors: what is over is cut or dropped, counted in the owner's
 * dropped count, and the span gets FG_MARK_TRUNCATED. Not thread-safe. Strings given are copied. */
#pragma once

#include "base/error.h"
#include "span/batch.h"

struct fg_builder;

struct fg_builder_limits {
    uint64_t bytes_max; /* of all columns and strings together; 4 GiB - 1 at most */
    /* Of a STRING or BYTES value, a status message, a trace state: cut (texts between characters).
     * An ARRAY or KVLIST that is larger can't be cut: the attribute is dropped. */
    uint32_t attr_value_size_max;
    uint32_t name_size_max; /* of a key, a name, a version, a schema URL: cut */
    uint32_t attrs_max;     /* of one owner */
    uint32_t events_max;
    uint32_t links_max;
};

/* The limits of base/limits.h, with bytes_max 256 MiB. */
struct fg_builder_limits fg_builder_limits_default(void);

/* One typed value: bytes for STRING, BYTES, ARRAY, KVLIST; bits for BOOL, INT, DOUBLE as in enum
 * fg_value_type. */
struct fg_value {
    enum fg_value_type type;
    union {
        uint64_t bits;
        struct fg_slice bytes;
    };
};

/* The scalars of a span. */
struct fg_span {
    uint64_t trace_id_high, trace_id_low;
    uint64_t span_id, parent_span_id;
    uint64_t start_ns, end_ns, received_ns;
    struct fg_slice name, trace_state, status_message;
    uint32_t resource, scope; /* ids from fg_builder_resource_end(), fg_builder_scope_end() */
    uint32_t flags, dropped_attrs, dropped_events, dropped_links;
    uint16_t marks;
    uint8_t kind, status;
};

struct fg_link {
    uint64_t trace_id_high, trace_id_low, span_id;
    struct fg_slice trace_state;
    uint32_t flags, dropped_attrs;
};

FG_MUST_CHECK int fg_builder_new(const struct fg_builder_limits *limits,
                                 struct fg_builder **ret_builder);
void fg_builder_free(struct fg_builder *builder);
void fg_builder_reset(struct fg_builder *builder);

/* The id of a string, put in where it is new. */
FG_MUST_CHECK int fg_builder_string(struct fg_builder *builder, struct fg_slice bytes,
                                    uint32_t *ret_id);

FG_MUST_CHECK int fg_builder_resource_begin(struct fg_builder *builder);
FG_MUST_CHECK int fg_builder_resource_attr(struct fg_builder *builder, struct fg_slice key,
                                           const struct fg_value *value);
FG_MUST_CHECK int fg_builder_resource_end(struct fg_builder *builder, struct fg_slice schema_url,
                                          uint32_t dropped_attrs, uint32_t *ret_id);

FG_MUST_CHECK int fg_builder_scope_begin(struct fg_builder *builder);
FG_MUST_CHECK int fg_builder_scope_attr(struct fg_builder *builder, struct fg_slice key,
                                        const struct fg_value *value);
FG_MUST_CHECK int fg_builder_scope_end(struct fg_builder *builder, struct fg_slice name,
                                       struct fg_slice version, struct fg_slice schema_url,
                                       uint32_t dropped_attrs, uint32_t *ret_id);

FG_MUST_CHECK int fg_builder_span_begin(struct fg_builder *builder);
FG_MUST_CHECK int fg_builder_span_attr(struct fg_builder *builder, struct fg_slice key,
                                       const struct fg_value *value);
FG_MUST_CHECK int fg_builder_event_begin(struct fg_builder *builder);
FG_MUST_CHECK int fg_builder_event_attr(struct fg_builder *builder, struct fg_slice key,
                                        const struct fg_value *value);
FG_MUST_CHECK int fg_builder_event_end(struct fg_builder *builder, uint64_t time_ns,
                                       struct fg_slice name, uint32_t dropped_attrs);
FG_MUST_CHECK int fg_builder_link_begin(struct fg_builder *builder);
FG_MUST_CHECK int fg_builder_link_attr(struct fg_builder *builder, struct fg_slice key,
                                       const struct fg_value *value);
FG_MUST_CHECK int fg_builder_link_end(struct fg_builder *builder, const struct fg_link *link);
FG_MUST_CHECK int fg_builder_span_end(struct fg_builder *builder, const struct fg_span *span);
void fg_builder_span_cancel(struct fg_builder *builder);

uint32_t fg_builder_span_count(const struct fg_builder *builder);
/* Bytes that the columns and strings take now: what a batch frozen from it would keep in memory. */
uint64_t fg_builder_size_bytes(const struct fg_builder *builder);

/* A view of all rows so far; valid until the builder's next call. */
void fg_builder_view(struct fg_builder *builder, struct fg_batch *ret_batch);

/* -- Copying rows from other batches: seal, merge, the answer to a query
 * --------------------------- */

/* Which strings, resources and scopes of one source the builder has taken already. It costs 8 bytes
 * for each of them, and does not outlive its builder. */
struct fg_remap;

FG_MUST_CHECK int fg_remap_new(struct fg_remap **ret_remap);
void fg_remap_free(struct fg_remap *remap);

/* Before the first fg_builder_copy() from source, again after fg_builder_reset() and whenever
 * source changed. What is known is kept only as far as source's string epoch allows and the builder
 * was not reset since. */
FG_MUST_CHECK int fg_remap_begin(struct fg_remap *remap, const struct fg_builder *builder,
                                 const struct fg_batch *source);

/* Appends row of source, whole: scalars, attributes, events, links, resource and scope. No limit
 * but bytes_max applies. or_marks are added to the row's own. Columns that source lacks (NULL)
 * become 0. */
FG_MUST_CHECK int fg_builder_copy(struct fg_builder *builder, struct fg_remap *remap,
                                  const struct fg_batch *source, uint32_t row, uint16_t or_marks);
