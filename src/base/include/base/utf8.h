/* UTF-8 as Unicode 15 section 3.9 defines it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

/* Whether all of it is well-formed. Pure ASCII costs about 8 bytes a step. */
bool fg_utf8_valid(struct fg_slice text);

/* The size in bytes (1 to 4) of the well-formed character at text.data[offset], offset < text.size.
 * Where none starts there: minus the size (1 to 3) of the maximal ill-formed part, which stands for
 * one U+FFFD. */
int fg_utf8_step(struct fg_slice text, size_t offset);

/* text itself where it is well-formed; otherwise a copy in the arena with every maximal ill-formed
 * part replaced by U+FFFD. {NULL, 0} and the arena's overflow flag where it does not fit. */
struct fg_slice fg_utf8_sanitize(struct fg_slice text, struct fg_arena *arena);

/* The longest prefix of at most size_max bytes that does not cut a well-formed character. */
struct fg_slice fg_utf8_cut(struct fg_slice text, size_t size_max);
