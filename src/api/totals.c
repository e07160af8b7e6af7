#include "totals.h"

#include "state.h"
#include "wire/json_writer.h"

uint64_t fg_total(const struct fg_api *api, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < api->loop_count; i++) {
        const char *counters = (const char *)&api->loops[i].counters;
        sum += atomic_load_explicit((const _Atomic uint64_t *)(counters + offset),
                                    memory_order_relaxed);
    }
    return sum;
}

const char *fg_ingest_protocol_name(enum fg_ingest_protocol protocol)
{
    static const char *const names[FG_INGEST_PROTOCOL_COUNT] = {
        [FG_INGEST_OTLP_GRPC] = "otlp_grpc",
        [FG_INGEST_OTLP_HTTP_PROTOBUF] = "otlp_http_protobuf",
        [FG_INGEST_OTLP_HTTP_JSON] = "otlp_http_json",
        [FG_INGEST_ZIPKIN] = "zipkin",
        [FG_INGEST_RECORDER] = "recorder",
    };
    return names[protocol];
}

const char *fg_ingest_refusal_name(enum fg_ingest_refusal refusal)
{
    static const char *const names[FG_INGEST_REFUSAL_COUNT] = {
        [FG_INGEST_MALFORMED] = "malformed",   [FG_INGEST_TOO_LARGE] = "too_large",
        [FG_INGEST_OVERLOADED] = "overloaded", [FG_INGEST_NO_SPACE] = "no_space",
        [FG_INGEST_FAILED] = "failed",         [FG_INGEST_STARTING] = "starting",
        [FG_INGEST_OVER_QUOTA] = "over_quota",
    };
    return names[refusal];
}

static void put(struct fg_json_writer *json, const char *name, uint64_t value)
{
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_uint(json, value);
}

void fg_ingest_totals_write(struct fg_json_writer *json, const struct fg_api *api)
{
    FG_JSON_KEY(json, "ingest");
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "requests");
    fg_json_object_begin(json);
    for (size_t i = 0; i < FG_INGEST_PROTOCOL_COUNT; i++)
        put(json, fg_ingest_protocol_name((enum fg_ingest_protocol)i),
            FG_TOTAL_OF(api, received_requests, i));
    fg_json_object_end(json);
    FG_JSON_KEY(json, "spans");
    fg_json_object_begin(json);
    for (size_t i = 0; i < FG_INGEST_PROTOCOL_COUNT; i++)
        put(json, fg_ingest_protocol_name((enum fg_ingest_protocol)i),
            FG_TOTAL_OF(api, received_spans, i));
    fg_json_object_end(json);
    FG_JSON_KEY(json, "refused_requests");
    fg_json_object_begin(json);
    for (size_t i = 0; i < FG_INGEST_REFUSAL_COUNT; i++)
        put(json, fg_ingest_refusal_name((enum fg_ingest_refusal)i),
            FG_TOTAL_OF(api, refused_requests, i));
    fg_json_object_end(json);
    FG_JSON_KEY(json, "rejected_spans");
    fg_json_object_begin(json);
    for (size_t i = 0; i < FG_REJECT_COUNT; i++)
        put(json, fg_reject_name((enum fg_reject)i), FG_TOTAL_OF(api, rejected_spans, i));
    fg_json_object_end(json);
    put(json, "denied_requests", FG_TOTAL(api, denied_requests));
    put(json, "foreign_requests", FG_TOTAL(api, foreign_requests));
    put(json, "redacted_attributes", FG_TOTAL(api, redacted_attributes));
    put(json, "redacted_values", FG_TOTAL(api, redacted_values));
    put(json, "replaced_texts", FG_TOTAL(api, replaced_texts));
    put(json, "dropped_links", FG_TOTAL(api, dropped_links));
    put(json, "filed_by_receipt_spans", FG_TOTAL(api, filed_by_receipt));
    put(json, "ends_before_start_spans", FG_TOTAL(api, ends_before_start));
    put(json, "open_spans", FG_TOTAL(api, open_spans));
    fg_json_object_end(json);
}
