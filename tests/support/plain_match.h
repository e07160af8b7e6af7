/* What store/predicate.h says, done plainly, one row at a time, for comparing with what is fast;
 * and random predicates whose operands are taken from a batch, so that some of them match. */
#pragma once

#include "random_batch.h"
#include "store/predicate.h"

/* Whether a row matches. Regular expressions are POSIX's, which those of random_condition() read as
 * PCRE2 does. Columns that were not decoded count as 0. */
bool plain_matches(const struct fg_batch *batch, uint32_t row, const struct fg_predicate *node);

struct predicate_maker {
    struct test_random random;
    struct fg_arena arena; /* what is made lies in it and in batch */
    const struct fg_batch *batch;
};

/* A condition without children, which passes fg_predicate_check(). */
struct fg_predicate random_condition(struct predicate_maker *maker);
/* A tree of at most depth levels above its conditions. */
const struct fg_predicate *random_predicate(struct predicate_maker *maker, int depth);
