/* What is learned of completed journeys: quantiles against a sorted list, bounds, bytes and back,
 * and a proposal that the parser of flows takes. */
#include "learn.h"

#include "base/hash.h"
#include "base/limits.h"
#include "span/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND FG_NS_PER_SECOND

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A quantile is at most a bucket, 10 %, above the true one, and never below. */
static void test_sketch(void **state)
{
    static uint64_t took_ns[3000];
    struct fg_sketch sketch = {0}, again;
    struct fg_buffer bytes;
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        took_ns[i] = 1000000 + fg_hash_u64(i) % (600 * SECOND);
        fg_sketch_add(&sketch, took_ns[i]);
    }
    qsort(took_ns, 3000, sizeof *took_ns, compare);
    for (unsigned percent = 1; percent < 100; percent++) {
        uint64_t is = fg_sketch_quantile(&sketch, percent / 100.0);
        uint64_t true_ns = took_ns[percent * 30 - 1];
        assert_true(is >= true_ns);
        assert_true((double)is <= 1.11 * (double)true_ns);
    }
    fg_buffer_init(&bytes, 1 << 16);
    fg_sketch_encode(&sketch, &bytes);
    assert_int_equal(fg_sketch_decode(fg_buffer_slice(&bytes), &again), bytes.size);
    assert_memory_equal(&again, &sketch, sizeof sketch);
    assert_int_equal(fg_sketch_decode(fg_slice(bytes.data, bytes.size - 1), &again), 0);
    fg_buffer_free(&bytes);
    /* old times fade, and nothing overflows */
    for (unsigned i = 0; i < 200000; i++)
        fg_sketch_add(&sketch, 7 * SECOND);
    assert_true(sketch.count <= 4096);
    assert_true(fg_sketch_quantile(&sketch, 0.99) < 8 * SECOND);
}

static struct fg_learned_seen seen(const char *service, const char *name, double at)
{
    return (struct fg_learned_seen){fg_slice_from_string(service), fg_slice_from_string(name),
                                    FG_SPAN_KIND_SERVER, SECOND + (uint64_t)(at * 1e9)};
}

static void take(struct fg_learned *learned, const struct fg_learned_seen *list, uint32_t count)
{
    assert_int_equal(fg_learned_take_seen(learned, list, count, 0), 0);
}

/* One in three is checked by hand, one in four goes by post and the others by courier; one in 25
 * stops half-way. */
static void learn_orders(struct fg_learned *learned, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct fg_learned_seen list[5];
        uint32_t n = 0;
        double step = 1 + i % 10;
        list[n++] = seen("shop", "POST /orders", 0);
        if (i % 3 == 0)
            list[n++] = seen("shop", "check \"by hand\"", step / 2);
        list[n++] = seen("mes", "price", step);
        if (i % 25 != 24) {
            list[n++] = seen("mes", i % 4 == 0 ? "post" : "courier", step + 20);
            list[n++] = seen("shop", "delivered", step + 40);
        }
        take(learned, list, n);
    }
}

static struct fg_flow parse(struct fg_buffer *yaml, struct fg_arena *arena, struct fg_flows *flows)
{
    struct fg_buffer errors;
    fg_buffer_init(&errors, 4096);
    *flows = (struct fg_flows){0};
    if (fg_flows_parse(fg_buffer_slice(yaml), "proposed", arena, &errors, flows) < 0)
        fail_msg("%.*s\n%.*s", (int)errors.size, (const char *)errors.data, (int)yaml->size,
                 (const char *)yaml->data);
    fg_buffer_free(&errors);
    assert_int_equal(flows->count, 1);
    return flows->flows[0];
}

static const struct fg_flow_step *step_of(const struct fg_flow *flow, const char *name,
                                          uint64_t *ret_bit)
{
    for (uint32_t i = 0; i < flow->step_count; i++)
        if (fg_slice_equal(flow->steps[i].name, fg_slice_from_string(name))) {
            *ret_bit = UINT64_C(1) << i;
            return &flow->steps[i];
        }
    fail_msg("there is no step %s", name);
    return NULL;
}

static void test_proposal(void **state)
{
    struct fg_learned *learned;
    struct fg_buffer yaml;
    struct fg_arena arena;
    struct fg_flows flows;
    uint64_t placed, checked, priced, post, courier, delivered;
    (void)state;
    fg_buffer_init(&yaml, 1 << 16);
    fg_arena_init(&arena, 1 << 20);
    assert_int_equal(fg_learned_new(NULL, &learned), 0);
    learn_orders(learned, 29);
    fg_learned_propose(learned, FG_SLICE("order.id"), true, &yaml);
    assert_int_equal(yaml.size, 0); /* too few */
    fg_learned_clear(learned);
    learn_orders(learned, 300);
    fg_learned_propose(learned, FG_SLICE("order.id"), true, &yaml);
    struct fg_flow flow = parse(&yaml, &arena, &flows);
    assert_int_equal(flow.step_count, 6);
    const struct fg_flow_step *step = step_of(&flow, "shop POST /orders", &placed);
    assert_int_equal(placed, 1);
    assert_int_equal(step->after, 0);
    assert_false(step->optional);
    step = step_of(&flow, "shop check \"by hand\"", &checked);
    assert_true(step->optional);
    assert_int_equal(step->after, placed);
    step = step_of(&flow, "mes price", &priced);
    assert_false(step->optional);
    assert_int_equal(step->after, placed | checked);
    /* from placed, whether or not it was checked between: 10 s at most, and 10 s of margin */
    assert_in_range(step->within_ns, 20 * SECOND, 21 * SECOND);
    assert_true(step_of(&flow, "mes post", &post)->optional);
    assert_true(step_of(&flow, "mes courier", &courier)->optional);
    step = step_of(&flow, "shop delivered", &delivered);
    assert_int_equal(step->after, post | courier | priced);
    assert_false(step->optional);
    assert_int_equal(step->ends, FG_FLOW_ENDS_DONE);
    assert_in_range(step->within_ns, 80 * SECOND, 86 * SECOND); /* twice 40 s */
    assert_true(fg_slice_equal(step->condition,
                               FG_SLICE("service=\"shop\" name=\"delivered\" kind:server")));
    /* who stands at a step waits for the next that has to come */
    assert_int_equal(fg_flow_expected(&flow, 2, placed | priced), flow.step_count - 1);
    fg_flows_free(&flows);
    fg_learned_free(learned);
    fg_arena_free(&arena);
    fg_buffer_free(&yaml);
}

/* A journey that goes on after it was learned adds what is new, and is no other journey. */
static void test_goes_on(void **state)
{
    struct fg_learned *whole, *parts;
    struct fg_buffer a, b;
    const struct fg_learned_seen list[] = {seen("a", "one", 0), seen("b", "two", 5),
                                           seen("c", "three", 3000)};
    (void)state;
    fg_buffer_init(&a, 1 << 16);
    fg_buffer_init(&b, 1 << 16);
    assert_int_equal(fg_learned_new(NULL, &whole), 0);
    assert_int_equal(fg_learned_new(NULL, &parts), 0);
    for (unsigned i = 0; i < 40; i++) {
        take(whole, list, 3);
        take(parts, list, 2);
        assert_int_equal(fg_learned_take_seen(parts, list, 3, list[1].end_ns), 0);
        assert_int_equal(fg_learned_take_seen(parts, list, 3, list[2].end_ns), 0);
    }
    fg_learned_encode(whole, &a);
    fg_learned_encode(parts, &b);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    fg_learned_free(whole);
    fg_learned_free(parts);
    fg_buffer_free(&a);
    fg_buffer_free(&b);
}

/* A thousand names of a faulty sender, which never come again, neither grow nor displace what
 * journeys do. */
static void test_bounds(void **state)
{
    struct fg_learned *learned;
    char name[32];
    (void)state;
    assert_int_equal(fg_learned_new(NULL, &learned), 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct fg_learned_seen list[4] = {seen("shop", "place", 0), seen("shop", name, 1),
                                          seen("mes", "ship", 2)};
        snprintf(name, sizeof name, "GET /orders/%u", i);
        list[1].name = fg_slice_from_string(name);
        take(learned, list, 3);
        assert_true(learned->step_count <= FG_FLOW_STEPS_MAX);
    }
    uint32_t order[FG_FLOW_STEPS_MAX];
    assert_int_equal(fg_learned_order(learned, order), 2);
    assert_true(fg_slice_equal(learned->steps[order[1]].name, FG_SLICE("ship")));
    assert_int_equal(learned->steps[order[1]].hop->count, 1000);
    fg_learned_drop_rare(learned);
    assert_int_equal(learned->step_count, 2);
    /* all places are taken by what is common: counted */
    fg_learned_clear(learned);
    struct fg_learned_seen many[70];
    char names[70][16];
    for (unsigned k = 0; k < 70; k++) {
        snprintf(names[k], sizeof names[k], "step %u", k);
        many[k] = seen("shop", names[k], k);
    }
    for (unsigned i = 0; i < 20; i++)
        take(learned, many, 70);
    assert_int_equal(learned->step_count, FG_FLOW_STEPS_MAX);
    assert_true(learned->refused > 0);
    /* counts stay bounded however many come */
    for (unsigned i = 0; i < 100000; i++) {
        struct fg_learned_seen one = seen("shop", "place", 1);
        take(learned, &one, 1);
    }
    assert_true(learned->journeys <= FG_LEARN_JOURNEYS_MAX);
    fg_learned_free(learned);
}

static const char *const declared[] = {
    "flows:\n  - name: f\n    key: k\n    steps:\n      - {name: a, when: name=a}\n"
    "      - {name: b, when: name=b}\n      - {name: c, when: name=c, ends: done}\n",
    /* b is another; a and c are as before, but c follows d */
    "flows:\n  - name: f\n    key: k\n    steps:\n      - {name: a, when: name=a}\n"
    "      - {name: b, when: name=B, within: 5s}\n      - {name: d, when: name=d}\n"
    "      - {name: c, when: name=c, ends: done}\n"};

/* As bytes and back; of a flow that is declared otherwise now what is gone is dropped, the rest
 * stays. */
static void test_codec(void **state)
{
    struct fg_learned *learned, *again;
    struct fg_buffer text, bytes, twice;
    struct fg_arena arena;
    struct fg_flows flows, other;
    const uint64_t reached_ns[] = {SECOND, 3 * SECOND, 10 * SECOND};
    (void)state;
    fg_buffer_init(&text, 4096);
    fg_buffer_init(&bytes, 1 << 16);
    fg_buffer_init(&twice, 1 << 16);
    fg_arena_init(&arena, 1 << 20);
    fg_buffer_append_string(&text, declared[0]);
    struct fg_flow flow = parse(&text, &arena, &flows);
    assert_int_equal(fg_learned_new(&flow, &learned), 0);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(fg_learned_take_steps(learned, &flow, 7, reached_ns, 0, 0), 0);
    assert_int_equal(fg_learned_deadline_ns(learned, 0), 0);
    assert_in_range(fg_learned_deadline_ns(learned, 1), 12 * SECOND, 13 * SECOND);
    fg_learned_encode(learned, &bytes);
    assert_int_equal(fg_learned_new(&flow, &again), 0);
    assert_int_equal(fg_learned_decode(fg_buffer_slice(&bytes), again), 0);
    fg_learned_encode(again, &twice);
    assert_int_equal(bytes.size, twice.size);
    assert_memory_equal(bytes.data, twice.data, bytes.size);
    for (size_t size = 0; size < bytes.size; size++) {
        fg_learned_clear(again);
        assert_int_equal(fg_learned_decode(fg_slice(bytes.data, size), again), FG_ECORRUPT);
        assert_int_equal(again->journeys, 0);
    }
    fg_learned_free(again);
    fg_buffer_reset(&text);
    fg_buffer_append_string(&text, declared[1]);
    struct fg_flow changed = parse(&text, &arena, &other);
    assert_int_equal(fg_learned_new(&changed, &again), 0);
    assert_int_equal(fg_learned_decode(fg_buffer_slice(&bytes), again), 0);
    assert_true(again->is_changed);
    assert_int_equal(again->steps[0].count, 40);
    assert_int_equal(again->steps[1].count, 0); /* its condition is another */
    assert_null(again->steps[1].hop);
    assert_null(again->steps[2].hop); /* new */
    assert_null(again->steps[3].hop); /* comes after another */
    fg_learned_free(again);
    fg_learned_free(learned);
    fg_flows_free(&flows);
    fg_flows_free(&other);
    fg_arena_free(&arena);
    fg_buffer_free(&text);
    fg_buffer_free(&bytes);
    fg_buffer_free(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sketch),  cmocka_unit_test(test_proposal),
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
