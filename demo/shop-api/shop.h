/* The SHOP API's parts, and its handlers by what they are about. */
#ifndef SHOP_H
#define SHOP_H

#include "pool.h"
#include "s3.h"
#include "web.h"

struct shop {
    struct pool *pool;    /* SHOP DB */
    struct pool *replica; /* its replica, for lists */
    struct s3 *s3;
    const char *bucket;
    const char *crm_url;
};

/* place.c: what customers do, up to the submit */
void shop_place(void *arg, const struct web_request *request, struct web_answer *answer);
void shop_put_model(void *arg, const struct web_request *request, struct web_answer *answer);
void shop_submit(void *arg, const struct web_request *request, struct web_answer *answer);

/* change.c: what is done to an order that exists */
void shop_cancel(void *arg, const struct web_request *request, struct web_answer *answer);
void shop_close(void *arg, const struct web_request *request, struct web_answer *answer);
void shop_approve(void *arg, const struct web_request *request, struct web_answer *answer);

/* read.c */
void shop_get(void *arg, const struct web_request *request, struct web_answer *answer);
void shop_list(void *arg, const struct web_request *request, struct web_answer *answer);

#endif
