/* What the api counts. One struct a loop thread, which alone writes it; /metrics adds them up. */
#pragma once

#include "api/intake.h"
#include "route.h"

#include <stdatomic.h>

enum fg_ingest_protocol {
    FG_INGEST_OTLP_GRPC,
    FG_INGEST_OTLP_HTTP_PROTOBUF,
    FG_INGEST_OTLP_HTTP_JSON,
    FG_INGEST_ZIPKIN,
    FG_INGEST_RECORDER, /* what a process that died had in its flight recorder */
    FG_INGEST_PROTOCOL_COUNT,
};

/* Why a whole ingest request was refused. */
enum fg_ingest_refusal {
    FG_INGEST_MALFORMED,  /* bytes that are not what they say */
    FG_INGEST_TOO_LARGE,  /* more than a batch may hold */
    FG_INGEST_OVERLOADED, /* the store's queue is full */
    FG_INGEST_NO_SPACE,
    FG_INGEST_FAILED, /* the store failed, memory ran out */
    FG_INGEST_STARTING,
    FG_INGEST_OVER_QUOTA, /* of its tenant, or of a browser's token */
    FG_INGEST_REFUSAL_COUNT,
};

/* Statuses that are counted by themselves; the last slot (0) takes all others. */
#define FG_STATUS_SLOTS 20
extern const unsigned fg_status_of_slot[FG_STATUS_SLOTS];

/* Buckets of a latency histogram and their upper bounds in milliseconds; the last bucket has none.
 */
#define FG_BUCKETS 14
extern const uint64_t fg_bucket_ms[FG_BUCKETS - 1];

struct fg_latency {
    _Atomic uint64_t buckets[FG_BUCKETS];
    _Atomic uint64_t sum_ns;
};

struct fg_counters {
    _Atomic uint64_t requests[FG_ROUTES_MAX + 1][FG_STATUS_SLOTS];
    _Atomic uint64_t request_ns[FG_ROUTES_MAX + 1];
    _Atomic uint64_t received_spans[FG_INGEST_PROTOCOL_COUNT];
    _Atomic uint64_t received_requests[FG_INGEST_PROTOCOL_COUNT];
    _Atomic uint64_t refused_requests[FG_INGEST_REFUSAL_COUNT];
    _Atomic uint64_t rejected_spans[FG_REJECT_COUNT];
    _Atomic uint64_t redacted_attributes, redacted_values, replaced_texts, dropped_links;
    _Atomic uint64_t filed_by_receipt, ends_before_start, open_spans;
    _Atomic uint64_t denied_requests;
    _Atomic uint64_t foreign_requests; /* see guard.h */
    struct fg_latency ingest_seconds;  /* from the headers to the acknowledgement */
};

/* Only the owner writes, so that a load and a store do; a reader sees a number that was true. */
static inline void fg_count(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + amount, memory_order_relaxed);
}

void fg_count_request(struct fg_counters *counters, size_t route_index, unsigned status,
                      uint64_t duration_ns);
void fg_count_intake(struct fg_counters *counters, enum fg_ingest_protocol protocol,
                     const struct fg_intake_counts *counts);
void fg_latency_add(struct fg_latency *latency, uint64_t ns);
