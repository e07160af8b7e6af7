#include "security_fields.h"

#include "api/api.h"
#include "guard.h"

/* A year, of this host alone; RFC 6797. */
#define TRANSPORT "max-age=31536000"
#define NO_POLICY "default-src 'none'; frame-ancestors 'none'"

static struct fg_header_field field(const char *name, const char *value)
{
    return (struct fg_header_field){fg_slice_from_string(name), fg_slice_from_string(value)};
}

size_t fg_security_fields(const struct fg_request *request, const char *policy,
                          struct fg_header_field *fields)
{
    size_t count = 0;
    if (request->face != FG_FACE_API)
        return 0;
    fields[count++] = field("content-security-policy", policy ? policy : NO_POLICY);
    fields[count++] = field("x-content-type-options", "nosniff");
    fields[count++] = field("referrer-policy", "no-referrer");
    fields[count++] = field("cross-origin-resource-policy", "same-origin");
    /* Orders, spans and tokens stay in no browser and no proxy once they were shown. */
    if (!policy) {
        fields[count++] = field("cache-control", "no-store");
    } else {
        fields[count++] = field("cross-origin-opener-policy", "same-origin");
        fields[count++] = field("x-frame-options", "DENY"); /* for what knows no frame-ancestors */
    }
    /* A browser remembers it for every port of the host: of localhost that would be other servers'.
     */
    if (request->is_tls && !fg_host_is_local(fg_request_field(request, "host")))
        fields[count++] = field("strict-transport-security", TRANSPORT);
    return count;
}
