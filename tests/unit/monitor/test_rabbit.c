/* Answers of RabbitMQ's management, as 3.10 gives them, cut short, of other types, and endless;
 * keys and routes; the pace of a queue. */
#include "kind_rabbitmq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const char queue_text[] =
    "{\"arguments\":{\"x-max-length\":5,\"x-overflow\":\"reject-publish\"},\"consumers\":2,"
    "\"effective_policy_definition\":{\"max-length\":7,\"max-length-bytes\":1000,"
    "\"dead-letter-exchange\":\"dlx\"},\"message_bytes_ready\":6,\"message_stats\":{\"publish\":9,"
    "\"publish_details\":{\"rate\":1.5},\"ack\":4,\"deliver_no_ack\":2,\"ack_details\":{\"rate\":0."
    "5},"
    "\"deliver_get_details\":{\"rate\":0.7}},\"messages\":4,\"messages_ready\":3,"
    "\"messages_unacknowledged\":1,\"name\":\"mes.orders\",\"state\":\"running\"}";

static void a_queue_is_read_whole(void **state)
{
    (void)state;
    struct fg_rabbit_queue queue;
    assert_int_equal(fg_rabbit_read_queue(fg_slice_from_string(queue_text), &queue), 0);
    assert_string_equal(queue.name, "mes.orders");
    assert_int_equal(queue.messages, 4);
    assert_int_equal(queue.ready, 3);
    assert_int_equal(queue.unacknowledged, 1);
    assert_int_equal(queue.consumers, 2);
    assert_int_equal(queue.taken_count, 6);
    assert_int_equal(queue.length_max, 5); /* the smaller of argument and policy */
    assert_int_equal(queue.bytes_max, 1000);
    assert_int_equal(queue.overflow, FG_RABBIT_REJECT);
    assert_true(queue.has_dead_letters && queue.is_running);
    assert_true(queue.publish_rate > 1.4 && queue.ack_rate > 0.4 && queue.deliver_rate > 0.6);
}

static void what_is_not_told_is_not_zero(void **state)
{
    (void)state;
    struct fg_rabbit_queue queue;
    assert_int_equal(fg_rabbit_read_queue(FG_SLICE("{\"name\":\"new\"}"), &queue), 0);
    assert_int_equal(queue.ready, -1);
    assert_int_equal(queue.consumers, -1);
    assert_int_equal(queue.length_max, -1);
    assert_false(fg_rabbit_queue_is_full(&queue));
    assert_int_equal(
        fg_rabbit_read_queue(FG_SLICE("{\"name\":\"odd\",\"messages_ready\":\"7\",\"consumers\":-3,"
                                      "\"message_stats\":[],\"arguments\":7,\"state\":null}"),
                             &queue),
        0);
    assert_int_equal(queue.ready, -1);
    assert_int_equal(queue.consumers, -1);
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "x", "[]", "{}", "{\"name\":7}", "null", "{\"name\":\"a\"", "<html></html>"};
    struct fg_rabbit_queue queue, page[2];
    struct fg_rabbit_overview overview;
    struct fg_rabbit_nodes nodes;
    struct fg_rabbit_binding binding;
    enum fg_rabbit_exchange type;
    uint32_t count = 0, total;
    int64_t pages;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fg_slice text = fg_slice_from_string(wrong[i]);
        assert_int_equal(fg_rabbit_read_queue(text, &queue), FG_EINVALID);
        assert_int_equal(fg_rabbit_read_queues(text, page, 2, &count, &pages), FG_EINVALID);
        assert_int_equal(fg_rabbit_read_overview(text, &overview), FG_EINVALID);
        assert_int_equal(fg_rabbit_read_nodes(text, &nodes), FG_EINVALID);
        assert_int_equal(fg_rabbit_read_alarms(text, &nodes), FG_EINVALID);
        assert_int_equal(fg_rabbit_read_exchange(text, &type), FG_EINVALID);
        if (strcmp(wrong[i], "[]") != 0)
            assert_int_equal(fg_rabbit_read_bindings(text, &binding, 1, &count, &total),
                             FG_EINVALID);
    }
    /* Each begin of an answer is none. */
    for (size_t size = 0; size < sizeof queue_text - 1; size++)
        assert_int_equal(fg_rabbit_read_queue(fg_slice(queue_text, size), &queue), FG_EINVALID);
    assert_int_equal(count, 0);
}

static void a_page_takes_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    static const char text[] = "{\"items\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}],"
                               "\"page_count\":4}";
    struct fg_rabbit_queue queues[3];
    uint32_t count = 1;
    int64_t pages = 0;
    assert_int_equal(fg_rabbit_read_queues(fg_slice_from_string(text), queues, 3, &count, &pages),
                     0);
    assert_int_equal(count, 3);
    assert_int_equal(pages, 4);
    assert_string_equal(queues[1].name, "a");
    assert_string_equal(queues[2].name, "b");
}

/* Names of thousands of bytes are cut, and not within a character; lines of them are broken no
 * more.
 */
static void names_are_bounded(void **state)
{
    (void)state;
    char text[3000] = "{\"name\":\"a\\n";
    size_t size = strlen(text);
    while (size < 2800) {
        memcpy(text + size, "\xc3\xa4", 2);
        size += 2;
    }
    memcpy(text + size, "\"}", 3);
    struct fg_rabbit_queue queue;
    assert_int_equal(fg_rabbit_read_queue(fg_slice_from_string(text), &queue), 0);
    assert_int_equal(strlen(queue.name), FG_RABBIT_NAME_SIZE - 2);
    assert_memory_equal(queue.name, "a \xc3\xa4", 4);
}

static void nodes_and_alarms(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"name\":\"rabbit@a\",\"running\":true,\"mem_alarm\":false,\"disk_free_alarm\":false,"
        "\"mem_used\":10,\"mem_limit\":100,\"disk_free\":500,\"disk_free_limit\":50,\"partitions\":"
        "[]},"
        "{\"name\":\"rabbit@b\",\"running\":true,\"mem_alarm\":true,\"disk_free_alarm\":false,"
        "\"mem_used\":90,\"mem_limit\":100,\"disk_free\":70,\"disk_free_limit\":50},"
        "{\"name\":\"rabbit@c\",\"running\":false}]";
    struct fg_rabbit_nodes nodes;
    assert_int_equal(fg_rabbit_read_nodes(fg_slice_from_string(text), &nodes), 0);
    assert_int_equal(nodes.count, 3);
    assert_int_equal(nodes.running, 2);
    assert_true(nodes.memory_alarm && !nodes.disk_alarm && !nodes.partitioned);
    assert_string_equal(nodes.alarmed, "rabbit@b");
    assert_string_equal(nodes.stopped, "rabbit@c");
    assert_int_equal(nodes.memory_used, 90); /* of the one with the least left */
    assert_int_equal(nodes.disk_free, 70);
    assert_int_equal(fg_rabbit_read_alarms(FG_SLICE("{\"status\":\"ok\"}"), &nodes), 0);
    assert_false(nodes.memory_alarm || nodes.disk_alarm);
    assert_int_equal(
        fg_rabbit_read_alarms(FG_SLICE("{\"status\":\"failed\",\"reason\":\"resource alarm(s) in "
                                       "effect\",\"alarms\":[{\"node\":\"rabbit@a\",\"resource\":"
                                       "\"disk space\"}]}"),
                              &nodes),
        0);
    assert_true(nodes.disk_alarm && !nodes.memory_alarm);
    assert_string_equal(nodes.alarmed, "rabbit@a");
}

static void the_broker_as_a_whole(void **state)
{
    (void)state;
    struct fg_rabbit_overview overview;
    assert_int_equal(
        fg_rabbit_read_overview(
            FG_SLICE(
                "{\"rabbitmq_version\":\"3.10.8\",\"cluster_name\":\"rabbit@a\",\"message_stats\":"
                "{\"return_unroutable\":3,\"drop_unroutable\":4},\"queue_totals\":{\"messages\":"
                "9},\"object_totals\":{\"connections\":5}}"),
            &overview),
        0);
    assert_string_equal(overview.version, "3.10.8");
    assert_int_equal(overview.returned_count, 3);
    assert_int_equal(overview.dropped_count, 4);
    assert_int_equal(overview.messages, 9);
    assert_int_equal(overview.connections, 5);
    assert_int_equal(overview.consumers, -1);
}

static void bindings_are_counted_beyond_their_room(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"destination\":\"q\",\"destination_type\":\"queue\",\"routing_key\":\"a.#\"},"
        "{\"destination\":\"e\",\"destination_type\":\"exchange\",\"routing_key\":\"b\"}]";
    struct fg_rabbit_binding bindings[2];
    uint32_t count, total;
    assert_int_equal(
        fg_rabbit_read_bindings(fg_slice_from_string(text), bindings, 1, &count, &total), 0);
    assert_int_equal(count, 1);
    assert_int_equal(total, 2);
    assert_int_equal(
        fg_rabbit_read_bindings(fg_slice_from_string(text), bindings, 2, &count, &total), 0);
    assert_true(bindings[0].to_queue && !bindings[1].to_queue);
    assert_string_equal(bindings[0].key, "a.#");
    assert_string_equal(bindings[1].destination, "e");
}

static void topics_match_by_words(void **state)
{
    (void)state;
    static const struct {
        const char *binding, *key;
        bool matches;
    } cases[] = {
        {"order.new", "order.new", true},
        {"order.*", "order.new", true},
        {"order.*", "order.new.x", false},
        {"order.*", "order", false},
        {"order.#", "order", true},
        {"order.#", "order.a.b.c", true},
        {"#", "", true},
        {"#", "a.b", true},
        {"*", "", false},
        {"*.*", "a.b", true},
        {"#.new", "order.new", true},
        {"#.new", "new", true},
        {"#.new", "order.newer", false},
        {"a.#.b.#.c", "a.x.b.y.b.c", true},
        {"a.#.b.#.c", "a.x.c", false},
        {"#.#", "", true},
        {"a.*.#", "a", false},
        {"a.*.#", "a.b", true},
        {"order", "orders", false},
        {"", "", true},
        {"", "a", false},
        {"a..b", "a..b", true},
        {"a.*.b", "a..b", true},
        {"order.*", "order.*", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fg_rabbit_key_matches(FG_RABBIT_TOPIC, cases[i].binding, cases[i].key) !=
            cases[i].matches)
            fail_msg("%s and %s", cases[i].binding, cases[i].key);
    assert_true(fg_rabbit_key_matches(FG_RABBIT_DIRECT, "a", "a"));
    assert_false(fg_rabbit_key_matches(FG_RABBIT_DIRECT, "#", "a"));
    assert_true(fg_rabbit_key_matches(FG_RABBIT_FANOUT, "x", "a"));
    char dots[FG_RABBIT_NAME_SIZE];
    memset(dots, '.', sizeof dots - 1);
    dots[sizeof dots - 1] = 0;
    assert_true(fg_rabbit_key_matches(FG_RABBIT_TOPIC, "#", dots));
    assert_true(fg_rabbit_key_matches(FG_RABBIT_TOPIC, dots, dots));
}

static void full_by_number_and_by_bytes(void **state)
{
    (void)state;
    struct fg_rabbit_queue queue = {
        .ready = 10, .ready_bytes = 950, .length_max = -1, .bytes_max = -1};
    assert_false(fg_rabbit_queue_is_full(&queue));
    queue.length_max = 11;
    assert_false(fg_rabbit_queue_is_full(&queue));
    queue.length_max = 10;
    assert_true(fg_rabbit_queue_is_full(&queue));
    queue.length_max = -1;
    queue.bytes_max = 2000;
    assert_false(fg_rabbit_queue_is_full(&queue));
    queue.bytes_max = 1000; /* one more of their size has no room */
    assert_true(fg_rabbit_queue_is_full(&queue));
    queue.ready = queue.ready_bytes = 0;
    assert_false(fg_rabbit_queue_is_full(&queue));
}

static void patterns_and_routes(void **state)
{
    (void)state;
    struct fg_buffer regex;
    struct fg_rabbit_route route;
    char good[] = " crm.events -> order.created -> mes.orders ", fanout[] = "all->->q";
    char two[] = "a -> b", four[] = "a -> b -> c -> d", none[] = "a -> b -> ";
    fg_buffer_init(&regex, 256);
    fg_rabbit_pattern("mes.*(1)?", &regex);
    assert_string_equal((const char *)regex.data, "^mes\\..*\\(1\\).$");
    fg_buffer_free(&regex);
    assert_true(fg_rabbit_route_parse(good, &route));
    assert_string_equal(route.exchange, "crm.events");
    assert_string_equal(route.key, "order.created");
    assert_string_equal(route.queue, "mes.orders");
    assert_true(fg_rabbit_route_parse(fanout, &route));
    assert_string_equal(route.key, "");
    assert_false(fg_rabbit_route_parse(two, &route));
    assert_false(fg_rabbit_route_parse(four, &route));
    assert_false(fg_rabbit_route_parse(none, &route));
}

static void pace_is_counted_over_minutes(void **state)
{
    (void)state;
    struct fg_rabbit_pace paces[2] = {0};
    struct fg_rabbit_queue queue = {.name = "q", .ready = 100};
    uint64_t still, now = 1000 * SECOND;
    assert_true(fg_rabbit_pace(paces, 2, now, &queue, &still) < 0);
    for (int i = 0; i < 60; i++) {
        now += 10 * SECOND;
        queue.taken_count += 20;
        double pace = fg_rabbit_pace(paces, 2, now, &queue, &still);
        assert_true(pace > 1.99 && pace < 2.01);
        assert_int_equal(still, 0);
    }
    for (int i = 0; i < 60; i++) { /* nothing is taken any more */
        now += 10 * SECOND;
        (void)fg_rabbit_pace(paces, 2, now, &queue, &still);
    }
    assert_int_equal(still, 600 * SECOND);
    assert_true(fg_rabbit_pace(paces, 2, now, &queue, &still) == 0);
    queue.ready = 0; /* an empty queue stands still without fault */
    (void)fg_rabbit_pace(paces, 2, now + SECOND, &queue, &still);
    assert_int_equal(still, 0);
    queue.taken_count = 3; /* the broker began to count anew */
    assert_true(fg_rabbit_pace(paces, 2, now + 2 * SECOND, &queue, &still) < 0);
}

static void more_queues_than_paces_forget_the_oldest(void **state)
{
    (void)state;
    struct fg_rabbit_pace paces[2] = {0};
    struct fg_rabbit_queue a = {.name = "a", .ready = 1}, b = {.name = "b", .ready = 1},
                           c = {.name = "c", .ready = 1};
    uint64_t still;
    (void)fg_rabbit_pace(paces, 2, 10 * SECOND, &a, &still);
    (void)fg_rabbit_pace(paces, 2, 20 * SECOND, &b, &still);
    (void)fg_rabbit_pace(paces, 2, 30 * SECOND, &c, &still);
    (void)fg_rabbit_pace(paces, 2, 40 * SECOND, &b, &still);
    assert_int_equal(still, 20 * SECOND);
    (void)fg_rabbit_pace(paces, 2, 50 * SECOND, &a, &still);
    assert_int_equal(still, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_read_whole),
        cmocka_unit_test(what_is_not_told_is_not_zero),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(a_page_takes_no_more_than_there_is_room_for),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(nodes_and_alarms),
        cmocka_unit_test(the_broker_as_a_whole),
        cmocka_unit_test(bindings_are_counted_beyond_their_room),
        cmocka_unit_test(topics_match_by_words),
        cmocka_unit_test(full_by_number_and_by_bytes),
        cmocka_unit_test(patterns_and_routes),
        cmocka_unit_test(pace_is_counted_over_minutes),
        cmocka_unit_test(more_queues_than_paces_forget_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
