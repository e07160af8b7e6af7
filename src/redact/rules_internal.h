/* The set of rules as the redactor sees it. */
#pragma once

#include "redact/redact.h"
#include "redact/rules.h"

#include <stdatomic.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct fg_redact_compiled {
    struct fg_redact_rule rule; /* texts are the set's */
    struct fg_redact *keys;     /* NULL: every key */
    pcre2_code *code;           /* NULL: no pattern */
    _Atomic uint64_t hits;
};

struct fg_redact_rules {
    _Atomic uint32_t refs;
    struct fg_arena arena;
    struct fg_redact_compiled *compiled;
    size_t count, pattern_count;
    bool has_hash_key;
    uint8_t hash_key[FG_REDACT_HASH_KEY_SIZE];
};
