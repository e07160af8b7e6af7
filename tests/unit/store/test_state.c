/* store/state.h on the real disk: against a plain table in memory, killed in the middle of commits,
 * full, damaged, compacted, copied. */
#include "store/state.h"

#include "os/process.h"
#include "os/thread.h"
#include "random_batch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE_MAX_BYTES ((uint64_t)16 << 20)

static char folder[64];
static struct fg_state *state;
static uint32_t table;

static int try_open(uint64_t size_max, bool read_only)
{
    struct fg_state_options options = {
        .folder = folder, .size_max = size_max, .read_only = read_only};
    struct fg_arena arena;
    const char *message = "";
    fg_arena_init(&arena, 4096);
    int r = fg_state_open(&options, &arena, &message, &state);
    if (r < 0) {
        state = NULL;
        assert_true(strlen(message) > 20);
    }
    fg_arena_free(&arena);
    return r;
}

static void open_state(uint64_t size_max)
{
    assert_int_equal(try_open(size_max, false), 0);
    assert_int_equal(fg_state_table(state, "things", &table), 0);
}

static void close_state(void)
{
    fg_state_close(state);
    state = NULL;
}

static int set_up(void **unused)
{
    (void)unused;
    /* In memory where there is such a disk: what a kill leaves is the same. */
    snprintf(folder, sizeof folder, "/dev/shm/test-state-XXXXXX");
    if (!mkdtemp(folder)) {
        snprintf(folder, sizeof folder, "/tmp/test-state-XXXXXX");
        if (!mkdtemp(folder))
            return -1;
    }
    open_state(SIZE_MAX_BYTES);
    return 0;
}

static void remove_all(const char *path)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
}

static int tear_down(void **unused)
{
    (void)unused;
    close_state();
    remove_all(folder);
    return 0;
}

static struct fg_state_batch *batch_new(void)
{
    struct fg_state_batch *batch;
    assert_int_equal(fg_state_batch_new(state, &batch), 0);
    return batch;
}

static struct fg_slice text(const char *string)
{
    return fg_slice_from_string(string);
}

static int put_one(const char *key, struct fg_slice value)
{
    struct fg_state_batch *batch = batch_new();
    fg_state_put(batch, table, text(key), value);
    return fg_state_commit_take(state, batch);
}

static void assert_holds(const char *key, const char *value)
{
    struct fg_state_view *view;
    struct fg_slice is;
    assert_int_equal(fg_state_view_take(state, &view), 0);
    int r = fg_state_get(view, table, text(key), &is);
    if (value) {
        assert_int_equal(r, 0);
        assert_true(fg_slice_equal(is, text(value)));
    } else {
        assert_int_equal(r, FG_ENOTFOUND);
    }
    fg_state_view_release(view);
}

/* -- Against a plain table */

#define KEYS 64u

struct twin {
    bool is_there[KEYS];
    uint32_t seed[KEYS], size[KEYS];
};

/* Keys of several lengths, of which some are prefixes of others. */
static struct fg_slice key_of(uint32_t i, char bytes[24])
{
    int size = snprintf(bytes, 24, "%c%.*s", 'a' + (int)(i % 4), (int)(i / 4), "bbbbbbbbbbbbbbbb");
    return fg_slice(bytes, (size_t)size);
}

static struct fg_slice value_of(uint32_t seed, uint32_t size, uint8_t bytes[20000])
{
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((seed + i) * 2654435761u >> 24);
    return fg_slice(bytes, size);
}

struct walk {
    const struct twin *twin;
    uint32_t expected[KEYS], count, at, stop_at;
};

static int compare_keys(const void *a, const void *b)
{
    char x[24], y[24];
    return fg_slice_compare(key_of(*(const uint32_t *)a, x), key_of(*(const uint32_t *)b, y));
}

static int on_entry(void *arg, struct fg_slice key, struct fg_slice value)
{
    static uint8_t bytes[20000];
    struct walk *walk = arg;
    char expected[24];
    assert_true(walk->at < walk->count);
    uint32_t i = walk->expected[walk->at++];
    assert_true(fg_slice_equal(key, key_of(i, expected)));
    assert_true(fg_slice_equal(value, value_of(walk->twin->seed[i], walk->twin->size[i], bytes)));
    return walk->at == walk->stop_at ? 7 : 0;
}

static void check_walk(struct fg_state_view *view, const struct twin *twin, struct fg_slice prefix,
                       struct fg_slice after, uint32_t stop_at)
{
    struct walk walk = {.twin = twin, .stop_at = stop_at};
    for (uint32_t i = 0; i < KEYS; i++) {
        char bytes[24];
        struct fg_slice key = key_of(i, bytes);
        if (twin->is_there[i] && fg_slice_starts_with(key, prefix) &&
            (after.size == 0 || fg_slice_compare(key, after) > 0))
            walk.expected[walk.count++] = i;
    }
    qsort(walk.expected, walk.count, sizeof *walk.expected, compare_keys);
    int r = fg_state_each(view, table, prefix, after, on_entry, &walk, NULL);
    assert_int_equal(r, stop_at && walk.count >= stop_at ? 7 : 0);
    assert_int_equal(walk.at, r ? stop_at : walk.count);
}

static void check_twin(const struct twin *twin, struct test_random *random)
{
    static uint8_t bytes[20000];
    struct fg_state_view *view;
    char key[24], prefix[24], after[24];
    assert_int_equal(fg_state_view_take(state, &view), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct fg_slice value;
        int r = fg_state_get(view, table, key_of(i, key), &value);
        assert_int_equal(r, twin->is_there[i] ? 0 : FG_ENOTFOUND);
        if (r == 0)
            assert_true(fg_slice_equal(value, value_of(twin->seed[i], twin->size[i], bytes)));
    }
    check_walk(view, twin, fg_slice(NULL, 0), fg_slice(NULL, 0), 0);
    check_walk(view, twin, key_of(test_random_below(random, KEYS), prefix),
               key_of(test_random_below(random, KEYS), after), test_random_below(random, 4));
    fg_state_view_release(view);
}

static void change(struct twin *twin, struct test_random *random, struct fg_state_batch *batch)
{
    static uint8_t bytes[20000];
    char key[24];
    uint32_t i = test_random_below(random, KEYS), dice = test_random_below(random, 20);
    if (dice == 0) {
        struct fg_slice prefix = key_of(i, key);
        fg_state_delete_prefix(batch, table, prefix);
        for (uint32_t k = 0; k < KEYS; k++) {
            char other[24];
            twin->is_there[k] &= !fg_slice_starts_with(key_of(k, other), prefix);
        }
    } else if (dice < 6) {
        fg_state_delete(batch, table, key_of(i, key));
        twin->is_there[i] = false;
    } else {
        twin->is_there[i] = true;
        twin->seed[i] = (uint32_t)test_random_u64(random);
        twin->size[i] = test_random_below(random, dice < 8 ? 20000 : 100);
        fg_state_put(batch, table, key_of(i, key), value_of(twin->seed[i], twin->size[i], bytes));
    }
}

static void random_lives_match_a_plain_table(void **unused)
{
    (void)unused;
    struct test_random random = {.state = 20261126};
    struct twin twin = {.is_there = {false}};
    for (int step = 0; step < 300; step++) {
        struct fg_state_batch *batch = batch_new();
        struct twin before = twin;
        for (uint32_t i = test_random_below(&random, 12); i > 0; i--)
            change(&twin, &random, batch);
        uint32_t dice = test_random_below(&random, 10);
        int expected = 0;
        if (dice == 0) { /* a batch that can't be: nothing of it is there */
            fg_state_expect(batch, table, text("never"), &(struct fg_slice){0});
            expected = FG_EBUSY;
        } else if (dice == 1) {
            fg_state_put(batch, table, fg_slice(NULL, 0), text("a value"));
            expected = FG_EINVALID;
        } else if (dice == 2) {
            fg_state_batch_fail(batch, FG_ENOMEM);
            fg_state_put(batch, table, text("a key"), text("a value"));
            expected = FG_ENOMEM;
        }
        assert_int_equal(fg_state_commit_take(state, batch), expected);
        if (expected)
            twin = before;
        if (test_random_below(&random, 25) == 0)
            assert_int_equal(fg_state_compact(state), 0);
        if (test_random_below(&random, 25) == 0) {
            close_state();
            open_state(SIZE_MAX_BYTES);
        }
        check_twin(&twin, &random);
    }
}

/* -- What a batch is */

static void a_batch_names_what_it_expects(void **unused)
{
    (void)unused;
    struct fg_slice one = text("1"), two = text("2");
    struct fg_state_batch *batch = batch_new();
    fg_state_expect(batch, table, text("user"), NULL);
    fg_state_put(batch, table, text("user"), one);
    assert_int_equal(fg_state_commit_take(state, batch), 0);

    batch = batch_new();
    fg_state_put(batch, table, text("other"), one);
    fg_state_expect(batch, table, text("user"), NULL);
    assert_int_equal(fg_state_commit_take(state, batch), FG_EEXIST);
    assert_holds("other", NULL);

    batch = batch_new();
    fg_state_expect(batch, table, text("user"), &two);
    fg_state_put(batch, table, text("user"), two);
    assert_int_equal(fg_state_commit_take(state, batch), FG_EBUSY);
    assert_holds("user", "1");

    batch = batch_new();
    fg_state_expect(batch, table, text("user"), &one);
    fg_state_put(batch, table, text("user"), two);
    assert_int_equal(fg_state_commit_take(state, batch), 0);
    assert_holds("user", "2");
}

static void a_view_shows_one_commit(void **unused)
{
    (void)unused;
    struct fg_state_view *view;
    struct fg_slice value;
    assert_int_equal(put_one("key", text("before")), 0);
    assert_int_equal(fg_state_view_take(state, &view), 0);
    assert_int_equal(put_one("key", text("after")), 0);
    assert_int_equal(fg_state_get(view, table, text("key"), &value), 0);
    assert_true(fg_slice_equal(value, text("before")));
    fg_state_view_release(view);
    assert_holds("key", "after");
}

static void tables_are_apart_and_keep_their_names(void **unused)
{
    (void)unused;
    uint32_t other, again, first = table;
    assert_int_equal(fg_state_table(state, "others", &other), 0);
    assert_int_equal(fg_state_table(state, "things", &again), 0);
    assert_int_equal(again, first);
    assert_int_not_equal(other, first);
    assert_int_equal(put_one("key", text("value")), 0);
    table = other;
    assert_holds("key", NULL);
    assert_int_equal(fg_state_compact(state), 0);
    assert_holds("key", NULL);
    table = first;
    assert_holds("key", "value");
    close_state();
    open_state(SIZE_MAX_BYTES);
    assert_holds("key", "value");
    assert_int_equal(fg_state_table(state, "", &again), FG_EINVALID);
    assert_int_equal(fg_state_tenant_table(state, "things", 0, &again), 0);
    assert_int_equal(again, first);
    assert_int_equal(fg_state_tenant_table(state, "things", 7, &other), 0);
    assert_int_not_equal(other, first);
    table = other;
    assert_holds("key", NULL);
    table = first;
    for (unsigned i = 0; i < FG_STATE_TABLES_MAX + 1; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%u", i);
        int r = fg_state_table(state, name, &again);
        if (r < 0) {
            assert_int_equal(r, FG_ELIMIT);
            assert_true(i >= FG_STATE_TABLES_MAX - 8);
            return;
        }
    }
    fail_msg("tables without end");
}

static void positions_are_committed_with_what_they_cover(void **unused)
{
    (void)unused;
    uint64_t store_id, sequence;
    assert_int_equal(fg_state_position(state, "journeys", &store_id, &sequence), FG_ENOTFOUND);
    struct fg_state_batch *batch = batch_new();
    fg_state_put(batch, table, text("key"), text("value"));
    fg_state_put_position(batch, "journeys", 7, 4711);
    assert_int_equal(fg_state_commit_take(state, batch), 0);
    close_state();
    open_state(SIZE_MAX_BYTES);
    assert_int_equal(fg_state_position(state, "journeys", &store_id, &sequence), 0);
    assert_int_equal(store_id, 7);
    assert_int_equal(sequence, 4711);
}

/* -- Many at once */

#define THREADS        8
#define THREAD_COMMITS 40

static void commit_many(void *arg)
{
    char key[32];
    for (int i = 0; i < THREAD_COMMITS; i++) {
        snprintf(key, sizeof key, "%d-%d", *(int *)arg, i);
        assert_int_equal(put_one(key, text(key)), 0);
    }
}

static void commits_that_wait_share_a_sync(void **unused)
{
    (void)unused;
    struct fg_thread threads[THREADS];
    struct fg_state_counters counters;
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(fg_thread_start(&threads[i], "test", commit_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        fg_thread_join(&threads[i]);
    for (int i = 0; i < THREADS * THREAD_COMMITS; i++) {
        char key[32];
        snprintf(key, sizeof key, "%d-%d", i / THREAD_COMMITS, i % THREAD_COMMITS);
        assert_holds(key, key);
    }
    fg_state_counters(state, &counters);
    assert_int_equal(counters.commits, THREADS * THREAD_COMMITS);
    assert_true(counters.syncs <= counters.commits);
    assert_false(counters.is_failed);
}

/* Who holds a view waits for a commit while a compaction waits for the view. */
static void compact_once(void *arg)
{
    *(int *)arg = fg_state_compact(state);
}

static void a_compaction_waits_for_views_and_no_commit_for_it(void **unused)
{
    (void)unused;
    struct fg_state_view *view;
    struct fg_thread thread;
    int result = -100;
    assert_int_equal(fg_state_view_take(state, &view), 0);
    assert_int_equal(fg_thread_start(&thread, "test", compact_once, &result), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(put_one("key", text(i % 2 ? "odd" : "even")), 0);
        usleep(1000);
    }
    fg_state_view_release(view);
    fg_thread_join(&thread);
    assert_int_equal(result, 0);
    assert_holds("key", "odd");
}

/* -- kill -9 */

/* Each commit puts one number under two keys, and tells it when it is durable. */
static void commit_until_killed(int told)
{
    open_state(SIZE_MAX_BYTES);
    for (uint32_t n = 1;; n++) {
        struct fg_state_batch *batch = batch_new();
        char value[16];
        snprintf(value, sizeof value, "%u", n);
        fg_state_put(batch, table, text("first"), text(value));
        fg_state_put(batch, table, text(value), text("there"));
        fg_state_put(batch, table, text("second"), text(value));
        if (fg_state_commit_take(state, batch) < 0)
            _exit(1);
        if (write(told, &n, sizeof n) != sizeof n)
            _exit(1);
        if (n % 50 == 0 && fg_state_compact(state) < 0)
            _exit(1);
    }
}

static uint32_t number_at(const char *key)
{
    struct fg_state_view *view;
    struct fg_slice value;
    char bytes[16] = {0};
    assert_int_equal(fg_state_view_take(state, &view), 0);
    assert_int_equal(fg_state_get(view, table, text(key), &value), 0);
    memcpy(bytes, value.data, value.size);
    fg_state_view_release(view);
    return (uint32_t)strtoul(bytes, NULL, 10);
}

static void what_was_committed_outlives_a_kill(void **unused)
{
    (void)unused;
    struct test_random random = {.state = 9};
    for (int life = 0; life < 8; life++) {
        int pipes[2];
        uint32_t n, last = 0;
        close_state();
        remove_all(folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(pipes[0]);
            commit_until_killed(pipes[1]);
        }
        close(pipes[1]);
        for (uint32_t k = 1 + test_random_below(&random, 120); k > 0; k--) {
            assert_int_equal(read(pipes[0], &n, sizeof n), sizeof n);
            last = n;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &n, sizeof n) == sizeof n)
            last = n;
        close(pipes[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        open_state(SIZE_MAX_BYTES);
        uint32_t first = number_at("first");
        assert_int_equal(first, number_at("second")); /* a commit is there whole */
        assert_true(first == last || first == last + 1);
        for (n = 1; n <= first; n++) {
            char key[16];
            snprintf(key, sizeof key, "%u", n);
            assert_holds(key, "there");
        }
    }
}

/* -- Full */

static void a_full_state_refuses_and_can_be_emptied(void **unused)
{
    (void)unused;
    static uint8_t bytes[20000];
    char key[24];
    int r = 0;
    uint32_t n = 0;
    close_state();
    open_state((uint64_t)1 << 20);
    for (; r == 0 && n < 1000; n++) {
        snprintf(key, sizeof key, "%05u", n);
        r = put_one(key, value_of(n, 8000, bytes));
    }
    assert_int_equal(r, FG_ELIMIT);
    assert_true(n > 80 && n < 200);
    assert_int_equal(put_one("small", text("value")), FG_ELIMIT);
    assert_holds("small", NULL);
    struct fg_state_batch *batch = batch_new();
    fg_state_delete_prefix(batch, table, text("000"));
    fg_state_put_position(batch, "journeys", 1, 2);
    assert_int_equal(fg_state_commit_take(state, batch), 0);
    for (n = 0; n < 300; n++) /* room that was freed is used again */
        assert_int_equal(put_one("small", value_of(n, 8000, bytes)), 0);
    struct fg_state_counters counters;
    fg_state_counters(state, &counters);
    assert_true(counters.used_bytes <= counters.file_bytes);
    assert_true(counters.file_bytes < (uint64_t)2 << 20);
}

/* -- Its bytes */

static struct fg_slice map_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(data, MAP_FAILED);
    close(fd);
    return fg_slice(data, (size_t)st.st_size);
}

static void unmap(struct fg_slice bytes)
{
    munmap((void *)(uintptr_t)bytes.data, bytes.size);
}

static uint8_t *find(struct fg_slice bytes, const char *what)
{
    return memmem(bytes.data, bytes.size, what, strlen(what));
}

/* The most that files took of this process's memory while it read. */
static int note_file_bytes(void *arg, struct fg_slice key, struct fg_slice value)
{
    (void)key;
    uint64_t *most = arg, bytes = fg_process_file_bytes();
    assert_int_equal(value.size, 2000);
    *most = bytes > *most ? bytes : *most;
    return 0;
}

static uint64_t most_while_all_is_read(uint64_t before)
{
    struct fg_state_view *view;
    uint64_t most = before;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fg_state_view_take(state, &view), 0);
        assert_int_equal(
            fg_state_each(view, table, text(""), text(""), note_file_bytes, &most, NULL), 0);
        fg_state_view_release(view);
    }
    return most;
}

static void what_was_read_is_no_memory_of_the_process(void **unused)
{
    (void)unused;
    static uint8_t value[2000];
    close_state();
    open_state((uint64_t)256 << 20);
    for (int i = 0; i < 8; i++) {
        struct fg_state_batch *batch = batch_new();
        for (int k = 0; k < 2000; k++) {
            char key[32];
            snprintf(key, sizeof key, "%05d", (i * 2000 + k) * 7919 % 16000);
            fg_state_put(batch, table, text(key), fg_slice(value, sizeof value));
        }
        assert_int_equal(fg_state_commit_take(state, batch), 0);
    }
    uint64_t before = fg_process_file_bytes();
    assert_true(before > 0);
    assert_true(most_while_all_is_read(before) < before + (16 << 20)); /* of 64 MiB */
    fg_state_allow_pages(state, 24 << 20, 0);
    uint64_t allowed = most_while_all_is_read(before);
    assert_true(allowed > before + (20 << 20) && allowed < before + (48 << 20));
    fg_state_allow_pages(state, 0, 24 << 20);
    assert_true(most_while_all_is_read(before) < before + (48 << 20)); /* it goes with the next */
    assert_true(most_while_all_is_read(before) < before + (16 << 20));
}

static void compacting_leaves_nothing_of_what_was_deleted(void **unused)
{
    (void)unused;
    char path[128];
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    assert_int_equal(put_one("secret", text("correct horse battery staple")), 0);
    assert_int_equal(put_one("key", text("value")), 0);
    struct fg_state_batch *batch = batch_new();
    fg_state_delete(batch, table, text("secret"));
    assert_int_equal(fg_state_commit_take(state, batch), 0);
    struct fg_slice bytes = map_file(path);
    assert_non_null(find(bytes, "battery")); /* what a compaction is for */
    unmap(bytes);
    assert_int_equal(fg_state_compact(state), 0);
    bytes = map_file(path);
    assert_null(find(bytes, "battery"));
    assert_non_null(find(bytes, "value"));
    unmap(bytes);
    snprintf(path, sizeof path, "%s/state/compacting", folder);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(put_one("later", text("value")), 0);
    close_state();
    open_state(SIZE_MAX_BYTES);
    assert_holds("later", "value");
    assert_holds("key", "value");
}

static void an_unfinished_compaction_is_removed(void **unused)
{
    (void)unused;
    char path[128];
    close_state();
    snprintf(path, sizeof path, "%s/state/compacting", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/state/compacting/data.mdb", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("half", file);
    fclose(file);
    open_state(SIZE_MAX_BYTES);
    snprintf(path, sizeof path, "%s/state/compacting", folder);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_copy_is_a_state_of_its_own(void **unused)
{
    (void)unused;
    char copy[sizeof folder], original[sizeof folder];
    snprintf(copy, sizeof copy, "/tmp/test-state-XXXXXX");
    assert_non_null(mkdtemp(copy));
    uint64_t store_id, sequence;
    struct fg_state_batch *batch = batch_new();
    fg_state_put(batch, table, text("key"), text("value"));
    fg_state_put_position(batch, "ahead", 7, 4711);
    fg_state_put_position(batch, "behind", 7, 11);
    assert_int_equal(fg_state_commit_take(state, batch), 0);
    assert_int_equal(fg_state_copy(state, fg_env_real(), copy, 1000), 0);
    assert_int_equal(fg_state_copy(state, fg_env_real(), copy, 1000), FG_EEXIST);
    assert_int_equal(put_one("key", text("later")), 0);
    close_state();
    memcpy(original, folder, sizeof original);
    memcpy(folder, copy, sizeof folder);
    open_state(SIZE_MAX_BYTES);
    assert_holds("key", "value");
    assert_int_equal(fg_state_position(state, "ahead", &store_id, &sequence), 0);
    assert_int_equal(sequence, 1000); /* what its store has */
    assert_int_equal(store_id, 7);
    assert_int_equal(fg_state_position(state, "behind", &store_id, &sequence), 0);
    assert_int_equal(sequence, 11);
    close_state();
    remove_all(folder);
    memcpy(folder, original, sizeof folder);
    open_state(SIZE_MAX_BYTES);
    assert_holds("key", "later");
}

static void on_damage(void *arg, const char *name, const char *what)
{
    assert_string_equal(name, "things");
    assert_non_null(strstr(what, "damaged"));
    ++*(int *)arg;
}

static void a_damaged_value_costs_itself(void **unused)
{
    (void)unused;
    char path[128];
    int count = 0;
    struct fg_state_view *view;
    struct fg_slice value;
    assert_int_equal(put_one("one", text("a value that is damaged")), 0);
    assert_int_equal(put_one("two", text("a value that is not")), 0);
    close_state();
    assert_int_equal(fg_state_verify(folder, on_damage, &count), 0);
    assert_int_equal(count, 0);
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    struct fg_slice bytes = map_file(path);
    for (uint8_t *p; (p = find(bytes, "is damaged"));) /* in old pages as well */
        *p ^= 1;
    unmap(bytes);
    assert_int_equal(fg_state_verify(folder, on_damage, &count), 0);
    assert_int_equal(count, 1);
    open_state(SIZE_MAX_BYTES);
    assert_holds("two", "a value that is not");
    assert_int_equal(fg_state_view_take(state, &view), 0);
    assert_int_equal(fg_state_get(view, table, text("one"), &value), FG_ECORRUPT);
    fg_state_view_release(view);
    struct fg_state_batch *batch = batch_new();
    fg_state_delete(batch, table, text("one"));
    assert_int_equal(fg_state_commit_take(state, batch), 0);
}

static int read_value(void *arg, struct fg_slice key, struct fg_slice value)
{
    (void)key;
    *(uint64_t *)arg += value.size;
    return 0;
}

static void count_damage(void *arg, const char *name, const char *what)
{
    (void)name;
    (void)what;
    ++*(int *)arg;
}

/* A file that does not hang together is refused, before LMDB loses itself in it; in one that does,
 * what is wrong is a value. */
static void flipped_bits_lead_nobody_astray(void **unused)
{
    (void)unused;
    static uint8_t bytes[20000];
    struct test_random random = {.state = 4};
    char path[128], key[24];
    uint32_t refused = 0, damaged = 0;
    for (uint32_t i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key %u", test_random_below(&random, 120));
        uint32_t size = test_random_below(&random, i % 10 ? 300 : 9000);
        assert_int_equal(put_one(key, value_of(i, size, bytes)), 0);
    }
    close_state();
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    struct fg_slice file = map_file(path);
    uint8_t *copy = malloc(file.size);
    assert_non_null(copy);
    memcpy(copy, file.data, file.size);
    unmap(file);
    for (uint32_t i = 0; i < 400; i++) {
        size_t at = test_random_below(&random, (uint32_t)file.size);
        if (i % 2) /* most often where pages say what they are */
            at = at / 4096 * 4096 + at % 64;
        int count = 0;
        struct fg_slice now = map_file(path);
        uint8_t *map = (uint8_t *)(uintptr_t)now.data;
        map[at] = (uint8_t)(copy[at] ^ (1u << test_random_below(&random, 8)));
        unmap(now);
        int r = fg_state_verify(folder, count_damage, &count);
        assert_true(r == 0 || r == FG_ECORRUPT || r == FG_EUNSUPPORTED);
        refused += r < 0;
        damaged += count > 0;
        if (r == 0) {
            struct fg_state_view *view;
            uint64_t sum = 0;
            open_state(SIZE_MAX_BYTES);
            assert_int_equal(fg_state_view_take(state, &view), 0);
            r = fg_state_each(view, table, fg_slice(NULL, 0), fg_slice(NULL, 0), read_value, &sum,
                              NULL);
            assert_true(r == 0 || (r == FG_ECORRUPT && count > 0));
            fg_state_view_release(view);
            assert_int_equal(put_one("key 7", text("new")), 0);
            assert_holds("key 7", "new");
            close_state();
        } else {
            assert_true(try_open(SIZE_MAX_BYTES, false) == FG_ECORRUPT);
        }
        FILE *back = fopen(path, "wb");
        assert_non_null(back);
        assert_int_equal(fwrite(copy, 1, file.size, back), file.size);
        fclose(back);
    }
    free(copy);
    assert_true(refused > 20 && damaged > 20);
}

static void what_cannot_be_opened_is_said(void **unused)
{
    (void)unused;
    char path[128];
    uint32_t other;
    assert_int_equal(put_one("key", text("value")), 0);
    close_state();
    assert_int_equal(try_open(SIZE_MAX_BYTES, true), 0);
    assert_int_equal(fg_state_table(state, "others", &other), FG_ENOTFOUND);
    assert_int_equal(fg_state_table(state, "things", &table), 0);
    assert_holds("key", "value");
    assert_int_equal(put_one("key", text("other")), FG_EDENIED);
    assert_int_equal(fg_state_compact(state), FG_EDENIED);
    close_state();
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    struct fg_slice bytes = map_file(path);
    memset((void *)(uintptr_t)bytes.data, 0x5a, bytes.size < 8192 ? bytes.size : 8192);
    unmap(bytes);
    assert_int_equal(try_open(SIZE_MAX_BYTES, false), FG_ECORRUPT);
    remove_all(folder);
    assert_int_equal(try_open(SIZE_MAX_BYTES, true), FG_ENOTFOUND);
    int count = 0;
    assert_int_equal(fg_state_verify(folder, on_damage, &count), FG_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_lives_match_a_plain_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_names_what_it_expects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_view_shows_one_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_are_apart_and_keep_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(positions_are_committed_with_what_they_cover, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(commits_that_wait_share_a_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_compaction_waits_for_views_and_no_commit_for_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_committed_outlives_a_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_state_refuses_and_can_be_emptied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_read_is_no_memory_of_the_process, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(compacting_leaves_nothing_of_what_was_deleted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_compaction_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_is_a_state_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_value_costs_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flipped_bits_lead_nobody_astray, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
