/* The command line of one subcommand: a table of options, parsed into values beside it.
 *
 * Taken are `--name value`, `--name=value`, `-x`, and `--` before words that begin with a dash.
 * Options and words may be mixed; of an option given twice the last counts. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define FG_OPTIONS_MAX       128
#define FG_OPTIONS_ERROR_MAX 256

struct fg_option {
    const char *name;     /* without its dashes */
    const char *argument; /* "DIR"; NULL: a switch */
    const char *help;     /* one sentence, without its full stop */
    char letter;          /* a short form; 0: none */
};

struct fg_arguments {
    const struct fg_option *options;
    size_t option_count;
    const char *values[FG_OPTIONS_MAX]; /* NULL: not given; "" for a switch */
    char **words;                       /* what is no option, in order; points into argv */
    size_t word_count;
};

/* Parses argv[0, argc), whose words are moved to its front. options outlives ret_arguments. Returns
 * 0 or FG_EINVALID with a sentence in error that names the wrong option and the one that was
 * perhaps meant. */
FG_MUST_CHECK int fg_options_parse(const struct fg_option *options, size_t option_count, int argc,
                                   char **argv, char error[FG_OPTIONS_ERROR_MAX],
                                   struct fg_arguments *ret_arguments);

/* The value of an option that the table has; NULL where it was not given. */
const char *fg_arguments_get(const struct fg_arguments *arguments, const char *name);
bool fg_arguments_has(const struct fg_arguments *arguments, const char *name);

/* Lists options with their help, broken at 100 columns. */
void fg_options_print(FILE *out, const struct fg_option *options, size_t option_count);

/* Finds the name nearest to a misspelt word: offer all candidates, then read `best`, which is NULL
 * where none is near enough to be worth a mention. */
struct fg_suggestion {
    const char *word;
    const char *best;
    unsigned distance;
};

struct fg_suggestion fg_suggestion(const char *word);
void fg_suggestion_offer(struct fg_suggestion *suggestion, const char *candidate);
