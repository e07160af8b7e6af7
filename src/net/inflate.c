/* gzip and zlib members are inflated whole by libdeflate, which needs room for all of a member's
 * output beforehand: the room starts at what the member says of itself, never believed past a few
 * times its input, and doubles up to the bound. zstd frames are streamed straight into the output;
 * a frame that names its size, as whole-buffer writers do, then needs no window of its own. */
#include "net/inflate.h"

#include "base/checked.h"
#include "base/endian.h"
#include "base/limits.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <strings.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ROOM_MIN ((size_t)4 << 10)
/* What the first guess of a body's inflated size may be, as a multiple of the body. Protobuf of
 * spans shrinks by 5 to 15. */
#define ROOM_RATIO_MAX  16u
#define GZIP_SIZE_MIN   18u
#define ZSTD_WINDOW_LOG 23
/* RFC 8878 sections 3.1.1 and 3.1.2; libzstd would also read what came before version 0.8. */
#define ZSTD_MAGIC           UINT32_C(0xfd2fb528)
#define ZSTD_SKIPPABLE_MAGIC UINT32_C(0x184d2a50)

_Static_assert((size_t)1 << ZSTD_WINDOW_LOG == FG_INFLATE_WINDOW_SIZE_MAX, "one bound");

struct fg_inflater {
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
};

int fg_inflater_new(struct fg_inflater **ret_inflater)
{
    struct fg_inflater *inflater = calloc(1, sizeof *inflater);
    if (!inflater)
        return FG_ENOMEM;
    inflater->deflate = libdeflate_alloc_decompressor();
    inflater->zstd = ZSTD_createDCtx();
    bool is_made = inflater->deflate && inflater->zstd;
    if (!is_made || ZSTD_isError(ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax,
                                                        ZSTD_WINDOW_LOG))) {
        fg_inflater_free(inflater);
        return FG_ENOMEM;
    }
    *ret_inflater = inflater;
    return 0;
}

void fg_inflater_free(struct fg_inflater *inflater)
{
    if (!inflater)
        return;
    if (inflater->deflate)
        libdeflate_free_decompressor(inflater->deflate);
    ZSTD_freeDCtx(inflater->zstd);
    free(inflater);
}

int fg_encoding_parse(struct fg_slice name, enum fg_encoding *ret_encoding)
{
    static const struct {
        const char *name;
        enum fg_encoding encoding;
    } known[] = {
        {"", FG_ENCODING_IDENTITY}, {"identity", FG_ENCODING_IDENTITY},
        {"gzip", FG_ENCODING_GZIP}, {"x-gzip", FG_ENCODING_GZIP},
        {"zstd", FG_ENCODING_ZSTD}, {"deflate", FG_ENCODING_DEFLATE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (name.size != strlen(known[i].name))
            continue;
        if (name.size && strncasecmp((const char *)name.data, known[i].name, name.size) != 0)
            continue;
        *ret_encoding = known[i].encoding;
        return 0;
    }
    return FG_EUNSUPPORTED;
}

/* Makes room for size bytes after what is written, or for as many as the bound leaves. */
static int make_room(struct fg_inflate_out *out, size_t size)
{
    size_t need;
    if (fg_add_overflow(out->size, size, &need) || need > out->size_max)
        need = out->size_max;
    return need <= out->capacity ? 0 : out->reserve(out, need);
}

/* The next larger room after one that was too small. */
static int make_more_room(struct fg_inflate_out *out)
{
    if (out->capacity >= out->size_max)
        return FG_ELIMIT;
    size_t room = out->capacity - out->size;
    if (room < ROOM_MIN)
        room = ROOM_MIN;
    return make_room(out, room > SIZE_MAX / 2 ? room : room * 2);
}

/* The room at a pointer that is none where nothing was reserved yet. */
static uint8_t *room_of(struct fg_inflate_out *out, uint8_t *none)
{
    return out->data ? out->data + out->size : none;
}

/* Of one gzip member that is the rest of the body the last four bytes are its size; of the first of
 * several they are still a fair guess. */
static size_t guess_size(enum fg_encoding encoding, struct fg_slice rest)
{
    size_t most;
    if (fg_mul_overflow(rest.size, (size_t)ROOM_RATIO_MAX, &most))
        most = SIZE_MAX;
    size_t guess = rest.size > SIZE_MAX / 8 ? rest.size : rest.size * 8;
    if (encoding == FG_ENCODING_GZIP && rest.size >= GZIP_SIZE_MIN)
        guess = fg_load_le32(rest.data + rest.size - 4);
    return guess < most ? guess : most;
}

/* One member at the front of rest. */
static int inflate_member(struct fg_inflater *inflater, enum fg_encoding encoding,
                          struct fg_slice rest, struct fg_inflate_out *out, size_t *ret_used)
{
    uint8_t none;
    int r = make_room(out, guess_size(encoding, rest));
    while (r == 0) {
        size_t capacity = out->capacity < out->size_max ? out->capacity : out->size_max;
        size_t used = 0, made = 0;
        enum libdeflate_result result =
            encoding == FG_ENCODING_GZIP
                ? libdeflate_gzip_decompress_ex(inflater->deflate, rest.data, rest.size,
                                                room_of(out, &none), capacity - out->size, &used,
                                                &made)
                : libdeflate_zlib_decompress_ex(inflater->deflate, rest.data, rest.size,
                                                room_of(out, &none), capacity - out->size, &used,
                                                &made);
        if (result == LIBDEFLATE_SUCCESS) {
            out->size += made;
            *ret_used = used;
            return 0;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return FG_EINVALID;
        r = make_more_room(out);
    }
    return r;
}

static int inflate_members(struct fg_inflater *inflater, enum fg_encoding encoding,
                           struct fg_slice body, struct fg_inflate_out *out)
{
    unsigned parts_max = encoding == FG_ENCODING_GZIP ? FG_INFLATE_PARTS_MAX : 1;
    if (body.size == 0)
        return FG_EINVALID;
    for (unsigned parts = 0; body.size; parts++) {
        size_t used = 0;
        if (parts == parts_max)
            return encoding == FG_ENCODING_GZIP ? FG_ELIMIT : FG_EINVALID;
        int r = inflate_member(inflater, encoding, body, out, &used);
        if (r < 0)
            return r;
        body = fg_slice(body.data + used, body.size - used);
    }
    return 0;
}

static int zstd_error(size_t code)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return FG_ELIMIT;
    case ZSTD_error_memory_allocation:
        return FG_ENOMEM;
    default:
        return FG_EINVALID;
    }
}

static bool is_frame(struct fg_slice rest)
{
    if (rest.size < 4)
        return false;
    uint32_t magic = fg_load_le32(rest.data);
    return magic == ZSTD_MAGIC || (magic & ~UINT32_C(15)) == ZSTD_SKIPPABLE_MAGIC;
}

/* One frame at the front of rest. */
static int inflate_frame(struct fg_inflater *inflater, struct fg_slice rest,
                         struct fg_inflate_out *out, size_t *ret_used)
{
    unsigned long long known = ZSTD_getFrameContentSize(rest.data, rest.size);
    if (!is_frame(rest) || known == ZSTD_CONTENTSIZE_ERROR)
        return FG_EINVALID;
    size_t guess = guess_size(FG_ENCODING_ZSTD, rest);
    if (known != ZSTD_CONTENTSIZE_UNKNOWN && known > out->size_max - out->size)
        return FG_ELIMIT;
    if (known != ZSTD_CONTENTSIZE_UNKNOWN)
        guess = (size_t)known;
    int r = make_room(out, guess);
    if (r < 0)
        return r;
    ZSTD_DCtx_reset(inflater->zstd, ZSTD_reset_session_only);
    ZSTD_inBuffer in = {.src = rest.data, .size = rest.size};
    for (;;) {
        uint8_t none;
        size_t capacity = out->capacity < out->size_max ? out->capacity : out->size_max;
        ZSTD_outBuffer room = {.dst = room_of(out, &none), .size = capacity - out->size};
        size_t more = ZSTD_decompressStream(inflater->zstd, &room, &in);
        if (ZSTD_isError(more))
            return zstd_error(more);
        out->size += room.pos;
        if (more == 0)
            break;
        if (room.pos < room.size)
            return FG_EINVALID; /* it wants bytes that are not there */
        r = make_more_room(out);
        if (r < 0)
            return r;
    }
    *ret_used = in.pos;
    return 0;
}

static int inflate_frames(struct fg_inflater *inflater, struct fg_slice body,
                          struct fg_inflate_out *out)
{
    if (body.size == 0)
        return FG_EINVALID;
    for (unsigned parts = 0; body.size; parts++) {
        size_t used = 0;
        if (parts == FG_INFLATE_PARTS_MAX)
            return FG_ELIMIT;
        int r = inflate_frame(inflater, body, out, &used);
        if (r < 0)
            return r;
        body = fg_slice(body.data + used, body.size - used);
    }
    return 0;
}

static int copy_body(struct fg_slice body, struct fg_inflate_out *out)
{
    if (body.size > out->size_max - out->size)
        return FG_ELIMIT;
    int r = make_room(out, body.size);
    if (r < 0)
        return r;
    if (body.size)
        memcpy(out->data + out->size, body.data, body.size);
    out->size += body.size;
    return 0;
}

int fg_inflate(struct fg_inflater *inflater, enum fg_encoding encoding, struct fg_slice body,
               struct fg_inflate_out *out)
{
    if (out->size > out->size_max)
        return FG_ELIMIT;
    switch (encoding) {
    case FG_ENCODING_IDENTITY:
        return copy_body(body, out);
    case FG_ENCODING_ZSTD:
        return inflate_frames(inflater, body, out);
    default:
        return inflate_members(inflater, encoding, body, out);
    }
}
