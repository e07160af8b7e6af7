/* A condition on strings, evaluated once for each distinct string of a batch and remembered. What
 * is known of the strings that all batches of a string epoch share is kept from batch to batch. */
#pragma once

#include "store/predicate.h"
#include "text_regex.h"

struct fg_text_test {
    enum fg_predicate_op op; /* EQ, NE, LT, LE, GT, GE, REGEX, EXISTS */
    struct fg_slice operand; /* borrowed */
    bool empty_is_absent;    /* a field's "" is no text: only EQ may match it */
    struct fg_regex *regex;

    const struct fg_batch *batch;
    uint64_t string_epoch;
    uint32_t stable_count;
    uint8_t *known; /* by string id: 0 not known, otherwise 1 + whether it matches */
    uint32_t known_capacity;

    /* EQ: the strings that equal the operand among the stable ones and among all. A batch may hold
     * a string twice. */
    uint32_t stable_equal_count, stable_equal_id;
    uint32_t equal_count, equal_id;
};

FG_MUST_CHECK int fg_text_test_init(struct fg_text_test *test, enum fg_predicate_op op,
                                    struct fg_slice operand, bool empty_is_absent);
void fg_text_test_free(struct fg_text_test *test);

FG_MUST_CHECK int fg_text_test_bind(struct fg_text_test *test, const struct fg_batch *batch);

/* Whether it is EQ with at most one string: then equal_count and equal_id say all. */
static inline bool fg_text_test_is_plain(const struct fg_text_test *test)
{
    return test->op == FG_PRED_EQ && test->equal_count <= 1;
}

/* Finds out. FG_ELIMIT, FG_ENOMEM. */
FG_MUST_CHECK int fg_text_test_learn(struct fg_text_test *test, uint32_t id, bool *ret_matches);

FG_MUST_CHECK static inline int fg_text_test_id(struct fg_text_test *test, uint32_t id,
                                                bool *ret_matches)
{
    if (fg_text_test_is_plain(test)) {
        *ret_matches = test->equal_count && id == test->equal_id;
        return 0;
    }
    if (!test->known[id])
        return fg_text_test_learn(test, id, ret_matches);
    *ret_matches = test->known[id] - 1;
    return 0;
}
