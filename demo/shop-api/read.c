/* One order, from SHOP DB; many, from its replica. */
#include "read.h"

#include "rows.h"
#include "shop.h"

#define SELECT_ORDERS                                                                              \
    "SELECT id, status, version, customer, piece, model_key, price_cents, seller, " ROWS_MOMENT(   \
        "created_at") ", " ROWS_MOMENT("updated_at") " FROM orders"

void shop_get(void *arg, const struct web_request *request, struct web_answer *answer)
{
    const struct shop *shop = arg;
    read_one(shop->pool, SELECT_ORDERS " WHERE id = $1", request, answer);
}

void shop_list(void *arg, const struct web_request *request, struct web_answer *answer)
{
    const struct shop *shop = arg;
    read_list(shop->replica,
              SELECT_ORDERS
              " WHERE $1 = '' OR status = $1 ORDER BY orders.updated_at DESC LIMIT $2::int",
              request, answer);
}
