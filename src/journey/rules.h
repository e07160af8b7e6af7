/* The rules by which a case is judged. Each looks at one kind of sign, fills a finding and says how
 * sure it is, or returns false: it has nothing to say. They are independent of each other; decide.c
 * holds the order. doc/journeys.md tells each in words. */
#pragma once

#include "case.h"

/* The first cause among the spans that failed and that the journey did not get over: the deepest of
 * a chain, the earliest of several. *ret_handled: what asked for the failed work went on without
 * it, so that it explains a silence but is no break by itself. */
bool fg_rule_failed(const struct fg_case *c, struct fg_finding *ret_finding, bool *ret_handled);

/* A page shows another status than the service had told before it was drawn. */
bool fg_rule_page_disagrees(const struct fg_case *c, struct fg_finding *ret_finding);

/* A person has to act next. */
bool fg_rule_person(const struct fg_case *c, struct fg_finding *ret_finding);

/* -- After the deadline, where nothing failed */

/* Work that began and has not ended. */
bool fg_rule_hung(const struct fg_case *c, struct fg_finding *ret_finding);
/* A message that was published and not consumed. */
bool fg_rule_queue(const struct fg_case *c, struct fg_finding *ret_finding);
/* Telemetry of the service that should do the next step was lost: it may have been done unseen. */
bool fg_rule_telemetry_lost(const struct fg_case *c, struct fg_finding *ret_finding);
/* The service that should do the next step has never sent a span. */
bool fg_rule_not_instrumented(const struct fg_case *c, struct fg_finding *ret_finding);
/* The service was asked, said that all is well, and did not do it. */
bool fg_rule_work_skipped(const struct fg_case *c, struct fg_finding *ret_finding);
/* None of the others: says what is missing. */
void fg_rule_nothing(const struct fg_case *c, struct fg_finding *ret_finding);

/* Appends a piece of evidence; past FG_EVIDENCE_MAX it is left out. */
void fg_finding_span(const struct fg_case *c, struct fg_finding *finding, uint32_t row,
                     struct fg_slice text);
void fg_finding_count(struct fg_finding *finding, uint64_t value, struct fg_slice text);

/* Room for a slice in a format: "%.*s". */
#define FG_SAY(slice) (int)(slice).size, (const char *)(slice).data
