#include "span/names.h"

#include <stddef.h>

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static const char *const kinds[] = {"unspecified", "internal", "server",
                                    "client",      "producer", "consumer"};
static const char *const statuses[] = {"unset", "ok", "error"};

const char *fg_span_kind_name(int64_t kind)
{
    return kind >= 0 && kind < COUNT(kinds) ? kinds[kind] : NULL;
}

const char *fg_status_code_name(int64_t status)
{
    return status >= 0 && status < COUNT(statuses) ? statuses[status] : NULL;
}
