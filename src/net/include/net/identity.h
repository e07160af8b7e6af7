/* Who a client proved to be by its certificate.
 *
 * Made once a connection, when the handshake has verified the certificate against tls-client-ca; a
 * resumed session brings the certificate of the first one. All texts are as the authority signed
 * them: who compares them decides what they mean. Names with a byte that may not be in one (NUL,
 * control characters) are left out, so that a text is never longer or shorter than it looks. */
#pragma once

#include "base/slice.h"

#define FG_FINGERPRINT_SIZE 32

struct fg_net_identity {
    struct fg_slice subject;                          /* RFC 2253: "CN=checkout,O=Shop" */
    struct fg_slice common_name;                      /* the most specific one; empty: none */
    const struct fg_slice *dns_names, *uris, *emails; /* subjectAltName */
    size_t dns_name_count, uri_count, email_count;
    uint8_t fingerprint[FG_FINGERPRINT_SIZE]; /* SHA-256 of the certificate */
    int64_t not_after_s;                      /* since 1970 */
};
