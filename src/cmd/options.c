#include "options.h"

#include <assert.h>
#include <string.h>

#define WORD_SIZE_MAX 64
#define HELP_INDENT   30
#define HELP_COLUMNS  100

/* Levenshtein's distance with one row of the table; words longer than WORD_SIZE_MAX are far from
 * everything. */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    unsigned row[WORD_SIZE_MAX + 1];
    if (a_size > WORD_SIZE_MAX || b_size > WORD_SIZE_MAX)
        return WORD_SIZE_MAX;
    for (unsigned k = 0; k <= b_size; k++)
        row[k] = k;
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned k = 1; k <= b_size; k++) {
            unsigned above = row[k];
            unsigned change = diagonal + (a[i - 1] != b[k - 1]);
            unsigned step = (above < row[k - 1] ? above : row[k - 1]) + 1;
            row[k] = change < step ? change : step;
            diagonal = above;
        }
    }
    return row[b_size];
}

struct fg_suggestion fg_suggestion(const char *word)
{
    /* A third of the word may be wrong, and at least two characters of it. */
    size_t tolerated = strlen(word) / 3;
    return (struct fg_suggestion){.word = word,
                                  .distance = tolerated < 2 ? 3 : (unsigned)tolerated + 1};
}

void fg_suggestion_offer(struct fg_suggestion *suggestion, const char *candidate)
{
    unsigned distance = edit_distance(suggestion->word, candidate);
    if (distance >= suggestion->distance || distance >= strlen(candidate))
        return;
    suggestion->distance = distance;
    suggestion->best = candidate;
}

static int unknown_option(const struct fg_option *options, size_t option_count, const char *name,
                          char error[FG_OPTIONS_ERROR_MAX])
{
    struct fg_suggestion suggestion = fg_suggestion(name);
    for (size_t i = 0; i < option_count; i++)
        fg_suggestion_offer(&suggestion, options[i].name);
    if (suggestion.best)
        snprintf(error, FG_OPTIONS_ERROR_MAX, "there is no option --%.64s; did you mean --%s?",
                 name, suggestion.best);
    else
        snprintf(error, FG_OPTIONS_ERROR_MAX, "there is no option --%.64s; --help lists them",
                 name);
    return FG_EINVALID;
}

/* The option that `--text` or `-x` names; text ends at '=' or at its end. */
static const struct fg_option *find(const struct fg_option *options, size_t option_count,
                                    const char *text, size_t size)
{
    for (size_t i = 0; i < option_count; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, text, size) == 0)
            return &options[i];
    return NULL;
}

static const struct fg_option *find_letter(const struct fg_option *options, size_t option_count,
                                           char letter)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].letter && options[i].letter == letter)
            return &options[i];
    return NULL;
}

/* One argument that begins with a dash, and the next where it is its value. */
static int parse_option(struct fg_arguments *arguments, int argc, char **argv, int *at,
                        char error[FG_OPTIONS_ERROR_MAX])
{
    const char *text = argv[*at];
    bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    size_t size = strcspn(name, "=");
    const struct fg_option *option =
        is_long        ? find(arguments->options, arguments->option_count, name, size)
        : name[1] == 0 ? find_letter(arguments->options, arguments->option_count, name[0])
                       : NULL;
    if (!option) {
        char known[WORD_SIZE_MAX];
        snprintf(known, sizeof known, "%.*s",
                 (int)(size < WORD_SIZE_MAX ? size : WORD_SIZE_MAX - 1), name);
        return unknown_option(arguments->options, arguments->option_count, known, error);
    }
    const char *value = is_long && name[size] == '=' ? name + size + 1 : NULL;
    if (!option->argument && value) {
        snprintf(error, FG_OPTIONS_ERROR_MAX, "--%s takes no value", option->name);
        return FG_EINVALID;
    }
    if (option->argument && !value && *at + 1 < argc)
        value = argv[++*at];
    if (option->argument && !value) {
        snprintf(error, FG_OPTIONS_ERROR_MAX, "--%s needs a value: --%s %s", option->name,
                 option->name, option->argument);
        return FG_EINVALID;
    }
    arguments->values[option - arguments->options] = option->argument ? value : "";
    return 0;
}

int fg_options_parse(const struct fg_option *options, size_t option_count, int argc, char **argv,
                     char error[FG_OPTIONS_ERROR_MAX], struct fg_arguments *ret_arguments)
{
    assert(option_count <= FG_OPTIONS_MAX);
    struct fg_arguments arguments = {
        .options = options, .option_count = option_count, .words = argv};
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != 0) {
            int r = parse_option(&arguments, argc, argv, &i, error);
            if (r < 0)
                return r;
        } else {
            arguments.words[arguments.word_count++] = argv[i];
        }
    }
    *ret_arguments = arguments;
    return 0;
}

const char *fg_arguments_get(const struct fg_arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].name, name) == 0)
            return arguments->values[i];
    assert(false && "an option that the subcommand's table does not have");
    return NULL;
}

bool fg_arguments_has(const struct fg_arguments *arguments, const char *name)
{
    return fg_arguments_get(arguments, name) != NULL;
}

/* Writes help from column `at` on, going on at HELP_INDENT in the next lines. */
static void print_wrapped(FILE *out, const char *help, int at)
{
    while (*help) {
        size_t size = strcspn(help, " ");
        if (at > HELP_INDENT && at + 1 + (int)size > HELP_COLUMNS) {
            fprintf(out, "\n%*s", HELP_INDENT, "");
            at = HELP_INDENT;
        }
        at += fprintf(out, "%s%.*s", at > HELP_INDENT ? " " : "", (int)size, help);
        help += size + strspn(help + size, " ");
    }
    fputc('\n', out);
}

void fg_options_print(FILE *out, const struct fg_option *options, size_t option_count)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct fg_option *option = &options[i];
        int at = option->letter ? fprintf(out, "  -%c, --%s", option->letter, option->name)
                                : fprintf(out, "      --%s", option->name);
        if (option->argument)
            at += fprintf(out, " %s", option->argument);
        if (at >= HELP_INDENT - 1) {
            fputc('\n', out);
            at = 0;
        }
        fprintf(out, "%*s", HELP_INDENT - at, "");
        print_wrapped(out, option->help, HELP_INDENT);
    }
}
