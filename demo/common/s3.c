#include "s3.h"
#include "service.h"

#include <filigree_curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS_MAX  5L
#define TRANSFER_SECONDS_MAX 60L
#define ANSWER_SIZE_MAX      ((size_t)65536)
#define URL_SIZE             512

struct s3 {
    const char *endpoint;
    const char *access_key, *secret_key;
};

/* A body on its way in or out. */
struct body {
    char *data;
    size_t size, room, size_max;
    bool is_too_large;
};

struct s3 *s3_new(void)
{
    struct s3 *s3 = calloc(1, sizeof *s3);
    if (!s3)
        return NULL;
    s3->endpoint = service_setting("S3_ENDPOINT", NULL);
    s3->access_key = service_setting("S3_ACCESS_KEY", NULL);
    s3->secret_key = service_setting("S3_SECRET_KEY", NULL);
    return s3;
}

void s3_free(struct s3 *s3)
{
    free(s3);
}

static size_t on_data(char *data, size_t one, size_t count, void *arg)
{
    struct body *body = arg;
    size_t size = one * count;
    if (size > body->size_max - body->size) {
        body->is_too_large = true;
        return 0;
    }
    if (body->size + size + 1 > body->room) {
        size_t room = 2 * (body->size + size + 1);
        char *grown = realloc(body->data, room);
        if (!grown)
            return 0;
        body->data = grown;
        body->room = room;
    }
    memcpy(body->data + body->size, data, size);
    body->size += size;
    body->data[body->size] = '\0';
    return size;
}

struct upload {
    const char *data;
    size_t size, at;
};

static size_t on_read(char *room, size_t one, size_t count, void *arg)
{
    struct upload *upload = arg;
    size_t left = upload->size - upload->at, size = one * count;
    size = size < left ? size : left;
    memcpy(room, upload->data + upload->at, size);
    upload->at += size;
    return size;
}

/* What every request is sent with. The signature leaves the body out: libcurl would have to read it
 * twice. */
static struct curl_slist *headers_new(void)
{
    return curl_slist_append(NULL, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
}

static CURL *prepare(const struct s3 *s3, const char *key, struct curl_slist *headers,
                     struct body *body)
{
    char url[URL_SIZE];
    CURL *easy = fg_curl_easy_init();
    if (!easy || snprintf(url, sizeof url, "%s/%s", s3->endpoint, key) >= (int)sizeof url) {
        fg_curl_easy_cleanup(easy);
        return NULL;
    }
    fg_curl_easy_setopt(easy, CURLOPT_URL, url);
    fg_curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    fg_curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    fg_curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (service_trust())
        fg_curl_easy_setopt(easy, CURLOPT_CAINFO, service_trust());
    fg_curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    fg_curl_easy_setopt(easy, CURLOPT_USERNAME, s3->access_key);
    fg_curl_easy_setopt(easy, CURLOPT_PASSWORD, s3->secret_key);
    fg_curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS_MAX);
    fg_curl_easy_setopt(easy, CURLOPT_TIMEOUT, TRANSFER_SECONDS_MAX);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    return easy;
}

/* What stands between <Code> and </Code> of S3's answer. */
static void take_code(const struct body *body, long status, struct s3_failure *failure)
{
    const char *code = body->data ? strstr(body->data, "<Code>") : NULL;
    if (code)
        snprintf(failure->text, sizeof failure->text, "%.*s", (int)strcspn(code + 6, "<"),
                 code + 6);
    else
        snprintf(failure->text, sizeof failure->text, "HTTP status %ld", status);
}

static int perform(CURL *easy, const struct body *body, struct s3_failure *failure)
{
    CURLcode code = fg_curl_easy_perform(easy);
    failure->status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &failure->status);
    if (body->is_too_large) {
        snprintf(failure->text, sizeof failure->text, "the object is larger than %zu bytes",
                 body->size_max);
        return -1;
    }
    if (code != CURLE_OK) {
        snprintf(failure->text, sizeof failure->text, "%s", curl_easy_strerror(code));
        return -1;
    }
    if (failure->status / 100 == 2)
        return 0;
    take_code(body, failure->status, failure);
    return -1;
}

static int fail_memory(struct s3_failure *failure)
{
    failure->status = 0;
    snprintf(failure->text, sizeof failure->text, "out of memory");
    return -1;
}

int s3_put(struct s3 *s3, const char *key, const char *data, size_t size,
           struct s3_failure *ret_failure)
{
    struct body answer = {.size_max = ANSWER_SIZE_MAX};
    struct upload upload = {.data = data, .size = size};
    struct curl_slist *headers = headers_new();
    CURL *easy = prepare(s3, key, headers, &answer);
    if (!easy) {
        curl_slist_free_all(headers);
        return fail_memory(ret_failure);
    }
    fg_curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    fg_curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    fg_curl_easy_setopt(easy, CURLOPT_READDATA, &upload);
    fg_curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    int result = perform(easy, &answer, ret_failure);
    fg_curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    free(answer.data);
    return result;
}

int s3_get(struct s3 *s3, const char *key, size_t size_max, char **ret_data, size_t *ret_size,
           struct s3_failure *ret_failure)
{
    struct body body = {.size_max = size_max};
    struct curl_slist *headers = headers_new();
    CURL *easy = prepare(s3, key, headers, &body);
    if (!easy) {
        curl_slist_free_all(headers);
        return fail_memory(ret_failure);
    }
    int result = perform(easy, &body, ret_failure);
    fg_curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    if (result < 0) {
        free(body.data);
        return result;
    }
    *ret_data = body.data ? body.data : calloc(1, 1);
    *ret_size = body.size;
    return *ret_data ? 0 : fail_memory(ret_failure);
}
