/* The pure codecs of net/grpc.h, and the names of net/counters.h. */
#include "net/counters.h"
#include "net/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void frames(void **state)
{
    (void)state;
    struct fg_grpc_frame frame = {.compressed = true};
    assert_int_equal(fg_grpc_unframe((struct fg_slice){0}, &frame), FG_EINVALID);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\0\0\0"), &frame), FG_EINVALID);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\2\0\0\0\0"), &frame), FG_EINVALID);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\0\0\0\3ab"), &frame), FG_EINVALID);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\xff\xff\xff\xff"
                                              "ab"),
                                     &frame),
                     FG_EINVALID);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\0\0\0\1ab"), &frame), FG_EUNSUPPORTED);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\0\0\0\0\0\0\0\0\0"), &frame), FG_EUNSUPPORTED);
    assert_true(frame.compressed); /* untouched on failure */
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\0\0\0\0\0"), &frame), 0);
    assert_false(frame.compressed);
    assert_int_equal(frame.message.size, 0);
    assert_int_equal(fg_grpc_unframe(FG_SLICE("\1\0\0\0\2ab"), &frame), 0);
    assert_true(frame.compressed);
    assert_true(fg_slice_equal(frame.message, FG_SLICE("ab")));
}

static void timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"1n", 1},
        {"7u", 7000},
        {"250m", 250000000},
        {"1S", 1000000000},
        {"2M", UINT64_C(120000000000)},
        {"1H", UINT64_C(3600000000000)},
        {"00000005S", UINT64_C(5000000000)},
        {"99999999H", UINT64_MAX},
    };
    static const char *const bad[] = {"",     "S",          "5",   "5s", "-5S",
                                      "5.0S", "123456789S", " 5S", "5SS"};
    uint64_t ns = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fg_grpc_timeout_parse(fg_slice_from_string(bad[i]), &ns), FG_EINVALID);
    assert_int_equal(ns, 42);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(fg_grpc_timeout_parse(fg_slice_from_string(good[i].text), &ns), 0);
        assert_true(ns == good[i].ns);
    }
}

static void messages(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 1024);
    fg_grpc_message_encode(&buffer, FG_SLICE("100% of it\r\n\xe2\x82\xac~ \x7f"));
    assert_true(
        fg_slice_equal(fg_buffer_slice(&buffer), FG_SLICE("100%25 of it%0D%0A%E2%82%AC~ %7F")));
    fg_buffer_free(&buffer);
}

static void every_refusal_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < FG_REFUSAL_COUNT; i++) {
        const char *name = fg_refusal_name((enum fg_refusal_reason)i);
        assert_non_null(name);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, fg_refusal_name((enum fg_refusal_reason)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(messages),
        cmocka_unit_test(every_refusal_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
