/* Base64 (RFC 4648 section 4, with padding when written). */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

void fg_base64_encode(struct fg_buffer *buffer, struct fg_slice bytes);

/* Appends the bytes. Takes the URL-safe alphabet too, and text without padding, as protobuf's JSON
 * mapping asks of readers. FG_EINVALID for anything else (the buffer may then hold some of it), or
 * the buffer's sticky error. */
FG_MUST_CHECK int fg_base64_decode(struct fg_buffer *buffer, struct fg_slice text);
