/* What processes tell of their own telemetry, so that lost telemetry can be told from work that did
 * not happen: libfiligree's exports carry, beside spans, who sends them, which number in a row the
 * export has, and how much had to be dropped since the process began (doc/sdk.md, "What arrives").
 *
 * A bounded table in memory of processes (OpenTelemetry's service instances, by tenant, service,
 * namespace, instance id and start); past its bound the one that was not heard for longest is
 * forgotten, of the tenant itself where it has half of the table. It
 * begins empty with each start of the server: what was not heard since is not known, and not lost.
 * All calls from any thread; each takes the table's mutex for a moment, a listing for as long as
 * its callback takes. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define FG_INSTANCES_MAX 16384u
/* Bytes of a text; longer ones are cut. */
#define FG_INSTANCE_TEXT_MAX 127u
/* Stretches of loss that are kept of one process; of more the oldest are forgotten. */
#define FG_INSTANCE_LOSSES_MAX 8u
/* Exports that may come out of order, as from behind a collector, before a hole counts as final. */
#define FG_INSTANCE_WINDOW 64u

struct fg_instance_text {
    uint8_t size;
    char text[FG_INSTANCE_TEXT_MAX];
};

void fg_instance_text_set(struct fg_instance_text *text, struct fg_slice from);
struct fg_slice fg_instance_text_slice(const struct fg_instance_text *text);

/* What one export tells. Times are the process's own clock. */
struct fg_instance_note {
    uint32_t tenant; /* whose sender it is: names tell processes apart within a tenant */
    struct fg_instance_text service, space, instance, host; /* space: service.namespace */
    uint64_t pid;
    uint64_t started_ns;
    uint64_t alive_ns;                      /* when it was last alive for certain */
    uint64_t heartbeat_ns;                  /* it is heard at least so often; 0: no promise */
    uint64_t sequence;                      /* 1, 2, 3 … of the exports of this process */
    uint64_t dropped_full, dropped_refused; /* spans, since its start */
    struct fg_instance_text ended;          /* what ended it; empty: it goes on */
    bool is_recovered;                      /* sent by another, from what it left when it died */
};

enum fg_instance_state {
    FG_INSTANCE_RUNNING,
    FG_INSTANCE_SILENT, /* it promised to be heard, and was not: dead, cut off or stopped */
    FG_INSTANCE_ENDED,  /* it said so itself */
    FG_INSTANCE_DIED,   /* said by who recovered its spans */
    FG_INSTANCE_STATE_COUNT,
};
const char *fg_instance_state_name(enum fg_instance_state state); /* "running" */

enum fg_loss_kind {
    FG_LOSS_EXPORTS, /* exports that were acknowledged on the way and never came here */
    FG_LOSS_FULL,    /* spans that had no room in the process */
    FG_LOSS_REFUSED, /* spans that a server refused */
    FG_LOSS_KIND_COUNT,
};
const char *fg_loss_kind_name(enum fg_loss_kind kind); /* "exports" */

/* count exports or spans that were lost in [from_ns, to_ns], by the process's clock. */
struct fg_loss {
    enum fg_loss_kind kind;
    uint64_t from_ns, to_ns, count;
};

struct fg_instance {
    struct fg_instance_note last;           /* the newest of each number and text */
    uint64_t first_heard_ns, last_heard_ns; /* the server's clock */
    uint64_t first_sequence;
    uint64_t exports;                              /* heard, each once */
    uint64_t lost[FG_LOSS_KIND_COUNT];             /* in all that was heard of it */
    struct fg_loss losses[FG_INSTANCE_LOSSES_MAX]; /* the newest, oldest first */
    uint32_t loss_count;
};

enum fg_instance_state fg_instance_state(const struct fg_instance *instance, uint64_t now_ns);

struct fg_instances;

FG_MUST_CHECK int fg_instances_new(uint32_t count_max, struct fg_instances **ret_instances);
void fg_instances_free(struct fg_instances *instances);

/* now_ns: the server's clock. Twice the same changes nothing. What has no room is not noted, and
 * counted as forgotten. */
void fg_instances_note(struct fg_instances *instances, const struct fg_instance_note *note,
                       uint64_t now_ns);

/* Which processes are meant: those that lived at some moment of [from_ns, to_ns]. */
struct fg_instance_filter {
    uint32_t tenant;
    bool every_tenant;
    struct fg_slice service; /* empty: all */
    uint64_t from_ns, to_ns;
    bool has_state;
    enum fg_instance_state state;
};

/* Calls visit for each, the one heard last first, until it returns false. It must not block, nor
 * call back. */
void fg_instances_list(struct fg_instances *instances, const struct fg_instance_filter *filter,
                       uint64_t now_ns,
                       bool (*visit)(void *arg, const struct fg_instance *instance,
                                     enum fg_instance_state state),
                       void *arg);

/* What they come to. Where count is 0 nothing is known: the service is not instrumented by
 * libfiligree, or was forgotten. Where nothing of lost lies in the time and none is silent or died,
 * what is not there did not happen (or was not sampled). */
struct fg_instance_sum {
    uint32_t count;
    uint32_t states[FG_INSTANCE_STATE_COUNT];
    uint64_t lost[FG_LOSS_KIND_COUNT]; /* in losses that touch [from_ns, to_ns] */
};
void fg_instances_sum(struct fg_instances *instances, const struct fg_instance_filter *filter,
                      uint64_t now_ns, struct fg_instance_sum *ret_sum);

/* Since the table was made, forgotten processes included. */
struct fg_instance_totals {
    uint64_t lost[FG_LOSS_KIND_COUNT];
    uint64_t forgotten;
};
void fg_instances_totals(struct fg_instances *instances, struct fg_instance_totals *ret_totals);
