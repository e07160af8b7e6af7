/* From a case to its verdict. */
#pragma once

#include "case.h"

/* Rules in their order: the end; a failure that nobody dealt with; a page that disagrees; a person;
 * and after the deadline work that hangs, a failure that was dealt with, lost telemetry, a message
 * on its way, a service that is not seen, work that was skipped, nothing. */
void fg_decide(const struct fg_case *c, struct fg_verdict *ret_verdict);
