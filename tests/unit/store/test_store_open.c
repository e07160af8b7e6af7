/* Opening: which folders are refused and why; which files are the store, and for how long. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "local/local.h"
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_start(&world, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static struct fg_store_counters counters(void)
{
    struct fg_store_counters counters;
    fg_store_counters(world.store, &counters);
    return counters;
}

struct window_reader {
    uint64_t start_ns_min, start_ns_max;
    uint64_t rows;
};

static int read_window(void *arg, const struct fg_scan_rows *rows)
{
    struct window_reader *reader = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if (!(rows->bits[bit / 64] >> bit % 64 & 1))
            continue;
        assert_true(rows->batch->start_ns[row] >= reader->start_ns_min);
        assert_true(rows->batch->start_ns[row] < reader->start_ns_max);
        reader->rows++;
    }
    return 0;
}

/* -- Opening */

static void test_a_second_server_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    struct fg_store *first = world.store;
    assert_int_equal(world_open(&world), FG_EBUSY);
    assert_non_null(strstr(world.message, "another filigree"));
    world.store = first;
    world_keep(&world, 10);
    world_check(&world);
}

static void write_file(const char *path, uint64_t offset, const void *bytes, size_t size)
{
    struct fg_file *file;
    assert_int_equal(fg_env_open(world.env, path, FG_OPEN_WRITE | FG_OPEN_CREATE, &file), 0);
    assert_int_equal(fg_file_pwrite(file, offset, bytes, size), 0);
    fg_file_close(file);
}

static void test_a_newer_format_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    world_close(&world, false);
    struct fg_file *file;
    uint8_t bytes[4096];
    size_t size;
    assert_int_equal(fg_env_open(world.env, "store/MANIFEST", FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_pread(file, 0, bytes, sizeof bytes, &size), 0);
    fg_file_close(file);
    bytes[8]++;
    uint64_t checksum = fg_hash(fg_slice(bytes, size - 8));
    fg_store_le64(bytes + size - 8, checksum);
    write_file("store/MANIFEST", 0, bytes, size);
    assert_int_equal(world_open(&world), FG_EUNSUPPORTED);
    assert_non_null(strstr(world.message, "newer version"));
}

static void test_a_lost_manifest_is_not_guessed(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_close(&world, false);
    assert_int_equal(fg_env_rename(world.env, "store/MANIFEST", "store/kept"), 0);
    assert_int_equal(world_open(&world), FG_ECORRUPT);
    assert_non_null(strstr(world.message, "MANIFEST is missing"));
    assert_int_equal(fg_env_rename(world.env, "store/kept", "store/MANIFEST"), 0);
    assert_int_equal(fg_sim_flip(world.sim, "store/MANIFEST", 50, 1), 0);
    assert_int_equal(world_open(&world), FG_ECORRUPT);
    assert_non_null(strstr(world.message, "restore a backup"));
    assert_int_equal(fg_sim_flip(world.sim, "store/MANIFEST", 50, 1), 0);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static void test_errors_of_opening_stay_distinct(void **state)
{
    (void)state;
    static const struct {
        uint32_t ops;
        int error;
        const char *part;
    } cases[] = {{FG_SIM_MKDIR, FG_EDENIED, "store"},  {FG_SIM_LOCK, FG_EDENIED, "LOCK"},
                 {FG_SIM_MKDIR, FG_ENOSPACE, "store"}, {FG_SIM_WRITE, FG_ENOSPACE, "MANIFEST"},
                 {FG_SIM_SYNC, FG_EIO, "MANIFEST"},    {FG_SIM_OPEN, FG_EDENIED, "MANIFEST"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_sim_fault fault = {
            .ops = cases[i].ops, .nth = 1, .error = cases[i].error, .path_part = cases[i].part};
        fg_sim_fail(world.sim, &fault);
        int r = world_open(&world);
        assert_true(fg_sim_has_failed(world.sim));
        assert_int_equal(r, cases[i].error);
        assert_true(strlen(world.message) > 20);
    }
    fg_sim_fail(world.sim, NULL);
    world.options.path = "missing/store";
    assert_int_equal(world_open(&world), FG_ENOTFOUND);
    assert_non_null(strstr(world.message, "does not exist"));
    world.options.path = "store";
    world.options.read_only = true;
    assert_int_equal(world_open(&world), FG_ENOTFOUND);
    assert_non_null(strstr(world.message, "no store"));
    world.options.read_only = false;
    assert_int_equal(world_open(&world), 0);
}

static void test_read_only_reads_all_and_writes_nothing(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 100);
    world_close(&world, false);
    write_file("store/segments/00000000000000ff.seg", 0, "garbage", 7);
    world.options.read_only = true;
    uint64_t changes = fg_sim_count(world.sim, FG_SIM_CHANGES);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
    world_append(&world, 10, 0, &r);
    assert_int_equal(r, FG_EDENIED);
    assert_int_equal(fg_store_seal(world.store), FG_EDENIED);
    world_close(&world, true);
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_CHANGES), changes);
    assert_true(world_has_file(&world, "store/segments/00000000000000ff.seg"));
}

/* -- Invariants 2 and 3: files and the manifest */

static void test_unlisted_files_are_garbage(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    size_t files = world_count_files(&world, "store/segments");
    world_close(&world, false);
    for (int i = 0; i < 300; i++) {
        char path[64];
        snprintf(path, sizeof path, "store/segments/%016x.seg", 0x1000 + i);
        write_file(path, 0, "x", 1);
    }
    write_file("store/segments/notes.txt", 0, "x", 1);
    write_file("store/rollups/00000000000000aa.rol", 0, "x", 1);
    write_file("store/MANIFEST.new", 0, "x", 1);
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(world_count_files(&world, "store/segments"), files + 1);
    assert_true(world_has_file(&world, "store/segments/notes.txt")); /* not ours */
    assert_false(world_has_file(&world, "store/rollups/00000000000000aa.rol"));
    assert_false(world_has_file(&world, "store/MANIFEST.new"));
    world_check(&world);
}

static void test_a_damaged_segment_costs_that_segment(void **state)
{
    (void)state;
    char path[256];
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 100);
    struct fg_local *local = (struct fg_local *)world.store->blocks;
    snprintf(path, sizeof path, "store/segments/%016llx.seg",
             (unsigned long long)local->manifest.segments[0].id);
    uint64_t lost = local->manifest.segments[0].span_count;
    world_close(&world, false);
    assert_int_equal(fg_env_unlink(world.env, path), 0);
    world.error_count = 0;
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(world.error_count, 1);
    struct window_reader reader = {.start_ns_max = UINT64_MAX};
    struct fg_read_stats stats = {0};
    struct fg_scan scan = {.start_ns_max = UINT64_MAX, .rows = read_window, .arg = &reader};
    assert_int_equal(fg_store_scan(world.store, &scan, &stats), 0);
    assert_int_equal(reader.rows, 200 - lost);
    assert_int_equal(stats.damaged_pages, 1);
    assert_int_equal(counters().damaged_pages, 1);
}

/* A file that an edit removed stays as long as a reader holds it, and goes with the last. */
static void test_files_live_as_long_as_readers(void **state)
{
    (void)state;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_blocks_view *first, *second;
    assert_int_equal(world_open(&world), 0);
    struct world_batch *batch = world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    struct fg_local *local = (struct fg_local *)world.store->blocks;
    assert_int_equal(fg_local_view_take(&local->blocks, &first), 0);
    assert_int_equal(fg_local_view_take(&local->blocks, &second), 0);
    uint64_t ids[8];
    size_t count = local->manifest.segment_count;
    for (size_t i = 0; i < count; i++)
        ids[i] = local->manifest.segments[i].id;
    fg_local_segment_path(local, ids[0], path);
    struct fg_manifest_edit edit = {.remove = ids, .remove_count = count};
    assert_int_equal(fg_local_edit(local, &edit), 0);
    assert_int_equal(counters().segment_count, 0);
    assert_true(world_has_file(&world, path));
    assert_int_equal(fg_local_end_views(local, 1), FG_ETIMEOUT);
    assert_int_equal(fg_local_view_check(first), FG_ETIMEOUT);
    fg_local_view_release(first);
    assert_true(world_has_file(&world, path));
    fg_local_view_release(second);
    assert_false(world_has_file(&world, path));
    assert_int_equal(fg_local_end_views(local, 1), 0);
    batch->fate = FATE_REFUSED;
    world_check(&world);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* Before the manifest names a file, it and its folder were synced; before the log is reused, the
 * manifest was. A cut at any of those moments is test_store_power.c's; here is their order. */
static void test_order_of_syncs(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    struct fg_sim_fault fault = {
        .ops = FG_SIM_SYNC_DIR, .nth = 1, .error = FG_EIO, .path_part = "store/segments"};
    fg_sim_fail(world.sim, &fault);
    uint64_t renames = fg_sim_count(world.sim, FG_SIM_RENAME);
    assert_int_equal(fg_store_seal(world.store), FG_EIO);
    assert_true(fg_sim_has_failed(world.sim));
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_RENAME), renames); /* no swap without it */
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* Starts that senders spread over many days make no file each. */
static void test_partitions_are_bounded(void **state)
{
    (void)state;
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    world.options.head_size_max = 16 << 20;
    assert_int_equal(world_open(&world), 0);
    for (uint64_t day = 0; day < 600; day++) {
        struct random_batch_options options = random_batch_options_default(day + 1);
        options.span_count = 3;
        options.start_ns = day * 30 * FG_NS_PER_DAY;
        options.spread_ns = 1;
        options.odd_percent = 0;
        random_batch_fill(builder, &options);
    }
    struct fg_block *block;
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    struct fg_blocks_rows rows = {.batch = fg_block_batch(block)};
    struct fg_blocks_put put = {.rows = &rows, .count = 1, .sequence_begin = 1, .sequence_end = 2};
    assert_int_equal(fg_local_put(world.store->blocks, &put), 0);
    assert_int_equal(counters().segment_spans, 1800);
    assert_true(counters().segment_count >= FG_SEAL_PARTITIONS_MAX);
    /* the rest by receipt, which here follows the start: a day each of its own once more, but the
     * store's real receipts lie within hours */
    assert_int_equal(fg_local_put(world.store->blocks, &put), 0); /* the same set again */
    assert_int_equal(counters().segment_spans, 1800);
    fg_block_unref(block);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_second_server_is_refused),
        TEST(test_a_newer_format_is_refused),
        TEST(test_a_lost_manifest_is_not_guessed),
        TEST(test_errors_of_opening_stay_distinct),
        TEST(test_read_only_reads_all_and_writes_nothing),
        TEST(test_unlisted_files_are_garbage),
        TEST(test_a_damaged_segment_costs_that_segment),
        TEST(test_files_live_as_long_as_readers),
        TEST(test_order_of_syncs),
        TEST(test_partitions_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
