/* What a column can say of a leaf: by the least and the greatest value, by its filter, and by
 * trying the predicate itself on what its codes stand for or, page by page, on the texts that are a
 * page's own. A page whose texts all fail is never decoded: reading one column of it is a small
 * part of that. Where most pages have a text that matches looking would be work done twice, so it
 * ends. */
#include "local/prune.h"

#include "local/fuse.h"
#include "local/segment_hash.h"

/* Where int64_t and double name the same numbers, and so hash alike. */
#define EXACT_MAX (INT64_C(1) << 53)
/* Looks at pages of a row group before they are judged; they go on while at most one in two finds
 * something. The next row group is another matter: what is looked at depends on nothing else. */
#define LOOKS_MIN 3u

static bool has_codes(const struct fg_group_column *column)
{
    return column->form == FG_FORM_TEXT_CODES || column->form == FG_FORM_BITS_CODES;
}

static bool is_number(const struct fg_group_column *column)
{
    return column->type == FG_VALUE_INT || column->type == FG_VALUE_DOUBLE;
}

/* Whether any value of the column's type can match the leaf. */
static bool meets(const struct fg_prune_leaf *leaf, const struct fg_group_column *column)
{
    const struct fg_predicate *predicate = leaf->predicate;
    if (predicate->op == FG_PRED_EXISTS || column->part != FG_PART_ATTR)
        return true;
    switch (predicate->type) {
    case FG_VALUE_STRING:
        return column->type == FG_VALUE_STRING;
    case FG_VALUE_BOOL:
        return column->type == FG_VALUE_BOOL;
    default:
        return is_number(column);
    }
}

/* -- Filters */

static int ask_fuse(struct fg_pruner *pruner, uint64_t offset, uint64_t size, uint64_t hash,
                    bool *ret_may)
{
    struct fg_loaded loaded;
    struct fg_fuse fuse;
    int r = fg_segment_load(pruner->segment, offset, size, pruner->bytes_read, &loaded);
    if (r == 0) {
        r = fg_fuse_parse(loaded.bytes, &fuse);
        *ret_may = r < 0 || fg_fuse_contains(&fuse, hash);
        fg_loaded_free(pruner->segment, &loaded);
    }
    if (r == FG_ECORRUPT) {
        *ret_may = true; /* a filter that is lost rules nothing out */
        r = 0;
    }
    if (r == 0 && !*ret_may)
        pruner->used_filter = true;
    return r;
}

int fg_prune_in_dictionary(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, bool *ret_may)
{
    const struct fg_predicate *predicate = leaf->predicate;
    *ret_may = true;
    if (predicate->op != FG_PRED_EQ || predicate->type != FG_VALUE_STRING ||
        predicate->string.size == 0)
        return 0;
    if (leaf->in_dictionary < 0) {
        const struct fg_group *group = pruner->group;
        uint64_t offset = fg_group_filters_offset(&pruner->segment->groups[group->number]);
        int r = ask_fuse(pruner, offset, group->dictionary_filter_size, leaf->hash, ret_may);
        if (r < 0)
            return r;
        leaf->in_dictionary = *ret_may;
    }
    *ret_may = leaf->in_dictionary == 1;
    return 0;
}

static int ask_bitmap(struct fg_pruner *pruner, const struct fg_group_column *column,
                      int64_t integer, bool *ret_may)
{
    struct fg_loaded loaded;
    *ret_may = false;
    if (integer < (int64_t)column->min || integer > (int64_t)column->max)
        return 0;
    int r = fg_segment_load(pruner->segment, column->filter_offset, column->filter_size,
                            pruner->bytes_read, &loaded);
    *ret_may = true;
    if (r < 0)
        return r == FG_ECORRUPT ? 0 : r;
    uint64_t bit = (uint64_t)integer - column->min;
    if (bit / 8 < loaded.bytes.size)
        *ret_may = loaded.bytes.data[bit / 8] >> (bit % 8) & 1;
    fg_loaded_free(pruner->segment, &loaded);
    pruner->used_filter |= !*ret_may;
    return 0;
}

/* The operand as an integer that a double could be as well. */
static bool exact_integer(const struct fg_number_test *number, int64_t *ret_integer)
{
    if (!number->is_double) {
        *ret_integer = number->integer;
        return number->integer >= -EXACT_MAX && number->integer <= EXACT_MAX;
    }
    if (!(number->number >= -(double)EXACT_MAX && number->number <= (double)EXACT_MAX))
        return false;
    *ret_integer = (int64_t)number->number;
    return (double)*ret_integer == number->number;
}

static int ask_filter(struct fg_pruner *pruner, const struct fg_prune_leaf *leaf,
                      const struct fg_group_column *column, bool *ret_may)
{
    int64_t integer = 0;
    *ret_may = true;
    if (column->filter_kind == FG_FILTER_NONE || leaf->predicate->op != FG_PRED_EQ)
        return 0;
    bool exact = leaf->has_number && exact_integer(&leaf->number, &integer);
    if (column->filter_kind == FG_FILTER_BITMAP)
        return exact ? ask_bitmap(pruner, column, integer, ret_may) : 0;
    if (leaf->has_number && !exact)
        return 0; /* too large, or no integer: the range must do */
    uint64_t hash = exact ? fg_number_hash((uint64_t)integer, true) : leaf->hash;
    if (!exact && !leaf->has_hash)
        return 0;
    return ask_fuse(pruner, column->filter_offset, column->filter_size, hash, ret_may);
}

/* -- Ranges */

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static bool passes(const struct fg_prune_leaf *leaf, uint8_t type, uint64_t value)
{
    if (type == FG_VALUE_DOUBLE)
        return fg_number_test_double(&leaf->number, double_of(value));
    return fg_number_test_int(&leaf->number, (int64_t)value);
}

/* Whether some, and whether all numbers from min to max pass. */
static void ask_range(const struct fg_prune_leaf *leaf, uint8_t type, uint64_t min, uint64_t max,
                      bool *ret_any, bool *ret_all)
{
    bool low = passes(leaf, type, min), high = passes(leaf, type, max);
    struct fg_prune_leaf below = *leaf, above = *leaf;
    *ret_all = false;
    switch (leaf->predicate->op) {
    case FG_PRED_EQ:
        below.number.op = FG_PRED_LE;
        above.number.op = FG_PRED_GE;
        *ret_any = passes(&below, type, min) && passes(&above, type, max);
        return;
    case FG_PRED_NE:
        *ret_any = true;
        return;
    default:
        *ret_any = low || high;
        *ret_all = low && high;
    }
}

static bool has_range_test(const struct fg_prune_leaf *leaf, const struct fg_group_column *column)
{
    return leaf->has_number && is_number(column) && column->part == FG_PART_ATTR &&
           leaf->predicate->op != FG_PRED_EXISTS;
}

int fg_prune_column_glance(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                           const struct fg_group_column *column, bool *ret_may)
{
    bool all;
    *ret_may = meets(leaf, column);
    if (!*ret_may)
        return 0;
    if (has_range_test(leaf, column))
        ask_range(leaf, column->type, column->min, column->max, ret_may, &all);
    if (!*ret_may)
        return 0;
    if (column->form == FG_FORM_TEXT_CODES)
        return fg_prune_in_dictionary(pruner, leaf, ret_may);
    return ask_filter(pruner, leaf, column, ret_may);
}

/* -- Codes */

int fg_prune_match(struct fg_matcher **matcher, const struct fg_predicate *predicate,
                   const struct fg_batch *batch, uint64_t *bits)
{
    int r = *matcher ? 0 : fg_matcher_new(predicate, matcher);
    if (r == 0)
        r = fg_matcher_bind(*matcher, batch);
    if (r == 0)
        r = fg_matcher_run(*matcher, 0, batch->span_count, bits);
    if (r != FG_ELIMIT)
        return r;
    memset(bits, 0, fg_flags_words(batch->span_count) * sizeof *bits);
    for (uint32_t i = 0; i < batch->span_count; i++)
        fg_flag_set(bits, i);
    return 0;
}

/* Values as rows of which each has one as an attribute or as its name. */
static int batch_of_values(struct fg_arena *arena, const struct fg_group_column *column,
                           uint32_t key_id, const uint64_t *values, uint32_t count,
                           struct fg_batch *batch)
{
    uint32_t *begin = fg_arena_alloc(arena, (count + (size_t)1) * sizeof *begin);
    uint32_t *key = fg_arena_alloc(arena, (count + (size_t)1) * sizeof *key);
    uint8_t *type = fg_arena_alloc(arena, count + (size_t)1);
    if (!begin || !key || !type)
        return FG_ENOMEM;
    bool is_name = column->part != FG_PART_ATTR;
    for (uint32_t i = 0; i < count; i++) {
        begin[i] = i;
        key[i] = is_name ? (uint32_t)values[i] : key_id;
        type[i] = column->type;
    }
    begin[count] = count;
    batch->span_count = count;
    if (is_name)
        batch->name = key;
    else
        batch->span_attrs = (struct fg_attrs){
            .count = count, .begin = begin, .key = key, .type = type, .value = values};
    return 0;
}

static int look_at_codes(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                         const struct fg_group_column *column, struct fg_prune_column *result)
{
    int r = fg_group_load_strings(pruner->group, pruner->codec, pruner->bytes_read);
    if (r == 0)
        r = fg_group_load_shapes(pruner->group, pruner->codec);
    uint32_t count = column->distinct_count, found = 0;
    struct fg_batch batch = {.strings = pruner->group->shared.strings,
                             .string_count = pruner->group->shared.string_count};
    if (r == 0)
        r = batch_of_values(&pruner->arena, column, column->key_id, column->codes, count, &batch);
    if (r < 0)
        return r;
    size_t words = fg_flags_words(count);
    result->codes = fg_arena_calloc(&pruner->arena, words + 1, sizeof *result->codes);
    if (!result->codes)
        return FG_ENOMEM;
    r = fg_prune_match(&leaf->value, &leaf->value_predicate, &batch, result->codes);
    for (size_t i = 0; r == 0 && i < words; i++)
        found += (uint32_t)__builtin_popcountll(result->codes[i]);
    result->any = found > 0;
    result->all = found == count;
    return r;
}

int fg_prune_column_look(struct fg_pruner *pruner, struct fg_prune_leaf *leaf, uint32_t number,
                         struct fg_prune_column *ret_column)
{
    const struct fg_group_column *column = &pruner->group->columns[number];
    struct fg_prune_column result = {.column = number};
    int r = fg_prune_column_glance(pruner, leaf, column, &result.any);
    if (r == 0 && result.any) {
        /* marks, counts and the like stand for themselves: they are there */
        bool attr_exists = leaf->predicate->op == FG_PRED_EXISTS && column->part == FG_PART_ATTR;
        bool text = fg_value_type_is_bytes(column->type);
        if (attr_exists)
            result.all = true;
        else if (has_codes(column) && (column->part == FG_PART_ATTR || text))
            r = look_at_codes(pruner, leaf, column, &result);
        else if (column->form == FG_FORM_TEXT)
            result.has_texts = true;
        else if (has_range_test(leaf, column))
            ask_range(leaf, column->type, column->min, column->max, &result.any, &result.all);
        if (column->has_nan && !attr_exists)
            result.all = false;
    }
    *ret_column = result;
    return r;
}

/* -- A page's own texts */

/* The texts of the column in the page, as strings of a batch, and behind them the key. */
static int read_texts(struct fg_pruner *pruner, const struct fg_group_column *column,
                      const struct fg_chunk *chunk, struct fg_batch *batch)
{
    struct fg_arena *arena = &pruner->text_arena;
    struct fg_slice bytes;
    int r = fg_segment_load_chunk(pruner->segment, chunk, arena, pruner->bytes_read, &bytes);
    if (r < 0)
        return r;
    struct fg_input in = fg_input(bytes);
    uint32_t count = (uint32_t)fg_input_varint_max(&in, FG_SEGMENT_CELLS_MAX);
    struct fg_slice *strings = fg_arena_calloc(arena, count + (size_t)1, sizeof *strings);
    uint64_t *ids = fg_arena_alloc(arena, (count + (size_t)1) * sizeof *ids);
    if (in.error || !strings || !ids)
        return in.error ? in.error : FG_ENOMEM;
    r = fg_text_decode(pruner->codec, &in, count, FG_SEGMENT_TEXT_SIZE_MAX, arena, strings);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = i;
    strings[count] = column->key;
    *batch = (struct fg_batch){.strings = strings, .string_count = count + 1};
    return r < 0 ? r : batch_of_values(arena, column, count, ids, count, batch);
}

/* Read once for all leaves. */
static int texts_of(struct fg_pruner *pruner, uint32_t number, const struct fg_chunk *chunk,
                    const struct fg_batch **ret_batch)
{
    struct fg_batch *batch = pruner->texts[number];
    int r = 0;
    if (!batch) {
        batch = fg_arena_calloc(&pruner->text_arena, 1, sizeof *batch);
        r = batch ? read_texts(pruner, &pruner->group->columns[number], chunk, batch) : FG_ENOMEM;
    }
    if (r < 0)
        return r;
    *ret_batch = pruner->texts[number] = batch;
    return 0;
}

static int look_at_texts(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                         const struct fg_batch *batch, bool *ret_any)
{
    size_t words = fg_flags_words(batch->span_count);
    uint64_t *bits = fg_arena_calloc(&pruner->text_arena, words + 1, sizeof *bits), any = 0;
    if (!bits)
        return FG_ENOMEM;
    int r = fg_prune_match(&leaf->value, &leaf->value_predicate, batch, bits);
    for (size_t i = 0; i < words; i++)
        any |= bits[i];
    *ret_any = any != 0;
    return r;
}

static int ask_texts(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                     struct fg_prune_column *column, const struct fg_chunk *chunk, bool *ret_any)
{
    const struct fg_batch *batch;
    *ret_any = true;
    if (!pruner->reads_texts || chunk->size == 0 ||
        (column->looks >= LOOKS_MIN && column->finds * 2 > column->looks))
        return 0;
    int r = texts_of(pruner, column->column, chunk, &batch);
    if (r == FG_ECORRUPT)
        return 0; /* who reads the page says so */
    if (r == 0)
        r = look_at_texts(pruner, leaf, batch, ret_any);
    column->looks++;
    column->finds += *ret_any;
    return r;
}

int fg_prune_column_page(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                         struct fg_prune_column *column, bool *ret_any)
{
    const struct fg_group_column *info = &pruner->group->columns[column->column];
    const struct fg_chunk *chunk = &pruner->page->chunks[FG_STREAM_COUNT + column->column];
    bool all;
    *ret_any = column->any;
    if (!column->any)
        return 0;
    if (column->has_texts)
        return ask_texts(pruner, leaf, column, chunk, ret_any);
    if (!chunk->has_range || info->level != FG_LEVEL_SPAN)
        return 0;
    if (column->codes) {
        uint64_t code = chunk->min;
        while (code <= chunk->max && code < info->distinct_count &&
               !fg_flag_get(column->codes, (uint32_t)code))
            code++;
        *ret_any = code <= chunk->max && code < info->distinct_count;
        return 0;
    }
    if (info->form == FG_FORM_NUMBERS && has_range_test(leaf, info))
        ask_range(leaf, info->type, chunk->min, chunk->max, ret_any, &all);
    return 0;
}

/* -- Overflow */

int fg_prune_overflow(struct fg_pruner *pruner, const struct fg_prune_leaf *leaf, int level,
                      bool *ret_may)
{
    const struct fg_group *group = pruner->group;
    uint64_t hash = fg_hash(leaf->predicate->key);
    *ret_may = false;
    int r = 0;
    for (uint32_t i = 0; r == 0 && !*ret_may && i < group->column_count; i++) {
        const struct fg_group_column *column = &group->columns[i];
        if (column->level != level || (column->part != FG_PART_OVERFLOW_TEXT_KEY &&
                                       column->part != FG_PART_OVERFLOW_BITS_KEY))
            continue;
        uint64_t offset = column->filter_offset;
        uint32_t size = column->filter_size;
        if (column->form == FG_FORM_TEXT_CODES) {
            offset = fg_group_filters_offset(&pruner->segment->groups[group->number]);
            size = group->dictionary_filter_size;
        }
        r = ask_fuse(pruner, offset, size, hash, ret_may);
    }
    return r;
}
