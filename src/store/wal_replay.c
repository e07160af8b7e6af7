/* Finding out what of the WAL counts.
 *
 * First pass: every file is searched for group headers, at each multiple of 4 KiB. A header counts
 * if it carries this store's id and the epoch that the manifest names for its sequence; what a
 * former use of the file or a cut tail left behind does not. From the headers follows how far the
 * log is known to have been synced: each group says it of those before it.
 *
 * Second pass: groups in the order of their sequences, from the checkpoint on, without a gap.
 *   - A group that is missing or damaged below that mark was acknowledged: it is damage. What can
 *     be read of it is taken, the rest is reported, and replay goes on behind it.
 *   - At or above the mark it is where the power went: it and all that follow are cut. Nobody was
 *     told that they were kept.
 * A group above the mark that is whole is taken though it may not have been acknowledged: whether
 * the answer was sent cannot be known.
 *
 * Of a log in use somebody reads again and again what came since: groups are found there by
 * stepping from one to the next, and no more of them is read than their headers. */
#include "base/checked.h"
#include "base/hash.h"
#include "base/limits.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW_SIZE ((size_t)1 << 20)

struct found {
    struct fg_wal_group group;
    uint32_t file; /* index into the end's files */
    uint64_t offset;
};

struct replayer {
    const struct fg_wal_replay *replay;
    struct fg_wal_end *end;
    struct found *groups;
    size_t group_count, group_capacity;
    uint64_t synced_sequence;
    /* The file that is looked at, and the part of it that is in memory. */
    struct fg_file *file;
    uint32_t file_index;
    size_t ahead; /* bytes that are read at a time */
    uint8_t *window;
    size_t window_capacity, window_size;
    uint64_t window_offset;
};

/* -- The files */

static bool is_passed(const struct fg_wal_replay *replay, uint64_t number)
{
    for (size_t i = 0; i < replay->passed_file_count; i++)
        if (replay->passed_files[i] == number)
            return true;
    return false;
}

static int on_file(void *arg, const struct fg_dir_entry *entry)
{
    const struct replayer *replayer = arg;
    struct fg_wal_end *end = replayer->end;
    uint64_t number = entry->is_dir ? 0 : fg_wal_number_parse(entry->name);
    if (number == 0 || is_passed(replayer->replay, number))
        return 0;
    if (end->file_count == FG_WAL_FILES_MAX || entry->size > FG_WAL_FILE_SIZE_MAX)
        return FG_ELIMIT;
    end->files[end->file_count++] =
        (struct fg_wal_file_state){.number = number, .size = entry->size};
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    const struct fg_wal_file_state *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int list_files(struct replayer *replayer)
{
    const struct fg_wal_replay *replay = replayer->replay;
    struct fg_wal_end *end = replayer->end;
    char path[FG_WAL_PATH_SIZE_MAX];
    int size = snprintf(path, sizeof path, "%s/wal", replay->folder);
    if (size < 0 || (size_t)size >= sizeof path)
        return FG_ELIMIT;
    int r = fg_env_list(replay->env, path, on_file, replayer);
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    qsort(end->files, end->file_count, sizeof *end->files, compare_files);
    return 0;
}

static int open_file(struct replayer *replayer, uint32_t index)
{
    if (replayer->file && replayer->file_index == index)
        return 0;
    fg_file_close(replayer->file);
    replayer->file = NULL;
    replayer->window_size = 0;
    char path[FG_WAL_PATH_SIZE_MAX];
    int r = fg_wal_path(replayer->replay->folder, replayer->end->files[index].number, path);
    if (r == 0)
        r = fg_env_open(replayer->replay->env, path, FG_OPEN_READ, &replayer->file);
    replayer->file_index = index;
    return r;
}

/* Bytes of the open file, valid until the next call. FG_ECORRUPT past its end. */
static int look(struct replayer *replayer, uint64_t offset, size_t size, const uint8_t **ret_bytes)
{
    uint64_t file_size = replayer->end->files[replayer->file_index].size;
    if (offset > file_size || size > file_size - offset)
        return FG_ECORRUPT;
    bool is_there = offset >= replayer->window_offset &&
                    offset - replayer->window_offset <= replayer->window_size &&
                    size <= replayer->window_size - (size_t)(offset - replayer->window_offset);
    if (!is_there) {
        size_t want = size > replayer->ahead ? size : replayer->ahead;
        if (want > replayer->window_capacity) {
            uint8_t *window = realloc(replayer->window, want);
            if (!window)
                return FG_ENOMEM;
            replayer->window = window;
            replayer->window_capacity = want;
        }
        replayer->window_size = 0;
        int r =
            fg_file_pread(replayer->file, offset, replayer->window, want, &replayer->window_size);
        if (r < 0)
            return r;
        replayer->window_offset = offset;
        if (replayer->window_size < size)
            return FG_ECORRUPT;
    }
    *ret_bytes = replayer->window + (offset - replayer->window_offset);
    return 0;
}

/* -- First pass */

/* The epoch that a record with this sequence must carry. */
static uint64_t epoch_of(const struct fg_wal_replay *replay, uint64_t sequence)
{
    uint64_t epoch = 0;
    for (uint32_t i = 0; i < replay->epoch_count; i++)
        if (replay->epochs[i].first_sequence <= sequence)
            epoch = replay->epochs[i].epoch;
    return epoch;
}

static uint64_t hold_of(const struct fg_wal_replay *replay)
{
    return replay->hold && replay->hold < replay->checkpoint ? replay->hold : replay->checkpoint;
}

static bool is_ours(const struct fg_wal_replay *replay, const struct fg_wal_group *group)
{
    return group->store_id == replay->store_id &&
           group->epoch == epoch_of(replay, group->first_sequence);
}

static bool is_live(const struct fg_wal_replay *replay, const struct fg_wal_group *group)
{
    return is_ours(replay, group) && group->first_sequence + group->record_count > hold_of(replay);
}

/* Whether what comes behind the group is not asked for. */
static bool is_last(const struct fg_wal_replay *replay, const struct fg_wal_group *group)
{
    return replay->sequence_end &&
           group->first_sequence + group->record_count >= replay->sequence_end;
}

static int remember(struct replayer *replayer, const struct fg_wal_group *group, uint64_t offset)
{
    if (replayer->group_count == replayer->group_capacity) {
        size_t capacity = replayer->group_capacity ? 2 * replayer->group_capacity : 256;
        struct found *groups = realloc(replayer->groups, capacity * sizeof *groups);
        if (!groups)
            return FG_ENOMEM;
        replayer->groups = groups;
        replayer->group_capacity = capacity;
    }
    replayer->groups[replayer->group_count++] =
        (struct found){.group = *group, .file = replayer->file_index, .offset = offset};
    if (group->synced_sequence > replayer->synced_sequence)
        replayer->synced_sequence = group->synced_sequence;
    return 0;
}

static uint64_t round_up(uint64_t size)
{
    return (size + FG_WAL_BLOCK_SIZE - 1) & ~(FG_WAL_BLOCK_SIZE - 1);
}

static int find_groups(struct replayer *replayer, uint32_t index)
{
    int r = open_file(replayer, index);
    if (r == FG_ENOTFOUND && replayer->replay->is_in_use)
        return 0;
    const struct fg_wal_replay *replay = replayer->replay;
    uint64_t size = replayer->end->files[index].size;
    uint64_t offset = 0;
    replayer->ahead = replay->is_in_use ? FG_WAL_BLOCK_SIZE : WINDOW_SIZE;
    while (r == 0 && size >= FG_WAL_GROUP_HEADER_SIZE &&
           offset <= size - FG_WAL_GROUP_HEADER_SIZE) {
        const uint8_t *bytes;
        struct fg_wal_group group;
        r = look(replayer, offset, FG_WAL_GROUP_HEADER_SIZE, &bytes);
        if (r < 0)
            break;
        int decoded = fg_wal_group_decode(bytes, &group);
        if (decoded == FG_EUNSUPPORTED)
            return decoded;
        uint64_t step = FG_WAL_BLOCK_SIZE;
        bool is_known = decoded == 0 && is_ours(replay, &group);
        if (is_known && is_live(replay, &group)) {
            r = remember(replayer, &group, offset);
            step = round_up(group.size_bytes);
            if (is_last(replay, &group))
                break;
        } else if (is_known && replay->is_in_use) {
            step = round_up(group.size_bytes);
        }
        /* where none follows one may lie anywhere */
        replayer->ahead = is_known && replay->is_in_use ? FG_WAL_BLOCK_SIZE : WINDOW_SIZE;
        offset += step;
    }
    replayer->ahead = WINDOW_SIZE;
    return r == FG_ECORRUPT ? FG_EIO : r; /* shorter than its folder says: it changes under us */
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->group.first_sequence != y->group.first_sequence)
        return x->group.first_sequence < y->group.first_sequence ? -1 : 1;
    return x->file < y->file ? -1 : x->file > y->file;
}

/* -- Second pass */

static void report(struct replayer *replayer, const struct found *found, uint64_t begin,
                   uint64_t end)
{
    char name[32];
    struct fg_wal_file_state *file = &replayer->end->files[found->file];
    snprintf(name, sizeof name, "%08llx.wal", (unsigned long long)file->number);
    struct fg_wal_damage damage = {
        .file = name, .offset = found->offset, .sequence_begin = begin, .sequence_end = end};
    file->is_damaged = true;
    if (replayer->replay->damage)
        replayer->replay->damage(replayer->replay->arg, &damage);
}

/* Whether all of the group is as it was written. */
static bool is_whole(const struct fg_wal_group *group, struct fg_slice records)
{
    size_t offset = 0;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < group->record_count; i++) {
        size_t size;
        uint64_t checksum;
        struct fg_slice rest = fg_slice(records.data + offset, records.size - offset);
        if (fg_wal_record_peek(rest, &size, &checksum) < 0)
            return false;
        uint64_t seed = fg_hash(fg_slice(rest.data, 32));
        struct fg_slice stored =
            fg_slice(rest.data + FG_WAL_RECORD_HEADER_SIZE, size - FG_WAL_RECORD_HEADER_SIZE);
        if (fg_hash_seeded(stored, seed) != checksum)
            return false;
        digest = fg_wal_digest(digest, checksum);
        offset += size;
    }
    return offset == records.size && digest == group->digest;
}

/* Hands the group's records from the checkpoint on over, and reports those that can't be read. */
static int deliver(struct replayer *replayer, const struct found *found, struct fg_slice records)
{
    const struct fg_wal_replay *replay = replayer->replay;
    const struct fg_wal_group *group = &found->group;
    size_t offset = 0;
    for (uint32_t i = 0; i < group->record_count; i++) {
        struct fg_slice rest = fg_slice(records.data + offset, records.size - offset);
        struct fg_wal_record record;
        uint8_t *owned = NULL;
        size_t size;
        uint64_t checksum, sequence = group->first_sequence + i;
        if (fg_wal_record_peek(rest, &size, &checksum) < 0) {
            /* Where the next one starts can't be known. */
            report(replayer, found, sequence, group->first_sequence + group->record_count);
            return 0;
        }
        offset += size;
        if (sequence < replay->checkpoint)
            continue;
        int r = fg_wal_record_decode(fg_slice(rest.data, size), &record, &owned);
        if (r == 0) {
            record.sequence = sequence;
            r = replay->record(replay->arg, &record);
            free(owned);
        } else if (r == FG_ECORRUPT) {
            report(replayer, found, sequence, sequence + 1);
            r = 0;
        }
        if (r != 0)
            return r;
    }
    return 0;
}

/* One group: taken, salvaged, or found to be where the log ends. */
static int take_group(struct replayer *replayer, const struct found *found, bool *ret_is_end)
{
    struct fg_wal_end *end = replayer->end;
    const struct fg_wal_group *group = &found->group;
    uint64_t first = group->first_sequence, after = first + group->record_count;
    bool is_synced = first < replayer->synced_sequence;
    if (after <= end->next_sequence) { /* held, or there twice: a copied file */
        struct fg_wal_file_state *file = &end->files[found->file];
        if (file->sequence_end < after)
            file->sequence_end = after;
        return 0;
    }
    if (first > end->next_sequence && end->next_sequence >= replayer->synced_sequence) {
        *ret_is_end = true;
        return 0;
    }
    const uint8_t *bytes;
    struct fg_slice records = {0};
    int r = open_file(replayer, found->file);
    if (r == 0)
        r = look(replayer, found->offset, group->size_bytes, &bytes);
    if (r < 0 && r != FG_ECORRUPT)
        return r;
    if (r == 0)
        records = fg_slice(bytes + FG_WAL_GROUP_HEADER_SIZE,
                           group->size_bytes - FG_WAL_GROUP_HEADER_SIZE);
    if (!is_synced && !is_whole(group, records)) {
        *ret_is_end = true;
        return 0;
    }
    if (first > end->next_sequence)
        report(replayer, found, end->next_sequence, first);
    r = deliver(replayer, found, records);
    if (r != 0)
        return r;
    end->next_sequence = after;
    end->files[found->file].sequence_end = after;
    end->file_number = end->files[found->file].number;
    end->file_offset = found->offset + round_up(group->size_bytes);
    return 0;
}

static int take_groups(struct replayer *replayer)
{
    struct fg_wal_end *end = replayer->end;
    bool is_end = false;
    int r = 0;
    end->next_sequence = replayer->replay->checkpoint;
    for (size_t i = 0; r == 0 && i < replayer->group_count; i++) {
        if (!is_end)
            r = take_group(replayer, &replayer->groups[i], &is_end);
        if (is_end)
            end->cut_bytes += replayer->groups[i].group.size_bytes;
    }
    /* The group that says so is torn itself: what it speaks of is lost all the same. Where it lay
     * is not written over. */
    if (r == 0 && end->next_sequence < replayer->synced_sequence) {
        report(replayer, &replayer->groups[replayer->group_count - 1], end->next_sequence,
               replayer->synced_sequence);
        end->next_sequence = replayer->synced_sequence;
        end->file_number = 0;
    }
    return r;
}

int fg_wal_replay(const struct fg_wal_replay *replay, struct fg_wal_end *ret_end)
{
    struct fg_wal_end *end = calloc(1, sizeof *end);
    if (!end)
        return FG_ENOMEM;
    struct replayer replayer = {.replay = replay, .end = end};
    int r = list_files(&replayer);
    for (uint32_t i = 0; r == 0 && i < end->file_count; i++)
        r = find_groups(&replayer, i);
    /* of the groups behind these nobody asked, which would say it */
    if (replayer.group_count && replayer.synced_sequence < replay->sequence_end)
        replayer.synced_sequence = replay->sequence_end;
    if (r == 0 && replayer.group_count)
        qsort(replayer.groups, replayer.group_count, sizeof *replayer.groups, compare_found);
    if (r == 0)
        r = take_groups(&replayer);
    fg_file_close(replayer.file);
    free(replayer.window);
    free(replayer.groups);
    if (r == 0)
        *ret_end = *end;
    free(end);
    return r;
}
