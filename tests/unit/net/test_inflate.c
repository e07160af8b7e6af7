/* net/inflate.h against what libdeflate and zstd compress: several members, bombs, bytes cut short
 * and bytes at random. The output is reserved exactly, so that AddressSanitizer sees an overrun. */
#include "net/inflate.h"

#include "base/hash.h"
#include "base/limits.h"

#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zstd.h>

#include <cmocka.h>

struct room {
    struct fg_inflate_out out;
    size_t reserved_max;
    int refuse; /* what reserve returns, or 0 */
};

static int reserve(struct fg_inflate_out *out, size_t size_min)
{
    struct room *room = (struct room *)out;
    if (room->refuse)
        return room->refuse;
    assert_true(size_min <= out->size_max);
    uint8_t *data = malloc(size_min);
    assert_non_null(data);
    if (out->size)
        memcpy(data, out->data, out->size);
    free(out->data);
    out->data = data;
    out->capacity = size_min;
    if (size_min > room->reserved_max)
        room->reserved_max = size_min;
    return 0;
}

static struct room room_new(size_t size_max)
{
    return (struct room){.out = {.reserve = reserve, .size_max = size_max}};
}

static struct fg_inflater *inflater;

static int set_up(void **state)
{
    (void)state;
    return fg_inflater_new(&inflater);
}

static int tear_down(void **state)
{
    (void)state;
    fg_inflater_free(inflater);
    return 0;
}

/* Text that compresses as spans do: some words, some numbers. */
static struct fg_buffer text_new(size_t size)
{
    struct fg_buffer text;
    fg_buffer_init(&text, size + 64);
    for (uint64_t i = 0; text.size < size; i++)
        fg_buffer_append_format(&text, "span %llx of trace %llu; ",
                                (unsigned long long)fg_hash_u64(i), (unsigned long long)i / 13);
    text.size = size;
    assert_int_equal(text.error, 0);
    return text;
}

static void append_packed(struct fg_buffer *packed, enum fg_encoding encoding, struct fg_slice text)
{
    size_t bound = text.size + text.size / 2 + 1024;
    uint8_t *p = fg_buffer_reserve(packed, bound);
    assert_non_null(p);
    if (encoding == FG_ENCODING_ZSTD) {
        size_t size = ZSTD_compress(p, bound, text.data, text.size, 3);
        assert_false(ZSTD_isError(size));
        packed->size += size;
        return;
    }
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    size_t size = encoding == FG_ENCODING_GZIP
                      ? libdeflate_gzip_compress(compressor, text.data, text.size, p, bound)
                      : libdeflate_zlib_compress(compressor, text.data, text.size, p, bound);
    assert_true(size > 0);
    packed->size += size;
    libdeflate_free_compressor(compressor);
}

static const enum fg_encoding packers[] = {FG_ENCODING_GZIP, FG_ENCODING_ZSTD, FG_ENCODING_DEFLATE};
#define PACKER_COUNT (sizeof packers / sizeof *packers)

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum fg_encoding encoding;
    } good[] = {
        {"", FG_ENCODING_IDENTITY},       {"identity", FG_ENCODING_IDENTITY},
        {"gzip", FG_ENCODING_GZIP},       {"GZip", FG_ENCODING_GZIP},
        {"x-gzip", FG_ENCODING_GZIP},     {"zstd", FG_ENCODING_ZSTD},
        {"deflate", FG_ENCODING_DEFLATE},
    };
    static const char *const bad[] = {"br", "gzip, zstd", "gzi", "gzipp", " gzip", "snappy"};
    enum fg_encoding encoding;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(fg_encoding_parse(fg_slice_from_string(good[i].name), &encoding), 0);
        assert_int_equal(encoding, good[i].encoding);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fg_encoding_parse(fg_slice_from_string(bad[i]), &encoding),
                         FG_EUNSUPPORTED);
}

static void round_trips(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 17, 4096, 70000, 3000000};
    for (size_t p = 0; p < PACKER_COUNT; p++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct fg_buffer text = text_new(sizes[i]), packed;
            fg_buffer_init(&packed, 8 << 20);
            append_packed(&packed, packers[p], fg_buffer_slice(&text));
            struct room room = room_new(sizes[i]); /* the bound itself fits */
            assert_int_equal(fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out),
                             0);
            assert_int_equal(room.out.size, text.size);
            if (text.size)
                assert_memory_equal(room.out.data, text.data, text.size);
            free(room.out.data);
            if (sizes[i] > 0) {
                room = room_new(sizes[i] - 1); /* and one byte less does not */
                assert_int_equal(
                    fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out),
                    FG_ELIMIT);
                free(room.out.data);
            }
            fg_buffer_free(&text);
            fg_buffer_free(&packed);
        }
    }
}

static void appends_to_what_is_there(void **state)
{
    (void)state;
    struct room room = room_new(10);
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_IDENTITY, FG_SLICE("abc"), &room.out), 0);
    struct fg_buffer packed;
    fg_buffer_init(&packed, 4096);
    append_packed(&packed, FG_ENCODING_GZIP, FG_SLICE("defg"));
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_GZIP, fg_buffer_slice(&packed), &room.out),
                     0);
    assert_true(fg_slice_equal(fg_slice(room.out.data, room.out.size), FG_SLICE("abcdefg")));
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_IDENTITY, FG_SLICE("hijk"), &room.out),
                     FG_ELIMIT);
    free(room.out.data);
    fg_buffer_free(&packed);
}

/* The bound is over all members together, and the room grows with them. */
static void several_members(void **state)
{
    (void)state;
    static const enum fg_encoding several[] = {FG_ENCODING_GZIP, FG_ENCODING_ZSTD};
    struct fg_buffer text = text_new(30000);
    for (size_t p = 0; p < 2; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, 8 << 20);
        for (int i = 0; i < 40; i++)
            append_packed(&packed, several[p], fg_buffer_slice(&text));
        struct room room = room_new(40 * text.size);
        assert_int_equal(fg_inflate(inflater, several[p], fg_buffer_slice(&packed), &room.out), 0);
        assert_int_equal(room.out.size, 40 * text.size);
        for (size_t i = 0; i < 40; i++)
            assert_memory_equal(room.out.data + i * text.size, text.data, text.size);
        free(room.out.data);
        room = room_new(40 * text.size - 1);
        assert_int_equal(fg_inflate(inflater, several[p], fg_buffer_slice(&packed), &room.out),
                         FG_ELIMIT);
        free(room.out.data);
        fg_buffer_free(&packed);
    }
    fg_buffer_free(&text);
}

static void empty_members_are_counted(void **state)
{
    (void)state;
    static const enum fg_encoding several[] = {FG_ENCODING_GZIP, FG_ENCODING_ZSTD};
    for (size_t p = 0; p < 2; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, 8 << 20);
        for (unsigned i = 0; i < FG_INFLATE_PARTS_MAX; i++)
            append_packed(&packed, several[p], (struct fg_slice){0});
        struct room room = room_new(1000);
        assert_int_equal(fg_inflate(inflater, several[p], fg_buffer_slice(&packed), &room.out), 0);
        assert_int_equal(room.out.size, 0);
        append_packed(&packed, several[p], (struct fg_slice){0});
        assert_int_equal(fg_inflate(inflater, several[p], fg_buffer_slice(&packed), &room.out),
                         FG_ELIMIT);
        free(room.out.data);
        fg_buffer_free(&packed);
    }
}

static void bombs(void **state)
{
    (void)state;
    size_t size = (size_t)64 << 20;
    uint8_t *zeroes = calloc(1, size);
    assert_non_null(zeroes);
    for (size_t p = 0; p < PACKER_COUNT; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, (size_t)1 << 30);
        append_packed(&packed, packers[p], fg_slice(zeroes, size));
        struct room room = room_new((size_t)1 << 20);
        assert_int_equal(fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out),
                         FG_ELIMIT);
        assert_true(room.reserved_max <= (size_t)1 << 20);
        free(room.out.data);
        fg_buffer_free(&packed);
    }
    free(zeroes);
}

/* A member that lies about its size is not believed past a few times its input. */
static void a_lie_about_the_size_reserves_little(void **state)
{
    (void)state;
    struct fg_buffer packed;
    fg_buffer_init(&packed, 4096);
    append_packed(&packed, FG_ENCODING_GZIP, FG_SLICE("hello"));
    memset(packed.data + packed.size - 4, 0xff, 4);
    struct room room = room_new((size_t)64 << 20);
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_GZIP, fg_buffer_slice(&packed), &room.out),
                     FG_EINVALID);
    assert_true(room.reserved_max <= 64 * packed.size);
    free(room.out.data);
    fg_buffer_free(&packed);
}

/* Every cut of a packed body, and garbage after it, is damage, never success. */
static void cut_short(void **state)
{
    (void)state;
    struct fg_buffer text = text_new(3000);
    for (size_t p = 0; p < PACKER_COUNT; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, 1 << 20);
        append_packed(&packed, packers[p], fg_buffer_slice(&text));
        for (size_t size = 0; size < packed.size; size++) {
            struct room room = room_new(1 << 20);
            assert_int_equal(
                fg_inflate(inflater, packers[p], fg_slice(packed.data, size), &room.out),
                FG_EINVALID);
            free(room.out.data);
        }
        fg_buffer_append_byte(&packed, 0);
        struct room room = room_new(1 << 20);
        assert_int_equal(fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out),
                         FG_EINVALID);
        free(room.out.data);
        fg_buffer_free(&packed);
    }
    fg_buffer_free(&text);
}

static void flipped_and_random_bytes(void **state)
{
    (void)state;
    struct fg_buffer text = text_new(2000);
    for (size_t p = 0; p < PACKER_COUNT; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, 1 << 20);
        append_packed(&packed, packers[p], fg_buffer_slice(&text));
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t chance = fg_hash_u64(i);
            size_t at = (size_t)(chance % packed.size);
            uint8_t before = packed.data[at];
            packed.data[at] ^= (uint8_t)(1u << (chance >> 32) % 8);
            struct room room = room_new(1 << 16);
            int r = fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out);
            assert_true(r == 0 || r == FG_EINVALID || r == FG_ELIMIT);
            free(room.out.data);
            packed.data[at] = before;
        }
        fg_buffer_free(&packed);
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t bytes[8];
            for (uint64_t k = 0; k < 8; k++)
                bytes[k] = fg_hash_u64(i * 8 + k);
            struct room room = room_new(1 << 16);
            assert_int_not_equal(
                fg_inflate(inflater, packers[p], fg_slice(bytes, 1 + i % 64), &room.out), 0);
            free(room.out.data);
        }
    }
    fg_buffer_free(&text);
}

static void append_streamed(struct fg_buffer *packed, struct fg_slice text, int window_log)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_non_null(zstd);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    size_t bound = ZSTD_compressBound(text.size) + 64;
    ZSTD_outBuffer out = {.dst = fg_buffer_reserve(packed, bound), .size = bound};
    ZSTD_inBuffer in = {.src = text.data, .size = text.size};
    /* Two calls: the first must not know that it is all, or the frame would name its size. */
    assert_false(ZSTD_isError(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_continue)));
    assert_int_equal(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), 0);
    packed->size += out.pos;
    ZSTD_freeCCtx(zstd);
}

static void zstd_streams(void **state)
{
    (void)state;
    struct fg_buffer text = text_new(300000), packed;
    fg_buffer_init(&packed, 8 << 20);
    append_streamed(&packed, fg_buffer_slice(&text), 17);
    struct room room = room_new(text.size); /* the frame's checksum comes after the room is full */
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_ZSTD, fg_buffer_slice(&packed), &room.out),
                     0);
    assert_int_equal(room.out.size, text.size);
    assert_memory_equal(room.out.data, text.data, text.size);
    free(room.out.data);
    room = room_new(text.size - 1);
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_ZSTD, fg_buffer_slice(&packed), &room.out),
                     FG_ELIMIT);
    free(room.out.data);
    fg_buffer_reset(&packed);
    append_streamed(&packed, fg_buffer_slice(&text), 25);
    room = room_new((size_t)64 << 20);
    assert_int_equal(fg_inflate(inflater, FG_ENCODING_ZSTD, fg_buffer_slice(&packed), &room.out),
                     FG_ELIMIT);
    free(room.out.data);
    fg_buffer_free(&text);
    fg_buffer_free(&packed);
}

static void what_reserve_says_is_returned(void **state)
{
    (void)state;
    for (size_t p = 0; p < PACKER_COUNT; p++) {
        struct fg_buffer packed;
        fg_buffer_init(&packed, 4096);
        append_packed(&packed, packers[p], FG_SLICE("some text"));
        struct room room = room_new(1 << 20);
        room.refuse = FG_EAGAIN;
        assert_int_equal(fg_inflate(inflater, packers[p], fg_buffer_slice(&packed), &room.out),
                         FG_EAGAIN);
        fg_buffer_free(&packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(appends_to_what_is_there),
        cmocka_unit_test(several_members),
        cmocka_unit_test(empty_members_are_counted),
        cmocka_unit_test(bombs),
        cmocka_unit_test(a_lie_about_the_size_reserves_little),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(flipped_and_random_bytes),
        cmocka_unit_test(zstd_streams),
        cmocka_unit_test(what_reserve_says_is_returned),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
