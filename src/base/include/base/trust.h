/* What all connections that are made by libcurl have in common: no TLS before 1.2, whatever the
 * system's own settings allow, and the certificate is one that those who are trusted have signed.
 */
#pragma once

#include <curl/curl.h>
#include <stddef.h>

/* ca_file: authorities in PEM that alone are trusted; NULL or "": the system's. Without the second
 * line libcurl trusts the system's folder of authorities beside the file: then any public one could
 * stand in for the one that was named. */
static inline void fg_curl_trust(CURL *curl, const char *ca_file)
{
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!ca_file || !*ca_file)
        return;
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}
