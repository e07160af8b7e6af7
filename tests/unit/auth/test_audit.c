/* audit.h: the chain, what breaks it, what a crash leaves, and what happens when nothing can be
 * written. */
#include "auth/audit.h"

#include "auth_fixture.h"
#include "base/limits.h"
#include "os/thread.h"
#include "tally.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[128];
static struct fg_audit *audit;

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/dev/shm/test-audit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/audit/%016x.log", folder, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static bool open_audit(const struct fg_audit_head *expected)
{
    bool is_whole;
    assert_int_equal(fg_audit_open(fg_env_real(), folder, 0, expected, &is_whole, &audit), 0);
    return is_whole;
}

static struct fg_audit_record record(const char *what)
{
    return (struct fg_audit_record){.who = FG_SLICE("anna"),
                                    .from = FG_SLICE("192.0.2.1"),
                                    .tenant = FG_SLICE("default"),
                                    .action = FG_SLICE("order.view"),
                                    .what = fg_slice_from_string(what),
                                    .result = FG_SLICE("ok")};
}

static void note(const char *what)
{
    struct fg_audit_record one = record(what);
    fg_audit_note(audit, &one, true);
}

static void write_some(unsigned count)
{
    open_audit(NULL);
    for (unsigned i = 0; i < count; i++) {
        char what[32];
        snprintf(what, sizeof what, "order.id=ORD-%u", i);
        note(what);
    }
    fg_audit_close(audit);
}

static unsigned sentence_count;
static char sentence[200];

static void damage(void *arg, const char *said)
{
    (void)arg;
    sentence_count++;
    snprintf(sentence, sizeof sentence, "%s", said);
}

static unsigned verify(const struct fg_audit_head *head, struct fg_audit_report *report)
{
    sentence_count = 0;
    assert_int_equal(fg_audit_verify(fg_env_real(), folder, head, damage, NULL, report), 0);
    assert_int_equal(report->break_count, sentence_count);
    return sentence_count;
}

static char *read_file(size_t *ret_size)
{
    static char text[1 << 16];
    int file = open(path, O_RDONLY);
    ssize_t size = read(file, text, sizeof text);
    close(file);
    assert_true(size > 0);
    *ret_size = (size_t)size;
    return text;
}

static void write_file(const char *text, size_t size)
{
    int file = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(file, text, size), size);
    close(file);
}

static void test_a_whole_chain(void **state)
{
    (void)state;
    struct fg_audit_report report;
    struct fg_audit_counters counters;
    assert_int_equal(fg_audit_verify(fg_env_real(), folder, NULL, damage, NULL, &report),
                     FG_ENOTFOUND);
    write_some(10);
    write_some(10); /* goes on with the same file and chain */
    assert_int_equal(verify(NULL, &report), 0);
    assert_int_equal(report.records, 20);
    assert_int_equal(report.first, 1);
    assert_int_equal(report.last, 20);
    assert_true(open_audit(NULL));
    fg_audit_counters(audit, &counters);
    fg_audit_close(audit);
    assert_int_equal(counters.head.sequence, 20);
    assert_memory_equal(counters.head.hash, report.hash, sizeof report.hash);
    assert_int_equal(verify(&counters.head, &report), 0);
    assert_true(report.has_head);
    assert_true(open_audit(&counters.head));
    fg_audit_close(audit);
}

/* Each bit of the middle of the file, one at a time. */
static void test_an_edit_shows(void **state)
{
    (void)state;
    struct fg_audit_report report;
    size_t size;
    write_some(5);
    char *text = read_file(&size);
    for (size_t at = 0; at < size; at += 7) {
        text[at] ^= 1;
        write_file(text, size);
        assert_true(verify(NULL, &report) > 0);
        text[at] ^= 1;
    }
    write_file(text, size);
    assert_int_equal(verify(NULL, &report), 0);
}

/* The begin of line number, from 0. */
static size_t line_at(const char *text, size_t size, unsigned number)
{
    size_t at = 0;
    while (number-- > 0)
        at = (size_t)((const char *)memchr(text + at, '\n', size - at) - text) + 1;
    return at;
}

static void test_a_removal_shows(void **state)
{
    (void)state;
    struct fg_audit_report report;
    size_t size;
    write_some(5);
    const char *text = read_file(&size);
    for (unsigned line = 0; line < 4; line++) {
        size_t begin = line_at(text, size, line), end = line_at(text, size, line + 1);
        char *changed = malloc(size);
        memcpy(changed, text, begin);
        memcpy(changed + begin, text + end, size - end);
        write_file(changed, size - (end - begin));
        free(changed);
        if (line == 0) {
            /* The oldest ones go by age, so that only the file's name tells. */
            assert_int_equal(verify(NULL, &report), 1);
            continue;
        }
        assert_true(verify(NULL, &report) > 0);
    }
}

static void test_a_swap_shows(void **state)
{
    (void)state;
    struct fg_audit_report report;
    size_t size;
    write_some(5);
    const char *text = read_file(&size);
    size_t a = line_at(text, size, 1), b = line_at(text, size, 2), c = line_at(text, size, 3);
    char *changed = malloc(size);
    memcpy(changed, text, a);
    memcpy(changed + a, text + b, c - b);
    memcpy(changed + a + (c - b), text + a, b - a);
    memcpy(changed + c, text + c, size - c);
    write_file(changed, size);
    free(changed);
    assert_true(verify(NULL, &report) > 0);
}

/* A cut end is a whole chain by itself: a head that was kept tells. */
static void test_a_cut_end_shows_by_a_head(void **state)
{
    (void)state;
    struct fg_audit_report report;
    struct fg_audit_head head;
    size_t size;
    write_some(5);
    assert_int_equal(verify(NULL, &report), 0);
    head.sequence = report.last;
    memcpy(head.hash, report.hash, sizeof head.hash);
    const char *text = read_file(&size);
    write_file(text, line_at(text, size, 3));
    assert_int_equal(verify(NULL, &report), 0);
    assert_int_equal(verify(&head, &report), 1);
    assert_non_null(strstr(sentence, "head"));
    assert_false(open_audit(&head));
    fg_audit_close(audit);
    /* As long as before, but another one. */
    write_some(2);
    assert_int_equal(verify(&head, &report), 1);
    assert_false(open_audit(&head));
    fg_audit_close(audit);
}

/* A crash may leave half a line: it was not told of, and is cut off. */
static void test_half_a_line(void **state)
{
    (void)state;
    struct fg_audit_report report;
    size_t size;
    write_some(5);
    char *text = read_file(&size);
    for (size_t cut = line_at(text, size, 4) + 1; cut < size; cut += 13) {
        write_file(text, cut);
        open_audit(NULL);
        note("after");
        fg_audit_close(audit);
        assert_int_equal(verify(NULL, &report), 0);
        assert_int_equal(report.records, 5);
    }
}

static void count_line(void *arg, struct fg_slice line)
{
    unsigned *count = arg;
    assert_int_equal(line.data[0], '{');
    assert_int_equal(line.data[line.size - 1], '}');
    ++*count;
}

static void test_reading(void **state)
{
    (void)state;
    unsigned count = 0;
    uint64_t next;
    write_some(25);
    struct fg_audit_query query = {.limit = 10};
    unsigned pages = 0;
    do {
        assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next),
                         0);
        query.before = next;
        pages++;
    } while (next);
    assert_int_equal(count, 25);
    assert_int_equal(pages, 3);
    query =
        (struct fg_audit_query){.limit = 10, .what = FG_SLICE("ORD-7"), .who = FG_SLICE("anna")};
    count = 0;
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 1);
    query.who = FG_SLICE("ann");
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 1);
    assert_int_equal(next, 0);
}

struct waited {
    struct fg_audit_wait wait;
    struct fg_mutex mutex;
    struct fg_cond cond;
    bool is_done;
    int result;
};

static void on_done(struct fg_audit_wait *wait, int result)
{
    struct waited *waited = (struct waited *)wait;
    fg_mutex_lock(&waited->mutex);
    waited->is_done = true;
    waited->result = result;
    fg_cond_signal(&waited->cond);
    fg_mutex_unlock(&waited->mutex);
}

static int wait_for(void)
{
    struct waited waited = {.wait.done = on_done};
    struct fg_audit_record one = record("waited for");
    fg_mutex_init(&waited.mutex, FG_RANK_LEAF);
    fg_cond_init(&waited.cond);
    int r = fg_audit_start(audit, &one, &waited.wait);
    fg_mutex_lock(&waited.mutex);
    while (r == 0 && !waited.is_done)
        fg_cond_wait(&waited.cond, &waited.mutex);
    fg_mutex_unlock(&waited.mutex);
    fg_cond_destroy(&waited.cond);
    fg_mutex_destroy(&waited.mutex);
    return r < 0 ? r : waited.result;
}

static void test_waiting(void **state)
{
    (void)state;
    struct fg_audit_report report;
    open_audit(NULL);
    assert_int_equal(wait_for(), 0);
    /* It is on disk while the writer still runs. */
    assert_int_equal(verify(NULL, &report), 0);
    assert_int_equal(report.records, 1);
    fg_audit_close(audit);
}

/* Where the file can't be made nothing is taken any more, and nobody waits for ever. */
static void test_it_can_not_be_written(void **state)
{
    (void)state;
    struct fg_audit_counters counters;
    open_audit(NULL);
    snprintf(path, sizeof path, "%s/audit", folder);
    int file = open(path, O_WRONLY | O_CREAT, 0600); /* a file where the folder should be */
    close(file);
    assert_int_equal(wait_for(), FG_EIO);
    assert_int_equal(wait_for(), FG_EIO);
    note("lost");
    fg_audit_counters(audit, &counters);
    assert_true(counters.is_failed);
    assert_true(counters.lost >= 1);
    fg_audit_close(audit);
}

/* The same view again and again is one record; refusals past a bound are a count,
 * which hides none of another reason. */
static void test_floods(void **state)
{
    (void)state;
    struct fg_audit_report report;
    unsigned count = 0;
    uint64_t next;
    struct fg_audit_record same = record("order.id=ORD-1");
    struct fg_audit_record refused = record("GET /api/v1/traces");
    refused.action = FG_SLICE("refused");
    open_audit(NULL);
    for (int i = 0; i < 1000; i++)
        fg_audit_note(audit, &same, false);
    for (int i = 0; i < 3000; i++)
        fg_audit_note(audit, &refused, true);
    refused.what = FG_SLICE("POST /api/v1/users");
    refused.result = FG_SLICE("forged");
    fg_audit_note(audit, &refused, true);
    fg_audit_close(audit);
    assert_int_equal(verify(NULL, &report), 0);
    assert_true(report.records < 1000);
    struct fg_audit_query query = {.limit = 1000, .action = FG_SLICE("order.view")};
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 1);
    count = 0;
    query = (struct fg_audit_query){
        .limit = 1000, .action = FG_SLICE("refused"), .what = FG_SLICE(" more")};
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_true(count >= 1);
    count = 0;
    query = (struct fg_audit_query){.limit = 1000, .what = FG_SLICE("/users")};
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 1);
}

static unsigned count_of(const char *what)
{
    unsigned count = 0;
    uint64_t next;
    struct fg_audit_query query = {.limit = 1000, .what = fg_slice_from_string(what)};
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    return count;
}

static void note_with_age(const char *what, uint64_t age_ns)
{
    bool is_whole;
    assert_int_equal(fg_audit_open(fg_env_real(), folder, age_ns, NULL, &is_whole, &audit), 0);
    note(what);
    fg_audit_close(audit);
}

/* Records have an age of their own, whatever the size of their file, over restarts; what is left
 * is whole. */
static void test_old_records_go(void **state)
{
    (void)state;
    struct fg_audit_report report;
    struct fg_audit_record one = record("later");
    bool is_whole;
    note_with_age("first", 0);
    note_with_age("second", 60 * FG_NS_PER_MINUTE);
    note_with_age("third", 0);
    assert_int_equal(count_of("first") + count_of("second") + count_of("third"), 3);
    note_with_age("fourth", 1);
    assert_int_equal(count_of("first") + count_of("second") + count_of("third"), 0);
    assert_int_equal(count_of("fourth"), 1);
    assert_int_equal(verify(NULL, &report), 0);
    assert_int_equal(report.first, 4);
    /* Also where nobody notes anything any more. */
    assert_int_equal(
        fg_audit_open(fg_env_real(), folder, 100 * FG_NS_PER_MS, NULL, &is_whole, &audit), 0);
    usleep(10000);
    fg_audit_note(audit, &one, true);
    while (count_of("fourth") > 0 || count_of("later") == 0)
        usleep(1000);
    fg_audit_close(audit);
    assert_int_equal(verify(NULL, &report), 0);
    assert_int_equal(report.first, 5);
}

/* The first of a kind at once, then a number when its minute is over; past the bound of kinds the
 * others are one. */
static void test_knocking_is_counted(void **state)
{
    (void)state;
    static struct fg_tallies tallies;
    struct fg_audit_record knock = record("api");
    uint64_t now_ns = 17 * FG_NS_PER_SECOND;
    assert_true(fg_tally_is_first(&tallies, &knock, now_ns));
    assert_int_equal(fg_tally_next_ns(&tallies), UINT64_MAX);
    for (int i = 0; i < 5; i++)
        assert_false(fg_tally_is_first(&tallies, &knock, now_ns + 1));
    assert_null(fg_tally_due(&tallies, now_ns + FG_NS_PER_MINUTE - 1));
    now_ns = fg_tally_next_ns(&tallies);
    struct fg_tally *tally = fg_tally_due(&tallies, now_ns);
    assert_non_null(tally);
    assert_int_equal(tally->count, 5);
    assert_string_equal(tally->from, "192.0.2.1");
    fg_tally_restart(tally, now_ns);
    assert_null(fg_tally_due(&tallies, UINT64_MAX));
    assert_false(fg_tally_is_first(&tallies, &knock, now_ns + 1));
    fg_tally_restart(tally, now_ns);
    assert_true(fg_tally_is_first(&tallies, &knock, now_ns + FG_NS_PER_MINUTE));
    unsigned firsts = 0;
    for (int i = 0; i < 1000; i++) {
        char what[32];
        snprintf(what, sizeof what, "kind %d", i);
        knock.what = fg_slice_from_string(what);
        firsts += fg_tally_is_first(&tallies, &knock, now_ns);
    }
    assert_int_equal(firsts, FG_TALLY_KINDS_MAX - 1);
    assert_int_equal(tallies.kinds[FG_TALLY_KINDS_MAX - 1].count, 1000 - firsts);
}

/* What was counted and not yet told is told at the end. */
static void test_what_was_counted_is_told(void **state)
{
    (void)state;
    unsigned count = 0;
    uint64_t next;
    struct fg_audit_record knock = record("api");
    open_audit(NULL);
    for (int i = 0; i < 1000; i++)
        fg_audit_tally(audit, &knock);
    fg_audit_close(audit);
    struct fg_audit_query query = {.limit = 1000};
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 2);
    query.what = FG_SLICE("api: 999 more");
    assert_int_equal(fg_audit_read(fg_env_real(), folder, &query, count_line, &count, &next), 0);
    assert_int_equal(count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_edit_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_removal_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_swap_shows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_end_shows_by_a_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_not_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_records_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_floods, set_up, tear_down),
        cmocka_unit_test(test_knocking_is_counted),
        cmocka_unit_test_setup_teardown(test_what_was_counted_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
