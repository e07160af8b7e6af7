/* Hexadecimal text of ids and bytes: written in lower case, read in either. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

/* Writes 2 * bytes.size digits, no NUL. */
void fg_hex_encode(struct fg_slice bytes, char *ret_text);

/* text.size / 2 bytes go to ret_bytes. FG_EINVALID for an odd count or another character; ret_bytes
 * may then hold some of it. */
FG_MUST_CHECK int fg_hex_decode(struct fg_slice text, uint8_t *ret_bytes);
