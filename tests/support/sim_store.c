#include "sim_store.h"

#include "span/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void open_store(struct sim_store *on)
{
    struct fg_store_options options = fg_store_options_default(fg_sim_env(on->sim), "data");
    struct fg_arena arena;
    const char *message = "";
    options.manual = true;
    options.reserve_bytes = 0;
    options.wal_segment_size = (uint64_t)4 << 20;
    options.merge_rate_bytes = 0;
    options.scan_threads = on->scan_threads;
    options.scan_alone_ns = 0;
    options.consumers = on->consumer;
    options.consumer_count = on->consumer ? 1 : 0;
    fg_arena_init(&arena, 64 << 10);
    int r = fg_store_open(&options, &arena, &message, &on->store);
    if (r < 0)
        fail_msg("%s: %s", fg_error_name(r), message);
    fg_arena_free(&arena);
}

void sim_store_open(struct sim_store *on, uint64_t seed)
{
    sim_store_open_for(on, seed, NULL);
}

void sim_store_open_for(struct sim_store *on, uint64_t seed,
                        const struct fg_consumer_options *consumer)
{
    *on = (struct sim_store){.consumer = consumer};
    assert_int_equal(fg_sim_new(seed, &on->sim), 0);
    open_store(on);
}

void sim_store_open_helped(struct sim_store *on, uint64_t seed, unsigned scan_threads)
{
    *on = (struct sim_store){.scan_threads = scan_threads};
    assert_int_equal(fg_sim_new(seed, &on->sim), 0);
    open_store(on);
}

void sim_store_close(struct sim_store *on)
{
    fg_store_close(on->store, false);
    fg_sim_free(on->sim);
}

void sim_store_restart(struct sim_store *on)
{
    fg_store_close(on->store, false);
    open_store(on);
}

struct waiting {
    struct fg_append append;
    bool is_done;
    int result;
};

static void done(struct fg_append *append, int result)
{
    struct waiting *waiting = (struct waiting *)append;
    waiting->is_done = true;
    waiting->result = result;
}

void sim_store_append(struct sim_store *on, struct fg_builder *builder)
{
    struct waiting waiting = {.append = {.tenant = on->tenant, .done = done}};
    bool did = true;
    assert_int_equal(fg_block_freeze(builder, &waiting.append.block), 0);
    assert_int_equal(fg_store_append_take(on->store, &waiting.append), 0);
    while (!waiting.is_done && did)
        assert_int_equal(fg_store_step(on->store, &did), 0);
    assert_true(waiting.is_done);
    assert_int_equal(waiting.result, 0);
}
