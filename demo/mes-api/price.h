/* The price of a piece, from its mesh. */
#ifndef PRICE_H
#define PRICE_H

#include "mesh.h"

struct price {
    struct mesh_measures measures;
    long cents;
};

/* A span `price.calculate`, under the current one. 0, or -1 with a sentence where the model can't
 * be made. Has the faults die_in_price and hang_in_price of mes-api. */
int price_calculate(const char *model, size_t size, struct price *ret_price,
                    char ret_text[MESH_TEXT_SIZE]);

#endif
