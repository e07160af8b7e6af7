/* What the load generator sends: OTLP requests that look like a shop's, each span different.
 *
 * A few requests are encoded once, with marks where a value changes; a walk over the encoded bytes
 * finds the marks, and from then on a request is a copy with ids, times and numbers patched in.
 * All that is patched follows from the seed and the trace's number, except the times: a trace can
 * be named again after the run without having been remembered. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

/* Spans of every trace of the first two shapes. */
#define FG_BENCH_TRACE_SPANS 13u

enum fg_bench_kind {
    FG_BENCH_SMALL,   /* 333 bytes a span: an order through three services */
    FG_BENCH_WIDE,    /* 40 attributes a span, long SQL, 3 000 names, 50 services */
    FG_BENCH_COMPANY, /* orders in several traces over days: see company.h */
    FG_BENCH_PLACED,  /* the company's orders as they begin: the first trace of each */
};

struct fg_bench_shape;

/* spans_per_request is rounded up to whole traces, of the company to whole sets of them. FG_ELIMIT
 * where a request would be larger than FG_REQUEST_BODY_SIZE_MAX. */
FG_MUST_CHECK int fg_bench_shape_new(enum fg_bench_kind kind, uint64_t seed,
                                     uint32_t spans_per_request, struct fg_bench_shape **ret_shape);
void fg_bench_shape_free(struct fg_bench_shape *shape);

/* Of the company: how many orders are under way at one time; 1 where it was not said. */
void fg_bench_shape_open(struct fg_bench_shape *shape, uint64_t order_count);

uint32_t fg_bench_traces_per_request(const struct fg_bench_shape *shape);
uint32_t fg_bench_spans_per_request(const struct fg_bench_shape *shape);
/* Orders that a request brings. */
uint32_t fg_bench_orders_per_request(const struct fg_bench_shape *shape);
/* Bytes that any request needs. */
size_t fg_bench_request_size_max(const struct fg_bench_shape *shape);
/* Bytes on the wire, on average over all requests. */
double fg_bench_span_size(const struct fg_bench_shape *shape);

/* The size of a request's body. */
size_t fg_bench_request_size(const struct fg_bench_shape *shape, uint64_t request);
/* Writes the body: its traces have the numbers from request * traces_per_request on, and end about
 * now_ns. */
void fg_bench_request_write(const struct fg_bench_shape *shape, uint64_t request, uint64_t now_ns,
                            uint8_t *out);

#define FG_BENCH_TRACE_ID_TEXT_SIZE 33
void fg_bench_trace_id(uint64_t seed, uint64_t trace, char ret_text[FG_BENCH_TRACE_ID_TEXT_SIZE]);

/* A good mixer of 64 bits (splitmix64's finaliser, Steele et al., OOPSLA 2014): the generator's
 * only source of chance. */
static inline uint64_t fg_bench_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
