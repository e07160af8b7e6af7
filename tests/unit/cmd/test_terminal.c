/* What is shown: windows of time, the progress bar, the waterfall of a trace. */
#include "base/limits.h"
#include "progress.h"
#include "time_range.h"
#include "waterfall.h"

#include "random_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* -- A clock that the test sets, and what was written
 * -----------------------------------------------------
 */

static uint64_t clock_ns = UINT64_C(1764000000000000000);

static uint64_t read_clock(struct fg_env *env)
{
    (void)env;
    return clock_ns;
}

static const struct fg_env_ops ops = {.wall_ns = read_clock, .mono_ns = read_clock};
static struct fg_env env = {&ops};

static struct fg_cli cli;
static char *out_text, *err_text;
static size_t out_size, err_size;

static void begin(void)
{
    cli = (struct fg_cli){.env = &env,
                          .out = open_memstream(&out_text, &out_size),
                          .err = open_memstream(&err_text, &err_size)};
    assert_non_null(cli.out);
    assert_non_null(cli.err);
    setenv("COLUMNS", "100", 1);
    setenv("LC_ALL", "C", 1);
}

static const char *said(void)
{
    fflush(cli.err);
    return err_text;
}

static const char *shown(void)
{
    fflush(cli.out);
    return out_text;
}

static void end(void)
{
    fclose(cli.out);
    fclose(cli.err);
    free(out_text);
    free(err_text);
}

/* -- Windows of time
 * -------------------------------------------------------------------------------
 */

static enum fg_exit parse_range(int argc, const char *const *words, struct fg_time_range *range)
{
    static const struct fg_option options[] = {FG_TIME_RANGE_OPTIONS};
    struct fg_arguments arguments;
    char error[FG_OPTIONS_ERROR_MAX];
    char *argv[8];
    for (int i = 0; i < argc; i++)
        argv[i] = strdup(words[i]);
    assert_int_equal(
        fg_options_parse(options, sizeof options / sizeof *options, argc, argv, error, &arguments),
        0);
    enum fg_exit code = fg_time_range_parse(&cli, &arguments, range);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return code;
}

static void test_time_range(void **state)
{
    (void)state;
    struct fg_time_range range;
    begin();
    assert_int_equal(parse_range(0, NULL, &range), FG_EXIT_OK);
    assert_true(range.start_ns_min == 0 && range.start_ns_max == UINT64_MAX);
    assert_int_equal(parse_range(2, (const char *const[]){"--since", "2h"}, &range), FG_EXIT_OK);
    assert_int_equal(range.start_ns_min, clock_ns - 7200 * FG_NS_PER_SECOND);
    assert_int_equal(parse_range(2, (const char *const[]){"--since", "40000d"}, &range),
                     FG_EXIT_OK);
    assert_int_equal(range.start_ns_min, 0); /* longer ago than there is time */
    assert_int_equal(
        parse_range(4,
                    (const char *const[]){"--start", "2026-11-24T00:00:00Z", "--end", "1795564800"},
                    &range),
        FG_EXIT_OK);
    assert_int_equal(range.start_ns_min, UINT64_C(1795478400) * FG_NS_PER_SECOND);
    assert_int_equal(range.start_ns_max - range.start_ns_min, FG_NS_PER_DAY);
    end();
}

static void test_wrong_time_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        int count;
        const char *sentence;
    } cases[] = {
        {{"--since", "soon"}, 2, "'soon' is no time"},
        {{"--start", "soon"}, 2, "'soon' is no moment"},
        {{"--end", "2026-13-01"}, 2, "'2026-13-01' is no moment"},
        {{"--since", "1h", "--start", "2026-11-24"}, 4, "say the same"},
        {{"--start", "2026-11-24", "--end", "2026-11-24"}, 4, "ends before it starts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_time_range range = {7, 7};
        begin();
        assert_int_equal(parse_range(cases[i].count, cases[i].words, &range), FG_EXIT_USAGE);
        assert_non_null(strstr(said(), cases[i].sentence));
        assert_int_equal(range.start_ns_min, 7);
        end();
    }
}

/* -- Progress
 * ----------------------------------------------------------------------------------------
 */

static void test_progress(void **state)
{
    (void)state;
    struct fg_progress progress;
    begin();
    cli.progress = true;
    fg_progress_begin(&progress, &cli, "backup", true);
    clock_ns += FG_NS_PER_SECOND / 2;
    fg_progress_update(&progress, 500, 4000);
    assert_string_equal(said(), ""); /* what is done soon shows no bar */
    clock_ns += FG_NS_PER_SECOND / 2;
    fg_progress_update(&progress, 1000, 4000);
    assert_non_null(strstr(said(), "backup [#######"));
    assert_non_null(strstr(said(), "25%"));
    assert_non_null(strstr(said(), "1000 B/s, 3.00s left"));
    size_t size = err_size;
    clock_ns += FG_NS_PER_MS;
    fg_progress_update(&progress, 1001, 4000);
    assert_int_equal((said(), err_size), size); /* ten times a second at most */
    fg_progress_end(&progress);
    assert_int_equal(strcmp(said() + strlen(said()) - 4, "\r\033[K"), 0);
    end();
}

static void test_progress_off_terminal(void **state)
{
    (void)state;
    struct fg_progress progress;
    begin();
    fg_progress_begin(&progress, &cli, "backup", true);
    clock_ns += 10 * FG_NS_PER_SECOND;
    fg_progress_update(&progress, 500, 4000);
    fg_progress_end(&progress);
    assert_string_equal(said(), "");
    end();
}

/* -- The waterfall
 * ---------------------------------------------------------------------------------
 */

struct row {
    uint64_t id, parent, start_ms, length_ms; /* length 0: open */
    const char *name;
    bool failed;
};

static struct fg_builder *build(const struct row *rows, size_t count)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    uint32_t resource, scope;
    const struct fg_value service = {.type = FG_VALUE_STRING, .bytes = FG_SLICE("shop-api")};
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t start_ns = UINT64_C(1764000000000000000) + rows[i].start_ms * FG_NS_PER_MS;
        struct fg_span span = {
            .trace_id_low = 0xabc,
            .span_id = rows[i].id,
            .parent_span_id = rows[i].parent,
            .start_ns = start_ns,
            .end_ns = rows[i].length_ms ? start_ns + rows[i].length_ms * FG_NS_PER_MS : 0,
            .name = fg_slice_from_string(rows[i].name),
            .status = rows[i].failed ? FG_STATUS_ERROR : FG_STATUS_UNSET,
            .status_message = rows[i].failed ? FG_SLICE("no \033[31mmodel") : FG_SLICE(""),
            .resource = resource,
            .scope = scope,
        };
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    return builder;
}

static void draw(const struct row *rows, size_t count)
{
    struct fg_builder *builder = build(rows, count);
    struct fg_batch batch;
    struct fg_arena arena;
    fg_arena_init(&arena, (size_t)16 << 20);
    fg_builder_view(builder, &batch);
    assert_int_equal(fg_waterfall_print(&cli, &batch, &arena), 0);
    fg_arena_free(&arena);
    fg_builder_free(builder);
}

/* The line that has text; a copy, to be freed. */
static char *line_with(const char *text)
{
    const char *at = strstr(shown(), text);
    assert_non_null(at);
    while (at > shown() && at[-1] != '\n')
        at--;
    return strndup(at, strcspn(at, "\n"));
}

static void test_waterfall(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {1, 0, 0, 400, "POST /orders", false},
        {2, 1, 200, 200, "price", true},
        {3, 2, 300, 0, "render", false},
    };
    begin();
    draw(rows, 3);
    assert_non_null(strstr(shown(), "Trace 00000000000000000000000000000abc\n"));
    assert_non_null(strstr(shown(), "3 spans  1 error  1 open\n"));
    char *root = line_with("POST /orders"), *price = line_with("price"),
         *open = line_with("render");
    assert_non_null(strstr(root, "shop-api POST /orders"));
    assert_non_null(strstr(root, "400ms"));
    assert_non_null(strstr(price, "shop-api   price")); /* below its parent */
    assert_non_null(strstr(open, "shop-api     render"));
    assert_non_null(strstr(open, ">|")); /* no end yet */
    /* The bar of the second half is in the second half. */
    size_t bar = strcspn(root, "="), begin_at = strcspn(price, "=");
    size_t cells = (size_t)(strrchr(root, '=') - strchr(root, '=')) + 1;
    assert_true(begin_at >= bar + cells / 2 - 1 && begin_at <= bar + cells / 2 + 1);
    /* What a span brings can't steer the terminal, and there is no colour off one. */
    assert_non_null(strstr(price, "error: no ?[31mmodel"));
    assert_null(strchr(shown(), '\033'));
    free(root);
    free(price);
    free(open);
    end();
}

static void test_waterfall_in_colour(void **state)
{
    (void)state;
    static const struct row rows[] = {{1, 0, 0, 400, "a\033]0;title\007b", true}};
    begin();
    cli.colour = true;
    draw(rows, 1);
    assert_non_null(strstr(shown(), "\033[31m"));
    assert_null(strstr(shown(), "\033]0;"));
    assert_non_null(strstr(shown(), "a?]0;title?b"));
    end();
}

static void test_waterfall_of_anything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct random_batch_options options = random_batch_options_default(seed);
        struct fg_builder_limits limits = fg_builder_limits_default();
        struct fg_builder *builder;
        struct fg_batch batch;
        struct fg_arena arena;
        begin();
        assert_int_equal(fg_builder_new(&limits, &builder), 0);
        options.span_count = 60;
        random_batch_fill(builder, &options);
        fg_builder_view(builder, &batch);
        fg_arena_init(&arena, (size_t)16 << 20);
        assert_int_equal(fg_waterfall_print(&cli, &batch, &arena), 0);
        size_t lines = 0;
        for (const char *p = shown(); *p; p++)
            lines += *p == '\n';
        assert_int_equal(lines, batch.span_count + 3);
        fg_arena_free(&arena);
        fg_builder_free(builder);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_range),
        cmocka_unit_test(test_wrong_time_ranges),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_progress_off_terminal),
        cmocka_unit_test(test_waterfall),
        cmocka_unit_test(test_waterfall_in_colour),
        cmocka_unit_test(test_waterfall_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
