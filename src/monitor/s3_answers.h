/* Answers of an S3 server in XML: its error code, the keys of a listing. Bytes may be anything:
 * what is no such answer has no code and no keys. Document types are refused, hence entities and
 * whatever they would reach for or grow to. Pure, but for expat's memory, bounded by the answer. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#define FG_S3_CODE_SIZE 64u
#define FG_S3_KEY_SIZE  256u /* canaries' keys are shorter; longer ones are passed over */

/* "NoSuchBucket"; letters, digits and dots only, cut at the array's end. FG_EINVALID. */
FG_MUST_CHECK int fg_s3_read_error(struct fg_slice answer, char ret_code[FG_S3_CODE_SIZE]);

/* Calls fn for each key of a ListBucketResult. FG_EINVALID where it is none; fn may have been
 * called before that was seen. */
FG_MUST_CHECK int fg_s3_read_list(struct fg_slice answer, void (*fn)(void *arg, const char *key),
                                  void *arg);

/* What an answer to a request to write means. */
enum fg_s3_refusal {
    FG_S3_IDENTITY, /* key or signature */
    FG_S3_CLOCK,    /* our clock or theirs is wrong */
    FG_S3_RIGHT,    /* known, but not allowed to */
    FG_S3_BUCKET,   /* there is no such bucket */
    FG_S3_SPACE,    /* quota or disk */
    FG_S3_SLOW,     /* it asks to be left in peace; or the object lies in an archive */
    FG_S3_BROKEN,   /* 5xx: it does not serve */
    FG_S3_OTHER,
};
/* code: "" where there is none. */
enum fg_s3_refusal fg_s3_refusal_of(long status, const char *code);

/* A canary's key: PREFIX/TIME-CHANCE, both 16 hexadecimal digits, TIME in nanoseconds since 1970.
 */
void fg_s3_key_format(const char *prefix, uint64_t wall_ns, uint64_t chance,
                      char ret_key[FG_S3_KEY_SIZE]);
/* False for what is no canary of this prefix. */
bool fg_s3_key_parse(const char *prefix, const char *key, uint64_t *ret_wall_ns);
