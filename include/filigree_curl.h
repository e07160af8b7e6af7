/* libfiligree-curl: what a program asks of other servers by libcurl, as OpenTelemetry's HTTP client
 * spans.
 *
 * Each call has the name of libcurl's with fg_ before it, takes the same, and gives back the same.
 * With FILIGREE_DROP_IN defined before this header, libcurl's own names stand for them, and a
 * program's text need not change:
 *
 *     cc -DFILIGREE_DROP_IN -include filigree_curl.h … $(pkg-config --cflags --libs filigree-curl)
 *
 * A transfer is a span under the thread's current one: CURLOPT_HTTPHEADER's list is sent as it is,
 * and with it traceparent, tracestate and baggage. A handle of curl_easy_init(), whose options are
 * not known here, has its span, but no headers. Requests to an S3 server, known by
 * CURLOPT_AWS_SIGV4, by x-amz- or AWS authorization headers, or by an amazonaws.com host, are named
 * by operation, bucket and key, and carry the error's code.
 *
 * Other protocols than HTTP pass untraced. libcurl's rules for threads hold: one handle is used by
 * one thread at a time. NULL is allowed where libcurl allows it. */
#ifndef FILIGREE_CURL_H
#define FILIGREE_CURL_H

#include <curl/curl.h>
#include <filigree.h>

#ifdef __cplusplus
extern "C" {
#endif

FG_API CURL *fg_curl_easy_init(void);
FG_API CURL *fg_curl_easy_duphandle(CURL *easy);
FG_API void fg_curl_easy_reset(CURL *easy);
FG_API void fg_curl_easy_cleanup(CURL *easy);
FG_API CURLcode fg_curl_easy_setopt(CURL *easy, CURLoption option, ...);

/* The span is current in libcurl's callbacks. */
FG_API CURLcode fg_curl_easy_perform(CURL *easy);

/* The span begins when the handle is added, and ends when its message is read, or when it is
 * removed before that. */
FG_API CURLMcode fg_curl_multi_add_handle(CURLM *multi, CURL *easy);
FG_API CURLMcode fg_curl_multi_remove_handle(CURLM *multi, CURL *easy);
FG_API CURLMsg *fg_curl_multi_info_read(CURLM *multi, int *left);

/* -- What libcurl has no word for; of handles made here alone -- */

/* The path's low-cardinality form, "/orders/{id}": it names the spans of this handle. NULL: none.
 * Copied. */
FG_API void fg_curl_set_template(CURL *easy, const char *path_template);
/* 0: this handle's requests leave without context, for servers of strangers. */
FG_API void fg_curl_set_propagation(CURL *easy, int is_on);
/* The span of the transfer under way, or of the last one, which has ended. */
FG_API fg_span fg_curl_span(CURL *easy);

#ifdef __cplusplus
}
#endif

#ifdef FILIGREE_DROP_IN
#undef curl_easy_setopt
#define curl_easy_init           fg_curl_easy_init
#define curl_easy_duphandle      fg_curl_easy_duphandle
#define curl_easy_reset          fg_curl_easy_reset
#define curl_easy_cleanup        fg_curl_easy_cleanup
#define curl_easy_setopt         fg_curl_easy_setopt
#define curl_easy_perform        fg_curl_easy_perform
#define curl_multi_add_handle    fg_curl_multi_add_handle
#define curl_multi_remove_handle fg_curl_multi_remove_handle
#define curl_multi_info_read     fg_curl_multi_info_read
#endif
#endif
