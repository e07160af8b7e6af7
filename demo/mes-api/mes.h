/* The MES API's parts. */
#ifndef MES_H
#define MES_H

#include "outbox.h"
#include "pool.h"
#include "s3.h"
#include "web.h"

struct mes {
    struct pool *pool; /* MES DB */
    struct s3 *s3;
    struct outbox *outbox;
    const char *broker_uri, *packing_url;
};

/* consume.c: the thread that takes orders from the broker */
struct consumer;
struct consumer *mes_consume_start(struct mes *mes);
void mes_consume_stop(struct consumer *consumer);

/* work.c: what operators do at the page */
void mes_start(void *arg, const struct web_request *request, struct web_answer *answer);
void mes_finish(void *arg, const struct web_request *request, struct web_answer *answer);
void mes_pack(void *arg, const struct web_request *request, struct web_answer *answer);
void mes_ship(void *arg, const struct web_request *request, struct web_answer *answer);

/* read.c */
void mes_get(void *arg, const struct web_request *request, struct web_answer *answer);
void mes_list(void *arg, const struct web_request *request, struct web_answer *answer);

#endif
