/* The store with its threads, on the real machine: several who append, several who read, seals
 * beside them. Made for ThreadSanitizer. */
#include "base/limits.h"
#include "random_batch.h"
#include "span/block.h"
#include "store_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WRITERS       3
#define READERS       2
#define ROUNDS        60
#define SPANS_A_BATCH 40u

struct writer {
    struct fg_store *store;
    uint64_t seed;
    struct fg_thread thread;
    uint32_t acknowledged, refused;
};

struct reader {
    struct fg_store *store;
    struct fg_thread thread;
    atomic_bool is_over;
    uint64_t scans, rows, least;
};

/* One request: its thread waits for the answer, as a connection does. */
struct request {
    struct fg_append append;
    struct fg_mutex lock;
    struct fg_cond answered;
    bool is_answered;
    int result;
};

static void on_done(struct fg_append *append, int result)
{
    struct request *request = (struct request *)append;
    fg_mutex_lock(&request->lock);
    request->result = result;
    request->is_answered = true;
    fg_cond_signal(&request->answered);
    fg_mutex_unlock(&request->lock);
}

static struct fg_mutex making; /* random_batch_fill() is for one thread */

static struct fg_block *make_block(uint64_t seed)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    struct fg_block *block;
    options.span_count = SPANS_A_BATCH;
    if (fg_builder_new(&limits, &builder) < 0)
        abort();
    fg_mutex_lock(&making);
    random_batch_fill(builder, &options);
    fg_mutex_unlock(&making);
    if (fg_block_freeze(builder, &block) < 0)
        abort();
    fg_builder_free(builder);
    return block;
}

/* Acknowledged means found: the request's own trace, at once. */
static void must_be_found(struct fg_store *store, const struct fg_batch *batch)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_trace_result result;
    if (fg_builder_new(&limits, &builder) < 0 ||
        fg_store_trace(store, 0, batch->trace_id_high[0], batch->trace_id_low[0], builder,
                       &result) != 0)
        abort();
    fg_builder_free(builder);
}

/* Appends and waits for the answer. */
static int ask(struct fg_store *store, struct fg_block *block, uint64_t request_hash)
{
    struct request request = {
        .append = {.block = fg_block_ref(block), .request_hash = request_hash, .done = on_done}};
    fg_mutex_init(&request.lock, FG_RANK_LEAF);
    fg_cond_init(&request.answered);
    int r = fg_store_append_take(store, &request.append);
    fg_mutex_lock(&request.lock);
    while (r == 0 && !request.is_answered)
        fg_cond_wait(&request.answered, &request.lock);
    r = r == 0 ? request.result : r;
    fg_mutex_unlock(&request.lock);
    fg_mutex_destroy(&request.lock);
    fg_cond_destroy(&request.answered);
    return r;
}

static void write_on(void *arg)
{
    struct writer *writer = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct fg_block *block = make_block(writer->seed + i);
        int r = ask(writer->store, block, writer->seed + i);
        while (r == FG_EAGAIN) { /* both heads are full */
            writer->refused++;
            usleep(2000);
            r = ask(writer->store, block, writer->seed + i);
        }
        if (r != 0)
            abort();
        writer->acknowledged++;
        must_be_found(writer->store, fg_block_batch(block));
        fg_block_unref(block);
    }
}

static int count_rows(void *arg, const struct fg_scan_rows *rows)
{
    uint64_t *count = arg;
    for (uint32_t i = rows->row_begin; i < rows->row_end; i += 64)
        *count += (uint64_t)__builtin_popcountll(rows->bits[(i - rows->row_begin) / 64]);
    return 0;
}

static uint64_t scan_all(struct fg_store *store)
{
    uint64_t count = 0;
    struct fg_read_stats stats = {0};
    struct fg_scan scan = {.start_ns_max = UINT64_MAX, .rows = count_rows, .arg = &count};
    int r = fg_store_scan(store, &scan, &stats);
    if (r != 0 && r != FG_ETIMEOUT) /* ended, since it pinned too many heads */
        abort();
    return r == 0 ? count : 0;
}

/* Nothing ever goes: a later scan sees at least what an earlier one saw. */
static void read_on(void *arg)
{
    struct reader *reader = arg;
    do {
        uint64_t rows = scan_all(reader->store);
        if (rows && rows < reader->least)
            abort();
        reader->least = rows > reader->least ? rows : reader->least;
        struct fg_store_counters counters;
        fg_store_counters(reader->store, &counters);
        reader->scans++;
    } while (!atomic_load(&reader->is_over));
}

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static struct fg_store *open_store(void)
{
    struct fg_arena arena;
    const char *message = "";
    struct fg_store *store = NULL;
    struct fg_store_options options = fg_store_options_default(fg_env_real(), folder);
    options.head_size_max = 200 << 10;
    options.wal_segment_size = 256 << 10;
    options.reserve_bytes = 1 << 20;
    fg_arena_init(&arena, 64 << 10);
    int r = fg_store_open(&options, &arena, &message, &store);
    if (r != 0)
        fail_msg("%s", message);
    fg_arena_free(&arena);
    return store;
}

static void test_all_at_once(void **state)
{
    (void)state;
    struct writer writers[WRITERS] = {0};
    struct reader readers[READERS] = {0};
    struct fg_store *store = open_store();
    struct fg_store_counters counters;
    fg_store_counters(store, &counters);
    assert_true(counters.wal_size_bytes > 0); /* the first commit finds its file */
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = store, .seed = 1 + 1000 * (uint64_t)i};
        assert_int_equal(fg_thread_start(&writers[i].thread, "writer", write_on, &writers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        readers[i].store = store;
        assert_int_equal(fg_thread_start(&readers[i].thread, "reader", read_on, &readers[i]), 0);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(fg_store_seal(store), 0);
    uint64_t acknowledged = 0;
    for (int i = 0; i < WRITERS; i++) {
        fg_thread_join(&writers[i].thread);
        acknowledged += writers[i].acknowledged;
    }
    for (int i = 0; i < READERS; i++) {
        atomic_store(&readers[i].is_over, true);
        fg_thread_join(&readers[i].thread);
        assert_true(readers[i].scans > 0);
    }
    assert_int_equal(acknowledged, WRITERS * ROUNDS);
    assert_int_equal(scan_all(store), acknowledged * SPANS_A_BATCH);
    fg_store_counters(store, &counters);
    assert_true(counters.seals > 2);
    assert_int_equal(counters.appended_requests, acknowledged);
    fg_store_close(store, false);
    store = open_store();
    assert_int_equal(scan_all(store), acknowledged * SPANS_A_BATCH);
    fg_store_close(store, true);
    store = open_store();
    fg_store_counters(store, &counters);
    assert_int_equal(counters.recovered_records, 0);
    assert_int_equal(scan_all(store), acknowledged * SPANS_A_BATCH);
    fg_store_close(store, false);
}

/* Senders who fill a head as fast as they are let are slowed evenly: the head is not full before
 * the seal's end, though the seal takes a fourth as long again as was expected, and no commit waits
 * long. */
static void test_commits_pace_themselves(void **state)
{
    (void)state;
    const uint64_t size = 64 << 20, commit = 200 << 10, expected_ns = FG_NS_PER_SECOND;
    uint64_t bytes = 0, longest_ns = 0;
    for (uint64_t now_ns = 0; now_ns < expected_ns / 4 * 5;) {
        uint64_t delay_ns = fg_commit_delay_ns(commit, size - bytes, expected_ns, now_ns);
        longest_ns = delay_ns > longest_ns ? delay_ns : longest_ns;
        now_ns += delay_ns;
        bytes += commit;
        assert_true(bytes < size);
    }
    assert_true(bytes > size / 4 * 3); /* and the room is used */
    assert_true(longest_ns < FG_COMMIT_DELAY_NS_MAX);
    assert_int_equal(fg_commit_delay_ns(commit, 0, expected_ns, 0), FG_COMMIT_DELAY_NS_MAX);
    assert_true(fg_commit_delay_ns(commit, size, expected_ns / 100, 0) < FG_NS_PER_MS / 10);
    /* merges that fall behind slow it too, before anything is refused */
    assert_int_equal(fg_commit_merge_delay_ns(commit, 500), 0);
    assert_true(fg_commit_merge_delay_ns(commit, 550) > 0);
    assert_true(fg_commit_merge_delay_ns(commit, 550) < fg_commit_merge_delay_ns(commit, 900));
    assert_int_equal(fg_commit_merge_delay_ns(commit, 1000), commit * FG_MERGE_SLOW_BYTE_NS);
    assert_int_equal(fg_commit_merge_delay_ns(100 * commit, 1000), FG_COMMIT_DELAY_NS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once),
                                       cmocka_unit_test(test_commits_pace_themselves)};
    fg_mutex_init(&making, FG_RANK_LEAF);
    snprintf(folder, sizeof folder, "/tmp/filigree-test-%ld", (long)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder();
    return failed;
}
