/* Traces that have a span which matches, those with the newest such span first, in pages.
 *
 * A trace's place in the list is its key: the start of its newest matching span in the window, then
 * its id. A page is the first traces whose key comes after a cursor, which is the last page's last
 * key; so paging holds nothing open, and a trace that got a newer span meanwhile does not come
 * twice. */
#pragma once

#include "store/store.h"

struct fg_trace_key {
    uint64_t start_ns;
    uint64_t trace_id_high, trace_id_low;
};

/* The key that comes before all others. */
#define FG_TRACE_KEY_FIRST ((struct fg_trace_key){UINT64_MAX, UINT64_MAX, UINT64_MAX})

struct fg_search {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max;  /* [min, max) of the matching span's start */
    const struct fg_predicate *predicate; /* checked; NULL: every span */
    struct fg_trace_key after;            /* FG_TRACE_KEY_FIRST for the first page */
    uint32_t count_max;                   /* at most FG_SEARCH_KEYS_MAX */
    uint64_t deadline_mono_ns;            /* 0: none */
    uint64_t bytes_max;                   /* read from disk; 0: no bound */
    bool (*is_cancelled)(void *arg);      /* may be NULL */
    void *arg;
};

/* Traces of an answer; keys of a pass, of which most may be no answer: 3 MiB. */
#define FG_SEARCH_COUNT_MAX 1000u
#define FG_SEARCH_KEYS_MAX  65536u

struct fg_search_result {
    struct fg_trace_key *keys; /* in arena, newest first */
    uint32_t count;
    int cut; /* FG_ETIMEOUT or FG_ELIMIT: the pass ended early; newer traces may be missing. Or 0 */
    struct fg_read_stats stats;
};

/* One pass over the newest pages of the store, as far as the page needs. A key in it is at least
 * the trace's true one, since the store also finds older forms of a span, and may stand for one
 * that came on an earlier page, since a trace's older spans match too: fg_search_key() tells when
 * the trace has been read. A pass that ran past its deadline or its bytes gives what it found until
 * then. FG_ELIMIT (the arena, or a
 * pattern ran past its match limit), FG_ECANCELLED, FG_EIO, FG_ENOMEM. */
FG_MUST_CHECK int fg_search_run(struct fg_store *store, const struct fg_search *search,
                                struct fg_arena *arena, struct fg_search_result *ret_result);

/* The true key of a trace of which trace holds all spans. matcher is one for search->predicate;
 * NULL where that is NULL. FG_ENOTFOUND: none of its spans matches in the window. FG_ELIMIT,
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_search_key(const struct fg_search *search, struct fg_matcher *matcher,
                                const struct fg_batch *trace, struct fg_arena *arena,
                                struct fg_trace_key *ret_key);

/* Below 0 where a comes before b in the list. */
int fg_trace_key_compare(const struct fg_trace_key *a, const struct fg_trace_key *b);

/* A cursor as text: 48 hexadecimal digits. FG_EINVALID. */
#define FG_TRACE_KEY_TEXT_SIZE 48
void fg_trace_key_format(const struct fg_trace_key *key, char ret_text[FG_TRACE_KEY_TEXT_SIZE]);
FG_MUST_CHECK int fg_trace_key_parse(struct fg_slice text, struct fg_trace_key *ret_key);
