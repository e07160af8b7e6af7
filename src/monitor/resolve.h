/* Names to addresses within a deadline. getaddrinfo() may sit for half a minute where a name server
 * is silent, and can't be stopped; so it runs on a thread of its own, which is left behind when
 * time is up. At most one is left behind a resolver: the next look-up waits for that one, however
 * long the silence lasts. Thread-safe in that different threads may use one resolver, one at a
 * time. */
#pragma once

#include "base/error.h"
#include "os/env.h"

#define FG_RESOLVE_ADDRESSES_MAX 8u
#define FG_RESOLVE_TEXT_SIZE     48u /* the longest of IPv6, NUL included */
#define FG_RESOLVE_HOST_SIZE_MAX 255u

struct fg_addresses {
    char text[FG_RESOLVE_ADDRESSES_MAX][FG_RESOLVE_TEXT_SIZE]; /* numeric, in the system's order */
    uint32_t count;
};

struct fg_resolver;

/* NULL without memory. */
struct fg_resolver *fg_resolver_new(struct fg_env *env);
/* Does not wait. Accepts NULL. */
void fg_resolver_free(struct fg_resolver *resolver);

/* A numeric address is its own, without a look-up. FG_ENOTFOUND: the system knows no such name;
 * FG_ETIMEOUT: nobody answered by the deadline (fg_env_mono_ns()); FG_EIO: the name servers failed;
 * FG_EINVALID: a host that is too long; FG_ENOMEM. *ret_why is a static text in each of these. */
FG_MUST_CHECK int fg_resolver_look_up(struct fg_resolver *resolver, const char *host,
                                      uint64_t deadline_mono_ns, struct fg_addresses *ret_addresses,
                                      const char **ret_why);
