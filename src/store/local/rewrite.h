/* Segments of one partition written anew as one: what merging, expiry of all but pinned traces and
 * erasing have in common.
 *
 * A trace that lies in several inputs is joined: its rows are resolved (resolve.h) and ordered
 * anew. One that is whole in one input is copied as it stands; a merge copies whole row groups
 * whose traces no other input has a share in, or one between them, byte by byte. Inputs are read
 * page by page; what is kept in memory is the list of traces, two pages an input, one row group,
 * and one joined trace. */
#pragma once

#include "local/local.h"

struct fg_rewrite {
    struct fg_local *local;
    struct fg_local_segment *const *inputs; /* at most FG_MERGE_INPUTS_MAX, of one partition */
    size_t input_count;
    uint32_t level; /* of the result */
    bool with_rollup;
    /* Traces that touch a damaged page are left out and counted; otherwise they end it with
     * FG_ECORRUPT. */
    bool skip_damaged;
    /* Before each written step; may be NULL. */
    void (*pace)(void *arg, size_t bytes);
    /* Whether to give up (FG_ECANCELLED); asked once a trace; may be NULL. */
    bool (*is_cancelled)(void *arg);
    /* Whether a trace stays; NULL: all do. */
    bool (*keeps_trace)(void *arg, const struct fg_segment_trace *trace);
    /* Sets the bits of those rows of page that go; NULL: none does. */
    int (*match_rows)(void *arg, const struct fg_batch *page, uint64_t *bits);
    void *arg;
};

struct fg_rewrite_result {
    bool is_empty; /* nothing stayed: there is no file */
    struct fg_manifest_segment entry;
    uint64_t dropped_spans; /* by keeps_trace and match_rows */
    uint64_t duplicate_spans;
    uint64_t copied_spans; /* with their row group */
    uint64_t damaged_pages;
};

/* The new file is written and synced, and no edit names it yet. On failure there is none.
 * *ret_damaged (untouched otherwise): the input that FG_ECORRUPT speaks of. */
FG_MUST_CHECK int fg_rewrite_run(const struct fg_rewrite *rewrite,
                                 struct fg_rewrite_result *ret_result,
                                 struct fg_local_segment **ret_damaged);
