/* fg_store_verify() finds every byte that is not as it was written, and the statistics say what
 * fills the disk. */
#include "base/limits.h"
#include "care_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct care care;

static int begin(void **state)
{
    (void)state;
    care_start(&care, 1);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    care_end(&care);
    return 0;
}

struct findings {
    uint64_t count, done_bytes, total_bytes;
    char file[64], what[256];
};

static void on_damage(void *arg, const char *file, uint64_t offset, const char *what)
{
    struct findings *findings = arg;
    (void)offset;
    findings->count++;
    snprintf(findings->file, sizeof findings->file, "%s", file);
    snprintf(findings->what, sizeof findings->what, "%s", what);
}

static void on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct findings *findings = arg;
    assert_true(done_bytes >= findings->done_bytes && done_bytes <= total_bytes);
    findings->done_bytes = done_bytes;
    findings->total_bytes = total_bytes;
}

static struct findings verify(void)
{
    struct findings findings = {0};
    uint64_t count = UINT64_MAX;
    assert_int_equal(fg_store_verify(care.env, "/store", on_damage, on_progress, &findings, &count),
                     0);
    assert_int_equal(count, findings.count);
    return findings;
}

/* A folder with each kind of file: segments, a rollup file, and records in the log. */
static void make_store(void)
{
    struct care_span spans[60];
    care.options.retention.age_ns = CARE_DAY;
    assert_int_equal(care_open(&care), 0);
    const struct care_span early = {.trace = 1, .id = 1, .service = 4, .form = CARE_ENDED};
    care_seal(&care, &early, 1);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0);
    for (uint32_t i = 0; i < 60; i++)
        spans[i] = (struct care_span){.trace = i / 7 + 1,
                                      .id = i * i + 1,
                                      .parent = i,
                                      .service = i % 3,
                                      .day = 3,
                                      .form = CARE_ENDED,
                                      .secret = i % 5 ? NULL : "once upon a time"};
    care_seal(&care, spans, 60);
    for (int i = 0; i < 3; i++)
        assert_int_equal(care_append(&care, spans, 5), 0);
    care_close(&care, false);
}

static void a_whole_folder_has_no_damage(void **state)
{
    (void)state;
    uint64_t count;
    assert_int_equal(fg_store_verify(care.env, "/store", on_damage, NULL, NULL, &count),
                     FG_ENOTFOUND);
    make_store();
    struct findings findings = verify();
    assert_int_equal(findings.count, 0);
    assert_true(findings.total_bytes > 0);
    assert_int_equal(findings.done_bytes, findings.total_bytes);
    assert_int_equal(care_open(&care), 0);
    assert_int_equal(fg_store_verify(care.env, "/store", on_damage, NULL, NULL, &count), FG_EBUSY);
}

/* Each byte of the files that are written once. */
struct flips {
    const char *folder;
    uint64_t tried;
};

static int flip_each(void *arg, const struct fg_dir_entry *entry)
{
    struct flips *flips = arg;
    char path[128];
    bool is_top = strcmp(flips->folder, "/store") == 0;
    if (entry->is_dir || (is_top && strcmp(entry->name, "MANIFEST") != 0))
        return 0;
    snprintf(path, sizeof path, "%s/%s", flips->folder, entry->name);
    for (uint64_t at = 0; at < entry->size; at++) {
        assert_int_equal(fg_sim_flip(care.sim, path, at, (uint8_t)(1u << at % 8)), 0);
        struct findings findings = {0};
        uint64_t count = 0;
        int r = fg_store_verify(care.env, "/store", on_damage, NULL, &findings, &count);
        /* a flipped version is a newer format */
        if (r != FG_EUNSUPPORTED && (r != 0 || count == 0))
            fail_msg("byte %d of %s: result %d, %d findings", (int)at, path, r, (int)count);
        assert_int_equal(fg_sim_flip(care.sim, path, at, (uint8_t)(1u << at % 8)), 0);
        flips->tried++;
    }
    return 0;
}

static void every_flipped_byte_is_found(void **state)
{
    (void)state;
    make_store();
    const char *const folders[] = {"/store", "/store/segments", "/store/rollups"};
    for (int i = 0; i < 3; i++) {
        struct flips flips = {.folder = folders[i]};
        assert_int_equal(fg_env_list(care.env, folders[i], flip_each, &flips), 0);
        assert_true(flips.tried > 50);
    }
    assert_int_equal(verify().count, 0);
}

static int find_first(void *arg, const struct fg_dir_entry *entry)
{
    snprintf(arg, 32, "%s", entry->name);
    return 1;
}

static void missing_files_are_found(void **state)
{
    (void)state;
    const char *const folders[] = {"segments", "rollups"};
    char name[32], path[96];
    make_store();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/store/%s", folders[i]);
        assert_int_equal(fg_env_list(care.env, path, find_first, name), 1);
        snprintf(path, sizeof path, "/store/%s/%s", folders[i], name);
        assert_int_equal(fg_env_unlink(care.env, path), 0);
        struct findings findings = verify();
        assert_int_equal(findings.count, (uint64_t)i + 1);
        assert_string_equal(findings.file, path + 7);
        assert_string_equal(findings.what, "the file is missing");
    }
}

/* Acknowledged records that a later one calls synced. */
static void damage_in_the_log_is_found(void **state)
{
    (void)state;
    char name[32], path[64];
    make_store();
    assert_int_equal(fg_env_list(care.env, "/store/wal", find_first, name), 1);
    snprintf(path, sizeof path, "/store/wal/%s", name);
    uint64_t found = 0;
    for (uint64_t at = 100; at < 64 << 10; at += 4096) {
        assert_int_equal(fg_sim_flip(care.sim, path, at, 1), 0);
        found += verify().count;
        assert_int_equal(fg_sim_flip(care.sim, path, at, 1), 0);
    }
    assert_true(found > 0);
    assert_int_equal(verify().count, 0);
}

/* -- Statistics */

static int add_segment(void *arg, const struct fg_segment_stats *segment)
{
    uint64_t *sums = arg;
    assert_int_equal(segment->day, CARE_DAY_0 + 3);
    assert_true(segment->start_ns_min <= segment->start_ns_max);
    sums[0] += segment->span_count;
    sums[1] += segment->size_bytes;
    return 0;
}

static int add_column(void *arg, const struct fg_column_stats *column)
{
    uint64_t *sums = arg;
    assert_int_equal(column->day, CARE_DAY_0 + 3);
    sums[2] += column->size_bytes;
    if (column->level == FG_FIELD_ATTR_SPAN && fg_slice_equal(column->key, FG_SLICE("secret")))
        sums[3] += column->value_count;
    return 0;
}

static int stop_at_once(void *arg, const struct fg_column_stats *column)
{
    (void)column;
    ++*(int *)arg;
    return 42;
}

static void statistics_say_what_fills_the_disk(void **state)
{
    (void)state;
    uint64_t sums[4] = {0};
    int calls = 0;
    make_store();
    assert_int_equal(care_open(&care), 0);
    assert_int_equal(fg_store_segments(care.store, add_segment, sums), 0);
    assert_int_equal(sums[0], 60);
    assert_int_equal(sums[1], care_counters(&care).segment_bytes);
    assert_int_equal(fg_store_columns(care.store, add_column, sums), 0);
    assert_int_equal(sums[3], 12);
    assert_true(sums[2] > 0 && sums[2] <= sums[1]);
    assert_int_equal(fg_store_columns(care.store, stop_at_once, &calls), 42);
    assert_int_equal(calls, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_folder_has_no_damage),
        TEST(every_flipped_byte_is_found),
        TEST(missing_files_are_found),
        TEST(damage_in_the_log_is_found),
        TEST(statistics_say_what_fills_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
