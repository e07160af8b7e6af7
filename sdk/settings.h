/* What the options struct, OpenTelemetry's environment variables and the defaults come to, in this
 * order. A wrong variable is said and passed over, as OpenTelemetry has it; a wrong option is
 * FG_EINVALID. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "filigree.h"
#include "outlet_settings.h"

#include <stdbool.h>

enum fg_sampling { FG_SAMPLING_ALL, FG_SAMPLING_NONE, FG_SAMPLING_RATIO };

struct fg_sampler {
    enum fg_sampling root;
    bool parent_based;
    uint64_t ratio_bound; /* a trace id whose last 8 bytes >> 1 are below is taken */
};

struct fg_limits {
    uint32_t attributes, events, links;
    uint32_t event_attributes, link_attributes;
    uint32_t value_size; /* bytes */
};

struct fg_settings {
    bool disabled; /* OTEL_SDK_DISABLED, or OTEL_TRACES_EXPORTER=none */
    char *service;
    uint8_t instance_id[16];
    struct fg_buffer resource; /* KeyValue messages, each as field FG_RING_SETTING_RESOURCE */
    struct fg_outlet_settings outlet;
    struct fg_sampler sampler;
    struct fg_limits limits;
    uint32_t slot_count, batch_size;
    uint64_t delay_ns, exit_timeout_ns, announce_after_ns, heartbeat_ns;
    bool recorder, note_faults;
    bool fast_clock; /* os/tick.h, where this machine has it */
    char *recorder_dir;
    struct fg_texts denied_keys, journey_keys;
    unsigned redact_kinds;
};

/* options may be NULL. FG_EINVALID, FG_ENOMEM. */
FG_MUST_CHECK int fg_settings_read(const fg_options *options, struct fg_settings *ret_settings);
void fg_settings_free(struct fg_settings *settings);

/* The settings of the ring's header (ring.h). */
void fg_settings_encode(const struct fg_settings *settings, struct fg_buffer *buffer);
