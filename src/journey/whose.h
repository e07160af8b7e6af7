/* What in a row names a journey. */
#pragma once

#include "names.h"

struct fg_journeys;

/* A value that names a journey of journeys->keys[key]; it may be empty. Non-zero ends the looking
 * and is its result. */
typedef int fg_whose_fn(void *arg, uint32_t row, uint32_t key, struct fg_slice value);

/* Calls fn with each value that an attribute of the row gives; names are bound to the batch. */
FG_MUST_CHECK int fg_whose_by_key(const struct fg_journeys *journeys, struct fg_names *names,
                                  const struct fg_batch *batch, uint32_t row, fg_whose_fn *fn,
                                  void *arg);
/* And with each that the rules of keys read out of it. */
FG_MUST_CHECK int fg_whose_by_rule(const struct fg_journeys *journeys, struct fg_names *names,
                                   const struct fg_batch *batch, uint32_t row, fg_whose_fn *fn,
                                   void *arg);
/* An attribute's value as it names a journey: texts as they are, whole numbers in decimal; empty:
 * it names none. number: room that the answer may lie in. */
struct fg_slice fg_whose_text(const struct fg_batch *batch, uint32_t attr, char number[24]);
