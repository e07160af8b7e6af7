#include "net/queue.h"

size_t fg_queue_drain(struct fg_queue *queue)
{
    struct fg_message *message =
        atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
    struct fg_message *oldest = NULL;
    while (message) {
        struct fg_message *before = message->next;
        message->next = oldest;
        oldest = message;
        message = before;
    }
    size_t count = 0;
    while (oldest) {
        /* Read first: running a message may push it again, or free what it is embedded in. */
        struct fg_message *next = oldest->next;
        oldest->run(oldest);
        oldest = next;
        count++;
    }
    return count;
}
