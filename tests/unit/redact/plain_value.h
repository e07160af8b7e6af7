/* src/redact's walk built without what is fast: every byte is looked at, every kind is possible. */
#pragma once

#include "redact/value.h"

size_t plain_text(struct fg_slice text, unsigned kinds, struct fg_buffer *out);
