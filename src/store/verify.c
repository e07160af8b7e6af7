/* Every checksum of a folder that no server holds: manifest, segments, kept rollups, log. Nothing
 * is changed. A file that no manifest names is no part of the store and is not looked at. */
#include "base/limits.h"
#include "local/manifest.h"
#include "local/rollup_file.h"
#include "local/segment.h"
#include "span/block.h"
#include "store/state.h"
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_SIZE_MAX 4096u
#define NAME_SIZE_MAX 64u

struct verify {
    struct fg_env *env;
    const char *folder;
    void (*damage)(void *arg, const char *file, uint64_t offset, const char *what);
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    void *arg;
    uint64_t done_bytes, total_bytes, damage_count;
    struct fg_manifest manifest;
    struct fg_rollup *rollup;
    char file[NAME_SIZE_MAX]; /* that is being read, within folder */
};

static void found(struct verify *verify, uint64_t offset, const char *what)
{
    verify->damage_count++;
    verify->damage(verify->arg, verify->file, offset, what);
}

static void done(struct verify *verify, uint64_t bytes)
{
    verify->done_bytes += bytes;
    if (verify->progress)
        verify->progress(verify->arg, verify->done_bytes, verify->total_bytes);
}

static void begin_file(struct verify *verify, const char *format, uint64_t id,
                       char ret_path[PATH_SIZE_MAX])
{
    snprintf(verify->file, sizeof verify->file, "%s/%016llx.%s", format, (unsigned long long)id,
             strcmp(format, "segments") == 0 ? "seg" : "rol");
    snprintf(ret_path, PATH_SIZE_MAX, "%s/%s", verify->folder, verify->file);
}

/* -- Segments */

static void on_segment_damage(void *arg, const struct fg_segment_damage *damage)
{
    struct verify *verify = arg;
    char what[256];
    if (damage->row_count == 0)
        snprintf(what, sizeof what, "%s is damaged", damage->what);
    else
        snprintf(what, sizeof what, "%s is damaged, of spans %llu to %llu", damage->what,
                 (unsigned long long)damage->row_begin,
                 (unsigned long long)(damage->row_begin + damage->row_count - 1));
    found(verify, damage->offset, what);
}

/* The block's own form, beside its checksum. */
static int check_rollup(struct verify *verify, struct fg_segment *segment)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int r = fg_segment_rollup(segment, &bytes, &size);
    if (r == FG_ECORRUPT)
        return 0; /* found by its checksum */
    fg_rollup_reset(verify->rollup);
    if (r == 0 && size > 0)
        r = fg_rollup_decode(verify->rollup, fg_slice(bytes, size), 0, UINT64_MAX);
    free(bytes);
    if (r == FG_ECORRUPT || r == FG_EUNSUPPORTED) {
        found(verify, 0, "the minute rollups are not well formed");
        r = 0;
    }
    return r;
}

static int check_segment(struct verify *verify, const struct fg_manifest_segment *entry)
{
    char path[PATH_SIZE_MAX];
    struct fg_segment *segment;
    begin_file(verify, "segments", entry->id, path);
    int r = fg_segment_open(verify->env, path, NULL, &segment);
    if (r == FG_ENOTFOUND)
        found(verify, 0, "the file is missing");
    else if (r == FG_ECORRUPT)
        found(verify, 0, "the footer is damaged, so nothing of the file can be found");
    if (r == FG_ENOTFOUND || r == FG_ECORRUPT)
        return 0;
    if (r < 0)
        return r;
    const struct fg_segment_info *info = fg_segment_info(segment);
    if (info->span_count != entry->span_count || info->size_bytes != entry->size_bytes)
        found(verify, 0, "this is not the file that the manifest names");
    r = fg_segment_verify(segment, on_segment_damage, verify);
    if (r == 0)
        r = check_rollup(verify, segment);
    fg_segment_unref(segment);
    return r;
}

static int check_segments(struct verify *verify)
{
    int r = 0;
    for (size_t i = 0; i < verify->manifest.segment_count && r == 0; i++) {
        r = check_segment(verify, &verify->manifest.segments[i]);
        done(verify, verify->manifest.segments[i].size_bytes);
    }
    return r;
}

static int check_rollups(struct verify *verify)
{
    char path[PATH_SIZE_MAX];
    for (size_t i = 0; i < verify->manifest.rollup_count; i++) {
        const struct fg_manifest_rollup *entry = &verify->manifest.rollups[i];
        begin_file(verify, "rollups", entry->id, path);
        fg_rollup_reset(verify->rollup);
        int r = fg_rollup_file_read(verify->env, path, 0, UINT64_MAX, verify->rollup);
        if (r == FG_ENOTFOUND)
            found(verify, 0, "the file is missing");
        else if (r == FG_ECORRUPT)
            found(verify, 0, "the rollups are damaged");
        else if (r < 0)
            return r;
        done(verify, entry->size_bytes);
    }
    return 0;
}

/* -- The log */

static int on_record(void *arg, const struct fg_wal_record *record)
{
    struct verify *verify = arg;
    struct fg_block *block;
    char what[128];
    int r = fg_block_parse(record->payload, &block);
    if (r == 0)
        fg_block_unref(block);
    if (r != FG_ECORRUPT && r != FG_EUNSUPPORTED)
        return r;
    snprintf(verify->file, sizeof verify->file, "wal");
    snprintf(what, sizeof what, "record %llu holds no spans that can be read",
             (unsigned long long)record->sequence);
    found(verify, 0, what);
    return 0;
}

static void on_log_damage(void *arg, const struct fg_wal_damage *damage)
{
    struct verify *verify = arg;
    char what[128];
    snprintf(verify->file, sizeof verify->file, "wal/%s", damage->file);
    snprintf(what, sizeof what, "records %llu to %llu, which were acknowledged, can't be read",
             (unsigned long long)damage->sequence_begin,
             (unsigned long long)damage->sequence_end - 1);
    found(verify, damage->offset, what);
}

static int check_log(struct verify *verify, uint64_t bytes)
{
    const struct fg_manifest *manifest = &verify->manifest;
    struct fg_wal_end *end = calloc(1, sizeof *end);
    if (!end)
        return FG_ENOMEM;
    const struct fg_wal_replay replay = {.env = verify->env,
                                         .folder = verify->folder,
                                         .store_id = manifest->store_id[0],
                                         .checkpoint = manifest->checkpoint,
                                         .epochs = manifest->epochs,
                                         .epoch_count = manifest->epoch_count,
                                         .record = on_record,
                                         .damage = on_log_damage,
                                         .arg = verify};
    int r = fg_wal_replay(&replay, end);
    free(end);
    done(verify, bytes);
    return r;
}

/* -- The keyed state */

static void on_state_damage(void *arg, const char *table, const char *what)
{
    struct verify *verify = arg;
    char text[128];
    snprintf(verify->file, sizeof verify->file, "state/data.mdb");
    snprintf(text, sizeof text, "table %s: %s", table, what);
    found(verify, 0, text);
}

/* LMDB maps its file, so it lies on the machine's own disk or nowhere. */
static int check_state(struct verify *verify)
{
    if (verify->env != fg_env_real())
        return 0;
    int r = fg_state_verify(verify->folder, on_state_damage, verify);
    if (r == FG_ECORRUPT || r == FG_EUNSUPPORTED) {
        snprintf(verify->file, sizeof verify->file, "state/data.mdb");
        found(verify, 0, "it can't be opened");
        r = 0;
    }
    return r == FG_ENOTFOUND ? 0 : r;
}

static int add_size(void *arg, const struct fg_dir_entry *entry)
{
    *(uint64_t *)arg += entry->size;
    return 0;
}

/* -- All of it */

static int check_all(struct verify *verify)
{
    char path[PATH_SIZE_MAX];
    uint64_t log_bytes = 0;
    snprintf(path, sizeof path, "%s/wal", verify->folder);
    int r = fg_env_list(verify->env, path, add_size, &log_bytes);
    if (r < 0 && r != FG_ENOTFOUND)
        return r;
    verify->total_bytes = log_bytes;
    for (size_t i = 0; i < verify->manifest.segment_count; i++)
        verify->total_bytes += verify->manifest.segments[i].size_bytes;
    for (size_t i = 0; i < verify->manifest.rollup_count; i++)
        verify->total_bytes += verify->manifest.rollups[i].size_bytes;
    r = check_segments(verify);
    if (r == 0)
        r = check_rollups(verify);
    if (r == 0)
        r = check_state(verify);
    return r < 0 ? r : check_log(verify, log_bytes);
}

static int read_manifest(struct verify *verify)
{
    int r = fg_manifest_read(verify->env, verify->folder, &verify->manifest);
    if (r != FG_ECORRUPT)
        return r;
    snprintf(verify->file, sizeof verify->file, "MANIFEST");
    found(verify, 0, "it is damaged, so which files are the store is not known");
    return FG_ECORRUPT;
}

/* The lock keeps a server from starting meanwhile. Where it can't be written, nobody can start. */
static int lock(struct verify *verify, struct fg_file **ret_lock)
{
    char path[PATH_SIZE_MAX];
    *ret_lock = NULL;
    snprintf(path, sizeof path, "%s/LOCK", verify->folder);
    int r = fg_env_lock(verify->env, path, ret_lock);
    return r == FG_EDENIED ? 0 : r;
}

int fg_store_verify(struct fg_env *env, const char *path,
                    void (*damage)(void *arg, const char *file, uint64_t offset, const char *what),
                    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes),
                    void *arg, uint64_t *ret_damage_count)
{
    struct verify verify = {
        .env = env, .folder = path, .damage = damage, .progress = progress, .arg = arg};
    struct fg_file *held = NULL;
    if (strlen(path) >= PATH_SIZE_MAX - NAME_SIZE_MAX)
        return FG_ELIMIT;
    int r = read_manifest(&verify);
    if (r == FG_ECORRUPT) {
        *ret_damage_count = verify.damage_count;
        return 0;
    }
    if (r < 0)
        return r;
    fg_manifest_free(&verify.manifest);
    r = lock(&verify, &held);
    if (r < 0)
        return r;
    /* again, now that nobody changes it */
    r = fg_manifest_read(env, path, &verify.manifest);
    if (r == 0) {
        r = fg_rollup_new(&verify.rollup);
        if (r == 0)
            r = check_all(&verify);
        fg_rollup_free(verify.rollup);
        fg_manifest_free(&verify.manifest);
    }
    fg_file_close(held);
    if (r == 0)
        *ret_damage_count = verify.damage_count;
    return r;
}
