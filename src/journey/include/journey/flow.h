/* A flow: the way that the business objects of one kind take, as their company declares it: steps,
 * what follows what, how long each hop may take, and who acts.
 *
 * Written in YAML (doc/journeys.md has it whole):
 *
 *     tenant: acme                     # whose orders all of the file is for; absent: default's
 *     flows:
 *       - name: order
 *         key: order.id
 *         within: 30s                  # a hop's deadline where its step names none
 *         steps:
 *           - name: placed
 *             when: service:shop-api name="POST /orders"
 *           - name: approved
 *             when: service:crm-api name="POST /orders/:id/approve"
 *             human: seller            # a person has to act
 *             within: 2d
 *           - name: cancelled
 *             when: service:shop-api name="POST /orders/:id/cancel"
 *             after: [placed, approved]
 *             ends: cancelled
 *
 * A step is reached when a span of the journey makes `when` true, has ended, and is no error
 * (unless `when` itself asks for a status). Without `after` a step follows the one before it in the
 * list that neither ends the journey nor is optional. Immutable once parsed. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "store/predicate.h"

#define FG_FLOW_STEPS_MAX 64u
#define FG_FLOWS_MAX      32u
#define FG_FLOW_STEP_NONE UINT32_MAX

#define FG_FLOW_LANGUAGES_MAX 8u

/* A step's label, or who acts, in several languages: in the order in which they were written. */
struct fg_flow_labels {
    uint32_t count;
    struct fg_flow_label {
        struct fg_slice language; /* a tag like "ru" or "pt-BR" */
        struct fg_slice text;
    } of[FG_FLOW_LANGUAGES_MAX];
};

enum fg_flow_end { FG_FLOW_GOES_ON, FG_FLOW_ENDS_DONE, FG_FLOW_ENDS_CANCELLED };

struct fg_flow_step {
    struct fg_slice name;
    struct fg_slice label; /* for people; the name where none is given, of several the English one,
                              or else the first */
    const struct fg_flow_labels *labels; /* NULL: the label is the same in each language */
    struct fg_slice service; /* who does it: `by`, or the service that `when` asks for; may be "" */
    struct fg_slice human;   /* who acts; "": a machine. Of several as the label */
    const struct fg_flow_labels *humans; /* NULL: the same in each language */
    struct fg_slice waits; /* what is said of a journey that waits for that; "": a machine */
    const struct fg_predicate *when;
    struct fg_slice condition; /* `when` as it was written */
    uint64_t print;            /* a hash of condition and of what it may follow */
    bool any_status;           /* `when` asks for a status itself */
    bool optional;             /* the journey may pass it by */
    uint64_t within_ns;        /* from the step before */
    uint64_t after;            /* bits: the steps that it may follow; 0: it begins a journey */
    enum fg_flow_end ends;
};

struct fg_schema;

struct fg_flow {
    struct fg_slice name;
    struct fg_slice key; /* the attribute whose value names the journey */
    struct fg_flow_step *steps;
    uint32_t step_count;
    uint64_t within_ns; /* what a hop may take where its step does not say; 0: not declared */
    /* error.type of a consumer that finds its message against the agreed format */
    struct fg_slice *format_errors;
    uint32_t format_error_count;
    /* `message-schema`: the file of the agreed format, as the flow names it; and what was read of
     * it by fg_flow_set_schema(), NULL where nothing was. */
    struct fg_slice schema_file;
    const struct fg_schema *schema;
    uint64_t print; /* a hash of the flow as it was written: another where anything of it changed */
    /* Attributes by which a page tells the status that it shows, and a service the status that is;
     * "" where not declared. */
    struct fg_slice shown_key, status_key;
    struct fg_slice tenant; /* whose orders take it, as its file says; "": the default tenant's */
};

/* How a span names a journey without carrying its key: `keys:` beside `flows:`.
 *
 *     keys:
 *       - key: order.id
 *         from: url.path                      # an attribute of the span; "name": its name
 *         pattern: "^/orders/(ORD-[0-9]+)"    # PCRE2; its first group, or all of it; absent: whole
 */
struct fg_key_rule {
    struct fg_slice key, from, pattern;
    struct fg_slice tenant; /* as a flow's */
    void *compiled;         /* of the pattern; NULL without one. fg_flows_free()'s */
};

#define FG_KEY_RULES_MAX 32u

struct fg_flows {
    struct fg_flow *flows;
    uint32_t count;
    struct fg_key_rule *key_rules;
    uint32_t key_rule_count;
};

/* Adds a text's flows, in arena, to flows, which begins as all zero. FG_EINVALID: what is wrong
 * stands in errors, a line each with file_name, line and what was expected. FG_ELIMIT, FG_ENOMEM.
 */
FG_MUST_CHECK int fg_flows_parse(struct fg_slice text, const char *file_name,
                                 struct fg_arena *arena, struct fg_buffer *errors,
                                 struct fg_flows *flows);

/* Frees what does not lie in the arena, and empties flows; also of flows that were refused. */
void fg_flows_free(struct fg_flows *flows);

/* The agreed format of messages, a JSON schema: what spans tell of a message's shape
 * (`messaging.message.shape`) is held against it. FG_EINVALID: what is wrong stands in errors. */
FG_MUST_CHECK int fg_flow_set_schema(struct fg_flow *flow, struct fg_slice json,
                                     struct fg_arena *arena, struct fg_buffer *errors);

/* NULL where no flow has this key. */
const struct fg_flow *fg_flows_find(const struct fg_flows *flows, struct fg_slice key);

/* The reached step (by bits of `reached`) from which none of the others reached follows: where a
 * journey stands, whatever the clocks say. FG_FLOW_STEP_NONE of nothing. */
uint32_t fg_flow_last(const struct fg_flow *flow, uint64_t reached);

/* The step that should come after `last` (FG_FLOW_STEP_NONE: at the begin): the first in the list
 * that follows it, is not reached, not optional, and does not cancel. FG_FLOW_STEP_NONE where none
 * does. */
uint32_t fg_flow_expected(const struct fg_flow *flow, uint32_t last, uint64_t reached);
