/* store/predicate.h: which trees make sense, what they read; and number_test.h, exact at every
 * edge. */
#include "base/limits.h"
#include "number_test.h"
#include "random_batch.h"
#include "store/predicate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_arena arena;

static int check(const struct fg_predicate *predicate)
{
    const char *message = NULL;
    int r = fg_predicate_check(predicate, &arena, &message);
    assert_true(r == 0 ? message == NULL : message != NULL && *message != 0);
    return r;
}

static const enum fg_predicate_op comparisons[] = {FG_PRED_EQ, FG_PRED_NE, FG_PRED_LT,
                                                   FG_PRED_LE, FG_PRED_GT, FG_PRED_GE};

/* Which of EQ, NE, an order, REGEX, EXISTS a field takes with an operand of this type. */
static void expect(enum fg_field field, enum fg_value_type type, const char *allowed)
{
    static const struct {
        char letter;
        enum fg_predicate_op op;
    } ops[] = {{'=', FG_PRED_EQ}, {'!', FG_PRED_NE}, {'<', FG_PRED_LT},    {'<', FG_PRED_LE},
               {'<', FG_PRED_GT}, {'<', FG_PRED_GE}, {'~', FG_PRED_REGEX}, {'?', FG_PRED_EXISTS}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct fg_predicate leaf = {.op = ops[i].op, .field = field, .type = type};
        if (field >= FG_FIELD_ATTR_SPAN)
            leaf.key = FG_SLICE("k");
        int expected = strchr(allowed, ops[i].letter) ? 0 : FG_EINVALID;
        if (check(&leaf) != expected)
            fail_msg("field %d, type %d, operator %d", (int)field, (int)type, (int)ops[i].op);
    }
}

static void operators_suit_their_field(void **state)
{
    (void)state;
    static const enum fg_field strings[] = {FG_FIELD_SERVICE,    FG_FIELD_NAME,
                                            FG_FIELD_SCOPE_NAME, FG_FIELD_SCOPE_VERSION,
                                            FG_FIELD_EVENT_NAME, FG_FIELD_STATUS_MESSAGE};
    static const enum fg_field numbers[] = {FG_FIELD_KIND, FG_FIELD_STATUS, FG_FIELD_START,
                                            FG_FIELD_DURATION};
    static const enum fg_field ids[] = {FG_FIELD_TRACE_ID, FG_FIELD_SPAN_ID,
                                        FG_FIELD_PARENT_SPAN_ID};
    for (size_t i = 0; i < 6; i++) {
        expect(strings[i], FG_VALUE_STRING, "=!<~?");
        expect(strings[i], FG_VALUE_INT, "?");
        expect(strings[i], FG_VALUE_BOOL, "?");
    }
    for (size_t i = 0; i < 4; i++) {
        expect(numbers[i], FG_VALUE_INT, "=!<?");
        expect(numbers[i], FG_VALUE_DOUBLE, "=!<?");
        expect(numbers[i], FG_VALUE_STRING, "?");
    }
    for (int field = FG_FIELD_OPEN; field <= FG_FIELD_ROOT; field++) {
        expect((enum fg_field)field, FG_VALUE_BOOL, "=!?");
        expect((enum fg_field)field, FG_VALUE_INT, "?");
    }
    for (size_t i = 0; i < 3; i++)
        expect(ids[i], FG_VALUE_EMPTY, "=");
    expect(FG_FIELD_MARKS, FG_VALUE_INT, "=?");
    expect(FG_FIELD_MARKS, FG_VALUE_STRING, "?");
    for (int field = FG_FIELD_ATTR_SPAN; field <= FG_FIELD_ATTR_ANY; field++) {
        expect((enum fg_field)field, FG_VALUE_STRING, "=!<~?");
        expect((enum fg_field)field, FG_VALUE_INT, "=!<?");
        expect((enum fg_field)field, FG_VALUE_DOUBLE, "=!<?");
        expect((enum fg_field)field, FG_VALUE_BOOL, "=!?");
        expect((enum fg_field)field, FG_VALUE_BYTES, "?");
        expect((enum fg_field)field, FG_VALUE_EMPTY, "?");
    }
}

static void trees_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const struct fg_predicate leaf = {
        .op = FG_PRED_EQ, .field = FG_FIELD_KIND, .type = FG_VALUE_INT, .integer = 1};
    const struct fg_predicate *children[] = {&leaf, &leaf, NULL};
    struct fg_predicate tree = {.op = FG_PRED_AND, .child_count = 2, .children = children};
    assert_int_equal(check(&tree), 0);
    tree.child_count = 0;
    assert_int_equal(check(&tree), 0);
    tree.op = FG_PRED_OR;
    assert_int_equal(check(&tree), 0);
    tree.child_count = 3;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree.child_count = 1;
    tree.op = FG_PRED_NOT;
    assert_int_equal(check(&tree), 0);
    tree.child_count = 2;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree.child_count = 0;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree.child_count = 1;
    tree.children = NULL;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree = (struct fg_predicate){.op = FG_PRED_TRUE, .child_count = 1, .children = children};
    assert_int_equal(check(&tree), FG_EINVALID);
    tree = leaf;
    tree.child_count = 1;
    tree.children = children;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree = leaf;
    tree.field = FG_FIELD_ATTR_ANY + 1;
    assert_int_equal(check(&tree), FG_EINVALID);
    tree = leaf;
    tree.field = FG_FIELD_ATTR_ANY; /* without a key */
    assert_int_equal(check(&tree), FG_EINVALID);
    tree = leaf;
    tree.op = FG_PRED_EXISTS + 1;
    assert_int_equal(check(&tree), FG_EINVALID);
    assert_int_equal(check(NULL), FG_EINVALID);
}

static void size_and_depth_are_bounded(void **state)
{
    (void)state;
    static const struct fg_predicate always = {.op = FG_PRED_TRUE};
    static const struct fg_predicate *many[FG_PREDICATE_NODES_MAX];
    for (size_t i = 0; i < FG_PREDICATE_NODES_MAX; i++)
        many[i] = &always;
    struct fg_predicate wide = {
        .op = FG_PRED_OR, .child_count = FG_PREDICATE_NODES_MAX - 1, .children = many};
    assert_int_equal(check(&wide), 0);
    wide.child_count++;
    assert_int_equal(check(&wide), FG_ELIMIT);

    struct fg_predicate chain[FG_PREDICATE_DEPTH_MAX + 1];
    const struct fg_predicate *links[FG_PREDICATE_DEPTH_MAX + 1];
    chain[0] = always;
    for (size_t i = 1; i <= FG_PREDICATE_DEPTH_MAX; i++) {
        links[i] = &chain[i - 1];
        chain[i] =
            (struct fg_predicate){.op = FG_PRED_NOT, .child_count = 1, .children = &links[i]};
    }
    assert_int_equal(check(&chain[FG_PREDICATE_DEPTH_MAX - 1]), 0);
    assert_int_equal(check(&chain[FG_PREDICATE_DEPTH_MAX]), FG_ELIMIT);
}

static void wrong_patterns_are_told(void **state)
{
    (void)state;
    struct fg_predicate leaf = {.op = FG_PRED_REGEX,
                                .field = FG_FIELD_NAME,
                                .type = FG_VALUE_STRING,
                                .string = FG_SLICE("GET [a-z")};
    const char *message = NULL;
    assert_int_equal(fg_predicate_check(&leaf, &arena, &message), FG_EINVALID);
    assert_non_null(strstr(message, "at character 8"));
    assert_non_null(strstr(message, "terminating ]"));
    /* Where the arena is full the sentence is shorter. */
    struct fg_arena full;
    fg_arena_init(&full, 0);
    assert_int_equal(fg_predicate_check(&leaf, &full, &message), FG_EINVALID);
    assert_non_null(strstr(message, "regular expression"));
    fg_arena_free(&full);
    leaf.string = FG_SLICE("\\C"); /* half a character */
    assert_int_equal(check(&leaf), FG_EINVALID);
    leaf.string = FG_SLICE("\xff");
    assert_int_equal(check(&leaf), FG_EINVALID);
    leaf.string = FG_SLICE("");
    assert_int_equal(check(&leaf), 0);
    uint8_t *longest = calloc(1, FG_REGEX_SIZE_MAX + 1);
    assert_non_null(longest);
    memset(longest, 'a', FG_REGEX_SIZE_MAX + 1);
    leaf.string = fg_slice(longest, FG_REGEX_SIZE_MAX);
    assert_int_equal(check(&leaf), 0);
    leaf.string.size++;
    assert_int_equal(check(&leaf), FG_EINVALID);
    free(longest);
    /* What would take gigabytes to compile. */
    leaf.string = FG_SLICE("((((a{1000}){1000}){1000}){1000})");
    assert_int_equal(check(&leaf), FG_EINVALID);
}

static void columns_are_what_is_read(void **state)
{
    (void)state;
    static const uint32_t expected[] = {
        [FG_FIELD_SERVICE] = FG_COLUMNS_RESOURCE,
        [FG_FIELD_NAME] = FG_COLUMNS_NAME,
        [FG_FIELD_KIND] = FG_COLUMNS_STATUS,
        [FG_FIELD_STATUS] = FG_COLUMNS_STATUS,
        [FG_FIELD_STATUS_MESSAGE] = FG_COLUMNS_STATUS,
        [FG_FIELD_START] = FG_COLUMNS_TIMES,
        [FG_FIELD_DURATION] = FG_COLUMNS_TIMES,
        [FG_FIELD_OPEN] = FG_COLUMNS_TIMES,
        [FG_FIELD_ROOT] = FG_COLUMNS_IDS,
        [FG_FIELD_TRACE_ID] = FG_COLUMNS_IDS,
        [FG_FIELD_SPAN_ID] = FG_COLUMNS_IDS,
        [FG_FIELD_PARENT_SPAN_ID] = FG_COLUMNS_IDS,
        [FG_FIELD_SCOPE_NAME] = FG_COLUMNS_SCOPE,
        [FG_FIELD_SCOPE_VERSION] = FG_COLUMNS_SCOPE,
        [FG_FIELD_EVENT_NAME] = FG_COLUMNS_EVENTS,
        [FG_FIELD_MARKS] = FG_COLUMNS_MISC,
        [FG_FIELD_ATTR_SPAN] = FG_COLUMNS_SPAN_ATTRS,
        [FG_FIELD_ATTR_RESOURCE] = FG_COLUMNS_RESOURCE,
        [FG_FIELD_ATTR_SCOPE] = FG_COLUMNS_SCOPE,
        [FG_FIELD_ATTR_EVENT] = FG_COLUMNS_EVENTS,
        [FG_FIELD_ATTR_LINK] = FG_COLUMNS_LINKS,
        [FG_FIELD_ATTR_ANY] = FG_COLUMNS_SPAN_ATTRS | FG_COLUMNS_RESOURCE,
    };
    for (int field = 0; field <= FG_FIELD_ATTR_ANY; field++) {
        const struct fg_predicate leaf = {
            .op = FG_PRED_EQ, .field = (enum fg_field)field, .key = FG_SLICE("a")};
        const struct fg_predicate other = {
            .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_LINK, .key = FG_SLICE("b")};
        const struct fg_predicate *children[] = {&leaf, &other};
        const struct fg_predicate either = {
            .op = FG_PRED_OR, .child_count = 2, .children = children};
        const struct fg_predicate *inner = &either;
        const struct fg_predicate tree = {.op = FG_PRED_NOT, .child_count = 1, .children = &inner};
        assert_int_equal(fg_predicate_columns(&leaf), expected[field]);
        assert_int_equal(fg_predicate_columns(&tree), expected[field] | FG_COLUMNS_LINKS);
        bool is_span_key = field == FG_FIELD_ATTR_SPAN || field == FG_FIELD_ATTR_ANY;
        assert_int_equal(fg_predicate_uses_key(&tree, FG_SLICE("a")), is_span_key);
        assert_false(fg_predicate_uses_key(&tree, FG_SLICE("b")));
        assert_false(fg_predicate_uses_key(&tree, FG_SLICE("aa")));
    }
    const struct fg_predicate always = {.op = FG_PRED_TRUE};
    assert_int_equal(fg_predicate_columns(&always), 0);
    assert_false(fg_predicate_uses_key(&always, FG_SLICE("")));
}

/* -- Numbers. A long double of x86 holds every int64_t, uint64_t and double exactly. */

static bool naive(enum fg_predicate_op op, long double a, long double b)
{
    switch (op) {
    case FG_PRED_EQ:
        return a == b;
    case FG_PRED_NE:
        return a < b || a > b;
    case FG_PRED_LT:
        return a < b;
    case FG_PRED_LE:
        return a <= b;
    case FG_PRED_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static const double doubles[] = {0.0,
                                 -0.0,
                                 0.5,
                                 -0.5,
                                 1,
                                 -1,
                                 1.5,
                                 4503599627370496.5,
                                 9007199254740991,
                                 9007199254740992,
                                 9007199254740994,
                                 9223372036854774784.0,
                                 9223372036854775808.0,
                                 -9223372036854775808.0,
                                 -9223372036854777856.0,
                                 18446744073709549568.0,
                                 18446744073709551616.0,
                                 1e300,
                                 -1e300,
                                 5e-324,
                                 INFINITY,
                                 -INFINITY,
                                 NAN};
static const int64_t integers[] = {0,
                                   1,
                                   -1,
                                   2,
                                   4503599627370496,
                                   4503599627370497,
                                   9007199254740991,
                                   9007199254740992,
                                   9007199254740993,
                                   9007199254740994,
                                   INT64_MAX,
                                   INT64_MAX - 1,
                                   INT64_MAX - 1023,
                                   INT64_MIN,
                                   INT64_MIN + 1};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void try_pair(int64_t integer, double number, uint64_t natural)
{
    for (size_t i = 0; i < COUNT(comparisons); i++) {
        enum fg_predicate_op op = comparisons[i];
        struct fg_predicate with_int = {.op = op, .type = FG_VALUE_INT, .integer = integer};
        struct fg_predicate with_double = {.op = op, .type = FG_VALUE_DOUBLE, .number = number};
        struct fg_number_test ints = fg_number_test_of(&with_int);
        struct fg_number_test reals = fg_number_test_of(&with_double);
        struct fg_number_range int_range = fg_number_test_range(&ints);
        struct fg_number_range real_range = fg_number_test_range(&reals);
        assert_int_equal(fg_number_test_double(&ints, number),
                         naive(op, (long double)number, (long double)integer));
        assert_int_equal(fg_number_test_int(&reals, integer),
                         naive(op, (long double)integer, (long double)number));
        assert_int_equal(fg_number_test_double(&reals, (double)integer),
                         naive(op, (long double)(double)integer, (long double)number));
        assert_int_equal(fg_number_test_int(&ints, (int64_t)natural),
                         naive(op, (long double)(int64_t)natural, (long double)integer));
        assert_int_equal(fg_number_range_has(&int_range, natural),
                         naive(op, (long double)natural, (long double)integer));
        assert_int_equal(fg_number_range_has(&real_range, natural),
                         naive(op, (long double)natural, (long double)number));
    }
}

static void numbers_compare_by_their_exact_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(doubles); i++)
        for (size_t j = 0; j < COUNT(integers); j++)
            for (size_t k = 0; k < COUNT(integers); k++)
                try_pair(integers[j], doubles[i], (uint64_t)integers[k]);
    struct test_random random = {.state = 3};
    for (int i = 0; i < 30000; i++) {
        uint64_t bits = test_random_u64(&random);
        int64_t integer = (int64_t)(test_random_u64(&random) >> test_random_below(&random, 64));
        double number;
        memcpy(&number, &bits, sizeof number);
        if (test_random_chance(&random, 70)) /* near the integer */
            number = (double)integer + (double)test_random_below(&random, 5) - 2.5;
        try_pair(integer, number, (uint64_t)integer + test_random_below(&random, 3) - 1);
    }
}

static int free_arena(void **state)
{
    (void)state;
    fg_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_suit_their_field),
        cmocka_unit_test(trees_that_make_no_sense_are_refused),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(wrong_patterns_are_told),
        cmocka_unit_test(columns_are_what_is_read),
        cmocka_unit_test(numbers_compare_by_their_exact_values),
    };
    fg_arena_init(&arena, 1 << 20);
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
