/* To compare two records is to wait for four places in memory, and a sort compares each a dozen
 * times. So what tells most of them apart is taken out first, once and with the next ones fetched
 * ahead: the eight bytes behind what all values begin with. */
#include "sorted.h"
#include "warm.h"

#include "base/endian.h"

#include <stdlib.h>

struct item {
    uint64_t digits; /* of the value, the first byte highest */
    uint32_t record, key;
};

static struct fg_slice value_of(const struct fg_record *record)
{
    return fg_slice(record->value, record->value_size);
}

static int compare_items(const void *a, const void *b, void *context)
{
    const struct fg_table *table = context;
    const struct item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->digits != y->digits)
        return x->digits < y->digits ? -1 : 1;
    return fg_slice_compare(value_of(fg_table_record(table, x->record)),
                            value_of(fg_table_record(table, y->record)));
}

/* How many bytes all values begin with alike. */
static size_t common_size(const struct fg_table *table, const uint32_t *records, uint32_t count)
{
    struct fg_slice first = value_of(fg_table_record(table, records[0]));
    size_t size = first.size;
    for (uint32_t i = 1; i < count; i++) {
        fg_table_warm_next(table, records, count, i);
        struct fg_slice value = value_of(fg_table_record(table, records[i]));
        size = value.size < size ? value.size : size;
        if (size > 0 && memcmp(value.data, first.data, size) == 0)
            continue;
        for (size_t at = 0; at < size; at++)
            size = value.data[at] == first.data[at] ? size : at;
    }
    return size;
}

/* What is shorter than eight bytes is filled up with zeros: it never comes after what goes on. */
static uint64_t digits_of(struct fg_slice value, size_t from)
{
    uint8_t bytes[8] = {0};
    size_t size = value.size - from < sizeof bytes ? value.size - from : sizeof bytes;
    if (size > 0)
        memcpy(bytes, value.data + from, size);
    return fg_load_be64(bytes);
}

void fg_table_sort(const struct fg_table *table, uint32_t *records, uint32_t count)
{
    struct item *items = count > 1 ? malloc(count * sizeof *items) : NULL;
    if (!items)
        return;
    size_t from = common_size(table, records, count);
    for (uint32_t i = 0; i < count; i++) {
        fg_table_warm_next(table, records, count, i);
        const struct fg_record *record = fg_table_record(table, records[i]);
        items[i] = (struct item){digits_of(value_of(record), from), records[i], record->key};
    }
    qsort_r(items, count, sizeof *items, compare_items, (void *)(uintptr_t)table);
    for (uint32_t i = 0; i < count; i++)
        records[i] = items[i].record;
    free(items);
}
