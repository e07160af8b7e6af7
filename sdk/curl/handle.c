/* The options of a handle. Which method they make follows from their order, as in libcurl: the last
 * one counts. */
#include "handle.h"

#include <stdlib.h>
#include <string.h>

static void replace(char **text, const char *value)
{
    char *copy = value ? strdup(value) : NULL;
    free(*text);
    *text = copy;
}

void fg_curl_handle_reset(struct fg_curl_handle *handle)
{
    replace(&handle->url, NULL);
    replace(&handle->custom_method, NULL);
    replace(&handle->signature, NULL);
    replace(&handle->path_template, NULL);
    handle->headers = NULL;
    handle->write = NULL;
    handle->write_data = NULL;
    handle->error_buffer = NULL;
    handle->url_handle = NULL;
    handle->method = "GET";
    handle->has_no_propagation = false;
}

void fg_curl_handle_free(struct fg_curl_handle *handle)
{
    if (!handle)
        return;
    fg_curl_handle_reset(handle);
    free(handle);
}

struct fg_curl_handle *fg_curl_handle_copy(const struct fg_curl_handle *handle)
{
    struct fg_curl_handle *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    copy->headers = handle->headers;
    copy->write = handle->write;
    copy->write_data = handle->write_data;
    copy->url_handle = handle->url_handle;
    copy->method = handle->method;
    copy->has_no_propagation = handle->has_no_propagation;
    replace(&copy->url, handle->url);
    replace(&copy->custom_method, handle->custom_method);
    replace(&copy->signature, handle->signature);
    replace(&copy->path_template, handle->path_template);
    return copy;
}

/* On: this method. Off: what it was is over, if it was this one. */
static void choose(struct fg_curl_handle *handle, long is_on, const char *method)
{
    if (is_on)
        handle->method = method;
    else if (strcmp(handle->method, method) == 0)
        handle->method = "GET";
}

static void note_method(struct fg_curl_handle *handle, CURLoption option, long number,
                        const void *pointer)
{
    switch ((int)option) {
    case CURLOPT_HTTPGET:
        choose(handle, number, "GET");
        break;
    case CURLOPT_POST:
        choose(handle, number, "POST");
        break;
    case CURLOPT_POSTFIELDS:
    case CURLOPT_COPYPOSTFIELDS:
    case CURLOPT_MIMEPOST:
        choose(handle, pointer != NULL || option != CURLOPT_MIMEPOST, "POST");
        break;
    case CURLOPT_UPLOAD:
        choose(handle, number, "PUT");
        break;
    case CURLOPT_NOBODY:
        choose(handle, number, "HEAD");
        break;
    default:
        break;
    }
}

void fg_curl_handle_note(struct fg_curl_handle *handle, CURLoption option, long number,
                         void *pointer, void (*function)(void))
{
    switch ((int)option) {
    case CURLOPT_URL:
        replace(&handle->url, pointer);
        handle->url_handle = NULL;
        break;
    case CURLOPT_CURLU:
        handle->url_handle = pointer;
        break;
    case CURLOPT_CUSTOMREQUEST:
        replace(&handle->custom_method, pointer);
        break;
    case CURLOPT_AWS_SIGV4:
        replace(&handle->signature, pointer);
        break;
    case CURLOPT_HTTPHEADER:
        handle->headers = pointer;
        break;
    case CURLOPT_ERRORBUFFER:
        handle->error_buffer = pointer;
        break;
    case CURLOPT_WRITEDATA:
        handle->write_data = pointer;
        break;
    case CURLOPT_WRITEFUNCTION:
        handle->write = (curl_write_callback)(void *)function;
        break;
    default:
        note_method(handle, option, number, pointer);
        break;
    }
}
