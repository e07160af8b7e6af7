/* base/: the arena's bound, the buffer's sticky error, the id map against a naive twin. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "base/tagmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void arena_refuses_past_its_bound(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 1024);
    assert_non_null(fg_arena_alloc(&arena, 1000));
    assert_false(arena.overflow);
    assert_null(fg_arena_alloc(&arena, 100));
    assert_true(arena.overflow);
    assert_null(fg_arena_calloc(&arena, SIZE_MAX / 2, 4));
    fg_arena_reset(&arena);
    assert_false(arena.overflow);
    char *text = fg_arena_string(&arena, FG_SLICE("order"));
    assert_string_equal(text, "order");
    fg_arena_free(&arena);
}

#ifndef FG_ARENA_MALLOC
/* A block is of a size that malloc has, its header included: what stands in a row and the header
 * come to a power of two. */
static void arena_blocks_waste_no_size_class(void **state)
{
    (void)state;
    const size_t header = 32, unit = 16;
    struct fg_arena arena;
    size_t run = 0, runs = 0, most = 0;
    fg_arena_init(&arena, (size_t)8 << 20);
    for (uint8_t *p, *before = NULL; (p = fg_arena_alloc(&arena, unit)); before = p) {
        if (before && p != before + unit) {
            size_t size = run + header;
            assert_true(size >= 4096 && (size & (size - 1)) == 0);
            most = size > most ? size : most;
            runs++;
            run = 0;
        }
        run += unit;
    }
    assert_true(runs > 8);
    assert_int_equal(most, 1 << 20);
    fg_arena_free(&arena);
}
#endif

static void arena_blocks_do_not_overlap(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 22);
    uint8_t *seen[200];
    for (size_t i = 0; i < 200; i++) {
        seen[i] = fg_arena_alloc(&arena, i * 37 + 1);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % 16, 0);
        memset(seen[i], (int)i, i * 37 + 1);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 37 + 1; k++)
            assert_int_equal(seen[i][k], (uint8_t)i);
    fg_arena_free(&arena);
}

static void buffer_keeps_its_first_error(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 16);
    fg_buffer_append_string(&buffer, "0123456789");
    fg_buffer_append_string(&buffer, "0123456789");
    assert_int_equal(buffer.error, FG_ELIMIT);
    fg_buffer_append_byte(&buffer, 'x');
    assert_int_equal(buffer.size, 10);
    fg_buffer_reset(&buffer);
    fg_buffer_append_varint(&buffer, 300);
    assert_int_equal(buffer.size, 2);
    assert_memory_equal(buffer.data, "\xac\x02", 2);
    fg_buffer_align(&buffer, 8);
    assert_int_equal(buffer.size, 8);
    fg_buffer_free(&buffer);
}

static bool same(const void *context, uint32_t id)
{
    return *(const uint32_t *)context == id;
}

static void idmap_agrees_with_an_array(void **state)
{
    (void)state;
    struct fg_idmap map;
    fg_idmap_init(&map);
    for (int round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            uint32_t id;
            /* hashes that collide by design: equality decides */
            assert_int_equal(fg_idmap_intern(&map, i / 4, same, &i, i, &id), 0);
            assert_int_equal(id, i);
        }
        for (uint32_t i = 0; i < 5000; i++) {
            uint32_t id = 0;
            assert_int_equal(fg_idmap_find(&map, i / 4, same, &i, &id), 0);
            assert_int_equal(id, i);
        }
        uint32_t absent = 6000, id;
        assert_int_equal(fg_idmap_find(&map, 1500, same, &absent, &id), FG_ENOTFOUND);
        fg_idmap_clear(&map);
        assert_int_equal(fg_idmap_find(&map, 1, NULL, NULL, &id), FG_ENOTFOUND);
    }
    fg_idmap_free(&map);
}

/* Of four numbers a hash. Many hashes have their slots next to each other, around the end of the
 * map and at one place in it. */
static uint64_t tag_hash(uint32_t i)
{
    uint64_t upper = i / 4 * UINT64_C(0x9e3779b1) & UINT32_MAX;
    if (i % 16 < 4)
        upper = UINT32_MAX - upper % 64;
    else if (i % 16 < 8)
        upper = 0x40000000 + upper % 64;
    return upper << 32 | i / 4 % 64;
}

/* What the map has under the number's hash agrees with what is in it. */
static void assert_found(const struct fg_tagmap *map, const bool *is_in, uint32_t count,
                         uint32_t number)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(map, tag_hash(number));
    unsigned times = 0;
    for (uint32_t found; (found = fg_tagmap_next(map, &walk)) != FG_TAGMAP_NONE;) {
        assert_true(found < count && is_in[found]);
        assert_int_equal(tag_hash(found) >> 32, tag_hash(number) >> 32);
        times += found == number;
    }
    assert_int_equal(times, is_in[number]);
}

/* Takes a number out; the walk goes on with those behind it. */
static void take_out(struct fg_tagmap *map, bool *is_in, uint32_t number)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(map, tag_hash(number));
    unsigned before = 0, behind = 0, all = 0;
    struct fg_tagmap_walk whole = walk;
    while (fg_tagmap_next(map, &whole) != FG_TAGMAP_NONE)
        all++;
    while (fg_tagmap_next(map, &walk) != number)
        before++;
    fg_tagmap_remove(map, &walk);
    while (fg_tagmap_next(map, &walk) != FG_TAGMAP_NONE)
        behind++;
    assert_int_equal(before + 1 + behind, all);
    is_in[number] = false;
}

static void tagmap_agrees_with_an_array(void **state)
{
    enum { COUNT = 2000 };
    static bool is_in[COUNT];
    struct fg_tagmap map;
    size_t used = 0;
    (void)state;
    fg_tagmap_init(&map);
    assert_false(fg_tagmap_has_room(&map, 1));
    assert_found(&map, is_in, COUNT, 7);
    srand(11);
    for (uint32_t i = 0; i < 20 * COUNT; i++) { /* it fills, and stays full by two thirds */
        uint32_t number = (uint32_t)rand() % COUNT;
        if (is_in[number] && rand() % 2 == 0) {
            take_out(&map, is_in, number);
            used--;
        } else if (!is_in[number]) {
            assert_int_equal(fg_tagmap_reserve(&map, 1), 0);
            fg_tagmap_add(&map, tag_hash(number), number);
            is_in[number] = true;
            used++;
        }
        assert_int_equal(map.used, used);
        assert_found(&map, is_in, COUNT, number);
        if (i % COUNT == 0)
            for (uint32_t k = 0; k < COUNT; k++)
                assert_found(&map, is_in, COUNT, k);
    }
    assert_true(map.slot_count <= 4096);
    for (uint32_t i = 0; i < COUNT; i++)
        if (is_in[i])
            take_out(&map, is_in, i);
    assert_int_equal(map.used, 0);
    assert_true(fg_tagmap_has_room(&map, map.slot_count / 3 * 2));
    fg_tagmap_free(&map);
}

static void tagmap_gives_other_numbers(void **state)
{
    static bool is_in[300];
    struct fg_tagmap map, wider;
    (void)state;
    fg_tagmap_init(&map);
    assert_int_equal(fg_tagmap_reserve(&map, 100), 0);
    for (uint32_t i = 0; i < 100; i++) {
        fg_tagmap_add(&map, tag_hash(i), i);
        is_in[i] = true;
    }
    assert_int_equal(fg_tagmap_widened(&map, 10000, &wider), 0);
    for (uint32_t i = 0; i < 100; i++) { /* each is found in both, and renumbered in one */
        struct fg_tagmap_walk walk = fg_tagmap_walk(&wider, tag_hash(i));
        assert_found(&map, is_in, 300, i);
        while (fg_tagmap_next(&wider, &walk) != i)
            ;
        fg_tagmap_renumber(&wider, &walk, i + 200);
    }
    for (uint32_t i = 0; i < 100; i++) {
        struct fg_tagmap_walk walk = fg_tagmap_walk(&wider, tag_hash(i));
        uint32_t found;
        while ((found = fg_tagmap_next(&wider, &walk)) != i + 200)
            assert_true(found >= 200 && found < 300);
        assert_found(&map, is_in, 300, i);
    }
    fg_tagmap_free(&map);
    fg_tagmap_free(&wider);
}

/* One of megabytes, which lies elsewhere than small ones. */
static void tagmap_gets_large(void **state)
{
    enum { COUNT = 1500000 };
    struct fg_tagmap map, narrow;
    (void)state;
    fg_tagmap_init(&map);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(fg_tagmap_reserve(&map, 1), 0);
        fg_tagmap_add(&map, fg_hash_u64(i), i);
    }
    for (uint32_t i = 0, found; i < COUNT; i++) {
        struct fg_tagmap_walk walk = fg_tagmap_walk(&map, fg_hash_u64(i));
        while ((found = fg_tagmap_next(&map, &walk)) != i)
            assert_int_not_equal(found, FG_TAGMAP_NONE);
        if (i >= 100)
            fg_tagmap_remove(&map, &walk);
    }
    assert_true(fg_tagmap_is_sparse(&map));
    assert_int_equal(fg_tagmap_widened(&map, 100, &narrow), 0);
    fg_tagmap_free(&map);
    for (uint32_t i = 0; i < 100; i++) {
        struct fg_tagmap_walk walk = fg_tagmap_walk(&narrow, fg_hash_u64(i));
        assert_int_equal(fg_tagmap_next(&narrow, &walk), i);
    }
    fg_tagmap_free(&narrow);
}

static void ids_are_big_endian(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_true(fg_load_be64(bytes) == UINT64_C(0x0102030405060708));
    assert_true(fg_load_le16(bytes) == 0x0201);
    assert_true(fg_hash(FG_SLICE("a")) != fg_hash_seeded(FG_SLICE("a"), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_refuses_past_its_bound),
#ifndef FG_ARENA_MALLOC
        cmocka_unit_test(arena_blocks_waste_no_size_class),
#endif
        cmocka_unit_test(arena_blocks_do_not_overlap),
        cmocka_unit_test(buffer_keeps_its_first_error),
        cmocka_unit_test(idmap_agrees_with_an_array),
        cmocka_unit_test(tagmap_agrees_with_an_array),
        cmocka_unit_test(tagmap_gives_other_numbers),
        cmocka_unit_test(tagmap_gets_large),
        cmocka_unit_test(ids_are_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
