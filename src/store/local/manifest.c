/* Edits are made on a copy, so that an edit that fails has changed nothing.
 *
 * The swap, in fg_manifest_write(), and what a start finds when the power goes between two steps:
 *   1. MANIFEST.new is written     the old manifest; MANIFEST.new is garbage
 *   2. MANIFEST.new is synced      the old manifest; MANIFEST.new is garbage
 *   3. renamed to MANIFEST         the old or the new one, whole in either case
 *   4. the folder is synced        the new one */
#include "manifest.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME     "MANIFEST"
#define NAME_NEW "MANIFEST.new"

void fg_manifest_init(struct fg_manifest *manifest, struct fg_env *env)
{
    *manifest = (struct fg_manifest){.checkpoint = 1, .next_id = 1, .epoch_count = 1};
    manifest->epochs[0] = (struct fg_wal_epoch){.epoch = 1, .first_sequence = 1};
    fg_env_random(env, manifest->store_id, sizeof manifest->store_id);
}

void fg_manifest_free(struct fg_manifest *manifest)
{
    free(manifest->segments);
    free(manifest->rollups);
    *manifest = (struct fg_manifest){0};
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_segments(const void *a, const void *b)
{
    const struct fg_manifest_segment *x = a, *y = b;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_rollups(const void *a, const void *b)
{
    const struct fg_manifest_rollup *x = a, *y = b;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A sorted copy; the caller frees it. */
static uint64_t *ids_sort(const uint64_t *ids, size_t count)
{
    uint64_t *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return NULL;
    if (count) {
        memcpy(sorted, ids, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_ids);
    }
    return sorted;
}

static bool ids_contain(const uint64_t *sorted, size_t count, uint64_t id)
{
    return count && bsearch(&id, sorted, count, sizeof id, compare_ids);
}

static int apply_segments(const struct fg_manifest *old, const struct fg_manifest_edit *edit,
                          struct fg_manifest *new)
{
    uint64_t *remove = ids_sort(edit->remove, edit->remove_count);
    new->segments = calloc(old->segment_count + edit->add_count + 1, sizeof *new->segments);
    int r = remove && new->segments ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < old->segment_count; i++)
        if (!ids_contain(remove, edit->remove_count, old->segments[i].id))
            new->segments[new->segment_count++] = old->segments[i];
    if (r == 0 && old->segment_count - new->segment_count != edit->remove_count)
        r = FG_EINVALID;
    for (size_t i = 0; r == 0 && i < edit->add_count; i++)
        new->segments[new->segment_count++] = edit->add[i];
    free(remove);
    if (r < 0)
        return r;
    qsort(new->segments, new->segment_count, sizeof *new->segments, compare_segments);
    return new->segment_count > UINT32_MAX ? FG_ELIMIT : 0;
}

static int apply_rollups(const struct fg_manifest *old, const struct fg_manifest_edit *edit,
                         struct fg_manifest *new)
{
    uint64_t *remove = ids_sort(edit->remove_rollups, edit->remove_rollup_count);
    new->rollups = calloc(old->rollup_count + edit->add_rollup_count + 1, sizeof *new->rollups);
    int r = remove && new->rollups ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < old->rollup_count; i++)
        if (!ids_contain(remove, edit->remove_rollup_count, old->rollups[i].id))
            new->rollups[new->rollup_count++] = old->rollups[i];
    if (r == 0 && old->rollup_count - new->rollup_count != edit->remove_rollup_count)
        r = FG_EINVALID;
    for (size_t i = 0; r == 0 && i < edit->add_rollup_count; i++)
        new->rollups[new->rollup_count++] = edit->add_rollups[i];
    free(remove);
    if (r < 0)
        return r;
    qsort(new->rollups, new->rollup_count, sizeof *new->rollups, compare_rollups);
    return new->rollup_count > UINT32_MAX ? FG_ELIMIT : 0;
}

/* No id twice: neither among what is added nor with what was there. */
static int check_ids(const struct fg_manifest *manifest)
{
    size_t count = manifest->segment_count + manifest->rollup_count;
    uint64_t *ids = malloc((count + 1) * sizeof *ids);
    if (!ids)
        return FG_ENOMEM;
    for (size_t i = 0; i < manifest->segment_count; i++)
        ids[i] = manifest->segments[i].id;
    for (size_t i = 0; i < manifest->rollup_count; i++)
        ids[manifest->segment_count + i] = manifest->rollups[i].id;
    qsort(ids, count, sizeof *ids, compare_ids);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        if (ids[i] >= manifest->next_id || (i > 0 && ids[i] == ids[i - 1]))
            r = FG_EINVALID;
    free(ids);
    return r;
}

/* Epochs whose records nobody needs any more are forgotten. An edit that is of segments alone does
 * not know. */
static int apply_epochs(const struct fg_manifest *old, const struct fg_manifest_edit *edit,
                        struct fg_manifest *new)
{
    bool is_of_log = edit->checkpoint || edit->epoch.epoch;
    uint64_t passed = edit->hold && edit->hold < new->checkpoint ? edit->hold : new->checkpoint;
    for (uint32_t i = 0; i < old->epoch_count; i++) {
        bool is_last = i + 1 == old->epoch_count;
        bool is_passed = is_last ? edit->epoch.epoch && edit->epoch.first_sequence <= passed
                                 : is_of_log && old->epochs[i + 1].first_sequence <= passed;
        if (!is_passed)
            new->epochs[new->epoch_count++] = old->epochs[i];
    }
    if (edit->epoch.epoch == 0)
        return 0;
    const struct fg_wal_epoch *last = &old->epochs[old->epoch_count - 1];
    if (edit->epoch.epoch <= last->epoch || edit->epoch.first_sequence < last->first_sequence)
        return FG_EINVALID;
    /* An epoch without a record covers nothing. */
    if (new->epoch_count &&new->epochs[new->epoch_count - 1].first_sequence ==
        edit->epoch.first_sequence)
        new->epoch_count--;
    if (new->epoch_count == FG_WAL_EPOCHS_MAX)
        return FG_ELIMIT;
    new->epochs[new->epoch_count++] = edit->epoch;
    return 0;
}

int fg_manifest_apply(const struct fg_manifest *manifest, const struct fg_manifest_edit *edit,
                      struct fg_manifest *ret_manifest)
{
    struct fg_manifest new = {
        .store_id = {manifest->store_id[0], manifest->store_id[1]},
        .generation = manifest->generation + 1,
        .checkpoint = manifest->checkpoint,
        .next_id = manifest->next_id > edit->next_id ? manifest->next_id : edit->next_id,
    };
    if (edit->checkpoint && edit->checkpoint < manifest->checkpoint)
        return FG_EINVALID;
    if (edit->checkpoint)
        new.checkpoint = edit->checkpoint;
    int r = apply_segments(manifest, edit, &new);
    if (r == 0)
        r = apply_rollups(manifest, edit, &new);
    if (r == 0)
        r = check_ids(&new);
    if (r == 0)
        r = apply_epochs(manifest, edit, &new);
    if (r < 0) {
        fg_manifest_free(&new);
        return r;
    }
    *ret_manifest = new;
    return 0;
}

#define PATH_SIZE_MAX 4096

static int make_path(char path[PATH_SIZE_MAX], const char *folder, const char *name)
{
    int size = snprintf(path, PATH_SIZE_MAX, "%s/%s", folder, name);
    return size < 0 || size >= PATH_SIZE_MAX ? FG_ELIMIT : 0;
}

static int read_file(struct fg_file *file, uint8_t **ret_bytes, size_t *ret_size)
{
    uint64_t size;
    int r = fg_file_size(file, &size);
    if (r < 0)
        return r;
    if (size > FG_MANIFEST_SIZE_MAX)
        return FG_ECORRUPT;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return FG_ENOMEM;
    r = fg_file_pread(file, 0, bytes, size, ret_size);
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    return 0;
}

int fg_manifest_read(struct fg_env *env, const char *folder, struct fg_manifest *ret_manifest)
{
    char path[PATH_SIZE_MAX];
    struct fg_file *file = NULL;
    int r = make_path(path, folder, NAME);
    if (r == 0)
        r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    uint8_t *bytes = NULL;
    size_t size;
    r = read_file(file, &bytes, &size);
    fg_file_close(file);
    if (r == 0)
        r = fg_manifest_parse(fg_slice(bytes, size), ret_manifest);
    free(bytes);
    return r;
}

static int write_new(struct fg_env *env, const char *path, struct fg_slice bytes)
{
    struct fg_file *file;
    int r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE, &file);
    if (r < 0)
        return r;
    r = fg_file_pwrite(file, 0, bytes.data, bytes.size);
    if (r == 0)
        r = fg_file_sync(file);
    fg_file_close(file);
    return r;
}

int fg_manifest_write(struct fg_env *env, const char *folder, const struct fg_manifest *manifest,
                      bool *ret_in_doubt)
{
    char path[PATH_SIZE_MAX], path_new[PATH_SIZE_MAX];
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, FG_MANIFEST_SIZE_MAX);
    fg_manifest_encode(manifest, &buffer);
    bool in_doubt = false;
    int r = buffer.error;
    if (r == 0)
        r = make_path(path, folder, NAME);
    if (r == 0)
        r = make_path(path_new, folder, NAME_NEW);
    if (r == 0)
        r = write_new(env, path_new, fg_buffer_slice(&buffer));
    if (r == 0) {
        r = fg_env_rename(env, path_new, path);
        in_doubt = r < 0 && r != FG_ENOSPACE;
    }
    if (r == 0) {
        r = fg_env_sync_dir(env, folder);
        in_doubt = r < 0;
    }
    fg_buffer_free(&buffer);
    if (r < 0)
        *ret_in_doubt = in_doubt;
    return r;
}
