/* The keyed state as a whole: compacted, copied, read through, measured.
 *
 * LMDB writes pages anew and keeps the old ones for reuse, with what they held. fg_state_compact()
 * makes that go away:
 *
 *     state/compacting/data.mdb written by LMDB, free pages left out   a cut: the start removes it
 *     synced                                                           the same
 *     renamed to state/data.mdb, which is replaced; its folder synced  a cut: the old file or the
 * new
 *
 * Meanwhile nobody is within: views have ended and the writer waits. */
#include "state_internal.h"

#include "base/endian.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* A copy of the last commit as FOLDER/data.mdb, on disk when it returns. */
static int copy_to(MDB_env *lmdb, struct fg_env *env, const char *folder, bool compact)
{
    char path[FG_STATE_PATH_SIZE_MAX];
    struct fg_file *file;
    int r = fg_state_error(mdb_env_copy2(lmdb, folder, compact ? MDB_CP_COMPACT : 0));
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    r = fg_env_open(env, path, FG_OPEN_WRITE, &file);
    if (r < 0)
        return r;
    r = fg_file_sync(file);
    fg_file_close(file);
    return r;
}

int fg_state_remove_unfinished(const char *path)
{
    char file[FG_STATE_PATH_SIZE_MAX], folder[FG_STATE_PATH_SIZE_MAX];
    struct fg_env *env = fg_env_real();
    snprintf(folder, sizeof folder, "%s/" FG_STATE_UNFINISHED, path);
    snprintf(file, sizeof file, "%s/" FG_STATE_UNFINISHED "/data.mdb", path);
    int r = fg_env_unlink(env, file);
    if (r == 0 || r == FG_ENOTFOUND)
        r = fg_env_rmdir(env, folder);
    return r == FG_ENOTFOUND ? 0 : r;
}

/* With nobody within. LMDB names its copy itself, so it lies in a folder of its own first. */
static int replace(struct fg_state *state)
{
    char folder[FG_STATE_PATH_SIZE_MAX - 32], from[FG_STATE_PATH_SIZE_MAX],
        to[FG_STATE_PATH_SIZE_MAX];
    struct fg_env *env = fg_env_real();
    snprintf(folder, sizeof folder, "%s/" FG_STATE_UNFINISHED, state->path);
    snprintf(from, sizeof from, "%s/data.mdb", folder);
    snprintf(to, sizeof to, "%s/data.mdb", state->path);
    int r = fg_state_remove_unfinished(state->path);
    if (r == 0)
        r = fg_env_mkdir(env, folder);
    if (r == 0)
        r = copy_to(state->lmdb, env, folder, true);
    if (r == 0)
        r = fg_env_rename(env, from, to);
    (void)!fg_state_remove_unfinished(state->path); /* or the next start does */
    if (r < 0)
        return r;
    r = fg_env_sync_dir(env, state->path);
    /* The old file has no name any more; whatever fails from here on, it must not be written. */
    mdb_env_close(state->lmdb);
    state->lmdb = NULL;
    if (r == 0)
        r = fg_state_environment(state);
    if (r < 0)
        atomic_store(&state->is_failed, true);
    return r;
}

int fg_state_compact(struct fg_state *state)
{
    if (state->options.read_only)
        return FG_EDENIED;
    if (atomic_load(&state->is_failed))
        return FG_EIO;
    fg_state_suspend(state);
    int r = replace(state);
    fg_state_resume(state);
    return r;
}

/* Positions past sequence_max become it. */
static int clamp_positions(MDB_txn *txn, uint64_t sequence_max)
{
    MDB_dbi table;
    MDB_cursor *cursor;
    MDB_val k, stored;
    int rc = mdb_dbi_open(txn, FG_STATE_POSITIONS_NAME, 0, &table);
    if (rc == 0)
        rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return fg_state_error(rc);
    int r = 0;
    while (r == 0 && (rc = mdb_cursor_get(cursor, &k, &stored, MDB_NEXT)) == 0) {
        uint8_t bytes[FG_STATE_CHECKSUM_SIZE + 16];
        struct fg_slice key = fg_slice(k.mv_data, k.mv_size), value;
        if (fg_state_value(key, stored, &value) < 0 || value.size != 16 ||
            fg_load_le64(value.data + 8) <= sequence_max)
            continue; /* a damaged one is none for whoever reads it */
        memcpy(bytes + FG_STATE_CHECKSUM_SIZE, value.data, 8);
        fg_store_le64(bytes + FG_STATE_CHECKSUM_SIZE + 8, sequence_max);
        fg_store_le64(bytes, fg_state_checksum(key, fg_slice(bytes + FG_STATE_CHECKSUM_SIZE, 16)));
        stored = (MDB_val){.mv_size = sizeof bytes, .mv_data = bytes};
        r = fg_state_error(mdb_cursor_put(cursor, &k, &stored, MDB_CURRENT));
    }
    mdb_cursor_close(cursor);
    return r < 0 || rc == MDB_NOTFOUND ? r : fg_state_error(rc);
}

/* Nobody else knows of the copy yet. */
static int adjust_copy(const struct fg_state *state, const char *path, uint64_t sequence_max)
{
    MDB_env *lmdb;
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&lmdb);
    if (rc)
        return fg_state_error(rc);
    rc = mdb_env_set_mapsize(lmdb, fg_state_map_size(state));
    if (rc == 0)
        rc = mdb_env_set_maxdbs(lmdb, FG_STATE_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_open(lmdb, path, MDB_NOLOCK, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(lmdb, NULL, 0, &txn);
    int r = rc ? fg_state_error(rc) : clamp_positions(txn, sequence_max);
    if (r < 0 && txn)
        mdb_txn_abort(txn);
    else if (txn)
        r = fg_state_error(mdb_txn_commit(txn));
    mdb_env_close(lmdb);
    return r;
}

int fg_state_copy(struct fg_state *state, struct fg_env *env, const char *folder,
                  uint64_t sequence_max)
{
    char path[FG_STATE_PATH_SIZE_MAX - 16];
    int size = snprintf(path, sizeof path, "%s/state", folder);
    if (size < 0 || (size_t)size >= sizeof path)
        return FG_ELIMIT;
    int r = fg_env_mkdir(env, path);
    if (r < 0)
        return r;
    r = fg_state_enter(state, false);
    if (r == 0) {
        r = copy_to(state->lmdb, env, path, true);
        fg_state_leave(state);
    }
    if (r == 0)
        r = adjust_copy(state, path, sequence_max);
    if (r == 0)
        r = fg_env_sync_dir(env, path);
    return r == 0 ? fg_env_sync_dir(env, folder) : r;
}

/* -- Verifying */

struct verify {
    void (*damage)(void *arg, const char *table, const char *what);
    void *arg;
    const char *table;
};

static int ignore(void *arg, struct fg_slice key, struct fg_slice value)
{
    (void)arg;
    (void)key;
    (void)value;
    return 0;
}

/* Each value is read, and damaged ones are passed. */
static int verify_table(struct fg_state *state, const char *name, struct verify *verify)
{
    struct fg_state_view *view;
    struct fg_slice after = {0};
    uint8_t key[FG_STATE_KEY_SIZE_MAX];
    uint32_t table;
    int r = fg_state_table(state, name, &table);
    if (r == 0)
        r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    do {
        struct fg_slice at = {0};
        r = fg_state_each(view, table, fg_slice(NULL, 0), after, ignore, NULL, &at);
        if (r == FG_ECORRUPT)
            verify->damage(verify->arg, name, "an entry's value is damaged");
        if (at.size == 0)
            break; /* the table itself, not a value: nothing behind it can be found */
        memcpy(key, at.data, at.size);
        after = fg_slice(key, at.size);
    } while (r == FG_ECORRUPT);
    fg_state_view_release(view);
    return r == FG_ECORRUPT ? 0 : r;
}

/* The names of LMDB's tables are the keys of its main one. */
static int list_tables(MDB_env *lmdb, char names[FG_STATE_TABLES_MAX][FG_STATE_NAME_SIZE_MAX + 1],
                       uint32_t *ret_count)
{
    MDB_txn *txn;
    MDB_dbi main_table;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    uint32_t count = 0;
    int rc = mdb_txn_begin(lmdb, NULL, MDB_RDONLY, &txn);
    if (rc)
        return fg_state_error(rc);
    rc = mdb_dbi_open(txn, NULL, 0, &main_table);
    if (rc == 0)
        rc = mdb_cursor_open(txn, main_table, &cursor);
    while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size > FG_STATE_NAME_SIZE_MAX || count == FG_STATE_TABLES_MAX) {
            rc = MDB_CORRUPTED;
            break;
        }
        memcpy(names[count], key.mv_data, key.mv_size);
        names[count++][key.mv_size] = 0;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    *ret_count = count;
    return rc == MDB_NOTFOUND ? 0 : fg_state_error(rc);
}

int fg_state_verify(const char *folder,
                    void (*damage)(void *arg, const char *table, const char *what), void *arg)
{
    char names[FG_STATE_TABLES_MAX][FG_STATE_NAME_SIZE_MAX + 1];
    struct verify verify = {.damage = damage, .arg = arg};
    struct fg_state_options options = {
        .folder = folder, .size_max = FG_STATE_SIZE_MAX, .read_only = true};
    struct fg_arena arena;
    struct fg_state *state;
    const char *message;
    uint32_t count = 0;
    fg_arena_init(&arena, 4096);
    int r = fg_state_open(&options, &arena, &message, &state);
    fg_arena_free(&arena);
    if (r < 0)
        return r;
    r = list_tables(state->lmdb, names, &count);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = verify_table(state, names[i], &verify);
    fg_state_close(state);
    return r;
}

/* -- Looking */

void fg_state_counters(struct fg_state *state, struct fg_state_counters *ret_counters)
{
    struct fg_state_counters counters = {
        .size_max = state->options.size_max,
        .commits = atomic_load(&state->commits),
        .syncs = atomic_load(&state->syncs),
        .changes = atomic_load(&state->changes),
        .refused = atomic_load(&state->refused),
        .is_failed = atomic_load(&state->is_failed),
    };
    MDB_envinfo info;
    MDB_stat stat;
    MDB_txn *txn;
    if (fg_state_enter(state, false) == 0) {
        if (mdb_env_info(state->lmdb, &info) == 0 && mdb_env_stat(state->lmdb, &stat) == 0)
            counters.file_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
        counters.used_bytes = counters.file_bytes;
        if (mdb_txn_begin(state->lmdb, NULL, MDB_RDONLY, &txn) == 0) {
            (void)!fg_state_used(state->lmdb, txn, &counters.used_bytes); /* or all of the file */
            mdb_txn_abort(txn);
        }
        fg_state_leave(state);
    }
    *ret_counters = counters;
}

int fg_state_table_stats(struct fg_state *state, uint32_t table, uint64_t *ret_entries,
                         uint64_t *ret_bytes)
{
    MDB_txn *txn;
    MDB_stat stat;
    if (table >= state->table_count)
        return FG_EINVALID;
    int r = fg_state_enter(state, false);
    if (r < 0)
        return r;
    int rc = mdb_txn_begin(state->lmdb, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        rc = mdb_stat(txn, state->tables[table], &stat);
        mdb_txn_abort(txn);
    }
    fg_state_leave(state);
    if (rc)
        return fg_state_error(rc);
    *ret_entries = stat.ms_entries;
    *ret_bytes = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
                 (uint64_t)stat.ms_psize;
    return 0;
}
