/* Attributes as items of a stream. */
#pragma once

#include "filigree.h"
#include "stream.h"

/* Puts it without committing. False, and nothing is put, for an attribute that can't be: no key, an
 * unknown type, an array without elements' memory. Strings over value_size bytes are cut. */
bool fg_value_put(struct fg_stream *stream, uint8_t kind, const fg_attr *attr, uint32_t value_size);

/* A text of at most size_max bytes, cut at a character; a cut is counted and said. */
struct fg_slice fg_value_cut(struct fg_slice text, uint32_t size_max);
