/* What may be typed next: keys of attributes and their values, the most frequent first.
 *
 * Counted over the newest spans, as many as the bounds allow: a list for people who type must come
 * at once, and what they look for is mostly recent. So a count is of those spans, not of all. */
#pragma once

#include "store/store.h"

struct fg_complete {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max;  /* [min, max) of a span's start */
    const struct fg_predicate *predicate; /* checked; only spans that match; NULL: all */
    struct fg_slice prefix;               /* of keys or values, without regard to ASCII case */
    uint32_t count_max;                   /* at most FG_COMPLETE_COUNT_MAX */
    uint64_t spans_max;                   /* looked at */
    uint64_t deadline_mono_ns, bytes_max; /* 0: none; the latter read from disk */
    bool (*is_cancelled)(void *arg);      /* may be NULL */
    void *arg;
};

#define FG_COMPLETE_COUNT_MAX 1000u

struct fg_complete_item {
    struct fg_slice text; /* in arena */
    enum fg_field level;  /* keys: FG_FIELD_ATTR_*; values: of the first that was seen */
    uint8_t type;         /* values: enum fg_value_type; numbers and truth values as text */
    uint64_t count;       /* spans */
};

/* Why there is more than was looked at. */
enum fg_complete_cut {
    FG_COMPLETE_WHOLE,
    FG_COMPLETE_SPANS,  /* spans_max */
    FG_COMPLETE_TEXTS,  /* more of them than can be counted */
    FG_COMPLETE_TIME,   /* deadline_mono_ns */
    FG_COMPLETE_BYTES,  /* bytes_max */
    FG_COMPLETE_DAMAGE, /* pages could not be read */
};

struct fg_complete_list {
    struct fg_complete_item *items; /* by count, then text */
    uint32_t count;
    enum fg_complete_cut cut;
    uint64_t span_count; /* looked at */
};

/* Keys of spans, resources, events and links. FG_ELIMIT (arena), FG_ENOMEM, FG_ECANCELLED,
 * FG_EIO. */
FG_MUST_CHECK int fg_complete_keys(struct fg_store *store, const struct fg_complete *complete,
                                   struct fg_arena *arena, struct fg_complete_list *ret_list);

/* Values of the attribute key of spans and their resources; with field FG_FIELD_SERVICE or
 * FG_FIELD_NAME those. Arrays and maps are left out. */
FG_MUST_CHECK int fg_complete_values(struct fg_store *store, const struct fg_complete *complete,
                                     enum fg_field field, struct fg_slice key,
                                     struct fg_arena *arena, struct fg_complete_list *ret_list);
