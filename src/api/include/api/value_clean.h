/* Makes an attribute's value fit to be kept: well-formed UTF-8 in its texts, nothing that the rules
 * of redaction forbid, however deep. Nearly all values are clean already and pass untouched. */
#pragma once

#include "base/arena.h"
#include "redact/redactor.h"
#include "wire/otlp_value.h"

/* What fg_value_clean() changed. */
struct fg_value_changes {
    bool text;               /* ill-formed parts were replaced by U+FFFD */
    uint32_t dropped_count;  /* entries of maps and arrays that were removed */
    uint32_t redacted_count; /* values for which something else stands */
};

#define FG_VALUE_DROPPED 1

/* The value of an attribute with this key, which is well-formed. *ret_value is value itself or a
 * cleaned copy in arena. changes is added to. redactor may be NULL. Recursion is bounded, since
 * decoders refuse values that are nested deeper than FG_VALUE_DEPTH_MAX. FG_VALUE_DROPPED: the
 * attribute may not be kept; FG_ELIMIT where the arena is full, FG_ENOMEM. */
FG_MUST_CHECK int fg_value_clean(struct fg_redactor *redactor, struct fg_slice key,
                                 const struct fg_otlp_value *value, struct fg_arena *arena,
                                 struct fg_value_changes *changes, struct fg_otlp_value *ret_value);

/* The same of a text that has no attribute's key, but a name (redact/rules.h). Dropped is empty. */
FG_MUST_CHECK int fg_text_clean(struct fg_redactor *redactor, struct fg_slice name,
                                struct fg_slice text, struct fg_arena *arena,
                                struct fg_value_changes *changes, struct fg_slice *ret_text);
