/* The manifest: what an edit makes of it, its bytes, and that the swap is whole whenever the power
 * goes. */
#include "base/endian.h"
#include "base/hash.h"
#include "local/manifest.h"
#include "sim_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 300

static struct fg_sim *sim;

static void start(uint64_t seed)
{
    fg_sim_free(sim);
    assert_int_equal(fg_sim_new(seed, &sim), 0);
    assert_int_equal(fg_env_mkdir(fg_sim_env(sim), "store"), 0);
    assert_int_equal(fg_env_sync_dir(fg_sim_env(sim), "."), 0);
}

static struct fg_manifest_segment segment(uint64_t id, uint32_t tenant, uint32_t day)
{
    return (struct fg_manifest_segment){.id = id,
                                        .tenant = tenant,
                                        .day = day,
                                        .level = 2,
                                        .span_count = 1000 + id,
                                        .trace_count = 10,
                                        .size_bytes = 4096,
                                        .start_ns_min = 1,
                                        .start_ns_max = 2,
                                        .end_ns_max = 3,
                                        .received_ns_min = 4,
                                        .received_ns_max = 5};
}

/* A manifest with three segments and a rollup. */
static void fill(struct fg_manifest *ret_manifest)
{
    struct fg_manifest first;
    fg_manifest_init(&first, fg_sim_env(sim));
    struct fg_manifest_segment add[] = {segment(3, 1, 7), segment(1, 0, 9), segment(2, 0, 8)};
    struct fg_manifest_rollup rollup = {.id = 4, .tenant = 1, .day = 6, .size_bytes = 77};
    struct fg_manifest_edit edit = {.add = add,
                                    .add_count = 3,
                                    .add_rollups = &rollup,
                                    .add_rollup_count = 1,
                                    .checkpoint = 50,
                                    .next_id = 5};
    assert_int_equal(fg_manifest_apply(&first, &edit, ret_manifest), 0);
    fg_manifest_free(&first);
}

/* By their bytes: a struct has gaps. */
static void assert_same(const struct fg_manifest *a, const struct fg_manifest *b)
{
    struct fg_buffer bytes[2];
    fg_buffer_init(&bytes[0], 1 << 20);
    fg_buffer_init(&bytes[1], 1 << 20);
    fg_manifest_encode(a, &bytes[0]);
    fg_manifest_encode(b, &bytes[1]);
    assert_int_equal(bytes[0].size, bytes[1].size);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].size);
    fg_buffer_free(&bytes[0]);
    fg_buffer_free(&bytes[1]);
}

static void test_edit_applies_as_a_whole(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, next;
    fill(&manifest);
    assert_int_equal(manifest.generation, 1);
    assert_int_equal(manifest.segments[0].id, 2); /* by tenant, day, id */
    assert_int_equal(manifest.segments[1].id, 1);
    assert_int_equal(manifest.segments[2].id, 3);
    struct fg_manifest_segment add = segment(5, 0, 9);
    uint64_t remove[] = {2, 1};
    struct fg_manifest_edit edit = {
        .add = &add, .add_count = 1, .remove = remove, .remove_count = 2, .next_id = 6};
    assert_int_equal(fg_manifest_apply(&manifest, &edit, &next), 0);
    assert_int_equal(next.segment_count, 2);
    assert_int_equal(next.segments[0].id, 5);
    assert_int_equal(next.checkpoint, 50);
    assert_int_equal(next.rollup_count, 1);
    fg_manifest_free(&next);
    fg_manifest_free(&manifest);
}

static void test_edit_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, next;
    fill(&manifest);
    uint64_t missing[] = {9};
    struct fg_manifest_edit of_missing = {.remove = missing, .remove_count = 1};
    assert_int_equal(fg_manifest_apply(&manifest, &of_missing, &next), FG_EINVALID);
    struct fg_manifest_segment twice = segment(1, 0, 9);
    struct fg_manifest_edit of_twice = {.add = &twice, .add_count = 1};
    assert_int_equal(fg_manifest_apply(&manifest, &of_twice, &next), FG_EINVALID);
    struct fg_manifest_segment unnumbered = segment(12, 0, 9);
    struct fg_manifest_edit of_unnumbered = {.add = &unnumbered, .add_count = 1};
    assert_int_equal(fg_manifest_apply(&manifest, &of_unnumbered, &next), FG_EINVALID);
    struct fg_manifest_edit of_back = {.checkpoint = 49};
    assert_int_equal(fg_manifest_apply(&manifest, &of_back, &next), FG_EINVALID);
    fg_manifest_free(&manifest);
}

static void test_epochs_are_forgotten_when_the_checkpoint_has_passed(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, next;
    fg_manifest_init(&manifest, fg_sim_env(sim));
    for (uint64_t i = 1; i < FG_WAL_EPOCHS_MAX; i++) {
        struct fg_manifest_edit edit = {.epoch = {.epoch = i + 1, .first_sequence = 10 * i}};
        assert_int_equal(fg_manifest_apply(&manifest, &edit, &next), 0);
        fg_manifest_free(&manifest);
        manifest = next;
    }
    assert_int_equal(manifest.epoch_count, FG_WAL_EPOCHS_MAX);
    struct fg_manifest_edit more = {.epoch = {.epoch = 1000, .first_sequence = 10000}};
    assert_int_equal(fg_manifest_apply(&manifest, &more, &next), FG_ELIMIT);
    /* one that covers nothing gives its place away */
    struct fg_manifest_edit same = {
        .epoch = {.epoch = 1000, .first_sequence = 10 * (FG_WAL_EPOCHS_MAX - 1)}};
    assert_int_equal(fg_manifest_apply(&manifest, &same, &next), 0);
    assert_int_equal(next.epoch_count, FG_WAL_EPOCHS_MAX);
    fg_manifest_free(&next);
    struct fg_manifest_edit passed = {.checkpoint = 25};
    assert_int_equal(fg_manifest_apply(&manifest, &passed, &next), 0);
    assert_int_equal(next.epochs[0].first_sequence, 20);
    fg_manifest_free(&next);
    fg_manifest_free(&manifest);
}

static void test_bytes_and_back(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, parsed;
    struct fg_buffer buffer;
    fill(&manifest);
    fg_buffer_init(&buffer, 1 << 20);
    fg_manifest_encode(&manifest, &buffer);
    assert_int_equal(buffer.error, 0);
    assert_int_equal(fg_manifest_parse(fg_buffer_slice(&buffer), &parsed), 0);
    assert_same(&manifest, &parsed);
    const struct fg_manifest_segment *last = &parsed.segments[2];
    struct fg_manifest_segment wanted = segment(3, 1, 7);
    assert_int_equal(parsed.checkpoint, 50);
    assert_int_equal(parsed.next_id, 5);
    assert_int_equal(last->id, wanted.id);
    assert_int_equal(last->tenant, wanted.tenant);
    assert_int_equal(last->day, wanted.day);
    assert_int_equal(last->level, wanted.level);
    assert_int_equal(last->span_count, wanted.span_count);
    assert_int_equal(last->trace_count, wanted.trace_count);
    assert_int_equal(last->size_bytes, wanted.size_bytes);
    assert_int_equal(last->start_ns_min, wanted.start_ns_min);
    assert_int_equal(last->start_ns_max, wanted.start_ns_max);
    assert_int_equal(last->end_ns_max, wanted.end_ns_max);
    assert_int_equal(last->received_ns_min, wanted.received_ns_min);
    assert_int_equal(last->received_ns_max, wanted.received_ns_max);
    assert_int_equal(parsed.rollups[0].size_bytes, 77);
    fg_manifest_free(&parsed);
    fg_manifest_free(&manifest);
    fg_buffer_free(&buffer);
}

/* Every byte counts: any one that changes is found. */
static void test_damage_is_found(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, parsed;
    struct fg_buffer buffer;
    fill(&manifest);
    fg_buffer_init(&buffer, 1 << 20);
    fg_manifest_encode(&manifest, &buffer);
    for (size_t i = 0; i < buffer.size; i++) {
        buffer.data[i] ^= 0x10;
        assert_int_equal(fg_manifest_parse(fg_buffer_slice(&buffer), &parsed), FG_ECORRUPT);
        buffer.data[i] ^= 0x10;
    }
    for (size_t size = 0; size < buffer.size; size++)
        assert_int_equal(fg_manifest_parse(fg_slice(buffer.data, size), &parsed), FG_ECORRUPT);
    fg_manifest_free(&manifest);
    fg_buffer_free(&buffer);
}

static void checksum(struct fg_buffer *buffer)
{
    uint64_t hash = fg_hash(fg_slice(buffer->data, buffer->size - 8));
    fg_store_le64(buffer->data + buffer->size - 8, hash);
}

/* Bytes with a right checksum that lie all the same. */
static void test_lies_are_found(void **state)
{
    (void)state;
    start(1);
    struct fg_manifest manifest, parsed;
    struct fg_buffer buffer;
    fill(&manifest);
    fg_buffer_init(&buffer, 1 << 20);
    fg_manifest_encode(&manifest, &buffer);
    fg_store_le32(buffer.data + 8, FG_MANIFEST_VERSION + 1);
    checksum(&buffer);
    assert_int_equal(fg_manifest_parse(fg_buffer_slice(&buffer), &parsed), FG_EUNSUPPORTED);
    fg_store_le32(buffer.data + 8, FG_MANIFEST_VERSION);
    static const size_t counts[] = {12, 16, 64, 68};
    for (size_t i = 0; i < 4; i++) {
        uint32_t was = fg_load_le32(buffer.data + counts[i]);
        fg_store_le32(buffer.data + counts[i], 0xffffffff);
        checksum(&buffer);
        assert_int_equal(fg_manifest_parse(fg_buffer_slice(&buffer), &parsed), FG_ECORRUPT);
        fg_store_le32(buffer.data + counts[i], was);
    }
    fg_store_le64(buffer.data + 56, 2); /* the next id is one that is taken */
    checksum(&buffer);
    assert_int_equal(fg_manifest_parse(fg_buffer_slice(&buffer), &parsed), FG_ECORRUPT);
    fg_manifest_free(&manifest);
    fg_buffer_free(&buffer);
}

/* The power goes in any call of the swap: the old one or the new one is there, whole; and the new
 * one if the swap had been reported done. */
static void test_power_cut_leaves_old_or_new(void **state)
{
    (void)state;
    uint64_t olds = 0, news = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (uint64_t nth = 1;; nth++) {
            start(seed * 1000 + nth);
            struct fg_env *env = fg_sim_env(sim);
            struct fg_manifest old, new, found;
            bool in_doubt;
            fg_manifest_init(&old, env);
            assert_int_equal(fg_manifest_write(env, "store", &old, &in_doubt), 0);
            fill(&new);
            fg_sim_cut_at(sim, FG_SIM_ANY, nth);
            int r = fg_manifest_write(env, "store", &new, &in_doubt);
            bool was_cut = fg_sim_is_cut(sim);
            fg_sim_restart(sim);
            int read = fg_manifest_read(env, "store", &found);
            if (read != 0)
                fail_msg("seed %lu, call %lu: %s", seed, nth, fg_error_name(read));
            bool is_new = found.segment_count == new.segment_count;
            assert_same(&found, is_new ? &new : &old);
            if (r == 0)
                assert_true(is_new);
            else if (!in_doubt)
                assert_false(is_new);
            olds += !is_new;
            news += is_new;
            fg_manifest_free(&found);
            fg_manifest_free(&new);
            fg_manifest_free(&old);
            if (!was_cut)
                break;
        }
    }
    assert_true(olds > 0 && news > 0);
}

static void test_read_errors_stay_distinct(void **state)
{
    (void)state;
    start(1);
    struct fg_env *env = fg_sim_env(sim);
    struct fg_manifest manifest;
    bool in_doubt;
    assert_int_equal(fg_manifest_read(env, "store", &manifest), FG_ENOTFOUND);
    fg_manifest_init(&manifest, env);
    assert_int_equal(fg_manifest_write(env, "store", &manifest, &in_doubt), 0);
    struct fg_sim_fault fault = {.ops = FG_SIM_READ, .nth = 1, .error = FG_EIO};
    fg_sim_fail(sim, &fault);
    assert_int_equal(fg_manifest_read(env, "store", &manifest), FG_EIO);
    assert_int_equal(fg_sim_flip(sim, "store/MANIFEST", 40, 1), 0);
    assert_int_equal(fg_manifest_read(env, "store", &manifest), FG_ECORRUPT);
    struct fg_sim_fault full = {.ops = FG_SIM_WRITE, .nth = 1, .error = FG_ENOSPACE};
    fg_sim_fail(sim, &full);
    assert_int_equal(fg_manifest_write(env, "store", &manifest, &in_doubt), FG_ENOSPACE);
    assert_false(in_doubt);
    fg_manifest_free(&manifest);
    assert_int_equal(fg_sim_open_files(sim), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_applies_as_a_whole),
        cmocka_unit_test(test_edit_that_makes_no_sense_is_refused),
        cmocka_unit_test(test_epochs_are_forgotten_when_the_checkpoint_has_passed),
        cmocka_unit_test(test_bytes_and_back),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_lies_are_found),
        cmocka_unit_test(test_power_cut_leaves_old_or_new),
        cmocka_unit_test(test_read_errors_stay_distinct),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fg_sim_free(sim);
    return failed;
}
