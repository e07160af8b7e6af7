/* A comparison with a number, exact between 64-bit integers and doubles: neither is rounded to the
 * other. */
#pragma once

#include "store/predicate.h"

struct fg_number_test {
    enum fg_predicate_op op; /* EQ, NE, LT, LE, GT, GE */
    bool is_double;
    int64_t integer;
    double number;
};

/* Of a leaf whose operand is INT or DOUBLE. */
struct fg_number_test fg_number_test_of(const struct fg_predicate *predicate);

bool fg_number_test_int(const struct fg_number_test *test, int64_t value);
bool fg_number_test_double(const struct fg_number_test *test, double value);

/* The unsigned values that pass are those of [low, high], or when is_outside all but those; low >
 * high is the empty range. */
struct fg_number_range {
    uint64_t low, high;
    bool is_outside;
};

struct fg_number_range fg_number_test_range(const struct fg_number_test *test);

static inline bool fg_number_range_has(const struct fg_number_range *range, uint64_t value)
{
    return (value >= range->low && value <= range->high) != range->is_outside;
}
