/* fg_store_follow(): spans in the order of their acknowledgement, each once, and a true count of
 * those that were missed. */
#include "random_batch.h"
#include "sim_store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct seen {
    uint64_t trace_ids[4000];
    uint32_t count;
    uint32_t stop_after; /* calls; 0: never */
    uint32_t calls;
};

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct seen *seen = arg;
    for (uint32_t i = rows->row_begin; i < rows->row_end; i++)
        if (rows->bits[i / 64] >> (i % 64) & 1)
            seen->trace_ids[seen->count++] = rows->batch->trace_id_low[i];
    seen->calls++;
    return seen->calls == seen->stop_after ? 7 : 0;
}

/* Sends spans numbered from *next on. */
static void send(struct sim_store *on, uint64_t *next, uint32_t count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    uint32_t resource, scope;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    for (uint32_t i = 0; i < count; i++, ++*next) {
        struct fg_span span = {.trace_id_low = *next,
                               .span_id = *next,
                               .start_ns = UINT64_C(1764000000000000000) - *next, /* falling */
                               .end_ns = UINT64_C(1764000000000000000),
                               .name = *next % 3 ? FG_SLICE("other") : FG_SLICE("third"),
                               .resource = resource,
                               .scope = scope};
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    sim_store_append(on, builder);
    fg_builder_free(builder);
}

static int follow(struct sim_store *on, struct seen *seen, const struct fg_predicate *predicate,
                  struct fg_follow_position *position, uint64_t *missed)
{
    const struct fg_follow wanted = {.predicate = predicate, .rows = take_rows, .arg = seen};
    return fg_store_follow(on->store, &wanted, position, missed);
}

static void seen_are(const struct seen *seen, uint64_t begin, uint64_t end, uint64_t step)
{
    assert_int_equal(seen->count, (end - begin + step - 1) / step);
    for (uint32_t i = 0; i < seen->count; i++)
        assert_int_equal(seen->trace_ids[i], begin + i * step);
}

static void in_order_and_once(void **state)
{
    (void)state;
    static struct sim_store on;
    static struct seen seen;
    uint64_t next = 1, missed = 0;
    sim_store_open(&on, 1);
    send(&on, &next, 10); /* before the follower came */
    struct fg_follow_position position = fg_store_follow_end(on.store);
    seen = (struct seen){0};
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    assert_int_equal(seen.count, 0);
    for (int i = 0; i < 300; i++) /* more than a chunk of entries */
        send(&on, &next, 1 + (uint32_t)i % 3);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    seen_are(&seen, 11, next, 1);
    seen = (struct seen){0};
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(missed, 0);
    sim_store_close(&on);
}

static void only_what_matches(void **state)
{
    (void)state;
    static struct sim_store on;
    static struct seen seen;
    const struct fg_predicate third = {.op = FG_PRED_EQ,
                                       .field = FG_FIELD_NAME,
                                       .type = FG_VALUE_STRING,
                                       .string = FG_SLICE("third")};
    uint64_t next = 3, missed = 0;
    sim_store_open(&on, 2);
    struct fg_follow_position position = fg_store_follow_end(on.store);
    seen = (struct seen){0};
    send(&on, &next, 200);
    send(&on, &next, 64);
    assert_int_equal(follow(&on, &seen, &third, &position, &missed), 0);
    seen_are(&seen, 3, next, 3);
    sim_store_close(&on);
}

/* Whoever stops goes on after the batch that it stopped at. */
static void it_can_stop(void **state)
{
    (void)state;
    static struct sim_store on;
    static struct seen seen;
    uint64_t next = 1, missed = 0;
    sim_store_open(&on, 3);
    struct fg_follow_position position = fg_store_follow_end(on.store);
    seen = (struct seen){.stop_after = 2};
    for (int i = 0; i < 4; i++)
        send(&on, &next, 5);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 7);
    seen_are(&seen, 1, 11, 1);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    seen_are(&seen, 1, 21, 1);
    sim_store_close(&on);
}

static void what_was_sealed_is_missed(void **state)
{
    (void)state;
    static struct sim_store on;
    static struct seen seen;
    uint64_t next = 1, missed = 0;
    sim_store_open(&on, 4);
    struct fg_follow_position position = fg_store_follow_end(on.store);
    seen = (struct seen){0};
    send(&on, &next, 7);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    send(&on, &next, 20);
    assert_int_equal(fg_store_seal(on.store), 0);
    send(&on, &next, 30);
    assert_int_equal(fg_store_seal(on.store), 0);
    send(&on, &next, 5);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    assert_int_equal(missed, 50);
    assert_int_equal(seen.count, 12);
    assert_int_equal(seen.trace_ids[7], 58);
    /* Sealed after it was read: nothing is missed. */
    assert_int_equal(fg_store_seal(on.store), 0);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    send(&on, &next, 5);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    assert_int_equal(missed, 50);
    assert_int_equal(seen.count, 17);
    sim_store_close(&on);
}

static void after_a_start(void **state)
{
    (void)state;
    static struct sim_store on;
    static struct seen seen;
    uint64_t next = 1, missed = 0;
    sim_store_open(&on, 5);
    send(&on, &next, 9);
    sim_store_restart(&on);
    struct fg_follow_position position = fg_store_follow_end(on.store);
    seen = (struct seen){0};
    send(&on, &next, 4);
    assert_int_equal(follow(&on, &seen, NULL, &position, &missed), 0);
    seen_are(&seen, 10, 14, 1);
    assert_int_equal(missed, 0);
    sim_store_close(&on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_once), cmocka_unit_test(only_what_matches),
        cmocka_unit_test(it_can_stop),       cmocka_unit_test(what_was_sealed_is_missed),
        cmocka_unit_test(after_a_start),
    };
    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
