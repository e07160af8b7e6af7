/* Damaged segments: every byte is under a checksum that verify asks; reading a damaged page is
 * FG_ECORRUPT and costs that page alone; a newer format is refused; nothing ever crashes. */
#include "segment_rows.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "local/segment_format.h"
#include "segment_traces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct fg_sim *sim;
    struct fg_env *env;
    struct segment_rows rows;
    struct fg_segment_info info;
};

static struct world world_new(uint64_t seed, uint32_t spans, uint32_t group_rows)
{
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = spans;
    options.odd_percent = 20;
    struct world world = {.rows = segment_rows_new(&options)};
    assert_int_equal(fg_sim_new(seed, &world.sim), 0);
    world.env = fg_sim_env(world.sim);
    world.info = segment_rows_write(&world.rows, world.env, SEGMENT_PATH, group_rows);
    return world;
}

static void world_free(struct world *world)
{
    assert_int_equal(fg_sim_open_files(world->sim), 0);
    fg_sim_free(world->sim);
    segment_rows_free(&world->rows);
}

struct findings {
    uint32_t count;
    uint64_t offset; /* that must lie in one of them */
    bool covered;
};

static void on_damage(void *arg, const struct fg_segment_damage *damage)
{
    struct findings *findings = arg;
    assert_non_null(damage->what);
    findings->count++;
    findings->covered |=
        findings->offset >= damage->offset && findings->offset < damage->offset + damage->size;
}

/* Reads all that can be read; how many rows. */
static uint64_t read_rows(struct world *world, struct fg_segment *segment, bool *ret_corrupt)
{
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    struct fg_segment_reader *reader;
    uint64_t rows = 0;
    assert_int_equal(fg_segment_reader_new(segment, &options, &reader), 0);
    for (uint64_t row = 0; row < world->rows.batch.span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        int r = fg_segment_reader_page(reader, row, &page, &begin);
        if (r == FG_ECORRUPT) {
            *ret_corrupt = true;
            row++;
            continue;
        }
        assert_int_equal(r, 0);
        for (uint64_t i = row - begin; i < page->span_count; i++, row++, rows++)
            assert_null(segment_rows_differ(&world->rows.batch, (uint32_t)row, page, (uint32_t)i,
                                            FG_COLUMNS_ALL, NULL, NULL));
    }
    fg_segment_reader_free(reader);
    return rows;
}

static int ignore_page(void *arg, const struct fg_segment_page *page)
{
    (void)arg;
    (void)page;
    return 0;
}

static void ignore_column(void *arg, const struct fg_segment_column *column)
{
    (void)arg;
    (void)column;
}

/* Everything that may be asked of a segment: whole, or FG_ECORRUPT. */
static void ask_everything(struct world *world, struct fg_segment *segment)
{
    struct fg_segment_trace trace;
    struct segment_traces traces;
    int r = segment_traces_list(segment, &traces);
    assert_true(r == 0 || r == FG_ECORRUPT);
    free(traces.all);
    const struct fg_batch *rows = &world->rows.batch;
    r = fg_segment_find_trace(segment, rows->trace_id_high[0], rows->trace_id_low[0], &trace);
    assert_true(r == 0 || r == FG_ECORRUPT);
    struct fg_predicate leaf = {
        .op = FG_PRED_EQ, .field = FG_FIELD_ATTR_ANY, .type = FG_VALUE_STRING};
    leaf.key = FG_SLICE("x.key1");
    leaf.string = FG_SLICE("value 1");
    r = fg_segment_prune(segment, &leaf, 0, UINT64_MAX, true, ignore_page, NULL, NULL);
    assert_true(r == 0 || r == FG_ECORRUPT);
    r = fg_segment_columns(segment, ignore_column, NULL);
    assert_true(r == 0 || r == FG_ECORRUPT);
    uint8_t *bytes = NULL;
    size_t size;
    r = fg_segment_rollup(segment, &bytes, &size);
    assert_true(r == 0 || r == FG_ECORRUPT);
    if (r == 0)
        free(bytes);
}

static void a_whole_segment_has_no_damage(void **state)
{
    (void)state;
    struct world world = world_new(1, 500, 200);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment), 0);
    struct findings findings = {0};
    assert_int_equal(fg_segment_verify(segment, on_damage, &findings), 0);
    assert_int_equal(findings.count, 0);
    fg_segment_unref(segment);
    world_free(&world);
}

static void every_flipped_byte_is_found(void **state)
{
    (void)state;
    struct world world = world_new(2, 400, 100);
    uint64_t step = 1 + world.info.size_bytes / 1500, pages_lost = 0;
    for (uint64_t offset = 0; offset < world.info.size_bytes; offset += step) {
        uint8_t mask = (uint8_t)(1u << (offset % 8));
        assert_int_equal(fg_sim_flip(world.sim, SEGMENT_PATH, offset, mask), 0);
        struct fg_segment *segment;
        int r = fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment);
        if (r == 0) {
            struct findings findings = {.offset = offset};
            assert_int_equal(fg_segment_verify(segment, on_damage, &findings), 0);
            assert_true(findings.count == 1 && findings.covered);
            bool corrupt = false;
            uint64_t rows = read_rows(&world, segment, &corrupt);
            assert_true(corrupt == (rows < world.rows.batch.span_count));
            /* at most one row group of four is lost */
            assert_true(rows >= world.rows.batch.span_count - 100);
            pages_lost += corrupt;
            ask_everything(&world, segment);
            fg_segment_unref(segment);
        } else {
            assert_int_equal(r, FG_ECORRUPT);
        }
        assert_int_equal(fg_sim_flip(world.sim, SEGMENT_PATH, offset, mask), 0);
    }
    assert_true(pages_lost > 100);
    world_free(&world);
}

static void a_damaged_page_costs_only_itself(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(3);
    options.span_count = 20000;
    struct world world = {.rows = segment_rows_new(&options)};
    assert_int_equal(fg_sim_new(3, &world.sim), 0);
    world.env = fg_sim_env(world.sim);
    world.info = segment_rows_write(&world.rows, world.env, SEGMENT_PATH, 65536);
    /* the first chunk of the first page */
    assert_int_equal(fg_sim_flip(world.sim, SEGMENT_PATH, sizeof(struct fg_segment_header) + 3, 4),
                     0);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment), 0);
    bool corrupt = false;
    uint64_t rows = read_rows(&world, segment, &corrupt);
    assert_true(corrupt);
    assert_true(rows >= world.rows.batch.span_count - FG_SEGMENT_PAGE_ROWS);
    fg_segment_unref(segment);
    world_free(&world);
}

static void a_cut_file_is_refused(void **state)
{
    (void)state;
    struct world world = world_new(4, 50, 100);
    struct fg_file *file;
    for (uint64_t size = world.info.size_bytes - 1; size > 0; size -= 1 + size / 20) {
        assert_int_equal(fg_env_open(world.env, SEGMENT_PATH, FG_OPEN_WRITE, &file), 0);
        assert_int_equal(fg_file_truncate(file, size), 0);
        fg_file_close(file);
        struct fg_segment *segment;
        assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment), FG_ECORRUPT);
    }
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(world.env, "missing.seg", NULL, &segment), FG_ENOTFOUND);
    world_free(&world);
}

static void a_newer_format_is_said_to_be_one(void **state)
{
    (void)state;
    struct world world = world_new(5, 50, 100);
    struct fg_file *file;
    assert_int_equal(fg_env_open(world.env, SEGMENT_PATH, FG_OPEN_WRITE, &file), 0);
    uint8_t tail[sizeof(struct fg_segment_tail)];
    uint64_t offset = world.info.size_bytes - sizeof tail;
    size_t done, checked = offsetof(struct fg_segment_tail, checksum);
    assert_int_equal(fg_file_pread(file, offset, tail, sizeof tail, &done), 0);
    fg_store_le32(tail + offsetof(struct fg_segment_tail, version), FG_SEGMENT_VERSION + 1);
    fg_store_le64(tail + checked, fg_hash(fg_slice(tail, checked)));
    assert_int_equal(fg_file_pwrite(file, offset, tail, sizeof tail), 0);
    fg_file_close(file);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment), FG_EUNSUPPORTED);
    world_free(&world);
}

static void add_up(void *arg, const struct fg_segment_column *column)
{
    *(uint64_t *)arg += column->size_bytes;
}

static void the_columns_add_up_to_the_file(void **state)
{
    (void)state;
    struct world world = world_new(6, 3000, 1000);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, NULL, &segment), 0);
    uint64_t total = 0;
    assert_int_equal(fg_segment_columns(segment, add_up, &total), 0);
    assert_int_equal(total, world.info.size_bytes);
    fg_segment_unref(segment);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_segment_has_no_damage),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(a_damaged_page_costs_only_itself),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(a_newer_format_is_said_to_be_one),
        cmocka_unit_test(the_columns_add_up_to_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
