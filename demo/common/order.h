/* What both APIs do with an order's row and its outbox. */
#ifndef DEMO_ORDER_H
#define DEMO_ORDER_H

#include "pool.h"
#include "web.h"

#include <filigree.h>

/* A span that sets an order's status says so: order.id, order.status, order.version. */
void order_mark(fg_span span, const char *id, const char *status, const char *version);

/* Writes a message into the outbox, in the transaction that is open on conn, with the current
 * context in its headers. extra: its further members, taken over; may be NULL. */
bool order_send_take(PGconn *conn, const char *type, const char *id, const char *version,
                     json_t *extra, struct pool_failure *ret_failure);

/* 503 and the database's reason. */
void order_answer_failure(struct web_answer *answer, const struct pool_failure *failure);
/* 404, or 409 with the status that it has: why an UPDATE of this order met no row. */
void order_answer_refusal(PGconn *conn, const char *table, const char *key, const char *id,
                          struct web_answer *answer);

#endif
