/* A folder that an older version wrote is read whole, is without damage, and goes on: it is opened
 * again, sealed and merged, and says the same. Its argument is the folder; what it must say stands
 * in the file of that name with .txt behind it. */
#include "golden_text.h"
#include "sim_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *folder;
static struct fg_sim *sim;
static struct fg_arena arena;
static struct fg_buffer expected, text;

static int begin(void **state)
{
    (void)state;
    struct fg_file *file;
    char path[512];
    uint64_t size;
    size_t got;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    fg_arena_init(&arena, 1 << 20);
    fg_buffer_init(&expected, 64 << 20);
    fg_buffer_init(&text, 64 << 20);
    golden_copy(fg_env_real(), folder, fg_sim_env(sim), "/store");
    snprintf(path, sizeof path, "%s.txt", folder);
    assert_int_equal(fg_env_open(fg_env_real(), path, FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_size(file, &size), 0);
    assert_non_null(fg_buffer_reserve(&expected, size));
    assert_int_equal(fg_file_pread(file, 0, expected.data, size, &got), 0);
    expected.size = got;
    fg_file_close(file);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_buffer_free(&expected);
    fg_buffer_free(&text);
    fg_arena_free(&arena);
    fg_sim_free(sim);
    return 0;
}

/* The folder's kept trace is kept on. */
static bool is_pinned(void *arg, uint32_t tenant, uint64_t high, uint64_t low)
{
    (void)arg;
    (void)tenant;
    (void)high;
    (void)low;
    return true;
}

static struct fg_store *open_store(bool read_only)
{
    struct fg_store_options options = fg_store_options_default(fg_sim_env(sim), "/store");
    const char *message = "";
    struct fg_store *store;
    options.manual = true;
    options.reserve_bytes = 0;
    options.read_only = read_only;
    options.is_pinned = is_pinned;
    if (fg_store_open(&options, &arena, &message, &store) < 0)
        fail_msg("%s", message);
    return store;
}

/* The spans alone, or the rollups too: calls between spans of two segments are counted when they
 * are merged, and retries no longer. Line by line, so that a failure names the
 * span. */
static void check(struct fg_store *store, bool with_rollups)
{
    const uint8_t *spans_end = memmem(expected.data, expected.size, "\nrollups\n", 9);
    assert_non_null(spans_end);
    size_t size = with_rollups ? expected.size : (size_t)(spans_end - expected.data);
    size_t line = 0;
    fg_buffer_reset(&text);
    golden_text(store, &text);
    for (size_t i = 0; i < size && i < text.size; i++) {
        if (expected.data[i] != text.data[i])
            fail_msg("expected %.300s\nread %.300s", (const char *)expected.data + line,
                     (const char *)text.data + line);
        line = expected.data[i] == '\n' ? i + 1 : line;
    }
    assert_true(size > 10000);
    if (with_rollups)
        assert_int_equal(text.size, size);
    else
        assert_memory_equal(text.data + size, "\nrollups\n", 9);
}

static void it_is_read_whole(void **state)
{
    (void)state;
    struct fg_store *store = open_store(true);
    check(store, true);
    fg_store_close(store, false);
    store = open_store(false);
    check(store, true);
    fg_store_close(store, false);
    store = open_store(false);
    check(store, true);
    fg_store_close(store, false);
}

static void on_damage(void *arg, const char *file, uint64_t offset, const char *what)
{
    (void)arg;
    print_message("%s at %d: %s\n", file, (int)offset, what);
}

static void it_has_no_damage(void **state)
{
    (void)state;
    uint64_t count;
    assert_int_equal(fg_store_verify(fg_sim_env(sim), "/store", on_damage, NULL, NULL, &count), 0);
    assert_int_equal(count, 0);
}

static void it_goes_on(void **state)
{
    (void)state;
    struct fg_store *store = open_store(false);
    assert_int_equal(fg_store_seal(store), 0);
    check(store, false);
    assert_int_equal(fg_store_settle(store), 0);
    check(store, false);
    fg_store_close(store, true);
    store = open_store(false);
    check(store, false);
    fg_store_close(store, false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_read_whole, begin, finish),
        cmocka_unit_test_setup_teardown(it_has_no_damage, begin, finish),
        cmocka_unit_test_setup_teardown(it_goes_on, begin, finish),
    };
    folder = argc > 1 ? argv[1] : "v1";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
