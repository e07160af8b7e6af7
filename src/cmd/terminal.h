/* What several subcommands need to write for people: width, colours, cells of a table. */
#pragma once

#include "base/slice.h"
#include "command.h"

#define FG_RED    "\033[31m"
#define FG_GREEN  "\033[32m"
#define FG_YELLOW "\033[33m"
#define FG_CYAN   "\033[36m"
#define FG_FAINT  "\033[2m"
#define FG_BOLD   "\033[1m"
#define FG_PLAIN  "\033[0m"

/* colour, or nothing where the output is no terminal. */
const char *fg_terminal_paint(const struct fg_cli *cli, const char *colour);

/* Columns of the output: COLUMNS, the terminal's own, or 120. */
int fg_terminal_columns(const struct fg_cli *cli);

/* Whether the locale says that the terminal shows UTF-8. */
bool fg_terminal_is_utf8(void);

/* Prints at most columns characters of a text that came with spans, without those that could steer
 * the terminal, padded with blanks. A text that is cut ends in ~. */
void fg_terminal_cell(FILE *out, struct fg_slice text, int columns);
