/* A WAL of any bytes, cut into two files: what is replayed comes in sequence and once, whatever
 * lies there. Checksums of group headers are put right, so that what lies behind them is reached;
 * a second pass does so with the records' too. */
#include "base/endian.h"
#include "sim_env.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STORE_ID UINT64_C(0x5709e1d)

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct seen {
    uint64_t next_sequence;
};

static int on_record(void *arg, const struct fg_wal_record *record)
{
    struct seen *seen = arg;
    must(record->sequence >= seen->next_sequence);
    seen->next_sequence = record->sequence + 1;
    volatile uint8_t last =
        record->payload.size ? record->payload.data[record->payload.size - 1] : 0;
    (void)last;
    return 0;
}

static void on_damage(void *arg, const struct fg_wal_damage *damage)
{
    struct seen *seen = arg;
    must(damage->sequence_begin < damage->sequence_end);
    must(damage->sequence_begin >= seen->next_sequence || seen->next_sequence == 0);
}

/* Makes the headers of groups and records valid where they are such by their magic and sizes. */
static void mend(uint8_t *bytes, size_t size, bool records)
{
    for (size_t at = 0; at + FG_WAL_GROUP_HEADER_SIZE <= size; at += FG_WAL_BLOCK_SIZE) {
        uint8_t *group = bytes + at;
        if (memcmp(group, "FGWG", 4) != 0)
            continue;
        fg_store_le64(group + 8, STORE_ID);
        size_t offset = at + FG_WAL_GROUP_HEADER_SIZE;
        uint64_t digest = 0;
        uint32_t count = fg_load_le32(group + 40);
        for (uint32_t i = 0; records && i < count; i++) {
            if (size - offset < FG_WAL_RECORD_HEADER_SIZE)
                break;
            uint8_t *record = bytes + offset;
            size_t stored = fg_load_le32(record);
            if (stored > size - offset - FG_WAL_RECORD_HEADER_SIZE)
                break;
            uint64_t seed = fg_hash(fg_slice(record, 32));
            struct fg_slice payload = fg_slice(record + FG_WAL_RECORD_HEADER_SIZE, stored);
            fg_store_le64(record + 32, fg_hash_seeded(payload, seed));
            digest = fg_wal_digest(digest, fg_load_le64(record + 32));
            offset += FG_WAL_RECORD_HEADER_SIZE + stored;
        }
        if (records) {
            fg_store_le32(group + 44, (uint32_t)(offset - at));
            fg_store_le64(group + 48, digest);
        }
        fg_store_le64(group + 56, fg_hash(fg_slice(group, 56)));
    }
}

static void write_file(struct fg_env *env, uint64_t number, const uint8_t *bytes, size_t size)
{
    char path[FG_WAL_PATH_SIZE_MAX];
    struct fg_file *file;
    must(fg_wal_path("store", number, path) == 0);
    must(fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE, &file) == 0);
    must(size == 0 || fg_file_pwrite(file, 0, bytes, size) == 0);
    fg_file_close(file);
}

static void replay(const uint8_t *bytes, size_t size)
{
    struct fg_sim *sim;
    must(fg_sim_new(1, &sim) == 0);
    struct fg_env *env = fg_sim_env(sim);
    must(fg_env_mkdir(env, "store") == 0 && fg_env_mkdir(env, "store/wal") == 0);
    size_t half = size / 2 / FG_WAL_BLOCK_SIZE * FG_WAL_BLOCK_SIZE;
    write_file(env, 1, bytes, half);
    write_file(env, 2, bytes + half, size - half);
    const struct fg_wal_epoch epochs[] = {{1, 1}, {2, 4}};
    struct seen seen = {0};
    struct fg_wal_replay replay = {.env = env,
                                   .folder = "store",
                                   .store_id = STORE_ID,
                                   .checkpoint = 1,
                                   .epochs = epochs,
                                   .epoch_count = 2,
                                   .record = on_record,
                                   .damage = on_damage,
                                   .arg = &seen};
    struct fg_wal_end *end = calloc(1, sizeof *end);
    must(end != NULL);
    int r = fg_wal_replay(&replay, end);
    must(r == 0 || r == FG_EUNSUPPORTED || r == FG_ENOMEM);
    must(r < 0 || end->next_sequence >= seen.next_sequence);
    free(end);
    must(fg_sim_open_files(sim) == 0);
    fg_sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 20)
        return 0;
    uint8_t *copy = malloc(size + 1);
    must(copy != NULL);
    for (int pass = 0; pass < 3; pass++) {
        if (size)
            memcpy(copy, data, size);
        if (pass > 0)
            mend(copy, size, pass == 2);
        replay(copy, size);
    }
    free(copy);
    return 0;
}
