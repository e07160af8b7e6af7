/* The calls that stand in for libcurl's. What belongs to a handle is found by its address. */
#include "handle.h"

#include "../instrument/table.h"

#include <filigree_curl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES_MAX = 65536 };

static struct fg_table handles = FG_TABLE_INIT;

static struct fg_curl_handle *find(CURL *easy)
{
    return fg_table_find(&handles, easy);
}

/* Takes handle, which may be NULL: then the CURL is one that is not known. */
static CURL *adopt_take(CURL *easy, struct fg_curl_handle *handle)
{
    if (handle && easy) {
        handle->easy = easy;
        if (fg_table_put(&handles, easy, handle, HANDLES_MAX))
            return easy;
    }
    fg_curl_handle_free(handle);
    return easy;
}

CURL *fg_curl_easy_init(void)
{
    struct fg_curl_handle *handle = calloc(1, sizeof *handle);
    if (handle)
        fg_curl_handle_reset(handle);
    return adopt_take(curl_easy_init(), handle);
}

CURL *fg_curl_easy_duphandle(CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    return adopt_take(curl_easy_duphandle(easy), handle ? fg_curl_handle_copy(handle) : NULL);
}

void fg_curl_easy_reset(CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    if (handle)
        fg_curl_handle_reset(handle);
    curl_easy_reset(easy);
}

void fg_curl_easy_cleanup(CURL *easy)
{
    struct fg_curl_handle *handle = fg_table_take(&handles, easy);
    if (handle)
        fg_curl_transfer_cancel(handle);
    curl_easy_cleanup(easy);
    fg_curl_handle_free(handle);
}

CURLcode fg_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    long number = 0;
    void *pointer = NULL;
    void (*function)(void) = NULL;
    CURLcode code;
    va_list args;
    va_start(args, option);
    if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB) {
        code = (curl_easy_setopt)(easy, option, va_arg(args, curl_off_t));
    } else if (option >= CURLOPTTYPE_FUNCTIONPOINT && option < CURLOPTTYPE_OFF_T) {
        function = va_arg(args, void (*)(void));
        code = (curl_easy_setopt)(easy, option, function);
    } else if (option >= CURLOPTTYPE_OBJECTPOINT) {
        pointer = va_arg(args, void *);
        code = (curl_easy_setopt)(easy, option, pointer);
    } else {
        number = va_arg(args, long);
        code = (curl_easy_setopt)(easy, option, number);
    }
    va_end(args);
    struct fg_curl_handle *handle = code == CURLE_OK ? find(easy) : NULL;
    if (handle)
        fg_curl_handle_note(handle, option, number, pointer, function);
    return code;
}

CURLcode fg_curl_easy_perform(CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    if (!easy || !fg_curl_transfer_is_http(easy, handle))
        return curl_easy_perform(easy);
    fg_span span = fg_curl_transfer_start(easy, handle);
    fg_scope scope = fg_span_enter(span);
    CURLcode code = curl_easy_perform(easy);
    fg_scope_leave(&scope);
    fg_curl_transfer_end(easy, handle, span, code);
    return code;
}

CURLMcode fg_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    if (!handle || handle->is_active || !fg_curl_transfer_is_http(easy, handle))
        return curl_multi_add_handle(multi, easy);
    fg_curl_transfer_start(easy, handle);
    CURLMcode code = curl_multi_add_handle(multi, easy);
    if (code != CURLM_OK)
        fg_curl_transfer_cancel(handle);
    return code;
}

CURLMcode fg_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    CURLMcode code = curl_multi_remove_handle(multi, easy);
    if (handle && code == CURLM_OK)
        fg_curl_transfer_cancel(handle);
    return code;
}

CURLMsg *fg_curl_multi_info_read(CURLM *multi, int *left)
{
    CURLMsg *message = curl_multi_info_read(multi, left);
    if (message && message->msg == CURLMSG_DONE) {
        struct fg_curl_handle *handle = find(message->easy_handle);
        if (handle && handle->is_active)
            fg_curl_transfer_end(handle->easy, handle, handle->span, message->data.result);
    }
    return message;
}

void fg_curl_set_template(CURL *easy, const char *path_template)
{
    struct fg_curl_handle *handle = find(easy);
    if (!handle)
        return;
    char *copy = path_template ? strdup(path_template) : NULL;
    free(handle->path_template);
    handle->path_template = copy;
}

void fg_curl_set_propagation(CURL *easy, int is_on)
{
    struct fg_curl_handle *handle = find(easy);
    if (handle)
        handle->has_no_propagation = !is_on;
}

fg_span fg_curl_span(CURL *easy)
{
    struct fg_curl_handle *handle = find(easy);
    return handle ? handle->span : (fg_span){.opaque = 0};
}
