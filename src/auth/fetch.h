/* Asking an OpenID provider: one request, bounded in time and size, without redirects. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <jansson.h>

struct fg_fetch {
    const char *url;
    const char *form;          /* a POST's; NULL: a GET */
    const char *user, *secret; /* HTTP Basic; NULL: none */
    const char *bearer;        /* NULL: none */
    const char *ca_file;       /* "": the system's */
    void **kept;               /* a connection to go on with, NULL at first; NULL: one of its own */
};

void fg_fetch_end(void *kept); /* NULL is accepted */

/* Addresses are https, or http on this machine. *ret_answer is the caller's; *ret_status the
 * answer's where there was one, else 0. FG_EIO, FG_ETIMEOUT: no answer; FG_ECORRUPT: one that says
 * nothing (no JSON, a status of 500 and more); FG_EDENIED: a status of 400 and more; FG_EAGAIN: of
 * 429; FG_EINVALID: the address. */
FG_MUST_CHECK int fg_fetch(const struct fg_fetch *fetch, json_t **ret_answer, long *ret_status);

bool fg_fetch_takes(const char *url);
