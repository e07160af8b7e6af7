/* An address reduced to where it leads: what its user typed stands in the query and the fragment
 * (RFC 3986, sections 3.4 and 3.5). */
#include "redact/value.h"

static size_t find(struct fg_slice text, size_t from, const char *bytes)
{
    while (from < text.size && !strchr(bytes, text.data[from] ? text.data[from] : 1))
        from++;
    return from;
}

/* name=value&name=value: one parameter after the other. A name alone among such is a switch and
 * stays; so does what the sender took out already, as the semantic conventions have it. */
static size_t put_query(struct fg_slice query, struct fg_buffer *out)
{
    size_t removed = 0;
    bool has_names = find(query, 0, "=") < query.size;
    for (size_t at = 0; at < query.size;) {
        size_t end = find(query, at, "&;");
        size_t equals = find(query, at, "=");
        bool has_name = equals < end;
        if (has_name)
            fg_buffer_append(out, query.data + at, equals + 1 - at);
        size_t begin = has_name ? equals + 1 : at;
        struct fg_slice value = fg_slice(query.data + begin, end - begin);
        if (fg_slice_equal(value, FG_SLICE("REDACTED")) || (!has_name && has_names)) {
            fg_buffer_append_slice(out, value);
        } else if (value.size > 0) {
            fg_buffer_append_byte(out, '?');
            removed++;
        }
        if (end < query.size)
            fg_buffer_append_byte(out, query.data[end]);
        at = end + 1;
    }
    return removed;
}

size_t fg_redact_url(struct fg_slice text, bool is_query, struct fg_buffer *out)
{
    size_t fragment = find(text, 0, "#");
    size_t query = is_query ? 0 : find(text, 0, "?#");
    if (!is_query && query == text.size)
        return 0;
    size_t begin = out->size;
    if (query < fragment && text.data[query] == '?')
        query++;
    fg_buffer_append(out, text.data, query);
    size_t removed = put_query(fg_slice(text.data + query, fragment - query), out);
    removed += fragment < text.size;
    if (removed == 0)
        out->size = begin;
    return removed;
}
