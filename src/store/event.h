/* Telling the operator what nobody waits for: a seal that failed, a damaged file. */
#pragma once

#include "base/log.h"
#include "store/store.h"

/* Formats a sentence and gives it to options->on_event; nothing where that is NULL. */
void fg_store_event(const struct fg_store_options *options, enum fg_log_level level,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));
