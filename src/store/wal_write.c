/* Writing the WAL.
 *
 * States of a file, and the function of each transition:
 *
 *     (none) --make_file()--> free --begin_file()--> current --end_file()--> used
 *                              ^                                              |
 *                              +------------- fg_wal_recycle() ---------------+
 *                                             (or it is unlinked, or kept as damaged)
 *
 *   free     full of zeros, or of groups that replay knows to be old; a power cut finds nothing
 *   current  groups are appended; what lies behind the last is zeros or old
 *   used     synced; holds records that are in no segment yet
 *
 * A file is written full of zeros and synced, and its folder is synced, before its first use, so
 * that the sync of a commit need not touch the file system's own structures. A group that did not
 * get onto the disk whole is written over by the next one, since offset and sequence move only with
 * a whole write. */
#include "base/endian.h"
#include "base/limits.h"
#include "os/thread.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>

#define ZEROS_SIZE ((size_t)2 << 20)
/* Files that are kept ready; a head's worth of records takes less than one. */
#define FREE_MAX 2u

struct wal_file {
    uint64_t number, size;
    uint64_t sequence_end; /* 0: free */
    bool is_damaged;
};

struct fg_wal {
    struct fg_wal_options options; /* folder is the WAL's own copy */
    char *folder, *wal_folder;
    uint8_t *zeros;

    struct fg_mutex write_lock; /* current, and everything about it */
    struct fg_file *file;       /* NULL: the next group begins one */
    struct wal_file current;
    uint64_t offset;
    uint64_t next_sequence, synced_sequence;
    uint8_t *buffer;
    size_t buffer_capacity;
    bool is_dirty, is_failed;
    uint64_t quiet_sequence, marked_sequence; /* fg_wal_mark()'s: as it was at the last call */

    struct fg_mutex make_lock; /* one file is made at a time */
    struct fg_mutex lock;      /* the rest */
    struct wal_file *files;    /* free and used */
    size_t file_count, file_capacity;
    uint64_t next_number;
    bool is_wiping; /* between fg_wal_rotate() and fg_wal_wipe(): no file is freed for reuse */
    struct fg_wal_counters counters;
};

/* -- Files */

/* With lock. */
static int files_add(struct fg_wal *wal, const struct wal_file *file)
{
    if (wal->file_count == wal->file_capacity) {
        size_t capacity = wal->file_capacity ? 2 * wal->file_capacity : 16;
        struct wal_file *files = realloc(wal->files, capacity * sizeof *files);
        if (!files)
            return FG_ENOMEM;
        wal->files = files;
        wal->file_capacity = capacity;
    }
    wal->files[wal->file_count++] = *file;
    wal->counters.size_bytes += file->size;
    return 0;
}

/* With lock. */
static void files_remove(struct fg_wal *wal, size_t index)
{
    wal->counters.size_bytes -= wal->files[index].size;
    wal->files[index] = wal->files[--wal->file_count];
}

/* With lock. */
static size_t count_free(const struct fg_wal *wal)
{
    size_t count = 0;
    for (size_t i = 0; i < wal->file_count; i++)
        count += wal->files[i].sequence_end == 0;
    return count;
}

static int write_zeros(struct fg_wal *wal, struct fg_file *file, uint64_t size)
{
    int r = 0;
    for (uint64_t offset = 0; r == 0 && offset < size;) {
        uint64_t step = size - offset < ZEROS_SIZE ? size - offset : ZEROS_SIZE;
        r = fg_file_pwrite(file, offset, wal->zeros, (size_t)step);
        /* One sync of 64 MiB would hold up those of the commits beside it. */
        if (r == 0)
            r = fg_file_write_out(file, offset, step);
        offset += step;
    }
    return r == 0 ? fg_file_sync(file) : r;
}

/* A new free file. On failure nothing is left of it, or what the next start finds to be free. */
static int make_file(struct fg_wal *wal)
{
    char path[FG_WAL_PATH_SIZE_MAX];
    struct fg_file *handle;
    fg_mutex_lock(&wal->lock);
    struct wal_file file = {.number = wal->next_number++, .size = wal->options.segment_size};
    bool is_too_many = wal->file_count >= FG_WAL_FILES_MAX - 1;
    fg_mutex_unlock(&wal->lock);
    int r = is_too_many ? FG_ENOSPACE : fg_wal_path(wal->folder, file.number, path);
    if (r == 0)
        r = fg_env_open(wal->options.env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE,
                        &handle);
    if (r < 0)
        return r;
    r = write_zeros(wal, handle, file.size);
    fg_file_close(handle);
    if (r == 0)
        r = fg_env_sync_dir(wal->options.env, wal->wal_folder);
    if (r == 0) {
        fg_mutex_lock(&wal->lock);
        r = files_add(wal, &file);
        fg_mutex_unlock(&wal->lock);
    }
    /* Best effort: a file that stays is empty, and the next start finds it free. */
    if (r < 0)
        (void)!fg_env_unlink(wal->options.env, path);
    return r;
}

int fg_wal_prepare(struct fg_wal *wal, bool *ret_did)
{
    *ret_did = false;
    fg_mutex_lock(&wal->make_lock);
    fg_mutex_lock(&wal->lock);
    size_t free_count = count_free(wal);
    fg_mutex_unlock(&wal->lock);
    int r = free_count ? 0 : make_file(wal);
    fg_mutex_unlock(&wal->make_lock);
    if (r == 0)
        *ret_did = free_count == 0;
    return r;
}

/* Takes a free file out of the list. FG_ENOTFOUND. */
static int take_free(struct fg_wal *wal, struct wal_file *ret_file)
{
    int r = FG_ENOTFOUND;
    fg_mutex_lock(&wal->lock);
    for (size_t i = 0; r < 0 && i < wal->file_count; i++) {
        if (wal->files[i].sequence_end)
            continue;
        *ret_file = wal->files[i];
        files_remove(wal, i);
        wal->counters.size_bytes += ret_file->size;
        r = 0;
    }
    fg_mutex_unlock(&wal->lock);
    return r;
}

/* With write_lock: a file to write the next group to. */
static int begin_file(struct fg_wal *wal)
{
    char path[FG_WAL_PATH_SIZE_MAX];
    bool did;
    struct wal_file file;
    int r;
    do {
        r = fg_wal_prepare(wal, &did);
        if (r == 0)
            r = take_free(wal, &file);
    } while (r == FG_ENOTFOUND); /* fg_wal_wipe() took it: another is made */
    if (r == 0)
        r = fg_wal_path(wal->folder, file.number, path);
    if (r == 0)
        r = fg_env_open(wal->options.env, path, FG_OPEN_WRITE, &wal->file);
    if (r < 0)
        return r;
    wal->current = file;
    wal->offset = 0;
    return 0;
}

/* With write_lock: one sync, which is final where it fails. */
static int sync_current(struct fg_wal *wal)
{
    if (wal->is_failed)
        return FG_EIO;
    if (wal->is_dirty && fg_file_sync(wal->file) < 0) {
        wal->is_failed = true;
        return FG_EIO;
    }
    wal->is_dirty = false;
    wal->synced_sequence = wal->next_sequence;
    return 0;
}

/* With write_lock: current becomes used. */
static int end_file(struct fg_wal *wal)
{
    if (!wal->file)
        return 0;
    int r = sync_current(wal);
    if (r < 0)
        return r;
    fg_mutex_lock(&wal->lock);
    r = files_add(wal, &wal->current);
    if (r == 0)
        wal->counters.size_bytes -= wal->current.size; /* it was counted all along */
    fg_mutex_unlock(&wal->lock);
    if (r < 0)
        return r;
    fg_file_close(wal->file);
    wal->file = NULL;
    return 0;
}

static void keep_damaged(struct fg_wal *wal, uint64_t number)
{
    char path[FG_WAL_PATH_SIZE_MAX], kept[FG_WAL_PATH_SIZE_MAX + 16];
    if (fg_wal_path(wal->folder, number, path) < 0)
        return;
    snprintf(kept, sizeof kept, "%s.damaged", path);
    /* Where this fails the file stays under its name, below the checkpoint, and is reused. */
    if (fg_env_rename(wal->options.env, path, kept) == 0)
        (void)!fg_env_sync_dir(wal->options.env, wal->wal_folder);
}

void fg_wal_recycle(struct fg_wal *wal, uint64_t checkpoint)
{
    for (;;) {
        struct wal_file file = {0};
        fg_mutex_lock(&wal->lock);
        size_t free_count = count_free(wal);
        for (size_t i = 0; i < wal->file_count && !file.number; i++) {
            struct wal_file *used = &wal->files[i];
            if (used->sequence_end == 0 || used->sequence_end > checkpoint)
                continue;
            bool is_kept = !wal->is_wiping && free_count < FREE_MAX &&
                           used->size == wal->options.segment_size && !used->is_damaged;
            if (is_kept) {
                used->sequence_end = 0;
                free_count++;
                continue;
            }
            file = *used;
            files_remove(wal, i);
        }
        fg_mutex_unlock(&wal->lock);
        char path[FG_WAL_PATH_SIZE_MAX];
        if (!file.number)
            return;
        if (file.is_damaged)
            keep_damaged(wal, file.number);
        else if (fg_wal_path(wal->folder, file.number, path) == 0)
            (void)!fg_env_unlink(wal->options.env, path); /* the next start reuses it otherwise */
    }
}

/* -- Groups */

static int reserve_buffer(struct fg_wal *wal, size_t size)
{
    if (size <= wal->buffer_capacity && wal->buffer_capacity <= 2 * FG_COMMIT_GROUP_SIZE_MAX)
        return 0;
    size_t capacity = size > FG_COMMIT_GROUP_SIZE_MAX ? size : FG_COMMIT_GROUP_SIZE_MAX;
    if (capacity == wal->buffer_capacity)
        return 0;
    uint8_t *buffer = realloc(wal->buffer, capacity);
    if (!buffer)
        return size <= wal->buffer_capacity ? 0 : FG_ENOMEM;
    wal->buffer = buffer;
    wal->buffer_capacity = capacity;
    return 0;
}

static size_t round_up(size_t size)
{
    return (size + FG_WAL_BLOCK_SIZE - 1) & ~(size_t)(FG_WAL_BLOCK_SIZE - 1);
}

/* How many of the records go into one group of at most room bytes, and the group's size. */
static size_t gather(const struct fg_slice *records, size_t count, uint64_t room,
                     uint64_t *ret_size)
{
    uint64_t size = FG_WAL_GROUP_HEADER_SIZE;
    size_t taken = 0;
    while (taken < count && taken < UINT32_MAX && size + records[taken].size <= room &&
           (taken == 0 || size + records[taken].size <= FG_COMMIT_GROUP_SIZE_MAX))
        size += records[taken++].size;
    *ret_size = size;
    return taken;
}

static int write_group(struct fg_wal *wal, const struct fg_slice *records, size_t count,
                       uint64_t size)
{
    size_t padded = round_up((size_t)size);
    int r = reserve_buffer(wal, padded);
    if (r < 0)
        return r;
    struct fg_wal_group group = {.store_id = wal->options.store_id,
                                 .epoch = wal->options.epoch,
                                 .first_sequence = wal->next_sequence,
                                 .synced_sequence = wal->synced_sequence,
                                 .record_count = (uint32_t)count,
                                 .size_bytes = (uint32_t)size};
    size_t offset = FG_WAL_GROUP_HEADER_SIZE;
    for (size_t i = 0; i < count; i++) {
        memcpy(wal->buffer + offset, records[i].data, records[i].size);
        offset += records[i].size;
        group.digest = fg_wal_digest(group.digest, fg_load_le64(records[i].data + 32));
    }
    fg_wal_group_encode(&group, wal->buffer);
    memset(wal->buffer + offset, 0, padded - offset);
    r = fg_file_pwrite(wal->file, wal->offset, wal->buffer, padded);
    if (r < 0) {
        /* A copy-on-write file system can be full also here. Nothing was promised of this group;
         * what reached the disk of it is written over by the next. */
        if (r != FG_ENOSPACE)
            wal->is_failed = true;
        return r == FG_ENOSPACE ? r : FG_EIO;
    }
    wal->is_dirty = true;
    wal->offset += padded;
    wal->next_sequence += count;
    wal->current.sequence_end = wal->next_sequence;
    fg_mutex_lock(&wal->lock);
    wal->counters.groups++;
    wal->counters.bytes_written += padded;
    fg_mutex_unlock(&wal->lock);
    return 0;
}

static int write_some(struct fg_wal *wal, const struct fg_slice *records, size_t count,
                      size_t *ret_count)
{
    if (wal->is_failed)
        return FG_EIO;
    uint64_t size;
    size_t taken = 0;
    if (wal->file)
        taken = gather(records, count, wal->current.size - wal->offset, &size);
    if (taken == 0) {
        int r = end_file(wal);
        if (r == 0)
            r = begin_file(wal);
        if (r < 0)
            return r;
        taken = gather(records, count, wal->current.size, &size);
        if (taken == 0)
            return FG_ELIMIT;
    }
    int r = write_group(wal, records, taken, size);
    if (r == 0)
        *ret_count = taken;
    return r;
}

int fg_wal_write(struct fg_wal *wal, const struct fg_slice *records, size_t count,
                 size_t *ret_count)
{
    size_t done = 0;
    int r = 0;
    fg_mutex_lock(&wal->write_lock);
    while (r == 0 && done < count) {
        size_t taken = 0;
        r = write_some(wal, records + done, count - done, &taken);
        done += taken;
    }
    fg_mutex_unlock(&wal->write_lock);
    *ret_count = done;
    return r;
}

int fg_wal_sync(struct fg_wal *wal)
{
    fg_mutex_lock(&wal->write_lock);
    int r = sync_current(wal);
    fg_mutex_unlock(&wal->write_lock);
    return r;
}

int fg_wal_mark(struct fg_wal *wal)
{
    int r = 0;
    fg_mutex_lock(&wal->write_lock);
    bool is_quiet = wal->quiet_sequence == wal->next_sequence;
    bool is_due = is_quiet && wal->marked_sequence != wal->next_sequence && wal->file &&
                  !wal->is_failed && wal->current.size - wal->offset >= FG_WAL_BLOCK_SIZE;
    wal->quiet_sequence = wal->next_sequence;
    if (is_due) {
        wal->marked_sequence = wal->next_sequence; /* once, also where it fails */
        r = write_group(wal, NULL, 0, FG_WAL_GROUP_HEADER_SIZE);
        if (r == 0)
            r = sync_current(wal);
    }
    fg_mutex_unlock(&wal->write_lock);
    return r == FG_ENOSPACE || r == FG_ENOMEM ? 0 : r;
}

uint64_t fg_wal_next_sequence(struct fg_wal *wal)
{
    fg_mutex_lock(&wal->write_lock);
    uint64_t sequence = wal->next_sequence;
    fg_mutex_unlock(&wal->write_lock);
    return sequence;
}

uint64_t fg_wal_record_size_max(const struct fg_wal *wal)
{
    return wal->options.segment_size - FG_WAL_GROUP_HEADER_SIZE;
}

/* -- Wiping */

static int wipe_file(struct fg_wal *wal, const struct wal_file *file)
{
    char path[FG_WAL_PATH_SIZE_MAX];
    struct fg_file *handle;
    int r = fg_wal_path(wal->folder, file->number, path);
    if (r == 0)
        r = fg_env_open(wal->options.env, path, FG_OPEN_WRITE, &handle);
    if (r < 0)
        return r;
    r = write_zeros(wal, handle, file->size);
    fg_file_close(handle);
    return r;
}

/* Each file is out of the list while it is zeroed, so that commits go on meanwhile. */
static int wipe_files(struct fg_wal *wal)
{
    struct wal_file *files = NULL, file;
    size_t count = 0;
    int r = 0;
    while (r == 0 && take_free(wal, &file) == 0) {
        struct wal_file *more = realloc(files, (count + 1) * sizeof *files);
        if (more) {
            files = more;
            files[count++] = file;
            r = wipe_file(wal, &file);
        } else {
            r = FG_ENOMEM;
        }
    }
    fg_mutex_lock(&wal->lock);
    for (size_t i = 0; i < count; i++) {
        wal->counters.size_bytes -= files[i].size;
        int added = files_add(wal, &files[i]); /* or it lies there until the next start */
        r = r == 0 ? added : r;
    }
    fg_mutex_unlock(&wal->lock);
    free(files);
    return r;
}

struct damaged_files {
    struct fg_wal *wal;
    char path[FG_WAL_PATH_SIZE_MAX + 32]; /* of one that was found */
};

static int on_damaged(void *arg, const struct fg_dir_entry *entry)
{
    struct damaged_files *found = arg;
    const char *end = strstr(entry->name, ".wal.damaged");
    if (!end || strcmp(end, ".wal.damaged") != 0)
        return 0;
    snprintf(found->path, sizeof found->path, "%s/%s", found->wal->wal_folder, entry->name);
    return FG_EEXIST;
}

static int remove_damaged(struct fg_wal *wal)
{
    for (;;) {
        struct damaged_files found = {.wal = wal};
        int r = fg_env_list(wal->options.env, wal->wal_folder, on_damaged, &found);
        if (r == 0)
            return fg_env_sync_dir(wal->options.env, wal->wal_folder);
        if (r == FG_EEXIST)
            r = fg_env_unlink(wal->options.env, found.path);
        if (r < 0)
            return r;
    }
}

static void set_wiping(struct fg_wal *wal, bool is_wiping)
{
    fg_mutex_lock(&wal->lock);
    wal->is_wiping = is_wiping;
    fg_mutex_unlock(&wal->lock);
}

int fg_wal_rotate(struct fg_wal *wal)
{
    set_wiping(wal, true);
    int r = wipe_files(wal);
    if (r < 0)
        return r;
    fg_mutex_lock(&wal->write_lock);
    r = end_file(wal);
    fg_mutex_unlock(&wal->write_lock);
    return r;
}

int fg_wal_wipe(struct fg_wal *wal)
{
    set_wiping(wal, false);
    int r = wipe_files(wal);
    return r == 0 ? remove_damaged(wal) : r;
}

/* With lock: where the records of a used file begin. */
static uint64_t begin_of(const struct fg_wal *wal, const struct wal_file *file)
{
    uint64_t begin = 0;
    for (size_t i = 0; i < wal->file_count; i++)
        if (wal->files[i].sequence_end < file->sequence_end && wal->files[i].sequence_end > begin)
            begin = wal->files[i].sequence_end;
    return begin;
}

size_t fg_wal_files_beside(struct fg_wal *wal, uint64_t sequence_begin, uint64_t sequence_end,
                           uint64_t *ret_numbers)
{
    size_t count = 0;
    fg_mutex_lock(&wal->lock);
    for (size_t i = 0; i < wal->file_count && count < FG_WAL_FILES_MAX; i++) {
        const struct wal_file *file = &wal->files[i];
        if (file->sequence_end <= sequence_begin || begin_of(wal, file) >= sequence_end)
            ret_numbers[count++] = file->number;
    }
    fg_mutex_unlock(&wal->lock);
    return count;
}

uint64_t fg_wal_held_bytes(struct fg_wal *wal, uint64_t checkpoint)
{
    uint64_t bytes = 0;
    fg_mutex_lock(&wal->lock);
    for (size_t i = 0; i < wal->file_count; i++)
        if (wal->files[i].sequence_end && wal->files[i].sequence_end <= checkpoint)
            bytes += wal->files[i].size;
    fg_mutex_unlock(&wal->lock);
    return bytes;
}

void fg_wal_counters(struct fg_wal *wal, struct fg_wal_counters *ret_counters)
{
    fg_mutex_lock(&wal->lock);
    *ret_counters = wal->counters;
    fg_mutex_unlock(&wal->lock);
}

/* -- Opening */

/* Records that were found but not synced before the server died must be on disk before a later
 * group says that they are. */
static int sync_file(struct fg_wal *wal, const struct fg_wal_file_state *state)
{
    char path[FG_WAL_PATH_SIZE_MAX];
    struct fg_file *handle;
    int r = fg_wal_path(wal->folder, state->number, path);
    if (r == 0)
        r = fg_env_open(wal->options.env, path, FG_OPEN_WRITE, &handle);
    if (r < 0)
        return r;
    r = fg_file_sync(handle);
    if (r == 0 && state->number == wal->current.number)
        wal->file = handle;
    else
        fg_file_close(handle);
    return r;
}

static int adopt_file(struct fg_wal *wal, const struct fg_wal_file_state *state)
{
    struct wal_file file = {.number = state->number,
                            .size = state->size,
                            .sequence_end = state->sequence_end,
                            .is_damaged = state->is_damaged};
    if (state->number >= wal->next_number)
        wal->next_number = state->number + 1;
    if (state->is_damaged && !file.sequence_end) /* all its records are lost: it is kept too */
        file.sequence_end = 1;
    if (!file.sequence_end && state->size != wal->options.segment_size) {
        char path[FG_WAL_PATH_SIZE_MAX];
        int r = fg_wal_path(wal->folder, state->number, path);
        return r < 0 ? r : fg_env_unlink(wal->options.env, path);
    }
    int r = file.sequence_end ? sync_file(wal, state) : 0;
    if (r == 0 && state->number == wal->current.number) {
        wal->current = file;
        wal->counters.size_bytes += file.size;
        return 0;
    }
    return r < 0 ? r : files_add(wal, &file);
}

static int init(struct fg_wal *wal, const struct fg_wal_end *end)
{
    size_t size = strlen(wal->options.folder);
    wal->folder = malloc(size + 1);
    wal->wal_folder = malloc(size + 5);
    wal->zeros = calloc(1, ZEROS_SIZE);
    if (!wal->folder || !wal->wal_folder || !wal->zeros)
        return FG_ENOMEM;
    memcpy(wal->folder, wal->options.folder, size + 1);
    memcpy(wal->wal_folder, wal->options.folder, size);
    memcpy(wal->wal_folder + size, "/wal", 5);
    wal->options.folder = wal->folder;
    int r = fg_env_mkdir(wal->options.env, wal->wal_folder);
    if (r == 0)
        r = fg_env_sync_dir(wal->options.env, wal->folder);
    if (r < 0 && r != FG_EEXIST)
        return r;
    r = 0;
    for (uint32_t i = 0; r == 0 && i < end->file_count; i++)
        r = adopt_file(wal, &end->files[i]);
    if (r == 0)
        r = fg_env_sync_dir(wal->options.env, wal->wal_folder);
    if (r == 0 && wal->file && wal->offset >= wal->current.size)
        r = end_file(wal);
    return r;
}

int fg_wal_open(const struct fg_wal_options *options, const struct fg_wal_end *end,
                struct fg_wal **ret_wal)
{
    struct fg_wal *wal = calloc(1, sizeof *wal);
    if (!wal)
        return FG_ENOMEM;
    wal->options = *options;
    wal->options.segment_size = round_up((size_t)options->segment_size);
    wal->next_sequence = wal->synced_sequence = end->next_sequence;
    wal->next_number = 1;
    wal->current.number = end->file_number;
    wal->offset = end->file_offset;
    fg_mutex_init(&wal->write_lock, FG_RANK_WAL);
    fg_mutex_init(&wal->make_lock, FG_RANK_WAL_FILES);
    fg_mutex_init(&wal->lock, FG_RANK_LEAF);
    int r = init(wal, end);
    if (r < 0) {
        fg_wal_close(wal);
        return r;
    }
    *ret_wal = wal;
    return 0;
}

void fg_wal_close(struct fg_wal *wal)
{
    if (!wal)
        return;
    fg_file_close(wal->file);
    fg_mutex_destroy(&wal->write_lock);
    fg_mutex_destroy(&wal->make_lock);
    fg_mutex_destroy(&wal->lock);
    free(wal->folder);
    free(wal->wal_folder);
    free(wal->zeros);
    free(wal->buffer);
    free(wal->files);
    free(wal);
}
