/* All that is counted, as Prometheus reads it. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>

struct fg_api;
struct fg_auth;

/* Any thread. Errors are the buffer's. */
void fg_metrics_write(struct fg_api *api, struct fg_buffer *buffer);
/* Of accounts, tokens, sessions and the audit. */
void fg_metrics_write_auth(struct fg_auth *auth, struct fg_buffer *buffer);
/* What the process has given up. */
void fg_metrics_write_confined(bool has_few_calls, bool has_few_files, struct fg_buffer *buffer);
