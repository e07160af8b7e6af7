/* Tracing without a network: spans stay in the ring, and a test reads what would be sent. */
#pragma once

#include "parcel.h"
#include "sdk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Starts with an endpoint where nobody listens and without a recorder. changes may be NULL. */
void test_start(void (*change)(fg_options *options));
void test_stop(void);

/* All spans of the ring, as OTLP JSON; free it. */
char *test_collect(void);
/* What of the ring is asserted to be in the JSON, or not. */
void assert_has(const char *json, const char *part);
void assert_lacks(const char *json, const char *part);
uint64_t test_count_of(const char *json, const char *part);
fg_stats test_stats(void);
