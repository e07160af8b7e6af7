/* cmd/options.h: what is taken, what is refused, what is suggested. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct fg_option table[] = {
    {.name = "data", .argument = "DIR", .help = "a folder", .letter = 'd'},
    {.name = "json", .help = "as JSON"},
};

#define MAX_WORDS 8

/* Splits line at blanks; the words live in `storage`. */
static int parse(char *storage, const char *line, struct fg_arguments *ret, char *error)
{
    static char *argv[MAX_WORDS];
    int argc = 0;
    snprintf(storage, 100, "%s", line);
    for (char *word = strtok(storage, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return fg_options_parse(table, 2, argc, argv, error, ret);
}

static void options_and_words_mix(void **state)
{
    (void)state;
    char storage[100], error[FG_OPTIONS_ERROR_MAX];
    struct fg_arguments arguments;
    assert_int_equal(parse(storage, "one --data=x two --json - -- --three", &arguments, error), 0);
    assert_string_equal(fg_arguments_get(&arguments, "data"), "x");
    assert_true(fg_arguments_has(&arguments, "json"));
    assert_int_equal(arguments.word_count, 4);
    assert_string_equal(arguments.words[2], "-");
    assert_string_equal(arguments.words[3], "--three");
    assert_int_equal(parse(storage, "-d y --data z", &arguments, error), 0);
    assert_string_equal(fg_arguments_get(&arguments, "data"), "z");
    assert_false(fg_arguments_has(&arguments, "json"));
}

static void the_wrong_ones_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"--dta x", "there is no option --dta; did you mean --data?"},
        {"--dta=x", "there is no option --dta; did you mean --data?"},
        {"--quite-other", "there is no option --quite-other; --help lists them"},
        {"-x", "there is no option --x; --help lists them"},
        {"--json=1", "--json takes no value"},
        {"--data", "--data needs a value: --data DIR"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char storage[100], error[FG_OPTIONS_ERROR_MAX];
        struct fg_arguments arguments;
        assert_int_equal(parse(storage, cases[i].line, &arguments, error), FG_EINVALID);
        assert_string_equal(error, cases[i].error);
    }
}

static void suggestions_are_near_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *word, *best;
    } cases[] = {
        {"serv", "serve"}, {"sreve", "serve"}, {"tarce", "trace"}, {"xyz", NULL}, {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_suggestion suggestion = fg_suggestion(cases[i].word);
        fg_suggestion_offer(&suggestion, "serve");
        fg_suggestion_offer(&suggestion, "trace");
        if (cases[i].best)
            assert_string_equal(suggestion.best, cases[i].best);
        else
            assert_null(suggestion.best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_mix),
        cmocka_unit_test(the_wrong_ones_are_named),
        cmocka_unit_test(suggestions_are_near_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
