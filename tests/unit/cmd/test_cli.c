/* commands.c, dispatch.c, completion.c: what every subcommand owes its user. */
#include "command.h"
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fg_cli cli;
static char *out_text, *err_text;
static size_t out_size, err_size;

static void begin(void)
{
    cli = (struct fg_cli){.env = fg_env_real(),
                          .out = open_memstream(&out_text, &out_size),
                          .err = open_memstream(&err_text, &err_size)};
    assert_non_null(cli.out);
    assert_non_null(cli.err);
}

static void end(void)
{
    fclose(cli.out);
    fclose(cli.err);
    free(out_text);
    free(err_text);
}

/* Words with blanks between them, after "filigree". */
static enum fg_exit run(const char *line)
{
    char *copy = strdup(line), *argv[16] = {(char *)(uintptr_t) "filigree"}, *rest = copy;
    int argc = 1;
    for (char *word; (word = strtok_r(rest, " ", &rest)) && argc < 16;)
        argv[argc++] = word;
    enum fg_exit code = fg_cli_run(&cli, argc, argv);
    fflush(cli.out);
    fflush(cli.err);
    free(copy);
    return code;
}

static void test_every_command(void **state)
{
    (void)state;
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    for (size_t i = 0; i < count; i++) {
        const struct fg_command *command = commands[i];
        struct fg_option options[FG_OPTIONS_MAX];
        size_t option_count = fg_command_options(command, options);
        assert_true(option_count > 0 && option_count <= FG_OPTIONS_MAX);
        assert_true(strlen(command->name) <= 11); /* the overview's column */
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(commands[k]->name, command->name);
        assert_true(strlen(command->summary) > 10 && strlen(command->summary) < 80);
        assert_non_null(strstr(command->help, "Examples\n  "));
        assert_true(command->words_min <= command->words_max);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(commands[k]->name, command->name);
        for (size_t k = 0; k < option_count; k++) {
            size_t size = strlen(options[k].help);
            assert_true(size > 3 && options[k].help[size - 1] != '.');
            for (size_t l = 0; l < k; l++) {
                assert_string_not_equal(options[l].name, options[k].name);
                assert_true(!options[k].letter || options[l].letter != options[k].letter);
            }
        }
    }
}

static void test_help(void **state)
{
    (void)state;
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    for (size_t i = 0; i < count; i++) {
        char line[100];
        begin();
        snprintf(line, sizeof line, "%s --help", commands[i]->name);
        assert_int_equal(run(line), FG_EXIT_OK);
        assert_non_null(strstr(out_text, commands[i]->summary));
        assert_non_null(strstr(out_text, "Options\n"));
        assert_null(strchr(out_text, '\033'));
        assert_int_equal(err_size, 0);
        char *first = strdup(out_text);
        end();
        begin();
        snprintf(line, sizeof line, "help %s", commands[i]->name);
        assert_int_equal(run(line), FG_EXIT_OK);
        assert_string_equal(out_text, first);
        free(first);
        end();
        begin();
        assert_int_equal(run("--help"), FG_EXIT_OK);
        assert_non_null(strstr(out_text, commands[i]->summary));
        end();
    }
}

static void test_colours_when_asked_for(void **state)
{
    (void)state;
    begin();
    cli.colour = true;
    assert_int_equal(run("--help"), FG_EXIT_OK);
    assert_non_null(strstr(out_text, "\033[1mUsage\033[0m"));
    end();
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"", "Usage"},
        {"trase", "there is no command 'trase'; did you mean `trace`?"},
        {"xyzzyxyzzy", "`filigree --help` lists them"},
        {"trace", "trace: expected `filigree trace ID [OPTIONS]`"},
        {"trace a b", "trace: expected `filigree trace ID [OPTIONS]`"},
        {"trace a --jsno", "did you mean --json?"},
        {"trace a --server", "--server needs a value: --server URL"},
        {"serve --retention-age soon", "--retention-age: 'soon' is no time"},
        {"serve --config /nonexistent/x.yaml", "can't read the configuration /nonexistent/x.yaml"},
        {"completion zsh", "'zsh' is not known"},
        {"erase", "give either --trace or --attribute"},
        {"erase --attribute x --yes", "expected KEY=VALUE"},
        {"erase --attribute x=y --type number --yes", "'y' is no value of type number"},
        {"export --since 1h --start 2026-01-01", "say the same"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        assert_int_equal(run(cases[i].line), FG_EXIT_USAGE);
        if (!strstr(err_text, cases[i].sentence))
            fail_msg("%s: %s", cases[i].line, err_text);
        assert_int_equal(out_size, 0);
        end();
    }
}

static void test_version(void **state)
{
    (void)state;
    begin();
    assert_int_equal(run("--version"), FG_EXIT_OK);
    assert_string_equal(out_text, "filigree " FG_VERSION "\n");
    end();
}

static void test_server_out_of_reach(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "trace 1 --server http://127.0.0.1:1",
        "stats --server http://127.0.0.1:1",
        "seal --server http://127.0.0.1:1",
        "backup /x --server http://127.0.0.1:1",
        "export --server http://127.0.0.1:1",
        "erase --trace 1 --yes --server http://127.0.0.1:1",
        "search x=1 --server http://127.0.0.1:1",
        "services --server http://127.0.0.1:1",
        "tail status:error --server http://127.0.0.1:1",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        begin();
        assert_int_equal(run(lines[i]), FG_EXIT_FAILED);
        assert_non_null(strstr(err_text, "can't reach http://127.0.0.1:1"));
        assert_non_null(strstr(err_text, "does `filigree serve` run?"));
        end();
    }
}

/* Each command and option stands in the completion's script. */
static void test_completion(void **state)
{
    (void)state;
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    begin();
    assert_int_equal(run("completion bash"), FG_EXIT_OK);
    for (size_t i = 0; i < count; i++) {
        struct fg_option options[FG_OPTIONS_MAX];
        size_t option_count = fg_command_options(commands[i], options);
        char text[100];
        snprintf(text, sizeof text, "\n    %s)\n", commands[i]->name);
        const char *at = strstr(out_text, text);
        assert_non_null(at);
        const char *list = strstr(at, "options='");
        assert_non_null(list);
        for (size_t k = 0; k < option_count; k++) {
            snprintf(text, sizeof text, "--%s", options[k].name);
            assert_non_null(strstr(list, text));
        }
    }
    end();
}

/* Whoever presses a key where there is no server sees nothing. */
static void test_completion_without_a_server(void **state)
{
    (void)state;
    static const char *const lines[] = {"completion services --server http://127.0.0.1:1",
                                        "completion keys ord --server http://127.0.0.1:1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        begin();
        assert_int_equal(run(lines[i]), FG_EXIT_OK);
        assert_int_equal(out_size, 0);
        assert_int_equal(err_size, 0);
        end();
    }
}

/* The manual page names every command and every option of it. */
static void test_the_manual_has_everything(void **state)
{
    (void)state;
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    begin();
    assert_int_equal(run("manual"), FG_EXIT_OK);
    for (size_t i = 0; i < count; i++) {
        struct fg_option options[FG_OPTIONS_MAX];
        char line[200] = "\n.SS \"filigree ";
        for (const char *p = commands[i]->name; *p; p++)
            strcat(line, *p == '-' ? "\\-" : (char[]){*p, 0});
        const char *section = strstr(out_text, line);
        assert_non_null(section);
        const char *end_of_it = strstr(section + 1, "\n.S");
        assert_non_null(end_of_it);
        size_t option_count = fg_command_options(commands[i], options);
        for (size_t k = 0; k < option_count; k++) {
            char name[64] = "\\-\\-";
            for (const char *p = options[k].name; *p; p++)
                strcat(name, *p == '-' ? "\\-" : (char[]){*p, 0});
            const char *found = strstr(section, name);
            if (!found || found > end_of_it)
                fail_msg("%s: the manual lacks --%s", commands[i]->name, options[k].name);
        }
    }
    /* Nothing of a text is taken for roff's. */
    for (const char *p = out_text; (p = strchr(p, '\n')); p++)
        if (p[1] == '.')
            assert_true((p[2] >= 'A' && p[2] <= 'Z') || strncmp(p + 1, ".nf", 3) == 0 ||
                        strncmp(p + 1, ".fi", 3) == 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_the_manual_has_everything),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_colours_when_asked_for),
        cmocka_unit_test(test_wrong_lines),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_server_out_of_reach),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_completion_without_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
