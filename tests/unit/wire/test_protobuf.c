/* wire/protobuf.h: golden bytes of the encoding's own examples, limits, and inputs that are none.
 */
#include "wire/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t values[] = {
    0, 1, 127, 128, 150, 300, 16383, 16384, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX};

static void varints_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct fg_buffer buffer;
        fg_buffer_init(&buffer, 64);
        fg_pb_put_varint(&buffer, 1, values[i]);
        struct fg_pb_reader reader = fg_pb_reader(fg_buffer_slice(&buffer));
        uint32_t tag;
        uint64_t value;
        assert_int_equal(fg_pb_read_tag(&reader, &tag), 0);
        assert_int_equal(tag, FG_PB_TAG(1, FG_PB_VARINT));
        assert_int_equal(fg_pb_read_varint(&reader, &value), 0);
        assert_true(value == values[i]);
        assert_true(fg_pb_reader_done(&reader));
        /* every shorter piece is refused, and the reader stays */
        for (size_t size = 1; size < buffer.size; size++) {
            reader = fg_pb_reader(fg_slice(buffer.data + 1, size - 1));
            const uint8_t *at = reader.at;
            assert_int_equal(fg_pb_read_varint(&reader, &value), FG_EINVALID);
            assert_ptr_equal(reader.at, at);
        }
        fg_buffer_free(&buffer);
    }
}

static int read_varint(struct fg_slice bytes)
{
    uint64_t value;
    struct fg_pb_reader reader = fg_pb_reader(bytes);
    int r = fg_pb_read_varint(&reader, &value);
    assert_true(r == 0 ? fg_pb_reader_done(&reader) : reader.at == bytes.data);
    return r;
}

static void varints_past_64_bits_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_varint(FG_SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), 0);
    assert_int_equal(read_varint(FG_SLICE("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")), 0);
    assert_int_equal(read_varint(FG_SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")),
                     FG_EINVALID);
    assert_int_equal(read_varint(FG_SLICE("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")),
                     FG_EINVALID);
    assert_int_equal(read_varint(fg_slice(NULL, 0)), FG_EINVALID);
}

static int read_tag(struct fg_slice bytes)
{
    uint32_t tag;
    struct fg_pb_reader reader = fg_pb_reader(bytes);
    int r = fg_pb_read_tag(&reader, &tag);
    assert_true(r == 0 || reader.at == bytes.data);
    return r;
}

static void tags_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_tag(FG_SLICE("\x08")), 0);
    assert_int_equal(read_tag(FG_SLICE("\xff\xff\xff\xff\x0f")), FG_EINVALID); /* wire type 7 */
    assert_int_equal(read_tag(FG_SLICE("\xfd\xff\xff\xff\x0f")), 0);           /* 2^29 - 1 */
    assert_int_equal(read_tag(FG_SLICE("\x80\x80\x80\x80\x10")), FG_EINVALID); /* 2^29 */
    assert_int_equal(read_tag(FG_SLICE("\x00")), FG_EINVALID);                 /* number 0 */
    assert_int_equal(read_tag(FG_SLICE("\x0b")), FG_EINVALID);                 /* groups */
    assert_int_equal(read_tag(FG_SLICE("\x0c")), FG_EINVALID);
    assert_int_equal(read_tag(FG_SLICE("\x0e")), FG_EINVALID);
}

static void lengths_past_the_end_are_refused(void **state)
{
    (void)state;
    struct fg_slice bytes;
    struct fg_pb_reader reader = fg_pb_reader(FG_SLICE("\x03"
                                                       "abcd"));
    assert_int_equal(fg_pb_read_bytes(&reader, &bytes), 0);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    struct fg_slice past[] = {FG_SLICE("\x04"
                                       "abc"),
                              FG_SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                       "abc"),
                              FG_SLICE("\xff\xff\xff\xff\x0f"
                                       "abc")};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        reader = fg_pb_reader(past[i]);
        assert_int_equal(fg_pb_read_bytes(&reader, &bytes), FG_EINVALID);
        assert_ptr_equal(reader.at, past[i].data);
    }
}

static void skip_knows_each_wire_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        size_t size;
    } items[] = {{FG_PB_VARINT, 2}, {FG_PB_FIXED64, 8}, {FG_PB_BYTES, 5}, {FG_PB_FIXED32, 4}};
    static const uint8_t bytes[][8] = {{0x96, 0x01}, {0}, {4, 1, 2, 3, 4}, {0}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t size = 0; size <= items[i].size; size++) {
            struct fg_pb_reader reader = fg_pb_reader(fg_slice(bytes[i], size));
            int r = fg_pb_skip(&reader, FG_PB_TAG(9, items[i].type));
            assert_int_equal(r, size < items[i].size ? FG_EINVALID : 0);
            assert_ptr_equal(reader.at, bytes[i] + (r == 0 ? size : 0));
        }
    }
    struct fg_pb_reader reader = fg_pb_reader(FG_SLICE("\x00\x00\x00"));
    assert_int_equal(fg_pb_skip(&reader, FG_PB_TAG(9, 3)), FG_EINVALID);
}

static void golden_bytes(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 256);
    fg_pb_put_varint(&buffer, 1, 150);
    fg_pb_put_bytes(&buffer, 2, FG_SLICE("testing"));
    fg_pb_put_fixed32(&buffer, 16, 0x01020304);
    fg_pb_put_fixed64(&buffer, 3, UINT64_C(0x0102030405060708));
    fg_pb_put_double(&buffer, 4, 1.0);
    static const uint8_t golden[] =
        "\x08\x96\x01\x12\x07testing\x85\x01\x04\x03\x02\x01\x19\x08\x07\x06\x05\x04\x03\x02\x01"
        "\x21\x00\x00\x00\x00\x00\x00\xf0\x3f";
    assert_int_equal(buffer.size, sizeof golden - 1);
    assert_memory_equal(buffer.data, golden, buffer.size);
    fg_buffer_free(&buffer);
}

/* Around each size at which a length takes a byte more, two levels deep. */
static void nested_messages_get_their_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 120, 123, 124, 125, 126, 127, 128, 16380, 16384, 2100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fg_buffer buffer;
        uint8_t *content = calloc(1, sizes[i] + 1);
        assert_non_null(content);
        memset(content, 'x', sizes[i]);
        fg_buffer_init(&buffer, 4 << 20);
        size_t outer = fg_pb_begin(&buffer, 1);
        size_t inner = fg_pb_begin(&buffer, 2);
        fg_pb_put_bytes(&buffer, 3, fg_slice(content, sizes[i]));
        fg_pb_end(&buffer, inner);
        fg_pb_put_varint(&buffer, 4, 7);
        fg_pb_end(&buffer, outer);
        assert_int_equal(buffer.error, 0);

        struct fg_slice message = fg_buffer_slice(&buffer);
        for (uint32_t number = 1; number <= 3; number++) {
            struct fg_pb_reader reader = fg_pb_reader(message);
            uint32_t tag;
            assert_int_equal(fg_pb_read_tag(&reader, &tag), 0);
            assert_int_equal(tag, FG_PB_TAG(number, FG_PB_BYTES));
            assert_int_equal(fg_pb_read_bytes(&reader, &message), 0);
            assert_int_equal(reader.end - reader.at, number == 2 ? 2 : 0);
        }
        assert_int_equal(message.size, sizes[i]);
        assert_memory_equal(message.data, content, sizes[i]);
        fg_buffer_free(&buffer);
        free(content);
    }
}

static void a_full_buffer_keeps_its_error(void **state)
{
    (void)state;
    uint8_t content[126] = {0};
    struct fg_buffer buffer;
    /* All fits but the second byte of the length. */
    fg_buffer_init(&buffer, 130);
    size_t mark = fg_pb_begin(&buffer, 1);
    fg_pb_put_bytes(&buffer, 1, fg_slice(content, sizeof content));
    assert_int_equal(buffer.error, 0);
    fg_pb_end(&buffer, mark);
    assert_int_equal(buffer.error, FG_ELIMIT);
    mark = fg_pb_begin(&buffer, 1);
    fg_pb_end(&buffer, mark);
    assert_int_equal(buffer.error, FG_ELIMIT);
    fg_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_read_back),
        cmocka_unit_test(varints_past_64_bits_are_refused),
        cmocka_unit_test(tags_that_cannot_be_are_refused),
        cmocka_unit_test(lengths_past_the_end_are_refused),
        cmocka_unit_test(skip_knows_each_wire_type),
        cmocka_unit_test(golden_bytes),
        cmocka_unit_test(nested_messages_get_their_lengths),
        cmocka_unit_test(a_full_buffer_keeps_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
