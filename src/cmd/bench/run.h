/* The whole measurement: load, settle, look up, load again and kill, start again, look up. */
#pragma once

#include "load.h"
#include "lookup.h"
#include "server.h"

struct fg_bench_options {
    enum fg_bench_kind kind;
    uint32_t connection_count, spans_per_request;
    uint64_t rate_spans, duration_ns, seed;
    uint64_t kill_after_ns; /* of a second load, at whose end the server is killed; 0: no kill */
    size_t lookup_count;
    const char *path; /* of the endpoint */
    bool is_grpc, is_tls;
    const char *ca_file;   /* with TLS: whom to believe; NULL: the system's authorities */
    const char *trace_url; /* with {id}; NULL: nothing is looked up */
    const char *ack_log;   /* a file for the ids of all acknowledged traces; may be NULL */
};

struct fg_bench_figures {
    double span_wire_bytes;
    struct fg_bench_load_result load;
    struct fg_bench_usage usage; /* at the end of the load; cpu and written bytes since its begin */
    uint64_t resident_bytes_max; /* during the load */
    double generator_cpu_seconds;

    bool is_settled; /* the server was asked to seal and to merge, and said what it holds: */
    double settle_seconds;
    uint64_t stored_spans, stored_bytes; /* of segments */
    /* When all was merged: merged segments that readers held, and requests that were not followed
     * yet; and how long it took until neither was left. */
    uint64_t held_bytes, behind_requests;
    double behind_seconds;
    uint64_t folder_bytes, fixed_bytes; /* of the folder's files */
    double settled_cpu_seconds;         /* since the begin of the load, merges included */
    uint64_t settled_written_bytes;
    uint64_t disk_written_bytes; /* by the whole disk since the begin of the load */

    bool is_looked_up;
    struct fg_bench_lookup_result lookup;

    bool is_killed;
    double ready_seconds;
    struct fg_bench_load_result kill_load;
    struct fg_bench_lookup_result kill_lookup;
};

/* On failure a sentence has been said. The figures are large: the caller has them on the heap. */
FG_MUST_CHECK int fg_bench_run(struct fg_cli *cli, const struct fg_bench_options *options,
                               struct fg_bench_server *server, struct fg_bench_figures *figures);

/* What was acknowledged and is not there, or not once. */
uint64_t fg_bench_lost_traces(const struct fg_bench_figures *figures);
uint64_t fg_bench_lost_spans(const struct fg_bench_figures *figures);
