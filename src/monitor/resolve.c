/* A look-up is shared by the thread that makes it and the resolver that waits: who of the two is
 * done with it last frees it. */
#include "resolve.h"

#include "os/thread.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct lookup {
    struct fg_mutex mutex;
    struct fg_cond done_cond;
    char host[FG_RESOLVE_HOST_SIZE_MAX + 1];
    bool done;      /* under mutex; error and addresses are valid after it */
    bool abandoned; /* under mutex: nobody waits any more, the thread frees it */
    int error;      /* getaddrinfo()'s */
    struct fg_addresses addresses;
};

struct fg_resolver {
    struct fg_env *env;
    struct lookup *pending; /* one that outlived its deadline */
};

static void lookup_free(struct lookup *lookup)
{
    fg_cond_destroy(&lookup->done_cond);
    fg_mutex_destroy(&lookup->mutex);
    free(lookup);
}

static void copy_addresses(const struct addrinfo *list, struct fg_addresses *out)
{
    out->count = 0;
    for (; list && out->count < FG_RESOLVE_ADDRESSES_MAX; list = list->ai_next)
        if (getnameinfo(list->ai_addr, list->ai_addrlen, out->text[out->count],
                        FG_RESOLVE_TEXT_SIZE, NULL, 0, NI_NUMERICHOST) == 0)
            out->count++;
}

static void run_lookup(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    pthread_detach(pthread_self());
    int error = getaddrinfo(lookup->host, NULL, &hints, &list);
    fg_mutex_lock(&lookup->mutex);
    lookup->error = error;
    if (error == 0)
        copy_addresses(list, &lookup->addresses);
    lookup->done = true;
    bool abandoned = lookup->abandoned;
    fg_cond_signal(&lookup->done_cond);
    fg_mutex_unlock(&lookup->mutex);
    if (error == 0)
        freeaddrinfo(list);
    if (abandoned)
        lookup_free(lookup);
}

struct fg_resolver *fg_resolver_new(struct fg_env *env)
{
    struct fg_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver)
        resolver->env = env;
    return resolver;
}

/* Frees it, or leaves that to its thread. */
static void give_up(struct lookup *lookup)
{
    fg_mutex_lock(&lookup->mutex);
    bool done = lookup->done;
    lookup->abandoned = true;
    fg_mutex_unlock(&lookup->mutex);
    if (done)
        lookup_free(lookup);
}

void fg_resolver_free(struct fg_resolver *resolver)
{
    if (!resolver)
        return;
    if (resolver->pending)
        give_up(resolver->pending);
    free(resolver);
}

static int begin(struct fg_resolver *resolver, const char *host)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return FG_ENOMEM;
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    fg_mutex_init(&lookup->mutex, FG_RANK_LEAF);
    fg_cond_init(&lookup->done_cond);
    struct fg_thread thread;
    int error = fg_thread_start(&thread, "fg-resolve", run_lookup, lookup);
    if (error) {
        lookup_free(lookup);
        return error;
    }
    resolver->pending = lookup;
    return 0;
}

static bool wait_for(struct fg_resolver *resolver, uint64_t deadline_mono_ns)
{
    struct lookup *lookup = resolver->pending;
    fg_mutex_lock(&lookup->mutex);
    for (;;) {
        uint64_t now = fg_env_mono_ns(resolver->env);
        if (lookup->done || now >= deadline_mono_ns)
            break;
        (void)fg_cond_wait_for(&lookup->done_cond, &lookup->mutex, deadline_mono_ns - now);
    }
    bool done = lookup->done;
    fg_mutex_unlock(&lookup->mutex);
    return done;
}

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int explain(int error, const char **ret_why)
{
    if (error == EAI_NONAME || error == EAI_NODATA) {
        *ret_why = "there is no such host name";
        return FG_ENOTFOUND;
    }
    *ret_why = error == EAI_AGAIN ? "the name servers do not answer" : "the name servers failed";
    return FG_EIO;
}

/* Of the look-up that is done; takes it away. */
static int take_result(struct fg_resolver *resolver, struct fg_addresses *ret_addresses,
                       const char **ret_why)
{
    struct lookup *lookup = resolver->pending;
    resolver->pending = NULL;
    int result = 0;
    if (lookup->error)
        result = explain(lookup->error, ret_why);
    else if (lookup->addresses.count == 0)
        result = explain(EAI_NODATA, ret_why);
    else
        *ret_addresses = lookup->addresses;
    give_up(lookup);
    return result;
}

int fg_resolver_look_up(struct fg_resolver *resolver, const char *host, uint64_t deadline_mono_ns,
                        struct fg_addresses *ret_addresses, const char **ret_why)
{
    *ret_why = "the host name is empty or too long";
    size_t size = strlen(host);
    if (size == 0 || size > FG_RESOLVE_HOST_SIZE_MAX)
        return FG_EINVALID;
    if (is_numeric(host)) {
        struct fg_addresses one = {.count = 1};
        snprintf(one.text[0], sizeof one.text[0], "%s", host);
        *ret_addresses = one;
        return 0;
    }
    for (;;) {
        if (!resolver->pending && begin(resolver, host) != 0) {
            *ret_why = "there is no memory for a look-up";
            return FG_ENOMEM;
        }
        if (!wait_for(resolver, deadline_mono_ns)) {
            *ret_why = "the name servers did not answer in time";
            return FG_ETIMEOUT;
        }
        bool same = strcmp(resolver->pending->host, host) == 0;
        if (same)
            return take_result(resolver, ret_addresses, ret_why);
        give_up(resolver->pending); /* of another name, which was asked for before */
        resolver->pending = NULL;
    }
}
