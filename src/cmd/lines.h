/* The lines of a file or of standard input, also of what zstd has compressed. */
#pragma once

#include "base/buffer.h"
#include "command.h"

struct fg_lines;

/* path: NULL or "-" is standard input. FG_EXIT_OK, or what was said to the user. */
FG_MUST_CHECK enum fg_exit fg_lines_open(struct fg_cli *cli, const char *path,
                                         struct fg_lines **ret_lines);
void fg_lines_close(struct fg_lines *lines);

/* The next line without its end; valid until the next call. FG_ENOTFOUND at the end, FG_ELIMIT for
 * one that no request could carry, FG_ECORRUPT where zstd's data is damaged or cut off, FG_EIO. */
FG_MUST_CHECK int fg_lines_next(struct fg_lines *lines, struct fg_slice *ret_line);

/* Bytes of the file that were read, and its size; 0 for standard input. */
uint64_t fg_lines_offset(const struct fg_lines *lines);
uint64_t fg_lines_total(const struct fg_lines *lines);
