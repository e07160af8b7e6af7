/* TLS on a connection: a transport on top of another one.
 *
 *     socket ─ bytes → fg_tls_on_input() ─ records → fg_conn_on_input() → protocol
 *     socket ← below ← records ← try_write(), write() ← protocol
 *
 * While a connection is SECURING (conn.h) the bytes are the handshake's. Encrypted bytes are
 * gathered in the loop's scratch and handed to the socket at the end of each step; what it does not
 * take is the connection's `sending`. So an idle connection keeps no buffer, and OpenSSL none
 * either. Only one write of the protocol is under way, and what it gave may be encrypted only once,
 * so bytes that are encrypted and not yet taken by the socket are `owed`: they are reported as not
 * taken, and left out when the rest is given to write(). */
#pragma once

#include "base/buffer.h"
#include "conn.h"
#include "net/server.h"

#include <openssl/ssl.h>

struct fg_tls;

/* RFC 8446 section 5.1: bytes of text in a record. */
#define FG_TLS_RECORD_SIZE ((size_t)16384)

/* What the connections of a loop share; made with the first. */
struct fg_tls_loop {
    uint8_t text[FG_TLS_RECORD_SIZE];     /* decrypted, where no body's buffer is the target */
    uint8_t gathered[FG_TLS_RECORD_SIZE]; /* small parts of an answer, before they are encrypted */
    struct fg_buffer records;             /* encrypted, empty between steps */
    struct fg_tls_conn *oldest, *newest;  /* handshakes under way */
    unsigned handshake_count;
};

struct fg_tls_conn {
    struct fg_conn *conn;
    const struct fg_transport *below;
    struct fg_tls *tls;
    enum fg_client_certificate client;
    SSL *ssl;              /* from the first byte on that may begin a handshake */
    struct fg_slice input; /* what OpenSSL has not yet read; during a step only */
    struct fg_tls_conn *older, *newer;
    size_t handshake_size;   /* bytes of it that have come */
    uint64_t rekey_since_ns; /* the window's begin, and changes of keys in it */
    unsigned rekeys;
    bool is_listed;  /* among the loop's handshakes */
    bool is_broken;  /* OpenSSL failed: nothing more is said */
    bool is_sending; /* the socket has `sending` */
    bool is_ending;  /* to be shut down once that is out */

    struct fg_buffer sending, waiting; /* at the socket; and what comes after it */
    size_t batch_size;                 /* bytes of text that `sending` stands for */
    size_t owed;
    bool is_writing; /* of what write() was given: */
    struct iovec parts[4];
    unsigned part_count;
};

/* Puts TLS between conn, which is not started, and its transport. FG_ENOMEM. Any thread. */
FG_MUST_CHECK int fg_tls_conn_new(struct fg_tls *tls, struct fg_conn *conn,
                                  enum fg_client_certificate client);
/* As conn is freed. NULL is accepted. */
void fg_tls_conn_free(struct fg_tls_conn *tls);

/* On the loop's thread, by fg_conn_start(). FG_ENOMEM. */
FG_MUST_CHECK int fg_tls_conn_start(struct fg_tls_conn *tls);
void fg_tls_loop_free(struct fg_tls_loop *loop);

/* -- For the transport below, each in place of fg_conn's own; bytes may be read anywhere
 * ---------------------------------------------------------------------------------------------- */

void fg_tls_on_input(struct fg_conn *conn, struct fg_slice bytes);
void fg_tls_on_eof(struct fg_conn *conn);
void fg_tls_on_written(struct fg_conn *conn);
