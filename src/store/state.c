/* Opening the keyed state, its tables, and reading it. Files:
 *
 *   FOLDER/state/data.mdb      LMDB's, changed in place: copy on write by pages, two roots in turn
 *   FOLDER/state/lock.mdb      which reader looks at which commit; of no use after the end
 *   FOLDER/state/compacting/   a compacted copy that was not finished; removed at the start
 *
 * LMDB writes a commit's pages, syncs them, and then writes one of two roots, synced as well. A
 * power cut finds the commit or the one before it, and there is nothing to replay. */
#include "state_internal.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define VIEWS_MAX 256u
/* What of the file is mapped, and was read once, counts as this process's memory until somebody
 * takes it away: past so many bytes and those that are allowed beside, looked at once in so many
 * entries of each of that. A page that is read brings its neighbours along, 64 KiB in all. */
#define LEAVE_BYTES   ((uint64_t)8 << 20)
#define LEAVE_ENTRIES 64u

struct fg_state_view {
    struct fg_state *state;
    MDB_txn *txn;
};

int fg_state_error(int lmdb_result)
{
    switch (lmdb_result) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
    case MDB_BAD_DBI:
        return FG_ENOTFOUND;
    case MDB_KEYEXIST:
        return FG_EEXIST;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
        return FG_ELIMIT;
    case MDB_READERS_FULL:
        return FG_EAGAIN;
    case MDB_BAD_VALSIZE:
        return FG_EINVALID;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return FG_ECORRUPT;
    case MDB_VERSION_MISMATCH:
        return FG_EUNSUPPORTED;
    default:
        return lmdb_result > 0 ? fg_error_from_errno(lmdb_result) : FG_EIO;
    }
}

uint64_t fg_state_checksum(struct fg_slice key, struct fg_slice value)
{
    return fg_hash_seeded(value, fg_hash(key));
}

int fg_state_value(struct fg_slice key, MDB_val stored, struct fg_slice *ret_value)
{
    const uint8_t *bytes = stored.mv_data;
    if (stored.mv_size < FG_STATE_CHECKSUM_SIZE)
        return FG_ECORRUPT;
    struct fg_slice value =
        fg_slice(bytes + FG_STATE_CHECKSUM_SIZE, stored.mv_size - FG_STATE_CHECKSUM_SIZE);
    if (fg_state_checksum(key, value) != fg_load_le64(bytes))
        return FG_ECORRUPT;
    *ret_value = value;
    return 0;
}

/* -- Who is within */

int fg_state_enter(struct fg_state *state, bool is_writer)
{
    fg_mutex_lock(&state->lock);
    while (state->is_replacing && !(is_writer && state->user_count))
        fg_cond_wait(&state->changed, &state->lock);
    int r = state->lmdb ? 0 : FG_EIO;
    state->user_count += r == 0;
    fg_mutex_unlock(&state->lock);
    return r;
}

void fg_state_leave(struct fg_state *state)
{
    fg_mutex_lock(&state->lock);
    state->user_count--;
    fg_cond_broadcast(&state->changed);
    fg_mutex_unlock(&state->lock);
}

void fg_state_suspend(struct fg_state *state)
{
    fg_mutex_lock(&state->lock);
    while (state->is_replacing)
        fg_cond_wait(&state->changed, &state->lock);
    state->is_replacing = true;
    while (state->user_count)
        fg_cond_wait(&state->changed, &state->lock);
    fg_mutex_unlock(&state->lock);
}

void fg_state_resume(struct fg_state *state)
{
    fg_mutex_lock(&state->lock);
    state->is_replacing = false;
    fg_cond_broadcast(&state->changed);
    fg_mutex_unlock(&state->lock);
}

/* -- Tables */

static int open_table(MDB_env *lmdb, const char *name, bool read_only, MDB_dbi *ret_table)
{
    MDB_txn *txn;
    MDB_dbi table = 0;
    int rc = mdb_txn_begin(lmdb, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (rc)
        return fg_state_error(rc);
    rc = mdb_dbi_open(txn, name, read_only ? 0 : MDB_CREATE, &table);
    if (rc) {
        mdb_txn_abort(txn);
        return fg_state_error(rc);
    }
    rc = mdb_txn_commit(txn); /* also of one that only reads: it is what keeps the handle */
    if (rc == 0)
        *ret_table = table;
    return fg_state_error(rc);
}

static int find_table(const struct fg_state *state, const char *name, uint32_t *ret_table)
{
    for (uint32_t i = 0; i < state->table_count; i++) {
        if (strcmp(state->names[i], name) != 0)
            continue;
        *ret_table = i;
        return 0;
    }
    return FG_ENOTFOUND;
}

int fg_state_table(struct fg_state *state, const char *name, uint32_t *ret_table)
{
    size_t size = strlen(name);
    if (size == 0 || size > FG_STATE_NAME_SIZE_MAX)
        return FG_EINVALID;
    if (atomic_load(&state->is_failed))
        return FG_EIO;
    /* Alone: LMDB lets nobody else in while a table is opened. */
    fg_state_suspend(state);
    int r = find_table(state, name, ret_table);
    if (r == FG_ENOTFOUND && state->table_count == FG_STATE_TABLES_MAX) {
        r = FG_ELIMIT;
    } else if (r == FG_ENOTFOUND) {
        uint32_t table = state->table_count;
        r = open_table(state->lmdb, name, state->options.read_only, &state->tables[table]);
        if (r == 0) {
            memcpy(state->names[table], name, size + 1);
            state->table_count++;
            *ret_table = table;
        }
    }
    fg_state_resume(state);
    return r;
}

int fg_state_tenant_table(struct fg_state *state, const char *name, uint32_t tenant,
                          uint32_t *ret_table)
{
    char own[FG_STATE_NAME_SIZE_MAX + 16];
    snprintf(own, sizeof own, tenant ? "%s.%u" : "%s", name, tenant);
    return fg_state_table(state, own, ret_table);
}

/* -- Opening */

/* Room beyond size_max, so that deletions always pass: LMDB writes what it changes anew. */
size_t fg_state_map_size(const struct fg_state *state)
{
    uint64_t size = state->options.size_max + state->options.size_max / 4 + ((uint64_t)4 << 20);
    return (size_t)(size & ~(uint64_t)0xffff);
}

/* Where it is not found its pages count as this process's memory. */
static void find_mapping(struct fg_state *state)
{
    mdb_filehandle_t fd;
    if (mdb_env_get_fd(state->lmdb, &fd) != 0 ||
        fg_process_find_mapping(fd, "/data.mdb", &state->mapping) < 0)
        state->mapping = (struct fg_mapping){NULL, 0};
}

int fg_state_environment(struct fg_state *state)
{
    MDB_env *lmdb;
    const struct fg_state_options *options = &state->options;
    int rc = mdb_env_create(&lmdb);
    if (rc)
        return fg_state_error(rc);
    /* The folder's lock keeps other processes out. A reader alone needs no table of readers. */
    unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
    rc = mdb_env_set_mapsize(lmdb, fg_state_map_size(state));
    if (rc == 0)
        rc = mdb_env_set_maxdbs(lmdb, FG_STATE_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(lmdb, VIEWS_MAX);
    if (rc == 0)
        rc = mdb_env_open(lmdb, state->path, flags, 0600);
    int r = fg_state_error(rc);
    for (uint32_t i = 0; r == 0 && i < state->table_count; i++)
        r = open_table(lmdb, state->names[i], options->read_only, &state->tables[i]);
    if (r < 0) {
        mdb_env_close(lmdb);
        return r;
    }
    state->lmdb = lmdb;
    find_mapping(state);
    return 0;
}

static int explain(int error, struct fg_arena *arena, const char **ret_message, const char *path)
{
    const char *what;
    char text[1024];
    switch (error) {
    case FG_ECORRUPT:
        what = "the keyed state is damaged; put it back from a backup, or move it away: what was "
               "made of stored spans is made anew, what was not (users, flows) is lost";
        break;
    case FG_EUNSUPPORTED:
        what = "the keyed state was written by another version of LMDB; start the filigree that "
               "wrote it";
        break;
    case FG_EDENIED:
        what = "this user may not write there; give the folder to the user that runs filigree";
        break;
    case FG_ENOSPACE:
        what = "the disk is full; free some space";
        break;
    case FG_ENOMEM:
        what = "not enough memory, or less address space than state-size (see `ulimit -v`)";
        break;
    case FG_ENOTFOUND:
        what = "there is no keyed state";
        break;
    default:
        what = "can't open the keyed state; check the disk";
    }
    snprintf(text, sizeof text, "%s: %s", path, what);
    *ret_message = fg_arena_string(arena, fg_slice_from_string(text));
    if (!*ret_message)
        *ret_message = what;
    return error;
}

static int make_folder(struct fg_state *state)
{
    struct fg_env *env = fg_env_real();
    int r = fg_env_mkdir(env, state->path);
    if (r == 0 || r == FG_EEXIST)
        r = fg_state_remove_unfinished(state->path);
    return r < 0 ? r : fg_env_sync_dir(env, state->options.folder);
}

static int open_state(struct fg_state *state)
{
    struct fg_env *env = fg_env_real();
    uint32_t positions;
    int r = state->options.read_only ? 0 : make_folder(state);
    if (r == 0)
        r = fg_state_check(state->path);
    if (r == FG_ENOTFOUND && !state->options.read_only)
        r = 0;
    if (r == 0)
        r = fg_state_environment(state);
    if (r == 0 && !state->options.read_only)
        r = fg_env_sync_dir(env, state->path); /* LMDB syncs its file, not the file's name */
    if (r == 0)
        r = fg_state_table(state, FG_STATE_POSITIONS_NAME, &positions);
    if (r == FG_ENOTFOUND && state->lmdb)
        r = 0; /* read only, and nothing was ever written */
    if (r == 0 && !state->options.read_only) {
        r = fg_thread_start(&state->writer, "fg-state", fg_state_writer_run, state);
        state->has_writer = r == 0;
    }
    return r;
}

int fg_state_open(const struct fg_state_options *options, struct fg_arena *arena,
                  const char **ret_message, struct fg_state **ret_state)
{
    struct fg_state *state = calloc(1, sizeof *state);
    size_t size = strlen(options->folder) + sizeof "/state";
    char *path = malloc(2 * size);
    if (!state || !path || size > FG_STATE_PATH_SIZE_MAX - 32) {
        free(state);
        free(path);
        return explain(size > FG_STATE_PATH_SIZE_MAX - 32 ? FG_ELIMIT : FG_ENOMEM, arena,
                       ret_message, options->folder);
    }
    snprintf(path, size, "%s/state", options->folder);
    memcpy(path + size, options->folder, size - sizeof "/state" + 1);
    state->options = *options;
    state->options.folder = path + size;
    state->path = path;
    fg_mutex_init(&state->lock, FG_RANK_LEAF);
    fg_mutex_init(&state->queue_lock, FG_RANK_LEAF);
    fg_cond_init(&state->changed);
    fg_cond_init(&state->queue_changed);
    int r = open_state(state);
    if (r < 0) {
        explain(r, arena, ret_message, path);
        fg_state_close(state);
        return r;
    }
    *ret_state = state;
    return 0;
}

void fg_state_close(struct fg_state *state)
{
    if (!state)
        return;
    if (state->has_writer) {
        fg_mutex_lock(&state->queue_lock);
        state->is_closing = true;
        fg_cond_broadcast(&state->queue_changed);
        fg_mutex_unlock(&state->queue_lock);
        fg_thread_join(&state->writer);
    }
    if (state->lmdb)
        mdb_env_close(state->lmdb);
    fg_mutex_destroy(&state->lock);
    fg_mutex_destroy(&state->queue_lock);
    fg_cond_destroy(&state->changed);
    fg_cond_destroy(&state->queue_changed);
    free(state->path);
    free(state);
}

/* -- Views */

int fg_state_view_take(struct fg_state *state, struct fg_state_view **ret_view)
{
    struct fg_state_view *view = calloc(1, sizeof *view);
    if (!view)
        return FG_ENOMEM;
    view->state = state;
    int r = fg_state_enter(state, false);
    if (r < 0) {
        free(view);
        return r;
    }
    int rc = mdb_txn_begin(state->lmdb, NULL, MDB_RDONLY, &view->txn);
    if (rc) {
        fg_state_leave(state);
        free(view);
        return fg_state_error(rc);
    }
    *ret_view = view;
    return 0;
}

/* Where it can't be done, only the figure is higher. What is read or written meanwhile comes back
 * from the page cache. */
void fg_state_leave_pages(struct fg_state *state)
{
    unsigned count = atomic_fetch_add_explicit(&state->touched, 1, memory_order_relaxed);
    uint64_t allowed =
        LEAVE_BYTES + atomic_load_explicit(&state->allowed_bytes, memory_order_relaxed);
    unsigned entries = LEAVE_ENTRIES * (unsigned)(allowed / LEAVE_BYTES);
    if (count % entries != entries - 1)
        return;
    uint64_t bytes = fg_process_file_bytes(), before = atomic_load(&state->left_bytes);
    if (bytes >= before && bytes - before < allowed)
        return;
    if (bytes >= before && state->mapping.size > 0 && fg_process_leave_pages(state->mapping) == 0)
        bytes = fg_process_file_bytes();
    atomic_store(&state->left_bytes, bytes);
}

void fg_state_allow_pages(struct fg_state *state, uint64_t more, uint64_t less)
{
    atomic_fetch_add(&state->allowed_bytes, more - less);
}

void fg_state_view_release(struct fg_state_view *view)
{
    if (!view)
        return;
    mdb_txn_abort(view->txn);
    fg_state_leave(view->state);
    free(view);
}

static MDB_val val(struct fg_slice bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

int fg_state_get(struct fg_state_view *view, uint32_t table, struct fg_slice key,
                 struct fg_slice *ret_value)
{
    MDB_val k = val(key), stored;
    if (key.size == 0 || key.size > FG_STATE_KEY_SIZE_MAX)
        return FG_EINVALID;
    int rc = mdb_get(view->txn, view->state->tables[table], &k, &stored);
    fg_state_leave_pages(view->state);
    return rc ? fg_state_error(rc) : fg_state_value(key, stored, ret_value);
}

/* The first entry that counts: at prefix, or behind after. */
static int seek(MDB_cursor *cursor, struct fg_slice prefix, struct fg_slice after, MDB_val *key,
                MDB_val *stored)
{
    struct fg_slice from = fg_slice_compare(after, prefix) > 0 ? after : prefix;
    if (from.size == 0)
        return mdb_cursor_get(cursor, key, stored, MDB_FIRST);
    *key = val(from);
    int rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);
    if (rc == 0 && after.size && fg_slice_equal(fg_slice(key->mv_data, key->mv_size), after))
        rc = mdb_cursor_get(cursor, key, stored, MDB_NEXT);
    return rc;
}

int fg_state_each(struct fg_state_view *view, uint32_t table, struct fg_slice prefix,
                  struct fg_slice after,
                  int (*fn)(void *arg, struct fg_slice key, struct fg_slice value), void *arg,
                  struct fg_slice *ret_key)
{
    MDB_cursor *cursor;
    MDB_val k, stored;
    if (prefix.size > FG_STATE_KEY_SIZE_MAX || after.size > FG_STATE_KEY_SIZE_MAX)
        return FG_EINVALID;
    int rc = mdb_cursor_open(view->txn, view->state->tables[table], &cursor);
    if (rc)
        return fg_state_error(rc);
    int r = 0;
    for (rc = seek(cursor, prefix, after, &k, &stored); rc == 0 && r == 0;
         rc = r ? 0 : mdb_cursor_get(cursor, &k, &stored, MDB_NEXT)) {
        struct fg_slice key = fg_slice(k.mv_data, k.mv_size), value;
        if (!fg_slice_starts_with(key, prefix))
            break;
        r = fg_state_value(key, stored, &value);
        if (r == 0)
            r = fn(arg, key, value);
        if (r != 0 && ret_key)
            *ret_key = key;
        fg_state_leave_pages(view->state);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? r : fg_state_error(rc);
}

int fg_state_position(struct fg_state *state, const char *name, uint64_t *ret_store_id,
                      uint64_t *ret_sequence)
{
    struct fg_state_view *view;
    struct fg_slice value;
    if (state->table_count == 0)
        return FG_ENOTFOUND;
    int r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    r = fg_state_get(view, FG_STATE_POSITIONS, fg_slice_from_string(name), &value);
    if (r == 0 && value.size != 16)
        r = FG_ECORRUPT;
    if (r == 0) {
        *ret_store_id = fg_load_le64(value.data);
        *ret_sequence = fg_load_le64(value.data + 8);
    }
    fg_state_view_release(view);
    return r;
}
