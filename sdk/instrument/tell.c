/* Spans, errors and URLs as all instrumentations write them. */
#include "tell.h"

#include <string.h>
#include <strings.h>

fg_span fg_tell_start(const fg_tracer *tracer, const char *name, fg_span_kind kind,
                      const fg_context *parent, const fg_attr *attrs, size_t attr_count)
{
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = kind;
    options.parent = parent;
    options.tracer = tracer;
    options.attrs = attrs;
    options.attr_count = attr_count;
    return fg_span_start(name, &options);
}

void fg_tell_error(fg_span span, const char *type, const char *description)
{
    fg_span_set_string(span, "error.type", type);
    fg_span_set_status(span, FG_STATUS_IS_ERROR, description);
}

void fg_tell_slice(fg_span span, const char *key, struct fg_slice value)
{
    if (value.size)
        fg_span_set_string_n(span, key, (const char *)value.data, value.size);
}

bool fg_tell_is_known_method(const char *method)
{
    static const char *const known[] = {"GET",     "POST",    "PUT",   "DELETE", "HEAD",
                                        "OPTIONS", "CONNECT", "TRACE", "PATCH"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

const char *fg_tell_text(struct fg_buffer *buffer)
{
    fg_buffer_append_byte(buffer, 0);
    return buffer->error ? NULL : (const char *)buffer->data;
}

/* -- URLs (RFC 3986) ------------------------------------------------------------------------------
 */

static struct fg_slice until(struct fg_slice *rest, const char *ends)
{
    struct fg_slice part = *rest;
    size_t size = 0;
    while (size < rest->size && !strchr(ends, rest->data[size]))
        size++;
    part.size = size;
    rest->data += size;
    rest->size -= size;
    return part;
}

static void skip(struct fg_slice *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

static bool starts_with_scheme(struct fg_slice text, size_t *ret_size)
{
    const void *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    size_t at = colon ? (size_t)((const uint8_t *)colon - text.data) : 0;
    *ret_size = at;
    return at > 0 && text.size >= at + 3 && memcmp(text.data + at, "://", 3) == 0;
}

static uint16_t port_of(struct fg_slice text, struct fg_slice scheme)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.size && port <= UINT16_MAX; i++)
        port = text.data[i] >= '0' && text.data[i] <= '9' ? port * 10 + text.data[i] - '0'
                                                          : UINT16_MAX + 1;
    if (port > 0 && port <= UINT16_MAX)
        return (uint16_t)port;
    return scheme.size == 5 && strncasecmp((const char *)scheme.data, "https", 5) == 0 ? 443 : 80;
}

bool fg_url_parse(const char *text, struct fg_url *ret_url)
{
    struct fg_url url = {.scheme = FG_SLICE("http")};
    struct fg_slice rest = fg_slice_from_string(text);
    size_t size;
    if (starts_with_scheme(rest, &size)) {
        url.scheme = fg_slice(rest.data, size);
        skip(&rest, size + 3);
    }
    struct fg_slice authority = until(&rest, "/?#");
    /* The last @ ends the user: a password may hold one. */
    for (size_t i = authority.size; i > 0; i--)
        if (authority.data[i - 1] == '@') {
            url.user = fg_slice(authority.data, i - 1);
            skip(&authority, i);
            break;
        }
    struct fg_slice port = {0};
    if (authority.size && authority.data[0] == '[') {
        url.host = until(&authority, "]");
        skip(&url.host, 1);
        if (authority.size)
            skip(&authority, 1);
        port = authority;
    } else {
        url.host = until(&authority, ":");
        port = authority;
    }
    if (port.size && port.data[0] == ':')
        skip(&port, 1);
    url.port = port_of(port, url.scheme);
    url.path = until(&rest, "?#");
    if (rest.size && rest.data[0] == '?') {
        skip(&rest, 1);
        url.query = until(&rest, "#");
    }
    if (url.host.size == 0)
        return false;
    *ret_url = url;
    return true;
}

void fg_url_redact_query(struct fg_slice query, struct fg_buffer *out)
{
    bool is_first = true;
    while (query.size) {
        struct fg_slice pair = until(&query, "&"), rest = pair, key = until(&rest, "=");
        if (query.size)
            skip(&query, 1);
        if (!is_first)
            fg_buffer_append_byte(out, '&');
        is_first = false;
        fg_buffer_append_slice(out, key);
        if (rest.size > 1)
            fg_buffer_append_string(out, "=REDACTED");
    }
}

void fg_url_redact(const struct fg_url *url, struct fg_buffer *out)
{
    bool is_ipv6 = url->host.size && memchr(url->host.data, ':', url->host.size);
    uint16_t usual = port_of((struct fg_slice){0}, url->scheme);
    fg_buffer_append_slice(out, url->scheme);
    fg_buffer_append_string(out, "://");
    if (url->user.size)
        fg_buffer_append_string(
            out, memchr(url->user.data, ':', url->user.size) ? "REDACTED:REDACTED@" : "REDACTED@");
    fg_buffer_append_string(out, is_ipv6 ? "[" : "");
    fg_buffer_append_slice(out, url->host);
    fg_buffer_append_string(out, is_ipv6 ? "]" : "");
    if (url->port != usual)
        fg_buffer_append_format(out, ":%u", url->port);
    fg_buffer_append_slice(out, url->path.size ? url->path : FG_SLICE("/"));
    if (url->query.size) {
        fg_buffer_append_byte(out, '?');
        fg_url_redact_query(url->query, out);
    }
}

struct fg_slice fg_url_query_value(struct fg_slice query, const char *key)
{
    while (query.size) {
        struct fg_slice pair = until(&query, "&"), rest = pair, name = until(&rest, "=");
        if (query.size)
            skip(&query, 1);
        if (!fg_slice_equal(name, fg_slice_from_string(key)))
            continue;
        if (rest.size)
            skip(&rest, 1);
        return fg_slice(rest.data, rest.size);
    }
    return (struct fg_slice){0};
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void fg_url_decode(struct fg_slice text, struct fg_buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        int high = i + 2 < text.size ? hex_of(text.data[i + 1]) : -1,
            low = high >= 0 ? hex_of(text.data[i + 2]) : -1;
        if (text.data[i] == '%' && low >= 0) {
            fg_buffer_append_byte(out, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            fg_buffer_append_byte(out, text.data[i]);
        }
    }
}
