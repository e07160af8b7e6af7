/* A span of a shape as a table has it: who makes it, and what its attributes say. */
#pragma once

#include <stdint.h>

enum fg_bench_part { HTTP_SERVER, HTTP_CLIENT, DATABASE, OBJECT_STORE, MESSAGE, WORK, LIST };

struct fg_bench_plan {
    uint8_t service;
    uint8_t part; /* enum fg_bench_part */
    uint8_t kind; /* OTLP's */
    const char *name;
    /* What the part's attributes need; the fourth: the order's status, where the span says it. */
    const char *detail[4];
};
