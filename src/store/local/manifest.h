/* The manifest: which files are the store, and up to where the WAL is in them. One small file,
 * replaced as a whole: written beside it, synced, renamed over it, the folder synced. Byte format:
 * manifest_codec.c and doc/format.md.
 *
 * A value type: no locks, no files kept open. */
#pragma once

#include "base/buffer.h"
#include "epoch.h"
#include "os/env.h"

/* Of a folder's format as a whole. A folder with a greater one is FG_EUNSUPPORTED. */
#define FG_MANIFEST_VERSION 1u
struct fg_manifest_segment {
    uint64_t id; /* names the file; never used twice */
    uint32_t tenant;
    uint32_t day;   /* days since 1970 of start, or of receipt where the spans are marked so */
    uint32_t level; /* 0: sealed; a merge makes 1 and up */
    uint64_t span_count, trace_count, size_bytes;
    uint64_t start_ns_min, start_ns_max, end_ns_max, received_ns_min, received_ns_max;
};

/* The rollups of a day whose spans were dropped. */
struct fg_manifest_rollup {
    uint64_t id; /* names the file; from the same numbers as segments */
    uint32_t tenant;
    uint32_t day;
    uint64_t size_bytes;
};

struct fg_manifest {
    uint64_t store_id[2]; /* drawn when the store was made; store_id[0] marks its WAL */
    uint64_t generation;  /* rises with each edit */
    uint64_t checkpoint;  /* the WAL's records below it are in segments */
    uint64_t next_id;     /* of segments and rollups */
    uint32_t epoch_count;
    struct fg_wal_epoch epochs[FG_WAL_EPOCHS_MAX]; /* rising; the first is at or below checkpoint */
    struct fg_manifest_segment *segments;          /* by tenant, day, id */
    size_t segment_count;
    struct fg_manifest_rollup *rollups;
    size_t rollup_count;
};

/* A change that happens as a whole or not at all. Arrays are borrowed. */
struct fg_manifest_edit {
    const struct fg_manifest_segment *add;
    size_t add_count;
    const uint64_t *remove; /* ids of segments */
    size_t remove_count;
    const struct fg_manifest_rollup *add_rollups;
    size_t add_rollup_count;
    const uint64_t *remove_rollups;
    size_t remove_rollup_count;
    uint64_t checkpoint; /* 0: as it is; never goes back */
    uint64_t next_id;    /* at least this */
    /* A new epoch from here on; {0, 0}: none. Epochs that the checkpoint, and hold where it is not
     * 0, have passed are dropped. */
    struct fg_wal_epoch epoch;
    uint64_t hold;
};

/* Empty, with an id of its own and epoch 1 from sequence 1. */
void fg_manifest_init(struct fg_manifest *manifest, struct fg_env *env);
void fg_manifest_free(struct fg_manifest *manifest);

/* What manifest becomes by edit. FG_EINVALID: removes what is not there, or adds what is;
 * FG_ENOMEM; FG_ELIMIT: too many epochs. manifest is left as it is. */
FG_MUST_CHECK int fg_manifest_apply(const struct fg_manifest *manifest,
                                    const struct fg_manifest_edit *edit,
                                    struct fg_manifest *ret_manifest);

/* Errors are the buffer's. */
void fg_manifest_encode(const struct fg_manifest *manifest, struct fg_buffer *buffer);
/* FG_ECORRUPT, FG_EUNSUPPORTED (a newer format), FG_ENOMEM. */
FG_MUST_CHECK int fg_manifest_parse(struct fg_slice bytes, struct fg_manifest *ret_manifest);

/* FOLDER/MANIFEST. FG_ENOTFOUND, FG_ECORRUPT, FG_EUNSUPPORTED, FG_EIO, FG_ENOMEM. */
FG_MUST_CHECK int fg_manifest_read(struct fg_env *env, const char *folder,
                                   struct fg_manifest *ret_manifest);
/* Replaces it. On failure *ret_in_doubt says whether the old one is certainly in force (false), or
 * nobody can know which of the two is (true: it was renamed, and that may not be on disk). */
FG_MUST_CHECK int fg_manifest_write(struct fg_env *env, const char *folder,
                                    const struct fg_manifest *manifest, bool *ret_in_doubt);
