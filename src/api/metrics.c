#include "metrics.h"

#include "base/limits.h"
#include "events.h"
#include "journey/incidents.h"
#include "journey/journeys.h"
#include "metrics_text.h"
#include "monitor/monitors.h"
#include "net/counters.h"
#include "net/webhook.h"
#include "os/process.h"
#include "redact/rules.h"
#include "state.h"
#include "store/store.h"
#include "totals.h"

#include <stddef.h>
#include <stdio.h>

/* -- What the api counts: one struct a loop, added up here
 * -----------------------------------------
 */

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_requests(const struct fg_api *api, struct fg_buffer *buffer)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", ""};
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    struct fg_metric requests =
        fg_metric_family(buffer, "filigree_http_requests_total", FG_METRIC_COUNTER,
                         "Requests that were answered, by route and HTTP status (0: any other).");
    for (size_t route = 0; route <= FG_ROUTES_MAX; route++) {
        bool is_none = route == FG_ROUTES_MAX;
        if (route >= count && !is_none)
            continue;
        for (size_t slot = 0; slot < FG_STATUS_SLOTS; slot++) {
            uint64_t value = FG_TOTAL_OF(api, requests, route * FG_STATUS_SLOTS + slot);
            char status[16];
            if (value == 0)
                continue;
            snprintf(status, sizeof status, "%u", fg_status_of_slot[slot]);
            fg_metric_begin(&requests, "");
            fg_metric_label(&requests, "route", is_none ? "" : routes[route].path);
            fg_metric_label(&requests, "method", is_none ? "" : methods[routes[route].method]);
            fg_metric_label(&requests, "status", status);
            fg_metric_uint(&requests, value);
        }
    }
    struct fg_metric seconds =
        fg_metric_family(buffer, "filigree_http_request_seconds_total", FG_METRIC_COUNTER,
                         "Time from a request's headers to the end of its answer, by route.");
    for (size_t route = 0; route < count; route++) {
        fg_metric_begin(&seconds, "");
        fg_metric_label(&seconds, "route", routes[route].path);
        fg_metric_label(&seconds, "method", methods[routes[route].method]);
        fg_metric_seconds(&seconds, FG_TOTAL_OF(api, request_ns, route));
    }
}

/* A family with one label, whose values are names. */
static void write_named(const struct fg_api *api, struct fg_buffer *buffer, const char *name,
                        const char *help, const char *label, const char *const *names, size_t count,
                        size_t offset)
{
    struct fg_metric metric = fg_metric_family(buffer, name, FG_METRIC_COUNTER, help);
    for (size_t i = 0; i < count; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, label, names[i]);
        fg_metric_uint(&metric, fg_total(api, offset + i * sizeof(_Atomic uint64_t)));
    }
}

static void write_histogram(const struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_ingest_duration_seconds", FG_METRIC_HISTOGRAM,
                         "Time from an ingest request's headers to its acknowledgement, its spans "
                         "being durable.");
    uint64_t sum = 0;
    for (size_t i = 0; i < FG_BUCKETS; i++) {
        char bound[24] = "+Inf";
        sum += FG_TOTAL_OF(api, ingest_seconds.buckets, i);
        if (i < FG_BUCKETS - 1)
            snprintf(bound, sizeof bound, "%g", (double)fg_bucket_ms[i] / 1e3);
        fg_metric_begin(&metric, "_bucket");
        fg_metric_label(&metric, "le", bound);
        fg_metric_uint(&metric, sum);
    }
    fg_metric_begin(&metric, "_sum");
    fg_metric_seconds(&metric, FG_TOTAL(api, ingest_seconds.sum_ns));
    fg_metric_begin(&metric, "_count");
    fg_metric_uint(&metric, sum);
}

static void write_ingest(const struct fg_api *api, struct fg_buffer *buffer)
{
    const char *protocols[FG_INGEST_PROTOCOL_COUNT], *refusals[FG_INGEST_REFUSAL_COUNT];
    const char *rejects[FG_REJECT_COUNT];
    for (size_t i = 0; i < FG_INGEST_PROTOCOL_COUNT; i++)
        protocols[i] = fg_ingest_protocol_name((enum fg_ingest_protocol)i);
    for (size_t i = 0; i < FG_INGEST_REFUSAL_COUNT; i++)
        refusals[i] = fg_ingest_refusal_name((enum fg_ingest_refusal)i);
    for (size_t i = 0; i < FG_REJECT_COUNT; i++)
        rejects[i] = fg_reject_name((enum fg_reject)i);
    write_named(api, buffer, "filigree_ingest_requests_total",
                "Ingest requests that could be decoded.", "protocol", protocols,
                FG_INGEST_PROTOCOL_COUNT, offsetof(struct fg_counters, received_requests));
    write_named(api, buffer, "filigree_ingest_spans_total", "Spans that were taken.", "protocol",
                protocols, FG_INGEST_PROTOCOL_COUNT, offsetof(struct fg_counters, received_spans));
    write_named(api, buffer, "filigree_ingest_refused_requests_total",
                "Ingest requests that were refused as a whole.", "reason", refusals,
                FG_INGEST_REFUSAL_COUNT, offsetof(struct fg_counters, refused_requests));
    write_named(api, buffer, "filigree_ingest_rejected_spans_total",
                "Spans that were left out of a request that was taken (partial success).", "reason",
                rejects, FG_REJECT_COUNT, offsetof(struct fg_counters, rejected_spans));
    write_histogram(api, buffer);
}

/* By rule, since the start. */
static void write_redaction(struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_settings *settings = fg_api_settings_ref(api);
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_ingest_redactions_total", FG_METRIC_COUNTER,
                         "What rules of redaction took, by rule.");
    for (size_t i = 0; i < fg_redact_rules_count(settings->redact); i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "rule", fg_redact_rules_at(settings->redact, i)->name);
        fg_metric_uint(&metric, fg_redact_rules_hits(settings->redact, i));
    }
    fg_settings_unref(settings);
}

static bool count_state(void *arg, const struct fg_instance *instance, enum fg_instance_state state)
{
    uint64_t *counts = arg;
    (void)instance;
    counts[state]++;
    return true;
}

/* What senders tell of themselves. */
static void write_instances(struct fg_api *api, struct fg_buffer *buffer)
{
    static const struct fg_instance_filter all = {.every_tenant = true, .to_ns = UINT64_MAX};
    uint64_t counts[FG_INSTANCE_STATE_COUNT] = {0};
    struct fg_instance_totals totals;
    fg_instances_list(api->instances, &all, fg_env_wall_ns(api->env), count_state, counts);
    fg_instances_totals(api->instances, &totals);
    struct fg_metric states =
        fg_metric_family(buffer, "filigree_instances", FG_METRIC_GAUGE,
                         "Processes with libfiligree that were heard since the start, by state.");
    for (int i = 0; i < FG_INSTANCE_STATE_COUNT; i++) {
        fg_metric_begin(&states, "");
        fg_metric_label(&states, "state", fg_instance_state_name((enum fg_instance_state)i));
        fg_metric_uint(&states, counts[i]);
    }
    struct fg_metric lost = fg_metric_family(
        buffer, "filigree_instance_lost_total", FG_METRIC_COUNTER,
        "What processes sent in vain: exports that never came here, spans that had no room in the "
        "process, spans that a server refused.");
    for (int i = 0; i < FG_LOSS_KIND_COUNT; i++) {
        fg_metric_begin(&lost, "");
        fg_metric_label(&lost, "kind", fg_loss_kind_name((enum fg_loss_kind)i));
        fg_metric_uint(&lost, totals.lost[i]);
    }
    fg_metric_single(buffer, "filigree_instances_forgotten_total", FG_METRIC_COUNTER,
                     "Processes that are known no more, since others were heard later.",
                     totals.forgotten);
}

/* -- Numbers that stand alone
 * ----------------------------------------------------------------------
 */

struct single {
    size_t offset;
    enum fg_metric_type type;
    bool is_ns; /* shown in seconds */
    const char *name, *help;
};

static void write_single(struct fg_buffer *buffer, const struct single *single, uint64_t value)
{
    struct fg_metric metric = fg_metric_family(buffer, single->name, single->type, single->help);
    fg_metric_begin(&metric, "");
    if (single->is_ns)
        fg_metric_seconds(&metric, value);
    else
        fg_metric_uint(&metric, value);
}

#define COUNT(struct_, member, name, help)                                                         \
    {                                                                                              \
        offsetof(struct struct_, member), FG_METRIC_COUNTER, false, name, help                     \
    }
#define GAUGE(struct_, member, name, help)                                                         \
    {                                                                                              \
        offsetof(struct struct_, member), FG_METRIC_GAUGE, false, name, help                       \
    }

static const struct single api_singles[] = {
    COUNT(fg_counters, redacted_attributes, "filigree_ingest_redacted_attributes_total",
          "Attributes that a rule of redaction removed."),
    COUNT(fg_counters, redacted_values, "filigree_ingest_redacted_values_total",
          "Values in which redaction put something else in place of what was there."),
    COUNT(fg_counters, replaced_texts, "filigree_ingest_replaced_texts_total",
          "Texts whose ill-formed UTF-8 was replaced."),
    COUNT(fg_counters, dropped_links, "filigree_ingest_dropped_links_total",
          "Links with ids that are none."),
    COUNT(fg_counters, filed_by_receipt, "filigree_ingest_filed_by_receipt_spans_total",
          "Spans that start too far in the future, filed by the time of their receipt."),
    COUNT(fg_counters, ends_before_start, "filigree_ingest_ends_before_start_spans_total",
          "Spans that end before they start, kept as sent."),
    COUNT(fg_counters, open_spans, "filigree_ingest_open_spans_total",
          "Spans that came without an end time."),
    COUNT(fg_counters, denied_requests, "filigree_http_denied_requests_total",
          "Requests whose sender lacked the permission."),
    COUNT(
        fg_counters, foreign_requests, "filigree_http_foreign_requests_total",
        "Requests to an open server that came by a proxy, by another host's name, or from another "
        "site's page."),
};

static const struct single net_singles[] = {
    COUNT(fg_net_counters, connections_accepted, "filigree_net_connections_accepted_total",
          "Connections that were accepted."),
    GAUGE(fg_net_counters, connections_open, "filigree_net_connections_open",
          "Connections that are open."),
    COUNT(fg_net_counters, connections_idle_closed, "filigree_net_connections_idle_closed_total",
          "Connections that were closed since no request came."),
    COUNT(fg_net_counters, connections_stall_closed, "filigree_net_connections_stall_closed_total",
          "Connections that were cut since their client took no byte of its answer."),
    COUNT(fg_net_counters, tls_handshakes, "filigree_net_tls_handshakes_total",
          "TLS handshakes that were completed."),
    COUNT(fg_net_counters, tls_resumed, "filigree_net_tls_resumed_total",
          "Those of them that went on with an earlier session."),
    COUNT(fg_net_counters, accept_errors, "filigree_net_accept_errors_total",
          "Connections that could not be accepted, for lack of descriptors or memory."),
    COUNT(fg_net_counters, bytes_in, "filigree_net_received_bytes_total",
          "Bytes received on all connections."),
    COUNT(fg_net_counters, bytes_out, "filigree_net_sent_bytes_total",
          "Bytes sent on all connections."),
    COUNT(fg_net_counters, body_bytes_in, "filigree_net_body_bytes_total",
          "Bytes of bodies as they were sent."),
    COUNT(fg_net_counters, body_bytes_inflated, "filigree_net_body_inflated_bytes_total",
          "Bytes of bodies after decompression."),
    GAUGE(fg_net_counters, requests_open, "filigree_net_requests_open",
          "Requests that are not yet answered."),
    COUNT(fg_net_counters, requests_cancelled, "filigree_net_requests_cancelled_total",
          "Requests whose client went before the answer."),
    COUNT(fg_net_counters, streams_reset, "filigree_net_streams_reset_total",
          "HTTP/2 streams that their client gave up."),
    GAUGE(fg_net_counters, buffered_bytes, "filigree_net_buffered_bytes",
          "Bytes of bodies in memory."),
};

static const struct single store_singles[] = {
    COUNT(fg_store_counters, appended_spans, "filigree_store_appended_spans_total",
          "Spans that are durable."),
    COUNT(fg_store_counters, appended_requests, "filigree_store_appended_requests_total",
          "Requests whose spans are durable."),
    COUNT(fg_store_counters, retried_requests, "filigree_store_retried_requests_total",
          "Requests that had been stored before and were stopped early."),
    COUNT(fg_store_counters, refused_requests, "filigree_store_refused_requests_total",
          "Requests that the store did not take."),
    COUNT(fg_store_counters, commit_groups, "filigree_store_commits_total",
          "Syncs of the write-ahead log; each serves all requests that waited."),
    {offsetof(struct fg_store_counters, commit_ns_total), FG_METRIC_COUNTER, true,
     "filigree_store_commit_seconds_total", "Time spent in writing and syncing the log."},
    {offsetof(struct fg_store_counters, commit_ns_max), FG_METRIC_GAUGE, true,
     "filigree_store_commit_max_seconds", "The longest commit."},
    COUNT(fg_store_counters, wal_bytes_written, "filigree_store_wal_written_bytes_total",
          "Bytes written to the write-ahead log."),
    GAUGE(fg_store_counters, wal_size_bytes, "filigree_store_wal_size_bytes",
          "Bytes of the write-ahead log's files."),
    GAUGE(fg_store_counters, head_spans, "filigree_store_head_spans",
          "Spans in memory that are in no segment yet."),
    GAUGE(fg_store_counters, head_bytes, "filigree_store_head_bytes", "Memory of those spans."),
    GAUGE(fg_store_counters, heads, "filigree_store_heads",
          "Heads in memory: one is filled, one may be sealed, more are held by readers."),
    COUNT(fg_store_counters, seals, "filigree_store_seals_total", "Heads that became segments."),
    COUNT(fg_store_counters, seal_bytes_written, "filigree_store_seal_written_bytes_total",
          "Bytes of segments written by seals."),
    COUNT(fg_store_counters, merges, "filigree_store_merges_total", "Merges of segments."),
    COUNT(fg_store_counters, merge_bytes_written, "filigree_store_merge_written_bytes_total",
          "Bytes of segments written by merges."),
    COUNT(fg_store_counters, merge_copied_spans, "filigree_store_merge_copied_spans_total",
          "Spans that merges copied with their row group, as it lay."),
    GAUGE(fg_store_counters, merge_debt_bytes, "filigree_store_merge_debt_bytes",
          "Bytes of segments that wait to be merged."),
    GAUGE(fg_store_counters, segment_count, "filigree_store_segments", "Segments."),
    GAUGE(fg_store_counters, segment_bytes, "filigree_store_segment_bytes", "Bytes of segments."),
    GAUGE(fg_store_counters, segment_spans, "filigree_store_segment_spans", "Spans in segments."),
    GAUGE(fg_store_counters, held_bytes, "filigree_store_held_bytes",
          "Bytes of segments that were merged or deleted, and are still read."),
    GAUGE(fg_store_counters, behind, "filigree_store_requests_behind",
          "Requests that journeys have not been made of yet."),
    COUNT(fg_store_counters, retention_dropped_spans, "filigree_store_expired_spans_total",
          "Spans that were deleted by the retention."),
    COUNT(fg_store_counters, erased_spans, "filigree_store_erased_spans_total",
          "Spans that were erased on request."),
    COUNT(fg_store_counters, damaged_pages, "filigree_store_damaged_pages_total",
          "Pages of segments whose checksum was wrong when they were read."),
    COUNT(fg_store_counters, duplicate_spans, "filigree_store_duplicate_spans_total",
          "Forms of one span that a seal or merge made into one."),
    COUNT(fg_store_counters, recovered_records, "filigree_store_recovered_records_total",
          "Records of the log that were replayed at the start."),
    COUNT(fg_store_counters, recovered_spans, "filigree_store_recovered_spans_total",
          "Spans that were replayed at the start."),
    COUNT(fg_store_counters, damaged_records, "filigree_store_damaged_records_total",
          "Acknowledged requests that could not be read from the log at the start."),
    GAUGE(fg_store_counters, cache_bytes, "filigree_store_cache_bytes",
          "Memory of cached indexes, filters and dictionaries."),
    GAUGE(fg_store_counters, state_used_bytes, "filigree_state_used_bytes",
          "Bytes of the keyed state that hold something."),
    GAUGE(fg_store_counters, state_size_max, "filigree_state_size_bytes_max",
          "Bytes that the keyed state may grow to."),
    GAUGE(fg_store_counters, disk_free_bytes, "filigree_store_disk_free_bytes",
          "Bytes that are free on the store's disk."),
    GAUGE(fg_store_counters, disk_total_bytes, "filigree_store_disk_size_bytes",
          "Bytes of the store's disk."),
};

#define EACH(singles, i)                                                                           \
    size_t i = 0;                                                                                  \
    i < sizeof(singles) / sizeof *(singles);                                                       \
    i++

/* -- Net, store, process
 * ---------------------------------------------------------------------------
 */

static void write_net(const struct fg_net_counters *counters, struct fg_buffer *buffer)
{
    static const char *const protocols[FG_PROTOCOL_COUNT] = {"http1", "http2", "grpc"};
    for (EACH(net_singles, i))
        write_single(
            buffer, &net_singles[i],
            load((const _Atomic uint64_t *)((const char *)counters + net_singles[i].offset)));
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_net_requests_total", FG_METRIC_COUNTER,
                         "Requests whose headers came, by protocol.");
    for (size_t i = 0; i < FG_PROTOCOL_COUNT; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "protocol", protocols[i]);
        fg_metric_uint(&metric, load(&counters->requests[i]));
    }
    metric = fg_metric_family(buffer, "filigree_net_responses_total", FG_METRIC_COUNTER,
                              "Answers by the class of their HTTP status.");
    for (size_t i = 1; i < sizeof counters->responses / sizeof *counters->responses; i++) {
        char class[] = {(char)('0' + i), 'x', 'x', 0};
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "class", class);
        fg_metric_uint(&metric, load(&counters->responses[i]));
    }
    metric = fg_metric_family(buffer, "filigree_net_refused_total", FG_METRIC_COUNTER,
                              "Connections and requests that were refused, by reason.");
    for (size_t i = 0; i < FG_REFUSAL_COUNT; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "reason", fg_refusal_name((enum fg_refusal_reason)i));
        fg_metric_uint(&metric, load(&counters->refused[i]));
    }
}

static void write_store(struct fg_store *store, struct fg_buffer *buffer)
{
    static const char *const states[] = {
        [FG_STORE_OK] = "ok", [FG_STORE_NO_SPACE] = "no_space", [FG_STORE_FAILED] = "failed"};
    struct fg_store_counters counters;
    fg_store_counters(store, &counters);
    for (EACH(store_singles, i)) {
        uint64_t value;
        memcpy(&value, (const char *)&counters + store_singles[i].offset, sizeof value);
        write_single(buffer, &store_singles[i], value);
    }
    struct fg_metric metric =
        fg_metric_family(buffer, "filigree_store_state", FG_METRIC_GAUGE,
                         "1 for the state that the store is in: ok, no_space (ingest is refused), "
                         "failed (read-only until a restart).");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        fg_metric_begin(&metric, "");
        fg_metric_label(&metric, "state", states[i]);
        fg_metric_uint(&metric, counters.state == (enum fg_store_state)i);
    }
}

/* Of all tenants together; false: none are followed. */
static bool add_journeys(struct fg_api *api, struct fg_journeys_counters *sum)
{
    bool has_any = false;
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_journeys *journeys = fg_api_journeys(api, tenant);
        struct fg_journeys_counters one;
        if (!journeys)
            continue;
        has_any = true;
        fg_journeys_counters(journeys, &one);
        for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++)
            sum->by_state[i] += one.by_state[i];
        sum->judged += one.judged;
        sum->evicted += one.evicted;
        sum->refused += one.refused;
        sum->long_values += one.long_values;
        sum->missed_spans += one.missed_spans;
        sum->traces_looked_up += one.traces_looked_up;
        sum->traces_passed_over += one.traces_passed_over;
        sum->commits += one.commits;
        sum->failed_commits += one.failed_commits;
        sum->damaged += one.damaged;
        sum->failed_reads += one.failed_reads;
        sum->absent += one.absent;
        sum->learned += one.learned;
        sum->learned_not += one.learned_not;
        sum->refused_steps += one.refused_steps;
        sum->is_full |= one.is_full;
    }
    return has_any;
}

static void write_journeys(struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_journeys_counters counters = {0};
    if (!add_journeys(api, &counters))
        return;
    struct fg_metric states = fg_metric_family(buffer, "filigree_journeys", FG_METRIC_GAUGE,
                                               "Journeys that are followed, by state.");
    for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++) {
        fg_metric_begin(&states, "");
        fg_metric_label(&states, "state", fg_journey_state_name((enum fg_journey_state)i));
        fg_metric_uint(&states, counters.by_state[i]);
    }
    const struct {
        const char *name, *help;
        uint64_t value;
    } singles[] = {
        {"filigree_journeys_judged_total", "Journeys that were read and judged.", counters.judged},
        {"filigree_journeys_evicted_total",
         "Records of journeys that were dropped from memory for room.", counters.evicted},
        {"filigree_journeys_refused_spans_total", "Spans of journeys for which there was no room.",
         counters.refused},
        {"filigree_journeys_long_values_total",
         "Spans whose key has a value that is too long to follow.", counters.long_values},
        {"filigree_journeys_traces_looked_up_total",
         "Traces whose stored spans were read for records of journeys that are on disk alone.",
         counters.traces_looked_up},
        {"filigree_journeys_traces_passed_over_total",
         "Traces for whose stored spans there was no time: late spans of journeys that have ended "
         "may "
         "not have been noted.",
         counters.traces_passed_over},
        {"filigree_journeys_missed_spans_total",
         "Spans that were sealed before journeys had followed them; they were read again.",
         counters.missed_spans},
        {"filigree_journeys_commits_total", "Times that records of journeys were put on disk.",
         counters.commits},
        {"filigree_journeys_failed_commits_total",
         "Times that records of journeys could not be put on disk; it is tried again.",
         counters.failed_commits},
        {"filigree_journeys_damaged_total",
         "Records of journeys on disk that could not be read; `filigree reindex` mends them.",
         counters.damaged},
        {"filigree_journeys_learned_total",
         "Completed journeys from which steps and deadlines were learned.", counters.learned},
        {"filigree_journeys_learned_not_total",
         "Completed journeys that were to teach and were not read, for time or memory.",
         counters.learned_not},
        {"filigree_journeys_refused_steps_total",
         "Operations that found no place among the steps that are learned.",
         counters.refused_steps},
        {"filigree_journeys_failures_total", "Times that spans of journeys could not be read.",
         counters.failed_reads},
    };
    for (EACH(singles, i))
        fg_metric_single(buffer, singles[i].name, FG_METRIC_COUNTER, singles[i].help,
                         singles[i].value);
    fg_metric_single(buffer, "filigree_journeys_on_disk", FG_METRIC_GAUGE,
                     "Journeys of which memory has no record, but the disk does.", counters.absent);
    fg_metric_single(
        buffer, "filigree_journeys_full", FG_METRIC_GAUGE,
        "1: the keyed state (state-size) is nearly full, and no new journey is followed.",
        counters.is_full);
}

static bool add_incidents(struct fg_api *api, struct fg_incidents_counters *sum)
{
    bool has_any = false;
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_incidents *incidents = fg_api_incidents(api, tenant);
        struct fg_incidents_counters one;
        if (!incidents)
            continue;
        has_any = true;
        fg_incidents_counters(incidents, &one);
        sum->open += one.open;
        sum->acknowledged += one.acknowledged;
        sum->opened += one.opened;
        sum->reopened += one.reopened;
        sum->resolved += one.resolved;
        sum->merged += one.merged;
        sum->refused += one.refused;
        sum->failed_writes += one.failed_writes;
        sum->failed_tells += one.failed_tells;
    }
    return has_any;
}

static void write_incidents(struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_incidents_counters counters = {0};
    if (!add_incidents(api, &counters))
        return;
    fg_metric_single(buffer, "filigree_incidents_open", FG_METRIC_GAUGE, "Incidents that are open.",
                     counters.open);
    fg_metric_single(buffer, "filigree_incidents_acknowledged", FG_METRIC_GAUGE,
                     "Incidents that are open and that somebody looks after.",
                     counters.acknowledged);
    const struct {
        const char *name, *help;
        uint64_t value;
    } singles[] = {
        {"filigree_incidents_opened_total", "Incidents that were opened.", counters.opened},
        {"filigree_incidents_reopened_total", "Times that an incident came back.",
         counters.reopened},
        {"filigree_incidents_resolved_total", "Incidents that ended, by themselves or by hand.",
         counters.resolved},
        {"filigree_incidents_merged_total", "Incidents that turned out to be part of another one.",
         counters.merged},
        {"filigree_incidents_refused_total",
         "Times that a stopped journey found so many incidents open that none was opened for it.",
         counters.refused},
        {"filigree_incidents_failed_writes_total",
         "Times that incidents could not be written; it is tried again.", counters.failed_writes},
        {"filigree_incidents_failed_alerts_total",
         "Times that nobody could be told of an incident; it is tried again.",
         counters.failed_tells},
    };
    for (EACH(singles, i))
        fg_metric_single(buffer, singles[i].name, FG_METRIC_COUNTER, singles[i].help,
                         singles[i].value);
}

static void write_alerts(struct fg_webhook *webhook, struct fg_buffer *buffer)
{
    struct fg_webhook_counters counters;
    fg_webhook_counters(webhook, &counters);
    const struct {
        const char *name, *help;
        enum fg_metric_type type;
        uint64_t value;
    } singles[] = {
        {"filigree_alerts_firing", "Alerts of things that are wrong now.", FG_METRIC_GAUGE,
         counters.firing},
        {"filigree_alerts_waiting", "Alerts that a receiver has not taken yet.", FG_METRIC_GAUGE,
         counters.waiting},
        {"filigree_alerts_sent_total", "Alerts that a receiver took.", FG_METRIC_COUNTER,
         counters.sent},
        {"filigree_alerts_failed_total",
         "Times that a receiver could not be told; it is tried again.", FG_METRIC_COUNTER,
         counters.failed},
        {"filigree_alerts_refused_total",
         "Alerts that a receiver refused for ever (4xx); not tried again.", FG_METRIC_COUNTER,
         counters.refused},
    };
    for (EACH(singles, i))
        fg_metric_single(buffer, singles[i].name, singles[i].type, singles[i].help,
                         singles[i].value);
}

static void write_events(struct fg_events *events, struct fg_buffer *buffer)
{
    struct fg_events_counters counters;
    fg_events_counters(events, &counters);
    fg_metric_single(buffer, "filigree_event_listeners", FG_METRIC_GAUGE,
                     "Clients that listen to what changes.", counters.listeners);
    fg_metric_single(buffer, "filigree_event_listeners_dropped_total", FG_METRIC_COUNTER,
                     "Clients that were let go, since they read more slowly than things changed.",
                     counters.dropped);
    fg_metric_single(buffer, "filigree_event_listeners_refused_total", FG_METRIC_COUNTER,
                     "Clients that found so many listening that they were turned away.",
                     counters.refused);
}

struct monitor_counts {
    uint64_t by_result[4], new_count, overdue_count, runs, unstored;
};

static void count_monitor(void *arg, const struct fg_monitor_view *view)
{
    struct monitor_counts *counts = arg;
    if (view->is_new)
        counts->new_count++;
    else
        counts->by_result[view->result]++;
    counts->overdue_count += view->is_overdue;
    counts->runs += view->run_count;
    counts->unstored += view->unstored_count;
}

static void write_monitors(struct fg_api *api, struct fg_buffer *buffer)
{
    struct monitor_counts counts = {0};
    bool has_any = false;
    for (uint32_t tenant = 0; tenant < FG_TENANTS_MAX; tenant++) {
        struct fg_monitors *monitors = fg_api_monitors(api, tenant);
        if (monitors)
            (void)fg_monitors_each(monitors, NULL, count_monitor, &counts);
        has_any |= monitors != NULL;
    }
    if (!has_any)
        return;
    struct fg_metric results = fg_metric_family(buffer, "filigree_monitors", FG_METRIC_GAUGE,
                                                "Monitors, by what is believed of each.");
    for (unsigned i = 0; i <= FG_CHECK_UNKNOWN; i++) {
        fg_metric_begin(&results, "");
        fg_metric_label(&results, "result", fg_check_result_name((enum fg_check_result)i));
        fg_metric_uint(&results, counts.by_result[i]);
    }
    fg_metric_begin(&results, "");
    fg_metric_label(&results, "result", "new");
    fg_metric_uint(&results, counts.new_count);
    fg_metric_single(buffer, "filigree_monitors_overdue", FG_METRIC_GAUGE,
                     "Monitors whose check did not come back in time.", counts.overdue_count);
    /* gauges: a monitor that is removed takes its own along */
    fg_metric_single(buffer, "filigree_monitors_runs", FG_METRIC_GAUGE,
                     "Looks of the monitors that there are.", counts.runs);
    fg_metric_single(buffer, "filigree_monitors_unstored_spans", FG_METRIC_GAUGE,
                     "Spans of the monitors that there are which the store did not take.",
                     counts.unstored);
}

static void write_process(const struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_process_usage usage;
    struct fg_metric metric = fg_metric_family(buffer, "process_start_time_seconds",
                                               FG_METRIC_GAUGE, "When the process started.");
    fg_metric_begin(&metric, "");
    fg_metric_seconds(&metric, api->started_ns);
    if (fg_process_usage(&usage) < 0)
        return;
    metric = fg_metric_family(buffer, "process_cpu_seconds_total", FG_METRIC_COUNTER,
                              "Processor time, user and system.");
    fg_metric_begin(&metric, "");
    fg_metric_seconds(&metric, usage.cpu_ns);
    fg_metric_single(buffer, "process_resident_memory_bytes", FG_METRIC_GAUGE,
                     "Memory that is resident.", usage.resident_bytes);
    fg_metric_single(buffer, "process_virtual_memory_bytes", FG_METRIC_GAUGE,
                     "Memory that is mapped.", usage.virtual_bytes);
    fg_metric_single(buffer, "process_threads", FG_METRIC_GAUGE, "Threads.", usage.thread_count);
    fg_metric_single(buffer, "process_open_fds", FG_METRIC_GAUGE, "Open file descriptors.",
                     usage.open_files);
    fg_metric_single(buffer, "process_max_fds", FG_METRIC_GAUGE,
                     "File descriptors that may be open.", usage.open_files_max);
}

void fg_metrics_write(struct fg_api *api, struct fg_buffer *buffer)
{
    struct fg_store *store = fg_api_store(api);
    const struct fg_server *server = atomic_load(&api->server);
    struct fg_metric info = fg_metric_family(buffer, "filigree_build_info", FG_METRIC_GAUGE,
                                             "Always 1; the version is its label.");
    fg_metric_begin(&info, "");
    fg_metric_label(&info, "version", FG_VERSION);
    fg_metric_uint(&info, 1);
    fg_metrics_write_confined(api->security.has_few_calls, api->security.has_few_files, buffer);
    fg_metric_single(buffer, "filigree_ready", FG_METRIC_GAUGE,
                     "1 while spans are taken, as /readyz says.",
                     fg_api_readiness(api) == FG_READY_YES);
    fg_metric_single(buffer, "filigree_api_answer_bytes", FG_METRIC_GAUGE,
                     "Memory of traces that answers are rendered from.",
                     atomic_load(&api->read_bytes));
    write_ingest(api, buffer);
    for (EACH(api_singles, i))
        write_single(buffer, &api_singles[i], fg_total(api, api_singles[i].offset));
    write_redaction(api, buffer);
    write_instances(api, buffer);
    write_requests(api, buffer);
    if (api->auth)
        fg_metrics_write_auth(api->auth, buffer);
    if (server)
        write_net(fg_server_counters(server), buffer);
    if (store)
        write_store(store, buffer);
    write_journeys(api, buffer);
    write_incidents(api, buffer);
    struct fg_webhook *webhook = atomic_load(&api->webhook);
    if (webhook)
        write_alerts(webhook, buffer);
    write_events(api->events, buffer);
    write_monitors(api, buffer);
    write_process(api, buffer);
}
