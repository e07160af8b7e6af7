#include "outlet_settings.h"

#include <stdlib.h>

int fg_texts_add(struct fg_texts *texts, struct fg_slice text)
{
    if (texts->count == FG_SETTING_LIST_MAX)
        return FG_ELIMIT;
    char *own = malloc(text.size + 1);
    if (!own)
        return FG_ENOMEM;
    if (text.size)
        memcpy(own, text.data, text.size);
    own[text.size] = 0;
    texts->items[texts->count++] = own;
    return 0;
}

void fg_texts_free(struct fg_texts *texts)
{
    for (uint32_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    texts->count = 0;
}

void fg_outlet_settings_free(struct fg_outlet_settings *outlet)
{
    free(outlet->url);
    free(outlet->certificate);
    free(outlet->client_certificate);
    free(outlet->client_key);
    fg_texts_free(&outlet->headers);
    *outlet = (struct fg_outlet_settings){0};
}
