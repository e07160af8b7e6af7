/* Reading flows, what is refused of them with its line, and walking them. */
#include "flow_write.h"
#include "journey/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct read {
    struct fg_arena arena;
    struct fg_buffer errors;
    struct fg_flows flows;
    int result;
};

static void read_flows(struct read *read, const char *text)
{
    *read = (struct read){.result = 0};
    fg_arena_init(&read->arena, (size_t)1 << 20);
    fg_buffer_init(&read->errors, 65536);
    read->result = fg_flows_parse(fg_slice_from_string(text), "f.yaml", &read->arena, &read->errors,
                                  &read->flows);
    fg_buffer_append_byte(&read->errors, 0);
}

static void end(struct read *read)
{
    fg_flows_free(&read->flows);
    fg_arena_free(&read->arena);
    fg_buffer_free(&read->errors);
}

#define HEAD  "flows:\n  - name: order\n    key: order.id\n    within: 30s\n    steps:\n"
#define STEP1 "      - name: placed\n        when: service:shop name=\"POST /orders\"\n"

static void test_whole(void **state)
{
    struct read read;
    (void)state;
    read_flows(&read, HEAD STEP1 "      - name: priced\n"
                                 "        label: The price is known\n"
                                 "        when: name=price (service:mes or service:mes)\n"
                                 "        within: 2m\n"
                                 "      - name: gift\n"
                                 "        when: name=wrap status:error\n"
                                 "        optional: true\n"
                                 "      - name: approved\n"
                                 "        when: name=approve\n"
                                 "        by: crm\n"
                                 "        human: seller\n"
                                 "      - name: lost\n"
                                 "        when: name=lost\n"
                                 "        after: [placed, approved]\n"
                                 "        ends: cancelled\n"
                                 "      - name: shipped\n"
                                 "        when: name=ship\n"
                                 "        ends: done\n");
    assert_string_equal((const char *)read.errors.data, "");
    assert_int_equal(read.result, 0);
    assert_int_equal(read.flows.count, 1);
    const struct fg_flow *flow = fg_flows_find(&read.flows, FG_SLICE("order.id"));
    assert_non_null(flow);
    assert_null(fg_flows_find(&read.flows, FG_SLICE("order")));
    assert_int_equal(flow->step_count, 6);
    const struct fg_flow_step *steps = flow->steps;
    assert_true(fg_slice_equal(steps[0].label, FG_SLICE("placed")));
    assert_true(fg_slice_equal(steps[0].service, FG_SLICE("shop")));
    assert_true(fg_slice_equal(steps[1].service, FG_SLICE("mes")));
    assert_true(fg_slice_equal(steps[1].label, FG_SLICE("The price is known")));
    assert_true(fg_slice_equal(steps[3].service, FG_SLICE("crm")));
    assert_true(fg_slice_equal(steps[3].human, FG_SLICE("seller")));
    assert_int_equal(steps[0].within_ns, UINT64_C(30000000000));
    assert_int_equal(steps[1].within_ns, UINT64_C(120000000000));
    assert_true(steps[2].any_status && !steps[1].any_status);
    assert_int_equal(steps[0].after, 0);
    assert_int_equal(steps[1].after, 1);
    assert_int_equal(steps[2].after, 2);
    assert_int_equal(steps[3].after, 2); /* the optional one before it is passed by */
    assert_int_equal(steps[4].after, 9);
    assert_int_equal(steps[5].after, 8); /* what cancels is passed by */
    end(&read);
}

static void test_walk(void **state)
{
    struct read read;
    (void)state;
    read_flows(&read,
               HEAD STEP1 "      - {name: b, when: name=b}\n"
                          "      - {name: c, when: name=c, optional: true}\n"
                          "      - {name: d, when: name=d, after: [b, c]}\n"
                          "      - {name: x, when: name=x, after: [placed, b], ends: cancelled}\n"
                          "      - {name: e, when: name=e, after: d, ends: done}\n");
    assert_string_equal((const char *)read.errors.data, "");
    const struct fg_flow *flow = read.flows.flows;
    assert_int_equal(fg_flow_last(flow, 0), FG_FLOW_STEP_NONE);
    assert_int_equal(fg_flow_expected(flow, FG_FLOW_STEP_NONE, 0), 0);
    assert_int_equal(fg_flow_last(flow, 1), 0);
    assert_int_equal(fg_flow_expected(flow, 0, 1), 1);
    assert_int_equal(fg_flow_last(flow, 1 | 2), 1);
    assert_int_equal(fg_flow_expected(flow, 1, 3), 3);
    assert_int_equal(fg_flow_last(flow, 1 | 8), 3); /* b was not seen */
    assert_int_equal(fg_flow_last(flow, 1 | 2 | 16), 4);
    assert_int_equal(fg_flow_expected(flow, 4, 19), FG_FLOW_STEP_NONE);
    assert_int_equal(fg_flow_last(flow, 63), 4); /* what ends it stands above all */
    end(&read);
}

/* A piece that is made again goes in a circle; walking it must end. */
static void test_circle(void **state)
{
    struct read read;
    (void)state;
    read_flows(&read, HEAD STEP1 "      - {name: a, when: name=a, after: [placed, b]}\n"
                                 "      - {name: b, when: name=b, after: a}\n");
    assert_int_equal(read.result, 0);
    assert_int_equal(fg_flow_last(read.flows.flows, 7), 2);
    assert_int_equal(fg_flow_last(read.flows.flows, 6), 2);
    assert_int_equal(fg_flow_expected(read.flows.flows, 1, 3), 2);
    end(&read);
}

/* flow_count: those before the mistake. */
/* A label in several languages: the English one is said where no page chooses, else the first;
 * written and read again it is the same. */
static void test_labels(void **state)
{
    struct read read, again;
    struct fg_buffer text;
    (void)state;
    read_flows(&read, HEAD STEP1
               "        label: {ru: 'Размещён \"сам\"', en: Placed}\n"
               "      - name: priced\n"
               "        when: name=price\n"
               "        label: {no: Priset, pt-BR: Com preço}\n"
               "      - {name: shipped, when: name=ship, label: Shipped, human: {ru: упаковщик, "
               "en: packer}}\n");
    assert_string_equal((const char *)read.errors.data, "");
    fg_buffer_init(&text, 8192);
    fg_flow_write(&read.flows.flows[0], NULL, &text);
    fg_buffer_append_byte(&text, 0);
    read_flows(&again, (const char *)text.data);
    assert_string_equal((const char *)again.errors.data, "");
    const struct read *both[] = {&read, &again};
    for (size_t i = 0; i < 2; i++) {
        const struct fg_flow_step *steps = both[i]->flows.flows[0].steps;
        assert_true(fg_slice_equal(steps[0].label, FG_SLICE("Placed")));
        assert_int_equal(steps[0].labels->count, 2);
        assert_true(fg_slice_equal(steps[0].labels->of[0].language, FG_SLICE("ru")));
        assert_true(fg_slice_equal(steps[0].labels->of[0].text, FG_SLICE("Размещён \"сам\"")));
        assert_true(fg_slice_equal(steps[1].label, FG_SLICE("Priset")));
        assert_true(fg_slice_equal(steps[1].labels->of[1].language, FG_SLICE("pt-BR")));
        assert_null(steps[2].labels);
        assert_true(fg_slice_equal(steps[2].human, FG_SLICE("packer")));
        assert_true(fg_slice_equal(steps[2].humans->of[0].text, FG_SLICE("упаковщик")));
        assert_true(fg_slice_equal(steps[2].waits, FG_SLICE("packer has to act: Shipped")));
        assert_true(fg_slice_equal(steps[2].label, FG_SLICE("Shipped")));
    }
    fg_buffer_free(&text);
    end(&again);
    end(&read);
}

static void refused_behind(uint32_t flow_count, const char *text, const char *line,
                           const char *words)
{
    struct read read;
    read_flows(&read, text);
    if (read.result != -1 || !strstr((const char *)read.errors.data, line) ||
        !strstr((const char *)read.errors.data, words))
        fail_msg("got %d \"%s\", expected %s and %s", read.result, (const char *)read.errors.data,
                 line, words);
    assert_int_equal(read.flows.count, flow_count);
    end(&read);
}

static void refused(const char *text, const char *line, const char *words)
{
    refused_behind(0, text, line, words);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "f.yaml:1:", "expected `flows:`");
    refused("flows: [", "f.yaml:", "");
    refused("steps: []\n", "f.yaml:1:", "expected `flows:`");
    refused("keys: 1\n", "f.yaml:1:", "expected a list of rules");
    refused("keys:\n  - {key: a}\n", "f.yaml:2:", "needs key and from");
    refused("keys:\n  - {key: a, from: a}\n", "f.yaml:2:", "another attribute");
    refused("keys:\n  - {key: a, from: b, pattern: '(x'}\n", "f.yaml:2:", "pattern: missing");
    refused("keys:\n  - {key: a, of: b}\n", "f.yaml:2:", "a rule has");
    refused("flows:\n  - name: a\n    color: red\n", "f.yaml:3:", "color");
    refused("flows:\n  - name: a\n", "f.yaml:2:", "needs name, key and steps");
    refused(HEAD, "f.yaml:5:", "list of steps");
    refused(HEAD "      - name: a\n", "f.yaml:6:", "name and when");
    refused(HEAD "      - name: a\n        label: [a]\n", "f.yaml:7:", "one for each language");
    refused(HEAD "      - name: a\n        human: {EN_: a}\n",
            "f.yaml:7:", "human: expected a lang");
    refused(HEAD "      - name: a\n        label: {}\n", "f.yaml:7:", "one to 8 languages");
    refused(HEAD "      - name: a\n        label:\n          english: A\n",
            "f.yaml:8:", "a language like en");
    refused(HEAD "      - name: a\n        label: {en: A, en_GB: B}\n",
            "f.yaml:7:", "a language like en");
    refused(HEAD "      - name: a\n        label: {en: [A]}\n", "f.yaml:7:", "expected a text");
    refused(HEAD "      - name: a\n        label:\n          en: ''\n",
            "f.yaml:8:", "expected a text");
    refused(HEAD "      - name: a\n        label: {en: A, en: B}\n", "f.yaml:7:", "twice");
    refused(HEAD
            "      - name: a\n        label: {aa: a, bb: a, cc: a, dd: a, ee: a, ff: a, gg: a, "
            "hh: a, ii: a}\n",
            "f.yaml:7:", "one to 8 languages");
    refused(HEAD "      - name: a\n        when: name=\n", "f.yaml:7:", "at character");
    refused(HEAD "      - name: a\n        when: trace.duration>1s\n", "f.yaml:7:", "one span");
    refused(HEAD "      - name: a\n        when: name=a\n        within: soon\n",
            "f.yaml:8:", "30s");
    refused(HEAD "      - name: a\n        when: name=a\n        ends: maybe\n",
            "f.yaml:8:", "done");
    refused(HEAD "      - name: a\n        when: name=a\n        after: b\n", "f.yaml:8:", "\"b\"");
    refused(HEAD "      - name: a\n        when: name=a\n        optional: 1\n",
            "f.yaml:8:", "true");
    refused(HEAD STEP1 STEP1, "f.yaml:8:", "two steps");
    refused(HEAD STEP1 "        when: name=x\n", "f.yaml:8:", "when: it is there twice");
    refused_behind(1,
                   HEAD STEP1 "  - name: order\n    key: b\n    steps: [{name: a, when: name=a}]\n",
                   "f.yaml:8:", "two flows are named \"order\"");
    refused_behind(
        1, HEAD STEP1 "  - name: other\n    key: order.id\n    steps: [{name: a, when: name=a}]\n",
        "f.yaml:8:", "two flows have the key");
    refused(HEAD STEP1 "        key: a\n", "f.yaml:8:", "a step has");
    refused(HEAD "      - {name: a, when: name=a, after: a}\n", "f.yaml:6:", "can't follow itself");
    refused(HEAD "      - {name: a, when: name=a, after: b}\n      - {name: b, when: name=b}\n",
            "f.yaml:6:", "no step begins the flow");
    refused(HEAD STEP1 "      - {name: b, when: name=b, after: c}\n"
                       "      - {name: c, when: name=c, after: b}\n",
            "f.yaml:8:", "\"b\" is never reached");
    refused(HEAD STEP1 "      - {name: b, when: name=b, ends: done}\n"
                       "      - {name: c, when: name=c, after: [placed, b]}\n",
            "f.yaml:9:", "nothing follows \"b\"");
    refused(HEAD STEP1 "      - {name: b, when: 'service:shop name=\"POST /orders\"'}\n",
            "f.yaml:8:", "\"placed\" and \"b\" have the same condition");
    refused("a: &a [1]\nb: *a\n", "f.yaml:1:", "expected `flows:`");
}

static void test_second_flow_of_a_key(void **state)
{
    struct read read;
    (void)state;
    read_flows(&read, HEAD STEP1);
    int r = fg_flows_parse(FG_SLICE(HEAD STEP1), "g.yaml", &read.arena, &read.errors, &read.flows);
    fg_buffer_append_byte(&read.errors, 0);
    assert_int_equal(r, FG_EINVALID);
    assert_int_equal(read.flows.count, 1);
    end(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_walk),
        cmocka_unit_test(test_circle),  cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_second_flow_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
