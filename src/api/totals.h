/* The counters of all loops, added up, and what their elements are called. */
#pragma once

#include "counters.h"

#include <stddef.h>

struct fg_api;

/* The sum over all loops of the counter that lies at offset in struct fg_counters. Any thread; each
 * addend was true at some moment of the call. */
uint64_t fg_total(const struct fg_api *api, size_t offset);

#define FG_TOTAL(api, member) fg_total((api), offsetof(struct fg_counters, member))
/* Of element index of an array, of one dimension or two. */
#define FG_TOTAL_OF(api, member, index)                                                            \
    fg_total((api), offsetof(struct fg_counters, member) + (index) * sizeof(_Atomic uint64_t))

/* As in the labels of /metrics: "otlp_grpc", "too_large". */
const char *fg_ingest_protocol_name(enum fg_ingest_protocol protocol);
const char *fg_ingest_refusal_name(enum fg_ingest_refusal refusal);

struct fg_json_writer;
/* "ingest": what came, what was refused and why, what was changed; a member of an object that is
 * open. */
void fg_ingest_totals_write(struct fg_json_writer *json, const struct fg_api *api);
