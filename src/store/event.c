#include "event.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_SIZE_MAX 1024

void fg_store_event(const struct fg_store_options *options, enum fg_log_level level,
                    const char *format, ...)
{
    if (!options->on_event)
        return;
    char message[MESSAGE_SIZE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    options->on_event(options->on_event_arg, (int)level, message);
}
