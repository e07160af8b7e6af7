/* The traces of all inputs in the order in which they are poured. Each input brings its own in
 * order already, so what is left is to find those that lie in several, and to merge. */
#include "local/rewrite_input.h"

#include "base/hash.h"

#include <stdlib.h>

/* By start, then id, then input: parts of a trace stand side by side. */
static bool is_in_order(const struct rewrite_part *x, const struct rewrite_part *y)
{
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns;
    if (x->id_high != y->id_high)
        return x->id_high < y->id_high;
    if (x->id_low != y->id_low)
        return x->id_low < y->id_low;
    return x->input <= y->input;
}

/* The parts of a trace get its earliest start. A table of their numbers, at most half full; seed:
 * what senders, who choose ids, can't know. */
static int share_starts(struct rewrite_part *parts, size_t count, uint64_t seed)
{
    size_t slot_count = 1024;
    while (slot_count < 2 * count)
        slot_count *= 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots); /* a number and one; 0: free */
    uint32_t *first = malloc((count + 1) * sizeof *first);
    int r = slots && first && count < UINT32_MAX ? 0 : FG_ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++) {
        size_t at = (size_t)fg_hash_u64(fg_hash_u64(parts[i].id_low ^ seed) ^ parts[i].id_high) &
                    (slot_count - 1);
        while (slots[at] && !rewrite_part_is_same_trace(&parts[slots[at] - 1], &parts[i]))
            at = (at + 1) & (slot_count - 1);
        if (!slots[at])
            slots[at] = (uint32_t)i + 1;
        first[i] = slots[at] - 1;
        if (parts[i].start_ns < parts[first[i]].start_ns)
            parts[first[i]].start_ns = parts[i].start_ns;
    }
    for (size_t i = 0; i < count && r == 0; i++)
        parts[i].start_ns = parts[first[i]].start_ns;
    free(slots);
    free(first);
    return r;
}

/* The parts' numbers in an order. */
struct order {
    const struct rewrite_part *parts;
    uint32_t *numbers;
    size_t count;
};

/* Where the run of parts in order that begins at begin ends. */
static size_t run_end(const struct order *order, size_t begin)
{
    size_t end = begin + 1;
    while (end < order->count &&
           is_in_order(&order->parts[order->numbers[end - 1]], &order->parts[order->numbers[end]]))
        end++;
    return end;
}

static void merge_two(const struct order *from, size_t begin, size_t middle, size_t end,
                      uint32_t *to)
{
    const uint32_t *numbers = from->numbers;
    size_t a = begin, b = middle;
    for (size_t i = begin; i < end; i++)
        to[i] = b == end || (a < middle &&
                             is_in_order(&from->parts[numbers[a]], &from->parts[numbers[b]]))
                    ? numbers[a++]
                    : numbers[b++];
}

/* Merges neighbouring runs until there is one. As many rounds as it takes to halve their number, in
 * the worst case that of the parts, away. *spare: room for as many numbers; the two change places.
 */
static void merge_runs(struct order *order, uint32_t **spare)
{
    while (run_end(order, 0) < order->count) {
        uint32_t *merged = *spare;
        for (size_t begin = 0, end; begin < order->count; begin = end) {
            size_t middle = run_end(order, begin);
            end = middle < order->count ? run_end(order, middle) : middle;
            merge_two(order, begin, middle, end, merged);
        }
        *spare = order->numbers;
        order->numbers = merged;
    }
}

/* Puts each part in its place, cycle by cycle; the numbers become those of the places. */
static void put_in_place(struct rewrite_part *parts, uint32_t *numbers, size_t count)
{
    for (size_t first = 0; first < count; first++) {
        struct rewrite_part kept = parts[first];
        size_t place = first;
        while (numbers[place] != first) {
            size_t from = numbers[place];
            parts[place] = parts[from];
            numbers[place] = (uint32_t)place;
            place = from;
        }
        parts[place] = kept;
        numbers[place] = (uint32_t)place;
    }
}

/* Their numbers are sorted, and not they, which are ten times as large. */
int rewrite_parts_sort(struct rewrite_part *parts, size_t count, uint64_t seed)
{
    if (count == 0)
        return 0;
    int r = share_starts(parts, count, seed);
    if (r < 0)
        return r;
    struct order order = {parts, malloc(count * sizeof *order.numbers), count};
    uint32_t *spare = malloc(count * sizeof *spare);
    r = order.numbers && spare ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        order.numbers[i] = (uint32_t)i;
    if (r == 0) {
        merge_runs(&order, &spare);
        put_in_place(parts, order.numbers, count);
    }
    free(order.numbers);
    free(spare);
    return r;
}
