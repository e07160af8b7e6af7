/* Records and group headers to bytes and back. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "os/thread.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#define GROUP_MAGIC       0x47574746u /* "FGWG" */
#define RECORD_COMPRESSED 1u
/* Contexts that are kept; more threads than these make and free their own. */
#define CONTEXTS_MAX      16u
#define COMPRESSION_LEVEL 1

struct fg_wal_codec {
    struct fg_mutex lock;
    ZSTD_CCtx *free[CONTEXTS_MAX];
    unsigned free_count;
};

int fg_wal_codec_new(struct fg_wal_codec **ret_codec)
{
    struct fg_wal_codec *codec = calloc(1, sizeof *codec);
    if (!codec)
        return FG_ENOMEM;
    fg_mutex_init(&codec->lock, FG_RANK_LEAF);
    *ret_codec = codec;
    return 0;
}

void fg_wal_codec_free(struct fg_wal_codec *codec)
{
    if (!codec)
        return;
    while (codec->free_count)
        ZSTD_freeCCtx(codec->free[--codec->free_count]);
    fg_mutex_destroy(&codec->lock);
    free(codec);
}

static ZSTD_CCtx *context_take(struct fg_wal_codec *codec)
{
    fg_mutex_lock(&codec->lock);
    ZSTD_CCtx *context = codec->free_count ? codec->free[--codec->free_count] : NULL;
    fg_mutex_unlock(&codec->lock);
    return context ? context : ZSTD_createCCtx();
}

static void context_give(struct fg_wal_codec *codec, ZSTD_CCtx *context)
{
    fg_mutex_lock(&codec->lock);
    bool is_kept = codec->free_count < CONTEXTS_MAX;
    if (is_kept)
        codec->free[codec->free_count++] = context;
    fg_mutex_unlock(&codec->lock);
    if (!is_kept)
        ZSTD_freeCCtx(context);
}

/* Compresses into room; *ret_size is 0 where that makes it no smaller. */
static int compress(struct fg_wal_codec *codec, struct fg_slice payload, uint8_t *room,
                    size_t room_size, size_t *ret_size)
{
    ZSTD_CCtx *context = context_take(codec);
    if (!context)
        return FG_ENOMEM;
    size_t size =
        ZSTD_compressCCtx(context, room, room_size, payload.data, payload.size, COMPRESSION_LEVEL);
    context_give(codec, context);
    /* The one error that the room cannot cause is a lack of memory: then it is stored as it is. */
    *ret_size = ZSTD_isError(size) || size >= payload.size ? 0 : size;
    return 0;
}

int fg_wal_record_encode(struct fg_wal_codec *codec, const struct fg_wal_record *record,
                         uint8_t **ret_bytes, uint64_t *ret_size)
{
    struct fg_slice payload = record->payload;
    if (payload.size > FG_WAL_RECORD_RAW_SIZE_MAX)
        return FG_ELIMIT;
    uint8_t *bytes = malloc(FG_WAL_RECORD_HEADER_SIZE + payload.size);
    if (!bytes)
        return FG_ENOMEM;
    size_t stored = 0;
    if (payload.size >= FG_WAL_COMPRESS_SIZE_MIN) {
        int r = compress(codec, payload, bytes + FG_WAL_RECORD_HEADER_SIZE, payload.size, &stored);
        if (r < 0) {
            free(bytes);
            return r;
        }
    }
    uint32_t flags = stored ? RECORD_COMPRESSED : 0;
    if (!stored) {
        stored = payload.size;
        if (stored)
            memcpy(bytes + FG_WAL_RECORD_HEADER_SIZE, payload.data, stored);
    }
    fg_store_le32(bytes, (uint32_t)stored);
    fg_store_le32(bytes + 4, (uint32_t)payload.size);
    fg_store_le32(bytes + 8, record->tenant);
    fg_store_le32(bytes + 12, flags);
    fg_store_le64(bytes + 16, record->request_hash);
    fg_store_le64(bytes + 24, record->received_ns);
    uint64_t seed = fg_hash(fg_slice(bytes, 32));
    fg_store_le64(bytes + 32,
                  fg_hash_seeded(fg_slice(bytes + FG_WAL_RECORD_HEADER_SIZE, stored), seed));
    /* What waits in the queue is what is counted there. */
    uint8_t *shrunk = realloc(bytes, FG_WAL_RECORD_HEADER_SIZE + stored);
    *ret_bytes = shrunk ? shrunk : bytes;
    *ret_size = FG_WAL_RECORD_HEADER_SIZE + stored;
    return 0;
}

int fg_wal_record_peek(struct fg_slice bytes, size_t *ret_size, uint64_t *ret_checksum)
{
    if (bytes.size < FG_WAL_RECORD_HEADER_SIZE)
        return FG_ECORRUPT;
    size_t stored = fg_load_le32(bytes.data);
    if (stored > bytes.size - FG_WAL_RECORD_HEADER_SIZE)
        return FG_ECORRUPT;
    *ret_size = FG_WAL_RECORD_HEADER_SIZE + stored;
    *ret_checksum = fg_load_le64(bytes.data + 32);
    return 0;
}

static int decompress(struct fg_slice stored, size_t raw_size, uint8_t **ret_raw)
{
    uint8_t *raw = malloc(raw_size + 1);
    if (!raw)
        return FG_ENOMEM;
    size_t size = ZSTD_decompress(raw, raw_size, stored.data, stored.size);
    if (ZSTD_isError(size) || size != raw_size) {
        free(raw);
        return FG_ECORRUPT;
    }
    *ret_raw = raw;
    return 0;
}

int fg_wal_record_decode(struct fg_slice bytes, struct fg_wal_record *ret_record,
                         uint8_t **ret_owned)
{
    size_t size;
    uint64_t checksum;
    int r = fg_wal_record_peek(bytes, &size, &checksum);
    if (r < 0)
        return r;
    struct fg_slice stored =
        fg_slice(bytes.data + FG_WAL_RECORD_HEADER_SIZE, size - FG_WAL_RECORD_HEADER_SIZE);
    uint64_t seed = fg_hash(fg_slice(bytes.data, 32));
    size_t raw_size = fg_load_le32(bytes.data + 4);
    uint32_t flags = fg_load_le32(bytes.data + 12);
    if (fg_hash_seeded(stored, seed) != checksum || raw_size > FG_WAL_RECORD_RAW_SIZE_MAX)
        return FG_ECORRUPT;
    struct fg_wal_record record = {.tenant = fg_load_le32(bytes.data + 8),
                                   .request_hash = fg_load_le64(bytes.data + 16),
                                   .received_ns = fg_load_le64(bytes.data + 24),
                                   .payload = stored};
    uint8_t *owned = NULL;
    if (flags & RECORD_COMPRESSED) {
        r = decompress(stored, raw_size, &owned);
        if (r < 0)
            return r;
        record.payload = fg_slice(owned, raw_size);
    } else if (raw_size != stored.size) {
        return FG_ECORRUPT;
    }
    *ret_record = record;
    *ret_owned = owned;
    return 0;
}

void fg_wal_group_encode(const struct fg_wal_group *group, uint8_t *ret_bytes)
{
    fg_store_le32(ret_bytes, GROUP_MAGIC);
    fg_store_le16(ret_bytes + 4, FG_WAL_VERSION);
    fg_store_le16(ret_bytes + 6, 0);
    fg_store_le64(ret_bytes + 8, group->store_id);
    fg_store_le64(ret_bytes + 16, group->epoch);
    fg_store_le64(ret_bytes + 24, group->first_sequence);
    fg_store_le64(ret_bytes + 32, group->synced_sequence);
    fg_store_le32(ret_bytes + 40, group->record_count);
    fg_store_le32(ret_bytes + 44, group->size_bytes);
    fg_store_le64(ret_bytes + 48, group->digest);
    fg_store_le64(ret_bytes + 56, fg_hash(fg_slice(ret_bytes, 56)));
}

int fg_wal_group_decode(const uint8_t *bytes, struct fg_wal_group *ret_group)
{
    if (fg_load_le32(bytes) != GROUP_MAGIC ||
        fg_load_le64(bytes + 56) != fg_hash(fg_slice(bytes, 56)))
        return FG_EINVALID;
    if (fg_load_le16(bytes + 4) > FG_WAL_VERSION)
        return FG_EUNSUPPORTED;
    struct fg_wal_group group = {
        .store_id = fg_load_le64(bytes + 8),
        .epoch = fg_load_le64(bytes + 16),
        .first_sequence = fg_load_le64(bytes + 24),
        .synced_sequence = fg_load_le64(bytes + 32),
        .record_count = fg_load_le32(bytes + 40),
        .size_bytes = fg_load_le32(bytes + 44),
        .digest = fg_load_le64(bytes + 48),
    };
    uint64_t size_min =
        FG_WAL_GROUP_HEADER_SIZE + (uint64_t)group.record_count * FG_WAL_RECORD_HEADER_SIZE;
    bool is_mark = group.record_count == 0;
    bool is_sound = (is_mark ? group.size_bytes == size_min : group.size_bytes >= size_min) &&
                    group.first_sequence > 0 &&
                    group.first_sequence <= UINT64_MAX - group.record_count &&
                    group.synced_sequence <= group.first_sequence;
    if (!is_sound)
        return FG_EINVALID;
    *ret_group = group;
    return 0;
}

int fg_wal_path(const char *folder, uint64_t number, char ret_path[FG_WAL_PATH_SIZE_MAX])
{
    int size = snprintf(ret_path, FG_WAL_PATH_SIZE_MAX, "%s/wal/%08llx.wal", folder,
                        (unsigned long long)number);
    return size < 0 || size >= FG_WAL_PATH_SIZE_MAX ? FG_ELIMIT : 0;
}

uint64_t fg_wal_number_parse(const char *name)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        char c = name[i];
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (!is_digit)
            return 0;
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return strcmp(name + 8, ".wal") == 0 ? number : 0;
}
