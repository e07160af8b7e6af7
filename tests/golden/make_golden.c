/* Writes the folder of a format's version, and what it must say, once and for ever:
 *
 *     make_golden tests/golden/v1
 *
 * It has every kind of file: sealed and merged segments, a segment of kept traces, a rollup file,
 * and a log with records that are not sealed; of two tenants, over several days. */
#include "golden_text.h"
#include "random_batch.h"
#include "sim_env.h"
#include "span/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS   UINT64_C(86400000000000)
#define BEGIN_NS (UINT64_C(20454) * DAY_NS)

static struct fg_store *store;
static uint64_t pinned_low;
static int result;

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "make_golden: %s\n", what);
    exit(1);
}

static void on_done(struct fg_append *append, int r)
{
    result = r;
    free(append);
}

static bool is_pinned(void *arg, uint32_t tenant, uint64_t high, uint64_t low)
{
    (void)arg;
    (void)tenant;
    (void)high;
    return low == pinned_low;
}

static void append(uint64_t seed, uint32_t tenant, uint32_t day, uint32_t count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    struct fg_builder *builder;
    struct fg_append *request = calloc(1, sizeof *request);
    bool did = true;
    options.span_count = count;
    options.start_ns = BEGIN_NS + day * DAY_NS;
    options.spread_ns = DAY_NS / 4;
    options.odd_percent = 30;
    must(request && fg_builder_new(&limits, &builder) == 0, "out of memory");
    random_batch_fill(builder, &options);
    struct fg_batch batch;
    fg_builder_view(builder, &batch);
    if (pinned_low == 0)
        pinned_low = batch.trace_id_low[0];
    must(fg_block_freeze(builder, &request->block) == 0, "out of memory");
    fg_builder_free(builder);
    request->tenant = tenant;
    request->done = on_done;
    result = 1;
    must(fg_store_append_take(store, request) == 0, "an append was refused");
    while (did && result == 1)
        must(fg_store_step(store, &did) == 0, "a step failed");
    must(result == 0, "an append failed");
}

static void seal(void)
{
    must(fg_store_seal(store) == 0, "a seal failed");
}

static void fill(struct fg_sim *sim)
{
    append(1, 0, 0, 60); /* expires, but for its first trace */
    seal();
    fg_sim_advance(sim, 3 * DAY_NS);
    must(fg_store_settle(store) == 0, "upkeep failed");
    for (uint64_t i = 0; i < 4; i++) {
        append(10 + i, i % 2, 2, 50);
        seal();
    }
    must(fg_store_settle(store) == 0, "upkeep failed");
    append(10, 0, 2, 50); /* a retry, as it came and sealed anew */
    append(20, 0, 3, 40);
    seal();
    append(30, 1, 3, 20); /* in the log */
    append(31, 0, 3, 20);
}

int main(int argc, char **argv)
{
    struct fg_sim *sim;
    struct fg_arena arena;
    struct fg_buffer text;
    struct fg_file *file;
    const char *message = "";
    char path[512];
    must(argc == 2, "name the folder to write");
    must(fg_sim_new(1, &sim) == 0, "out of memory");
    fg_sim_set_wall_ns(sim, BEGIN_NS + DAY_NS / 2);
    fg_arena_init(&arena, 1 << 20);
    fg_buffer_init(&text, 64 << 20);
    struct fg_store_options options = fg_store_options_default(fg_sim_env(sim), "/store");
    options.manual = true;
    options.reserve_bytes = 0;
    options.wal_segment_size = 256 << 10;
    options.retention =
        (struct fg_retention){.age_ns = 3 * DAY_NS / 2, .pinned_bytes_max = 1 << 20};
    options.is_pinned = is_pinned;
    must(fg_store_open(&options, &arena, &message, &store) == 0, message);
    fill(sim);
    golden_text(store, &text);
    fg_store_close(store, false);
    golden_copy(fg_sim_env(sim), "/store", fg_env_real(), argv[1]);
    snprintf(path, sizeof path, "%s.txt", argv[1]);
    must(fg_env_open(fg_env_real(), path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE,
                     &file) == 0 &&
             fg_file_pwrite(file, 0, text.data, text.size) == 0,
         "can't write the text");
    fg_file_close(file);
    fg_buffer_free(&text);
    fg_arena_free(&arena);
    fg_sim_free(sim);
    return 0;
}
