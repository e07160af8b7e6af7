/* Decompression of whole bodies with one bound over everything that comes out.
 *
 * gzip (RFC 1952), zstd (RFC 8878) and deflate (RFC 9110 section 8.4.1.2: the zlib format of RFC
 * 1950). A body may consist of several gzip members or zstd frames; the bound holds for their sum,
 * and their number is bounded too (FG_INFLATE_PARTS_MAX), since each costs time even when it is
 * empty. */
#pragma once

#include "base/buffer.h"

enum fg_encoding {
    FG_ENCODING_IDENTITY,
    FG_ENCODING_GZIP,
    FG_ENCODING_ZSTD,
    FG_ENCODING_DEFLATE,
};

struct fg_inflater;

/* Reusable, for one thread. */
FG_MUST_CHECK int fg_inflater_new(struct fg_inflater **ret_inflater);
void fg_inflater_free(struct fg_inflater *inflater);

/* The encoding that a Content-Encoding or grpc-encoding value names ("gzip", "x-gzip", "zstd",
 * "deflate", "identity" or nothing), without case. FG_EUNSUPPORTED for others and for lists. */
FG_MUST_CHECK int fg_encoding_parse(struct fg_slice name, enum fg_encoding *ret_encoding);

/* Where the output grows. reserve makes room for at least size_min bytes in all, keeping what is
 * there; FG_ELIMIT or FG_ENOMEM where it will not. */
struct fg_inflate_out {
    int (*reserve)(struct fg_inflate_out *out, size_t size_min);
    uint8_t *data;
    size_t size;     /* written so far */
    size_t capacity; /* of data */
    size_t size_max; /* the bound */
};

/* Appends to out. FG_EINVALID: damaged or cut short. FG_ELIMIT: more than out->size_max, too many
 * parts, or a zstd window past FG_INFLATE_WINDOW_SIZE_MAX. FG_ENOMEM, or what reserve returned. */
FG_MUST_CHECK int fg_inflate(struct fg_inflater *inflater, enum fg_encoding encoding,
                             struct fg_slice body, struct fg_inflate_out *out);
