/* A frozen batch: one block of memory, immutable, counted by reference, whose bytes are also a WAL
 * frame's payload. The byte format stands in block.c and doc/format.md. */
#pragma once

#include "base/error.h"
#include "span/batch.h"

struct fg_builder;
struct fg_block;

/* Freezes the builder's rows. The builder may be reset at once. FG_ENOMEM, FG_ELIMIT. */
FG_MUST_CHECK int fg_block_freeze(struct fg_builder *builder, struct fg_block **ret_block);

/* A block from a payload that was read from disk: every offset, id and count is checked
 * (FG_ECORRUPT; FG_EUNSUPPORTED for a newer version). The bytes are copied. */
FG_MUST_CHECK int fg_block_parse(struct fg_slice payload, struct fg_block **ret_block);

/* Thread-safe. */
struct fg_block *fg_block_ref(struct fg_block *block);
void fg_block_unref(struct fg_block *block);

/* Valid while the block is held. */
const struct fg_batch *fg_block_batch(const struct fg_block *block);
/* The bytes to write. */
struct fg_slice fg_block_payload(const struct fg_block *block);
/* All memory that it takes. */
uint64_t fg_block_size_bytes(const struct fg_block *block);
