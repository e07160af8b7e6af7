/* OpenTelemetry's names of a span's kind and status, as answers and queries spell them. */
#pragma once

#include <stdint.h>

/* "server" for FG_SPAN_KIND_SERVER, "unspecified" for 0; NULL for a number that is none. */
const char *fg_span_kind_name(int64_t kind);
/* "error" for FG_STATUS_ERROR, "unset" for 0; NULL for a number that is none. */
const char *fg_status_code_name(int64_t status);
