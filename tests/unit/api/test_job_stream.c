/* job_stream.h and work.h: a job that writes while its client reads, slowly or not at all. */
#include "fake_net.h"
#include "job_stream.h"
#include "route.h"
#include "state.h"
#include "work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINE_SIZE  1000u
#define LINE_COUNT 20000u /* 20 MB: many times what a stream may hold */

static const struct fg_route route = {.form = FG_FORM_NATIVE, .permission = FG_PERMISSION_VIEW};
static struct fg_api api; /* open: whoever asks is permitted */
static struct fg_settings settings;
static struct fg_loop loop = {.settings = &settings};
static struct fg_workers *workers;

static struct fg_exchange *new_exchange(struct fake_request *fake)
{
    fake_init(fake, FG_METHOD_GET, "/x", NULL, FG_FACE_API);
    struct fg_exchange *exchange = fg_arena_calloc(&fake->arena, 1, sizeof *exchange);
    *exchange = (struct fg_exchange){
        .api = &api, .loop = &loop, .request = &fake->request, .route = &route};
    exchange->identity = (struct fg_identity){.kind = FG_IDENTITY_LOCAL, .roles = FG_ROLES_ALL};
    fake->request.user = exchange;
    return exchange;
}

static void wait_for_answer(struct fake_request *fake)
{
    while (!fake->answered)
        fake_wait(fake);
}

static void finish(struct fake_request *fake)
{
    while (fake_pull(fake))
        ;
    fg_workers_free(workers);
    fake_free(fake);
}

static void begin(void)
{
    api.env = fg_env_real();
    assert_int_equal(fg_workers_new("test", 1, 1, &workers), 0);
}

/* -- Jobs
 * --------------------------------------------------------------------------------------------
 */

struct lines {
    _Atomic uint64_t written; /* bytes */
    unsigned count;
    int result;
};

static int write_lines(struct fg_job_stream *stream)
{
    struct lines *lines = *(struct lines **)stream->state;
    char line[LINE_SIZE];
    for (unsigned i = 0; i < lines->count; i++) {
        memset(line, 'a' + (int)(i % 26), sizeof line);
        line[LINE_SIZE - 1] = '\n';
        int r = fg_job_stream_write(stream, fg_slice(line, sizeof line));
        if (r < 0)
            return r;
        atomic_fetch_add(&lines->written, sizeof line);
    }
    return lines->result;
}

static struct fg_job_stream *start(struct fake_request *fake, struct lines *lines)
{
    struct fg_job_stream *stream = fg_job_stream_new(new_exchange(fake), "write lines",
                                                     "text/plain", write_lines, sizeof lines);
    assert_non_null(stream);
    *(struct lines **)stream->state = lines;
    fg_job_stream_start_take(stream, workers);
    return stream;
}

static void test_all_bytes_in_order(void **state)
{
    (void)state;
    struct fake_request fake;
    struct lines lines = {.count = LINE_COUNT};
    begin();
    start(&fake, &lines);
    wait_for_answer(&fake);
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake.content_type, "text/plain");
    while (fake_pull(&fake))
        ;
    assert_int_equal(fake.broken, 0);
    assert_int_equal(fake.answer.size, (size_t)LINE_COUNT * LINE_SIZE);
    for (unsigned i = 0; i < LINE_COUNT; i++)
        assert_int_equal(fake.answer.data[(size_t)i * LINE_SIZE], 'a' + (int)(i % 26));
    finish(&fake);
}

/* A client that reads nothing stops the job after a bounded amount. */
static void test_job_waits_for_its_reader(void **state)
{
    (void)state;
    struct fake_request fake;
    struct lines lines = {.count = LINE_COUNT};
    begin();
    start(&fake, &lines);
    wait_for_answer(&fake);
    uint64_t before = 0, pulled = 0;
    for (int i = 0; i < 50; i++) {
        assert_true(atomic_load(&lines.written) <= pulled + FG_JOB_TEXT_SIZE_MAX);
        fake_pull(&fake);
        pulled = fake.answer.size;
        assert_true(pulled >= before);
        before = pulled;
    }
    assert_true(pulled < (uint64_t)LINE_COUNT * LINE_SIZE);
    assert_true(fake.pull_size_max <= FG_JOB_TEXT_SIZE_MAX);
    fake_cancel(&fake);
    fg_workers_free(workers); /* returns: the job was ended by the write */
    assert_true(atomic_load(&lines.written) < (uint64_t)LINE_COUNT * LINE_SIZE);
    fake_free(&fake);
}

static void test_silent_failure_is_answered(void **state)
{
    (void)state;
    struct fake_request fake;
    struct lines lines = {.result = FG_ENOSPACE};
    begin();
    start(&fake, &lines);
    wait_for_answer(&fake);
    assert_int_equal(fake.status, 503);
    assert_string_equal(
        fake_text(&fake),
        "{\"error\":\"can't write lines: the disk is full\",\"code\":\"unavailable\"}");
    finish(&fake);
}

static int fail_with_words(struct fg_job_stream *stream)
{
    snprintf(stream->message, sizeof stream->message, "/b is not empty");
    return FG_EEXIST;
}

static void test_failure_in_its_own_words(void **state)
{
    (void)state;
    struct fake_request fake;
    begin();
    struct fg_job_stream *stream =
        fg_job_stream_new(new_exchange(&fake), "back up", "text/plain", fail_with_words, 0);
    fg_job_stream_start_take(stream, workers);
    wait_for_answer(&fake);
    assert_int_equal(fake.status, 409);
    assert_non_null(strstr(fake_text(&fake), "\"/b is not empty\""));
    finish(&fake);
}

/* What came after the first bytes can't be taken back: the answer is cut. */
static void test_late_failure_cuts(void **state)
{
    (void)state;
    struct fake_request fake;
    struct lines lines = {.count = 3, .result = FG_ECORRUPT};
    begin();
    start(&fake, &lines);
    wait_for_answer(&fake);
    while (fake_pull(&fake))
        ;
    assert_int_equal(fake.status, 200);
    assert_int_equal(fake.answer.size, 3 * LINE_SIZE);
    assert_int_equal(fake.broken, FG_ECORRUPT);
    finish(&fake);
}

static void test_job_without_a_word(void **state)
{
    (void)state;
    struct fake_request fake;
    struct lines lines = {.count = 0};
    begin();
    start(&fake, &lines);
    wait_for_answer(&fake);
    while (fake_pull(&fake))
        ;
    assert_int_equal(fake.status, 200);
    assert_int_equal(fake.answer.size, 0);
    assert_int_equal(fake.broken, 0);
    finish(&fake);
}

/* -- Offers
 * ------------------------------------------------------------------------------------------
 */

static int offer_many(struct fg_job_stream *stream)
{
    char line[LINE_SIZE];
    memset(line, 'p', sizeof line);
    for (unsigned i = 0; i < LINE_COUNT; i++)
        fg_job_stream_offer(stream, fg_slice(line, sizeof line));
    return fg_job_stream_write(stream, FG_SLICE("end"));
}

/* Progress never waits for who watches it, and never comes in halves. */
static void test_offers_are_whole_or_left_out(void **state)
{
    (void)state;
    struct fake_request fake;
    begin();
    struct fg_job_stream *stream =
        fg_job_stream_new(new_exchange(&fake), "back up", "text/plain", offer_many, 0);
    fg_job_stream_start_take(stream, workers);
    wait_for_answer(&fake);
    while (fake_pull(&fake))
        ;
    size_t size = fake.answer.size;
    assert_true(size > 3 && size < (size_t)LINE_COUNT * LINE_SIZE);
    assert_int_equal((size - 3) % LINE_SIZE, 0);
    assert_memory_equal(fake.answer.data + size - 3, "end", 3);
    finish(&fake);
}

/* -- Clients that go, queues that are full
 * ----------------------------------------------------------
 */

static int wait_until_cancelled(struct fg_job_stream *stream)
{
    while (!fg_job_stream_is_cancelled(stream))
        ;
    return FG_ECANCELLED;
}

static void test_client_that_goes_early(void **state)
{
    (void)state;
    struct fake_request fake;
    begin();
    struct fg_job_stream *stream =
        fg_job_stream_new(new_exchange(&fake), "wait", "text/plain", wait_until_cancelled, 0);
    fg_job_stream_start_take(stream, workers);
    atomic_store(&fake.cancelled, true);
    wait_for_answer(&fake); /* dropped by net, but given */
    finish(&fake);
}

static void test_full_queue(void **state)
{
    (void)state;
    struct fake_request running, waiting, refused;
    begin();
    struct fg_job_stream *stream =
        fg_job_stream_new(new_exchange(&running), "wait", "text/plain", wait_until_cancelled, 0);
    fg_job_stream_start_take(stream, workers);
    struct lines lines = {.count = 1};
    bool was_full = false;
    /* The first job may still stand in the queue: the next one then meets it full. */
    start(&waiting, &lines);
    was_full = waiting.answered;
    if (!was_full) {
        start(&refused, &lines);
        assert_true(refused.answered);
        assert_int_equal(refused.status, 429);
        fake_free(&refused);
    }
    atomic_store(&running.cancelled, true);
    wait_for_answer(&running);
    wait_for_answer(&waiting);
    while (fake_pull(&waiting))
        ;
    assert_int_equal(waiting.status, was_full ? 429 : 200);
    fg_workers_free(workers);
    fake_free(&running);
    fake_free(&waiting);
}

/* -- work.h
 * ------------------------------------------------------------------------------------------
 */

static int make_body(struct fg_work *work)
{
    int result = *(int *)work->state;
    if (result == 0)
        fg_buffer_append_string(&work->body, "{\"a\":1}");
    return result;
}

static void test_work(void **state)
{
    (void)state;
    static const struct {
        int result;
        unsigned status;
        const char *body;
    } cases[] = {
        {0, 200, "{\"a\":1}"},
        {FG_EIO, 503,
         "{\"error\":\"can't count: the disk failed; the server's log says more\",\"code\":"
         "\"unavailable\"}"},
        {FG_ENOTFOUND, 404, "{\"error\":\"can't count: not found\",\"code\":\"not_found\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_request fake;
        begin();
        struct fg_work *work = fg_work_new(new_exchange(&fake), "count", make_body, sizeof(int));
        *(int *)work->state = cases[i].result;
        fg_work_start(work, workers);
        wait_for_answer(&fake);
        assert_int_equal(fake.status, cases[i].status);
        assert_string_equal(fake_text(&fake), cases[i].body);
        finish(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_bytes_in_order),
        cmocka_unit_test(test_job_waits_for_its_reader),
        cmocka_unit_test(test_silent_failure_is_answered),
        cmocka_unit_test(test_failure_in_its_own_words),
        cmocka_unit_test(test_late_failure_cuts),
        cmocka_unit_test(test_job_without_a_word),
        cmocka_unit_test(test_offers_are_whole_or_left_out),
        cmocka_unit_test(test_client_that_goes_early),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
