/* Columns are compared 64 rows at a time into bytes, which the compiler makes vectors of, and the
 * bytes are packed into a word. What resources, scopes and strings say is remembered by id.
 * Attributes of one key are found by going along the flat array of keys of 64 rows; where few rows
 * are still in question only theirs are looked at. */
#include "matcher_leaf.h"

#include <stdlib.h>

/* Below so many rows of 64 each row's attributes are visited by itself. */
#define SPARSE_ROWS_MAX 12

/* -- Making */

static bool is_string_field(enum fg_field field)
{
    return field == FG_FIELD_SERVICE || field == FG_FIELD_NAME ||
           field == FG_FIELD_STATUS_MESSAGE || field == FG_FIELD_SCOPE_NAME ||
           field == FG_FIELD_SCOPE_VERSION || field == FG_FIELD_EVENT_NAME;
}

static bool is_attribute(enum fg_field field)
{
    return field >= FG_FIELD_ATTR_SPAN;
}

static bool has_text(const struct fg_predicate *predicate)
{
    if (predicate->op == FG_PRED_EXISTS)
        return is_string_field(predicate->field);
    return predicate->type == FG_VALUE_STRING &&
           (is_string_field(predicate->field) || is_attribute(predicate->field));
}

static bool has_number(const struct fg_predicate *predicate)
{
    return predicate->op != FG_PRED_EXISTS &&
           (predicate->type == FG_VALUE_INT || predicate->type == FG_VALUE_DOUBLE);
}

int fg_matcher_leaf_init(struct fg_matcher_leaf *leaf, const struct fg_predicate *predicate)
{
    *leaf = (struct fg_matcher_leaf){.predicate = predicate};
    int r = 0;
    if (is_attribute(predicate->field))
        r = fg_text_test_init(&leaf->key, FG_PRED_EQ, predicate->key, false);
    if (r == 0 && has_text(predicate)) {
        struct fg_slice operand =
            predicate->op == FG_PRED_EXISTS ? fg_slice(NULL, 0) : predicate->string;
        r = fg_text_test_init(&leaf->text, predicate->op, operand,
                              is_string_field(predicate->field));
    }
    if (r == 0 && has_number(predicate)) {
        leaf->number = fg_number_test_of(predicate);
        leaf->range = fg_number_test_range(&leaf->number);
        for (uint32_t i = 0; i < 256; i++)
            leaf->bytes[i] = fg_number_range_has(&leaf->range, i);
    }
    return r;
}

void fg_matcher_leaf_free(struct fg_matcher_leaf *leaf)
{
    fg_text_test_free(&leaf->text);
    fg_text_test_free(&leaf->key);
    free(leaf->known);
}

uint32_t fg_matcher_leaf_cost(const struct fg_predicate *predicate)
{
    uint32_t cost = 1;
    if (predicate->field == FG_FIELD_ATTR_SPAN || predicate->field == FG_FIELD_ATTR_ANY)
        cost = 4;
    if (predicate->field == FG_FIELD_ATTR_EVENT || predicate->field == FG_FIELD_ATTR_LINK ||
        predicate->field == FG_FIELD_EVENT_NAME)
        cost = 2;
    if (predicate->op == FG_PRED_REGEX)
        cost += 20;
    return cost;
}

/* -- Binding */

static uint32_t shared_count(enum fg_field field, const struct fg_batch *batch)
{
    switch (field) {
    case FG_FIELD_SERVICE:
    case FG_FIELD_ATTR_RESOURCE:
    case FG_FIELD_ATTR_ANY:
        return batch->resource_count;
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_ATTR_SCOPE:
        return batch->scope_count;
    default:
        return 0;
    }
}

int fg_matcher_leaf_bind(struct fg_matcher_leaf *leaf, const struct fg_batch *batch)
{
    const struct fg_predicate *predicate = leaf->predicate;
    uint32_t count = shared_count(predicate->field, batch);
    if (count > leaf->known_capacity) {
        uint8_t *known = realloc(leaf->known, count);
        if (!known)
            return FG_ENOMEM;
        leaf->known = known;
        leaf->known_capacity = count;
    }
    if (count)
        memset(leaf->known, 0, count);
    int r = is_attribute(predicate->field) ? fg_text_test_bind(&leaf->key, batch) : 0;
    if (r == 0 && has_text(predicate))
        r = fg_text_test_bind(&leaf->text, batch);
    return r;
}

/* -- Bits */

/* Byte i of flags, 0 or 1, becomes bit i: the product brings bit i of each eight to the top byte,
 * and no sum on the way carries. */
static inline uint64_t pack(const uint8_t flags[64])
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t eight;
        memcpy(&eight, flags + 8 * i, sizeof eight);
        word |= (eight * UINT64_C(0x0102040810204080) >> 56) << (8 * i);
    }
    return word;
}

static inline uint32_t rows_of_word(const struct fg_matcher_rows *rows, uint32_t word)
{
    uint32_t left = rows->count - word * 64;
    return left < 64 ? left : 64;
}

/* For each word that mask has bits in: a condition on row, for all of its rows. */
#define FOR_ROWS(condition)                                                                        \
    for (uint32_t word = 0; word < rows->word_count; word++) {                                     \
        if (mask[word] == 0) {                                                                     \
            bits[word] = 0;                                                                        \
            continue;                                                                              \
        }                                                                                          \
        uint8_t flags[64] = {0};                                                                   \
        uint32_t first = rows->begin + word * 64, count = rows_of_word(rows, word);                \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t row = first + i;                                                              \
            flags[i] = (condition);                                                                \
        }                                                                                          \
        bits[word] = mask[word] & pack(flags);                                                     \
    }

/* Every row alike. */
static void all(const struct fg_matcher_rows *rows, bool matches, const uint64_t *mask,
                uint64_t *bits)
{
    for (uint32_t word = 0; word < rows->word_count; word++)
        bits[word] = matches ? mask[word] : 0;
}

/* A condition that is asked for the rows of mask only, and may fail. */
typedef int (*row_fn)(struct fg_matcher_leaf *leaf, const struct fg_batch *batch, uint32_t row,
                      bool *ret_matches);

static inline int for_mask(struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                           const uint64_t *mask, uint64_t *bits, row_fn fn)
{
    for (uint32_t word = 0; word < rows->word_count; word++) {
        uint64_t found = 0;
        for (uint64_t left = mask[word]; left; left &= left - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(left);
            bool matches;
            int r = fn(leaf, rows->batch, rows->begin + word * 64 + bit, &matches);
            if (r < 0)
                return r;
            found |= (uint64_t)matches << bit;
        }
        bits[word] = found;
    }
    return 0;
}

/* -- Columns of numbers */

static void run_bytes(const uint8_t *column, const bool *matches,
                      const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    if (!column)
        all(rows, matches[0], mask, bits);
    else
        FOR_ROWS(matches[column[row]]);
}

static void run_start(const struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                      const uint64_t *mask, uint64_t *bits)
{
    const struct fg_number_range range = leaf->range;
    const uint64_t *start_ns = rows->batch->start_ns;
    if (!start_ns)
        all(rows, fg_number_range_has(&range, 0), mask, bits);
    else
        FOR_ROWS(fg_number_range_has(&range, start_ns[row]));
}

static void run_duration(const struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                         const uint64_t *mask, uint64_t *bits)
{
    const struct fg_number_range range = leaf->range;
    const uint64_t *start_ns = rows->batch->start_ns, *end_ns = rows->batch->end_ns;
    if (!start_ns || !end_ns)
        all(rows, fg_number_range_has(&range, 0), mask, bits);
    else /* an open span's end is 0, and so never after its start */
        FOR_ROWS(fg_number_range_has(
            &range, end_ns[row] > start_ns[row] ? end_ns[row] - start_ns[row] : 0));
}

static void run_id(const uint64_t *column, uint64_t id, const struct fg_matcher_rows *rows,
                   const uint64_t *mask, uint64_t *bits)
{
    if (!column)
        all(rows, id == 0, mask, bits);
    else
        FOR_ROWS(column[row] == id);
}

/* Whether the column is 0, as a truth value, compares with the operand. */
static void run_is_zero(const struct fg_matcher_leaf *leaf, const uint64_t *column,
                        const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    const struct fg_predicate *predicate = leaf->predicate;
    bool wanted = predicate->boolean != (predicate->op == FG_PRED_NE);
    if (predicate->op == FG_PRED_EXISTS)
        all(rows, true, mask, bits);
    else if (!column)
        all(rows, wanted, mask, bits);
    else
        FOR_ROWS((column[row] == 0) == wanted);
}

static void run_marks(const struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                      const uint64_t *mask, uint64_t *bits)
{
    const uint16_t *marks = rows->batch->marks;
    int64_t operand = leaf->predicate->integer;
    if (leaf->predicate->op == FG_PRED_EXISTS) {
        if (!marks)
            all(rows, false, mask, bits);
        else
            FOR_ROWS(marks[row] != 0);
        return;
    }
    if (operand < 0 || operand > UINT16_MAX || !marks) {
        all(rows, operand == 0, mask, bits);
        return;
    }
    uint16_t wanted = (uint16_t)operand;
    FOR_ROWS((marks[row] & wanted) == wanted);
}

/* -- Columns of strings */

static int name_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch, uint32_t row,
                        bool *ret_matches)
{
    return fg_text_test_id(&leaf->text, batch->name[row], ret_matches);
}

static int message_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch, uint32_t row,
                           bool *ret_matches)
{
    return fg_text_test_id(&leaf->text, batch->status_message[row], ret_matches);
}

static int run_text(struct fg_matcher_leaf *leaf, const uint32_t *column, row_fn fn,
                    const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    bool matches = false;
    if (!column) {
        int r = fg_text_test_id(&leaf->text, 0, &matches);
        all(rows, matches, mask, bits);
        return r;
    }
    if (!fg_text_test_is_plain(&leaf->text))
        return for_mask(leaf, rows, mask, bits, fn);
    uint32_t id = leaf->text.equal_id;
    if (leaf->text.equal_count == 0)
        all(rows, false, mask, bits);
    else
        FOR_ROWS(column[row] == id);
    return 0;
}

static int event_name_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch,
                              uint32_t row, bool *ret_matches)
{
    *ret_matches = false;
    for (uint32_t i = batch->event_begin[row]; i < batch->event_begin[row + 1]; i++) {
        int r = fg_text_test_id(&leaf->text, batch->event_name[i], ret_matches);
        if (r < 0 || *ret_matches)
            return r;
    }
    return 0;
}

/* -- Attributes */

static int value_matches(struct fg_matcher_leaf *leaf, uint8_t type, uint64_t value,
                         bool *ret_matches)
{
    const struct fg_predicate *predicate = leaf->predicate;
    double number;
    *ret_matches = predicate->op == FG_PRED_EXISTS;
    if (*ret_matches)
        return 0;
    switch (predicate->type) {
    case FG_VALUE_STRING:
        return type == FG_VALUE_STRING ? fg_text_test_id(&leaf->text, (uint32_t)value, ret_matches)
                                       : 0;
    case FG_VALUE_BOOL:
        *ret_matches = type == FG_VALUE_BOOL &&
                       ((value != 0) == predicate->boolean) == (predicate->op == FG_PRED_EQ);
        return 0;
    default:
        break;
    }
    if (type == FG_VALUE_INT)
        *ret_matches = fg_number_test_int(&leaf->number, (int64_t)value);
    if (type == FG_VALUE_DOUBLE) {
        memcpy(&number, &value, sizeof number);
        *ret_matches = fg_number_test_double(&leaf->number, number);
    }
    return 0;
}

/* Any attribute of [begin, end) with the key. */
static int any_attr_matches(struct fg_matcher_leaf *leaf, const struct fg_attrs *attrs,
                            uint32_t begin, uint32_t end, bool *ret_matches)
{
    *ret_matches = false;
    for (uint32_t i = begin; i < end; i++) {
        bool is_key;
        int r = fg_text_test_id(&leaf->key, attrs->key[i], &is_key);
        if (r == 0 && is_key)
            r = value_matches(leaf, attrs->type[i], attrs->value[i], ret_matches);
        if (r < 0 || *ret_matches)
            return r;
    }
    return 0;
}

/* The attributes of a row: those of the span, or of all its events or links, which lie together. */
struct row_attrs {
    const struct fg_attrs *attrs;
    const uint32_t *owner_begin; /* NULL: the row itself is the owner */
};

static inline uint32_t attrs_begin(const struct row_attrs *of, uint32_t row)
{
    return of->attrs->begin[of->owner_begin ? of->owner_begin[row] : row];
}

static int run_word_sparse(struct fg_matcher_leaf *leaf, const struct row_attrs *of,
                           uint32_t first_row, uint64_t mask, uint64_t *ret_bits)
{
    uint64_t found = 0;
    for (uint64_t left = mask; left; left &= left - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(left);
        bool matches;
        int r = any_attr_matches(leaf, of->attrs, attrs_begin(of, first_row + bit),
                                 attrs_begin(of, first_row + bit + 1), &matches);
        if (r < 0)
            return r;
        found |= (uint64_t)matches << bit;
    }
    *ret_bits = found;
    return 0;
}

/* With one id for the key: its places first, then whose they are. */
static int run_word_flat(struct fg_matcher_leaf *leaf, const struct row_attrs *of,
                         uint32_t first_row, uint32_t row_count, uint64_t mask, uint64_t *ret_bits)
{
    const struct fg_attrs *attrs = of->attrs;
    uint32_t key = leaf->key.equal_id, bit = 0;
    uint32_t at = attrs_begin(of, first_row), end = attrs_begin(of, first_row + row_count);
    uint64_t found = 0;
    for (;; at++) {
        while (at < end && attrs->key[at] != key)
            at++;
        if (at == end)
            break;
        while (attrs_begin(of, first_row + bit + 1) <= at)
            bit++;
        if ((mask >> bit & 1) == 0)
            continue;
        bool matches;
        int r = value_matches(leaf, attrs->type[at], attrs->value[at], &matches);
        if (r < 0)
            return r;
        found |= (uint64_t)matches << bit;
    }
    *ret_bits = found;
    return 0;
}

static int run_attrs(struct fg_matcher_leaf *leaf, const struct row_attrs *of,
                     const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    bool is_plain = fg_text_test_is_plain(&leaf->key);
    if (!of->attrs->begin || (is_plain && leaf->key.equal_count == 0)) {
        all(rows, false, mask, bits);
        return 0;
    }
    int r = 0;
    for (uint32_t word = 0; r == 0 && word < rows->word_count; word++) {
        uint32_t first = rows->begin + word * 64;
        if (!is_plain || __builtin_popcountll(mask[word]) <= SPARSE_ROWS_MAX)
            r = run_word_sparse(leaf, of, first, mask[word], &bits[word]);
        else
            r = run_word_flat(leaf, of, first, rows_of_word(rows, word), mask[word], &bits[word]);
    }
    return r;
}

/* Events and links alike; begin is NULL where there are none. */
static int run_inner_attrs(struct fg_matcher_leaf *leaf, const struct fg_attrs *attrs,
                           const uint32_t *begin, const struct fg_matcher_rows *rows,
                           const uint64_t *mask, uint64_t *bits)
{
    if (!begin) {
        all(rows, false, mask, bits);
        return 0;
    }
    struct row_attrs of = {.attrs = attrs, .owner_begin = begin};
    return run_attrs(leaf, &of, rows, mask, bits);
}

/* -- Resources and scopes */

static int shared_learn(struct fg_matcher_leaf *leaf, const struct fg_batch *batch, uint32_t id,
                        bool *ret_matches)
{
    const struct fg_attrs *attrs = &batch->resource_attrs;
    uint32_t begin, end;
    switch (leaf->predicate->field) {
    case FG_FIELD_SERVICE:
        return fg_text_test_id(&leaf->text, fg_column_u32(batch->resource_service, id),
                               ret_matches);
    case FG_FIELD_SCOPE_NAME:
        return fg_text_test_id(&leaf->text, fg_column_u32(batch->scope_name, id), ret_matches);
    case FG_FIELD_SCOPE_VERSION:
        return fg_text_test_id(&leaf->text, fg_column_u32(batch->scope_version, id), ret_matches);
    case FG_FIELD_ATTR_SCOPE:
        attrs = &batch->scope_attrs;
        break;
    default:
        break;
    }
    fg_attrs_range(attrs, id, &begin, &end);
    return any_attr_matches(leaf, attrs, begin, end, ret_matches);
}

static inline int shared_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch,
                                 uint32_t id, bool *ret_matches)
{
    if (leaf->known[id]) {
        *ret_matches = leaf->known[id] - 1;
        return 0;
    }
    int r = shared_learn(leaf, batch, id, ret_matches);
    if (r == 0)
        leaf->known[id] = (uint8_t)(1 + *ret_matches);
    return r;
}

static int resource_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch,
                            uint32_t row, bool *ret_matches)
{
    return shared_matches(leaf, batch, batch->resource[row], ret_matches);
}

static int scope_matches(struct fg_matcher_leaf *leaf, const struct fg_batch *batch, uint32_t row,
                         bool *ret_matches)
{
    return shared_matches(leaf, batch, batch->scope[row], ret_matches);
}

/* A column that was not decoded is 0 for every row. */
static int run_shared(struct fg_matcher_leaf *leaf, const uint32_t *column, row_fn fn,
                      const struct fg_matcher_rows *rows, const uint64_t *mask, uint64_t *bits)
{
    if (column)
        return for_mask(leaf, rows, mask, bits, fn);
    bool matches = false;
    int r = 0;
    if (shared_count(leaf->predicate->field, rows->batch))
        r = shared_matches(leaf, rows->batch, 0, &matches);
    all(rows, matches, mask, bits);
    return r;
}

/* The span's own, then for the rows where that did not match the resource's. */
static int run_any(struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                   const uint64_t *mask, uint64_t *bits)
{
    struct row_attrs of = {.attrs = &rows->batch->span_attrs};
    uint64_t own[FG_MATCHER_WORDS], rest[FG_MATCHER_WORDS];
    int r = run_attrs(leaf, &of, rows, mask, own);
    if (r < 0)
        return r;
    for (uint32_t word = 0; word < rows->word_count; word++)
        rest[word] = mask[word] & ~own[word];
    r = run_shared(leaf, rows->batch->resource, resource_matches, rows, rest, bits);
    for (uint32_t word = 0; r == 0 && word < rows->word_count; word++)
        bits[word] |= own[word];
    return r;
}

/* -- All fields */

static int run_number(struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                      const uint64_t *mask, uint64_t *bits)
{
    if (leaf->predicate->op == FG_PRED_EXISTS)
        all(rows, true, mask, bits);
    else if (leaf->predicate->field == FG_FIELD_KIND)
        run_bytes(rows->batch->kind, leaf->bytes, rows, mask, bits);
    else if (leaf->predicate->field == FG_FIELD_STATUS)
        run_bytes(rows->batch->status, leaf->bytes, rows, mask, bits);
    else if (leaf->predicate->field == FG_FIELD_START)
        run_start(leaf, rows, mask, bits);
    else
        run_duration(leaf, rows, mask, bits);
    return 0;
}

static int run_trace_id(const struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                        const uint64_t *mask, uint64_t *bits)
{
    run_id(rows->batch->trace_id_low, leaf->predicate->trace_id.low, rows, mask, bits);
    run_id(rows->batch->trace_id_high, leaf->predicate->trace_id.high, rows, bits, bits);
    return 0;
}

int fg_matcher_leaf_run(struct fg_matcher_leaf *leaf, const struct fg_matcher_rows *rows,
                        const uint64_t *mask, uint64_t *bits)
{
    const struct fg_batch *batch = rows->batch;
    const struct fg_predicate *predicate = leaf->predicate;
    struct row_attrs of = {.attrs = &batch->span_attrs};
    switch (predicate->field) {
    case FG_FIELD_SERVICE:
    case FG_FIELD_ATTR_RESOURCE:
        return run_shared(leaf, batch->resource, resource_matches, rows, mask, bits);
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_ATTR_SCOPE:
        return run_shared(leaf, batch->scope, scope_matches, rows, mask, bits);
    case FG_FIELD_NAME:
        return run_text(leaf, batch->name, name_matches, rows, mask, bits);
    case FG_FIELD_STATUS_MESSAGE:
        return run_text(leaf, batch->status_message, message_matches, rows, mask, bits);
    case FG_FIELD_KIND:
    case FG_FIELD_STATUS:
    case FG_FIELD_START:
    case FG_FIELD_DURATION:
        return run_number(leaf, rows, mask, bits);
    case FG_FIELD_OPEN:
        run_is_zero(leaf, batch->end_ns, rows, mask, bits);
        return 0;
    case FG_FIELD_ROOT:
        run_is_zero(leaf, batch->parent_span_id, rows, mask, bits);
        return 0;
    case FG_FIELD_TRACE_ID:
        return run_trace_id(leaf, rows, mask, bits);
    case FG_FIELD_SPAN_ID:
        run_id(batch->span_id, predicate->id, rows, mask, bits);
        return 0;
    case FG_FIELD_PARENT_SPAN_ID:
        run_id(batch->parent_span_id, predicate->id, rows, mask, bits);
        return 0;
    case FG_FIELD_MARKS:
        run_marks(leaf, rows, mask, bits);
        return 0;
    case FG_FIELD_EVENT_NAME:
        if (batch->event_begin)
            return for_mask(leaf, rows, mask, bits, event_name_matches);
        all(rows, false, mask, bits);
        return 0;
    case FG_FIELD_ATTR_SPAN:
        return run_attrs(leaf, &of, rows, mask, bits);
    case FG_FIELD_ATTR_EVENT:
        return run_inner_attrs(leaf, &batch->event_attrs, batch->event_begin, rows, mask, bits);
    case FG_FIELD_ATTR_LINK:
        return run_inner_attrs(leaf, &batch->link_attrs, batch->link_begin, rows, mask, bits);
    case FG_FIELD_ATTR_ANY:
        return run_any(leaf, rows, mask, bits);
    }
    return FG_EINVALID;
}
