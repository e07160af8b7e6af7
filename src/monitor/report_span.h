/* A run as an OTLP request that holds one span in a trace of its own. doc/monitors.md tells its
 * attributes; other rooms read them. */
#pragma once

#include "belief.h"
#include "monitor/config.h"

struct fg_report_span {
    const struct fg_monitor_config *config;
    const struct fg_belief *belief;
    const struct fg_check_report *report;
    uint64_t start_ns, end_ns; /* wall clock */
    uint64_t holds_ns;         /* after start: for how long it says how the component is */
};

/* Appends the request; errors stick to the buffer. */
void fg_report_span_write(const struct fg_report_span *span, struct fg_env *env,
                          struct fg_buffer *request);
