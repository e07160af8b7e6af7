#include "fetch.h"

#include "base/buffer.h"
#include "base/trust.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)1 << 20)
#define SECONDS_MAX     10L
#define CONNECT_SECONDS 5L

bool fg_fetch_takes(const char *url)
{
    static const char *const begins[] = {"https://",
                                         "http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(url, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct fg_buffer *body = arg;
    fg_buffer_append(body, data, size * count);
    return body->error ? 0 : size * count;
}

static void set_up(CURL *curl, const struct fg_fetch *fetch, struct fg_buffer *body,
                   struct curl_slist **headers)
{
    char header[5000];
    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, SECONDS_MAX);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)ANSWER_SIZE_MAX);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "filigree/" FG_VERSION);
    *headers = curl_slist_append(NULL, "Accept: application/json");
    if (fetch->bearer) {
        snprintf(header, sizeof header, "Authorization: Bearer %s", fetch->bearer);
        *headers = curl_slist_append(*headers, header);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    fg_curl_trust(curl, fetch->ca_file);
    if (fetch->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, fetch->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, fetch->secret);
    }
    if (fetch->form)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch->form);
}

void fg_fetch_end(void *kept)
{
    if (kept)
        curl_easy_cleanup(kept);
}

int fg_fetch(const struct fg_fetch *fetch, json_t **ret_answer, long *ret_status)
{
    struct fg_buffer body;
    struct curl_slist *headers = NULL;
    long status = 0;
    *ret_status = 0;
    if (!fg_fetch_takes(fetch->url))
        return FG_EINVALID;
    CURL *curl = fetch->kept ? *fetch->kept : NULL;
    if (curl)
        curl_easy_reset(curl); /* its connections stay */
    else
        curl = curl_easy_init();
    if (!curl)
        return FG_ENOMEM;
    if (fetch->kept)
        *fetch->kept = curl;
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    set_up(curl, fetch, &body, &headers);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (!fetch->kept)
        curl_easy_cleanup(curl);
    json_t *root = code == CURLE_OK && status == 200
                       ? json_loadb((const char *)body.data, body.size, 0, NULL)
                       : NULL;
    fg_buffer_free(&body);
    if (code == CURLE_OK)
        *ret_status = status;
    if (root) {
        *ret_answer = root;
        return 0;
    }
    if (code != CURLE_OK)
        return code == CURLE_OPERATION_TIMEDOUT ? FG_ETIMEOUT : FG_EIO;
    /* Being asked too often is no answer to what was asked (RFC 6585 section 4). */
    return status == 429 ? FG_EAGAIN : status >= 400 && status < 500 ? FG_EDENIED : FG_ECORRUPT;
}
