/* The WAL: what is synced reads back, once and in order; what is not is cut; what a later group
 * calls synced and can't be read is said aloud. */
#include "base/limits.h"
#include "os/thread.h"
#include "sim_env.h"
#include "wal_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STORE_ID     UINT64_C(0x5709e1d)
#define SEGMENT_SIZE ((uint64_t)64 << 10)
#define RECORDS_MAX  4096

static struct fg_sim *sim;
static struct fg_env *env;
static struct fg_wal_codec *codec;
static struct fg_wal_end end;

/* What a replay found. */
static struct {
    struct seen {
        uint64_t sequence;
        uint32_t tenant;
        uint64_t size, first;
    } records[RECORDS_MAX];
    size_t count;
    struct fg_wal_damage damages[64];
    char damaged_file[32];
    size_t damage_count;
} found;

static void start(uint64_t seed)
{
    fg_sim_free(sim);
    assert_int_equal(fg_sim_new(seed, &sim), 0);
    env = fg_sim_env(sim);
    assert_int_equal(fg_env_mkdir(env, "store"), 0);
    assert_int_equal(fg_env_sync_dir(env, "."), 0);
}

static int on_record(void *arg, const struct fg_wal_record *record)
{
    (void)arg;
    assert_true(found.count < RECORDS_MAX);
    uint64_t first = 0;
    memcpy(&first, record->payload.data, record->payload.size < 8 ? record->payload.size : 8);
    for (size_t i = 8; i + 8 <= record->payload.size; i += 8)
        assert_memory_equal(record->payload.data + i, &first, 4);
    found.records[found.count++] =
        (struct seen){record->sequence, record->tenant, record->payload.size, first};
    return 0;
}

static void on_damage(void *arg, const struct fg_wal_damage *damage)
{
    (void)arg;
    assert_true(found.damage_count < 64);
    snprintf(found.damaged_file, sizeof found.damaged_file, "%s", damage->file);
    found.damages[found.damage_count++] = *damage;
}

static int replay_epochs(uint64_t checkpoint, const struct fg_wal_epoch *epochs, uint32_t count)
{
    struct fg_wal_replay replay = {.env = env,
                                   .folder = "store",
                                   .store_id = STORE_ID,
                                   .checkpoint = checkpoint,
                                   .epochs = epochs,
                                   .epoch_count = count,
                                   .record = on_record,
                                   .damage = on_damage};
    found.count = found.damage_count = 0;
    return fg_wal_replay(&replay, &end);
}

static int replay(uint64_t checkpoint)
{
    struct fg_wal_epoch epoch = {.epoch = 1, .first_sequence = 1};
    return replay_epochs(checkpoint, &epoch, 1);
}

static struct fg_wal *open_wal(uint64_t epoch)
{
    struct fg_wal_options options = {.env = env,
                                     .folder = "store",
                                     .store_id = STORE_ID,
                                     .epoch = epoch,
                                     .segment_size = SEGMENT_SIZE};
    struct fg_wal *wal;
    assert_int_equal(fg_wal_open(&options, &end, &wal), 0);
    return wal;
}

static struct fg_wal *open_new(void)
{
    assert_int_equal(replay(1), 0);
    assert_int_equal(found.count, 0);
    return open_wal(1);
}

/* A record whose payload is words that start with its number. */
static struct fg_slice make_record(uint64_t number, size_t size)
{
    static uint8_t payload[256 << 10];
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word = number | (number * 2654435761u * (i + 1)) << 32;
        memcpy(payload + i, i ? &word : &number, 8);
    }
    struct fg_wal_record record = {.tenant = (uint32_t)number % 3,
                                   .request_hash = number,
                                   .received_ns = 77,
                                   .payload = fg_slice(payload, size)};
    uint8_t *bytes;
    uint64_t bytes_size;
    assert_int_equal(fg_wal_record_encode(codec, &record, &bytes, &bytes_size), 0);
    return fg_slice(bytes, bytes_size);
}

/* Writes count records from number on as one commit, without the sync. */
static int write_records(struct fg_wal *wal, uint64_t number, size_t count, size_t size,
                         size_t *ret_count)
{
    struct fg_slice records[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++)
        records[i] = make_record(number + i, size);
    int r = fg_wal_write(wal, records, count, ret_count);
    for (size_t i = 0; i < count; i++)
        free((uint8_t *)(uintptr_t)records[i].data);
    return r;
}

static void commit(struct fg_wal *wal, uint64_t number, size_t count, size_t size)
{
    size_t written;
    assert_int_equal(write_records(wal, number, count, size, &written), 0);
    assert_int_equal(written, count);
    assert_int_equal(fg_wal_sync(wal), 0);
}

static void assert_found(uint64_t sequence_begin, uint64_t number, size_t count)
{
    assert_int_equal(found.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(found.records[i].sequence, sequence_begin + i);
        assert_int_equal(found.records[i].first, number + i);
        assert_int_equal(found.records[i].tenant, (number + i) % 3);
    }
}

static void test_records_read_back(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    commit(wal, 1, 1, 8);
    commit(wal, 2, 5, 3000);
    commit(wal, 7, 3, 20000); /* these are compressed */
    assert_int_equal(fg_wal_next_sequence(wal), 10);
    fg_wal_close(wal);
    assert_int_equal(replay(1), 0);
    assert_found(1, 1, 9);
    assert_int_equal(end.next_sequence, 10);
    assert_int_equal(found.damage_count, 0);
    assert_int_equal(replay(6), 0); /* a checkpoint within a group */
    assert_found(6, 6, 4);
    assert_int_equal(replay(10), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(end.next_sequence, 10);
    assert_int_equal(fg_sim_open_files(sim), 0);
}

static void test_compression_only_where_it_wins(void **state)
{
    (void)state;
    uint8_t noise[8192], *bytes;
    uint64_t size;
    start(5);
    fg_env_random(env, noise, sizeof noise);
    struct fg_wal_record record = {.payload = fg_slice(noise, sizeof noise)};
    assert_int_equal(fg_wal_record_encode(codec, &record, &bytes, &size), 0);
    assert_int_equal(size, FG_WAL_RECORD_HEADER_SIZE + sizeof noise);
    free(bytes);
    memset(noise, 7, sizeof noise);
    assert_int_equal(fg_wal_record_encode(codec, &record, &bytes, &size), 0);
    assert_true(size < 200);
    struct fg_wal_record back;
    uint8_t *owned;
    assert_int_equal(fg_wal_record_decode(fg_slice(bytes, size), &back, &owned), 0);
    assert_int_equal(back.payload.size, sizeof noise);
    assert_memory_equal(back.payload.data, noise, sizeof noise);
    free(owned);
    for (uint64_t i = 0; i < size; i++) {
        bytes[i] ^= 4;
        assert_int_equal(fg_wal_record_decode(fg_slice(bytes, size), &back, &owned), FG_ECORRUPT);
        bytes[i] ^= 4;
    }
    free(bytes);
    record.payload.size = FG_WAL_COMPRESS_SIZE_MIN - 1;
    assert_int_equal(fg_wal_record_encode(codec, &record, &bytes, &size), 0);
    assert_int_equal(size, FG_WAL_RECORD_HEADER_SIZE + FG_WAL_COMPRESS_SIZE_MIN - 1);
    free(bytes);
}

static void test_largest_record(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    uint8_t *noise = malloc(SEGMENT_SIZE);
    fg_env_random(env, noise, SEGMENT_SIZE);
    size_t size_max = fg_wal_record_size_max(wal) - FG_WAL_RECORD_HEADER_SIZE, written;
    for (size_t over = 0; over < 2; over++) {
        struct fg_wal_record record = {.payload = fg_slice(noise, size_max + over)};
        uint8_t *bytes;
        uint64_t size;
        assert_int_equal(fg_wal_record_encode(codec, &record, &bytes, &size), 0);
        struct fg_slice slice = fg_slice(bytes, size);
        assert_int_equal(fg_wal_write(wal, &slice, 1, &written), over ? FG_ELIMIT : 0);
        free(bytes);
    }
    free(noise);
    fg_wal_close(wal);
}

/* Files are used one after the other, reused, and old records in them are not taken for new. */
static void test_files_are_reused(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    uint64_t number = 1, checkpoint = 1;
    struct fg_wal_counters counters;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 8; i++, number += 4)
            commit(wal, number, 4, 3000);
        checkpoint = number - 2;
        fg_wal_recycle(wal, checkpoint);
        fg_wal_counters(wal, &counters);
        assert_true(counters.size_bytes <= 6 * SEGMENT_SIZE);
    }
    assert_true(counters.bytes_written > 20 * SEGMENT_SIZE);
    fg_wal_close(wal);
    assert_int_equal(replay(checkpoint), 0);
    assert_found(checkpoint, checkpoint, 2);
    assert_int_equal(end.next_sequence, number);
}

/* Opened again it goes on where it was, also into a file that is full. */
static void test_goes_on_after_restart(void **state)
{
    (void)state;
    start(1);
    uint64_t number = 1;
    struct fg_wal_epoch epochs[FG_WAL_EPOCHS_MAX];
    for (uint32_t i = 0; i < 30; i++) {
        epochs[i] = (struct fg_wal_epoch){.epoch = i + 1, .first_sequence = number};
        assert_int_equal(replay_epochs(1, epochs, i + 1), 0);
        assert_found(1, 1, number - 1);
        assert_int_equal(end.next_sequence, number);
        struct fg_wal *wal = open_wal(i + 1);
        commit(wal, number, 1 + i % 5, 2000 + 200 * i);
        number += 1 + i % 5;
        fg_wal_close(wal);
        if (i % 3 == 0)
            fg_sim_restart(sim);
    }
}

/* The server is killed between a write and its sync; the next one finds the records in the kernel's
 * memory and builds on them. Then the power goes. */
static void test_what_a_start_finds_is_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        size_t written;
        start(seed);
        struct fg_wal *wal = open_new();
        commit(wal, 1, 3, 100);
        assert_int_equal(write_records(wal, 4, 3, 2000, &written), 0);
        fg_wal_close(wal);
        assert_int_equal(replay(1), 0);
        assert_found(1, 1, 6);
        wal = open_wal(1);
        fg_sim_restart(sim);
        fg_wal_close(wal);
        assert_int_equal(replay(1), 0);
        assert_found(1, 1, 6);
    }
}

/* A tail that was cut must not come back when what is written over it is shorter. */
static void test_cut_tail_stays_cut(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    size_t written;
    commit(wal, 1, 1, 8);
    commit(wal, 2, 1, 8);
    assert_int_equal(write_records(wal, 3, 1, 8, &written), 0);
    assert_int_equal(fg_wal_sync(wal), 0);
    fg_wal_close(wal);
    /* group 2 is damaged, group 3 (which does call 2 synced) is damaged too: a torn end */
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 4096 + 70, 1), 0);
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 8192 + 40, 1), 0);
    assert_int_equal(replay(1), 0);
    assert_found(1, 1, 1);
    assert_int_equal(end.next_sequence, 2);
    struct fg_wal_epoch epochs[2] = {{1, 1}, {2, 2}};
    wal = open_wal(2);
    commit(wal, 20, 1, 8);
    fg_wal_close(wal);
    /* the old third group becomes readable again: it is of a cut epoch */
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 8192 + 40, 1), 0);
    assert_int_equal(replay_epochs(1, epochs, 2), 0);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.records[1].first, 20);
    assert_int_equal(end.next_sequence, 3);
    assert_int_equal(found.damage_count, 0);
}

/* Of the last group only a mark behind it can say that it was synced. */
static void test_a_mark_tells_damage_from_a_torn_end(void **state)
{
    (void)state;
    for (int marked = 0; marked < 2; marked++) {
        start(1);
        struct fg_wal *wal = open_new();
        commit(wal, 1, 2, 8);
        commit(wal, 3, 3, 8);
        assert_int_equal(fg_wal_mark(wal), 0); /* something came since the last call */
        if (marked)
            assert_int_equal(fg_wal_mark(wal), 0);
        struct fg_wal_counters counters, later;
        fg_wal_counters(wal, &counters);
        assert_int_equal(counters.groups, 2 + marked);
        if (marked) /* once is enough */
            assert_int_equal(fg_wal_mark(wal), 0);
        fg_wal_counters(wal, &later);
        assert_int_equal(later.groups, counters.groups);
        fg_wal_close(wal);
        assert_int_equal(replay(1), 0);
        assert_found(1, 1, 5);
        assert_int_equal(found.damage_count, 0);
        assert_int_equal(end.next_sequence, 6);
        assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 4096, 1), 0);
        assert_int_equal(replay(1), 0);
        assert_found(1, 1, 2);
        assert_int_equal(found.damage_count, marked);
        assert_int_equal(end.next_sequence, marked ? 6 : 3);
        if (!marked)
            continue;
        assert_int_equal(found.damages[0].sequence_begin, 3);
        assert_int_equal(found.damages[0].sequence_end, 6);
        struct fg_wal_epoch epochs[2] = {{1, 1}, {2, 6}};
        wal = open_wal(2);
        commit(wal, 6, 1, 8);
        fg_wal_close(wal);
        assert_int_equal(replay_epochs(1, epochs, 2), 0);
        assert_int_equal(found.count, 3);
        assert_int_equal(found.damage_count, 1);
    }
}

static void test_damage_that_was_synced_is_said(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    commit(wal, 1, 2, 8);
    commit(wal, 3, 3, 8);
    commit(wal, 6, 2, 8);
    fg_wal_close(wal);
    /* the second record of the second group */
    uint64_t record = 4096 + FG_WAL_GROUP_HEADER_SIZE + FG_WAL_RECORD_HEADER_SIZE + 8;
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", record + 42, 1), 0);
    assert_int_equal(replay(1), 0);
    assert_int_equal(found.count, 6);
    assert_int_equal(found.damage_count, 1);
    assert_string_equal(found.damaged_file, "00000001.wal");
    assert_int_equal(found.damages[0].offset, 4096);
    assert_int_equal(found.damages[0].sequence_begin, 4);
    assert_int_equal(found.damages[0].sequence_end, 5);
    assert_int_equal(end.next_sequence, 8);
    /* the whole header of it */
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 4096, 1), 0);
    assert_int_equal(replay(1), 0);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.damage_count, 1);
    assert_int_equal(found.damages[0].sequence_begin, 3);
    assert_int_equal(found.damages[0].sequence_end, 6);
    assert_int_equal(end.next_sequence, 8);
    /* below the checkpoint nobody cares */
    assert_int_equal(replay(6), 0);
    assert_found(6, 6, 2);
    assert_int_equal(found.damage_count, 0);
    /* a damaged file is kept when its time is over */
    assert_int_equal(replay(1), 0);
    wal = open_wal(1);
    assert_int_equal(fg_wal_rotate(wal), 0);
    fg_wal_recycle(wal, 8);
    struct fg_file *file;
    assert_int_equal(fg_env_open(env, "store/wal/00000001.wal.damaged", FG_OPEN_READ, &file), 0);
    fg_file_close(file);
    assert_int_equal(fg_wal_wipe(wal), 0);
    assert_int_equal(fg_env_open(env, "store/wal/00000001.wal.damaged", FG_OPEN_READ, &file),
                     FG_ENOTFOUND);
    fg_wal_close(wal);
}

/* The last group calls one synced that is gone, and is torn itself. */
static void test_damage_before_a_torn_end(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    commit(wal, 1, 1, 8);
    commit(wal, 2, 1, 8);
    commit(wal, 3, 1, 8);
    fg_wal_close(wal);
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 4096 + 1, 1), 0);
    assert_int_equal(fg_sim_flip(sim, "store/wal/00000001.wal", 8192 + 80, 1), 0);
    assert_int_equal(replay(1), 0);
    assert_found(1, 1, 1);
    assert_int_equal(found.damage_count, 1);
    assert_int_equal(found.damages[0].sequence_begin, 2);
    assert_int_equal(found.damages[0].sequence_end, 3);
    assert_int_equal(end.next_sequence, 3);
    assert_int_equal(end.file_number, 0);
}

static void test_foreign_and_newer_groups(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    commit(wal, 1, 2, 8);
    fg_wal_close(wal);
    struct fg_wal_epoch epoch = {.epoch = 2, .first_sequence = 1};
    assert_int_equal(replay_epochs(1, &epoch, 1), 0);
    assert_int_equal(found.count, 0);
    struct fg_wal_replay foreign = {.env = env,
                                    .folder = "store",
                                    .store_id = STORE_ID + 1,
                                    .checkpoint = 1,
                                    .epochs = &(struct fg_wal_epoch){1, 1},
                                    .epoch_count = 1,
                                    .record = on_record};
    assert_int_equal(fg_wal_replay(&foreign, &end), 0);
    assert_int_equal(found.count, 0);
    uint8_t header[FG_WAL_GROUP_HEADER_SIZE];
    struct fg_file *file;
    size_t size;
    assert_int_equal(fg_env_open(env, "store/wal/00000001.wal", FG_OPEN_WRITE, &file), 0);
    assert_int_equal(fg_file_pread(file, 0, header, sizeof header, &size), 0);
    header[4]++;
    uint64_t hash = fg_hash(fg_slice(header, 56));
    memcpy(header + 56, &hash, 8);
    assert_int_equal(fg_file_pwrite(file, 0, header, sizeof header), 0);
    fg_file_close(file);
    assert_int_equal(replay(1), FG_EUNSUPPORTED);
}

/* All bytes of a file but its first group are zero. */
static void assert_clean(const char *path)
{
    struct fg_file *file;
    uint8_t *bytes = malloc(SEGMENT_SIZE);
    size_t size;
    assert_int_equal(fg_env_open(env, path, FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_pread(file, 4096, bytes, SEGMENT_SIZE - 4096, &size), 0);
    assert_int_equal(size, SEGMENT_SIZE - 4096);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
    fg_file_close(file);
    free(bytes);
}

static int count_wal(void *arg, const struct fg_dir_entry *entry)
{
    char path[64];
    snprintf(path, sizeof path, "store/wal/%s", entry->name);
    assert_clean(path);
    ++*(int *)arg;
    return 0;
}

static void test_wipe_leaves_nothing(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    commit(wal, 1, 10, 2000);
    assert_int_equal(fg_wal_rotate(wal), 0);
    fg_wal_recycle(wal, 11);
    assert_int_equal(fg_wal_wipe(wal), 0);
    commit(wal, 11, 1, 8);
    fg_wal_close(wal);
    int count = 0;
    assert_int_equal(fg_env_list(env, "store/wal", count_wal, &count), 0);
    assert_true(count >= 1);
    assert_int_equal(replay(11), 0);
    assert_found(11, 11, 1);
}

/* Whether the last bytes of a record stand in a file of the folder. */
struct record_search {
    uint8_t bytes[64];
    int found;
};

static int search_wal(void *arg, const struct fg_dir_entry *entry)
{
    struct record_search *search = arg;
    char path[64];
    struct fg_file *file;
    uint8_t *bytes = malloc(SEGMENT_SIZE);
    size_t size;
    snprintf(path, sizeof path, "store/wal/%s", entry->name);
    assert_int_equal(fg_env_open(env, path, FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_pread(file, 0, bytes, SEGMENT_SIZE, &size), 0);
    search->found += memmem(bytes, size, search->bytes, sizeof search->bytes) != NULL;
    fg_file_close(file);
    free(bytes);
    return 0;
}

static int count_record(uint64_t number, size_t size)
{
    struct record_search search = {.found = 0};
    struct fg_slice record = make_record(number, size);
    memcpy(search.bytes, record.data + record.size - sizeof search.bytes, sizeof search.bytes);
    free((void *)(uintptr_t)record.data);
    assert_int_equal(fg_env_list(env, "store/wal", search_wal, &search), 0);
    return search.found;
}

/* A file that was reused between the two would hold old records behind its end, whichever of the
 * files that is written meanwhile it is. */
static void test_wipe_finds_what_is_behind_an_end(void **state)
{
    (void)state;
    for (uint64_t files = 0; files < 6; files++) {
        start(1);
        struct fg_wal *wal = open_new();
        commit(wal, 1, 25, 2000); /* most of a file */
        assert_int_equal(count_record(25, 2000), 1);
        assert_int_equal(fg_wal_rotate(wal), 0);
        commit(wal, 26, 1, 8);
        fg_wal_recycle(wal, 26); /* the first file's records are sealed meanwhile */
        for (uint64_t i = 0; i < files; i++)
            commit(wal, 27 + i * 8, 8, 7000); /* as good as fills one */
        commit(wal, 27 + files * 8, 1, 20000);
        assert_int_equal(fg_wal_wipe(wal), 0);
        fg_wal_close(wal);
        assert_int_equal(count_record(25, 2000), 0);
        assert_int_equal(count_record(27 + files * 8, 20000), 1);
    }
}

static void test_full_disk_and_back(void **state)
{
    (void)state;
    start(1);
    struct fg_wal *wal = open_new();
    size_t written = 0;
    uint64_t number = 1;
    fg_sim_set_capacity(sim, 3 * SEGMENT_SIZE);
    int r;
    do {
        r = write_records(wal, number, 4, 3000, &written);
        number += written;
    } while (r == 0);
    assert_int_equal(r, FG_ENOSPACE);
    assert_true(number > 8);
    assert_int_equal(fg_wal_sync(wal), 0);
    assert_int_equal(write_records(wal, number, 1, 8, &written), FG_ENOSPACE);
    fg_sim_set_capacity(sim, UINT64_MAX);
    commit(wal, number, 1, 8);
    fg_wal_close(wal);
    assert_int_equal(replay(1), 0);
    assert_found(1, 1, number);
}

static void test_failed_sync_is_final(void **state)
{
    (void)state;
    static const uint32_t ops[] = {FG_SIM_SYNC, FG_SIM_WRITE};
    for (size_t i = 0; i < 2; i++) {
        start(1);
        struct fg_wal *wal = open_new();
        size_t written;
        commit(wal, 1, 1, 8);
        struct fg_sim_fault fault = {.ops = ops[i], .nth = 1, .error = FG_EIO};
        fg_sim_fail(sim, &fault);
        int r = write_records(wal, 2, 1, 8, &written);
        if (r == 0)
            r = fg_wal_sync(wal);
        assert_int_equal(r, FG_EIO);
        assert_int_equal(write_records(wal, 3, 1, 8, &written), FG_EIO);
        assert_int_equal(written, 0);
        assert_int_equal(fg_wal_sync(wal), FG_EIO);
        fg_wal_close(wal);
    }
}

/* Commits until the power goes in the nth sync or write; then everything that was synced is there
 * once and in order, and what is there beyond is whole. Again during what the next start writes. */
static void power_cut(uint64_t seed, uint32_t ops, uint64_t nth)
{
    start(seed);
    fg_sim_set_sector_size(sim, seed % 2 ? 512 : 4096);
    struct fg_wal_epoch epochs[8] = {{1, 1}};
    uint32_t epoch_count = 1;
    uint64_t number = 1, synced = 1, checkpoint = 1;
    for (int life = 0; life < 4; life++) {
        int r = replay_epochs(checkpoint, epochs, epoch_count);
        if (r != 0 || found.damage_count != 0)
            fail_msg("seed %lu, call %lu, life %d: %s, %zu damages", seed, nth, life,
                     fg_error_name(r), found.damage_count);
        if (end.next_sequence < synced || end.next_sequence > number)
            fail_msg("seed %lu, call %lu, life %d: synced to %lu, written to %lu, found to %lu",
                     seed, nth, life, synced, number, end.next_sequence);
        assert_found(checkpoint, checkpoint, (size_t)(end.next_sequence - checkpoint));
        number = end.next_sequence;
        if (life > 0)
            epochs[epoch_count++] =
                (struct fg_wal_epoch){.epoch = epoch_count + 1, .first_sequence = number};
        struct fg_wal_options options = {.env = env,
                                         .folder = "store",
                                         .store_id = STORE_ID,
                                         .epoch = epochs[epoch_count - 1].epoch,
                                         .segment_size = SEGMENT_SIZE};
        struct fg_wal *wal = NULL;
        fg_sim_cut_at(sim, ops, nth);
        r = fg_wal_open(&options, &end, &wal);
        if (r == 0)
            synced = number;
        while (r == 0) {
            size_t count = 1 + fg_sim_below(sim, 5), written;
            r = write_records(wal, number, count, 8 * (1 + fg_sim_below(sim, 800)), &written);
            number += written;
            if (r < 0 && number < fg_wal_next_sequence(wal) + count)
                number = fg_wal_next_sequence(wal) + count; /* some may have reached the disk */
            if (r == 0)
                r = fg_wal_sync(wal);
            if (r == 0)
                synced = number;
            if (r == 0 && fg_sim_below(sim, 10) == 0) {
                checkpoint = synced - fg_sim_below(sim, 2);
                fg_wal_recycle(wal, checkpoint);
            }
        }
        fg_wal_close(wal);
        assert_int_equal(fg_sim_open_files(sim), 0);
        fg_sim_restart(sim);
        while (epoch_count > 1 && epochs[1].first_sequence <= checkpoint) {
            memmove(epochs, epochs + 1, (epoch_count - 1) * sizeof *epochs);
            epoch_count--;
        }
    }
}

static void test_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        for (uint64_t nth = 1; nth <= 12; nth++)
            power_cut(seed, FG_SIM_SYNCS, nth);
        for (uint64_t nth = 1; nth <= 40; nth += 3)
            power_cut(seed, FG_SIM_CHANGES, nth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_read_back),
        cmocka_unit_test(test_compression_only_where_it_wins),
        cmocka_unit_test(test_largest_record),
        cmocka_unit_test(test_files_are_reused),
        cmocka_unit_test(test_goes_on_after_restart),
        cmocka_unit_test(test_what_a_start_finds_is_synced),
        cmocka_unit_test(test_cut_tail_stays_cut),
        cmocka_unit_test(test_a_mark_tells_damage_from_a_torn_end),
        cmocka_unit_test(test_damage_that_was_synced_is_said),
        cmocka_unit_test(test_damage_before_a_torn_end),
        cmocka_unit_test(test_foreign_and_newer_groups),
        cmocka_unit_test(test_wipe_leaves_nothing),
        cmocka_unit_test(test_wipe_finds_what_is_behind_an_end),
        cmocka_unit_test(test_full_disk_and_back),
        cmocka_unit_test(test_failed_sync_is_final),
        cmocka_unit_test(test_power_cut),
    };
    if (fg_wal_codec_new(&codec) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fg_wal_codec_free(codec);
    fg_sim_free(sim);
    return failed;
}
