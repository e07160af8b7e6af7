/* What is read out of SQL's texts and libpq's messages. Pure functions. */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"

enum { FG_SQL_SUMMARY_MAX = 256 }; /* OpenTelemetry's 255, and the end */

/* "SELECT orders customers": operations and the names that they are about, in their order
 * (OpenTelemetry's semantic conventions, "Generating a summary of the query"). The empty text where
 * nothing is recognised. */
void fg_sql_summary(const char *sql, char ret_text[FG_SQL_SUMMARY_MAX]);

/* The SQLSTATE that libpq wrote into a verbose message, "…:  28P01: …"; the last one, since each
 * host that was tried has its own. False where there is none. */
bool fg_sql_state_of(const char *message, char ret_state[6]);

/* A verbose message as it is by default: without the states, and without the lines that name a
 * place in the server's source. NULL without memory; free() it. */
char *fg_sql_plain_message(const char *message);
