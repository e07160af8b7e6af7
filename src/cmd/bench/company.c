#include "company.h"

#include "wire/otlp.h"

#define SERVER   FG_OTLP_KIND_SERVER
#define CLIENT   FG_OTLP_KIND_CLIENT
#define PRODUCER FG_OTLP_KIND_PRODUCER
#define CONSUMER FG_OTLP_KIND_CONSUMER
#define INTERNAL FG_OTLP_KIND_INTERNAL

enum service { SHOP, CRM, MES };

struct company_span {
    int8_t parent; /* in its trace; -1: the root */
    struct fg_bench_plan plan;
};

#define STATEMENT(service, db, verb, name, text)                                                   \
    {                                                                                              \
        service, DATABASE, CLIENT, name,                                                           \
        {                                                                                          \
            db, verb, text                                                                         \
        }                                                                                          \
    }
#define BEGIN(service, db)  STATEMENT(service, db, "BEGIN", "BEGIN", "BEGIN")
#define COMMIT(service, db) STATEMENT(service, db, "COMMIT", "COMMIT", "COMMIT")
#define UPDATE(service, db, table)                                                                 \
    STATEMENT(service, db, "UPDATE", "UPDATE " table,                                              \
              "UPDATE " table " SET status = $2, version = version + 1 WHERE id = $1")
#define INSERT(service, db, table)                                                                 \
    STATEMENT(service, db, "INSERT", "INSERT " table,                                              \
              "INSERT INTO " table " (id, order_id, body) VALUES ($1, $2, $3)")
#define SELECT(service, db, table)                                                                 \
    STATEMENT(service, db, "SELECT", "SELECT " table,                                              \
              "SELECT id, status, version FROM " table " WHERE order_id = $1")
#define POOL(service)                                                                              \
    {                                                                                              \
        service, WORK, CLIENT, "pg-pool.connect",                                                  \
        {                                                                                          \
            "Pool.connect"                                                                         \
        }                                                                                          \
    }
#define CALL(service, kind, part, route, status)                                                   \
    {                                                                                              \
        service, part, kind, "POST " route,                                                        \
        {                                                                                          \
            "POST", route, "200", status                                                           \
        }                                                                                          \
    }
#define SENDS(service, name, queue)                                                                \
    {                                                                                              \
        service, MESSAGE, PRODUCER, name,                                                          \
        {                                                                                          \
            "publish", queue                                                                       \
        }                                                                                          \
    }
#define TAKES(service, name, queue, status)                                                        \
    {                                                                                              \
        service, MESSAGE, CONSUMER, name,                                                          \
        {                                                                                          \
            "process", queue, NULL, status                                                         \
        }                                                                                          \
    }
#define RELAY                                                                                      \
    {                                                                                              \
        CRM, WORK, INTERNAL, "outbox.relay",                                                       \
        {                                                                                          \
            "Outbox.relay"                                                                         \
        }                                                                                          \
    }
#define ACK                                                                                        \
    {                                                                                              \
        MES, MESSAGE, CLIENT, "ack mes.orders",                                                    \
        {                                                                                          \
            "settle"                                                                               \
        }                                                                                          \
    }
#define WITHIN(service, db)                                                                        \
    {                                                                                              \
        service, WORK, INTERNAL, "transaction " db,                                                \
        {                                                                                          \
            "Database.transaction"                                                                 \
        }                                                                                          \
    }

/* What an operator does with the piece: a change in the MES, which tells the CRM of it. */
#define MADE(verb, status)                                                                         \
    {-1, CALL(MES, SERVER, HTTP_SERVER, "/orders/{id}/" verb, status)}, {0, BEGIN(MES, "mes")},    \
        {0, WITHIN(MES, "mes")}, {2, UPDATE(MES, "mes", "jobs")},                                  \
        {2, INSERT(MES, "mes", "outbox")}, {2, COMMIT(MES, "mes")},                                \
        {0, SENDS(MES, "publish mes.status_changed", "crm.events")},                               \
        {6, TAKES(CRM, "crm.events process", "crm.events", status)}, {7, POOL(CRM)},               \
    {                                                                                              \
        7, UPDATE(CRM, "shop", "orders")                                                           \
    }

static const struct company_span spans[FG_BENCH_COMPANY_SPANS] = {
    /* place */
    {-1, {SHOP, HTTP_SERVER, SERVER, "POST /orders", {"POST", "/orders", "201", "INITIATED"}}},
    {0, INSERT(SHOP, "shop", "orders")},
    /* model */
    {-1,
     {SHOP,
      HTTP_SERVER,
      SERVER,
      "PUT /orders/{id}/model",
      {"PUT", "/orders/{id}/model", "200", "MODEL_UPLOADED"}}},
    {0, {SHOP, OBJECT_STORE, CLIENT, "S3.PutObject", {"PutObject"}}},
    {0, UPDATE(SHOP, "shop", "orders")},
    /* submit: the price is computed, and told back */
    {-1, CALL(SHOP, SERVER, HTTP_SERVER, "/orders/{id}/submit", "SUBMITTED")},
    {0, BEGIN(SHOP, "shop")},
    {0, WITHIN(SHOP, "shop")},
    {2, UPDATE(SHOP, "shop", "orders")},
    {2, SELECT(SHOP, "shop", "purchases")},
    {2, INSERT(SHOP, "shop", "outbox")},
    {2, COMMIT(SHOP, "shop")},
    {0, RELAY},
    {7, SENDS(CRM, "publish orders", NULL)},
    {8, TAKES(MES, "process mes.orders", NULL, "PRICE_CALCULATED")},
    {9, SELECT(MES, "mes", "jobs")},
    {9, SELECT(MES, "mes", "work_log")},
    {9, {MES, OBJECT_STORE, CLIENT, "S3.GetObject", {"GetObject"}}},
    {9, {MES, WORK, INTERNAL, "price.calculate", {"PriceCalculator.Calculate"}}},
    {9, BEGIN(MES, "mes")},
    {9, WITHIN(MES, "mes")},
    {15, INSERT(MES, "mes", "jobs")},
    {15, INSERT(MES, "mes", "outbox")},
    {15, COMMIT(MES, "mes")},
    {9, ACK},
    {9, SENDS(MES, "publish mes.price_calculated", "crm.events")},
    {20, TAKES(CRM, "crm.events process", "crm.events", "PRICE_CALCULATED")},
    {21, POOL(CRM)},
    {21, UPDATE(CRM, "shop", "orders")},
    {7, UPDATE(CRM, "shop", "outbox")},
    /* approve */
    {-1, CALL(SHOP, SERVER, HTTP_SERVER, "/orders/{id}/approve", NULL)},
    {0, CALL(SHOP, CLIENT, HTTP_CLIENT, "/orders/{id}/approve", NULL)},
    {1, CALL(CRM, SERVER, HTTP_SERVER, "/orders/{id}/approve", "MANUFACTURING_APPROVED")},
    {2, POOL(CRM)},
    {2, BEGIN(CRM, "shop")},
    {2, SELECT(CRM, "shop", "orders")},
    {2, UPDATE(CRM, "shop", "orders")},
    {2, INSERT(CRM, "shop", "outbox")},
    {2, COMMIT(CRM, "shop")},
    {2, RELAY},
    {9, SENDS(CRM, "publish orders", NULL)},
    {10, TAKES(MES, "process mes.orders", NULL, "MANUFACTURING_APPROVED")},
    {11, SELECT(MES, "mes", "jobs")},
    {11, INSERT(MES, "mes", "jobs")},
    {11, ACK},
    {9, UPDATE(CRM, "shop", "outbox")},
    MADE("start", "MANUFACTURING_STARTED"),
    MADE("finish", "MANUFACTURING_COMPLETED"),
    MADE("pack", "PACKAGING"),
    {0, CALL(MES, CLIENT, HTTP_CLIENT, "/labels", NULL)},
    MADE("ship", "SHIPPED"),
    /* close */
    {-1, CALL(SHOP, SERVER, HTTP_SERVER, "/orders/{id}/close", "CLOSED")},
    {0, BEGIN(SHOP, "shop")},
    {0, WITHIN(SHOP, "shop")},
    {2, UPDATE(SHOP, "shop", "orders")},
    {2, COMMIT(SHOP, "shop")},
    /* somebody looks at the list of orders */
    {-1, {MES, LIST, SERVER, "GET", {"GET", "/", "200"}}},
};

/* Of a set's traces: spans, and minutes since the order was placed. */
static const struct {
    uint8_t count;
    uint16_t minutes;
} traces[FG_BENCH_COMPANY_TRACES] = {{2, 0},     {3, 2},     {25, 7},    {16, 967}, {10, 1327},
                                     {10, 1867}, {11, 1927}, {10, 2167}, {5, 4327}, {1, 0}};
#define LIFE_MINUTES 4327u

uint32_t fg_bench_company_first(uint32_t trace)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < trace; i++)
        first += traces[i].count;
    return first;
}

uint32_t fg_bench_company_count(uint32_t trace)
{
    return traces[trace].count;
}

const struct fg_bench_plan *fg_bench_company_plan(uint32_t span)
{
    return &spans[span].plan;
}

int fg_bench_company_parent(uint32_t span)
{
    return spans[span].parent;
}

/* Spans come in pre-order: one begins behind the one before it, and ends with the last that it is
 * above. */
void fg_bench_company_slots(struct fg_bench_slot ret_slots[FG_BENCH_COMPANY_SPANS])
{
    for (uint32_t trace = 0, first = 0; trace < FG_BENCH_COMPANY_TRACES; trace++) {
        uint32_t count = traces[trace].count;
        struct fg_bench_slot *slots = &ret_slots[first];
        for (uint32_t i = 0; i < count; i++)
            slots[i] = (struct fg_bench_slot){.parent = spans[first + i].parent,
                                              .begin = (uint16_t)(i * 900 / count),
                                              .end = (uint16_t)((i + 1) * 900 / count + 5)};
        for (uint32_t i = count; i-- > 1;) {
            struct fg_bench_slot *parent = &slots[slots[i].parent];
            if (parent->end < slots[i].end + 2)
                parent->end = (uint16_t)(slots[i].end + 2);
        }
        slots[0].end = 1000;
        first += count;
    }
}

/* People are quick or slow: the orders that reach a step come in another sequence than they were
 * placed in, within half of what the step takes. */
static uint64_t mixed(uint64_t place, uint64_t within, uint32_t trace)
{
    uint64_t block = 1;
    while (block * 2 <= within)
        block *= 2;
    return place / block * block + (place * 0x9e3779b1u + trace * 7919) % block;
}

uint64_t fg_bench_company_order(uint64_t set, uint32_t trace, uint64_t open)
{
    uint64_t minutes = traces[trace].minutes,
             before = trace > 0 && minutes > 0 ? traces[trace - 1].minutes : 0;
    uint64_t place = set + open - open * minutes / LIFE_MINUTES;
    return mixed(place, open * (minutes - before) / LIFE_MINUTES / 2, trace);
}
