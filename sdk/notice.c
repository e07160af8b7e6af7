#include "notice.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_SIZE_MAX 512

struct fg_counters fg_counters;

static void (*_Atomic notice_fn)(void *arg, const char *text);
static void *_Atomic notice_arg;
static _Atomic uint32_t said;

void fg_notice_start(void (*fn)(void *arg, const char *text), void *arg)
{
    atomic_store(&notice_fn, NULL);
    atomic_store(&notice_arg, arg);
    atomic_store(&notice_fn, fn);
    atomic_store(&said, 0);
}

void fg_notice(enum fg_notice kind, const char *format, ...)
{
    void (*fn)(void *arg, const char *text) = atomic_load(&notice_fn);
    if (!fn)
        return;
    uint32_t bit = 1u << kind;
    if (atomic_fetch_or(&said, bit) & bit && kind != FG_NOTICE_SETTING)
        return;
    char text[TEXT_SIZE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fn(atomic_load(&notice_arg), text);
}
