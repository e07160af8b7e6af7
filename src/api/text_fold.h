/* Finding a text whatever its case. Folded are ASCII and the letters that UTF-8 writes in two bytes
 * and that stand a fixed step from their small form: Latin-1, Greek, Cyrillic. Other bytes are
 * compared as they are, ill-formed ones too. */
#pragma once

#include "base/arena.h"

/* A copy of text in small letters. FG_ELIMIT. */
FG_MUST_CHECK int fg_text_fold(struct fg_slice text, struct fg_arena *arena,
                               struct fg_slice *ret_folded);

/* Whether needle, which is folded, is in text, which is not. The empty needle is everywhere. */
bool fg_text_has(struct fg_slice text, struct fg_slice needle);
