/* What the parts of a segment are called, for people. */
#pragma once

#include "local/segment_internal.h"

/* "traces", "span ids", … */
const char *fg_stream_name(enum fg_stream stream);
/* Of a column that is no attribute: "status message", … */
const char *fg_part_name(uint8_t level, uint8_t part);
/* "span", "event", "link". */
const char *fg_level_name(uint8_t level);
/* "text codes", … */
const char *fg_form_name(uint8_t form);
