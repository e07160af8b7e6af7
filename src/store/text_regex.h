/* A compiled regular expression, PCRE2's syntax, bounded in what one match may cost. Not
 * thread-safe: it owns the memory that matching uses. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

struct fg_regex;

/* FG_EINVALID with a sentence, in arena or static; arena and ret_message may be NULL. FG_ENOMEM. */
FG_MUST_CHECK int fg_regex_new(struct fg_slice pattern, struct fg_arena *arena,
                               const char **ret_message, struct fg_regex **ret_regex);
void fg_regex_free(struct fg_regex *regex);

/* Whether it is found anywhere in text, which may hold ill-formed UTF-8: no character matches that.
 * FG_ELIMIT past FG_REGEX_STEPS_MAX or FG_REGEX_STACK_SIZE_MAX, FG_ENOMEM. */
FG_MUST_CHECK int fg_regex_match(struct fg_regex *regex, struct fg_slice text, bool *ret_matches);
