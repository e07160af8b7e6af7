/* Alerts, against a receiver on 127.0.0.1 and by a clock that the test moves: one message a change,
 * the newest state to who was away, the end of what flaps only after a quiet time, and again and
 * again what Alertmanager would forget. */
#include "base/limits.h"
#include "net/webhook.h"
#include "os/thread.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGES_MAX 64u

/* -- The clock */

static _Atomic uint64_t ahead_ns;

static uint64_t mono_ns(struct fg_env *env)
{
    (void)env;
    return fg_env_mono_ns(fg_env_real()) + ahead_ns;
}

static uint64_t wall_ns(struct fg_env *env)
{
    (void)env;
    return UINT64_C(1800000000) * FG_NS_PER_SECOND + ahead_ns;
}

static struct fg_env_ops clock_ops;
static struct fg_env clock_env = {.ops = &clock_ops};

/* -- The receiver */

struct sink {
    int listener;
    unsigned port;
    struct fg_thread thread;
    struct fg_mutex mutex;
    struct fg_cond cond;
    char *messages[MESSAGES_MAX]; /* that it took */
    unsigned count, refused_count, status;
};

static struct sink sink;

/* The body of one request; NULL: the connection ended. */
static char *read_request(int connection)
{
    static char text[65536];
    size_t size = 0;
    while (size < sizeof text - 1) {
        ssize_t got = recv(connection, text + size, sizeof text - 1 - size, 0);
        if (got <= 0)
            return NULL;
        size += (size_t)got;
        text[size] = 0;
        const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (body && length && strlen(body + 4) >= strtoul(length + 15, NULL, 10))
            return strdup(body + 4);
    }
    return NULL;
}

static void run_sink(void *arg)
{
    (void)arg;
    int connection;
    while ((connection = accept(sink.listener, NULL, NULL)) >= 0) {
        char *body = read_request(connection), answer[128];
        fg_mutex_lock(&sink.mutex);
        unsigned status = sink.status;
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 %u x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", status);
        fg_mutex_unlock(&sink.mutex);
        if (body)
            (void)!write(connection, answer, strlen(answer));
        close(connection);
        fg_mutex_lock(&sink.mutex);
        if (body && status == 200 && sink.count < MESSAGES_MAX) {
            sink.messages[sink.count++] = body;
        } else {
            sink.refused_count += body != NULL;
            free(body);
        }
        fg_cond_broadcast(&sink.cond);
        fg_mutex_unlock(&sink.mutex);
    }
}

static void answer_with(unsigned status)
{
    fg_mutex_lock(&sink.mutex);
    sink.status = status;
    fg_mutex_unlock(&sink.mutex);
}

/* Waits for so many messages in all; the last of them. */
static const char *wait_for(unsigned count)
{
    fg_mutex_lock(&sink.mutex);
    while (sink.count < count)
        fg_cond_wait(&sink.cond, &sink.mutex);
    if (sink.count > count)
        fail_msg("%u messages, not %u; the last: %s", sink.count, count,
                 sink.messages[sink.count - 1]);
    const char *last = count ? sink.messages[count - 1] : "";
    fg_mutex_unlock(&sink.mutex);
    return last;
}

static void wait_for_refusal(void)
{
    fg_mutex_lock(&sink.mutex);
    while (sink.refused_count == 0)
        fg_cond_wait(&sink.cond, &sink.mutex);
    fg_mutex_unlock(&sink.mutex);
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    (void)state;
    clock_ops = *fg_env_real()->ops;
    clock_ops.mono_ns = mono_ns;
    clock_ops.wall_ns = wall_ns;
    ahead_ns = 0;
    sink = (struct sink){.listener = socket(AF_INET, SOCK_STREAM, 0), .status = 200};
    assert_int_equal(bind(sink.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(sink.listener, 16), 0);
    assert_int_equal(getsockname(sink.listener, (struct sockaddr *)&address, &size), 0);
    sink.port = ntohs(address.sin_port);
    fg_mutex_init(&sink.mutex, FG_RANK_LEAF);
    fg_cond_init(&sink.cond);
    assert_int_equal(fg_thread_start(&sink.thread, "sink", run_sink, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shutdown(sink.listener, SHUT_RDWR);
    fg_thread_join(&sink.thread);
    close(sink.listener);
    for (unsigned i = 0; i < sink.count; i++)
        free(sink.messages[i]);
    fg_cond_destroy(&sink.cond);
    fg_mutex_destroy(&sink.mutex);
    return 0;
}

/* -- Telling */

static struct fg_webhook *open_webhook(const char *path)
{
    static char url[128];
    static const char *const urls[] = {url};
    struct fg_webhook *webhook;
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", sink.port, path);
    const struct fg_webhook_options options = {.env = &clock_env, .urls = urls, .url_count = 1};
    assert_int_equal(fg_webhook_open(&options, &webhook), 0);
    return webhook;
}

static void tell(struct fg_webhook *webhook, const char *key, bool is_firing, const char *severity)
{
    const struct fg_alert alert = {.key = key,
                                   .name = "Test",
                                   .severity = severity,
                                   .is_firing = is_firing,
                                   .starts_ns = UINT64_C(1800000000) * FG_NS_PER_SECOND,
                                   .ends_ns = UINT64_C(1800000060) * FG_NS_PER_SECOND,
                                   .summary = FG_SLICE("a \"quoted\" \xff summary"),
                                   .labels = {{"monitor", fg_slice_from_string(key)}},
                                   .label_count = 1};
    assert_int_equal(fg_webhook_tell(webhook, &alert), 0);
}

/* What an answer changes comes a moment after it. */
static struct fg_webhook_counters settled(struct fg_webhook *webhook)
{
    struct fg_webhook_counters counters;
    do
        fg_webhook_counters(webhook, &counters);
    while (counters.waiting > 0);
    return counters;
}

static void test_one_a_change(void **state)
{
    (void)state;
    struct fg_webhook *webhook = open_webhook("/hook");
    tell(webhook, "nobody", false, "info"); /* an end without a begin is nothing */
    tell(webhook, "a", true, "critical");
    const char *said = wait_for(1);
    assert_non_null(strstr(said, "\"status\":\"firing\""));
    assert_non_null(strstr(said, "\"severity\":\"critical\""));
    assert_non_null(strstr(said, "\"startsAt\":\"2027-01-15T08:00:00.000Z\""));
    assert_null(strstr(said, "endsAt"));
    tell(webhook, "a", false, "critical");
    said = wait_for(2);
    assert_non_null(strstr(said, "\"status\":\"resolved\""));
    assert_non_null(strstr(said, "\"endsAt\":\"2027-01-15T08:01:00.000Z\""));
    fg_webhook_close(webhook);
    wait_for(2);
}

/* While a receiver is away things change; it hears of each thing once, as that is by then. */
static void test_newest_state(void **state)
{
    (void)state;
    struct fg_webhook *webhook = open_webhook("/hook");
    answer_with(503);
    tell(webhook, "a", true, "warning");
    wait_for_refusal(); /* it is tried again */
    tell(webhook, "a", true, "critical");
    tell(webhook, "b", true, "warning");
    answer_with(200);
    ahead_ns += 2 * FG_NS_PER_SECOND;
    tell(webhook, "c", true, "warning"); /* wakes the sender */
    wait_for(3);
    unsigned of_a = 0;
    for (unsigned i = 0; i < 3; i++)
        if (strstr(sink.messages[i], "\"key\":\"a\"")) {
            assert_non_null(strstr(sink.messages[i], "critical"));
            of_a++;
        }
    assert_int_equal(of_a, 1);
    assert_int_equal(settled(webhook).firing, 3);
    fg_webhook_close(webhook);
    wait_for(3);
}

/* What a receiver does not want it is not sent again. */
static void test_refused(void **state)
{
    (void)state;
    struct fg_webhook *webhook = open_webhook("/hook");
    answer_with(400);
    tell(webhook, "a", true, "warning");
    wait_for_refusal();
    answer_with(200);
    tell(webhook, "b", true, "warning");
    assert_non_null(strstr(wait_for(1), "\"key\":\"b\""));
    fg_webhook_close(webhook);
    wait_for(1);
}

static void test_flapping(void **state)
{
    (void)state;
    struct fg_webhook *webhook = open_webhook("/hook");
    unsigned told = 0;
    for (unsigned i = 0; i < 5; i++) {
        ahead_ns += FG_NS_PER_SECOND;
        tell(webhook, "a", i % 2 == 0, "critical");
        wait_for(++told);
    }
    /* from the sixth change on it flaps: the begin is told, and nothing of all this */
    for (unsigned i = 5; i < 40; i++) {
        ahead_ns += FG_NS_PER_SECOND;
        tell(webhook, "a", i % 2 == 0, "critical");
    }
    tell(webhook, "b", true, "warning");
    assert_non_null(strstr(wait_for(told + 1), "\"key\":\"b\""));
    /* its end is told after a quiet time */
    ahead_ns += 5 * FG_NS_PER_MINUTE;
    tell(webhook, "c", true, "warning");
    wait_for(told + 3);
    bool is_ended = false;
    for (unsigned i = told + 1; i < told + 3; i++)
        is_ended |= strstr(sink.messages[i], "\"key\":\"a\"") &&
                    strstr(sink.messages[i], "\"status\":\"resolved\"");
    assert_true(is_ended);
    fg_webhook_close(webhook);
    wait_for(told + 3);
}

static void test_alertmanager(void **state)
{
    (void)state;
    struct fg_webhook *webhook = open_webhook("/prefix/api/v2/alerts");
    tell(webhook, "a", true, "warning");
    assert_int_equal(wait_for(1)[0], '[');
    (void)settled(webhook);
    ahead_ns += 61 * FG_NS_PER_SECOND; /* it would forget */
    tell(webhook, "b", true, "warning");
    const char *said = wait_for(2);
    assert_non_null(strstr(said, "\"monitor\":\"a\""));
    assert_non_null(strstr(said, "\"monitor\":\"b\""));
    tell(webhook, "a", true, "critical"); /* other labels: the old alert ends with it */
    said = wait_for(3);
    assert_non_null(strstr(said, "\"severity\":\"warning\""));
    assert_non_null(strstr(said, "\"severity\":\"critical\""));
    assert_non_null(strstr(said, "endsAt"));
    fg_webhook_close(webhook);
    wait_for(3);
}

static void test_bounds(void **state)
{
    (void)state;
    struct fg_webhook *webhook;
    const char *wrong[] = {"no address", "ftp://x/", "/path"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct fg_webhook_options options = {
            .env = &clock_env, .urls = &wrong[i], .url_count = 1};
        assert_int_equal(fg_webhook_open(&options, &webhook), FG_EINVALID);
    }
    answer_with(503);
    webhook = open_webhook("/hook");
    struct fg_alert alert = {
        .name = "Test", .severity = "info", .is_firing = true, .summary = FG_SLICE("x")};
    for (unsigned i = 0; i < FG_WEBHOOK_ALERTS_MAX; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        alert.key = key;
        assert_int_equal(fg_webhook_tell(webhook, &alert), 0);
    }
    alert.key = "one too many";
    assert_int_equal(fg_webhook_tell(webhook, &alert), FG_ELIMIT);
    alert.key = "7"; /* what is there may change */
    assert_int_equal(fg_webhook_tell(webhook, &alert), 0);
    fg_webhook_close(webhook);
}

#define WITH_SINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SINK(test_one_a_change), WITH_SINK(test_newest_state), WITH_SINK(test_refused),
        WITH_SINK(test_flapping),     WITH_SINK(test_alertmanager), WITH_SINK(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
