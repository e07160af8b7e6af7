#include "text_test.h"

#include <stdlib.h>

int fg_text_test_init(struct fg_text_test *test, enum fg_predicate_op op, struct fg_slice operand,
                      bool empty_is_absent)
{
    *test = (struct fg_text_test){.op = op, .operand = operand, .empty_is_absent = empty_is_absent};
    return op == FG_PRED_REGEX ? fg_regex_new(operand, NULL, NULL, &test->regex) : 0;
}

void fg_text_test_free(struct fg_text_test *test)
{
    fg_regex_free(test->regex);
    free(test->known);
    *test = (struct fg_text_test){0};
}

/* Strings of [begin, end) that equal the operand are added to the count. */
static void find_equal(const struct fg_text_test *test, uint32_t begin, uint32_t end,
                       uint32_t *count, uint32_t *id)
{
    const struct fg_slice *strings = test->batch->strings;
    size_t size = test->operand.size;
    for (uint32_t i = begin; i < end; i++) {
        if (strings[i].size != size || !fg_slice_equal(strings[i], test->operand))
            continue;
        (*count)++;
        *id = i;
    }
}

static int reserve(struct fg_text_test *test, uint32_t string_count)
{
    if (string_count <= test->known_capacity)
        return 0;
    uint8_t *known = realloc(test->known, string_count);
    if (!known)
        return FG_ENOMEM;
    test->known = known;
    test->known_capacity = string_count;
    return 0;
}

/* The stable strings up to kept have been looked at before. */
static void bind_equal(struct fg_text_test *test, uint32_t kept, uint32_t stable)
{
    /* The count goes up to the old stable count: of no use when there are fewer now. */
    if (kept < test->stable_count) {
        kept = 0;
        test->stable_equal_count = 0;
    }
    find_equal(test, kept, stable, &test->stable_equal_count, &test->stable_equal_id);
    test->equal_count = test->stable_equal_count;
    test->equal_id = test->stable_equal_id;
    find_equal(test, stable, test->batch->string_count, &test->equal_count, &test->equal_id);
}

int fg_text_test_bind(struct fg_text_test *test, const struct fg_batch *batch)
{
    int r = reserve(test, batch->string_count);
    if (r < 0)
        return r;
    bool is_kept = batch->string_epoch != 0 && batch->string_epoch == test->string_epoch;
    uint32_t stable = batch->string_epoch ? batch->stable_string_count : 0;
    uint32_t kept = 0;
    if (is_kept)
        kept = stable < test->stable_count ? stable : test->stable_count;
    test->batch = batch;
    if (test->op == FG_PRED_EQ) {
        bind_equal(test, kept, stable);
        kept = 0; /* rarely asked: only when a string is there twice */
    }
    if (!fg_text_test_is_plain(test) && batch->string_count)
        memset(test->known + kept, 0, batch->string_count - kept);
    test->string_epoch = batch->string_epoch;
    test->stable_count = stable;
    return 0;
}

static int evaluate(struct fg_text_test *test, struct fg_slice text, bool *ret_matches)
{
    int order;
    if (test->empty_is_absent && text.size == 0 && test->op != FG_PRED_EQ) {
        *ret_matches = false;
        return 0;
    }
    switch (test->op) {
    case FG_PRED_EQ:
        *ret_matches = fg_slice_equal(text, test->operand);
        return 0;
    case FG_PRED_NE:
        *ret_matches = !fg_slice_equal(text, test->operand);
        return 0;
    case FG_PRED_REGEX:
        return fg_regex_match(test->regex, text, ret_matches);
    case FG_PRED_EXISTS:
        *ret_matches = true;
        return 0;
    default:
        break;
    }
    order = fg_slice_compare(text, test->operand);
    *ret_matches = test->op == FG_PRED_LT   ? order < 0
                   : test->op == FG_PRED_LE ? order <= 0
                   : test->op == FG_PRED_GT ? order > 0
                                            : order >= 0;
    return 0;
}

int fg_text_test_learn(struct fg_text_test *test, uint32_t id, bool *ret_matches)
{
    int r = evaluate(test, test->batch->strings[id], ret_matches);
    if (r == 0)
        test->known[id] = (uint8_t)(1 + *ret_matches);
    return r;
}
