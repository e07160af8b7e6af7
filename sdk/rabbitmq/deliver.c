/* An envelope is known by the memory of its consumer tag, which is its own, never empty, and moves
 * with it when the program copies the envelope. There are as many as the program has taken and not
 * destroyed: a list under one lock. */
#include "deliver.h"

#include "../instrument/guard.h"

#include <stdlib.h>
#include <string.h>

struct delivery {
    struct delivery *next;
    const void *key;
    amqp_connection_state_t state;
    amqp_channel_t channel;
    uint64_t tag;
    fg_span span;
    fg_context *context;
    bool has_failed, is_settled;
    char destination[FG_AMQP_NAME_MAX];
};

enum { BUCKETS = 256 };

static struct fg_mutex mutex = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = FG_RANK_LEAF};
static struct delivery *buckets[BUCKETS];
static size_t delivery_count;

static struct delivery **bucket_of(const void *key)
{
    return &buckets[((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}

static struct delivery **locate(const void *key)
{
    struct delivery **at = bucket_of(key);
    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static struct delivery *take(const void *key)
{
    fg_guard_lock(&mutex);
    struct delivery **at = locate(key), *one = *at;
    if (one) {
        *at = one->next;
        delivery_count--;
    }
    fg_mutex_unlock(&mutex);
    return one;
}

static void finish_take(struct delivery *one)
{
    if (!one)
        return;
    fg_span_end(one->span);
    fg_context_free(one->context);
    free(one);
}

void fg_amqp_deliver_take(amqp_connection_state_t state, const amqp_envelope_t *envelope,
                          const char *destination, fg_span span, fg_context *context)
{
    const void *key = envelope->consumer_tag.bytes;
    struct delivery *one = key ? calloc(1, sizeof *one) : NULL;
    finish_take(take(key)); /* whose envelope was destroyed behind this library's back */
    if (one) {
        *one = (struct delivery){.key = key,
                                 .state = state,
                                 .channel = envelope->channel,
                                 .tag = envelope->delivery_tag,
                                 .span = span,
                                 .context = context};
        strncpy(one->destination, destination, sizeof one->destination - 1);
        fg_guard_lock(&mutex);
        bool has_room = delivery_count < FG_AMQP_DELIVERIES_MAX;
        if (has_room) {
            struct delivery **at = bucket_of(key);
            one->next = *at;
            *at = one;
            delivery_count++;
        }
        fg_mutex_unlock(&mutex);
        if (has_room)
            return;
        free(one);
    }
    fg_span_end(span);
    fg_context_free(context);
}

void fg_amqp_delivered(const amqp_envelope_t *envelope)
{
    finish_take(envelope ? take(envelope->consumer_tag.bytes) : NULL);
}

fg_context *fg_amqp_delivery_context(const amqp_envelope_t *envelope)
{
    if (!envelope)
        return NULL;
    fg_guard_lock(&mutex);
    const struct delivery *one = *locate(envelope->consumer_tag.bytes);
    fg_context *context = one ? fg_context_ref(one->context) : NULL;
    fg_mutex_unlock(&mutex);
    return context;
}

fg_span fg_amqp_delivery_span(const amqp_envelope_t *envelope)
{
    fg_context *context = fg_amqp_delivery_context(envelope);
    fg_span span = context ? fg_context_span(context) : (fg_span){.opaque = 0};
    fg_context_free(context);
    return span;
}

void fg_amqp_delivery_fail(const amqp_envelope_t *envelope, const char *type,
                           const char *description)
{
    if (!envelope)
        return;
    fg_guard_lock(&mutex);
    struct delivery *one = *locate(envelope->consumer_tag.bytes);
    fg_span span = one ? one->span : (fg_span){.opaque = 0};
    if (one)
        one->has_failed = true;
    fg_mutex_unlock(&mutex);
    fg_tell_error(span, type ? type : "_OTHER", description);
}

/* Under the lock; the calls on the span take none of their own that could wait for it. */
static void settle_one(struct delivery *one, bool is_named, const char *type,
                       struct fg_amqp_settled *settled)
{
    settled->count++;
    one->is_settled = true;
    if (type && !one->has_failed)
        fg_tell_error(one->span, type, "the message was not accepted");
    one->has_failed = one->has_failed || type;
    if (!is_named)
        return;
    settled->context = fg_context_ref(one->context);
    memcpy(settled->destination, one->destination, sizeof settled->destination);
}

void fg_amqp_settle(amqp_connection_state_t state, amqp_channel_t channel, uint64_t tag,
                    bool and_before, const char *type, struct fg_amqp_settled *ret_settled)
{
    *ret_settled = (struct fg_amqp_settled){.count = 0};
    fg_guard_lock(&mutex);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct delivery *one = buckets[i]; one; one = one->next) {
            bool is_named = one->tag == tag;
            if (one->state == state && one->channel == channel && !one->is_settled &&
                (is_named || (and_before && (one->tag < tag || tag == 0))))
                settle_one(one, is_named, type, ret_settled);
        }
    fg_mutex_unlock(&mutex);
}

void fg_amqp_deliveries_detach(amqp_connection_state_t state)
{
    fg_guard_lock(&mutex);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct delivery *one = buckets[i]; one; one = one->next)
            if (one->state == state)
                one->state = NULL;
    fg_mutex_unlock(&mutex);
}
