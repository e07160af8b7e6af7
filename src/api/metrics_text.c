#include "metrics_text.h"

#include <inttypes.h>

struct fg_metric fg_metric_family(struct fg_buffer *buffer, const char *name,
                                  enum fg_metric_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    fg_buffer_append_format(buffer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
    return (struct fg_metric){.buffer = buffer, .name = name};
}

void fg_metric_begin(struct fg_metric *metric, const char *suffix)
{
    metric->has_labels = false;
    fg_buffer_append_format(metric->buffer, "%s%s", metric->name, suffix);
}

void fg_metric_label(struct fg_metric *metric, const char *name, const char *value)
{
    struct fg_buffer *buffer = metric->buffer;
    fg_buffer_append_format(buffer, "%c%s=\"", metric->has_labels ? ',' : '{', name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            fg_buffer_append_byte(buffer, '\\');
        fg_buffer_append_byte(buffer, *value == '\n' ? 'n' : (uint8_t)*value);
    }
    fg_buffer_append_byte(buffer, '"');
    metric->has_labels = true;
}

static void end_labels(struct fg_metric *metric)
{
    fg_buffer_append_string(metric->buffer, metric->has_labels ? "} " : " ");
}

void fg_metric_uint(struct fg_metric *metric, uint64_t value)
{
    end_labels(metric);
    fg_buffer_append_format(metric->buffer, "%" PRIu64 "\n", value);
}

void fg_metric_seconds(struct fg_metric *metric, uint64_t ns)
{
    end_labels(metric);
    fg_buffer_append_format(metric->buffer, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u,
                            ns % 1000000000u);
}

void fg_metric_single(struct fg_buffer *buffer, const char *name, enum fg_metric_type type,
                      const char *help, uint64_t value)
{
    struct fg_metric metric = fg_metric_family(buffer, name, type, help);
    fg_metric_begin(&metric, "");
    fg_metric_uint(&metric, value);
}
