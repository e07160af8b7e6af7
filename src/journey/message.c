#include "journey/message.h"

#include "case.h"

bool fg_message_is_returned(struct fg_slice type, struct fg_slice message)
{
    return fg_case_says(type, "NO_ROUTE") || fg_case_says(message, "NO_ROUTE") ||
           fg_case_says(message, "unroutable") || fg_case_says(message, "returned") ||
           fg_slice_equal(type, FG_SLICE("312"));
}
