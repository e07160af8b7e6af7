#include "local/ancestry.h"

#include <stdlib.h>

void fg_ancestry_begin(struct fg_ancestry *ancestry)
{
    ancestry->count = 0;
}

int fg_ancestry_step(struct fg_ancestry *ancestry, uint64_t span_id, uint64_t parent_id,
                     uint32_t value, uint32_t *ret_parent)
{
    uint32_t count = parent_id ? ancestry->count : 0;
    while (count > 0 && ancestry->path[count - 1].span_id != parent_id)
        count--;
    if (count == ancestry->capacity) {
        uint32_t capacity = ancestry->capacity ? ancestry->capacity * 2 : 64;
        struct fg_ancestor *path = realloc(ancestry->path, capacity * sizeof *path);
        if (!path)
            return FG_ENOMEM;
        ancestry->path = path;
        ancestry->capacity = capacity;
    }
    *ret_parent = count > 0 ? ancestry->path[count - 1].value : FG_ANCESTRY_NONE;
    ancestry->path[count] = (struct fg_ancestor){span_id, value};
    ancestry->count = count + 1;
    return 0;
}

void fg_ancestry_free(struct fg_ancestry *ancestry)
{
    free(ancestry->path);
    *ancestry = (struct fg_ancestry){0};
}
