/* Rows of a result as JSON. */
#ifndef DEMO_ROWS_H
#define DEMO_ROWS_H

#include <jansson.h>
#include <libpq-fe.h>

/* Columns by their names, a moment as RFC 3339. */
#define ROWS_MOMENT(column)                                                                        \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS " column

/* Columns of numbers become numbers, null stays null, all others texts. The caller's. */
json_t *rows_object(const PGresult *rows, int row);
json_t *rows_list(const PGresult *rows);

#endif
