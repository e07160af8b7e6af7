#include "hits.h"

#include <stdlib.h>

static int make_room(struct fg_hits *hits, uint32_t more)
{
    if (more <= hits->capacity - hits->count)
        return 0;
    uint32_t capacity = hits->capacity ? hits->capacity : 1024;
    while (capacity - hits->count < more)
        capacity *= 2;
    struct fg_hit *all = realloc(hits->all, capacity * sizeof *all);
    if (!all)
        return FG_ENOMEM;
    hits->all = all;
    hits->capacity = capacity;
    return 0;
}

int fg_hits_add(struct fg_hits *hits, struct fg_names *names, const struct fg_batch *batch,
                uint32_t row)
{
    uint32_t begin, end;
    fg_attrs_range(&batch->span_attrs, row, &begin, &end);
    int r = make_room(hits, end - begin);
    for (uint32_t i = begin; r == 0 && i < end; i++) {
        uint32_t key = batch->span_attrs.key[i];
        if (fg_names_is_other(names, key))
            continue;
        uint32_t name = fg_names_find(names, batch, key);
        if (name == FG_NAME_NONE)
            continue;
        hits->all[hits->count++] = (struct fg_hit){row, i, name};
        __builtin_prefetch(&batch->span_attrs.value[i]); /* who asks comes when all are found */
    }
    return r;
}

void fg_hits_free(struct fg_hits *hits)
{
    free(hits->all);
    *hits = (struct fg_hits){.all = NULL};
}
