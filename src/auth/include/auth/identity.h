/* Who asks: found out once a request, kept with it, and all that is decided of it goes by this. */
#pragma once

#include "auth/role.h"

enum fg_identity_kind {
    FG_IDENTITY_NOBODY, /* no credentials, or none that hold */
    FG_IDENTITY_LOCAL,  /* no accounts: whoever is on this machine */
    FG_IDENTITY_PERSON,
    FG_IDENTITY_TOKEN,
    FG_IDENTITY_CERTIFICATE,
};

/* Bytes of "token:…" and the like, with a NUL. */
#define FG_WHO_SIZE    136
#define FG_SECRET_SIZE 32

struct fg_identity {
    enum fg_identity_kind kind;
    unsigned roles;         /* bits of enum fg_role */
    uint32_t tenant;        /* of this request: whose data it reads and writes */
    bool every_tenant;      /* it may choose one, and do what concerns the whole server */
    bool is_browsers_token; /* bound to an origin: only writes, under a quota of its own */
    char who[FG_WHO_SIZE];  /* "anna", "token:shop-api", "cert:mes-api", "local"; "" for nobody */
    uint64_t token;         /* its id; 0: none */
    uint8_t session[FG_SECRET_SIZE]; /* the session's hash; zeroes: none */
};

static inline bool fg_identity_has_session(const struct fg_identity *identity)
{
    static const uint8_t none[FG_SECRET_SIZE];
    return memcmp(identity->session, none, sizeof none) != 0;
}
