/* Records in the order in which the keyed state has them: by their key, then by their value's
 * bytes. */
#pragma once

#include "table.h"

/* Sorts numbers of records, each of which is there once. Where there is no memory for it they stay
 * as they are: the order is no more than good for the disk. */
void fg_table_sort(const struct fg_table *table, uint32_t *records, uint32_t count);
