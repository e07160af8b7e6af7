/* Makes an attribute's value fit to be kept: well-formed UTF-8 in its texts, no denied key in its
 * maps, however deep. Nearly all values are clean already and pass untouched. */
#pragma once

#include "base/arena.h"
#include "wire/otlp_value.h"

struct fg_redact;

/* What fg_value_clean() changed. */
struct fg_value_changes {
    bool text;             /* ill-formed parts were replaced by U+FFFD */
    uint32_t denied_count; /* entries of maps that were removed */
};

/* *ret_value is value itself or a cleaned copy in arena. changes is added to. Recursion is bounded,
 * since decoders refuse values that are nested deeper than FG_VALUE_DEPTH_MAX. FG_ELIMIT where the
 * arena is full, FG_ENOMEM. */
FG_MUST_CHECK int fg_value_clean(const struct fg_redact *redact, const struct fg_otlp_value *value,
                                 struct fg_arena *arena, struct fg_value_changes *changes,
                                 struct fg_otlp_value *ret_value);
