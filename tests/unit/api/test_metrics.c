/* /metrics: well-formed by Prometheus' text format 0.0.4, named by its rules, and right. */
#include "api_fixture.h"

#include "net/counters.h"
#include "state.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture fixture;

/* -- A reader of the format, as strict as a scraper
 * -----------------------------------------------------
 */

#define FAMILIES_MAX 200
#define NAME_SIZE    100

struct family {
    char name[NAME_SIZE];
    char type[16];
    bool has_help;
    unsigned series;
    double buckets_before; /* of a histogram: they must not fall */
    double bucket_inf, count;
};

static struct family families[FAMILIES_MAX];
static size_t family_count;

static bool is_name(const char *text, size_t size)
{
    if (size == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != ':')
            return false;
    return true;
}

static struct family *last_family(void)
{
    assert_true(family_count > 0);
    return &families[family_count - 1];
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void read_comment(const char *line)
{
    char name[NAME_SIZE], rest[300];
    if (sscanf(line, "# HELP %99s %299[^\n]", name, rest) == 2) {
        for (size_t i = 0; i < family_count; i++)
            assert_string_not_equal(families[i].name, name); /* each once, its series together */
        assert_true(family_count < FAMILIES_MAX);
        struct family *family = &families[family_count++];
        *family = (struct family){.has_help = true, .buckets_before = -1, .bucket_inf = -1};
        snprintf(family->name, sizeof family->name, "%s", name);
        assert_true(is_name(name, strlen(name)));
        assert_true(isupper((unsigned char)rest[0]) || isdigit((unsigned char)rest[0]));
        assert_true(ends_with(rest, "."));
        return;
    }
    assert_int_equal(sscanf(line, "# TYPE %99s %15s", name, rest), 2);
    assert_string_equal(last_family()->name, name);
    assert_int_equal(last_family()->series, 0);
    snprintf(last_family()->type, sizeof last_family()->type, "%.15s", rest);
    bool is_counter = strcmp(rest, "counter") == 0;
    assert_true(is_counter || strcmp(rest, "gauge") == 0 || strcmp(rest, "histogram") == 0);
    assert_int_equal(is_counter, ends_with(name, "_total"));
    /* One prefix, or that which all exporters use; base units. */
    assert_true(strncmp(name, "filigree_", 9) == 0 || strncmp(name, "process_", 8) == 0);
    assert_null(strstr(name, "_ms"));
    assert_null(strstr(name, "_ns"));
}

/* name{label="value",…} number; returns the labels' end. */
static const char *read_labels(const char *at, char le[32])
{
    le[0] = 0;
    if (*at != '{')
        return at;
    do {
        const char *name = ++at;
        at += strcspn(at, "=");
        size_t name_size = (size_t)(at - name);
        assert_true(is_name(name, name_size));
        assert_int_equal(at[1], '"');
        const char *value = at += 2;
        for (; *at && *at != '"'; at++) {
            assert_int_not_equal(*at, '\n');
            at += *at == '\\';
        }
        assert_int_equal(*at, '"');
        if (name_size == 2 && memcmp(name, "le", 2) == 0)
            snprintf(le, 32, "%.*s", (int)(at - value), value);
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

static void read_bucket(struct family *family, const char *le, double value)
{
    assert_true(*le);
    assert_true(value >= family->buckets_before);
    family->buckets_before = value;
    if (strcmp(le, "+Inf") == 0)
        family->bucket_inf = value;
}

static void read_series(const char *line)
{
    struct family *family = last_family();
    size_t size = strcspn(line, "{ ");
    char name[NAME_SIZE], le[32], *end;
    assert_true(size < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)size, line);
    const char *at = read_labels(line + size, le);
    assert_int_equal(*at, ' ');
    double value = strtod(at + 1, &end);
    assert_true(end > at + 1 && *end == '\n');
    assert_true(value >= 0);
    family->series++;
    if (strcmp(family->type, "histogram") != 0) {
        assert_string_equal(name, family->name);
        return;
    }
    assert_int_equal(strncmp(name, family->name, strlen(family->name)), 0);
    const char *suffix = name + strlen(family->name);
    if (strcmp(suffix, "_bucket") == 0)
        read_bucket(family, le, value);
    else if (strcmp(suffix, "_count") == 0)
        family->count = value;
    else
        assert_string_equal(suffix, "_sum");
}

static void read_all(const char *text)
{
    family_count = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        assert_non_null(strchr(line, '\n')); /* the last line ends too */
        if (*line == '#')
            read_comment(line);
        else
            read_series(line);
    }
    for (size_t i = 0; i < family_count; i++) {
        assert_true(families[i].has_help && *families[i].type);
        if (strcmp(families[i].type, "histogram") == 0)
            assert_true(families[i].bucket_inf == families[i].count);
    }
}

/* The value of one series; the test fails where it is not there. */
static double value_of(const char *series)
{
    char line[300];
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(fixture_text(&fixture), line);
    if (!at)
        fail_msg("there is no %s", series);
    return strtod(at + strlen(line), NULL);
}

/* -- Tests
 * ---------------------------------------------------------------------------------------
 */

static void test_well_formed(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(fixture_get(&fixture, "/metrics", NULL), 200);
    assert_string_equal(fixture.last.content_type, "text/plain; version=0.0.4; charset=utf-8");
    read_all(fixture_text(&fixture));
    size_t bare = family_count;
    fg_api_attach_server(fixture.api, (struct fg_server *)(uintptr_t)8);
    fixture_send_order(&fixture);
    assert_int_equal(fixture_get(&fixture, "/nothing", NULL), 404);
    assert_int_equal(fixture_get(&fixture, "/metrics", NULL), 200);
    read_all(fixture_text(&fixture));
    assert_true(family_count > bare); /* net's have come */
    assert_true(family_count > 60);
    fixture_end(&fixture);
}

static void test_values(void **state)
{
    (void)state;
    const struct fg_store_counters counters = {.appended_spans = 17,
                                               .commit_ns_total = UINT64_C(1500000000),
                                               .commit_ns_max = 2000000,
                                               .segment_bytes = UINT64_C(1) << 40,
                                               .held_bytes = 4096,
                                               .behind = 12,
                                               .disk_free_bytes = 5};
    fixture_begin(&fixture);
    fg_api_attach_server(fixture.api, (struct fg_server *)(uintptr_t)8);
    fixture_send_order(&fixture);
    fake_store_set_counters(fixture.store, &counters);
    atomic_store(&fake_counters.refused[FG_REFUSED_BODY_SIZE], 3);
    atomic_store(&fake_counters.responses[4], 4);
    assert_int_equal(fixture_get(&fixture, "/nothing", NULL), 404);
    assert_int_equal(fixture_get(&fixture, "/metrics", NULL), 200);
    assert_true(value_of("filigree_ingest_spans_total{protocol=\"otlp_http_json\"}") == 3);
    assert_true(value_of("filigree_ingest_requests_total{protocol=\"otlp_http_json\"}") == 1);
    assert_true(value_of("filigree_ingest_duration_seconds_count") == 1);
    assert_true(value_of("filigree_http_requests_total{route=\"/v1/traces\",method=\"POST\","
                         "status=\"200\"}") == 1);
    assert_true(value_of("filigree_http_requests_total{route=\"\",method=\"\",status=\"404\"}") ==
                1);
    assert_true(value_of("filigree_store_appended_spans_total") == 17);
    assert_true(value_of("filigree_store_commit_seconds_total") == 1.5);
    assert_true(value_of("filigree_store_commit_max_seconds") == 0.002);
    assert_true(value_of("filigree_store_segment_bytes") == 1099511627776.0);
    assert_true(value_of("filigree_store_held_bytes") == 4096);
    assert_true(value_of("filigree_store_requests_behind") == 12);
    assert_true(value_of("filigree_net_refused_total{reason=\"body_size\"}") == 3);
    assert_true(value_of("filigree_net_responses_total{class=\"4xx\"}") == 4);
    assert_true(value_of("filigree_store_state{state=\"ok\"}") == 1);
    assert_true(value_of("filigree_store_state{state=\"failed\"}") == 0);
    assert_true(value_of("filigree_ready") == 1);
    assert_true(value_of("process_resident_memory_bytes") > 1 << 20);
    assert_true(value_of("process_cpu_seconds_total") >= 0);
    assert_true(value_of("process_threads") > 1);
    assert_true(value_of("process_open_fds") >= 3);
    assert_true(value_of("process_max_fds") >= value_of("process_open_fds"));
    assert_true(value_of("process_start_time_seconds") == 1764072000);
    fixture_end(&fixture);
}

static void test_readiness(void **state)
{
    (void)state;
    static const struct {
        enum fg_store_state state;
        unsigned status;
        const char *word, *series;
    } cases[] = {
        {FG_STORE_OK, 200, "ready\n", "filigree_store_state{state=\"ok\"}"},
        {FG_STORE_NO_SPACE, 503, "no space: ", "filigree_store_state{state=\"no_space\"}"},
        {FG_STORE_FAILED, 503, "store failed: ", "filigree_store_state{state=\"failed\"}"},
    };
    fixture_begin(&fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_store_set_counters(fixture.store,
                                &(struct fg_store_counters){.state = cases[i].state});
        assert_int_equal(fixture_get(&fixture, "/readyz", NULL), cases[i].status);
        assert_int_equal(strncmp(fixture_text(&fixture), cases[i].word, strlen(cases[i].word)), 0);
        assert_int_equal(fixture_get(&fixture, "/metrics", NULL), 200);
        assert_true(value_of(cases[i].series) == 1);
        assert_true(value_of("filigree_ready") == (cases[i].status == 200));
    }
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_formed),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_readiness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
