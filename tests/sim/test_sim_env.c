/* The simulated machine keeps the contract of os/env.h, and breaks what it does not promise. */
#include "sim_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 500

static struct fg_sim *sim;
static struct fg_env *env;

static void start(uint64_t seed)
{
    fg_sim_free(sim);
    assert_int_equal(fg_sim_new(seed, &sim), 0);
    env = fg_sim_env(sim);
}

static struct fg_file *open_file(const char *path, int flags)
{
    struct fg_file *file;
    assert_int_equal(fg_env_open(env, path, flags, &file), 0);
    return file;
}

static struct fg_file *make_file(const char *path)
{
    return open_file(path, FG_OPEN_WRITE | FG_OPEN_CREATE);
}

static void write_text(struct fg_file *file, uint64_t offset, const char *text)
{
    assert_int_equal(fg_file_pwrite(file, offset, text, strlen(text)), 0);
}

/* The file's bytes as text; "-" where it is not. */
static const char *text_of(const char *path)
{
    static char text[64];
    struct fg_file *file;
    size_t size = 0;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r == FG_ENOTFOUND)
        return "-";
    assert_int_equal(r, 0);
    assert_int_equal(fg_file_pread(file, 0, text, sizeof text - 1, &size), 0);
    text[size] = 0;
    fg_file_close(file);
    return text;
}

static int count_entry(void *arg, const struct fg_dir_entry *entry)
{
    size_t *count = arg;
    (*count)++;
    return strcmp(entry->name, "stop") == 0 ? 7 : 0;
}

static void files_behave_as_files(void **state)
{
    (void)state;
    start(1);
    struct fg_file *file, *other;
    uint64_t size;
    size_t count = 0;
    assert_int_equal(fg_env_open(env, "/d/a", FG_OPEN_READ, &file), FG_ENOTFOUND);
    assert_int_equal(fg_env_mkdir(env, "/d"), 0);
    assert_int_equal(fg_env_mkdir(env, "d"), FG_EEXIST);
    file = make_file("/d/a");
    assert_int_equal(
        fg_env_open(env, "d/./a", FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE, &other),
        FG_EEXIST);
    write_text(file, 3, "abc");
    assert_int_equal(fg_file_size(file, &size), 0);
    assert_int_equal(size, 6);
    assert_int_equal(fg_file_allocate(file, 4), 0);
    assert_int_equal(fg_file_size(file, &size), 0);
    assert_int_equal(size, 6);
    assert_int_equal(fg_file_truncate(file, 5), 0);
    assert_int_equal(fg_file_allocate(file, 8), 0);
    char bytes[16];
    size_t got;
    assert_int_equal(fg_file_pread(file, 2, bytes, sizeof bytes, &got), 0);
    assert_int_equal(got, 6);
    assert_memory_equal(bytes, "\0ab\0\0\0", 6);
    other = open_file("/d/a", FG_OPEN_READ);
    assert_int_equal(fg_file_pwrite(other, 0, "x", 1), FG_EINVALID);
    fg_file_close(other);
    assert_int_equal(fg_env_rename(env, "/d/a", "/d/b"), 0);
    assert_int_equal(fg_env_link(env, "/d/b", "/d/stop"), 0);
    assert_int_equal(fg_env_list(env, "/d", count_entry, &count), 7);
    assert_int_equal(fg_env_rmdir(env, "/d"), FG_EEXIST);
    assert_int_equal(fg_env_unlink(env, "/d/b"), 0);
    assert_int_equal(fg_env_unlink(env, "/d/b"), FG_ENOTFOUND);
    assert_int_equal(fg_sim_used_bytes(sim), 8);
    assert_int_equal(fg_env_unlink(env, "/d/stop"), 0);
    assert_int_equal(fg_file_pread(file, 3, bytes, 2, &got), 0);
    assert_memory_equal(bytes, "ab", 2);
    assert_int_equal(fg_sim_used_bytes(sim), 8); /* still open */
    fg_file_close(file);
    assert_int_equal(fg_sim_used_bytes(sim), 0);
    assert_int_equal(fg_sim_open_files(sim), 0);
    assert_int_equal(fg_env_rmdir(env, "/d"), 0);
}

static void what_was_synced_survives_every_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a");
        write_text(file, 0, "synced");
        assert_int_equal(fg_file_sync(file), 0);
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        fg_sim_restart(sim);
        assert_string_equal(text_of("/a"), "synced");
        assert_int_equal(fg_file_sync(file), FG_EIO);
        fg_file_close(file);
    }
}

/* Over many seeds both outcomes of what was not synced must be seen: a simulation that never loses
 * tests nothing. */
static void what_was_not_synced_may_be_lost(void **state)
{
    (void)state;
    int kept = 0, lost = 0, unnamed = 0, unchanged = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a"), *unnamed_file;
        write_text(file, 0, "old");
        assert_int_equal(fg_file_sync(file), 0);
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        write_text(file, 0, "new");
        unnamed_file = make_file("/b");
        write_text(unnamed_file, 0, "b");
        assert_int_equal(fg_file_sync(unnamed_file), 0);
        fg_sim_restart(sim);
        kept += strcmp(text_of("/a"), "new") == 0;
        lost += strcmp(text_of("/a"), "old") == 0;
        unnamed += strcmp(text_of("/b"), "-") == 0;
        unchanged += strcmp(text_of("/b"), "b") == 0;
        fg_file_close(file);
        fg_file_close(unnamed_file);
    }
    assert_int_equal(kept + lost, SEEDS);
    assert_int_equal(unnamed + unchanged, SEEDS);
    assert_true(kept > SEEDS / 5 && lost > SEEDS / 5);
    assert_true(unnamed > SEEDS / 5 && unchanged > SEEDS / 5);
}

static void writes_tear_and_change_places(void **state)
{
    (void)state;
    int torn = 0, reordered = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        uint8_t bytes[2048];
        struct fg_file *file = make_file("/a");
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(fg_file_pwrite(file, 0, bytes, sizeof bytes), 0);
        assert_int_equal(fg_file_sync(file), 0);
        memset(bytes, 1, sizeof bytes);
        assert_int_equal(fg_file_pwrite(file, 0, bytes, 1024), 0);
        assert_int_equal(fg_file_pwrite(file, 1024, bytes, 1024), 0);
        fg_sim_restart(sim);
        fg_file_close(file);
        file = open_file("/a", FG_OPEN_READ);
        size_t got;
        assert_int_equal(fg_file_pread(file, 0, bytes, sizeof bytes, &got), 0);
        fg_file_close(file);
        assert_int_equal(got, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], bytes[i - i % 512]);
        torn += bytes[0] != bytes[512] || bytes[1024] != bytes[1536];
        reordered += !bytes[0] && !bytes[512] && bytes[1024] && bytes[1536];
    }
    assert_true(torn > SEEDS / 10);
    assert_true(reordered > 0);
}

/* A sector may come back with a content that it had in between, never with one it never had. */
static void a_sector_holds_one_of_its_contents(void **state)
{
    (void)state;
    int seen[4] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a");
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        write_text(file, 0, "0");
        assert_int_equal(fg_file_sync(file), 0);
        write_text(file, 0, "1");
        write_text(file, 0, "2");
        write_text(file, 0, "3");
        fg_sim_restart(sim);
        seen[text_of("/a")[0] - '0']++;
        fg_file_close(file);
    }
    assert_int_equal(seen[0] + seen[1] + seen[2] + seen[3], SEEDS);
    assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void a_rename_is_whole_or_not_at_all(void **state)
{
    (void)state;
    int done = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *old = make_file("/m"), *new = make_file("/m.new");
        write_text(old, 0, "old");
        write_text(new, 0, "new");
        assert_int_equal(fg_file_sync(old), 0);
        assert_int_equal(fg_file_sync(new), 0);
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        assert_int_equal(fg_env_rename(env, "/m.new", "/m"), 0);
        assert_string_equal(text_of("/m"), "new");
        fg_sim_restart(sim);
        bool is_done = strcmp(text_of("/m"), "new") == 0;
        assert_string_equal(text_of("/m.new"), is_done ? "-" : "new");
        assert_string_equal(text_of("/m"), is_done ? "new" : "old");
        done += is_done;
        fg_file_close(old);
        fg_file_close(new);
    }
    assert_true(done > SEEDS / 5 && done < SEEDS * 4 / 5);
}

static void a_failed_sync_proves_nothing_later(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a");
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        write_text(file, 0, "x");
        fg_sim_fail(sim, &(struct fg_sim_fault){.ops = FG_SIM_SYNC, .nth = 1, .error = FG_EIO});
        assert_int_equal(fg_file_sync(file), FG_EIO);
        assert_true(fg_sim_has_failed(sim));
        assert_string_equal(text_of("/a"), "x");
        assert_int_equal(fg_file_sync(file), 0); /* and it lies */
        fg_sim_restart(sim);
        lost += strcmp(text_of("/a"), "x") != 0;
        fg_file_close(file);
    }
    assert_true(lost > SEEDS / 5);
}

static void faults_strike_where_they_were_ordered(void **state)
{
    (void)state;
    start(3);
    struct fg_file *a = make_file("/a"), *b = make_file("/b");
    fg_sim_fail(sim, &(struct fg_sim_fault){.ops = FG_SIM_WRITE,
                                            .nth = 2,
                                            .for_ever = true,
                                            .error = FG_ENOSPACE,
                                            .path_part = "a"});
    write_text(a, 0, "1");
    write_text(b, 0, "1");
    write_text(b, 0, "2");
    assert_false(fg_sim_has_failed(sim));
    assert_int_equal(fg_file_pwrite(a, 0, "2", 1), FG_ENOSPACE);
    assert_int_equal(fg_file_pwrite(a, 0, "2", 1), FG_ENOSPACE);
    write_text(b, 0, "3");
    fg_sim_fail(sim, NULL);
    write_text(a, 0, "4");
    fg_sim_fail(sim, &(struct fg_sim_fault){.ops = FG_SIM_READ, .nth = 1, .error = FG_EIO});
    char byte;
    size_t got;
    assert_int_equal(fg_file_pread(a, 0, &byte, 1, &got), FG_EIO);
    assert_int_equal(fg_file_pread(a, 0, &byte, 1, &got), 0);
    assert_int_equal(byte, '4');
    assert_int_equal(fg_sim_count(sim, FG_SIM_READ), 2);
    assert_int_equal(fg_sim_count(sim, FG_SIM_WRITE), 7);
    fg_file_close(a);
    fg_file_close(b);
}

static void a_cut_call_may_have_happened(void **state)
{
    (void)state;
    int durable = 0, refused = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a"), *other;
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        fg_sim_cut_at(sim, FG_SIM_SYNCS, 2);
        write_text(file, 0, "1");
        assert_int_equal(fg_file_sync(file), 0);
        write_text(file, 0, "2");
        assert_int_equal(fg_file_sync(file), FG_EIO);
        assert_true(fg_sim_is_cut(sim));
        refused += fg_env_open(env, "/a", FG_OPEN_READ, &other) == FG_EIO;
        fg_file_close(file);
        fg_sim_restart(sim);
        assert_false(fg_sim_is_cut(sim));
        durable += strcmp(text_of("/a"), "2") == 0;
    }
    assert_int_equal(refused, SEEDS);
    assert_true(durable > SEEDS / 2 && durable < SEEDS);
}

static void a_full_disk_refuses_growth_only(void **state)
{
    (void)state;
    start(4);
    fg_sim_set_capacity(sim, 1000);
    struct fg_file *file = make_file("/a"), *other = make_file("/b");
    static const uint8_t zero[1000];
    uint64_t free_bytes, total_bytes;
    assert_int_equal(fg_file_allocate(file, 600), 0);
    assert_int_equal(fg_env_space(env, "/", &free_bytes, &total_bytes), 0);
    assert_int_equal(free_bytes, 400);
    assert_int_equal(total_bytes, 1000);
    assert_int_equal(fg_file_allocate(other, 401), FG_ENOSPACE);
    assert_int_equal(fg_file_pwrite(other, 0, zero, 401), FG_ENOSPACE);
    assert_int_equal(fg_file_pwrite(file, 0, zero, 600), 0);
    assert_int_equal(fg_env_unlink(env, "/b"), 0);
    fg_file_close(other);
    assert_int_equal(fg_file_pwrite(file, 600, zero, 400), 0);
    assert_int_equal(fg_file_pwrite(file, 600, zero, 401), FG_ENOSPACE);
    fg_file_close(file);
}

static void one_holds_a_lock_until_it_closes_or_dies(void **state)
{
    (void)state;
    start(5);
    struct fg_file *lock, *other;
    assert_int_equal(fg_env_lock(env, "/lock", &lock), 0);
    assert_int_equal(fg_env_lock(env, "/lock", &other), FG_EBUSY);
    fg_file_close(lock);
    assert_int_equal(fg_env_lock(env, "/lock", &lock), 0);
    fg_sim_restart(sim);
    assert_int_equal(fg_env_lock(env, "/lock", &other), 0);
    fg_file_close(lock); /* of before: gives nothing free */
    assert_int_equal(fg_env_lock(env, "/lock", &lock), FG_EBUSY);
    fg_file_close(other);
}

static void a_link_is_one_file_with_two_names(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        start(seed);
        struct fg_file *file = make_file("/a");
        write_text(file, 0, "x");
        assert_int_equal(fg_file_sync(file), 0);
        assert_int_equal(fg_env_mkdir(env, "/d"), 0);
        assert_int_equal(fg_env_link(env, "/a", "/d/b"), 0);
        assert_int_equal(fg_env_sync_dir(env, "/d"), 0);
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        assert_int_equal(fg_env_unlink(env, "/a"), 0);
        assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        fg_sim_restart(sim);
        assert_string_equal(text_of("/a"), "-");
        assert_string_equal(text_of("/d/b"), "x");
        fg_file_close(file);
    }
}

static void a_flipped_bit_stays(void **state)
{
    (void)state;
    start(6);
    struct fg_file *file = make_file("/a");
    write_text(file, 0, "abc");
    assert_int_equal(fg_file_sync(file), 0);
    assert_int_equal(fg_env_sync_dir(env, "/"), 0);
    fg_file_close(file);
    assert_int_equal(fg_sim_flip(sim, "/a", 1, 1), 0);
    assert_int_equal(fg_sim_flip(sim, "/a", 3, 1), FG_EINVALID);
    assert_int_equal(fg_sim_flip(sim, "/b", 0, 1), FG_ENOTFOUND);
    assert_string_equal(text_of("/a"), "acc");
    fg_sim_restart(sim);
    assert_string_equal(text_of("/a"), "acc");
}

/* What one seed did, as a number. */
static uint64_t history(uint64_t seed)
{
    start(seed);
    uint64_t sum = 0;
    for (int round = 0; round < 20; round++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", (int)fg_sim_below(sim, 5));
        struct fg_file *file = make_file(path);
        uint64_t word;
        fg_env_random(env, &word, sizeof word);
        assert_int_equal(fg_file_pwrite(file, fg_sim_below(sim, 2000), &word, sizeof word), 0);
        if (fg_sim_below(sim, 3) == 0)
            assert_int_equal(fg_file_sync(file), 0);
        if (fg_sim_below(sim, 3) == 0)
            assert_int_equal(fg_env_sync_dir(env, "/"), 0);
        fg_file_close(file);
        if (fg_sim_below(sim, 4) == 0)
            fg_sim_restart(sim);
        sum = sum * 31 + fg_sim_used_bytes(sim) + word;
    }
    return sum;
}

static void a_seed_tells_everything(void **state)
{
    (void)state;
    assert_int_equal(history(11), history(11));
    assert_int_not_equal(history(11), history(12));
    uint64_t before = fg_env_mono_ns(env), wall = fg_env_wall_ns(env);
    fg_sim_advance(sim, 5);
    assert_int_equal(fg_env_mono_ns(env), before + 5);
    assert_int_equal(fg_env_wall_ns(env), wall + 5);
    fg_sim_set_wall_ns(sim, 77);
    assert_int_equal(fg_env_wall_ns(env), 77);
    assert_int_equal(fg_env_mono_ns(env), before + 5);
}

static int free_sim(void **state)
{
    (void)state;
    fg_sim_free(sim);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_behave_as_files),
        cmocka_unit_test(what_was_synced_survives_every_cut),
        cmocka_unit_test(what_was_not_synced_may_be_lost),
        cmocka_unit_test(writes_tear_and_change_places),
        cmocka_unit_test(a_sector_holds_one_of_its_contents),
        cmocka_unit_test(a_rename_is_whole_or_not_at_all),
        cmocka_unit_test(a_failed_sync_proves_nothing_later),
        cmocka_unit_test(faults_strike_where_they_were_ordered),
        cmocka_unit_test(a_cut_call_may_have_happened),
        cmocka_unit_test(a_full_disk_refuses_growth_only),
        cmocka_unit_test(one_holds_a_lock_until_it_closes_or_dies),
        cmocka_unit_test(a_link_is_one_file_with_two_names),
        cmocka_unit_test(a_flipped_bit_stays),
        cmocka_unit_test(a_seed_tells_everything),
    };
    return cmocka_run_group_tests(tests, NULL, free_sim);
}
