/* A batch of changes: written down one behind the other, and done in one transaction.
 *
 *      0  4  enum change
 *      4  4  table
 *      8  4  size of the key
 *     12  4  size of the value
 *     16     key, value */
#include "state_internal.h"

#include "base/endian.h"
#include "base/limits.h"

#include <stdlib.h>

#define HEADER_SIZE ((size_t)16)

enum change {
    CHANGE_PUT,
    CHANGE_DELETE,
    CHANGE_DELETE_PREFIX,
    CHANGE_EXPECT,
    CHANGE_EXPECT_NONE,
};

int fg_state_batch_new(struct fg_state *state, struct fg_state_batch **ret_batch)
{
    struct fg_state_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return FG_ENOMEM;
    batch->state = state;
    fg_buffer_init(&batch->changes, FG_STATE_BATCH_SIZE_MAX);
    *ret_batch = batch;
    return 0;
}

void fg_state_batch_free(struct fg_state_batch *batch)
{
    if (!batch)
        return;
    fg_buffer_free(&batch->changes);
    free(batch);
}

void fg_state_batch_fail(struct fg_state_batch *batch, int error)
{
    batch->error = batch->error ? batch->error : error;
}

static void add(struct fg_state_batch *batch, enum change change, uint32_t table,
                struct fg_slice key, struct fg_slice value)
{
    bool is_key =
        key.size <= FG_STATE_KEY_SIZE_MAX && (key.size > 0 || change == CHANGE_DELETE_PREFIX);
    if (batch->error)
        return;
    if (!is_key || table >= FG_STATE_TABLES_MAX || value.size > FG_STATE_BATCH_SIZE_MAX) {
        batch->error = value.size > FG_STATE_BATCH_SIZE_MAX ? FG_ELIMIT : FG_EINVALID;
        return;
    }
    fg_buffer_append_le32(&batch->changes, (uint32_t)change);
    fg_buffer_append_le32(&batch->changes, table);
    fg_buffer_append_le32(&batch->changes, (uint32_t)key.size);
    fg_buffer_append_le32(&batch->changes, (uint32_t)value.size);
    fg_buffer_append_slice(&batch->changes, key);
    fg_buffer_append_slice(&batch->changes, value);
    batch->error = batch->changes.error;
    batch->change_count++;
    batch->has_puts |= change == CHANGE_PUT;
}

void fg_state_put(struct fg_state_batch *batch, uint32_t table, struct fg_slice key,
                  struct fg_slice value)
{
    add(batch, CHANGE_PUT, table, key, value);
}

void fg_state_delete(struct fg_state_batch *batch, uint32_t table, struct fg_slice key)
{
    add(batch, CHANGE_DELETE, table, key, fg_slice(NULL, 0));
}

void fg_state_delete_prefix(struct fg_state_batch *batch, uint32_t table, struct fg_slice prefix)
{
    add(batch, CHANGE_DELETE_PREFIX, table, prefix, fg_slice(NULL, 0));
}

void fg_state_expect(struct fg_state_batch *batch, uint32_t table, struct fg_slice key,
                     const struct fg_slice *value)
{
    add(batch, value ? CHANGE_EXPECT : CHANGE_EXPECT_NONE, table, key,
        value ? *value : fg_slice(NULL, 0));
}

void fg_state_put_position(struct fg_state_batch *batch, const char *name, uint64_t store_id,
                           uint64_t sequence)
{
    uint8_t value[16];
    fg_store_le64(value, store_id);
    fg_store_le64(value + 8, sequence);
    bool had_puts = batch->has_puts;
    fg_state_put(batch, FG_STATE_POSITIONS, fg_slice_from_string(name),
                 fg_slice(value, sizeof value));
    /* It replaces its like: a state that is full takes it with deletions. */
    batch->has_puts = had_puts;
}

void fg_state_delete_position(struct fg_state_batch *batch, const char *name)
{
    fg_state_delete(batch, FG_STATE_POSITIONS, fg_slice_from_string(name));
}

/* -- Doing them */

static int put(MDB_txn *txn, MDB_dbi table, struct fg_slice key, struct fg_slice value)
{
    MDB_val k = {.mv_size = key.size, .mv_data = (void *)(uintptr_t)key.data};
    MDB_val stored = {.mv_size = value.size + FG_STATE_CHECKSUM_SIZE};
    int rc = mdb_put(txn, table, &k, &stored, MDB_RESERVE);
    if (rc)
        return fg_state_error(rc);
    uint8_t *bytes = stored.mv_data;
    fg_store_le64(bytes, fg_state_checksum(key, value));
    if (value.size)
        memcpy(bytes + FG_STATE_CHECKSUM_SIZE, value.data, value.size);
    return 0;
}

static int delete (MDB_txn *txn, MDB_dbi table, struct fg_slice key)
{
    MDB_val k = {.mv_size = key.size, .mv_data = (void *)(uintptr_t)key.data};
    int rc = mdb_del(txn, table, &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : fg_state_error(rc);
}

static int delete_prefix(MDB_txn *txn, MDB_dbi table, struct fg_slice prefix)
{
    MDB_cursor *cursor;
    MDB_val k, stored;
    if (prefix.size == 0)
        return fg_state_error(mdb_drop(txn, table, 0));
    int rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return fg_state_error(rc);
    while (rc == 0) {
        k = (MDB_val){.mv_size = prefix.size, .mv_data = (void *)(uintptr_t)prefix.data};
        rc = mdb_cursor_get(cursor, &k, &stored, MDB_SET_RANGE);
        if (rc == 0 && !fg_slice_starts_with(fg_slice(k.mv_data, k.mv_size), prefix))
            break;
        if (rc == 0)
            rc = mdb_cursor_del(cursor, 0);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : fg_state_error(rc);
}

static int expect(MDB_txn *txn, MDB_dbi table, struct fg_slice key, const struct fg_slice *value)
{
    MDB_val k = {.mv_size = key.size, .mv_data = (void *)(uintptr_t)key.data}, stored;
    struct fg_slice is;
    int rc = mdb_get(txn, table, &k, &stored);
    if (rc == MDB_NOTFOUND)
        return value ? FG_EBUSY : 0;
    int r = fg_state_error(rc);
    if (r == 0 && !value)
        return FG_EEXIST;
    if (r == 0)
        r = fg_state_value(key, stored, &is);
    if (r < 0)
        return r;
    return fg_slice_equal(is, *value) ? 0 : FG_EBUSY;
}

int fg_state_apply(const struct fg_state_batch *batch, MDB_txn *txn)
{
    const uint8_t *p = batch->changes.data, *end = p + batch->changes.size;
    int r = 0;
    while (r == 0 && p < end) {
        uint32_t number = fg_load_le32(p + 4);
        struct fg_slice key = fg_slice(p + HEADER_SIZE, fg_load_le32(p + 8));
        struct fg_slice value = fg_slice(key.data + key.size, fg_load_le32(p + 12));
        if (number >= batch->state->table_count)
            return FG_EINVALID;
        MDB_dbi table = batch->state->tables[number];
        switch ((enum change)fg_load_le32(p)) {
        case CHANGE_PUT:
            r = put(txn, table, key, value);
            break;
        case CHANGE_DELETE:
            r = delete (txn, table, key);
            break;
        case CHANGE_DELETE_PREFIX:
            r = delete_prefix(txn, table, key);
            break;
        case CHANGE_EXPECT:
            r = expect(txn, table, key, &value);
            break;
        case CHANGE_EXPECT_NONE:
            r = expect(txn, table, key, NULL);
            break;
        }
        fg_state_leave_pages(batch->state);
        p = value.data + value.size;
    }
    return r;
}
