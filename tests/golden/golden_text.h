/* A store's spans as text, one line a span, with every field: what a folder of an old format must
 * still say. */
#pragma once

#include "base/buffer.h"
#include "span/batch.h"
#include "store/store.h"

/* The spans of tenants 0 and 1, trace by trace, and after a line "rollups" a line for each cell of
 * their minute rollups. Ends the program on any failure. */
void golden_text(struct fg_store *store, struct fg_buffer *text);

/* Every file below the folder from, of one machine, becomes one of the other. */
void golden_copy(struct fg_env *from_env, const char *from, struct fg_env *to_env, const char *to);
