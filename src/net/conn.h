/* A connection: between a transport, which moves bytes, and a protocol, which gives them a meaning.
 * TLS is a transport on top of another (tls_conn.h).
 *
 *     accepted → SECURING ──the handshake is over──→ SNIFFING   (TLS; else SNIFFING at once)
 *                SNIFFING ──the preface of HTTP/2──→ SPEAKING (http2.c)
 *                   └────────anything else─────────→ SPEAKING (http1.c)
 *     SPEAKING → fg_conn_finish(): all is said → LINGERING → GONE
 *     any      → fg_conn_cut(): failed, timed out, or the server stops → GONE
 *
 * Writes: one at a time. While is_writing the protocol waits; its advance() comes when the bytes
 * are out. What it gave to write must stay until then. */
#pragma once

#include "net/counters.h"
#include "net/request.h"

#include <sys/uio.h>

struct fg_call;
struct fg_conn;
struct fg_net_identity;
struct fg_net_loop;
struct fg_tls_conn;

#define FG_PEER_TEXT_SIZE 64

struct fg_transport {
    /* Hands as many bytes to the socket as it takes now; *ret_size says how many. FG_EIO. */
    int (*try_write)(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                     size_t *ret_size);
    /* Writes all, at most 4 parts, then calls fg_conn_on_written(), never before it returns.
     * FG_EIO.
     */
    int (*write)(struct fg_conn *conn, const struct iovec *parts, unsigned count);
    /* Of what write() was given, bytes that the socket has not taken. */
    size_t (*unwritten)(struct fg_conn *conn);
    void (*read)(struct fg_conn *conn, bool on);
    /* Calls fg_conn_on_time() at that time or soon after; replaces the last one. */
    void (*wake_at)(struct fg_conn *conn, uint64_t due_ns);
    /* Tells the client that nothing more comes. All is written. */
    void (*shut_down)(struct fg_conn *conn);
    /* Ends the connection; frees conn, not before it returns. reset: so that the client sees it
     * as broken. */
    void (*close)(struct fg_conn *conn, bool reset);
};

struct fg_response;

struct fg_protocol {
    /* Where the next bytes should be read to: room in a body's buffer, or NULL for anywhere.
     * *ret_size: at most so many. May be NULL: anywhere, any size. */
    uint8_t *(*room)(struct fg_conn *conn, size_t *ret_size);
    void (*input)(struct fg_conn *conn, struct fg_slice bytes);
    void (*eof)(struct fg_conn *conn);
    /* At the end of a turn in which the connection was touched: sends what is to be sent, goes on
     * to what is next. */
    void (*advance)(struct fg_conn *conn);
    /* What is late is refused or cut. Returns when the next thing may be late. */
    uint64_t (*on_time)(struct fg_conn *conn);
    void (*drain)(struct fg_conn *conn);
    /* Begins the answer in call->answer. */
    void (*answer)(struct fg_call *call, const struct fg_response *response);
    void (*resume)(struct fg_call *call);
    /* The connection ends: frees conn->state. Its requests have been let go of. */
    void (*free)(struct fg_conn *conn);
};

enum fg_conn_phase {
    FG_CONN_SECURING,
    FG_CONN_SNIFFING,
    FG_CONN_SPEAKING,
    FG_CONN_LINGERING,
    FG_CONN_GONE
};

/* What both sides agreed on by ALPN. */
enum fg_conn_language { FG_CONN_ANY, FG_CONN_HTTP1, FG_CONN_HTTP2 };

struct fg_conn {
    const struct fg_transport *transport;
    const struct fg_protocol *protocol;     /* while speaking */
    void *state;                            /* the protocol's */
    struct fg_tls_conn *tls;                /* NULL: plain */
    const struct fg_net_identity *identity; /* of the client's certificate; NULL: none */
    struct fg_net_loop *loop;
    struct fg_conn *previous, *next; /* of the loop's */
    struct fg_conn *next_touched;
    struct fg_call *calls; /* not yet freed */
    unsigned call_count;
    int face;
    enum fg_conn_phase phase;
    enum fg_conn_language language;
    uint8_t preface_size; /* bytes of HTTP/2's preface that have come */
    bool is_touched, is_writing, is_reading, is_tls;
    bool has_ended;    /* the client sends nothing more */
    uint64_t since_ns; /* accepted, first byte, or lingering, by phase */
    uint64_t due_ns;   /* when on_time comes */
    uint64_t write_since_ns;
    size_t write_rest; /* bytes unwritten then */
    uint64_t lingered_bytes;
    size_t peer_size;
    char peer[FG_PEER_TEXT_SIZE];
};

/* -- For transports; each is a turn of its own ---------------------------------------------------
 */

/* conn is zeroed but for transport, loop, face, peer, tls, is_tls. */
void fg_conn_start(struct fg_conn *conn);
/* The handshake is over; within the transport's turn. */
void fg_conn_on_secured(struct fg_conn *conn, enum fg_conn_language language);
/* Room for the next read; anywhere: the loop's own. */
uint8_t *fg_conn_room(struct fg_conn *conn, size_t *ret_size);
void fg_conn_on_input(struct fg_conn *conn, struct fg_slice bytes);
void fg_conn_on_eof(struct fg_conn *conn);
void fg_conn_on_failure(struct fg_conn *conn);
void fg_conn_on_written(struct fg_conn *conn);
void fg_conn_on_time(struct fg_conn *conn);

/* -- For protocols ------------------------------------------------------------------------------
 */

/* advance() follows at the end of the turn. */
void fg_conn_touch(struct fg_conn *conn);
/* Writes all parts; conn->is_writing where that is not done at once. False: the connection failed
 * and is cut. later: not in this turn, so that others have theirs. */
FG_MUST_CHECK bool fg_conn_write(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                                 bool later);
/* For who writes by the transport itself. */
void fg_conn_count_out(struct fg_conn *conn, size_t size);
void fg_conn_read(struct fg_conn *conn, bool on);
/* on_time() comes at due_ns or before. */
void fg_conn_wake_at(struct fg_conn *conn, uint64_t due_ns);
/* Counts the reason and tells the server's user, for the audit. */
void fg_conn_count_abuse(struct fg_conn *conn, enum fg_refusal_reason reason);
/* Before it speaks: counts the reason, tells the server's user, and finishes. */
void fg_conn_turn_away(struct fg_conn *conn, enum fg_refusal_reason reason);
/* All is written. */
void fg_conn_finish(struct fg_conn *conn);
void fg_conn_cut(struct fg_conn *conn, bool reset);
