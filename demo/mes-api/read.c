/* One job, or many. */
#include "read.h"

#include "mes.h"
#include "rows.h"

#define SELECT_JOBS                                                                                \
    "SELECT order_id AS id, status, version, model_key, volume_mm3, surface_mm2, support_mm3, "    \
    "price_cents, operator, " ROWS_MOMENT("created_at") ", " ROWS_MOMENT(                          \
        "updated_at") " FROM jobs"

void mes_get(void *arg, const struct web_request *request, struct web_answer *answer)
{
    const struct mes *mes = arg;
    read_one(mes->pool, SELECT_JOBS " WHERE order_id = $1", request, answer);
}

void mes_list(void *arg, const struct web_request *request, struct web_answer *answer)
{
    const struct mes *mes = arg;
    read_list(mes->pool,
              SELECT_JOBS
              " WHERE $1 = '' OR status = $1 ORDER BY jobs.updated_at DESC LIMIT $2::int",
              request, answer);
}
