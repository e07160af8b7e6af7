/* Batches as a real shop's services would send them, from a seed: traces that are trees over
 * several services, attributes of every type, a key with two types, values that repeat and values
 * that don't, events, links, open spans, and now and then each rare column. The same seed makes the
 * same rows.
 *
 * And what a test asks of copies: are two rows the same, whatever their batches' ids are? */
#pragma once

#include "span/builder.h"

/* splitmix64: a seeded sequence for tests. */
struct test_random {
    uint64_t state;
};

uint64_t test_random_u64(struct test_random *random);
/* In [0, bound), bound > 0. */
uint32_t test_random_below(struct test_random *random, uint32_t bound);
/* True in percent of 100 cases. */
bool test_random_chance(struct test_random *random, uint32_t percent);

struct random_batch_options {
    uint64_t seed;
    uint32_t span_count;      /* exactly */
    uint32_t trace_spans_max; /* spans of a trace: 1 to this */
    uint32_t service_count;   /* 1 to 64 */
    uint64_t start_ns;        /* traces start within [start_ns, start_ns + spread_ns] */
    uint64_t spread_ns;
    uint32_t odd_percent; /* how often a rare thing happens: marks, dropped counts, open spans, … */
};

struct random_batch_options random_batch_options_default(uint64_t seed);

/* Appends the spans. The builder's limits must not be in the way; a failure ends the test program.
 */
void random_batch_fill(struct fg_builder *builder, const struct random_batch_options *options);

/* NULL where the rows are the same: every scalar, resource and scope by content, attributes as
 * sets, events and links in order; strings by their bytes. Otherwise the name of what differs. Of
 * marks those in ignored_marks do not count. */
const char *batch_rows_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                              uint32_t row_b, uint16_t ignored_marks);

/* Row by row, all of them, in order. */
const char *batches_differ(const struct fg_batch *a, const struct fg_batch *b);
