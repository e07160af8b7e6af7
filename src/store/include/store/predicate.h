/* What a scan looks for: a tree of conditions on one span. Pushed down to the segments, which prune
 * by it, and evaluated on every batch's rows by a matcher. Made so that a query language can be
 * compiled into it. */
#pragma once

#include "base/arena.h"
#include "span/batch.h"

enum fg_predicate_op {
    FG_PRED_TRUE,
    FG_PRED_AND,
    FG_PRED_OR,
    FG_PRED_NOT, /* one child */
    FG_PRED_EQ,
    FG_PRED_NE, /* the field is there and differs */
    FG_PRED_LT,
    FG_PRED_LE,
    FG_PRED_GT,
    FG_PRED_GE,
    FG_PRED_REGEX, /* PCRE2, unanchored; strings only */
    FG_PRED_EXISTS,
};

enum fg_field {
    FG_FIELD_SERVICE,        /* string: resource service.name */
    FG_FIELD_NAME,           /* string */
    FG_FIELD_KIND,           /* int: enum fg_span_kind */
    FG_FIELD_STATUS,         /* int: enum fg_status_code */
    FG_FIELD_STATUS_MESSAGE, /* string */
    FG_FIELD_START,          /* int: ns */
    FG_FIELD_DURATION,       /* int: ns; 0 while open or when it ends before it starts */
    FG_FIELD_OPEN,           /* bool: no end yet */
    FG_FIELD_ROOT,           /* bool: no parent id */
    FG_FIELD_TRACE_ID,       /* EQ only: trace_id */
    FG_FIELD_SPAN_ID,        /* EQ only: id */
    FG_FIELD_PARENT_SPAN_ID, /* EQ only: id */
    FG_FIELD_SCOPE_NAME,     /* string */
    FG_FIELD_SCOPE_VERSION,  /* string */
    FG_FIELD_EVENT_NAME,     /* string: of any event */
    FG_FIELD_MARKS,          /* int: EXISTS is any mark; EQ is "has all these bits" */
    /* an attribute by key; the level says whose */
    FG_FIELD_ATTR_SPAN,
    FG_FIELD_ATTR_RESOURCE,
    FG_FIELD_ATTR_SCOPE,
    FG_FIELD_ATTR_EVENT, /* of any event */
    FG_FIELD_ATTR_LINK,  /* of any link */
    FG_FIELD_ATTR_ANY,   /* of the span or its resource */
};

/* Immutable once built; lives, with children and slices, in the memory of who built it. Comparison
 * is typed: a STRING operand meets strings only; INT and DOUBLE meet both, compared as numbers, by
 * their exact values; NaN meets nothing; BOOL meets bools, by EQ and NE. A value of a type that the
 * operand does not meet matches neither EQ nor NE; any type EXISTS.
 *
 * A field of a span, scope or event that is a string is there when it is not empty; one that is
 * not matches nothing but EQ "". An attribute is there even when its value is empty. Where several
 * values are asked (any event, any link, span or resource) one that matches is enough. AND of
 * nothing is true, OR of nothing false. */
struct fg_predicate {
    enum fg_predicate_op op;
    enum fg_field field;
    struct fg_slice key;     /* FG_FIELD_ATTR_* */
    enum fg_value_type type; /* of the operand: STRING, INT, DOUBLE, BOOL */
    union {
        struct fg_slice string; /* STRING, and the pattern of REGEX */
        int64_t integer;
        double number;
        bool boolean;
        struct {
            uint64_t high, low;
        } trace_id;
        uint64_t id;
    };
    uint32_t child_count;
    const struct fg_predicate *const *children;
};

/* FG_EINVALID with a sentence (static or in arena) where the tree makes no sense or a pattern does
 * not compile; FG_ELIMIT past 256 nodes or a depth of 32. */
FG_MUST_CHECK int fg_predicate_check(const struct fg_predicate *predicate, struct fg_arena *arena,
                                     const char **ret_message);

/* A predicate ready to run on batches: patterns compiled (JIT, with match limits), and which
 * distinct strings match is remembered for a batch. One a thread. The predicate, which must have
 * passed the check, outlives it. */
struct fg_matcher;

FG_MUST_CHECK int fg_matcher_new(const struct fg_predicate *predicate,
                                 struct fg_matcher **ret_matcher);
void fg_matcher_free(struct fg_matcher *matcher);

/* Binds to a batch: looks operands up among its strings, evaluates resources and scopes once each.
 * Before the first fg_matcher_run() on it; the batch must stay valid until the next bind. */
FG_MUST_CHECK int fg_matcher_bind(struct fg_matcher *matcher, const struct fg_batch *batch);

/* Sets bit i - row_begin of bits (64-bit words, lowest bit first) for each row i in [row_begin,
 * row_end) that matches and clears the others, up to the last word's end. FG_ELIMIT when a pattern
 * ran past its match limit. */
FG_MUST_CHECK int fg_matcher_run(struct fg_matcher *matcher, uint32_t row_begin, uint32_t row_end,
                                 uint64_t *bits);

/* Groups of a batch's columns, for decoding no more than is needed. Resources and scopes always
 * come whole. */
enum fg_columns {
    FG_COLUMNS_IDS = 1,   /* trace and span ids, parents */
    FG_COLUMNS_TIMES = 2, /* start, end, received */
    FG_COLUMNS_NAME = 4,
    FG_COLUMNS_RESOURCE = 8,
    FG_COLUMNS_SCOPE = 16,
    FG_COLUMNS_STATUS = 32, /* kind, status, status message */
    FG_COLUMNS_MISC = 64,   /* flags, marks, trace state, dropped counts */
    FG_COLUMNS_SPAN_ATTRS = 128,
    FG_COLUMNS_EVENTS = 256, /* with their attributes */
    FG_COLUMNS_LINKS = 512,  /* with their attributes */
    FG_COLUMNS_ALL = 1023,
};

/* Bits of enum fg_columns that evaluating it reads. */
uint32_t fg_predicate_columns(const struct fg_predicate *predicate);
/* Whether it reads the span attribute of this key. */
bool fg_predicate_uses_key(const struct fg_predicate *predicate, struct fg_slice key);
