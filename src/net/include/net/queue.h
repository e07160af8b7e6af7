/* A queue from many threads to one, of messages that are embedded in what they are about: pushing
 * never fails and never allocates, and the queue is as long as there are such things.
 *
 * Push is one compare-and-swap on a stack; the consumer takes the whole stack and turns it round,
 * so that messages come out in the order of their pushes. Lock-free: pushing takes no mutex, so it
 * may be done under one of any rank. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fg_message {
    struct fg_message *next;
    void (*run)(
        struct fg_message *message); /* the consumer calls it; the message is free again by then */
};

struct fg_queue {
    _Atomic(struct fg_message *) newest;
};

static inline void fg_queue_init(struct fg_queue *queue)
{
    atomic_init(&queue->newest, NULL);
}

/* True where the queue was empty: the consumer has to be woken. A message may be in one queue once.
 */
static inline bool fg_queue_push(struct fg_queue *queue, struct fg_message *message)
{
    struct fg_message *newest = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &newest, message,
                                                    memory_order_release, memory_order_relaxed));
    return newest == NULL;
}

/* Runs what is there, oldest first, and not what is pushed meanwhile. Returns how many. */
size_t fg_queue_drain(struct fg_queue *queue);
