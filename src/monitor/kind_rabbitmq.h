/* What the files of the kind rabbitmq share. */
#pragma once

#include "rabbit_answers.h"
#include "web.h"

#define FG_RABBIT_QUEUES_MAX 128u /* that one monitor watches */
#define FG_RABBIT_ROUTES_MAX 32u

/* What is remembered of a queue from run to run, by its name's hash: two points of its count of
 * messages that were taken out, from which the pace of its consumers is told. */
struct fg_rabbit_pace {
    uint64_t name_hash;
    struct {
        uint64_t mono_ns;
        int64_t taken_count;
    } older, newer;
    int64_t last_count;
    uint64_t moved_ns; /* when it was last seen to change, or to be empty */
    uint64_t seen_ns;
};

struct fg_rabbit_route {
    const char *exchange, *key, *queue;
};

struct fg_rabbit_check {
    struct fg_env *env;
    struct fg_check_settings *settings;
    const char *url, *user, *vhost, *ca_file;
    char host[256];
    uint16_t port;
    int64_t amqp_port; /* 0: not asked */
    const char *const *queues;
    const char *const *dead_letter_queues;
    uint32_t queue_count, dead_letter_count, route_count;
    struct fg_rabbit_route routes[FG_RABBIT_ROUTES_MAX];
    char *route_texts; /* what the routes point into */
    int64_t depth_max, dead_letters_max, consumers_min;
    uint64_t wait_max_ns, unroutable_ns;
    bool knows_unroutable;
    int64_t returned_count, dropped_count; /* of the run before */
    uint64_t unroutable_seen_ns;           /* 0: never */
    int64_t unroutable_new;
    struct fg_rabbit_pace paces[FG_RABBIT_QUEUES_MAX];
};

struct fg_rabbit_run {
    struct fg_rabbit_check *check;
    struct fg_check_report *report;
    const char *password;
    uint64_t deadline_mono_ns;
    struct fg_buffer body; /* the last answer */
    bool is_over;          /* it stopped answering, which is reported */
};

/* GET /api/PATH; the answer is in run->body. 0, FG_ENOTFOUND for 404, FG_EUNSUPPORTED for another
 * status that may_be names, and anything else is reported: FG_EIO. what: "its nodes". */
int fg_rabbit_get(struct fg_rabbit_run *run, const char *what, const char *path, long may_be);
/* "its answer about its nodes is not understood" */
void fg_rabbit_not_understood(struct fg_rabbit_run *run, const char *what);

void fg_rabbit_look_at_queues(struct fg_rabbit_run *run);
void fg_rabbit_look_at_routes(struct fg_rabbit_run *run);

/* The number of messages that consumers take out of this queue in a second; -1: not known yet.
 * *ret_still_ns: for how long it has held messages of which none was taken. */
double fg_rabbit_pace(struct fg_rabbit_pace *paces, uint32_t count, uint64_t mono_ns,
                      const struct fg_rabbit_queue *queue, uint64_t *ret_still_ns);

/* A name with stars and question marks, as a regular expression of the API's. */
void fg_rabbit_pattern(const char *glob, struct fg_buffer *regex);
/* "EXCHANGE -> KEY -> QUEUE", taken apart in place; false where it is none. */
bool fg_rabbit_route_parse(char *text, struct fg_rabbit_route *ret_route);
