#include "quiet.h"

#include <string.h>

static const char *unsampled(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "traceparent") == 0
               ? "00-00000000000000000000000000000001-0000000000000001-00"
               : NULL;
}

fg_scope quiet_enter(void)
{
    fg_context *context = fg_context_extract(unsampled, NULL);
    fg_scope scope = fg_context_enter(context);
    fg_context_free(context);
    return scope;
}
