/* What answers to browsers carry, so that nothing of them is taken for what it is not, shown in
 * another site's frame, or asked for in plain text. */
#pragma once

#include "net/request.h"

#define FG_SECURITY_FIELDS_MAX 7

/* Writes at most FG_SECURITY_FIELDS_MAX fields; returns how many. policy: Content-Security-Policy
 * of a page; NULL: it is data, which may load and run nothing. None on the ports of OTLP, whose
 * clients are no browsers. */
size_t fg_security_fields(const struct fg_request *request, const char *policy,
                          struct fg_header_field *fields);
