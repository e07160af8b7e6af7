/* Writes stored spans as OTLP JSON lines, one ExportTraceServiceRequest a line, newest first: the
 * form of `filigree export`, and of the Collector's file exporter. */
#pragma once

#include "store/store.h"

struct fg_export {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max; /* [min, max) of a span's start */
    struct fg_slice service;             /* empty: all */
    /* Some whole lines. May block: nothing is read meanwhile, and memory does not grow. Non-zero
     * ends the export and is its result. */
    int (*emit)(void *arg, struct fg_slice lines, uint64_t span_count);
    bool (*is_cancelled)(void *arg); /* may be NULL; asked also while nothing is emitted */
    void *arg;
};

/* On the caller's thread. Reads in steps of some seconds, so that it never holds a snapshot long; a
 * span that stands at the border of two steps may come twice. FG_EIO, FG_ECORRUPT, FG_ENOMEM,
 * FG_ELIMIT, FG_ECANCELLED. */
FG_MUST_CHECK int fg_export_run(struct fg_store *store, struct fg_env *env,
                                const struct fg_export *export);
