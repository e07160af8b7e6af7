/* Orders as they stand: one, or the newest. The SQL is the caller's, and so are its columns. */
#ifndef DEMO_READ_H
#define DEMO_READ_H

#include "pool.h"
#include "web.h"

/* Answers with the row of `sql`, whose $1 is the request's {id}; 404 where there is none. */
void read_one(struct pool *pool, const char *sql, const struct web_request *request,
              struct web_answer *answer);

/* Answers {"orders": [...]} with the rows of `sql`: $1 is ?status=, empty for all, $2 is ?limit=,
 * 100 where it is not said. */
void read_list(struct pool *pool, const char *sql, const struct web_request *request,
               struct web_answer *answer);

#endif
