/* The words of the search language: fields, enumerations, operators. One table for reading and
 * writing. */
#pragma once

#include "query/query.h"

enum fg_word_type {
    FG_WORD_STRING,
    FG_WORD_INT,
    FG_WORD_DURATION,
    FG_WORD_KIND,
    FG_WORD_STATUS,
    FG_WORD_BOOL,
    FG_WORD_TRACE_ID,
    FG_WORD_SPAN_ID,
};

struct fg_word {
    const char *name;
    enum fg_word_type type;
    bool is_trace;
    int field; /* enum fg_trace_field or enum fg_field */
};

/* The field of this name; NULL where there is none, which makes it an attribute's key. */
const struct fg_word *fg_word_find(struct fg_slice name);
/* The first name of a field; NULL for attributes. */
const struct fg_word *fg_word_of(bool is_trace, int field);

/* "span." → FG_FIELD_ATTR_SPAN. */
struct fg_scope_word {
    const char *prefix;
    enum fg_field field;
};
extern const struct fg_scope_word fg_scope_words[];
extern const size_t fg_scope_word_count;

/* The number of a name of span/names.h; -1 where it is none. */
int fg_kind_from_word(struct fg_slice word);
int fg_status_from_word(struct fg_slice word);

/* Whether text may stand as a key or a value without quotes. */
bool fg_word_is_bare_key(struct fg_slice text);
bool fg_word_is_bare_value(struct fg_slice text);
