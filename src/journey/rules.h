/* The rules by which a case is judged. Each looks at one kind of sign, fills a finding and says how
 * sure it is, or returns false: it has nothing to say. They are independent of each other; decide.c
 * holds the order. doc/journeys.md tells each in words. */
#pragma once

#include "case.h"

/* The first cause among the spans that failed and that the journey did not get over: the deepest of
 * a chain, the earliest of several. *ret_handled: what asked for the failed work went on without
 * it, so that it explains a silence but is no break by itself. */
bool fg_rule_failed(const struct fg_case *c, struct fg_finding *ret_finding, bool *ret_handled);

/* The last failure that the journey got over, by its spans alone. */
bool fg_rule_recovered(const struct fg_case *c, struct fg_recovery *ret_recovery);

/* A page shows another status than the service had told before it was drawn. */
bool fg_rule_page_disagrees(const struct fg_case *c, struct fg_finding *ret_finding);

/* A person has acted, and the work that he began takes longer than a machine's should. */
bool fg_rule_slow_work(const struct fg_case *c, struct fg_finding *ret_finding);

/* A person has to act next. */
bool fg_rule_person(const struct fg_case *c, struct fg_finding *ret_finding);

/* -- After the deadline, where nothing failed */

/* Work that began and has not ended. */
bool fg_rule_hung(const struct fg_case *c, struct fg_finding *ret_finding);
/* The deadline is one that orders which went well did not keep as a rule, and this one has been on
 * its way no longer than they needed. */
bool fg_rule_deadline_tight(const struct fg_case *c, struct fg_finding *ret_finding);
/* A message that was published and not consumed. */
bool fg_rule_queue(const struct fg_case *c, struct fg_finding *ret_finding);
/* Telemetry of the service that should do the next step was lost: it may have been done unseen. */
bool fg_rule_telemetry_lost(const struct fg_case *c, struct fg_finding *ret_finding);
/* The service that should do the next step has never sent a span. */
bool fg_rule_not_instrumented(const struct fg_case *c, struct fg_finding *ret_finding);
/* The service was asked, said that all is well, and did not do it. */
bool fg_rule_work_skipped(const struct fg_case *c, struct fg_finding *ret_finding);
/* Something that the next step's service uses, or those through whose hands it went last, is found
 * wrong by a monitor; is_past: or was, since the last step. */
bool fg_rule_watched(const struct fg_case *c, bool is_past, struct fg_finding *ret_finding);
/* Only a share of traces is kept, and the next step may be in one that was not. */
bool fg_rule_sampled_out(const struct fg_case *c, struct fg_finding *ret_finding);
/* None of the others: says what is missing. */
void fg_rule_nothing(const struct fg_case *c, struct fg_finding *ret_finding);

/* Appends a piece of evidence; past FG_EVIDENCE_MAX it is left out, and where row is FG_TREE_NONE.
 */
void fg_finding_span(const struct fg_case *c, struct fg_finding *finding, uint32_t row,
                     struct fg_slice text);
/* query: what leads to the things that were counted (evidence.h); "" where nothing in spans is. */
void fg_finding_count(struct fg_finding *finding, uint64_t value, struct fg_slice text,
                      struct fg_slice query);

/* Room for a slice in a format: "%.*s". */
#define FG_SAY(slice) (int)(slice).size, (const char *)(slice).data

/* -- What monitors add (rule_watch.c) */

/* Makes a finding that rests on row more certain, or says why, by what monitors saw of the
 * component that row calls. */
void fg_finding_explain(const struct fg_case *c, uint32_t row, struct fg_finding *finding);
/* The same of a service that hangs: by what it uses. */
void fg_finding_explain_service(const struct fg_case *c, struct fg_slice service,
                                struct fg_finding *finding);
/* Says how many of the parts that the journey used were well at a moment, and how many nobody
 * looked at. */
void fg_finding_watched(const struct fg_case *c, uint64_t at_ns, struct fg_finding *finding);
void fg_finding_sign(const struct fg_case *c, struct fg_finding *finding,
                     const struct fg_watch_sign *sign);
/* A commit, by its operation, name or text. */
bool fg_case_is_commit(const struct fg_case *c, uint32_t row);
/* Signs of the component that row calls, at its time; at most FG_WATCH_SIGNS_MAX. */
uint32_t fg_case_signs(const struct fg_case *c, uint32_t row, struct fg_watch_sign *ret_signs);
/* What stops a service most surely since from_ns. */
bool fg_find_service_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                          struct fg_watch_sign *ret_sign);
/* What stops a service most surely now of the databases and object stores that it uses; false where
 * its own process, or what it answers, is found wrong. */
bool fg_find_part_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                       struct fg_watch_sign *ret_sign);
/* A replica that is missing or lags now, of a database that the service uses. */
bool fg_find_replica_sign(const struct fg_case *c, struct fg_slice service, uint64_t from_ns,
                          struct fg_watch_sign *ret_sign);
/* The place and cause that a sign names, in the place of the finding's. */
void fg_finding_blame_sign(const struct fg_case *c, const struct fg_watch_sign *sign,
                           struct fg_slice service, struct fg_finding *finding);
