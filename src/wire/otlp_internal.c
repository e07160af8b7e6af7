#include "otlp_internal.h"

#include <stdarg.h>
#include <stdio.h>

int fg_otlp_fail(struct fg_wire_error *error, int code, const struct fg_otlp_place *place,
                 size_t offset, const char *format, ...)
{
    if (!error)
        return code;
    char path[96] = "request", what[FG_WIRE_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(what, sizeof what, format, args) < 0)
        what[0] = 0;
    va_end(args);
    if (place->depth == 1)
        snprintf(path, sizeof path, "resource_spans[%u]", place->resource_spans);
    else if (place->depth == 2)
        snprintf(path, sizeof path, "resource_spans[%u].scope_spans[%u]", place->resource_spans,
                 place->scope_spans);
    else if (place->depth == 3)
        snprintf(path, sizeof path, "resource_spans[%u].scope_spans[%u].spans[%u]",
                 place->resource_spans, place->scope_spans, place->span);
    return fg_wire_fail(error, code, "%s: %s, at byte %zu", path, what, offset);
}
