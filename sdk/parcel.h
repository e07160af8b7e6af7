/* Spans of a ring as one OTLP request: grouped by scope, cleaned to UTF-8, redacted by the rules in
 * the ring's header. Of an attribute that was set more than once the last value is sent. */
#pragma once

#include "base/arena.h"
#include "ring_read.h"
#include "rules.h"
#include "wire/otlp_encode.h"

/* What a request tells besides spans: a scope of its own without any, so that resources and the
 * scopes of spans stay the same from export to export. */
#define FG_PARCEL_SCOPE           "filigree.export"
#define FG_PARCEL_SEQUENCE        "filigree.export.sequence"
#define FG_PARCEL_DROPPED_FULL    "filigree.export.dropped_full"
#define FG_PARCEL_DROPPED_REFUSED "filigree.export.dropped_refused"
#define FG_PARCEL_ALIVE           "filigree.export.alive_ns"
#define FG_PARCEL_STARTED         "filigree.export.started_ns"
#define FG_PARCEL_HEARTBEAT       "filigree.export.heartbeat_ns"
#define FG_PARCEL_ENDED           "filigree.export.ended"     /* by the process itself */
#define FG_PARCEL_RECOVERED       "filigree.export.recovered" /* by who found its ring */

/* On spans that were open when their process ended. The first is what Filigree reads back as a mark
 * (api/batch_visit.h). */
#define FG_MARKS_ATTRIBUTE      "filigree.marks"
#define FG_MARK_NAME            "interrupted"
#define FG_CAUSE_ATTRIBUTE      "filigree.interrupted.cause"
#define FG_LAST_ALIVE_ATTRIBUTE "filigree.interrupted.last_alive_ns"

/* How open spans are sent. */
struct fg_fate {
    bool is_over;     /* as interrupted, ended when the process was last alive; else as open */
    uint64_t last_ns; /* when that was */
    const char *cause;
    bool is_recovered; /* sent by another process */
};

struct fg_parcel_counts {
    uint64_t redacted, invalid_texts, torn;
};

struct fg_parcel;

FG_MUST_CHECK int fg_parcel_new(struct fg_parcel **ret_parcel);
void fg_parcel_free(struct fg_parcel *parcel);

/* Empties it for another request out of view. */
void fg_parcel_reset(struct fg_parcel *parcel, const struct fg_ring_view *view,
                     const struct fg_rules *rules);

/* False where the request is full. is_ended: whether the slot was an ended head when it was looked
 * at; it may end while the request is made. */
FG_MUST_CHECK bool fg_parcel_add(struct fg_parcel *parcel, uint32_t name, bool is_ended);
bool fg_parcel_is_ended(const struct fg_parcel *parcel, uint32_t index);
uint32_t fg_parcel_count(const struct fg_parcel *parcel);
uint32_t fg_parcel_name(const struct fg_parcel *parcel, uint32_t index);
/* Keeps only the first count. */
void fg_parcel_shrink(struct fg_parcel *parcel, uint32_t count);

/* Writes the request; *ret_request is valid until the next call. FG_ENOMEM, FG_ELIMIT. */
FG_MUST_CHECK int fg_parcel_encode(struct fg_parcel *parcel, const struct fg_fate *fate,
                                   uint64_t sequence, struct fg_slice *ret_request);
struct fg_parcel_counts fg_parcel_counts(const struct fg_parcel *parcel);
