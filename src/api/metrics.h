/* All that is counted, as Prometheus reads it. */
#pragma once

#include "base/buffer.h"

struct fg_api;

/* Any thread. Errors are the buffer's. */
void fg_metrics_write(struct fg_api *api, struct fg_buffer *buffer);
