/* What the other journeys and the services tell: who was heard last, who takes messages, who died,
 * and how quickly others passed the same hop. It is what lets a verdict tell "it waits like 212
 * others" from "it alone did not arrive".
 *
 * Fed from every batch that becomes durable; bounded. Thread-safe: the calls copy. */
#pragma once

#include "base/error.h"
#include "journey/flow.h"
#include "span/batch.h"

struct fg_neighbours;

/* A service, as its spans show it. Times are ns since 1970; 0: never. */
struct fg_service_signs {
    uint64_t heard_ns;       /* the latest moment of any of its spans */
    uint64_t consumed_ns;    /* of a consumer's span */
    uint64_t interrupted_ns; /* of a span whose process died */
    uint64_t consumed_count;
    uint64_t well_ns; /* of a consumer's span that did not fail */
    uint64_t
        failed_count; /* consumer's spans that failed since; in one request as its last tells */
    double sampled; /* the share of its traces that is kept, as its tracestate said last; 0: nothing
                     * was said */
};

/* Hops of other journeys from one step to the next. */
struct fg_hop_signs {
    uint32_t overtook; /* of the last FG_HOPS_KEPT: began after the moment asked for, and arrived */
    uint32_t count;    /* of them, how many are known */
    uint64_t usual_ns; /* their median; 0 of nothing */
    uint64_t arrived_ns; /* when the last one arrived */
};

#define FG_HOPS_KEPT           64u
#define FG_NEIGHBOURS_SERVICES 4096u

FG_MUST_CHECK int fg_neighbours_new(struct fg_neighbours **ret_neighbours);
void fg_neighbours_free(struct fg_neighbours *neighbours);

/* The share of traces that a tracestate says is kept: OpenTelemetry's `ot=th:…` (probability
 * sampling), or its former `p:…`. 0: it says nothing. */
double fg_sampled_share(struct fg_slice trace_state);

/* Reads times, kinds, resources, marks, tracestate. Monitors' spans teach nothing. Services past
 * FG_NEIGHBOURS_SERVICES are left out. */
void fg_neighbours_add(struct fg_neighbours *neighbours, const struct fg_batch *batch);

/* A service was heard at a moment, as a consumer or otherwise: what outlives its spans. */
void fg_neighbours_hear(struct fg_neighbours *neighbours, struct fg_slice service, bool consumed,
                        uint64_t at_ns);

/* A journey of the flow passed from one step, which it reached at from_ns, to another. */
void fg_neighbours_hop(struct fg_neighbours *neighbours, uint32_t flow, uint32_t step,
                       uint64_t from_ns, uint64_t arrived_ns);

/* The flow's steps are others from now on. */
void fg_neighbours_forget_hops(struct fg_neighbours *neighbours, uint32_t flow);

/* All zero where the service is not known. */
struct fg_service_signs fg_neighbours_service(struct fg_neighbours *neighbours,
                                              struct fg_slice service);
struct fg_hop_signs fg_neighbours_hops(struct fg_neighbours *neighbours, uint32_t flow,
                                       uint32_t step, uint64_t from_ns);
