/* A copy of all sealed files that opens as a store.
 *
 * Files are immutable, so a second name (hard link) is a copy; where the folders lie on different
 * disks the bytes are copied and synced. The manifest comes last: a backup that was cut short has
 * none, and is no store. A version is held meanwhile, so that no file goes away. */
#include "base/limits.h"
#include "local/local.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP_SIZE ((size_t)1 << 20)

struct backup {
    struct fg_local *local;
    const struct fg_blocks_backup *todo;
    const char *path;
    struct fg_local_version *version;
    struct fg_manifest manifest;
    uint8_t *step;
    uint64_t done_bytes, total_bytes;
};

static void report(struct backup *backup, uint64_t bytes)
{
    backup->done_bytes += bytes;
    const struct fg_blocks_backup *todo = backup->todo;
    if (todo->progress)
        todo->progress(todo->progress_arg, backup->done_bytes, backup->total_bytes);
}

/* -- Folders */

static int on_entry(void *arg, const struct fg_dir_entry *entry)
{
    (void)arg;
    (void)entry;
    return FG_EEXIST;
}

/* The folder above path; "." and "/" where there is none to see. */
static void parent_of(const char *path, char ret_parent[FG_LOCAL_PATH_SIZE_MAX])
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size == 0) {
        memcpy(ret_parent, ".", 2);
        return;
    }
    while (size > 1 && path[size - 1] == '/')
        size--;
    memcpy(ret_parent, path, size);
    ret_parent[size] = 0;
}

static int make_folders(const struct backup *backup)
{
    static const char *const names[] = {"segments", "rollups"};
    struct fg_env *env = backup->local->env;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    int r = fg_env_mkdir(env, backup->path);
    if (r == FG_EEXIST)
        r = fg_env_list(env, backup->path, on_entry, NULL);
    for (int i = 0; i < 2 && r == 0; i++) {
        snprintf(path, sizeof path, "%s/%s", backup->path, names[i]);
        r = fg_env_mkdir(env, path);
    }
    return r;
}

/* Every name is durable before there is a manifest that needs it. */
static int sync_folders(const struct backup *backup)
{
    static const char *const names[] = {"segments", "rollups", ""};
    struct fg_env *env = backup->local->env;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        snprintf(path, sizeof path, "%s/%s", backup->path, names[i]);
        r = fg_env_sync_dir(env, path);
    }
    parent_of(backup->path, path);
    return r < 0 ? r : fg_env_sync_dir(env, path);
}

/* -- Files */

static int copy_bytes(struct backup *backup, struct fg_file *from, struct fg_file *to)
{
    for (uint64_t offset = 0;;) {
        size_t size;
        if (fg_upkeep_is_stopping(&backup->local->upkeep))
            return FG_ECANCELLED;
        int r = fg_file_pread(from, offset, backup->step, STEP_SIZE, &size);
        if (r == 0 && size > 0)
            r = fg_file_pwrite(to, offset, backup->step, size);
        if (r == 0)
            r = fg_file_sync(to); /* step by step: one sync at the end would stall the log's */
        if (r < 0)
            return r;
        report(backup, size);
        if (size < STEP_SIZE)
            return 0;
        offset += size;
    }
}

static int copy_file(struct backup *backup, const char *from_path, const char *to_path)
{
    struct fg_env *env = backup->local->env;
    struct fg_file *from = NULL, *to = NULL;
    int r = fg_env_open(env, from_path, FG_OPEN_READ, &from);
    if (r == 0)
        r = fg_env_open(env, to_path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE, &to);
    if (r == 0)
        r = copy_bytes(backup, from, to);
    fg_file_close(from);
    fg_file_close(to);
    return r;
}

/* The file under its folder and name. FG_ENOTFOUND: the store has lost it. */
static int take_file(struct backup *backup, const char *from, const char *folder, uint64_t size)
{
    char to[FG_LOCAL_PATH_SIZE_MAX];
    const char *name = strrchr(from, '/') + 1;
    int length = snprintf(to, sizeof to, "%s/%s/%s", backup->path, folder, name);
    if (length < 0 || (size_t)length >= sizeof to)
        return FG_ELIMIT;
    int r = fg_env_link(backup->local->env, from, to);
    if (r == 0)
        report(backup, size);
    return r == FG_EUNSUPPORTED || r == FG_EDENIED ? copy_file(backup, from, to) : r;
}

static void say_missing(struct backup *backup, const char *path)
{
    fg_store_event(backup->local->options, FG_LOG_ERROR,
                   "%s is missing: the backup is made without it", path);
}

static int take_segments(struct backup *backup)
{
    struct fg_manifest *manifest = &backup->manifest;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    size_t kept = 0;
    for (size_t i = 0; i < manifest->segment_count; i++) {
        fg_local_segment_path(backup->local, manifest->segments[i].id, path);
        int r = take_file(backup, path, "segments", manifest->segments[i].size_bytes);
        if (r < 0 && r != FG_ENOTFOUND)
            return r;
        if (r == 0)
            manifest->segments[kept++] = manifest->segments[i];
        else
            say_missing(backup, path);
    }
    manifest->segment_count = kept;
    return 0;
}

static int take_rollups(struct backup *backup)
{
    struct fg_manifest *manifest = &backup->manifest;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    size_t kept = 0;
    for (size_t i = 0; i < manifest->rollup_count; i++) {
        fg_local_rollup_path(backup->local, manifest->rollups[i].id, path);
        int r = take_file(backup, path, "rollups", manifest->rollups[i].size_bytes);
        if (r < 0 && r != FG_ENOTFOUND)
            return r;
        if (r == 0)
            manifest->rollups[kept++] = manifest->rollups[i];
        else
            say_missing(backup, path);
    }
    manifest->rollup_count = kept;
    return 0;
}

/* The manifest in force and the version that it describes, taken together. */
static int take_state(struct backup *backup)
{
    struct fg_local *local = backup->local;
    const struct fg_manifest_edit nothing = {0};
    fg_mutex_lock(&local->edit_lock);
    int r = fg_manifest_apply(&local->manifest, &nothing, &backup->manifest);
    if (r == 0)
        backup->version = fg_local_version_take(local);
    fg_mutex_unlock(&local->edit_lock);
    if (r < 0)
        return r;
    for (size_t i = 0; i < backup->manifest.segment_count; i++)
        backup->total_bytes += backup->manifest.segments[i].size_bytes;
    for (size_t i = 0; i < backup->manifest.rollup_count; i++)
        backup->total_bytes += backup->manifest.rollups[i].size_bytes;
    return 0;
}

static int run(struct backup *backup)
{
    bool in_doubt;
    int r = take_state(backup);
    if (r < 0)
        return r;
    r = make_folders(backup);
    if (r == 0)
        r = take_segments(backup);
    if (r == 0)
        r = take_rollups(backup);
    if (r == 0)
        r = sync_folders(backup);
    if (r == 0 && backup->todo->rest)
        r = backup->todo->rest(backup->todo->rest_arg, backup->manifest.checkpoint);
    if (r == 0)
        r = fg_manifest_write(backup->local->env, backup->path, &backup->manifest, &in_doubt);
    fg_manifest_free(&backup->manifest);
    fg_local_version_release(backup->version);
    return r;
}

int fg_local_backup(struct fg_blocks *blocks, const struct fg_blocks_backup *todo)
{
    struct backup backup = {.local = (struct fg_local *)blocks, .todo = todo, .path = todo->path};
    if (strlen(todo->path) >= FG_LOCAL_PATH_SIZE_MAX - 64)
        return FG_ELIMIT;
    backup.step = malloc(STEP_SIZE);
    if (!backup.step)
        return FG_ENOMEM;
    int r = run(&backup);
    free(backup.step);
    return r;
}
