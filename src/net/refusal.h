/* What each reason to refuse says to the client. */
#pragma once

#include "net/counters.h"
#include "net/request.h"

struct fg_refusal fg_refusal_of(enum fg_refusal_reason reason);
