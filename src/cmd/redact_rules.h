/* The rules of redaction as a YAML file gives them. */
#pragma once

#include "base/arena.h"
#include "redact/rules.h"

struct fg_redact_file {
    struct fg_redact_rule *rules; /* texts are the arena's */
    size_t count;
};

/* Reads the text. On FG_EINVALID errors holds a line for each thing that is wrong, with file and
 * line; FG_ELIMIT (the arena), FG_ENOMEM. */
FG_MUST_CHECK int fg_redact_file_parse(struct fg_slice text, const char *file_name,
                                       struct fg_arena *arena, struct fg_buffer *errors,
                                       struct fg_redact_file *ret_file);
