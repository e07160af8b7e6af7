/* What went wrong, counted; and said once a kind, where the program asked to be told. Any thread,
 * without a lock. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum fg_notice {
    FG_NOTICE_SETTING,   /* an environment variable was wrong; said each time */
    FG_NOTICE_FULL,      /* a span found no slot */
    FG_NOTICE_REFUSED,   /* the server refused spans */
    FG_NOTICE_FAILED,    /* an export did not go through */
    FG_NOTICE_ITEM,      /* an attribute, event or link was dropped */
    FG_NOTICE_TRUNCATED, /* a value was cut */
    FG_NOTICE_TEXT,      /* a text was not UTF-8 */
    FG_NOTICE_MISUSE,    /* an ended span was used, a scope left out of order */
    FG_NOTICE_CONTEXT,   /* an extracted header was malformed */
    FG_NOTICE_RECORDER,  /* the ring could not be made, or one that was found is damaged */
    FG_NOTICE_COUNT
};

struct fg_counters {
    _Atomic uint64_t exported, announced, recovered, dropped_full, dropped_refused, dropped_items;
    _Atomic uint64_t truncated, redacted, invalid_texts, misuses, exports, failed_exports;
    _Atomic uint64_t malformed_contexts;
};
extern struct fg_counters fg_counters;

static inline void fg_count(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

/* From here on fn (may be NULL) is told; each kind may be said again. */
void fg_notice_start(void (*fn)(void *arg, const char *text), void *arg);
void fg_notice(enum fg_notice kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
