/* Opening a folder, or making one.
 *
 * A store is made manifest first: a folder that has segments or a log but no manifest has lost it,
 * and nothing is guessed. */
#include "local/local.h"

#include "crew.h"
#include "local/policy.h"

#include "base/limits.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>

/* -- What to tell */

static int explain(const struct fg_local *local, int error, struct fg_arena *arena,
                   const char **ret_message, const char *what)
{
    char text[FG_LOCAL_PATH_SIZE_MAX + 512];
    snprintf(text, sizeof text, "%s: %s", local->folder, what);
    const char *message = fg_arena_string(arena, fg_slice_from_string(text));
    *ret_message = message ? message : what;
    return error;
}

static int explain_manifest(const struct fg_local *local, int error, struct fg_arena *arena,
                            const char **ret_message)
{
    switch (error) {
    case FG_ENOTFOUND:
        return explain(local, error, arena, ret_message, "there is no store in this folder");
    case FG_EUNSUPPORTED:
        return explain(local, error, arena, ret_message,
                       "the store was written by a newer version of filigree; start that one");
    case FG_ECORRUPT:
        return explain(local, error, arena, ret_message,
                       "MANIFEST is damaged, so which files are the store is not known; restore a "
                       "backup (`filigree restore --help`)");
    case FG_EDENIED:
        return explain(local, error, arena, ret_message,
                       "this user may not read it; give the folder to the user that runs filigree");
    case FG_ENOSPACE:
        return explain(local, error, arena, ret_message, "the disk is full; free some space");
    case FG_ENOMEM:
        return explain(local, error, arena, ret_message, "out of memory");
    default:
        return explain(local, error, arena, ret_message,
                       "can't read or write MANIFEST; check the disk");
    }
}

/* -- A store that is not there yet */

static int on_left_over(void *arg, const struct fg_dir_entry *entry)
{
    (void)arg;
    size_t size = strlen(entry->name);
    bool is_ours = (size == 20 && strcmp(entry->name + 16, ".seg") == 0) ||
                   (size == 20 && strcmp(entry->name + 16, ".rol") == 0) ||
                   fg_wal_number_parse(entry->name) != 0;
    return is_ours ? FG_EEXIST : 0;
}

/* FG_EEXIST: files of a store. */
static int look_for_left_overs(const struct fg_local *local)
{
    static const char *const folders[] = {"segments", "rollups", "wal"};
    char path[FG_LOCAL_PATH_SIZE_MAX];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", local->folder, folders[i]);
        int r = fg_env_list(local->env, path, on_left_over, NULL);
        if (r < 0 && r != FG_ENOTFOUND)
            return r;
    }
    return 0;
}

static int make_store(struct fg_local *local, struct fg_arena *arena, const char **ret_message)
{
    bool in_doubt;
    int r = look_for_left_overs(local);
    if (r == FG_EEXIST)
        return explain(local, FG_ECORRUPT, arena, ret_message,
                       "MANIFEST is missing though files of a store are there, so which of them "
                       "count is not known; put MANIFEST back or restore a backup");
    if (r == 0) {
        fg_manifest_init(&local->manifest, local->env);
        r = fg_manifest_write(local->env, local->folder, &local->manifest, &in_doubt);
    }
    return r < 0 ? explain_manifest(local, r, arena, ret_message) : 0;
}

static int make_folders(const struct fg_local *local)
{
    static const char *const folders[] = {"segments", "rollups"};
    char path[FG_LOCAL_PATH_SIZE_MAX];
    bool is_made = false;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", local->folder, folders[i]);
        int r = fg_env_mkdir(local->env, path);
        if (r < 0 && r != FG_EEXIST)
            return r;
        is_made |= r == 0;
    }
    return is_made ? fg_env_sync_dir(local->env, local->folder) : 0;
}

/* -- Garbage: what a seal, a merge or a swap of the manifest that was cut short left behind */

#define GARBAGE_MAX 256u

struct garbage {
    const struct fg_manifest *manifest;
    const char *suffix;
    uint64_t ids[GARBAGE_MAX];
    size_t count;
};

static bool is_named(const struct fg_manifest *manifest, uint64_t id)
{
    for (size_t i = 0; i < manifest->segment_count; i++)
        if (manifest->segments[i].id == id)
            return true;
    for (size_t i = 0; i < manifest->rollup_count; i++)
        if (manifest->rollups[i].id == id)
            return true;
    return false;
}

/* Only names that this store gives are touched. */
static int on_file(void *arg, const struct fg_dir_entry *entry)
{
    struct garbage *garbage = arg;
    uint64_t id = 0;
    if (strlen(entry->name) != 20 || strcmp(entry->name + 16, garbage->suffix) != 0)
        return 0;
    for (int i = 0; i < 16; i++) {
        char c = entry->name[i];
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (!is_digit)
            return 0;
        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!is_named(garbage->manifest, id) && garbage->count < GARBAGE_MAX)
        garbage->ids[garbage->count++] = id;
    return 0;
}

/* Listing and removing take turns, since a folder that is being listed is left alone. */
static int remove_garbage(const struct fg_local *local, const char *folder, const char *suffix)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct garbage garbage;
    int r = 0;
    do {
        garbage = (struct garbage){.manifest = &local->manifest, .suffix = suffix};
        r = fg_env_list(local->env, folder, on_file, &garbage);
        for (size_t i = 0; r == 0 && i < garbage.count; i++) {
            int size = snprintf(path, sizeof path, "%s/%016llx%s", folder,
                                (unsigned long long)garbage.ids[i], suffix);
            bool fits = size > 0 && (size_t)size < sizeof path;
            r = fits ? fg_env_unlink(local->env, path) : FG_ELIMIT;
        }
    } while (r == 0 && garbage.count > 0);
    return r;
}

static int remove_all_garbage(const struct fg_local *local)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    fg_local_segments_folder(local, path);
    int r = remove_garbage(local, path, ".seg");
    fg_local_rollups_folder(local, path);
    if (r == 0)
        r = remove_garbage(local, path, ".rol");
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "%s/MANIFEST.new", local->folder);
    r = fg_env_unlink(local->env, path);
    return r == FG_ENOTFOUND ? 0 : r;
}

/* -- Opening */

static void say_damaged(const struct fg_local *local)
{
    const struct fg_local_version *version = local->current;
    for (size_t i = 0; i < version->segment_count; i++) {
        const struct fg_manifest_segment *entry = &version->segments[i]->entry;
        if (!version->segments[i]->segment)
            fg_store_event(local->options, FG_LOG_ERROR,
                           "segments/%016llx.seg is missing or its footer is damaged: its %llu "
                           "spans can't be found; put it back from a backup",
                           (unsigned long long)entry->id, (unsigned long long)entry->span_count);
    }
}

static int open_files(struct fg_local *local, struct fg_arena *arena, const char **ret_message)
{
    bool read_only = local->options->read_only;
    int r = fg_manifest_read(local->env, local->folder, &local->manifest);
    if (r == FG_ENOTFOUND && !read_only)
        r = make_store(local, arena, ret_message);
    else if (r < 0)
        r = explain_manifest(local, r, arena, ret_message);
    if (r < 0)
        return r;
    atomic_init(&local->next_id, local->manifest.next_id);
    if (!read_only) {
        r = make_folders(local);
        if (r == 0)
            r = remove_all_garbage(local);
        if (r < 0)
            return explain_manifest(local, r, arena, ret_message);
    }
    r = fg_local_version_new(local, &local->manifest, NULL, &local->current);
    if (r == FG_EUNSUPPORTED)
        return explain_manifest(local, r, arena, ret_message);
    if (r < 0)
        return explain(local, r, arena, ret_message, "can't open its segments; check the disk");
    say_damaged(local);
    return 0;
}

int fg_local_open(const struct fg_store_options *options, struct fg_space *space,
                  struct fg_arena *arena, const char **ret_message, struct fg_local **ret_local)
{
    struct fg_local *local = calloc(1, sizeof *local);
    if (!local) {
        *ret_message = "out of memory";
        return FG_ENOMEM;
    }
    local->blocks.ops = &fg_local_ops;
    local->options = options;
    local->env = options->env;
    local->folder = options->path;
    local->space = space;
    fg_mutex_init(&local->edit_lock, FG_RANK_MANIFEST);
    fg_mutex_init(&local->lock, FG_RANK_VERSION);
    fg_cond_init(&local->views_changed);
    fg_upkeep_init(&local->upkeep);
    int r = fg_policies_new(&options->retention, &local->policies);
    if (r == 0)
        r = fg_cache_new(options->cache_size_max, &local->cache);
    if (r < 0)
        *ret_message = "out of memory";
    if (r == 0 && options->scan_threads)
        r = fg_crew_new(options->scan_threads, &local->crew);
    if (r < 0 && local->cache)
        *ret_message = "can't start a thread";
    if (r == 0)
        r = open_files(local, arena, ret_message);
    if (r < 0) {
        fg_local_close(local);
        return r;
    }
    *ret_local = local;
    return 0;
}

void fg_local_close(struct fg_local *local)
{
    if (!local)
        return;
    fg_crew_free(local->crew);
    fg_local_version_release(local->current);
    fg_manifest_free(&local->manifest);
    fg_cache_free(local->cache);
    fg_policies_unref(local->policies);
    fg_mutex_destroy(&local->edit_lock);
    fg_mutex_destroy(&local->lock);
    fg_cond_destroy(&local->views_changed);
    fg_upkeep_destroy(&local->upkeep);
    free(local);
}
