/* What a failed publish says by the words of brokers and of their clients. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

/* Of a consumer's span: whether the broker had delivered the message before. */
#define FG_REDELIVERED_ATTRIBUTE "filigree.amqp.redelivered"

/* No queue takes the message: the broker gave it back. type is the span's error.type. */
bool fg_message_is_returned(struct fg_slice type, struct fg_slice message);
