/* Structured logs: one line an entry on standard error, `time level message key=value …` or JSON.
 * Thread-safe. Only api/ and cmd/ log; the rooms below return their errors. */
#pragma once

#include <stdbool.h>

enum fg_log_level { FG_LOG_DEBUG, FG_LOG_INFO, FG_LOG_WARN, FG_LOG_ERROR };

/* The one global of the house. Lines below the level are dropped. */
void fg_log_set(enum fg_log_level level, bool json);

/* message is a constant sentence; the rest are pairs of key and printf-formatted value given as one
 * format string: fg_log(FG_LOG_INFO, "sealed", "spans=%u bytes=%zu", spans, bytes). Values with
 * blanks or quotes are quoted by fg_log when they are given by %s as a whole. pairs may be NULL. */
void fg_log(enum fg_log_level level, const char *message, const char *pairs, ...)
    __attribute__((format(printf, 3, 4)));
