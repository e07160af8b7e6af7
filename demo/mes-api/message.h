/* Messages as demo/schema/messages.json has them. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <jansson.h>
#include <stddef.h>

#define MESSAGE_TEXT_SIZE 160

struct message {
    json_t *body; /* owns the texts below */
    const char *type, *order_id;
    const char *model_key; /* of order.submitted; else NULL */
    char version[24];
};

/* Reads and checks one. 0, or -1 with what is wrong with it. */
int message_read(const char *data, size_t size, struct message *ret_message,
                 char ret_text[MESSAGE_TEXT_SIZE]);
void message_free(struct message *message);

#endif
