/* Files of monitors: what is read of them, what is refused with its line, and where secrets come
 * from. */
#include "monitor/config.h"
#include "sim_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A kind that takes everything that a kind may. */
struct probe {
    struct fg_check_settings *settings;
    const char *text;
    const char *const *list;
    uint32_t list_count;
    int64_t whole;
    double real;
    uint64_t time_ns, size_bytes;
    bool flag;
};

static int open_count;

static int open_probe(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    (void)env;
    struct probe *probe = calloc(1, sizeof *probe);
    assert_non_null(probe);
    probe->settings = settings;
    probe->text = fg_check_setting(settings, "text");
    probe->list_count = fg_check_setting_list(settings, "list", &probe->list);
    probe->whole = fg_check_setting_int(settings, "whole", 1, 10, 5);
    probe->real = fg_check_setting_double(settings, "real", 0, 1, 0.5);
    probe->time_ns = fg_check_setting_ns(settings, "time", 7);
    probe->size_bytes = fg_check_setting_bytes(settings, "size", 9);
    probe->flag = fg_check_setting_bool(settings, "flag", true);
    (void)fg_check_secret(settings, "password", NULL, NULL);
    *ret_check = probe;
    open_count++;
    return 0;
}

static void run_probe(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    (void)check, (void)deadline_mono_ns, (void)report;
}

static void close_probe(void *check)
{
    open_count -= check != NULL;
    free(check);
}

static const struct fg_check_kind probe_kind = {.name = "probe",
                                                .summary = "for tests",
                                                .open = open_probe,
                                                .run = run_probe,
                                                .close = close_probe};
static const struct fg_check_kind *const kinds[] = {&probe_kind, NULL};

struct read {
    struct fg_monitor_configs configs;
    struct fg_buffer errors;
    int result;
};

static void read_monitors(struct read *read, const char *text)
{
    const struct fg_monitor_source source = {
        .env = fg_env_real(), .kinds = kinds, .file_name = "m.yaml"};
    *read = (struct read){.result = 0};
    fg_buffer_init(&read->errors, 65536);
    read->result = fg_monitor_configs_parse(&source, fg_slice_from_string(text), &read->errors,
                                            &read->configs);
    fg_buffer_append_byte(&read->errors, 0);
}

static void end(struct read *read)
{
    fg_monitor_configs_free(&read->configs);
    fg_buffer_free(&read->errors);
    assert_int_equal(open_count, 0);
}

static void test_whole(void **state)
{
    struct read read;
    (void)state;
    read_monitors(&read, "monitors:\n"
                         "  - name: a.b_c-1\n"
                         "    kind: probe\n"
                         "    service: shop\n"
                         "    interval: 2m\n"
                         "    time-limit: 700ms\n"
                         "    confirm: 0\n"
                         "    paused: true\n"
                         "    text: hello\n"
                         "    list: [x, y]\n"
                         "    whole: 10\n"
                         "    real: 0.25\n"
                         "    time: 3s\n"
                         "    size: 2KiB\n"
                         "    flag: false\n"
                         "  - {name: second, kind: probe, list: one}\n");
    assert_string_equal((const char *)read.errors.data, "");
    assert_int_equal(read.result, 0);
    assert_int_equal(read.configs.count, 2);
    const struct fg_monitor_config *config = read.configs.items[0];
    const struct probe *probe = config->check;
    assert_string_equal(config->name, "a.b_c-1");
    assert_string_equal(config->service, "shop");
    assert_int_equal(config->interval_ns, UINT64_C(120000000000));
    assert_int_equal(config->time_limit_ns, 700000000);
    assert_int_equal(config->confirm, 0);
    assert_true(config->is_paused);
    assert_int_equal(config->line, 2);
    assert_string_equal(probe->text, "hello");
    assert_int_equal(probe->list_count, 2);
    assert_string_equal(probe->list[1], "y");
    assert_int_equal(probe->whole, 10);
    assert_true(probe->real == 0.25);
    assert_int_equal(probe->time_ns, UINT64_C(3000000000));
    assert_int_equal(probe->size_bytes, 2048);
    assert_false(probe->flag);
    config = read.configs.items[1];
    probe = config->check;
    assert_int_equal(config->interval_ns, FG_MONITOR_INTERVAL_NS);
    assert_int_equal(config->time_limit_ns, FG_MONITOR_TIME_LIMIT_NS);
    assert_int_equal(config->confirm, FG_MONITOR_CONFIRM);
    assert_null(probe->text);
    assert_string_equal(probe->list[0], "one");
    assert_int_equal(probe->whole, 5);
    end(&read);
}

static void test_refusals(void **state)
{
    (void)state;
#define IN(lines) "monitors:\n  - name: a\n    kind: probe\n" lines
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", "m.yaml:1: expected `monitors:`"},
        {"monitors: 3\n", "m.yaml:1: expected `monitors:` and a list"},
        {"monitors:\n  - name: a\n  kind: b\n", "m.yaml:3: "},
        {"flows: []\n", "m.yaml:1: expected `monitors:`"},
        {"monitors:\n  - text\n", "m.yaml:2: expected a monitor"},
        {"monitors:\n  - kind: probe\n", "m.yaml:2: name: a monitor needs a name"},
        {"monitors:\n  - name: a b\n    kind: probe\n", "m.yaml:2: name: expected letters"},
        {"monitors:\n  - name: ../x\n    kind: probe\n", "m.yaml:2: name: expected letters"},
        {"monitors:\n  - name: a\n", "m.yaml:2: kind: expected one of probe"},
        {"monitors:\n  - name: a\n    kind: prob\n", "m.yaml:3: kind: expected one of probe"},
        {IN("    interval: 1ms\n"), "m.yaml:4: interval: expected a time from 100ms to 1d00h"},
        {IN("    interval: often\n"), "m.yaml:4: interval: expected a time like"},
        {IN("    time-limit: 10m\n"), "m.yaml:4: time-limit: expected a time from"},
        {IN("    confirm: 11\n"), "m.yaml:4: confirm: expected a whole number from 0 to 10"},
        {IN("    paused: maybe\n"), "m.yaml:4: paused: expected true or false"},
        {IN("    unheard: 1\n"), "m.yaml:4: unheard: a monitor of kind probe has no such setting"},
        {IN("    text: [a]\n"), "m.yaml:4: text: expected one text, not a list"},
        {IN("    text: {a: b}\n"), "m.yaml:4: text: expected a text or a list of texts"},
        {IN("    text:\n"), "m.yaml:4: text: expected a text"},
        {IN("    text: a\n    text: b\n"), "m.yaml:5: text: it is there twice"},
        {IN("    whole: 11\n"), "m.yaml:4: whole: expected a whole number from 1 to 10"},
        {IN("    whole: 1x\n"), "m.yaml:4: whole: expected a whole number"},
        {IN("    real: nan\n"), "m.yaml:4: real: expected a number from 0 to 1"},
        {IN("    time: soon\n"), "m.yaml:4: time: expected a time"},
        {IN("    size: big\n"), "m.yaml:4: size: expected a size"},
        {IN("    password: x\n"), "m.yaml:4: password: a secret does not stand here"},
        {IN("    password-file: /x\n    password-env: Y\n"),
         "m.yaml:4: password-file: give either"},
        {IN("  - name: a\n    kind: probe\n"), "m.yaml:4: there are two monitors named \"a\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct read read;
        read_monitors(&read, cases[i].text);
        if (read.result != FG_EINVALID || !strstr((const char *)read.errors.data, cases[i].said))
            fail_msg("case %zu: %d, %s; expected %s", i, read.result,
                     (const char *)read.errors.data, cases[i].said);
        end(&read);
    }
}

/* All that is wrong is said at once. */
static void test_all_said(void **state)
{
    struct read read;
    (void)state;
    read_monitors(&read, "monitors:\n"
                         "  - name: a\n    kind: probe\n    whole: x\n    time: y\n"
                         "  - name: b\n    kind: probe\n    flag: z\n"
                         "  - name: c\n    kind: probe\n");
    assert_string_equal((const char *)read.errors.data,
                        "m.yaml:4: whole: expected a whole number from 1 to 10\n"
                        "m.yaml:5: time: expected a time like 500ms, 30s, 5m or 2d\n"
                        "m.yaml:8: flag: expected true or false\n");
    assert_int_equal(read.result, FG_EINVALID);
    assert_int_equal(read.configs.count, 1);
    end(&read);
}

static void put_file(struct fg_env *env, const char *path, const char *text)
{
    struct fg_file *file;
    int flags = FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE;
    assert_int_equal(fg_env_open(env, path, flags, &file), 0);
    assert_int_equal(fg_file_pwrite(file, 0, text, strlen(text)), 0);
    fg_file_close(file);
}

static const char *secret_of(const struct fg_monitor_config *config, struct fg_arena *arena,
                             const char **ret_why)
{
    *ret_why = NULL;
    return fg_check_secret(((struct probe *)config->check)->settings, "password", arena, ret_why);
}

static void test_secrets(void **state)
{
    (void)state;
    struct fg_sim *sim;
    struct fg_arena arena;
    struct fg_buffer errors;
    struct fg_monitor_config *config;
    const char *why;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct fg_env *env = fg_sim_env(sim);
    struct fg_monitor_source source = {.env = env, .kinds = kinds, .file_name = "m.yaml"};
    fg_arena_init(&arena, 1 << 20);
    fg_buffer_init(&errors, 65536);
    assert_int_equal(fg_monitor_config_parse(&source, "a",
                                             FG_SLICE("{kind: probe, password-file: secret}"),
                                             &errors, &config),
                     0);
    assert_null(secret_of(config, &arena, &why));
    assert_string_equal(why, "the file secret: not found");
    put_file(env, "secret", "first\n");
    assert_string_equal(secret_of(config, &arena, &why), "first");
    put_file(env, "secret", "second"); /* read anew */
    assert_string_equal(secret_of(config, &arena, &why), "second");
    put_file(env, "secret", "\n");
    assert_null(secret_of(config, &arena, &why));
    fg_monitor_config_free(config);

    assert_int_equal(setenv("TEST_MONITOR_SECRET", "from outside", 1), 0);
    assert_int_equal(fg_monitor_config_parse(&source, "a",
                                             FG_SLICE("{\"kind\": \"probe\", \"password-env\": "
                                                      "\"TEST_MONITOR_SECRET\"}"),
                                             &errors, &config),
                     0);
    assert_string_equal(secret_of(config, &arena, &why), "from outside");
    assert_int_equal(unsetenv("TEST_MONITOR_SECRET"), 0);
    assert_null(secret_of(config, &arena, &why));
    assert_string_equal(why, "the environment variable TEST_MONITOR_SECRET: it is not set");
    fg_monitor_config_free(config);
    fg_buffer_free(&errors);
    fg_arena_free(&arena);
    fg_sim_free(sim);
    assert_int_equal(open_count, 0);
}

/* What comes by the network may name secrets of one folder alone. */
static void test_foreign_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_taken;
    } cases[] = {
        {"{kind: probe, password-file: /s/db}", true},
        {"{kind: probe, password-file: /s/sub/db}", true},
        {"{kind: probe, password-file: /etc/shadow}", false},
        {"{kind: probe, password-file: /sx/db}", false},
        {"{kind: probe, password-file: /s/../etc/shadow}", false},
        {"{kind: probe, password-env: HOME}", false},
    };
    const struct fg_monitor_source source = {
        .env = fg_env_real(), .kinds = kinds, .file_name = "a", .secrets = "/s"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_buffer errors;
        struct fg_monitor_config *config = NULL;
        fg_buffer_init(&errors, 65536);
        int r = fg_monitor_config_parse(&source, "a", fg_slice_from_string(cases[i].text), &errors,
                                        &config);
        if (r != (cases[i].is_taken ? 0 : FG_EINVALID))
            fail_msg("%s: %d", cases[i].text, r);
        fg_monitor_config_free(config);
        fg_buffer_free(&errors);
    }
    assert_int_equal(open_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),           cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_all_said),        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_foreign_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
