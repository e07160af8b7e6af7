/* The generator's side of TLS on a socket that does not block: the handshake goes on within sending
 * and receiving. One thread. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fg_bench_tls;         /* what all connections share */
struct fg_bench_tls_session; /* a connection's */

/* ca_file: whom to believe, in PEM; NULL: the system's authorities. host: the name or address that
 * servers must prove. is_grpc: HTTP/2 is agreed on, else HTTP/1.1. FG_EINVALID: ca_file can't be
 * used; FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_tls_new(const char *ca_file, const char *host, bool is_grpc,
                                   struct fg_bench_tls **ret_tls);
void fg_bench_tls_free(struct fg_bench_tls *tls);

/* fd stays the caller's. NULL: no memory. */
struct fg_bench_tls_session *fg_bench_tls_session_new(struct fg_bench_tls *tls, int fd);
void fg_bench_tls_session_free(struct fg_bench_tls_session *session);

/* As send() and recv(): EAGAIN where the socket gives no more, EPROTO where TLS failed. What EAGAIN
 * has stopped goes on at the socket's next event, of either kind. */
ssize_t fg_bench_tls_send(struct fg_bench_tls_session *session, const void *data, size_t size);
ssize_t fg_bench_tls_receive(struct fg_bench_tls_session *session, void *data, size_t size);
