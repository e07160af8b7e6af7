/* Writes the text form in which Prometheus reads metrics (its "exposition formats", version 0.0.4):
 * a family's HELP and TYPE, then a line for each of its series. Errors are the buffer's. */
#pragma once

#include "base/buffer.h"

enum fg_metric_type { FG_METRIC_COUNTER, FG_METRIC_GAUGE, FG_METRIC_HISTOGRAM };

struct fg_metric {
    struct fg_buffer *buffer;
    const char *name;
    bool has_labels; /* of the series that is being written */
};

/* Starts a family. help is one line without '\'. */
struct fg_metric fg_metric_family(struct fg_buffer *buffer, const char *name,
                                  enum fg_metric_type type, const char *help);

/* One series: begin (suffix is "" or, for a histogram, "_bucket" and the like), its labels, its
 * value. */
void fg_metric_begin(struct fg_metric *metric, const char *suffix);
void fg_metric_label(struct fg_metric *metric, const char *name, const char *value);
void fg_metric_uint(struct fg_metric *metric, uint64_t value);
void fg_metric_seconds(struct fg_metric *metric, uint64_t ns);

/* A family of one series without labels. */
void fg_metric_single(struct fg_buffer *buffer, const char *name, enum fg_metric_type type,
                      const char *help, uint64_t value);
