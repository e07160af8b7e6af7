/* Per page of a scan values are counted by their id in the page's dictionary, and only then by
 * their text: a page's thousands of rows cost some dozens of look-ups. */
#include "query/complete.h"

#include "base/hash.h"
#include "base/idmap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ENOUGH          1
#define ITEMS_MAX       100000u /* distinct texts that are counted; others are not */
#define TEXT_SIZE_MAX   256u    /* longer values are no help to who types */
#define NUMBER_SIZE_MAX 40

/* What is known of a string of the page at hand. */
struct in_page {
    uint64_t rows;     /* that have it */
    uint32_t last_row; /* and one, so that a row's events count once */
    bool is_key;       /* it is the key whose values are wanted; a page may hold it twice */
};

struct counter {
    const struct fg_complete *complete;
    struct fg_arena *arena;
    struct fg_complete_item *items;
    uint32_t count, capacity;
    struct fg_idmap map; /* hash of (level, type, text) → index into items */
    uint64_t span_count;
    enum fg_complete_cut cut;

    enum fg_field field; /* values: of what */
    struct fg_slice key;
    bool has_key;              /* the page at hand has it */
    struct in_page *of_string; /* by string id of the page at hand */
    uint32_t of_string_capacity;
    int (*page)(struct counter *counter, const struct fg_scan_rows *rows);
};

struct wanted {
    const struct counter *counter;
    struct fg_complete_item item;
};

static bool same_item(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct fg_complete_item *item = &wanted->counter->items[id];
    return item->level == wanted->item.level && item->type == wanted->item.type &&
           fg_slice_equal(item->text, wanted->item.text);
}

static int grow(struct counter *counter)
{
    uint32_t capacity = counter->capacity ? counter->capacity * 2 : 256;
    struct fg_complete_item *items = realloc(counter->items, capacity * sizeof *items);
    if (!items)
        return FG_ENOMEM;
    counter->items = items;
    counter->capacity = capacity;
    return 0;
}

static bool has_prefix(const struct counter *counter, struct fg_slice text)
{
    struct fg_slice prefix = counter->complete->prefix;
    return text.size >= prefix.size &&
           (prefix.size == 0 ||
            strncasecmp((const char *)text.data, (const char *)prefix.data, prefix.size) == 0);
}

/* Adds rows to the item of this text, which is copied where it is new. */
static int add(struct counter *counter, enum fg_field level, uint8_t type, struct fg_slice text,
               uint64_t rows)
{
    struct wanted wanted = {counter, {.text = text, .level = level, .type = type, .count = rows}};
    uint64_t hash = fg_hash_seeded(text, (uint64_t)level << 8 | type);
    uint32_t id;
    if (text.size > TEXT_SIZE_MAX || !has_prefix(counter, text))
        return 0;
    if (counter->count == ITEMS_MAX) {
        if (fg_idmap_find(&counter->map, hash, same_item, &wanted, &id) == 0)
            counter->items[id].count += rows;
        else
            counter->cut = FG_COMPLETE_TEXTS;
        return 0;
    }
    int r = counter->count == counter->capacity ? grow(counter) : 0;
    if (r == 0)
        r = fg_idmap_intern(&counter->map, hash, same_item, &wanted, counter->count, &id);
    if (r < 0)
        return r;
    if (id < counter->count) {
        counter->items[id].count += rows;
        return 0;
    }
    wanted.item.text = fg_arena_copy(counter->arena, text);
    if (text.size && !wanted.item.text.data)
        return FG_ELIMIT;
    counter->items[counter->count++] = wanted.item;
    return 0;
}

/* -- One page's rows, counted by string id */

static int begin_page(struct counter *counter, const struct fg_batch *batch)
{
    if (batch->string_count > counter->of_string_capacity) {
        struct in_page *of_string =
            realloc(counter->of_string, batch->string_count * sizeof *of_string);
        if (!of_string)
            return FG_ENOMEM;
        counter->of_string = of_string;
        counter->of_string_capacity = batch->string_count;
    }
    memset(counter->of_string, 0, batch->string_count * sizeof *counter->of_string);
    counter->has_key = false;
    for (uint32_t id = 1; counter->key.size && id < batch->string_count; id++) {
        counter->of_string[id].is_key = fg_slice_equal(batch->strings[id], counter->key);
        counter->has_key |= counter->of_string[id].is_key;
    }
    return 0;
}

static void count_row(struct counter *counter, uint32_t string, uint32_t row)
{
    struct in_page *in_page = &counter->of_string[string];
    if (in_page->rows && in_page->last_row == row)
        return;
    in_page->rows++;
    in_page->last_row = row;
}

static int end_page(struct counter *counter, const struct fg_batch *batch, enum fg_field level,
                    uint8_t type)
{
    for (uint32_t id = 0; id < batch->string_count; id++) {
        struct in_page *in_page = &counter->of_string[id];
        if (in_page->rows == 0)
            continue;
        int r = add(counter, level, type, batch->strings[id], in_page->rows);
        if (r < 0)
            return r;
        in_page->rows = 0;
    }
    return 0;
}

typedef int (*row_fn)(struct counter *counter, const struct fg_batch *batch, uint32_t row);

static int each_row(struct counter *counter, const struct fg_scan_rows *rows, row_fn fn)
{
    for (uint32_t begin = rows->row_begin; begin < rows->row_end; begin += 64) {
        uint64_t word = rows->bits[(begin - rows->row_begin) / 64];
        for (; word; word &= word - 1) {
            int r = fn(counter, rows->batch, begin + (uint32_t)__builtin_ctzll(word));
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static bool is_cancelled(void *arg)
{
    const struct fg_complete *complete = ((struct counter *)arg)->complete;
    return complete->is_cancelled && complete->is_cancelled(complete->arg);
}

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct counter *counter = arg;
    int r = begin_page(counter, rows->batch);
    for (uint32_t begin = rows->row_begin; begin < rows->row_end; begin += 64)
        counter->span_count +=
            (uint64_t)__builtin_popcountll(rows->bits[(begin - rows->row_begin) / 64]);
    if (r == 0)
        r = counter->page(counter, rows);
    if (r < 0)
        return r;
    if (counter->span_count < counter->complete->spans_max)
        return 0;
    counter->cut = FG_COMPLETE_SPANS;
    return ENOUGH;
}

/* -- Keys */

static void count_keys(struct counter *counter, const struct fg_attrs *attrs, uint32_t owner,
                       uint32_t row)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        count_row(counter, attrs->key[i], row);
}

static int span_keys(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    count_keys(counter, &batch->span_attrs, row, row);
    return 0;
}

static int resource_keys(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    count_keys(counter, &batch->resource_attrs, batch->resource[row], row);
    return 0;
}

static int event_keys(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    for (uint32_t i = batch->event_begin ? batch->event_begin[row] : 0;
         batch->event_begin && i < batch->event_begin[row + 1]; i++)
        count_keys(counter, &batch->event_attrs, i, row);
    return 0;
}

static int link_keys(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    for (uint32_t i = batch->link_begin ? batch->link_begin[row] : 0;
         batch->link_begin && i < batch->link_begin[row + 1]; i++)
        count_keys(counter, &batch->link_attrs, i, row);
    return 0;
}

static int page_of_keys(struct counter *counter, const struct fg_scan_rows *rows)
{
    static const struct {
        enum fg_field level;
        row_fn fn;
    } levels[] = {
        {FG_FIELD_ATTR_SPAN, span_keys},
        {FG_FIELD_ATTR_RESOURCE, resource_keys},
        {FG_FIELD_ATTR_EVENT, event_keys},
        {FG_FIELD_ATTR_LINK, link_keys},
    };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        int r = each_row(counter, rows, levels[i].fn);
        if (r == 0)
            r = end_page(counter, rows->batch, levels[i].level, FG_VALUE_EMPTY);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Values */

/* A value that is no text: counted at once, since there is no id for it. */
static int add_number(struct counter *counter, enum fg_field level, uint8_t type, uint64_t value)
{
    char text[NUMBER_SIZE_MAX];
    double number;
    switch (type) {
    case FG_VALUE_BOOL:
        snprintf(text, sizeof text, "%s", value ? "true" : "false");
        break;
    case FG_VALUE_INT:
        snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
        break;
    case FG_VALUE_DOUBLE:
        memcpy(&number, &value, sizeof number);
        snprintf(text, sizeof text, "%.15g", number);
        break;
    default:
        return 0;
    }
    return add(counter, level, type, fg_slice_from_string(text), 1);
}

static int values_of(struct counter *counter, enum fg_field level, const struct fg_attrs *attrs,
                     uint32_t owner, uint32_t row)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        if (!counter->of_string[attrs->key[i]].is_key)
            continue;
        if (attrs->type[i] == FG_VALUE_STRING)
            count_row(counter, (uint32_t)attrs->value[i], row);
        else
            return add_number(counter, level, attrs->type[i], attrs->value[i]);
    }
    return 0;
}

static int span_values(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    return values_of(counter, FG_FIELD_ATTR_SPAN, &batch->span_attrs, row, row);
}

static int resource_values(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    return values_of(counter, FG_FIELD_ATTR_RESOURCE, &batch->resource_attrs, batch->resource[row],
                     row);
}

static int service_of(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    count_row(counter, batch->resource_service[batch->resource[row]], row);
    return 0;
}

static int name_of(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    count_row(counter, batch->name[row], row);
    return 0;
}

static int page_of_values(struct counter *counter, const struct fg_scan_rows *rows)
{
    int r;
    if (counter->field == FG_FIELD_SERVICE || counter->field == FG_FIELD_NAME) {
        r = each_row(counter, rows, counter->field == FG_FIELD_NAME ? name_of : service_of);
        return r < 0 ? r : end_page(counter, rows->batch, counter->field, FG_VALUE_STRING);
    }
    if (!counter->has_key)
        return 0;
    r = each_row(counter, rows, span_values);
    if (r == 0)
        r = end_page(counter, rows->batch, FG_FIELD_ATTR_SPAN, FG_VALUE_STRING);
    if (r == 0)
        r = each_row(counter, rows, resource_values);
    return r < 0 ? r : end_page(counter, rows->batch, FG_FIELD_ATTR_RESOURCE, FG_VALUE_STRING);
}

/* -- Both */

static int compare_items(const void *a, const void *b)
{
    const struct fg_complete_item *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int order = fg_slice_compare(x->text, y->text);
    return order ? order : (int)x->level - (int)y->level;
}

static int run(struct fg_store *store, struct counter *counter, uint32_t columns,
               const struct fg_predicate *predicate, struct fg_complete_list *ret_list)
{
    const struct fg_complete *complete = counter->complete;
    struct fg_scan scan = {.tenant = complete->tenant,
                           .start_ns_min = complete->start_ns_min,
                           .start_ns_max = complete->start_ns_max,
                           .predicate = predicate,
                           .columns = columns,
                           .bytes_max = complete->bytes_max,
                           .deadline_mono_ns = complete->deadline_mono_ns,
                           .takes_help = true,
                           .is_cancelled = is_cancelled,
                           .rows = take_rows,
                           .arg = counter};
    struct fg_read_stats stats = {0};
    struct fg_complete_list list = {0};
    fg_idmap_init(&counter->map);
    int r = fg_store_scan(store, &scan, &stats);
    bool is_spent = complete->bytes_max && stats.bytes_read > complete->bytes_max;
    if (r == FG_ETIMEOUT)
        counter->cut = FG_COMPLETE_TIME;
    else if (r == FG_ELIMIT && is_spent)
        counter->cut = FG_COMPLETE_BYTES;
    else if (counter->cut == FG_COMPLETE_WHOLE && stats.damaged_pages)
        counter->cut = FG_COMPLETE_DAMAGE;
    if (r == ENOUGH || r == FG_ETIMEOUT || (r == FG_ELIMIT && is_spent))
        r = 0;
    if (r == 0) {
        qsort(counter->items, counter->count, sizeof *counter->items, compare_items);
        list.count = counter->count < complete->count_max ? counter->count : complete->count_max;
        list.items = fg_arena_calloc(counter->arena, list.count, sizeof *list.items);
        r = list.items || list.count == 0 ? 0 : FG_ELIMIT;
    }
    if (r == 0) {
        if (list.count)
            memcpy(list.items, counter->items, list.count * sizeof *list.items);
        list.cut = counter->cut;
        list.span_count = counter->span_count;
        *ret_list = list;
    }
    fg_idmap_free(&counter->map);
    free(counter->items);
    free(counter->of_string);
    return r;
}

int fg_complete_keys(struct fg_store *store, const struct fg_complete *complete,
                     struct fg_arena *arena, struct fg_complete_list *ret_list)
{
    struct counter counter = {.complete = complete, .arena = arena, .page = page_of_keys};
    uint32_t columns =
        FG_COLUMNS_RESOURCE | FG_COLUMNS_SPAN_ATTRS | FG_COLUMNS_EVENTS | FG_COLUMNS_LINKS;
    return run(store, &counter, columns, complete->predicate, ret_list);
}

int fg_complete_values(struct fg_store *store, const struct fg_complete *complete,
                       enum fg_field field, struct fg_slice key, struct fg_arena *arena,
                       struct fg_complete_list *ret_list)
{
    struct counter counter = {
        .complete = complete, .arena = arena, .field = field, .key = key, .page = page_of_values};
    const struct fg_predicate exists = {
        .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_ANY, .key = key};
    const struct fg_predicate *both[] = {&exists, complete->predicate};
    const struct fg_predicate and = {.op = FG_PRED_AND, .child_count = 2, .children = both};
    if (field == FG_FIELD_SERVICE || field == FG_FIELD_NAME)
        return run(store, &counter, FG_COLUMNS_RESOURCE | FG_COLUMNS_NAME, complete->predicate,
                   ret_list);
    return run(store, &counter, FG_COLUMNS_RESOURCE | FG_COLUMNS_SPAN_ATTRS,
               complete->predicate ? &and : &exists, ret_list);
}
