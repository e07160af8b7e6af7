/* A store on the simulated machine, fed with spans that are a few small numbers each, and a model
 * of what it must answer: forms of one span are resolved by the rules of resolve.h, written down
 * here a second time, the slow way. */
#pragma once

#include "sim_env.h"
#include "store/store.h"

#define CARE_DAY ((uint64_t)86400000000000)
/* The first day of the tests' world; the clock starts at its noon. */
#define CARE_DAY_0 20454u

enum care_form { CARE_OPEN, CARE_ENDED, CARE_OTHER_END };

struct care_span {
    uint32_t tenant;
    uint32_t trace; /* from 1 */
    uint32_t id;    /* from 1 */
    uint32_t parent;
    uint32_t service; /* 0 to 9 */
    uint32_t day;     /* after CARE_DAY_0 */
    enum care_form form;
    const char *secret; /* value of the attribute "secret"; NULL: it has none */
};

/* A span that was given to the store. */
struct care_given {
    struct care_span span;
    uint64_t order;   /* of receipt */
    bool is_in_doubt; /* the power went before it was acknowledged */
    bool may_be_gone; /* something that removes it was under way when the power went */
    bool is_gone;     /* expired or erased */
};

struct care {
    struct fg_sim *sim;
    struct fg_env *env;
    struct fg_store_options options;
    struct fg_store *store;
    struct fg_arena arena;
    const char *message; /* of the last open that failed */
    struct care_given *given;
    size_t given_count, given_capacity;
    uint64_t next_order;
    uint32_t pinned[8]; /* traces */
    size_t pinned_count;
    int result; /* of the append that was answered last; 1: none was */
    char event[512];
    size_t event_count;
    char story[128]; /* how the test came here: said when it fails */
};

void care_start(struct care *care, uint64_t seed);
void care_end(struct care *care);
int care_open(struct care *care);
void care_close(struct care *care, bool seal);
/* The power went: closes, restarts the machine. What was not acknowledged is in doubt. */
void care_cut(struct care *care);

/* One request. The result is that of the append; with 0 the spans are in the model. */
int care_append(struct care *care, const struct care_span *spans, size_t count);
/* Must be acknowledged, and is sealed. */
void care_seal(struct care *care, const struct care_span *spans, size_t count);
/* Makes a predicate on the attribute "secret". */
struct fg_predicate care_secret(const char *secret);

/* Every trace of the model reads back as the model says, and what is gone is not there. Doubts are
 * settled by what is found: a span that is there must be there from now on. */
void care_check(struct care *care);
/* How many rows a scan of everything gives. */
size_t care_scan_count(struct care *care, uint32_t tenant);
/* Spans that the model expects to read. */
size_t care_model_count(const struct care *care, uint32_t tenant);

/* Whether the bytes stand anywhere in the folder's files, as they are, in what their compressed
 * parts hold, or in what reading them gives. */
bool care_has_bytes(struct care *care, const char *text);
size_t care_file_count(struct care *care, const char *folder);
struct fg_store_counters care_counters(struct care *care);
