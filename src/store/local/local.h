/* Blocks on this machine's disk: a manifest and the segment files that it names.
 *
 *   FOLDER/MANIFEST           what is in force
 *   FOLDER/segments/ID.seg    ID: 16 hexadecimal digits
 *   FOLDER/rollups/ID.rol     minute rollups of days whose spans are gone
 *
 * The current state is a struct fg_local_version: an immutable list of open segments, counted by
 * reference. An edit (fg_local_edit()) makes the next one. A segment lives as long as a version
 * names it and a version as long as it is current or a view holds it; the file of a segment (or of
 * kept rollups) that an edit removed is unlinked with the last of them.
 *
 * Locks: edit_lock (FG_RANK_MANIFEST) is held through an edit's writes and syncs; lock
 * (FG_RANK_VERSION) only while a pointer is swapped or a reference is taken. */
#pragma once

#include "blocks.h"
#include "event.h"
#include "local/cache.h"
#include "local/manifest.h"
#include "local/segment.h"
#include "local/upkeep.h"
#include "os/thread.h"
#include "space.h"

#include <stdatomic.h>

#define FG_LOCAL_PATH_SIZE_MAX 4096u

struct fg_crew;
struct fg_local;
struct fg_policies;

struct fg_local_segment {
    struct fg_manifest_segment entry;
    struct fg_segment *segment; /* NULL: its footer is damaged; said at the start, skipped since */
    struct fg_local *local;
    atomic_uint refs;
    atomic_bool is_removed; /* by an edit: the last reference unlinks the file */
    atomic_bool is_damage_said;
    /* What upkeep knows of it, under the store's job_lock (policy.h). */
    uint64_t policy_generation;
    uint32_t policy_seen_mask; /* policies, expired, that have nothing more to take out of it */
    uint64_t *policy_spans;    /* how many it has of each; NULL: not counted */
};

struct fg_local_rollup {
    struct fg_manifest_rollup entry;
    struct fg_local *local;
    atomic_uint refs;
    atomic_bool is_removed;
};

struct fg_local_version {
    struct fg_local *local;
    atomic_uint refs;
    uint64_t generation, checkpoint; /* as in the manifest */
    size_t segment_count;
    struct fg_local_segment **segments; /* by tenant, day, id */
    struct fg_local_rollup **rollups;   /* alike */
    size_t rollup_count;
};

/* What a reader holds. */
struct fg_blocks_view {
    struct fg_local *local;
    struct fg_local_version *version;
    struct fg_blocks_view *next, *previous; /* in local->views */
    atomic_bool is_ended; /* its reader must give it up: calls on it fail with FG_ETIMEOUT */
};

/* Totals since the start. */
struct fg_local_counters {
    atomic_uint_fast64_t seal_bytes_written, merges, merge_bytes_written, merge_copied_spans;
    atomic_uint_fast64_t merge_debt_bytes; /* now; set by the merger */
    atomic_uint_fast64_t held_bytes;       /* now: of files that go with their last reader */
    atomic_uint_fast64_t retention_dropped_spans, erased_spans, damaged_pages, duplicate_spans;
};

struct fg_local {
    struct fg_blocks blocks;                /* first: its ops are fg_local_ops */
    const struct fg_store_options *options; /* borrowed; retention is under lock */
    struct fg_env *env;
    const char *folder;
    struct fg_space *space; /* borrowed */
    struct fg_cache *cache;
    struct fg_crew *crew; /* who helps scans; NULL: nobody */
    struct fg_local_counters counters;
    atomic_uint_fast64_t next_id;

    struct fg_mutex edit_lock;
    struct fg_manifest manifest; /* in force; read and written under edit_lock */
    bool is_failed;              /* under edit_lock: which manifest is on disk is in doubt */

    struct fg_mutex lock;
    struct fg_cond views_changed; /* a view was released */
    struct fg_local_version *current;
    struct fg_blocks_view *views;
    struct fg_policies *policies;

    struct fg_upkeep upkeep;
};

/* Opens what the manifest names, and makes an empty store where folder has none. Files that it does
 * not name are removed, except in a read-only store. A segment whose footer is damaged is said
 * aloud and skipped. message as for fg_store_open(). */
FG_MUST_CHECK int fg_local_open(const struct fg_store_options *options, struct fg_space *space,
                                struct fg_arena *arena, const char **ret_message,
                                struct fg_local **ret_local);
void fg_local_close(struct fg_local *local);
extern const struct fg_blocks_ops fg_local_ops; /* ops.c */

/* -- Versions and edits */

/* The current version, with a reference. */
struct fg_local_version *fg_local_version_take(struct fg_local *local);
void fg_local_version_release(struct fg_local_version *version);

/* The version that manifest describes; what old has of it is shared, the rest is opened. */
FG_MUST_CHECK int fg_local_version_new(struct fg_local *local, const struct fg_manifest *manifest,
                                       const struct fg_local_version *old,
                                       struct fg_local_version **ret_version);

/* A number for a new segment or rollup file. */
uint64_t fg_local_id_new(struct fg_local *local);
void fg_local_segment_path(const struct fg_local *local, uint64_t id,
                           char ret_path[FG_LOCAL_PATH_SIZE_MAX]);
void fg_local_rollup_path(const struct fg_local *local, uint64_t id,
                          char ret_path[FG_LOCAL_PATH_SIZE_MAX]);
/* The folders of both: synced by fg_local_edit() before the manifest names what is in them. */
void fg_local_segments_folder(const struct fg_local *local, char ret_path[FG_LOCAL_PATH_SIZE_MAX]);
void fg_local_rollups_folder(const struct fg_local *local, char ret_path[FG_LOCAL_PATH_SIZE_MAX]);

/* Makes files that were written and synced part of the store, and others no longer. In this order:
 * folders synced, new segments opened, manifest swapped, version swapped. The new files stay the
 * caller's on failure, to unlink; with FG_EIO they must be left, since a manifest that may be in
 * force names them. From then on every edit is FG_EIO. */
FG_MUST_CHECK int fg_local_edit(struct fg_local *local, const struct fg_manifest_edit *edit);

/* The entry of a segment that a writer has finished. */
struct fg_manifest_segment fg_local_entry(uint64_t id, uint32_t tenant, uint32_t day,
                                          uint32_t level, const struct fg_segment_info *info);
/* Unlinks a file that no edit has named, best effort: the next start removes it otherwise. */
void fg_local_discard(struct fg_local *local, uint64_t segment_id);

/* Tells every reader of a version before the current one to give it up, and waits until they have.
 * FG_ETIMEOUT. Erasing ends with it. */
FG_MUST_CHECK int fg_local_end_views(struct fg_local *local, uint64_t timeout_ns);

/* -- fg_local_ops's parts */

FG_MUST_CHECK int fg_local_view_take(struct fg_blocks *blocks, struct fg_blocks_view **ret_view);
void fg_local_view_release(struct fg_blocks_view *view);
FG_MUST_CHECK int fg_local_put(struct fg_blocks *blocks, const struct fg_blocks_put *put);
FG_MUST_CHECK int fg_local_trace_find(struct fg_blocks_view *view, uint32_t tenant,
                                      uint64_t id_high, uint64_t id_low,
                                      struct fg_blocks_readers *readers,
                                      struct fg_blocks_places *places, struct fg_read_stats *stats);
FG_MUST_CHECK int fg_local_trace_read(struct fg_blocks_view *view,
                                      const struct fg_blocks_place *place,
                                      struct fg_blocks_readers *readers,
                                      int (*page)(void *arg, const struct fg_blocks_page *page),
                                      void *arg, struct fg_read_stats *stats);
FG_MUST_CHECK int fg_local_readers_new(struct fg_blocks_readers **ret_readers);
void fg_local_readers_free(struct fg_blocks_readers *readers);
FG_MUST_CHECK int fg_local_whole(struct fg_blocks_view *view, const struct fg_blocks_whole *ask,
                                 struct fg_read_stats *stats);
FG_MUST_CHECK int fg_local_scan_open(struct fg_blocks_view *view, const struct fg_scan *scan,
                                     struct fg_read_stats *stats, struct fg_blocks_scan **ret_scan);
FG_MUST_CHECK int fg_local_scan_peek(struct fg_blocks_scan *scan, uint64_t *ret_start_ns_max);
FG_MUST_CHECK int fg_local_scan_next(struct fg_blocks_scan *scan, struct fg_blocks_page *ret_page);
void fg_local_scan_close(struct fg_blocks_scan *scan);
FG_MUST_CHECK int fg_local_rollup(struct fg_blocks_view *view, uint32_t tenant,
                                  uint64_t start_ns_min, uint64_t start_ns_max,
                                  struct fg_rollup *rollup);
uint32_t fg_local_merge_load(struct fg_blocks *blocks);
FG_MUST_CHECK int fg_local_erase(struct fg_blocks *blocks, const struct fg_blocks_erase *todo,
                                 struct fg_blocks_erased *ret_erased);
FG_MUST_CHECK int fg_local_backup(struct fg_blocks *blocks, const struct fg_blocks_backup *todo);
FG_MUST_CHECK int fg_local_segments(struct fg_blocks *blocks,
                                    int (*fn)(void *arg, const struct fg_segment_stats *segment),
                                    void *arg);
FG_MUST_CHECK int fg_local_columns(struct fg_blocks *blocks,
                                   int (*fn)(void *arg, const struct fg_column_stats *column),
                                   void *arg);
/* FG_ETIMEOUT where the view was ended. */
FG_MUST_CHECK int fg_local_view_check(const struct fg_blocks_view *view);
/* Reading met a damaged page of it: counts it, and says so the first time. */
void fg_local_damaged_page(struct fg_local_segment *segment, struct fg_read_stats *stats);
/* The segment of a version's list, made by opening its file; *ret_segment->segment is NULL where
 * its footer is damaged. */
FG_MUST_CHECK int fg_local_segment_open(struct fg_local *local,
                                        const struct fg_manifest_segment *entry,
                                        struct fg_local_segment **ret_segment);
void fg_local_segment_release(struct fg_local_segment *segment);

/* -- Upkeep. Each does at most one bounded piece of work, or finds that none is due. The table is
 * in jobs.c; fg_local_ops.maintain runs the first that is due. */
struct fg_local_job {
    const char *name;
    int (*run)(struct fg_local *local, bool *ret_did);
};
extern const struct fg_local_job fg_local_jobs[];
extern const size_t fg_local_job_count;
