/* What monitors keep in the keyed state goes with them: when the API drops one, when one is dropped
 * just as its look comes back, and when a file has it no more. */
#include "monitor/added.h"
#include "monitor/monitors.h"
#include "sim_env.h"
#include "store/state.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

struct stage {
    char folder[64];
    struct fg_sim *sim;
    struct fg_state *state;
    struct fg_monitors *monitors;
    const char *drop; /* the monitor that is dropped while its span is stored */
};

static struct stage stage;

static int open_puppet(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    (void)env, (void)settings;
    *ret_check = &stage;
    return 0;
}

static void run_puppet(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    (void)check, (void)deadline_mono_ns;
    fg_check_finding(report, FG_CHECK_DOWN, "unreachable", false, "it was told so");
}

static void close_puppet(void *check)
{
    (void)check;
}

static const struct fg_check_kind puppet = {
    .name = "puppet", .summary = "", .open = open_puppet, .run = run_puppet, .close = close_puppet};
static const struct fg_check_kind *const puppets[] = {&puppet, NULL};

static int append(void *arg, struct fg_slice request)
{
    (void)arg, (void)request;
    if (stage.drop) {
        const char *name = stage.drop;
        stage.drop = NULL;
        assert_int_equal(fg_monitors_remove(stage.monitors, name), 0);
    }
    return 0;
}

static void open_monitors(void)
{
    const struct fg_monitors_options options = {
        .env = fg_sim_env(stage.sim), .append = append, .state = stage.state, .is_manual = true};
    assert_int_equal(fg_monitors_open(&options, &stage.monitors), 0);
}

static void close_monitors(void)
{
    fg_monitors_stop(stage.monitors);
    fg_monitors_close(stage.monitors);
}

static void declare(const char *name)
{
    const struct fg_monitor_source source = {
        .env = fg_sim_env(stage.sim), .kinds = puppets, .file_name = "test"};
    struct fg_monitor_config *config;
    struct fg_buffer errors;
    fg_buffer_init(&errors, 4096);
    assert_int_equal(
        fg_monitor_config_parse(&source, name, FG_SLICE("{kind: puppet}"), &errors, &config), 0);
    assert_int_equal(fg_monitors_put_take(stage.monitors, config, false), 0);
    fg_buffer_free(&errors);
}

static void pass(uint64_t ns)
{
    for (uint64_t end_ns = fg_env_mono_ns(fg_sim_env(stage.sim)) + ns;
         fg_env_mono_ns(fg_sim_env(stage.sim)) < end_ns;) {
        (void)fg_monitors_step(stage.monitors);
        fg_sim_advance(stage.sim, SECOND);
    }
}

static int say(void *arg, struct fg_slice key, struct fg_slice value)
{
    char *said = arg;
    (void)value;
    snprintf(said + strlen(said), 256 - strlen(said), "%.*s ", (int)key.size,
             (const char *)key.data);
    return 0;
}

static void keeps(const char *wanted)
{
    char said[256] = "";
    uint32_t table;
    struct fg_state_view *view;
    assert_int_equal(fg_state_table(stage.state, "monitors", &table), 0);
    assert_int_equal(fg_state_view_take(stage.state, &view), 0);
    assert_int_equal(
        fg_state_each(view, table, (struct fg_slice){0}, (struct fg_slice){0}, say, said, NULL), 0);
    fg_state_view_release(view);
    assert_string_equal(said, wanted);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat, (void)type, (void)walk;
    return remove(path);
}

static int set_up(void **unused)
{
    const char *parent = getenv("TMPDIR");
    struct fg_arena arena;
    const char *message = "";
    (void)unused;
    stage = (struct stage){0};
    snprintf(stage.folder, sizeof stage.folder, "%s/filigree-kept-XXXXXX",
             parent && strlen(parent) < 30 ? parent : "/tmp");
    assert_non_null(mkdtemp(stage.folder));
    assert_int_equal(fg_sim_new(7, &stage.sim), 0);
    fg_sim_set_wall_ns(stage.sim, UINT64_C(1800000000) * SECOND);
    fg_arena_init(&arena, 4096);
    const struct fg_state_options options = {.folder = stage.folder, .size_max = 1 << 20};
    assert_int_equal(fg_state_open(&options, &arena, &message, &stage.state), 0);
    fg_arena_free(&arena);
    open_monitors();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    close_monitors();
    fg_state_close(stage.state);
    fg_sim_free(stage.sim);
    return nftw(stage.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_dropped(void **unused)
{
    struct fg_buffer errors;
    (void)unused;
    fg_buffer_init(&errors, 4096);
    assert_int_equal(fg_monitors_add(stage.monitors, NULL, "web",
                                     FG_SLICE("{kind: tcp, host: 127.0.0.1, port: 9, interval: "
                                              "1h, paused: true}"),
                                     &errors),
                     0);
    declare("db");
    pass(20 * SECOND);
    keeps("c/web s/db ");
    assert_int_equal(fg_monitors_drop(stage.monitors, "web"), 0);
    keeps("s/db ");
    assert_int_equal(fg_monitors_remove(stage.monitors, "db"), 0);
    keeps("");
    fg_buffer_free(&errors);
}

/* Its look comes back when it is no more. */
static void test_dropped_while_it_looks(void **unused)
{
    (void)unused;
    declare("db");
    stage.drop = "db";
    pass(20 * SECOND);
    assert_null(stage.drop);
    keeps("");
}

static void test_gone_from_its_file(void **unused)
{
    struct fg_buffer errors;
    (void)unused;
    fg_buffer_init(&errors, 4096);
    declare("db");
    declare("queue");
    pass(20 * SECOND);
    keeps("s/db s/queue ");
    close_monitors();
    open_monitors(); /* as at the next start, with another file */
    declare("queue");
    assert_int_equal(fg_monitors_load_added(stage.monitors, NULL, &errors), 0);
    keeps("s/queue ");
    fg_buffer_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped_while_it_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_from_its_file, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("monitor_kept", tests, NULL, NULL);
}
