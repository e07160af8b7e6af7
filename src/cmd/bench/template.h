/* One request of a shape as it is before its values are patched. Marks stand where they go:
 *
 *   trace id        the trace's index in the request, little-endian in the first four bytes
 *   span id         the span's index in the trace plus one, big-endian; parents alike
 *   @@@@@@@@        eight digits of the trace's order number
 *   ####            hexadecimal digits, any even number of them, different in each trace
 *   FG_BENCH_NUMBER an integer that is different in each span; it and its stand-ins take three
 *                   bytes as a varint
 *   times           zero */
#pragma once

#include "base/buffer.h"
#include "shape.h"

#define FG_BENCH_ORDER_MARK   '@'
#define FG_BENCH_ORDER_DIGITS 8u
#define FG_BENCH_HEX_MARK     '#'
#define FG_BENCH_NUMBER       INT64_C(1234567)
#define FG_BENCH_NUMBER_MIN   (1u << 14)
#define FG_BENCH_NUMBER_MAX   ((1u << 21) - 1)

/* Where a span of a trace lies in it, in 1/1000 of the trace's duration. */
struct fg_bench_slot {
    int16_t parent; /* -1: the root */
    uint16_t begin, end;
};

extern const struct fg_bench_slot fg_bench_slots[FG_BENCH_TRACE_SPANS];

/* Appends an ExportTraceServiceRequest of trace_count traces. chance decides what differs from one
 * template to the next. Errors are the buffer's sticky error. */
void fg_bench_template_write(enum fg_bench_kind kind, uint32_t trace_count, uint64_t chance,
                             struct fg_buffer *out);
