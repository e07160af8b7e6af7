/* Sizes, durations and moments as people write and read them. Pure: there is no clock here. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

/* Room for any text that a format function writes, NUL included. */
#define FG_UNITS_TEXT_SIZE 40

/* A whole number of bytes: "4096", "64KiB", "10 MB". Units: B, kB, MB, GB, TB (powers of 1000),
 * KiB, MiB, GiB, TiB (powers of 1024), in any case. FG_EINVALID where it is none, FG_ELIMIT past 64
 * bits. */
FG_MUST_CHECK int fg_size_parse(struct fg_slice text, uint64_t *ret_bytes);

/* One or several whole numbers with a unit: "30d", "1h30m", "500ms"; "0" alone needs none. Units:
 * ns, us, ms, s, m, h, d, w. FG_EINVALID, FG_ELIMIT. */
FG_MUST_CHECK int fg_duration_parse(struct fg_slice text, uint64_t *ret_ns);

/* A moment: RFC 3339 ("2026-11-24T14:02:11.482Z", an offset instead of Z, blank for T, a date alone
 * for its midnight in UTC), or a count since 1970 whose unit its digits tell: up to 11 digits
 * seconds, up to 14 milliseconds, up to 17 microseconds, above nanoseconds. FG_EINVALID, and
 * FG_ELIMIT before 1970 or past 2554. */
FG_MUST_CHECK int fg_time_parse(struct fg_slice text, uint64_t *ret_ns);

/* "64.0 MiB", "312 B". */
void fg_size_format(uint64_t bytes, char ret_text[FG_UNITS_TEXT_SIZE]);
/* Three digits or so, in the unit that suits: "1.25s", "482ms", "3.1us", "2h05m", "30d04h". */
void fg_duration_format(uint64_t ns, char ret_text[FG_UNITS_TEXT_SIZE]);
/* RFC 3339 in UTC, to the millisecond. */
void fg_time_format(uint64_t ns, char ret_text[FG_UNITS_TEXT_SIZE]);
