#include "net/counters.h"

#include <assert.h>

const char *fg_refusal_name(enum fg_refusal_reason reason)
{
    static const char *const names[] = {
        [FG_REFUSED_MALFORMED] = "malformed",
        [FG_REFUSED_URL_SIZE] = "url_size",
        [FG_REFUSED_HEADER_SIZE] = "header_size",
        [FG_REFUSED_EXPECTATION] = "expectation",
        [FG_REFUSED_BODY_SIZE] = "body_size",
        [FG_REFUSED_INFLATED_SIZE] = "inflated_size",
        [FG_REFUSED_ENCODING_UNKNOWN] = "encoding_unknown",
        [FG_REFUSED_ENCODING_DAMAGED] = "encoding_damaged",
        [FG_REFUSED_GRPC_FRAME] = "grpc_frame",
        [FG_REFUSED_GRPC_HTTP1] = "grpc_http1",
        [FG_REFUSED_BUFFERED_SIZE] = "buffered_size",
        [FG_REFUSED_MEMORY] = "memory",
        [FG_REFUSED_CONNECTIONS] = "connections",
        [FG_REFUSED_TIMEOUT] = "timeout",
        [FG_REFUSED_RESET_FLOOD] = "reset_flood",
        [FG_REFUSED_CONTROL_FLOOD] = "control_flood",
        [FG_REFUSED_PLAIN_TEXT] = "plain_text",
        [FG_REFUSED_TLS] = "tls",
        [FG_REFUSED_HANDSHAKE] = "handshake",
        [FG_REFUSED_HANDSHAKE_TIMEOUT] = "handshake_timeout",
        [FG_REFUSED_HANDSHAKE_FLOOD] = "handshake_flood",
        [FG_REFUSED_CLIENT_CERTIFICATE] = "client_certificate",
    };
    _Static_assert(sizeof names / sizeof *names == FG_REFUSAL_COUNT, "every reason has a name");
    assert((unsigned)reason < FG_REFUSAL_COUNT);
    return names[reason];
}
