/* A pattern, a NUL and a text: neither crashes, and the limits hold. */
#include "text_regex.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t pattern_size = end ? (size_t)(end - data) : size;
    struct fg_slice text = end ? fg_slice(end + 1, size - pattern_size - 1) : fg_slice(NULL, 0);
    struct fg_arena arena;
    fg_arena_init(&arena, 4096);
    const char *message = NULL;
    struct fg_regex *regex;
    int r = fg_regex_new(fg_slice(data, pattern_size), &arena, &message, &regex);
    if (r == 0) {
        bool matches;
        r = fg_regex_match(regex, text, &matches);
        if (r != 0 && r != FG_ELIMIT)
            abort();
        fg_regex_free(regex);
    } else if (r != FG_EINVALID || !message) {
        abort();
    }
    fg_arena_free(&arena);
    return 0;
}
