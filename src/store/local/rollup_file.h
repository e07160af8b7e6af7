/* FOLDER/rollups/ID.rol: the minute rollups of a tenant's day whose spans were dropped. Written
 * once; replaced by another file when more of the day is dropped.
 *
 *   0   8  "FGROLUP1"
 *   8   8  size of the rollup's bytes
 *   16  8  XXH3 of those bytes
 *   24     the bytes (rollup_codec.c)
 *
 * Numbers are little-endian. */
#pragma once

#include "os/env.h"
#include "store/rollup.h"

#define FG_ROLLUP_FILE_HEADER_SIZE 24u

/* Makes path, which must not exist, and syncs it; not its folder. On failure there is none. */
FG_MUST_CHECK int fg_rollup_file_write(struct fg_env *env, const char *path,
                                       const struct fg_rollup *rollup, uint64_t *ret_size);

/* Adds what it holds of [start_ns_min, start_ns_max). FG_ECORRUPT, FG_EUNSUPPORTED, FG_ENOTFOUND,
 * FG_EIO, FG_ENOMEM. */
FG_MUST_CHECK int fg_rollup_file_read(struct fg_env *env, const char *path, uint64_t start_ns_min,
                                      uint64_t start_ns_max, struct fg_rollup *rollup);
