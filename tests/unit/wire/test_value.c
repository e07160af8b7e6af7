/* wire/otlp_value.h: values there and back, oneofs that are set twice, nesting, and bytes that are
 * no AnyValue. */
#include "base/limits.h"
#include "wire/error.h"
#include "wire/otlp_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_otlp_value decode(struct fg_slice message)
{
    struct fg_otlp_value value;
    assert_int_equal(fg_otlp_value_decode(message, &value), 0);
    return value;
}

static void golden_bytes(void **state)
{
    (void)state;
    static const struct {
        struct fg_otlp_value value;
        const char *bytes;
        size_t size;
    } golden[] = {
        {{.type = FG_OTLP_EMPTY}, "", 0},
        {{.type = FG_OTLP_STRING, .string = FG_SLICE("hi")}, "\x0a\x02hi", 4},
        {{.type = FG_OTLP_BOOL, .boolean = true}, "\x10\x01", 2},
        {{.type = FG_OTLP_INT, .integer = -1}, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {{.type = FG_OTLP_DOUBLE, .number = 1}, "\x21\0\0\0\0\0\0\xf0\x3f", 9},
        {{.type = FG_OTLP_BYTES, .bytes = FG_SLICE("\0\xff")}, "\x3a\x02\0\xff", 4},
        {{.type = FG_OTLP_ARRAY, .encoded = FG_SLICE("\x2a\x02\x0a\x00")}, "\x2a\x02\x0a\x00", 4},
    };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct fg_buffer buffer;
        fg_buffer_init(&buffer, 64);
        fg_otlp_value_encode(&buffer, &golden[i].value);
        assert_int_equal(buffer.error, 0);
        assert_int_equal(buffer.size, golden[i].size);
        if (buffer.size)
            assert_memory_equal(buffer.data, golden[i].bytes, buffer.size);
        struct fg_otlp_value back = decode(fg_buffer_slice(&buffer));
        struct fg_buffer again;
        fg_buffer_init(&again, 64);
        fg_otlp_value_encode(&again, &back);
        assert_int_equal(back.type, golden[i].value.type);
        assert_true(fg_slice_equal(fg_buffer_slice(&again), fg_buffer_slice(&buffer)));
        fg_buffer_free(&again);
        fg_buffer_free(&buffer);
    }
}

/* Around the size at which a length takes a second byte, and with one byte too few. */
static void strings_of_each_size_read_back(void **state)
{
    (void)state;
    uint8_t text[300];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size <= sizeof text; size++) {
        struct fg_buffer buffer;
        struct fg_otlp_value value = fg_otlp_string(fg_slice(text, size)), back;
        fg_buffer_init(&buffer, 400);
        fg_otlp_value_encode(&buffer, &value);
        back = decode(fg_buffer_slice(&buffer));
        assert_int_equal(back.type, FG_OTLP_STRING);
        assert_true(fg_slice_equal(back.string, value.string));
        assert_int_equal(fg_otlp_value_decode(fg_slice(buffer.data, buffer.size - 1), &back),
                         FG_EINVALID);
        fg_buffer_free(&buffer);
    }
}

static void the_last_of_a_oneof_counts(void **state)
{
    (void)state;
    struct fg_otlp_value value = decode(FG_SLICE("\x0a\x01x\x18\x07"));
    assert_int_equal(value.type, FG_OTLP_INT);
    assert_int_equal(value.integer, 7);
    value = decode(FG_SLICE("\x18\x07\x0a\x01x\x42\x01y")); /* field 8 is not known */
    assert_int_equal(value.type, FG_OTLP_STRING);
    assert_true(fg_slice_equal(value.string, FG_SLICE("x")));
}

static size_t count_items(const struct fg_otlp_value *value, int64_t *ret_sum)
{
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    size_t count = 0;
    *ret_sum = 0;
    while (fg_otlp_items_next(&items, &key, &item)) {
        count++;
        if (item.type == FG_OTLP_INT)
            *ret_sum += item.integer;
    }
    assert_false(fg_otlp_items_next(&items, &key, &item));
    return count;
}

/* [1, 2] and [4] of one field are one list; a string between them ends the first. */
static void lists_in_pieces_are_joined(void **state)
{
    (void)state;
    int64_t sum;
    struct fg_otlp_value value = decode(FG_SLICE("\x2a\x08\x0a\x02\x18\x01\x0a\x02\x18\x02"
                                                 "\x48\x05"
                                                 "\x2a\x04\x0a\x02\x18\x04"));
    assert_int_equal(value.type, FG_OTLP_ARRAY);
    assert_int_equal(count_items(&value, &sum), 3);
    assert_int_equal(sum, 7);
    value = decode(FG_SLICE("\x2a\x08\x0a\x02\x18\x01\x0a\x02\x18\x02"
                            "\x0a\x01z"
                            "\x2a\x04\x0a\x02\x18\x04"));
    assert_int_equal(count_items(&value, &sum), 1);
    assert_int_equal(sum, 4);
    value = decode(FG_SLICE("\x2a\x00\x2a\x04\x0a\x02\x18\x04\x2a\x00"));
    assert_int_equal(count_items(&value, &sum), 1);
    value = decode(FG_SLICE("\x18\x09"));
    assert_int_equal(count_items(&value, &sum), 0);
}

static void maps_give_keys_and_values(void **state)
{
    (void)state;
    /* {"a": 1, "": nothing, "c": "x"}; the second's value is missing, the third's comes first */
    struct fg_otlp_value value =
        decode(FG_SLICE("\x32\x17\x0a\x07\x0a\x01"
                        "a\x12\x02\x18\x01\x0a\x00\x0a\x0a\x12\x03\x0a\x01x\x0a\x01"
                        "c\x18\x01"));
    assert_int_equal(value.type, FG_OTLP_KVLIST);
    struct fg_otlp_items items = fg_otlp_items(&value);
    struct fg_otlp_value item;
    struct fg_slice key;
    assert_true(fg_otlp_items_next(&items, &key, &item));
    assert_true(fg_slice_equal(key, FG_SLICE("a")));
    assert_int_equal(item.integer, 1);
    assert_true(fg_otlp_items_next(&items, &key, &item));
    assert_int_equal(key.size, 0);
    assert_int_equal(item.type, FG_OTLP_EMPTY);
    assert_true(fg_otlp_items_next(&items, &key, &item));
    assert_true(fg_slice_equal(key, FG_SLICE("c")));
    assert_true(fg_slice_equal(item.string, FG_SLICE("x")));
    assert_false(fg_otlp_items_next(&items, &key, &item));
}

/* `depth` arrays (or maps) in each other, the innermost empty, written from the inside out. */
static struct fg_slice nested(unsigned depth, bool maps, uint8_t *out, size_t size)
{
    uint8_t *at = out + size;
    for (unsigned level = 0; level < depth; level++) {
        if (level > 0) {
            size_t parts = maps ? 2 : 1; /* KeyValue.value, values */
            for (size_t i = 0; i < parts; i++) {
                size_t inner = (size_t)(out + size - at);
                *--at = (uint8_t)(inner >> 7);
                *--at = (uint8_t)(inner | 0x80);
                *--at = maps && i == 0 ? 0x12 : 0x0a;
            }
        }
        size_t inner = (size_t)(out + size - at);
        *--at = (uint8_t)(inner >> 7);
        *--at = (uint8_t)(inner | 0x80);
        *--at = maps ? 0x32 : 0x2a;
    }
    return fg_slice(at, (size_t)(out + size - at));
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct fg_otlp_value value;
    for (int maps = 0; maps < 2; maps++) {
        struct fg_slice deep = nested(FG_VALUE_DEPTH_MAX, maps, bytes, sizeof bytes);
        assert_int_equal(fg_otlp_value_decode(deep, &value), 0);
        deep = nested(FG_VALUE_DEPTH_MAX + 1, maps, bytes, sizeof bytes);
        assert_int_equal(fg_otlp_value_decode(deep, &value), FG_ELIMIT);
    }
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    struct fg_otlp_value value = {.type = FG_OTLP_BOOL};
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x0a", 1},             /* a string without length */
        {"\x0a\x02x", 3},        /* shorter than it says */
        {"\x08\x01", 2},         /* string_value as a varint */
        {"\x12\x01x", 3},        /* bool_value as bytes */
        {"\x1d\0\0\0\0", 5},     /* int_value as fixed32 */
        {"\x20\x01", 2},         /* double_value as a varint */
        {"\x28\x01", 2},         /* array_value as a varint */
        {"\x21\0\0\0", 4},       /* half a double */
        {"\x2a\x01\x0a", 3},     /* a broken element */
        {"\x2a\x02\x08\x01", 4}, /* values as a varint */
        {"\x2a\x04\x0a\x02\x0a\x05", 6},
        {"\x32\x04\x0a\x02\x08\x01", 6},     /* key as a varint */
        {"\x32\x04\x0a\x02\x10\x01", 6},     /* value as a varint */
        {"\x32\x05\x0a\x03\x12\x01\x0a", 7}, /* a broken value */
        {"\x03", 1},                         /* a group */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int r = fg_otlp_value_decode(fg_slice(bad[i].bytes, bad[i].size), &value);
        if (r != FG_EINVALID)
            fail_msg("case %zu: %d", i, r);
        assert_int_equal(value.type, FG_OTLP_BOOL); /* untouched */
    }
}

static void an_error_is_one_printable_line(void **state)
{
    (void)state;
    struct fg_wire_error error;
    assert_int_equal(fg_wire_fail(&error, FG_EINVALID, "bad %s %d", "a\n\xff\tb", 7), FG_EINVALID);
    assert_string_equal(error.text, "bad a???b 7");
    assert_int_equal(fg_wire_fail(NULL, FG_ELIMIT, "x"), FG_ELIMIT);
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(fg_wire_fail(&error, FG_EINVALID, "%s", text), FG_EINVALID);
    assert_int_equal(strlen(error.text), FG_WIRE_ERROR_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes),
        cmocka_unit_test(strings_of_each_size_read_back),
        cmocka_unit_test(the_last_of_a_oneof_counts),
        cmocka_unit_test(lists_in_pieces_are_joined),
        cmocka_unit_test(maps_give_keys_and_values),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(an_error_is_one_printable_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
