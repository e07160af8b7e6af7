/* Answers of S3 servers in XML, whole, cut, hostile; what they mean; names of canaries; URLs. */
#include "kind_s3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char error_text[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>NoSuchBucket</Code><Message>The "
    "specified "
    "bucket does not exist.</Message><BucketName>models</BucketName></Error>";

static void an_error_has_a_code(void **state)
{
    (void)state;
    char code[FG_S3_CODE_SIZE] = "before";
    assert_int_equal(fg_s3_read_error(fg_slice_from_string(error_text), code), 0);
    assert_string_equal(code, "NoSuchBucket");
    for (size_t size = 0; size < sizeof error_text - 1; size++)
        assert_int_equal(fg_s3_read_error(fg_slice(error_text, size), code), FG_EINVALID);
    static const char *const wrong[] = {"",
                                        "no",
                                        "{}",
                                        "<Error/>",
                                        "<Error><Message>x</Message></Error>",
                                        "<Error><Code/></Error>",
                                        "<html><Error><Code>Deep</Code></Error></html>",
                                        "<a><Code>Other</Code></a>",
                                        "<Error><Other><Code>Deeper</Code></Other></Error>"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (fg_s3_read_error(fg_slice_from_string(wrong[i]), code) != FG_EINVALID)
            fail_msg("%s gives %s", wrong[i], code);
    assert_string_equal(code, "NoSuchBucket"); /* untouched */
}

static void a_code_is_a_word(void **state)
{
    (void)state;
    char code[FG_S3_CODE_SIZE], text[400] = "<Error><Code>Line&#10;<b>bold</b>Feed <![CDATA[&x;]]>";
    assert_int_equal(
        fg_s3_read_error(FG_SLICE("<Error xmlns='urn:x'><Code>a&#10;b c%s</Code></Error>"), code),
        0);
    assert_string_equal(code, "abcs");
    (void)text;
    /* One that is longer than its room is none, rather than half of one. */
    size_t size = (size_t)snprintf(text, sizeof text, "<Error><Code>");
    memset(text + size, 'x', 300);
    snprintf(text + size + 300, sizeof text - size - 300, "</Code></Error>");
    assert_int_equal(fg_s3_read_error(fg_slice_from_string(text), code), FG_EINVALID);
}

static void document_types_are_refused(void **state)
{
    (void)state;
    char code[FG_S3_CODE_SIZE] = "";
    assert_int_equal(fg_s3_read_error(FG_SLICE("<!DOCTYPE Error [<!ENTITY a 'aaaa'><!ENTITY b "
                                               "'&a;&a;&a;&a;'>]><Error><Code>&b;</Code></Error>"),
                                      code),
                     FG_EINVALID);
    assert_int_equal(
        fg_s3_read_error(
            FG_SLICE("<!DOCTYPE Error SYSTEM 'file:///etc/passwd'><Error><Code>x</Code>"
                     "</Error>"),
            code),
        FG_EINVALID);
    assert_string_equal(code, "");
}

static int key_count;
static char last_key[FG_S3_KEY_SIZE];

static void count_key(void *arg, const char *key)
{
    (void)arg;
    key_count++;
    snprintf(last_key, sizeof last_key, "%s", key);
}

static void a_listing_has_keys(void **state)
{
    (void)state;
    static const char text[] =
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>models</Name>"
        "<Contents><Key>c/1</Key><Size>3</Size></Contents><Contents><Key>c/2&amp;x</"
        "Key><Owner><Key>"
        "no</Key></Owner></Contents><CommonPrefixes><Key>no</Key></CommonPrefixes></"
        "ListBucketResult>";
    key_count = 0;
    assert_int_equal(fg_s3_read_list(fg_slice_from_string(text), count_key, NULL), 0);
    assert_int_equal(key_count, 2);
    assert_string_equal(last_key, "c/2&x");
    assert_int_equal(fg_s3_read_list(FG_SLICE("<ListBucketResult/>"), count_key, NULL), 0);
    assert_int_equal(fg_s3_read_list(fg_slice_from_string(error_text), count_key, NULL),
                     FG_EINVALID);
    assert_int_equal(key_count, 2);
}

static void what_a_refusal_means(void **state)
{
    (void)state;
    assert_int_equal(fg_s3_refusal_of(403, "SignatureDoesNotMatch"), FG_S3_IDENTITY);
    assert_int_equal(fg_s3_refusal_of(403, "AccessDenied"), FG_S3_RIGHT);
    assert_int_equal(fg_s3_refusal_of(403, "QuotaExceeded"), FG_S3_SPACE);
    assert_int_equal(fg_s3_refusal_of(400, "EntityTooLarge"), FG_S3_SPACE);
    assert_int_equal(fg_s3_refusal_of(403, "RequestTimeTooSkewed"), FG_S3_CLOCK);
    assert_int_equal(fg_s3_refusal_of(404, "NoSuchBucket"), FG_S3_BUCKET);
    assert_int_equal(fg_s3_refusal_of(503, "SlowDown"), FG_S3_SLOW);
    assert_int_equal(fg_s3_refusal_of(413, ""), FG_S3_SPACE);
    assert_int_equal(fg_s3_refusal_of(507, ""), FG_S3_SPACE);
    assert_int_equal(fg_s3_refusal_of(500, "InternalError"), FG_S3_BROKEN);
    assert_int_equal(fg_s3_refusal_of(302, ""), FG_S3_OTHER);
}

static void canaries_alone_are_canaries(void **state)
{
    (void)state;
    char key[FG_S3_KEY_SIZE];
    uint64_t wall_ns = 0;
    fg_s3_key_format("filigree/canary", UINT64_C(0x1122334455667788), 7, key);
    assert_string_equal(key, "filigree/canary/1122334455667788-0000000000000007");
    assert_true(fg_s3_key_parse("filigree/canary", key, &wall_ns));
    assert_true(wall_ns == UINT64_C(0x1122334455667788));
    static const char *const others[] = {"filigree/canary/1122334455667788-000000000000000",
                                         "filigree/canary/model.stl",
                                         "filigree/canary/1122334455667788-0000000000000007x",
                                         "1122334455667788-0000000000000007",
                                         "filigree/canary/112233445566778G-0000000000000007",
                                         "filigree/canaryX1122334455667788-0000000000000007",
                                         "filigree/canary/1122334455667788_0000000000000007",
                                         ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(fg_s3_key_parse("filigree/canary", others[i], &wall_ns));
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    char host[256];
    uint16_t port;
    const char *why;
    assert_true(fg_web_url_split("http://s3.internal:9000/", host, &port, &why));
    assert_string_equal(host, "s3.internal");
    assert_int_equal(port, 9000);
    assert_true(fg_web_url_split("https://[::1]", host, &port, &why));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 443);
    static const char *const wrong[] = {
        "",        "s3.internal", "ftp://a/", "http://a:b@c/", "http://a/?x=1", "http://a/#b",
        "http://", "file:///etc"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (fg_web_url_split(wrong[i], host, &port, &why))
            fail_msg("%s", wrong[i]);
    struct fg_buffer url;
    fg_buffer_init(&url, 64);
    fg_web_url_append(&url, "/a b%\xc3\xa4");
    assert_true(fg_slice_equal(fg_buffer_slice(&url), FG_SLICE("%2Fa%20b%25%C3%A4")));
    fg_buffer_free(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_a_code),        cmocka_unit_test(a_code_is_a_word),
        cmocka_unit_test(document_types_are_refused), cmocka_unit_test(a_listing_has_keys),
        cmocka_unit_test(what_a_refusal_means),       cmocka_unit_test(canaries_alone_are_canaries),
        cmocka_unit_test(urls_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
