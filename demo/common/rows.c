#include "rows.h"

#include <stdlib.h>

/* Type ids of PostgreSQL's catalogue: int4, int8, float8. */
enum { INT4 = 23, INT8 = 20, FLOAT8 = 701 };

static json_t *value_of(const PGresult *rows, int row, int column)
{
    const char *text = PQgetvalue(rows, row, column);
    if (PQgetisnull(rows, row, column))
        return json_null();
    switch (PQftype(rows, column)) {
    case INT4:
    case INT8:
        return json_integer(strtoll(text, NULL, 10));
    case FLOAT8:
        return json_real(strtod(text, NULL));
    default:
        return json_string(text);
    }
}

json_t *rows_object(const PGresult *rows, int row)
{
    json_t *object = json_object();
    for (int i = 0; i < PQnfields(rows); i++)
        json_object_set_new(object, PQfname(rows, i), value_of(rows, row, i));
    return object;
}

json_t *rows_list(const PGresult *rows)
{
    json_t *list = json_array();
    for (int i = 0; i < PQntuples(rows); i++)
        json_array_append_new(list, rows_object(rows, i));
    return list;
}
