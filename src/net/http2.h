/* HTTP/2 (RFC 9113) by nghttp2, and gRPC's trailers on it. */
#pragma once

struct fg_conn;

/* FG_ENOMEM. */
int fg_http2_start(struct fg_conn *conn);
