/* The WAL's bytes. All integers are little-endian.
 *
 * A commit group starts on a multiple of FG_WAL_BLOCK_SIZE and is padded with zeros up to the next:
 *      0  4  magic "FGWG"
 *      4  2  version, FG_WAL_VERSION
 *      6  2  zero
 *      8  8  store id, the first half of the manifest's
 *     16  8  epoch
 *     24  8  sequence of its first record
 *     32  8  synced sequence: every record below it was on disk before this group was written
 *     40  4  number of records; 0: a mark, which says of those before that they are on disk
 *     44  4  size in bytes of header and records, without the padding
 *     48  8  digest of its records' checksums, fg_wal_digest() from 0 on
 *     56  8  XXH3 of the 56 bytes before
 * Records follow without gaps:
 *      0  4  size of the payload as stored
 *      4  4  size of the payload, decompressed
 *      8  4  tenant
 *     12  4  flags: 1 = the payload is a zstd frame
 *     16  8  hash of the request, 0: none
 *     24  8  when it was received, ns since 1970
 *     32  8  XXH3 of the payload as stored, seeded with the XXH3 of the 32 bytes before
 *     40     the payload: a frozen block (see block.c)
 *
 * A group's checksum covers its records through theirs, so that a committer need not read again
 * what the appending threads have hashed. Magic, version and the header's checksum stay where they
 * are in every later version. */
#pragma once

#include "base/hash.h"
#include "wal.h"

#define FG_WAL_VERSION            1u
#define FG_WAL_BLOCK_SIZE         ((uint64_t)4096)
#define FG_WAL_GROUP_HEADER_SIZE  ((size_t)64)
#define FG_WAL_RECORD_HEADER_SIZE ((size_t)40)

struct fg_wal_group {
    uint64_t store_id, epoch, first_sequence, synced_sequence;
    uint32_t record_count, size_bytes;
    uint64_t digest;
};

static inline uint64_t fg_wal_digest(uint64_t digest, uint64_t checksum)
{
    return fg_hash_u64(digest ^ checksum);
}

void fg_wal_group_encode(const struct fg_wal_group *group, uint8_t *ret_bytes);
/* FG_EINVALID: no group starts here. FG_EUNSUPPORTED: one of a newer version does. */
FG_MUST_CHECK int fg_wal_group_decode(const uint8_t *bytes, struct fg_wal_group *ret_group);

/* The size and the checksum of the record that starts bytes. FG_ECORRUPT where its size does not
 * fit; whether the checksum is right is not looked at. */
FG_MUST_CHECK int fg_wal_record_peek(struct fg_slice bytes, size_t *ret_size,
                                     uint64_t *ret_checksum);
/* Checks it. payload points into bytes or, decompressed, into *ret_owned, which the caller frees
 * with free(). FG_ECORRUPT, FG_ENOMEM. */
FG_MUST_CHECK int fg_wal_record_decode(struct fg_slice bytes, struct fg_wal_record *ret_record,
                                       uint8_t **ret_owned);

/* FOLDER/wal/NNNNNNNN.wal. FG_ELIMIT: the path is too long. */
#define FG_WAL_PATH_SIZE_MAX 4096
FG_MUST_CHECK int fg_wal_path(const char *folder, uint64_t number,
                              char ret_path[FG_WAL_PATH_SIZE_MAX]);
/* The number in a file's name; 0: it is no WAL file's name. */
uint64_t fg_wal_number_parse(const char *name);
