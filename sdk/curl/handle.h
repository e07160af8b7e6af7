/* What is known of a CURL that was made here: those of its options that a span needs and libcurl
 * can't be asked for, and the transfer under way. One thread at a time uses a handle, libcurl says;
 * so this has no lock. */
#pragma once

#include "../instrument/tell.h"

#include <curl/curl.h>

enum { FG_CURL_BODY_MAX = 1024 };

struct fg_curl_handle {
    CURL *easy;
    /* As set by the program; lists, functions and buffers are its own, and stay valid as libcurl
     * wants them to. */
    struct curl_slist *headers;
    curl_write_callback write;
    void *write_data;
    const char *error_buffer;
    CURLU *url_handle;
    char *url, *custom_method, *signature, *path_template;
    const char *method; /* what the options make it, but for custom_method */
    bool has_no_propagation;

    /* The transfer. */
    bool is_active, is_s3, is_tapped;
    fg_span span;
    struct curl_slist *sent_headers; /* those that were added; the last one's next is headers */
    char body[FG_CURL_BODY_MAX];     /* the beginning of an S3 error */
    size_t body_size;
};

/* Without options, as after curl_easy_reset(); the span stays. */
void fg_curl_handle_reset(struct fg_curl_handle *handle);
void fg_curl_handle_free(struct fg_curl_handle *handle);
struct fg_curl_handle *fg_curl_handle_copy(const struct fg_curl_handle *handle);

/* Notes an option that libcurl has taken; of the values one is meant, by the option's type. */
void fg_curl_handle_note(struct fg_curl_handle *handle, CURLoption option, long number,
                         void *pointer, void (*function)(void));

/* handle: NULL for a CURL that was not made here. */
bool fg_curl_transfer_is_http(CURL *easy, const struct fg_curl_handle *handle);
fg_span fg_curl_transfer_start(CURL *easy, struct fg_curl_handle *handle);
void fg_curl_transfer_end(CURL *easy, struct fg_curl_handle *handle, fg_span span, CURLcode code);
/* It was removed before it was done. */
void fg_curl_transfer_cancel(struct fg_curl_handle *handle);
