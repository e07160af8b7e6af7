/* What may not be kept wherever it stands: values that give themselves away by their form. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"

enum fg_redact_kind {
    FG_REDACT_CARD = 1,   /* 13 to 19 digits, single blanks or dashes between them, of a range that
                           * card schemes issue (ISO/IEC 7812-1), that pass Luhn's check */
    FG_REDACT_EMAIL = 2,  /* local@domain.tld */
    FG_REDACT_TOKEN = 4,  /* what follows "Bearer " or "Basic " (RFC 6750, 7617), and JSON web
                           * tokens (RFC 7519) */
    FG_REDACT_SQL = 8,    /* literals in SQL text; for fg_redact_sql() */
    FG_REDACT_PHONE = 16, /* + and 8 to 15 digits (E.164), or an area code in parentheses */
    FG_REDACT_PRIVATE_KEY = 32, /* PEM: from its first dashes to its last (RFC 7468) */
    FG_REDACT_SECRET = 64,      /* the value in "password=value" and its like, the user and password
                                 * in an address (scheme://user:password@host) */
    FG_REDACT_URL = 128,        /* a query's values and the fragment; for fg_redact_url() */
};

#define FG_REDACT_KIND_BITS 8u

/* Those that fg_redact_find() looks for. */
#define FG_REDACT_KINDS_FOUND                                                                      \
    (FG_REDACT_CARD | FG_REDACT_EMAIL | FG_REDACT_TOKEN | FG_REDACT_PHONE |                        \
     FG_REDACT_PRIVATE_KEY | FG_REDACT_SECRET)

struct fg_redact_match {
    size_t begin, end; /* bytes of the text */
    enum fg_redact_kind kind;
};

/* Which of the kinds could stand in text at all: a look at each byte, 16 at a time. 0 for nearly
 * all texts. SQL and URL, which are known by their key, are never in it. */
unsigned fg_redact_glance(struct fg_slice text, unsigned kinds);

/* The first match of one of the kinds at or after from. */
bool fg_redact_find(struct fg_slice text, size_t from, unsigned kinds,
                    struct fg_redact_match *ret_match);

/* What stands for a match: "[card]". */
const char *fg_redact_word(enum fg_redact_kind kind);

/* Finds the kinds in text. 0, and nothing is written, where there are none; otherwise how many, and
 * the text is appended with each replaced by its word. */
size_t fg_redact_text(struct fg_slice text, unsigned kinds, struct fg_buffer *out);

/* Whether a whole number is a card's. */
bool fg_redact_is_card(uint64_t number);

/* Appends an SQL text reduced to its shape: literals become ?, lists of them one ?, comments a
 * blank. Parameters ($1, :name, ?) and quoted identifiers stay. A string in which a backslash
 * stands before a quote ends differently in different servers; from there on all becomes one ?.
 * Returns how many literals and comments went. */
size_t fg_redact_sql(struct fg_slice text, struct fg_buffer *out);

/* Appends an address without what its user typed: each value of its query becomes ?, the fragment
 * goes; names of parameters stay. is_query: the text is a query alone (url.query). Returns how many
 * went; 0, and nothing is written, where there were none. */
size_t fg_redact_url(struct fg_slice text, bool is_query, struct fg_buffer *out);
