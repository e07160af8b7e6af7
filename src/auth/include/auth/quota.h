/* What a tenant, and a browser's token, may send a second. A sender runs into debt by what it sent
 * and is refused until that is worked off: a request is judged by those before it, so that nothing
 * is decoded in vain, and one large request passes. */
#pragma once

#include "auth/accounts.h"

struct fg_quota_use {
    uint64_t spans, bytes, attributes;
};

/* Before a request is decoded: 0, or FG_EAGAIN with how long the sender has to wait and for which
 * of its bounds. NULL is open. Any thread. */
FG_MUST_CHECK int fg_quota_ask(struct fg_auth *auth, const struct fg_identity *identity,
                               uint64_t *ret_wait_ns, enum fg_quota_of *ret_of);
/* What it then was; counted for its tenant. */
void fg_quota_charge(struct fg_auth *auth, const struct fg_identity *identity,
                     const struct fg_quota_use *use);
