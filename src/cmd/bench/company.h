/* The company's shape: the traces of the jewellery maker's orders as they come in one after the
 * other, each order in nine of them over four days, and beside them a look at a list that names
 * none.
 *
 * Its numbers are those of the demo's recording (demo/recording): which calls people make of an
 * order, how many spans a healthy one of each has and whose they are, that all name the order, and
 * that 14 spans of a thousand belong to none. The times between them are the medians that
 * demo/traffic gives people.
 *
 * A set is one trace of each kind, each of another order: orders are as far apart as the steps that
 * they are at, so that from the first set on as many are under way as are wanted: those with
 * numbers below that have to be known before, by their first trace (FG_BENCH_PLACED). */
#pragma once

#include "plan.h"
#include "template.h"

#define FG_BENCH_COMPANY_TRACES 10u /* of a set */
#define FG_BENCH_COMPANY_SPANS  93u

/* Of a set's trace: where its spans are among those of the set, and how many there are. */
uint32_t fg_bench_company_first(uint32_t trace);
uint32_t fg_bench_company_count(uint32_t trace);
/* By place in the set. */
const struct fg_bench_plan *fg_bench_company_plan(uint32_t span);
/* In its trace; -1: the root. */
int fg_bench_company_parent(uint32_t span);
void fg_bench_company_slots(struct fg_bench_slot ret_slots[FG_BENCH_COMPANY_SPANS]);

/* The order that a set's trace is of, where open orders are under way at one time: each has each of
 * its traces once. */
uint64_t fg_bench_company_order(uint64_t set, uint32_t trace, uint64_t open);
