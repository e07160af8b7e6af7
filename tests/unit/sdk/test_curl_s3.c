/* URLs without their secrets, and S3 requests told apart. */
#include "curl/s3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_url(const char *text, const char *expected)
{
    struct fg_url url;
    struct fg_buffer out;
    assert_true(fg_url_parse(text, &url));
    fg_buffer_init(&out, 4096);
    fg_url_redact(&url, &out);
    assert_string_equal(fg_tell_text(&out), expected);
    fg_buffer_free(&out);
}

static void test_urls_lose_their_secrets(void **state)
{
    (void)state;
    check_url("https://shop.example/a/b?c=d&e#f", "https://shop.example/a/b?c=REDACTED&e");
    check_url("HTTP://u:p@w@Host:8080", "HTTP://REDACTED:REDACTED@Host:8080/");
    check_url("https://u@host:443/x", "https://REDACTED@host/x");
    check_url("host/x", "http://host/x");
    check_url("http://[::1]:90/x?", "http://[::1]:90/x");
    check_url("http://[::1/x", "http://[::1]/x");
    check_url("http://h?a==b&&=c&d=", "http://h/?a=REDACTED&&=REDACTED&d");
    check_url("http://h:99999/", "http://h/");
    struct fg_url url;
    assert_false(fg_url_parse("", &url));
    assert_false(fg_url_parse(NULL, &url));
    assert_false(fg_url_parse("http:///x", &url));
}

static void check_text(struct fg_slice text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data ? text.data : (const uint8_t *)"", expected, text.size);
}

static void check_s3(const char *method, const char *address, const char *operation,
                     const char *bucket, const char *key)
{
    struct fg_url url;
    struct fg_s3_request request;
    assert_true(fg_url_parse(address, &url));
    fg_s3_recognise(method, &url, "s3.local, store.example", strstr(address, "copy") != NULL,
                    &request);
    if (operation)
        assert_string_equal(request.operation, operation);
    else
        assert_null(request.operation);
    check_text(request.bucket, bucket);
    check_text(request.key, key);
}

static void test_s3_requests_are_told_apart(void **state)
{
    (void)state;
    check_s3("GET", "http://h/", "ListBuckets", "", "");
    check_s3("GET", "http://h", "ListBuckets", "", "");
    check_s3("GET", "http://h/b", "ListObjects", "b", "");
    check_s3("GET", "http://h/b/?list-type=2", "ListObjectsV2", "b", "");
    check_s3("PUT", "http://h/b", "CreateBucket", "b", "");
    check_s3("POST", "http://h/b?delete", "DeleteObjects", "b", "");
    check_s3("GET", "http://h/b/k/l%20m", "GetObject", "b", "k/l%20m");
    check_s3("HEAD", "http://h/b/k", "HeadObject", "b", "k");
    check_s3("PUT", "http://h/b/k?x-id=1", "PutObject", "b", "k");
    check_s3("PUT", "http://h/b/copy", "CopyObject", "b", "copy");
    check_s3("PUT", "http://h/b/k?partNumber=2&uploadId=u", "UploadPart", "b", "k");
    check_s3("PUT", "http://h/b/copy?partNumber=2&uploadId=u", "UploadPartCopy", "b", "copy");
    check_s3("POST", "http://h/b/k?uploads", "CreateMultipartUpload", "b", "k");
    check_s3("POST", "http://h/b/k?uploadId=u", "CompleteMultipartUpload", "b", "k");
    check_s3("DELETE", "http://h/b/k?uploadId=u", "AbortMultipartUpload", "b", "k");
    check_s3("DELETE", "http://h/b/k", "DeleteObject", "b", "k");
    check_s3("PATCH", "http://h/b/k", NULL, "b", "k");
    check_s3("GET", "https://b.s3.eu-west-1.amazonaws.com/k", "GetObject", "b", "k");
    check_s3("GET", "https://b.c.s3.amazonaws.com/", "ListObjects", "b.c", "");
    check_s3("GET", "https://s3.eu-west-1.amazonaws.com/b/k", "GetObject", "b", "k");
    check_s3("GET", "https://s3-eu-west-1.amazonaws.com/b/k", "GetObject", "b", "k");
    check_s3("GET", "https://b.s3.local/k", "GetObject", "b", "k");
    check_s3("GET", "https://b.store.example/", "ListObjects", "b", "");
    check_s3("GET", "https://s3.local/b/k", "GetObject", "b", "k");
    check_s3("GET", "https://others3.local/b/k", "GetObject", "b", "k");
}

static void test_s3_error_codes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>m</Message></Error>",
         "NoSuchKey"},
        {"<Error><Message>m</Message><Code>A.B_c</Code>", "A.B_c"},
        {"<Code>NoSuchKey</Code>", ""},
        {"<Error><Code>No such</Code>", ""},
        {"<Error><Code>NoSuch", ""},
        {"<Error><Code>", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_text(fg_s3_error_code(fg_slice_from_string(cases[i].body)), cases[i].code);
}

static void test_query_values(void **state)
{
    (void)state;
    struct fg_slice query = FG_SLICE("a=1&bb=2&c&d=");
    check_text(fg_url_query_value(query, "a"), "1");
    check_text(fg_url_query_value(query, "bb"), "2");
    assert_non_null(fg_url_query_value(query, "c").data);
    assert_non_null(fg_url_query_value(query, "d").data);
    assert_null(fg_url_query_value(query, "b").data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_lose_their_secrets),
        cmocka_unit_test(test_s3_requests_are_told_apart),
        cmocka_unit_test(test_s3_error_codes),
        cmocka_unit_test(test_query_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
