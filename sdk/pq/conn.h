/* What is known of a PGconn. One thread at a time uses a connection, libpq says; so this has no
 * lock. */
#pragma once

#include "../instrument/tell.h"

#include <libpq-fe.h>

/* Past these, statements are still executed, but no more are remembered. */
enum { FG_PQ_PREPARED_MAX = 1024, FG_PQ_PENDING_MAX = 4096 };

struct fg_pq_prepared {
    struct fg_pq_prepared *next;
    char *text;
    char name[];
};

/* A statement under way. */
struct fg_pq_statement {
    struct fg_pq_statement *next;
    fg_span span;
    int64_t returned_rows, affected_rows;
    bool has_returned, has_affected;
    char tag[32]; /* the command's, from its result */
};

struct fg_pq_conn {
    bool is_connecting;
    fg_span connect_span;
    PGVerbosity verbosity; /* of the program, while connecting */
    char *plain_message;   /* of a connect that failed */
    struct fg_pq_prepared *prepared;
    unsigned prepared_count;
    struct fg_pq_statement *first, *last; /* sent, and not at their last result */
    unsigned pending_count, untold_count; /* untold: sent after those, without a span */
    bool is_in_transaction;
    fg_span transaction;
    unsigned char begun_under[8]; /* the span that was current when the transaction began */
    int64_t statement_count;
};

const fg_tracer *fg_pq_tracer(void);
/* NULL: not known, and can't be for want of memory. */
struct fg_pq_conn *fg_pq_find(const PGconn *conn);
struct fg_pq_conn *fg_pq_find_or_make(const PGconn *conn);
/* Ends what is open of it, with this reason, and forgets it. */
void fg_pq_forget(PGconn *conn);

/* -- connect.c */
void fg_pq_connect_start(PGconn *conn, struct fg_pq_conn *known, uint64_t start_ns);
/* Waits as libpq's own connect does. */
void fg_pq_connect_wait(PGconn *conn, struct fg_pq_conn *known);
/* is_up: it has succeeded. is_late: connect_timeout was over. */
void fg_pq_connect_end(PGconn *conn, struct fg_pq_conn *known, bool is_up, bool is_late);
/* Attributes of the connection; returns how many of room were set. */
enum { FG_PQ_PEER_ATTRS = 6 };
size_t fg_pq_peer(const PGconn *conn, fg_attr attrs[FG_PQ_PEER_ATTRS]);

/* -- statement.c */
/* The state error; of libpq's message, which may be NULL, without the end of its last line. */
void fg_pq_tell_error(fg_span span, const char *state, const char *message);
/* verb: "PREPARE", or NULL. sql may be NULL. */
fg_span fg_pq_statement_start(const PGconn *conn, struct fg_pq_conn *known, const char *verb,
                              const char *sql);
void fg_pq_statement_result(const PGconn *conn, struct fg_pq_statement *statement,
                            PGresult *result);
void fg_pq_statement_end(const PGconn *conn, struct fg_pq_conn *known,
                         struct fg_pq_statement *statement);
void fg_pq_remember(struct fg_pq_conn *known, const char *name, const char *sql);
const char *fg_pq_recall(const struct fg_pq_conn *known, const char *name);
void fg_pq_forget_prepared(struct fg_pq_conn *known);
/* Ends the transaction's span. outcome: "commit", "rollback" or "lost". */
void fg_pq_transaction_end(struct fg_pq_conn *known, const char *outcome);
/* Statements whose results will not be read. */
void fg_pq_drop_pending(struct fg_pq_conn *known);
