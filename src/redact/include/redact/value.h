/* What may not be kept wherever it stands: values that give themselves away by their form. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"

enum fg_redact_kind {
    FG_REDACT_CARD = 1,  /* 13 to 19 digits, single blanks or dashes between them, that pass Luhn's
                          * check (ISO/IEC 7812-1) */
    FG_REDACT_EMAIL = 2, /* local@domain.tld */
    FG_REDACT_TOKEN = 4, /* what follows "Bearer " or "Basic ", and JSON web tokens */
    FG_REDACT_SQL = 8,   /* literals in SQL text; for fg_redact_sql() */
};

/* Finds the kinds in text. 0, and nothing is written, where there are none; otherwise how many, and
 * the text is appended with each replaced by [card], [email] or [token]. */
size_t fg_redact_text(struct fg_slice text, unsigned kinds, struct fg_buffer *out);

/* Appends an SQL text reduced to its shape: literals become ?, lists of them one ?, comments a
 * blank. Parameters ($1, :name, ?) and quoted identifiers stay. A string in which a backslash
 * stands before a quote ends differently in different servers; from there on all becomes one ?.
 * Returns how many literals and comments went. */
size_t fg_redact_sql(struct fg_slice text, struct fg_buffer *out);
