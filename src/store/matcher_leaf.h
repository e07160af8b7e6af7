/* One condition of a matcher: how it is evaluated on the rows of a batch. */
#pragma once

#include "number_test.h"
#include "text_test.h"

/* Rows that are evaluated at a time. */
#define FG_MATCHER_ROWS  4096u
#define FG_MATCHER_WORDS (FG_MATCHER_ROWS / 64)

struct fg_matcher_leaf {
    const struct fg_predicate *predicate;
    struct fg_text_test text;     /* STRING operands, and EXISTS of fields that are strings */
    struct fg_text_test key;      /* of attributes */
    struct fg_number_test number; /* INT and DOUBLE operands */
    struct fg_number_range range; /* the same for unsigned columns */
    bool bytes[256];              /* the same for columns of one byte */
    /* Of what spans share, a resource or a scope, by its id: 0 not known, else 1 + whether it
     * matches. */
    uint8_t *known;
    uint32_t known_capacity;
};

/* Some rows of a batch, at most FG_MATCHER_ROWS, and the words for their bits. */
struct fg_matcher_rows {
    const struct fg_batch *batch;
    uint32_t begin, count, word_count;
};

FG_MUST_CHECK int fg_matcher_leaf_init(struct fg_matcher_leaf *leaf,
                                       const struct fg_predicate *predicate);
void fg_matcher_leaf_free(struct fg_matcher_leaf *leaf);
FG_MUST_CHECK int fg_matcher_leaf_bind(struct fg_matcher_leaf *leaf, const struct fg_batch *batch);

/* What a row costs about, compared with other leaves. */
uint32_t fg_matcher_leaf_cost(const struct fg_predicate *predicate);

/* Sets the bits of rows that are in mask and match, clears the others; bits may be mask. */
FG_MUST_CHECK int fg_matcher_leaf_run(struct fg_matcher_leaf *leaf,
                                      const struct fg_matcher_rows *rows, const uint64_t *mask,
                                      uint64_t *bits);
