/* What the instrumentations say in the same way: the start of a client's span, an error, a URL
 * without secrets. */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"

#include <filigree.h>

/* Room for a text that a span is given; what is longer is cut. */
enum { FG_TELL_TEXT_MAX = 2048 };

/* A span of this kind under parent (NULL: the thread's current context). */
fg_span fg_tell_start(const fg_tracer *tracer, const char *name, fg_span_kind kind,
                      const fg_context *parent, const fg_attr *attrs, size_t attr_count);

/* error.type, and the status error with a description that may be NULL. */
void fg_tell_error(fg_span span, const char *type, const char *description);

/* A slice as an attribute; nothing where it is empty. */
void fg_tell_slice(fg_span span, const char *key, struct fg_slice value);

/* What OpenTelemetry calls _OTHER is any but RFC 9110's methods and PATCH. */
bool fg_tell_is_known_method(const char *method);

/* The parts of an absolute URL. */
struct fg_url {
    struct fg_slice scheme, user, host, path, query;
    uint16_t port; /* that of the scheme where none is said */
};

/* A URL without a scheme is http, as libcurl takes it. False where there is no host. */
bool fg_url_parse(const char *text, struct fg_url *ret_url);

/* "https://REDACTED:REDACTED@host/path?key=REDACTED": of the query the keys alone. */
void fg_url_redact(const struct fg_url *url, struct fg_buffer *out);
/* The query alone: "key=REDACTED&other=REDACTED". */
void fg_url_redact_query(struct fg_slice query, struct fg_buffer *out);

/* The value of a query's key as it stands there; data is NULL where there is no such key. */
struct fg_slice fg_url_query_value(struct fg_slice query, const char *key);
/* Percent-decodes; what is not a code stays. */
void fg_url_decode(struct fg_slice text, struct fg_buffer *out);

/* NUL-terminated; NULL where the buffer has overflowed. */
const char *fg_tell_text(struct fg_buffer *buffer);
