#include "wire/error.h"

#include <stdarg.h>
#include <stdio.h>

int fg_wire_fail(struct fg_wire_error *error, int code, const char *format, ...)
{
    if (!error)
        return code;
    va_list args;
    va_start(args, format);
    if (vsnprintf(error->text, sizeof error->text, format, args) < 0)
        error->text[0] = 0;
    va_end(args);
    for (char *c = error->text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return code;
}
