#include "number_test.h"

#include <math.h>

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

enum order { BELOW, SAME, ABOVE, UNORDERED };

struct fg_number_test fg_number_test_of(const struct fg_predicate *predicate)
{
    bool is_double = predicate->type == FG_VALUE_DOUBLE;
    return (struct fg_number_test){.op = predicate->op,
                                   .is_double = is_double,
                                   .integer = is_double ? 0 : predicate->integer,
                                   .number = is_double ? predicate->number : 0};
}

static enum order compare_ints(int64_t a, int64_t b)
{
    return a < b ? BELOW : a > b ? ABOVE : SAME;
}

static enum order compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return UNORDERED;
    return a < b ? BELOW : a > b ? ABOVE : SAME;
}

/* The whole part of a double between -2^63 and 2^63 is an int64_t, exactly. */
static enum order compare_int_double(int64_t a, double b)
{
    if (isnan(b))
        return UNORDERED;
    if (b >= TWO_TO_63)
        return BELOW;
    if (b < -TWO_TO_63)
        return ABOVE;
    double whole = trunc(b);
    enum order order = compare_ints(a, (int64_t)whole);
    return order != SAME ? order : compare_doubles(whole, b);
}

static enum order turned(enum order order)
{
    return order == BELOW ? ABOVE : order == ABOVE ? BELOW : order;
}

static bool passes(enum fg_predicate_op op, enum order order)
{
    switch (op) {
    case FG_PRED_EQ:
        return order == SAME;
    case FG_PRED_NE:
        return order == BELOW || order == ABOVE;
    case FG_PRED_LT:
        return order == BELOW;
    case FG_PRED_LE:
        return order == BELOW || order == SAME;
    case FG_PRED_GT:
        return order == ABOVE;
    case FG_PRED_GE:
        return order == ABOVE || order == SAME;
    default:
        return false;
    }
}

bool fg_number_test_int(const struct fg_number_test *test, int64_t value)
{
    return passes(test->op, test->is_double ? compare_int_double(value, test->number)
                                            : compare_ints(value, test->integer));
}

bool fg_number_test_double(const struct fg_number_test *test, double value)
{
    return passes(test->op, test->is_double ? compare_doubles(value, test->number)
                                            : turned(compare_int_double(test->integer, value)));
}

/* The least unsigned number that is not below the operand, and the least that is above it; none
 * when all are below, or none above. */
struct bounds {
    uint64_t not_below, above;
    bool has_not_below, has_above;
};

static struct bounds bounds_of(const struct fg_number_test *test)
{
    struct bounds bounds = {.has_not_below = true, .has_above = true};
    if (!test->is_double) {
        bounds.not_below = test->integer < 0 ? 0 : (uint64_t)test->integer;
        bounds.above = test->integer < 0 ? 0 : bounds.not_below + 1;
        return bounds;
    }
    if (test->number < 0)
        return bounds;
    if (test->number >= TWO_TO_64)
        return (struct bounds){0};
    double up = ceil(test->number);
    bounds.not_below = (uint64_t)up;
    /* A double this large that is whole has a successor below 2^64. */
    bounds.above = up > test->number ? bounds.not_below : bounds.not_below + 1;
    return bounds;
}

static const struct fg_number_range nothing = {.low = 1, .high = 0};

static struct fg_number_range from(bool has_low, uint64_t low)
{
    return has_low ? (struct fg_number_range){.low = low, .high = UINT64_MAX} : nothing;
}

static struct fg_number_range before(bool has_end, uint64_t end)
{
    if (has_end && end == 0)
        return nothing;
    return (struct fg_number_range){.low = 0, .high = has_end ? end - 1 : UINT64_MAX};
}

struct fg_number_range fg_number_test_range(const struct fg_number_test *test)
{
    if (test->is_double && isnan(test->number))
        return nothing;
    struct bounds bounds = bounds_of(test);
    struct fg_number_range equal = nothing;
    if (bounds.has_not_below && bounds.not_below != bounds.above)
        equal = (struct fg_number_range){.low = bounds.not_below, .high = bounds.not_below};
    switch (test->op) {
    case FG_PRED_EQ:
        return equal;
    case FG_PRED_NE:
        equal.is_outside = true;
        return equal;
    case FG_PRED_LT:
        return before(bounds.has_not_below, bounds.not_below);
    case FG_PRED_LE:
        return before(bounds.has_above, bounds.above);
    case FG_PRED_GT:
        return from(bounds.has_above, bounds.above);
    case FG_PRED_GE:
        return from(bounds.has_not_below, bounds.not_below);
    default:
        return nothing;
    }
}
