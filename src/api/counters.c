#include "counters.h"

const unsigned fg_status_of_slot[FG_STATUS_SLOTS] = {200, 202, 204, 400, 401, 403, 404,
                                                     405, 408, 409, 413, 415, 417, 429,
                                                     431, 500, 503, 504, 505, 0};

/* Upper bounds in milliseconds, from a fast acknowledgement to what an exporter gives up on. */
const uint64_t fg_bucket_ms[FG_BUCKETS - 1] = {1,   2,   5,    10,   20,   50,   100,
                                               200, 500, 1000, 2000, 5000, 10000};

void fg_latency_add(struct fg_latency *latency, uint64_t ns)
{
    size_t bucket = 0;
    while (bucket < FG_BUCKETS - 1 && ns > fg_bucket_ms[bucket] * 1000000)
        bucket++;
    fg_count(&latency->buckets[bucket], 1);
    fg_count(&latency->sum_ns, ns);
}

void fg_count_request(struct fg_counters *counters, size_t route_index, unsigned status,
                      uint64_t duration_ns)
{
    size_t slot = 0;
    while (slot < FG_STATUS_SLOTS - 1 && fg_status_of_slot[slot] != status)
        slot++;
    fg_count(&counters->requests[route_index][slot], 1);
    fg_count(&counters->request_ns[route_index], duration_ns);
}

void fg_count_intake(struct fg_counters *counters, enum fg_ingest_protocol protocol,
                     const struct fg_intake_counts *counts)
{
    fg_count(&counters->received_requests[protocol], 1);
    fg_count(&counters->received_spans[protocol], counts->accepted_spans);
    for (size_t i = 0; i < FG_REJECT_COUNT; i++)
        if (counts->rejected_spans[i])
            fg_count(&counters->rejected_spans[i], counts->rejected_spans[i]);
    fg_count(&counters->redacted_attributes, counts->redacted_attributes);
    fg_count(&counters->redacted_values, counts->redacted_values);
    fg_count(&counters->replaced_texts, counts->replaced_texts);
    fg_count(&counters->dropped_links, counts->dropped_links);
    fg_count(&counters->filed_by_receipt, counts->filed_by_receipt);
    fg_count(&counters->ends_before_start, counts->ends_before_start);
    fg_count(&counters->open_spans, counts->open_spans);
}
