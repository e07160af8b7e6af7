/* local/cache.h: bounded, least recently used goes first, references outlive it, threads may share.
 */
#include "base/hash.h"
#include "local/cache.h"
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_cache_entry *put(struct fg_cache *cache, uint64_t part, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    assert_non_null(bytes);
    memset(bytes, (int)(part & 0xff), size);
    struct fg_cache_entry *entry;
    assert_int_equal(fg_cache_put_take(cache, (struct fg_cache_key){1, part}, bytes, size, &entry),
                     0);
    return entry;
}

static bool has(struct fg_cache *cache, uint64_t part)
{
    struct fg_cache_entry *entry = fg_cache_get(cache, (struct fg_cache_key){1, part});
    fg_cache_unref(cache, entry);
    return entry != NULL;
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    assert_true(fg_cache_owner_new(cache) != fg_cache_owner_new(cache));
    for (uint64_t part = 0; part < 100; part++)
        fg_cache_unref(cache, put(cache, part, 100));
    for (uint64_t part = 0; part < 100; part++) {
        struct fg_cache_entry *entry = fg_cache_get(cache, (struct fg_cache_key){1, part});
        assert_non_null(entry);
        assert_int_equal(fg_cache_bytes(entry).size, 100);
        assert_int_equal(fg_cache_bytes(entry).data[99], part);
        fg_cache_unref(cache, entry);
    }
    assert_null(fg_cache_get(cache, (struct fg_cache_key){2, 1}));
    assert_true(fg_cache_size_bytes(cache) >= 100 * 100);
    fg_cache_free(cache);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    for (uint64_t part = 0; part < 1000; part++) {
        fg_cache_unref(cache, put(cache, part, 10000));
        assert_true(fg_cache_size_bytes(cache) <= 1 << 20);
        assert_true(has(cache, 0)); /* used again and again */
    }
    assert_true(has(cache, 999));
    assert_false(has(cache, 1));
    assert_false(has(cache, 500));
    fg_cache_free(cache);
}

static void what_is_dropped_or_forgotten_is_gone(void **state)
{
    (void)state;
    struct fg_cache *cache;
    struct fg_cache_entry *other;
    assert_int_equal(fg_cache_new((uint64_t)64 << 20, &cache), 0);
    uint64_t empty = fg_cache_size_bytes(cache);
    for (uint64_t part = 0; part < 200; part++)
        fg_cache_unref(cache, put(cache, part, 1000));
    struct fg_cache_entry *held = put(cache, 200, 1000);
    assert_int_equal(
        fg_cache_put_take(cache, (struct fg_cache_key){2, 7}, malloc(1000), 1000, &other), 0);
    uint64_t before = fg_cache_size_bytes(cache);
    fg_cache_drop(cache, held);
    fg_cache_drop(cache, held); /* as when two readers are done with it */
    assert_false(has(cache, 200));
    assert_true(fg_cache_size_bytes(cache) < before - 999);
    assert_int_equal(fg_cache_bytes(held).data[999], 200);
    struct fg_cache_entry *again = put(cache, 200, 1000);
    fg_cache_drop(cache, held); /* another one stands in its place */
    assert_true(has(cache, 200));
    fg_cache_unref(cache, held);
    fg_cache_forget(cache, 1);
    for (uint64_t part = 0; part <= 200; part++)
        assert_false(has(cache, part));
    assert_int_equal(fg_cache_bytes(again).data[999], 200);
    fg_cache_unref(cache, again);
    struct fg_cache_entry *there = fg_cache_get(cache, (struct fg_cache_key){2, 7});
    assert_ptr_equal(there, other);
    fg_cache_unref(cache, there);
    fg_cache_unref(cache, other);
    fg_cache_forget(cache, 2);
    assert_int_equal(fg_cache_size_bytes(cache), empty);
    fg_cache_free(cache);
}

static void a_reference_outlives_its_place(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    struct fg_cache_entry *held = put(cache, 5, 10000);
    for (uint64_t part = 10; part < 300; part++)
        fg_cache_unref(cache, put(cache, part, 10000));
    assert_false(has(cache, 5));
    assert_int_equal(fg_cache_bytes(held).data[9999], 5);
    fg_cache_unref(cache, held);
    fg_cache_unref(cache, NULL);
    fg_cache_free(cache);
}

static void what_is_larger_than_the_bound_is_not_kept(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    fg_cache_unref(cache, put(cache, 1, 1000));
    struct fg_cache_entry *large = put(cache, 2, 2 << 20);
    assert_int_equal(fg_cache_bytes(large).size, 2 << 20);
    assert_false(has(cache, 2));
    assert_true(has(cache, 1));
    fg_cache_unref(cache, large);
    fg_cache_free(cache);
}

static void the_first_to_put_wins(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    struct fg_cache_entry *first = put(cache, 1, 10), *second = put(cache, 1, 10);
    assert_ptr_equal(first, second);
    fg_cache_unref(cache, first);
    fg_cache_unref(cache, second);
    fg_cache_free(cache);
}

static void work(void *arg)
{
    struct fg_cache *cache = arg;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t part = fg_hash_u64(i ^ (uintptr_t)&i) % 300;
        struct fg_cache_entry *entry = fg_cache_get(cache, (struct fg_cache_key){1, part});
        if (!entry)
            entry = put(cache, part, 5000);
        assert_int_equal(fg_cache_bytes(entry).data[4999], part & 0xff);
        fg_cache_unref(cache, entry);
    }
}

static void threads_share_it(void **state)
{
    (void)state;
    struct fg_cache *cache;
    assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
    struct fg_thread threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fg_thread_start(&threads[i], "cache", work, cache), 0);
    for (size_t i = 0; i < 4; i++)
        fg_thread_join(&threads[i]);
    assert_true(fg_cache_size_bytes(cache) <= 1 << 20);
    fg_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(what_is_dropped_or_forgotten_is_gone),
        cmocka_unit_test(a_reference_outlives_its_place),
        cmocka_unit_test(what_is_larger_than_the_bound_is_not_kept),
        cmocka_unit_test(the_first_to_put_wins),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
