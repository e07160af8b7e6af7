/* Merging, expiry, erasing, backup: what they promise when nothing goes wrong, and what they say
 * when something does. */
#include "base/limits.h"
#include "care_fixture.h"
#include "span/builder.h"
#include "store/rollup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct care care;

static int begin(void **state)
{
    (void)state;
    care_start(&care, 1);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    care_end(&care);
    return 0;
}

static void open_store(void)
{
    assert_int_equal(care_open(&care), 0);
}

/* -- Merging */

static void many_segments_become_one(void **state)
{
    (void)state;
    open_store();
    for (uint32_t i = 0; i < 20; i++) {
        const struct care_span spans[] = {{.trace = i * 2 + 1, .id = 1, .form = CARE_ENDED},
                                          {.trace = i * 2 + 2, .id = 1, .form = CARE_ENDED}};
        care_seal(&care, spans, 2);
    }
    assert_int_equal(care_counters(&care).segment_count, 20);
    assert_int_equal(care_file_count(&care, "segments"), 20);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 1);
    assert_int_equal(care_counters(&care).segment_spans, 40);
    assert_true(care_counters(&care).merges > 0);
    assert_int_equal(care_file_count(&care, "segments"), 1);
    assert_int_equal(care_scan_count(&care, 0), 40);
    care_check(&care);
    care_close(&care, false);
    open_store();
    care_check(&care);
}

/* Of a busy partition too, without anybody asking. */
static void upkeep_merges_by_itself(void **state)
{
    (void)state;
    open_store();
    for (uint32_t i = 0; i < 8; i++) {
        const struct care_span span = {.trace = i + 1, .id = 1, .form = CARE_ENDED};
        care_seal(&care, &span, 1);
    }
    bool did = true;
    while (did)
        assert_int_equal(fg_store_step(care.store, &did), 0);
    assert_int_equal(care_counters(&care).segment_count, 1);
    care_check(&care);
}

static void tenants_and_days_stay_apart(void **state)
{
    (void)state;
    open_store();
    for (uint32_t i = 0; i < 4; i++) {
        const struct care_span spans[] = {
            {.tenant = 1, .trace = 1, .id = i + 1, .form = CARE_ENDED},
            {.tenant = 1, .trace = 1, .id = i + 10, .day = 1, .form = CARE_ENDED}};
        const struct care_span other = {.tenant = 2, .trace = 1, .id = i + 1, .form = CARE_ENDED};
        care_seal(&care, spans, 2);
        care_seal(&care, &other, 1);
    }
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 3);
    assert_int_equal(care_scan_count(&care, 1), 8);
    assert_int_equal(care_scan_count(&care, 2), 4);
    care_check(&care);
}

static int sum_edges(void *arg, const struct fg_rollup_cell *cell)
{
    uint64_t *counts = arg;
    counts[0] += cell->is_edge ? 0 : cell->count;
    counts[1] += cell->is_edge ? cell->count : 0;
    counts[2] += cell->is_edge ? 0 : cell->open_count;
    return 0;
}

static void count_rollup(uint32_t tenant, uint64_t ret_counts[3])
{
    struct fg_rollup *rollup;
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_store_rollup(care.store, tenant, 0, UINT64_MAX, rollup), 0);
    memset(ret_counts, 0, 3 * sizeof *ret_counts);
    assert_int_equal(fg_rollup_each(rollup, sum_edges, ret_counts), 0);
    fg_rollup_free(rollup);
}

static int get_rows(void *arg, const struct fg_scan_rows *rows)
{
    uint64_t **next = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++)
        *(*next)++ = rows->batch->trace_id_low[row] * 100 + rows->batch->span_id[row];
    return 0;
}

/* A trace that came in parts lies together, in pre-order, and its calls are counted. */
static void parts_of_a_trace_are_joined(void **state)
{
    (void)state;
    /* trace 4 begins before 5 and 7, and its other part after them */
    const struct care_span parts[][3] = {
        {{.trace = 7, .id = 3, .parent = 2, .service = 2, .form = CARE_ENDED},
         {.trace = 5, .id = 1, .service = 1, .form = CARE_ENDED},
         {.trace = 4, .id = 5000, .service = 1, .form = CARE_ENDED}},
        {{.trace = 7, .id = 1, .service = 1, .form = CARE_ENDED},
         {.trace = 5, .id = 2, .parent = 1, .service = 2, .form = CARE_ENDED},
         {.trace = 4, .id = 1, .service = 1, .form = CARE_ENDED}},
        {{.trace = 7, .id = 4, .parent = 1, .service = 3, .form = CARE_ENDED},
         {.trace = 7, .id = 2, .parent = 1, .service = 2, .form = CARE_ENDED}}};
    uint64_t counts[3], rows[8], *next = rows;
    open_store();
    for (int i = 0; i < 3; i++)
        care_seal(&care, parts[i], i < 2 ? 3 : 2);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 8);
    assert_int_equal(counts[1], 0); /* no two have met */
    assert_int_equal(fg_store_settle(care.store), 0);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 8);
    assert_int_equal(counts[1], 3); /* 5: 1>2; 7: 1>2, 1>3 */
    care_check(&care);
    struct fg_read_stats stats = {0};
    const struct fg_scan scan = {
        .start_ns_max = UINT64_MAX, .columns = FG_COLUMNS_IDS, .rows = get_rows, .arg = &next};
    assert_int_equal(fg_store_scan(care.store, &scan, &stats), 0);
    const uint64_t expected[] = {401, 5400, 501, 502, 701, 702, 703, 704};
    assert_int_equal(next - rows, 8);
    assert_memory_equal(rows, expected, sizeof expected);
}

/* A trace that goes over a row group's end: whoever is called behind it knows its caller before it,
 * when it is sealed, when it is copied, and when it is joined. */
static void calls_over_a_row_groups_end_are_counted(void **state)
{
    (void)state;
    enum { COUNT = FG_ROW_GROUP_ROWS_MAX + 5000 };
    struct care_span *spans = calloc(COUNT, sizeof *spans);
    uint64_t counts[3];
    assert_non_null(spans);
    for (uint32_t i = 0; i < COUNT; i++)
        spans[i] = (struct care_span){.trace = 1,
                                      .id = i + 1,
                                      .parent = i % 3 ? i : i / 3,
                                      .service = i % 2,
                                      .form = CARE_ENDED};
    uint64_t calls = 0;
    for (uint32_t i = 1; i < COUNT; i++)
        calls += spans[i].parent && spans[i].service != spans[spans[i].parent - 1].service;
    care.options.wal_segment_size = 32 << 20;
    open_store();
    care_seal(&care, spans, COUNT);
    count_rollup(0, counts);
    assert_int_equal(counts[0], COUNT);
    assert_int_equal(counts[1], calls);
    for (uint32_t i = 0; i < COUNT; i++)
        spans[i].trace = 2;
    care_seal(&care, spans, COUNT);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 1);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 2 * COUNT);
    assert_int_equal(counts[1], 2 * calls);
    care_seal(&care, spans, COUNT); /* once more: joined, and each span stays once */
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 1);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 2 * COUNT);
    assert_int_equal(counts[1], 2 * calls);
    free(spans);
}

static void forms_of_a_span_become_one(void **state)
{
    (void)state;
    open_store();
    const enum care_form forms[] = {CARE_OPEN, CARE_OPEN, CARE_ENDED, CARE_ENDED};
    uint64_t counts[3];
    for (uint32_t i = 0; i < 4; i++) {
        const struct care_span spans[] = {
            {.trace = 1, .id = 1, .form = forms[i]},
            {.trace = 2, .id = 1, .form = i % 2 ? CARE_ENDED : CARE_OTHER_END}};
        care_seal(&care, spans, 2);
    }
    assert_int_equal(care_scan_count(&care, 0), 8);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_scan_count(&care, 0), 3); /* the two ends that differ both stay */
    assert_int_equal(care_counters(&care).duplicate_spans, 5);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[2], 0);
    care_check(&care);
}

/* A segment with a damaged page is reported, left out, and costs the others nothing. */
static void a_damaged_segment_is_left_out(void **state)
{
    (void)state;
    struct care_span spans[100];
    open_store();
    for (uint32_t i = 0; i < 100; i++)
        spans[i] = (struct care_span){.trace = 99, .id = i * i + 1, .form = CARE_ENDED};
    care_seal(&care, spans, 100);
    for (uint32_t i = 0; i < 3; i++) {
        const struct care_span span = {.trace = i + 1, .id = 1, .form = CARE_ENDED};
        care_seal(&care, &span, 1);
    }
    care_close(&care, false);
    assert_int_equal(fg_sim_flip(care.sim, "/store/segments/0000000000000001.seg", 30, 1), 0);
    open_store();
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 2);
    assert_true(care_counters(&care).damaged_pages > 0);
    assert_non_null(strstr(care.event, "left out of merging"));
    for (size_t i = 0; i < care.given_count; i++)
        care.given[i].is_gone = care.given[i].span.trace == 99;
    care_check(&care);
}

/* Without room a merge waits, says so, and nothing is lost; with room it goes on. */
static void a_full_disk_puts_merging_off(void **state)
{
    (void)state;
    open_store();
    for (uint32_t i = 0; i < 4; i++) {
        const struct care_span span = {.trace = i + 1, .id = 1, .form = CARE_ENDED};
        care_seal(&care, &span, 1);
    }
    fg_sim_set_capacity(care.sim, fg_sim_used_bytes(care.sim) + 100);
    int r = fg_store_settle(care.store);
    assert_true(r == 0 || r == FG_ENOSPACE);
    assert_int_equal(care_counters(&care).segment_count, 4);
    assert_int_equal(care_file_count(&care, "segments"), 4);
    care_check(&care);
    fg_sim_set_capacity(care.sim, UINT64_MAX);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 1);
    care_check(&care);
}

/* Any write or sync that fails once, at any place, leaves what was there. */
static void a_merge_that_fails_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        finish(NULL);
        care_start(&care, nth);
        open_store();
        for (uint32_t i = 0; i < 3; i++) {
            const struct care_span spans[] = {{.trace = 1, .id = i + 1, .form = CARE_ENDED},
                                              {.trace = i + 2, .id = 1, .form = CARE_ENDED}};
            care_seal(&care, spans, 2);
        }
        const struct fg_sim_fault fault = {
            .ops = FG_SIM_CHANGES | FG_SIM_OPEN | FG_SIM_READ, .nth = nth, .error = FG_EIO};
        fg_sim_fail(care.sim, &fault);
        int r = fg_store_settle(care.store);
        bool has_failed = fg_sim_has_failed(care.sim);
        fg_sim_fail(care.sim, NULL);
        if (!has_failed)
            break;
        assert_true(r == 0 || r == FG_EIO);
        care_check(&care);
        care_close(&care, false);
        open_store();
        care_check(&care);
        assert_int_equal(fg_store_settle(care.store), 0);
        assert_int_equal(care_counters(&care).segment_count, 1);
        assert_int_equal(care_file_count(&care, "segments"), 1);
        care_check(&care);
    }
}

/* -- Expiry */

static void seal_days(uint32_t days)
{
    for (uint32_t day = 0; day < days; day++) {
        for (uint32_t i = 0; i < 2; i++) {
            const struct care_span spans[] = {
                {.trace = day + 1, .id = 10 * i + 1, .day = day, .service = 1, .form = CARE_ENDED},
                {.trace = day + 1,
                 .id = 10 * i + 2,
                 .parent = 10 * i + 1,
                 .day = day,
                 .service = 2,
                 .form = CARE_ENDED},
                {.trace = day + 101, .id = i + 1, .day = day, .form = CARE_ENDED}};
            care_seal(&care, spans, 3);
        }
    }
}

static void gone_before(uint32_t day)
{
    for (size_t i = 0; i < care.given_count; i++)
        if (care.given[i].span.day < day)
            care.given[i].is_gone = true;
}

static void days_past_their_age_go_and_their_counts_stay(void **state)
{
    (void)state;
    uint64_t counts[3];
    care.options.retention.age_ns = 3 * CARE_DAY;
    open_store();
    seal_days(3);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 18);
    assert_int_equal(counts[1], 6);
    /* noon of day 0 + 3.5 days + a second: day 0 ended three days ago, with a second */
    fg_sim_advance(care.sim, 7 * CARE_DAY / 2 - 1);
    assert_int_equal(fg_store_settle(care.store), 0);
    care_check(&care);
    fg_sim_advance(care.sim, FG_NS_PER_MINUTE);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    care_check(&care);
    assert_int_equal(care_scan_count(&care, 0), 12);
    assert_int_equal(care_counters(&care).retention_dropped_spans, 6);
    assert_int_equal(care_file_count(&care, "rollups"), 1);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 18);
    assert_int_equal(counts[1], 6);
    care_close(&care, false);
    open_store();
    care_check(&care);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 18);
}

/* A straggler of a day that went: its counts join those that are there. */
static void more_of_a_day_that_went_is_counted_too(void **state)
{
    (void)state;
    uint64_t counts[3];
    care.options.retention.age_ns = CARE_DAY;
    open_store();
    seal_days(1);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    const struct care_span late = {.trace = 900, .id = 1, .day = 0, .form = CARE_ENDED};
    care_seal(&care, &late, 1);
    care_check(&care);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    care_check(&care);
    assert_int_equal(care_file_count(&care, "rollups"), 1);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 7);
}

static void pinned_traces_outlive_their_day(void **state)
{
    (void)state;
    uint64_t counts[3];
    care.options.retention = (struct fg_retention){.age_ns = CARE_DAY, .pinned_bytes_max = 1 << 20};
    care.pinned[0] = 1;
    care.pinned_count = 1;
    open_store();
    seal_days(1);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0);
    for (size_t i = 0; i < care.given_count; i++)
        care.given[i].is_gone = care.given[i].span.trace != 1;
    care_check(&care);
    assert_int_equal(care_scan_count(&care, 0), 4);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 6); /* each once */
    assert_int_equal(counts[1], 2);
    /* still pinned: nothing to do */
    uint64_t generation = care_counters(&care).retention_dropped_spans;
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).retention_dropped_spans, generation);
    /* the journey is over */
    care.pinned_count = 0;
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    care_check(&care);
    assert_int_equal(care_counters(&care).segment_count, 0);
    count_rollup(0, counts);
    assert_int_equal(counts[0], 6);
}

static void pinned_traces_past_their_bytes_go(void **state)
{
    (void)state;
    care.options.retention = (struct fg_retention){.age_ns = CARE_DAY, .pinned_bytes_max = 10};
    care.pinned[0] = 1;
    care.pinned_count = 1;
    open_store();
    seal_days(1);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    care_check(&care);
    assert_non_null(strstr(care.event, "journeys were dropped"));
}

static int sum_services(void *arg, const struct fg_rollup_cell *cell)
{
    uint64_t *counts = arg;
    uint32_t service = (uint32_t)(cell->service.data[cell->service.size - 1] - '0');
    if (cell->is_edge)
        counts[10] += cell->count;
    else
        counts[service] += cell->count + cell->open_count;
    return 0;
}

static void count_services(uint64_t counts[11])
{
    struct fg_rollup *rollup;
    memset(counts, 0, 11 * sizeof *counts);
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_store_rollup(care.store, 0, 0, UINT64_MAX, rollup), 0);
    assert_int_equal(fg_rollup_each(rollup, sum_services, counts), 0);
    fg_rollup_free(rollup);
}

static void erase(const struct fg_predicate *predicate, bool whole_traces, uint64_t expected)
{
    uint64_t count;
    assert_int_equal(fg_store_erase(care.store, 0, predicate, whole_traces, &count), 0);
    assert_int_equal(count, expected);
}

/* The day has gone but for a pinned trace, and its counts are in the day's file. */
static void counts_of_erased_spans_leave_their_days_file(void **state)
{
    (void)state;
    uint64_t counts[11];
    for (int whole = 0; whole < 2; whole++) {
        if (whole) {
            care_end(&care);
            care_start(&care, 2);
        }
        care.options.retention =
            (struct fg_retention){.age_ns = CARE_DAY, .pinned_bytes_max = 1 << 20};
        care.pinned[0] = 1;
        care.pinned_count = 1;
        open_store();
        const struct care_span spans[] = {
            {.trace = 1, .id = 1, .service = 1, .form = CARE_ENDED},
            {.trace = 1, .id = 2, .parent = 1, .service = 7, .form = CARE_ENDED, .secret = "hush"},
            {.trace = 2, .id = 1, .service = 1, .form = CARE_ENDED},
            {.trace = 2, .id = 2, .parent = 1, .service = 3, .form = CARE_ENDED}};
        care_seal(&care, spans, 4);
        fg_sim_advance(care.sim, 3 * CARE_DAY);
        assert_int_equal(fg_store_settle(care.store), 0);
        assert_int_equal(care_scan_count(&care, 0), 2);
        count_services(counts);
        assert_true(counts[1] == 2 && counts[7] == 1 && counts[3] == 1 && counts[10] == 2);
        assert_true(care_has_bytes(&care, "service-7"));
        struct fg_predicate secret = care_secret("hush");
        erase(&secret, whole, whole ? 2 : 1);
        count_services(counts);
        assert_int_equal(counts[1], whole ? 1 : 2);
        assert_true(counts[7] == 0 && counts[3] == 1 && counts[10] == 1);
        assert_false(care_has_bytes(&care, "service-7"));
        assert_true(care_has_bytes(&care, "service-3"));
        assert_int_equal(care_file_count(&care, "rollups"), 1);
    }
}

/* Of a day without a span: a service or a name that is asked for by itself. */
static void names_that_are_erased_leave_the_files_of_days_that_went(void **state)
{
    (void)state;
    uint64_t counts[11];
    care.options.retention.age_ns = CARE_DAY;
    open_store();
    const struct care_span spans[] = {
        {.trace = 1, .id = 1, .service = 1, .form = CARE_ENDED},
        {.trace = 1, .id = 2, .parent = 1, .service = 7, .form = CARE_ENDED},
        {.trace = 2, .id = 3, .service = 3, .form = CARE_ENDED}};
    care_seal(&care, spans, 3);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_scan_count(&care, 0), 0);
    assert_true(care_has_bytes(&care, "service-7"));
    const struct fg_predicate service = {.op = FG_PRED_EQ,
                                         .field = FG_FIELD_ATTR_ANY,
                                         .key = FG_SLICE("service.name"),
                                         .type = FG_VALUE_STRING,
                                         .string = FG_SLICE("service-7")};
    const struct fg_predicate name = {.op = FG_PRED_EQ,
                                      .field = FG_FIELD_NAME,
                                      .type = FG_VALUE_STRING,
                                      .string = FG_SLICE("name-3")};
    struct fg_predicate other = service;
    other.key = FG_SLICE("order.id"); /* nothing is known of it */
    erase(&other, false, 0);
    count_services(counts);
    assert_true(counts[7] == 1 && counts[10] == 1);
    erase(&service, false, 0);
    count_services(counts);
    assert_true(counts[1] == 1 && counts[7] == 0 && counts[3] == 1 && counts[10] == 0);
    assert_false(care_has_bytes(&care, "service-7"));
    erase(&name, false, 0);
    count_services(counts);
    assert_true(counts[1] == 1 && counts[3] == 0);
    assert_false(care_has_bytes(&care, "name-3"));
    assert_int_equal(care_file_count(&care, "rollups"), 1);
    erase(NULL, false, 0);
    assert_int_equal(care_file_count(&care, "rollups"), 0);
    care_close(&care, false);
    open_store();
    assert_int_equal(care_file_count(&care, "rollups"), 0);
}

static void bytes_over_their_maximum_take_the_oldest_day(void **state)
{
    (void)state;
    open_store();
    seal_days(4);
    assert_int_equal(fg_store_settle(care.store), 0);
    assert_int_equal(care_counters(&care).segment_count, 4);
    struct fg_retention retention = {.bytes_max = care_counters(&care).segment_bytes - 1};
    fg_store_set_retention(care.store, &retention);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(1);
    care_check(&care);
    assert_int_equal(care_counters(&care).segment_count, 3);
    retention.bytes_max = 1;
    fg_store_set_retention(care.store, &retention);
    assert_int_equal(fg_store_settle(care.store), 0);
    gone_before(4);
    care_check(&care);
    assert_int_equal(care_counters(&care).segment_count, 0);
    uint64_t counts[3];
    count_rollup(0, counts);
    assert_int_equal(counts[0], 24);
}

/* -- Erasing */

static void seal_secrets(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        const struct care_span spans[] = {
            {.trace = i + 1, .id = 1, .service = 1, .form = CARE_ENDED},
            {.trace = i + 1,
             .id = 2,
             .parent = 1,
             .service = 2,
             .form = CARE_ENDED,
             .secret = i < 2 ? "order-of-Jane-Doe-4711" : "order-of-nobody-0815"},
            {.trace = i + 1, .id = 3, .parent = 2, .service = 3, .form = CARE_ENDED}};
        care_seal(&care, spans, 3);
    }
    /* and in the head */
    const struct care_span span = {
        .trace = 9, .id = 1, .form = CARE_ENDED, .secret = "order-of-Jane-Doe-4711"};
    assert_int_equal(care_append(&care, &span, 1), 0);
}

static void erased_spans_are_nowhere(void **state)
{
    (void)state;
    uint64_t count, counts[3];
    const struct fg_predicate predicate = care_secret("order-of-Jane-Doe-4711");
    open_store();
    seal_secrets();
    assert_true(care_has_bytes(&care, "Jane-Doe"));
    assert_int_equal(fg_store_erase(care.store, 0, &predicate, false, &count), 0);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < care.given_count; i++)
        care.given[i].is_gone = care.given[i].span.secret &&
                                strcmp(care.given[i].span.secret, "order-of-Jane-Doe-4711") == 0;
    care_check(&care);
    assert_false(care_has_bytes(&care, "Jane-Doe"));
    assert_true(care_has_bytes(&care, "nobody"));
    count_rollup(0, counts);
    assert_int_equal(counts[0], 7);
    assert_int_equal(counts[1], 2); /* only in the trace that lost nothing */
    assert_int_equal(care_counters(&care).erased_spans, 3);
    assert_int_equal(fg_store_erase(care.store, 0, &predicate, false, &count), 0);
    assert_int_equal(count, 0);
    const struct care_span more = {.trace = 10, .id = 1, .form = CARE_ENDED};
    assert_int_equal(care_append(&care, &more, 1), 0);
    care_close(&care, false);
    open_store();
    care_check(&care);
    assert_false(care_has_bytes(&care, "Jane-Doe"));
}

static void whole_traces_go_with_their_match(void **state)
{
    (void)state;
    uint64_t count;
    const struct fg_predicate predicate = care_secret("order-of-Jane-Doe-4711");
    open_store();
    seal_secrets();
    /* another part of a trace that has a match elsewhere */
    const struct care_span part = {.trace = 1, .id = 50, .form = CARE_ENDED};
    care_seal(&care, &part, 1);
    assert_int_equal(fg_store_erase(care.store, 0, &predicate, true, &count), 0);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < care.given_count; i++)
        care.given[i].is_gone = care.given[i].span.trace != 3;
    care_check(&care);
    assert_false(care_has_bytes(&care, "Jane-Doe"));
}

static void other_tenants_are_not_erased(void **state)
{
    (void)state;
    uint64_t count;
    const struct fg_predicate predicate = care_secret("order-of-Jane-Doe-4711");
    open_store();
    seal_secrets();
    assert_int_equal(fg_store_erase(care.store, 1, &predicate, true, &count), 0);
    assert_int_equal(count, 0);
    care_check(&care);
}

/* -- Backup */

static void open_backup(struct care *copy, const char *path)
{
    copy->options = care.options;
    copy->options.path = path;
    fg_arena_init(&copy->arena, 1 << 20);
    int r = fg_store_open(&copy->options, &copy->arena, &copy->message, &copy->store);
    if (r < 0)
        fail_msg("%s", copy->message);
}

static void note_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    uint64_t *last = arg;
    assert_true(done_bytes > *last && done_bytes <= total_bytes);
    *last = done_bytes;
}

static void check_backup(bool with_links)
{
    struct care copy = care;
    uint64_t progress = 0;
    const struct care_span span = {.trace = 500, .id = 1, .form = CARE_ENDED};
    care.options.retention.age_ns = 2 * CARE_DAY;
    open_store();
    seal_days(2);
    assert_int_equal(care_append(&care, &span, 1), 0); /* in the head */
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    assert_int_equal(fg_store_settle(care.store), 0); /* makes a rollup file */
    gone_before(1);
    care.given[care.given_count - 1].is_gone = false;
    const struct fg_sim_fault no_links = {
        .ops = FG_SIM_LINK, .nth = 1, .for_ever = true, .error = FG_EUNSUPPORTED};
    if (!with_links)
        fg_sim_fail(care.sim, &no_links);
    assert_int_equal(fg_store_backup(care.store, "/backup", note_progress, &progress), 0);
    fg_sim_fail(care.sim, NULL);
    assert_true(progress > 0);
    assert_int_equal(fg_store_backup(care.store, "/backup", NULL, NULL), FG_EEXIST);
    uint64_t counts[3], copy_counts[3];
    count_rollup(0, counts);
    /* the store goes on, and loses everything */
    struct fg_retention nothing = {.bytes_max = 1};
    fg_store_set_retention(care.store, &nothing);
    assert_int_equal(fg_store_settle(care.store), 0);
    care_cut(&care);
    copy = care;
    open_backup(&copy, "/backup");
    care_check(&copy);
    struct fg_store *own = care.store;
    care.store = copy.store;
    count_rollup(0, copy_counts);
    care.store = own;
    assert_memory_equal(counts, copy_counts, sizeof counts);
    /* it is a store: it takes spans, and opens again */
    const struct care_span more = {.trace = 600, .id = 1, .form = CARE_ENDED};
    assert_int_equal(care_append(&copy, &more, 1), 0);
    fg_store_close(copy.store, false);
    fg_arena_free(&copy.arena);
    open_backup(&copy, "/backup");
    care_check(&copy);
    fg_store_close(copy.store, true);
    fg_arena_free(&copy.arena);
    care.given = copy.given;
}

static void a_backup_opens_as_a_store(void **state)
{
    (void)state;
    check_backup(true);
}

static void a_backup_on_another_disk_too(void **state)
{
    (void)state;
    check_backup(false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(many_segments_become_one),
        TEST(upkeep_merges_by_itself),
        TEST(tenants_and_days_stay_apart),
        TEST(parts_of_a_trace_are_joined),
        TEST(calls_over_a_row_groups_end_are_counted),
        TEST(forms_of_a_span_become_one),
        TEST(a_damaged_segment_is_left_out),
        TEST(a_full_disk_puts_merging_off),
        TEST(a_merge_that_fails_changes_nothing),
        TEST(days_past_their_age_go_and_their_counts_stay),
        TEST(more_of_a_day_that_went_is_counted_too),
        TEST(pinned_traces_outlive_their_day),
        TEST(pinned_traces_past_their_bytes_go),
        TEST(bytes_over_their_maximum_take_the_oldest_day),
        TEST(counts_of_erased_spans_leave_their_days_file),
        TEST(names_that_are_erased_leave_the_files_of_days_that_went),
        TEST(erased_spans_are_nowhere),
        TEST(whole_traces_go_with_their_match),
        TEST(other_tenants_are_not_erased),
        TEST(a_backup_opens_as_a_store),
        TEST(a_backup_on_another_disk_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
