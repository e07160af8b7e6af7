/* What the routes of accounts, tokens and tenants share: their workers' answers, roles and tenants
 * as JSON. */
#pragma once

#include "body_json.h"
#include "wire/json_writer.h"
#include "work.h"

/* A job of theirs: what is asked for is read on the loop, done by a worker, told by the loop. */
struct fg_account_job {
    struct fg_slice name, password, new_password, link, origin;
    unsigned roles;
    uint32_t tenant;
    void *more;          /* the handler's own */
    uint64_t wait_ns;    /* FG_EAGAIN: how long the asker has to wait */
    char secret[128];    /* that is told this once */
    size_t secret_size;  /* 0: none */
    uint64_t number;     /* an id, or a count */
    char who[160];       /* whose name it became */
    const char *no_such; /* FG_ENOTFOUND: "there is no such token" */
    const char *unfit;   /* FG_EINVALID: what would do */
};

/* A work whose state is a struct fg_account_job, and whose answer tells errors in words; NULL after
 * an answer. */
struct fg_work *fg_account_work(struct fg_exchange *exchange, const char *verb,
                                int (*run)(struct fg_work *work), struct fg_account_job **ret_job);
/* Queues it to the threads that hash passwords. */
void fg_account_work_start(struct fg_work *work);
/* Tells error in words; for an `answer` of one's own. */
void fg_account_answer_error(struct fg_work *work);

/* What the audit says of a change, put together; cut where it is long. */
void fg_audit_what(struct fg_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "roles": ["viewer", …] */
void fg_json_roles(struct fg_json_writer *json, unsigned roles);
/* "tenant": "default", or null for one that is not there. */
void fg_json_tenant(struct fg_json_writer *json, struct fg_auth *auth, uint32_t tenant);
/* The same in a callback that must call nothing of auth: names are taken before, into the arena. */
struct fg_tenant_names {
    struct fg_arena *arena;
    struct {
        uint32_t tenant;
        const char *name;
    } items[64];
    size_t count;
};
void fg_json_tenant_of(struct fg_json_writer *json, const struct fg_tenant_names *names,
                       uint32_t tenant);

/* An answer {"NAME": [ … ]} in the work's body, whose objects the caller writes between the two. */
struct fg_account_list {
    struct fg_json_writer json;
    struct fg_tenant_names names;
};
void fg_account_list_begin(struct fg_work *work, const char *name,
                           struct fg_account_list *ret_list);
void fg_account_list_end(struct fg_account_list *list);

/* A time as RFC 3339, in UTC; null for 0. */
void fg_json_time(struct fg_json_writer *json, uint64_t time_ns);

/* A list of role names. False after a 400. */
bool fg_body_roles(struct fg_exchange *exchange, const json_t *value, unsigned *ret_roles);
/* A tenant's name; fallback where value is NULL. False after an answer. */
bool fg_body_tenant(struct fg_exchange *exchange, const json_t *value, uint32_t fallback,
                    uint32_t *ret_tenant);
