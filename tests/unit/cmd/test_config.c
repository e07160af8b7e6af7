/* cmd/config.h: precedence, and the exact sentences that a wrong configuration gets. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct source {
    const char *file;
    const char *variable, *variable_value;
    const char *flag, *flag_value;
};

static const char *environment(void *arg, const char *name)
{
    const struct source *source = arg;
    return source->variable && strcmp(source->variable, name) == 0 ? source->variable_value : NULL;
}

static const char *flag(void *arg, const char *name)
{
    const struct source *source = arg;
    return source->flag && strcmp(source->flag, name) == 0 ? source->flag_value : NULL;
}

static int load(struct source source, struct fg_buffer *errors, struct fg_config **ret_config)
{
    fg_buffer_init(errors, 1 << 16);
    struct fg_config_sources sources = {.file = fg_slice_from_string(source.file),
                                        .file_name = "f.yaml",
                                        .environment = environment,
                                        .flag = flag,
                                        .arg = &source};
    int r = fg_config_load(&sources, errors, ret_config);
    fg_buffer_append_byte(errors, 0);
    return r;
}

static struct fg_config *load_good(struct source source)
{
    struct fg_buffer errors;
    struct fg_config *config = NULL;
    int r = load(source, &errors, &config);
    assert_string_equal((const char *)errors.data, "");
    assert_int_equal(r, 0);
    fg_buffer_free(&errors);
    return config;
}

static void assert_refused(struct source source, const char *expected)
{
    struct fg_buffer errors;
    struct fg_config *config = NULL;
    assert_int_equal(load(source, &errors, &config), FG_EINVALID);
    assert_null(config);
    assert_string_equal((const char *)errors.data, expected);
    fg_buffer_free(&errors);
}

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct fg_config *config = load_good((struct source){0});
    assert_string_equal(config->otlp_grpc, "127.0.0.1:4317");
    assert_true(config->retention_age_ns == UINT64_C(30) * 86400 * 1000000000);
    assert_true(config->body_size_max == 16 << 20);
    assert_int_equal(config->cors_origins.count, 0);
    assert_int_equal(config->log_level, FG_LOG_INFO);
    fg_config_free(config);
}

static void flag_beats_environment_beats_file(void **state)
{
    (void)state;
    struct source source = {.file = "# ours\nloops: 3\n"};
    struct fg_config *config = load_good(source);
    assert_int_equal(config->loops, 3);
    fg_config_free(config);
    source.variable = "FILIGREE_LOOPS";
    source.variable_value = "4";
    config = load_good(source);
    assert_int_equal(config->loops, 4);
    fg_config_free(config);
    source.flag = "loops";
    source.flag_value = "5";
    config = load_good(source);
    assert_int_equal(config->loops, 5);
    fg_config_free(config);
}

static void lists_come_as_sequence_or_with_commas(void **state)
{
    (void)state;
    static const char *const files[] = {"redact-keys: [password, 'card.*']\n",
                                        "redact-keys:\n  - password\n  - card.*\n",
                                        "redact-keys: password , card.*\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct fg_config *config = load_good((struct source){.file = files[i]});
        assert_int_equal(config->redact_keys.count, 2);
        assert_string_equal(config->redact_keys.items[0], "password");
        assert_string_equal(config->redact_keys.items[1], "card.*");
        fg_config_free(config);
    }
}

static void policies_are_read(void **state)
{
    (void)state;
    struct fg_config *config =
        load_good((struct source){.file = "retention-policies:\n"
                                          "  - tenant=7 service=\"pay ments\" status=error age=2d\n"
                                          "  - name=GET order.kind=vip size=10GiB\n"
                                          "  - '@kind=vip age=0'\n"});
    const struct fg_retention_policy *policies = config->retention_policies.policies;
    assert_int_equal(config->retention_policies.list.count, 3);
    assert_true(policies[0].has_tenant && policies[0].tenant == 7);
    assert_true(fg_slice_equal(policies[0].service, FG_SLICE("pay ments")));
    assert_true(policies[0].has_status && policies[0].status == FG_STATUS_ERROR);
    assert_true(policies[0].has_age && policies[0].age_ns == UINT64_C(2) * 86400 * 1000000000);
    assert_true(fg_slice_equal(policies[1].name, FG_SLICE("GET")));
    assert_true(fg_slice_equal(policies[1].key, FG_SLICE("order.kind")));
    assert_true(fg_slice_equal(policies[1].value, FG_SLICE("vip")));
    assert_true(!policies[1].has_age && policies[1].bytes_max == (uint64_t)10 << 30);
    assert_true(fg_slice_equal(policies[2].key, FG_SLICE("kind")));
    assert_true(policies[2].has_age && policies[2].age_ns == 0);
    fg_config_free(config);
    config = load_good((struct source){.flag = "retention-policies",
                                       .flag_value = "service=a age=1d, service=b age=2d"});
    assert_int_equal(config->retention_policies.list.count, 2);
    fg_config_free(config);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *file, *expected;
    } cases[] = {
        {"data: x\nretension-age: 3d\n",
         "f.yaml:2: there is no setting 'retension-age'; did you mean retention-age?\n"},
        {"zzzzzzzzz: 1\n", "f.yaml:1: there is no setting 'zzzzzzzzz'; `filigree serve "
                           "--print-config` lists all settings\n"},
        {"\n\nretention-age: 30 potatoes\n", "f.yaml:3: retention-age: '30 potatoes' is no time; "
                                             "expected a time like 30d, 12h, 1h30m or "
                                             "500ms\n"},
        {"head-size: 64M\n", "f.yaml:1: head-size: '64M' is no size; expected a size like 4096, "
                             "64KiB, 16MiB or 2GiB\n"},
        {"data: x\nretention-policies:\n  - service=a age=1d\n  - service=b age=soon\n",
         "f.yaml:3: retention-policies: 'service=b age=soon' has the age 'soon', which is no time "
         "like 90d; expected a list of policies like service=payments age=90d\n"},
        {"retention-policies: [servise=a age=1d]\n",
         "f.yaml:1: retention-policies: 'servise=a age=1d' has 'servise', which is none of tenant, "
         "service, name, status, age and size, and no attribute (order.kind=vip, or @kind=vip); "
         "expected a list of policies like service=payments age=90d\n"},
        {"retention-policies: [service=a]\n",
         "f.yaml:1: retention-policies: 'service=a' names neither an age nor a size; expected a "
         "list of policies like service=payments age=90d\n"},
        {"retention-policies: [age=3d]\n",
         "f.yaml:1: retention-policies: 'age=3d' is for every span: that is what retention-age and "
         "retention-size are; expected a list of policies like service=payments age=90d\n"},
        {"loops: 3000\n", "f.yaml:1: loops: '3000' is out of bounds (0 to 256); expected a whole "
                          "number from 0 to 256\n"},
        {"loops: many\n",
         "f.yaml:1: loops: 'many' is no whole number; expected a whole number from "
         "0 to 256\n"},
        {"head-age: 1ms\n",
         "f.yaml:1: head-age: '1ms' is out of bounds (1.00s to 1d00h); expected a "
         "time like 30d, 12h, 1h30m or 500ms\n"},
        {"log-level: loud\n",
         "f.yaml:1: log-level: 'loud' is not known here; expected one of debug, "
         "info, warn, error\n"},
        {"api: 7070\n", "f.yaml:1: api: '7070' is no address; expected an address like "
                        "127.0.0.1:4317, [::1]:4317 or localhost:4317\n"},
        {"api: '::1:80'\n", "f.yaml:1: api: '::1:80' is no address; expected an address like "
                            "127.0.0.1:4317, [::1]:4317 or localhost:4317\n"},
        {"price: -1\n", "f.yaml:1: price: '-1' is no such number; expected a number that is not "
                        "negative, like 0.10\n"},
        {"loops: 1\nloops: 2\n", "f.yaml:2: loops is set twice; expected it once, with a whole "
                                 "number from 0 to 256\n"},
        {"loops:\n", "f.yaml:1: loops has no value; expected a whole number from 0 to 256\n"},
        {"loops: [1]\n", "f.yaml:1: loops is a list; expected a whole number from 0 to 256\n"},
        {"redact-keys: a,,b\n",
         "f.yaml:1: redact-keys: 'a,,b' has an empty item; expected a list\n"},
        {"redact-keys:\n  - a,b\n", "f.yaml:2: an item of a list can't hold a comma\n"},
        {"loops:\n  deep: 1\n", "f.yaml:2: expected a value or a list; settings are not nested\n"},
        {"just text\n", "f.yaml:1: expected settings, one a line, like `data: ./data`\n"},
        {"loops: 1\n---\nloops: 2\n",
         "f.yaml:2: expected one document, and here a second begins\n"},
        {"loops: [1\n", "f.yaml:2: this is no YAML: did not find expected ',' or ']'\n"},
        {"data: a\nloops: x\nprice: y\n",
         "f.yaml:2: loops: 'x' is no whole number; expected a whole number from 0 to 256\n"
         "f.yaml:3: price: 'y' is no such number; expected a number that is not negative, like "
         "0.10\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused((struct source){.file = cases[i].file}, cases[i].expected);
    assert_refused(
        (struct source){.variable = "FILIGREE_LOOPS", .variable_value = "x"},
        "FILIGREE_LOOPS: 'x' is no whole number; expected a whole number from 0 to 256\n");
    assert_refused((struct source){.flag = "loops", .flag_value = ""},
                   "--loops: '' is no whole number; expected a whole number from 0 to 256\n");
}

/* --print-config is YAML that means the same. */
static void what_is_printed_reads_back(void **state)
{
    (void)state;
    struct fg_config *config = load_good((struct source){
        .file = "data: 'a \"b\\c # d'\nprice: 0.2\ncors-origins: ['*', 'http://x:1']\n"
                "retention-policies: ['service=\"a b\" age=1d']\n"});
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fg_config_print(config, out);
    fclose(out);
    assert_non_null(strstr(text, "price: 0.2                           # f.yaml:2\n"));
    struct fg_config *again = load_good((struct source){.file = text});
    size_t count;
    fg_settings(&count);
    for (size_t i = 0; i < count; i++)
        assert_true(fg_config_same(config, again, i));
    free(text);
    fg_config_free(again);
    fg_config_free(config);
}

/* dist/filigree.yaml shows every setting with its default. */
static void the_example_is_complete_and_true(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen(FG_SOURCE_DIR "/dist/filigree.yaml", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    fg_config_free(load_good((struct source){.file = text}));

    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char line[200];
        bool is_list =
            settings[i].type == FG_SETTING_LIST || settings[i].type == FG_SETTING_POLICIES;
        const char *fallback = settings[i].type == FG_SETTING_PATH ? "\"\"" : settings[i].fallback;
        snprintf(line, sizeof line, is_list ? "\n# %s: [%s]\n" : "\n# %s: %s\n", settings[i].name,
                 fallback);
        if (!strstr(text, line))
            fail_msg("dist/filigree.yaml lacks: %s", line + 1);
    }
}

/* doc/operations.md has a row for every setting: its default, whether SIGHUP changes it, its help.
 */
static void the_manual_is_complete_and_true(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen(FG_SOURCE_DIR "/doc/operations.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);

    size_t count, rows = 0;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; i < count; i++) {
        char row[400], fallback[100] = "none";
        if (*settings[i].fallback)
            snprintf(fallback, sizeof fallback, "`%s`", settings[i].fallback);
        snprintf(row, sizeof row, "\n| `%s` | %s | %s | %s |\n", settings[i].name, fallback,
                 settings[i].reloads ? "yes" : "no", settings[i].help);
        if (!strstr(text, row))
            fail_msg("doc/operations.md lacks: %s", row + 1);
    }
    const char *table = strstr(text, "| setting | default | SIGHUP | what |\n");
    assert_non_null(table);
    for (const char *at = table; *at == '|'; at = strchr(at, '\n') + 1)
        rows++;
    assert_int_equal(rows, count + 2); /* no row of a setting that is gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(flag_beats_environment_beats_file),
        cmocka_unit_test(lists_come_as_sequence_or_with_commas),
        cmocka_unit_test(policies_are_read),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(the_example_is_complete_and_true),
        cmocka_unit_test(the_manual_is_complete_and_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
