/* What a decoder says of bytes that it refuses, for the client's eyes: which field, where, what is
 * wrong. */
#pragma once

#include "base/error.h"

#include <stddef.h>

#define FG_WIRE_ERROR_SIZE 224

struct fg_wire_error {
    char text[FG_WIRE_ERROR_SIZE]; /* one line, printable ASCII, NUL-terminated; "" where there was
                                      no error */
};

/* Formats into error (which may be NULL) what was wrong and returns code, so that a decoder can
 * return it. Characters that are not printable ASCII become '?'. */
FG_MUST_CHECK int fg_wire_fail(struct fg_wire_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
