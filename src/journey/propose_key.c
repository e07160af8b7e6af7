#include "journey/propose_key.h"

#include "base/hash.h"
#include "base/limits.h"
#include "propose_name.h"
#include "span/batch.h"
#include "store/store.h"
#include "watch.h"

#include <stdlib.h>

#define NAME_SIZE_MAX     200u
#define SERVICES_MAX      4096u
#define VALUES_MIN        20u
#define TOP_SHARE_MAX     0.2
#define VALUES_A_TRACE    1.5
#define SEVERAL_SHARE_MIN 0.3
/* One is a group of another where the other names one of it, it has so many of the other, and so
 * large a share of its traces has both. */
#define GROUP_ONE      1.05
#define GROUP_SEVERAL  1.5
#define GROUP_TOGETHER 0.4
#define BYTES_MAX      ((uint64_t)512 << 20)

/* An attribute that a span has. */
struct found {
    uint64_t value, trace; /* hashes */
    uint16_t key;
    uint16_t service;
};

struct key {
    struct fg_slice name;
    bool is_redacted, is_number; /* some value was taken out; all are numbers */
    bool is_out;                 /* by its name: not counted by value */
};

struct reading {
    struct fg_arena *arena;
    struct key keys[FG_PROPOSE_KEYS_MAX];
    uint32_t key_count;
    struct fg_slice services[SERVICES_MAX]; /* more of them are taken for the first */
    uint32_t service_count;
    struct found *found;
    uint64_t *traces; /* of spans, as they come */
    uint32_t found_count, span_count, trace_count;
    uint64_t refused_keys;
    bool is_full;
    uint16_t *key_of; /* scratch: by string id the key and one; 0: not looked up */
    uint32_t key_of_capacity;
};

#define NO_KEY UINT16_MAX

/* -- Reading */

static uint16_t key_number(struct reading *reading, struct fg_slice name)
{
    for (uint32_t i = 0; i < reading->key_count; i++)
        if (fg_slice_equal(reading->keys[i].name, name))
            return (uint16_t)i;
    if (name.size == 0 || name.size > NAME_SIZE_MAX || reading->key_count == FG_PROPOSE_KEYS_MAX) {
        reading->refused_keys++;
        return NO_KEY;
    }
    struct fg_slice copy = fg_arena_copy(reading->arena, name);
    if (!copy.data)
        return NO_KEY;
    reading->keys[reading->key_count] =
        (struct key){.name = copy,
                     .is_number = true,
                     .is_out = fg_key_name_is_well_known(name) || fg_key_name_is_secret(name)};
    return (uint16_t)reading->key_count++;
}

static uint16_t service_number(struct reading *reading, struct fg_slice name)
{
    for (uint32_t i = 0; i < reading->service_count; i++)
        if (fg_slice_equal(reading->services[i], name))
            return (uint16_t)i;
    if (reading->service_count == SERVICES_MAX)
        return 0;
    reading->services[reading->service_count] = fg_arena_copy(reading->arena, name);
    return (uint16_t)reading->service_count++;
}

static bool is_taken_out(struct fg_slice value)
{
    static const char *const marks[] = {"[redacted]", "[hash]", "REDACTED"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (value.size >= strlen(marks[i]) && memcmp(value.data, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

static bool is_number(struct fg_slice value)
{
    size_t digits = 0;
    for (size_t i = 0; i < value.size; i++) {
        bool is_digit = value.data[i] >= '0' && value.data[i] <= '9';
        if (!is_digit && value.data[i] != '.' && value.data[i] != '-')
            return false;
        digits += is_digit;
    }
    return digits > 0;
}

static void take(struct reading *reading, const struct fg_batch *batch, uint32_t attr,
                 uint64_t trace, uint16_t service)
{
    uint32_t string = batch->span_attrs.key[attr];
    if (reading->key_of[string] == 0)
        reading->key_of[string] = (uint16_t)(key_number(reading, batch->strings[string]) + 1);
    uint16_t number = (uint16_t)(reading->key_of[string] - 1);
    uint8_t type = batch->span_attrs.type[attr];
    if (number == NO_KEY || (type != FG_VALUE_STRING && type != FG_VALUE_INT) ||
        reading->keys[number].is_out)
        return;
    struct key *key = &reading->keys[number];
    uint64_t bits = batch->span_attrs.value[attr], hash = fg_hash_u64(bits);
    if (type == FG_VALUE_STRING) {
        struct fg_slice value = batch->strings[bits];
        if (value.size == 0)
            return;
        key->is_redacted |= is_taken_out(value);
        key->is_number = key->is_number && is_number(value);
        hash = fg_hash(value);
    }
    if (reading->found_count == FG_PROPOSE_FOUND_MAX) {
        reading->is_full = true;
        return;
    }
    reading->found[reading->found_count++] = (struct found){hash, trace, number, service};
}

static int bind(struct reading *reading, const struct fg_batch *batch)
{
    if (batch->string_count > reading->key_of_capacity) {
        uint16_t *key_of = realloc(reading->key_of, batch->string_count * sizeof *key_of);
        if (!key_of)
            return FG_ENOMEM;
        reading->key_of = key_of;
        reading->key_of_capacity = batch->string_count;
    }
    if (batch->string_count > 0)
        memset(reading->key_of, 0, batch->string_count * sizeof *reading->key_of);
    return 0;
}

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct reading *reading = arg;
    const struct fg_batch *batch = rows->batch;
    if (!rows->bits)
        return 0;
    int r = bind(reading, batch);
    for (uint32_t row = rows->row_begin; r == 0 && row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin, begin, end;
        struct fg_slice service = batch->strings[batch->resource_service[batch->resource[row]]];
        if ((rows->bits[bit / 64] >> (bit % 64) & 1) == 0 ||
            fg_slice_equal(service, FG_SLICE(FG_MONITOR_SERVICE)))
            continue;
        if (reading->span_count == FG_PROPOSE_SPANS_MAX || reading->is_full) {
            reading->is_full = true;
            return 1;
        }
        uint64_t trace =
            fg_hash_u64(batch->trace_id_high[row] ^ fg_hash_u64(batch->trace_id_low[row]));
        uint16_t number = service_number(reading, service);
        reading->traces[reading->span_count++] = trace;
        fg_attrs_range(&batch->span_attrs, row, &begin, &end);
        for (uint32_t i = begin; i < end; i++)
            take(reading, batch, i, trace, number);
    }
    return r;
}

/* -- Counting */

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static uint32_t count_distinct(uint64_t *values, uint32_t count)
{
    uint32_t distinct = 0;
    qsort(values, count, sizeof *values, compare_u64);
    for (uint32_t i = 0; i < count; i++)
        distinct += i == 0 || values[i] != values[i - 1];
    return distinct;
}

static int compare_u(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_value(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int r = compare_u(x->key, y->key);
    r = r ? r : compare_u(x->value, y->value);
    r = r ? r : compare_u(x->trace, y->trace);
    return r ? r : compare_u(x->service, y->service);
}

static int by_trace(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int r = compare_u(x->key, y->key);
    r = r ? r : compare_u(x->trace, y->trace);
    return r ? r : compare_u(x->value, y->value);
}

/* One value's: in how many traces and services it is; they are sorted by trace. */
static void count_value(const struct found *found, uint32_t count, uint32_t *ret_traces,
                        uint32_t *ret_services)
{
    uint32_t traces = 0, services = 0;
    for (uint32_t i = 0; i < count; i++) {
        traces += i == 0 || found[i].trace != found[i - 1].trace;
        services += services < 2 && (i == 0 || found[i].service != found[0].service);
    }
    *ret_traces = traces;
    *ret_services = services;
}

/* All of one key, sorted by value. */
static void count_values(const struct found *found, uint32_t count,
                         struct fg_key_candidate *candidate)
{
    uint64_t several_traces = 0, several_services = 0, pairs = 0, top = 0;
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        uint32_t traces, services;
        for (end = begin + 1; end < count && found[end].value == found[begin].value; end++)
            ;
        count_value(found + begin, end - begin, &traces, &services);
        candidate->values++;
        several_traces += traces > 1;
        several_services += services > 1;
        pairs += traces;
        top = traces > top ? traces : top;
    }
    candidate->spans = count;
    if (candidate->values == 0 || candidate->traces == 0)
        return;
    candidate->several_traces = (double)several_traces / (double)candidate->values;
    candidate->several_services = (double)several_services / (double)candidate->values;
    candidate->values_a_trace = (double)pairs / (double)candidate->traces;
    candidate->top_share = (double)top / (double)candidate->traces;
}

static void count_services(const struct reading *reading, const struct found *found, uint32_t count,
                           struct fg_key_candidate *candidate)
{
    uint64_t seen[SERVICES_MAX / 64] = {0};
    for (uint32_t i = 0; i < count; i++)
        seen[found[i].service / 64] |= UINT64_C(1) << (found[i].service % 64);
    for (uint32_t i = 0; i < reading->service_count; i++)
        candidate->services += seen[i / 64] >> (i % 64) & 1;
}

/* Traces of one key, sorted by trace. */
static uint64_t count_traces(const struct found *found, uint32_t count)
{
    uint64_t traces = 0;
    for (uint32_t i = 0; i < count; i++)
        traces += i == 0 || found[i].trace != found[i - 1].trace;
    return traces;
}

static enum fg_key_fault fault_of(const struct key *key, const struct fg_key_candidate *is)
{
    if (fg_key_name_is_secret(key->name))
        return FG_KEY_SECRET;
    if (fg_key_name_is_well_known(key->name))
        return FG_KEY_WELL_KNOWN;
    if (key->is_redacted)
        return FG_KEY_REDACTED;
    if (is->values < VALUES_MIN)
        return FG_KEY_FEW_VALUES;
    if (is->top_share > TOP_SHARE_MAX)
        return FG_KEY_ONE_VALUE;
    if (key->is_number && !fg_key_name_is_identifier(key->name))
        return FG_KEY_COUNTS;
    if (is->values_a_trace > VALUES_A_TRACE)
        return FG_KEY_TOGETHER;
    if (is->several_traces < SEVERAL_SHARE_MIN)
        return FG_KEY_ONE_TRACE;
    return is->several_services < SEVERAL_SHARE_MIN ? FG_KEY_ONE_SERVICE : FG_KEY_FITS;
}

/* -- Groups */

struct pair {
    uint64_t a, b;
};

static int compare_pairs(const void *x, const void *y)
{
    const struct pair *p = x, *q = y;
    int r = compare_u(p->a, q->a);
    return r ? r : compare_u(p->b, q->b);
}

struct range {
    uint32_t begin, end;
};

/* Values of both in one trace, each pair once; *ret_traces: how many traces have both. */
static uint32_t join(const struct found *found, struct range a, struct range b, struct pair *pairs,
                     uint64_t *ret_traces)
{
    uint32_t count = 0, kept = 0;
    uint64_t traces = 0;
    for (uint32_t i = a.begin, k = b.begin; i < a.end && k < b.end;) {
        if (found[i].trace != found[k].trace) {
            if (found[i].trace < found[k].trace)
                i++;
            else
                k++;
            continue;
        }
        uint64_t trace = found[i].trace;
        traces++;
        pairs[count++] = (struct pair){found[i].value, found[k].value};
        while (i < a.end && found[i].trace == trace)
            i++;
        while (k < b.end && found[k].trace == trace)
            k++;
    }
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || compare_pairs(&pairs[i], &pairs[kept - 1]) != 0)
            pairs[kept++] = pairs[i];
    *ret_traces = traces;
    return kept;
}

static uint32_t distinct_of(const struct pair *pairs, uint32_t count, bool of_b, uint64_t *scratch)
{
    for (uint32_t i = 0; i < count; i++)
        scratch[i] = of_b ? pairs[i].b : pairs[i].a;
    return count_distinct(scratch, count);
}

/* Whether b is what several of a belong to, as a customer is to orders. */
static bool is_group(const struct found *found, const struct fg_key_candidate *candidates,
                     const struct range *ranges, uint32_t a, uint32_t b, struct pair *pairs,
                     uint64_t *scratch)
{
    uint64_t traces;
    uint32_t count = join(found, ranges[a], ranges[b], pairs, &traces);
    if (count == 0 || (double)traces < GROUP_TOGETHER * (double)candidates[b].traces)
        return false;
    double a_each = (double)count / distinct_of(pairs, count, false, scratch);
    double b_each = (double)count / distinct_of(pairs, count, true, scratch);
    return a_each <= GROUP_ONE && b_each >= GROUP_SEVERAL;
}

static int find_groups(const struct reading *reading, const struct range *ranges,
                       struct fg_key_candidate *candidates)
{
    struct pair *pairs = malloc(((size_t)reading->trace_count + 1) * sizeof *pairs);
    uint64_t *scratch = malloc(((size_t)reading->trace_count + 1) * sizeof *scratch);
    for (uint32_t b = 0; pairs && scratch && b < reading->key_count; b++)
        for (uint32_t a = 0; a < reading->key_count; a++)
            if (a != b && candidates[a].fault == FG_KEY_FITS &&
                candidates[b].fault == FG_KEY_FITS &&
                is_group(reading->found, candidates, ranges, a, b, pairs, scratch)) {
                candidates[b].fault = FG_KEY_GROUP;
                candidates[b].group_of = candidates[a].name;
            }
    int r = pairs && scratch ? 0 : FG_ENOMEM;
    free(pairs);
    free(scratch);
    return r;
}

/* -- */

static int compare_candidates(const void *a, const void *b)
{
    const struct fg_key_candidate *x = a, *y = b;
    bool x_fits = x->fault == FG_KEY_FITS, y_fits = y->fault == FG_KEY_FITS;
    if (x_fits != y_fits)
        return x_fits ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return fg_slice_compare(x->name, y->name);
}

static void find_ranges(const struct reading *reading, struct range *ranges)
{
    for (uint32_t i = 0; i < reading->found_count; i++) {
        uint16_t key = reading->found[i].key;
        if (ranges[key].end == 0)
            ranges[key].begin = i;
        ranges[key].end = i + 1;
    }
}

static int weigh(struct reading *reading, struct fg_key_candidate *candidates)
{
    struct range ranges[FG_PROPOSE_KEYS_MAX] = {{0}};
    qsort(reading->found, reading->found_count, sizeof *reading->found, by_trace);
    find_ranges(reading, ranges);
    for (uint32_t i = 0; i < reading->key_count; i++)
        candidates[i].traces =
            count_traces(reading->found + ranges[i].begin, ranges[i].end - ranges[i].begin);
    qsort(reading->found, reading->found_count, sizeof *reading->found, by_value);
    for (uint32_t i = 0; i < reading->key_count; i++) {
        const struct found *found = reading->found + ranges[i].begin;
        struct fg_key_candidate *is = &candidates[i];
        uint32_t count = ranges[i].end - ranges[i].begin;
        is->name = reading->keys[i].name;
        count_values(found, count, is);
        count_services(reading, found, count, is);
        is->coverage = reading->trace_count ? (double)is->traces / reading->trace_count : 0;
        is->fault = fault_of(&reading->keys[i], is);
        is->score = is->coverage * is->several_traces * is->several_services /
                    (is->values_a_trace > 1 ? is->values_a_trace : 1);
    }
    qsort(reading->found, reading->found_count, sizeof *reading->found, by_trace);
    return find_groups(reading, ranges, candidates);
}

static int read_spans(const struct fg_propose *propose, struct reading *reading, bool *ret_is_cut)
{
    struct fg_read_stats stats = {0};
    struct fg_scan scan = {.tenant = propose->tenant,
                           .start_ns_min = propose->start_ns_min,
                           .start_ns_max = propose->start_ns_max,
                           .columns = FG_COLUMNS_IDS | FG_COLUMNS_RESOURCE | FG_COLUMNS_SPAN_ATTRS,
                           .bytes_max = BYTES_MAX,
                           .deadline_mono_ns = propose->deadline_mono_ns,
                           .rows = on_rows,
                           .arg = reading};
    int r = fg_store_scan(propose->store, &scan, &stats);
    *ret_is_cut = r != 0;
    return r == 1 || r == FG_ETIMEOUT || r == FG_ELIMIT ? 0 : r;
}

int fg_key_propose(const struct fg_propose *propose, struct fg_arena *arena,
                   struct fg_key_proposal *ret_proposal)
{
    struct reading *reading = calloc(1, sizeof *reading);
    struct fg_key_candidate *candidates =
        fg_arena_calloc(arena, FG_PROPOSE_KEYS_MAX, sizeof *candidates);
    bool is_cut = false;
    int r = reading && candidates ? 0 : FG_ENOMEM;
    if (r == 0) {
        reading->arena = arena;
        reading->found = malloc(FG_PROPOSE_FOUND_MAX * sizeof *reading->found);
        reading->traces = malloc(FG_PROPOSE_SPANS_MAX * sizeof *reading->traces);
        r = reading->found && reading->traces ? 0 : FG_ENOMEM;
    }
    if (r == 0)
        r = read_spans(propose, reading, &is_cut);
    if (r == 0)
        reading->trace_count = count_distinct(reading->traces, reading->span_count);
    if (r == 0)
        r = weigh(reading, candidates);
    if (r == 0 && arena->overflow)
        r = FG_ELIMIT;
    if (r == 0) {
        qsort(candidates, reading->key_count, sizeof *candidates, compare_candidates);
        *ret_proposal =
            (struct fg_key_proposal){.candidates = candidates,
                                     .count = reading->key_count,
                                     .spans = reading->span_count,
                                     .traces = reading->trace_count,
                                     .refused_keys = reading->refused_keys,
                                     .is_partial = is_cut,
                                     .are_few = reading->trace_count < FG_PROPOSE_TRACES_MIN};
    }
    if (reading) {
        free(reading->found);
        free(reading->traces);
        free(reading->key_of);
    }
    free(reading);
    return r;
}

const char *fg_key_fault_name(enum fg_key_fault fault)
{
    static const char *const names[FG_KEY_FAULT_COUNT] = {[FG_KEY_FITS] = "none",
                                                          [FG_KEY_WELL_KNOWN] = "well_known",
                                                          [FG_KEY_SECRET] = "secret",
                                                          [FG_KEY_REDACTED] = "redacted",
                                                          [FG_KEY_FEW_VALUES] = "few_values",
                                                          [FG_KEY_ONE_VALUE] = "one_value",
                                                          [FG_KEY_COUNTS] = "counts",
                                                          [FG_KEY_TOGETHER] = "together",
                                                          [FG_KEY_ONE_TRACE] = "one_trace",
                                                          [FG_KEY_ONE_SERVICE] = "one_service",
                                                          [FG_KEY_GROUP] = "group"};
    return names[fault];
}
