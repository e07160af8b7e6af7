/* Words that only the server knows, for the completion's script. */
#pragma once

#include "command.h"

/* what: "services" or "keys". One word a line, those that begin with prefix. Somebody waits with a
 * finger on the key: the server has a second, and where there is none nothing is said. */
enum fg_exit fg_completion_words_print(struct fg_cli *cli, const struct fg_arguments *arguments,
                                       const char *what, const char *prefix);
