/* Random OTLP requests, made with the code that protoc-c makes of otlp.proto, and what a visitor
 * should hear of them. */
#pragma once

#include "otlp.pb-c.h"
#include "record.h"

enum oracle_texts {
    ORACLE_ANY_BYTES, /* strings of any bytes but NUL */
    ORACLE_UTF8,      /* well-formed strings, as JSON needs them */
};

struct oracle_round {
    ProtobufCMessage *message; /* an Oracle__Request */
    struct fg_buffer packed;
    struct record expected;
    struct record recorded; /* empty, for the test */
};

/* The same number gives the same request. */
void oracle_round_begin(struct oracle_round *round, uint64_t number, enum oracle_texts allowed);
/* Fails the test where recorded is not what was expected. */
void oracle_round_compare(struct oracle_round *round, uint64_t number);
void oracle_round_end(struct oracle_round *round);

void oracle_expect(struct record *record, const Oracle__Request *request);

/* FG_TEST_SEED of the environment, or one that is always the same. */
uint64_t oracle_seed(void);
uint64_t oracle_random_u64(void);
uint32_t oracle_random_below(uint32_t count);
/* Numbers around the borders of varints as often as any other. */
uint64_t oracle_random_number(void);
