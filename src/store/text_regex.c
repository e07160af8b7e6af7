/* Translated to machine code where the system permits it (a process under MemoryDenyWriteExecute
 * does not), interpreted otherwise: the answers and the limits are the same. */
#include "text_regex.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STACK_SIZE_MIN  ((size_t)32 << 10)
#define MESSAGE_SIZE    320
#define DETAIL_SIZE_MAX 200

struct fg_regex {
    pcre2_general_context *memory;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
    bool is_translated;
};

static void *take(size_t size, void *arg)
{
    (void)arg;
    return malloc(size);
}

static void give(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

void fg_regex_free(struct fg_regex *regex)
{
    if (!regex)
        return;
    pcre2_jit_stack_free(regex->stack);
    pcre2_match_context_free(regex->limits);
    pcre2_match_data_free(regex->match);
    pcre2_code_free(regex->code);
    pcre2_general_context_free(regex->memory);
    free(regex);
}

static const char *say(struct fg_arena *arena, int error, size_t offset)
{
    char detail[DETAIL_SIZE_MAX], text[MESSAGE_SIZE];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)detail, sizeof detail);
    snprintf(text, sizeof text, "the regular expression is wrong at character %zu: %s", offset,
             detail);
    const char *copy = arena ? fg_arena_string(arena, fg_slice_from_string(text)) : NULL;
    return copy ? copy : "the regular expression is wrong";
}

static int compile(struct fg_regex *regex, struct fg_slice pattern, struct fg_arena *arena,
                   const char **ret_message)
{
    pcre2_compile_context *context = pcre2_compile_context_create(regex->memory);
    if (!context)
        return FG_ENOMEM;
    pcre2_set_max_pattern_length(context, FG_REGEX_SIZE_MAX);
    int error;
    PCRE2_SIZE offset;
    /* \C would look into the middle of a character. */
    regex->code = pcre2_compile(pattern.size ? pattern.data : (PCRE2_SPTR) "", pattern.size,
                                PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                &error, &offset, context);
    pcre2_compile_context_free(context);
    if (regex->code)
        return 0;
    if (error == PCRE2_ERROR_HEAP_FAILED)
        return FG_ENOMEM;
    if (ret_message)
        *ret_message = say(arena, error, offset);
    return FG_EINVALID;
}

static int prepare(struct fg_regex *regex)
{
    regex->match = pcre2_match_data_create(1, regex->memory);
    regex->limits = pcre2_match_context_create(regex->memory);
    if (!regex->match || !regex->limits)
        return FG_ENOMEM;
    pcre2_set_match_limit(regex->limits, FG_REGEX_STEPS_MAX);
    pcre2_set_depth_limit(regex->limits, FG_REGEX_STEPS_MAX);
    pcre2_set_heap_limit(regex->limits, FG_REGEX_STACK_SIZE_MAX >> 10);
    regex->is_translated = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    if (!regex->is_translated)
        return 0;
    regex->stack = pcre2_jit_stack_create(STACK_SIZE_MIN, FG_REGEX_STACK_SIZE_MAX, regex->memory);
    if (!regex->stack)
        return FG_ENOMEM;
    pcre2_jit_stack_assign(regex->limits, NULL, regex->stack);
    return 0;
}

int fg_regex_new(struct fg_slice pattern, struct fg_arena *arena, const char **ret_message,
                 struct fg_regex **ret_regex)
{
    struct fg_regex *regex = calloc(1, sizeof *regex);
    if (!regex)
        return FG_ENOMEM;
    regex->memory = pcre2_general_context_create(take, give, NULL);
    int r = regex->memory ? compile(regex, pattern, arena, ret_message) : FG_ENOMEM;
    if (r == 0)
        r = prepare(regex);
    if (r < 0) {
        fg_regex_free(regex);
        return r;
    }
    *ret_regex = regex;
    return 0;
}

int fg_regex_match(struct fg_regex *regex, struct fg_slice text, bool *ret_matches)
{
    int count = pcre2_match(regex->code, text.size ? text.data : (PCRE2_SPTR) "", text.size, 0, 0,
                            regex->match, regex->limits);
    if (count >= 0 || count == PCRE2_ERROR_NOMATCH || count == PCRE2_ERROR_PARTIAL) {
        *ret_matches = count >= 0;
        return 0;
    }
    return count == PCRE2_ERROR_NOMEMORY ? FG_ENOMEM : FG_ELIMIT;
}
