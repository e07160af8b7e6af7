/* What a server of the company proves its name with, where TLS is on (demo/up --tls). Nothing of
 * libfiligree is in it. */
#ifndef DEMO_CERTIFICATE_H
#define DEMO_CERTIFICATE_H

#include <microhttpd.h>
#include <stdbool.h>

struct certificate {
    char *chain, *key; /* PEM; NULL: plain text is spoken */
};

/* Reads the files that TLS_CERT and TLS_KEY name; without them it is none. False where one can't be
 * read: says which. */
bool certificate_read(struct certificate *ret_certificate);
/* It may go once the daemon has ended. */
void certificate_free(struct certificate *certificate);

/* The flags of MHD_start_daemon() for it, and its options, for MHD_OPTION_ARRAY. */
unsigned certificate_flags(const struct certificate *certificate);
void certificate_options(const struct certificate *certificate, struct MHD_OptionItem options[4]);

#endif
