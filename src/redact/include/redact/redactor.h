/* Rules at work: what one thread has of its own. What it found out about a key it remembers, and
 * what it found nothing in it does not search again. */
#pragma once

#include "redact/rules.h"

struct fg_redactor;

#define FG_REDACT_KIND_COUNT FG_REDACT_KIND_BITS

/* What the rules say of one key. */
struct fg_redact_verdict {
    bool is_whole;      /* one rule takes the value as a whole */
    bool is_key;        /* what that rule looks for stands in the key itself: both go */
    uint8_t whole_rule; /* which */
    uint8_t pattern_count;
    uint8_t patterns[FG_REDACT_PATTERNS_MAX]; /* rules, in their order */
    uint8_t kind_rules[FG_REDACT_KIND_COUNT]; /* by the kind's bit */
    unsigned kinds;                           /* to look for */
};

/* rules may be NULL: then so is *ret_redactor, which forbids nothing. Holds a reference. FG_ENOMEM.
 */
FG_MUST_CHECK int fg_redactor_new(struct fg_redact_rules *rules, struct fg_redactor **ret_redactor);
/* NULL is accepted. */
void fg_redactor_free(struct fg_redactor *redactor);

/* Valid until the next call for another key. */
const struct fg_redact_verdict *fg_redactor_verdict(struct fg_redactor *redactor,
                                                    struct fg_slice key);

enum fg_redaction {
    FG_REDACTION_NONE,    /* nothing to take */
    FG_REDACTION_CHANGED, /* *ret_text stands for it */
    FG_REDACTION_DROPPED, /* the attribute goes */
};

/* What may be kept of a text. *ret_text is text itself or lies in arena. Texts are UTF-8 or any
 * other bytes. An enum fg_redaction, or FG_ELIMIT, FG_ENOMEM: then nothing of it may be kept. */
FG_MUST_CHECK int fg_redactor_text(struct fg_redactor *redactor,
                                   const struct fg_redact_verdict *verdict, struct fg_slice text,
                                   struct fg_arena *arena, struct fg_slice *ret_text);

/* The same of a value that is no text: number is its absolute value where it is a whole number, 0
 * otherwise; bytes are what is hashed. */
FG_MUST_CHECK int fg_redactor_scalar(struct fg_redactor *redactor,
                                     const struct fg_redact_verdict *verdict, uint64_t number,
                                     struct fg_slice bytes, struct fg_arena *arena,
                                     struct fg_slice *ret_text);

/* Whether fg_redactor_text() would leave the text alone; counts nothing. */
bool fg_redactor_keeps(struct fg_redactor *redactor, const struct fg_redact_verdict *verdict,
                       struct fg_slice text);
