/* A slice is bytes that somebody else owns. It is never NUL-terminated by contract. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fg_slice {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;         /* bytes */
};

static inline struct fg_slice fg_slice(const void *data, size_t size)
{
    return (struct fg_slice){.data = (const uint8_t *)data, .size = size};
}

static inline struct fg_slice fg_slice_from_string(const char *string)
{
    return fg_slice(string, string ? strlen(string) : 0);
}

/* A slice of a string literal. */
#define FG_SLICE(literal) ((struct fg_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline bool fg_slice_equal(struct fg_slice a, struct fg_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Bytewise order; a prefix comes first. <0, 0, >0 as memcmp. */
static inline int fg_slice_compare(struct fg_slice a, struct fg_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline bool fg_slice_starts_with(struct fg_slice s, struct fg_slice prefix)
{
    return s.size >= prefix.size &&
           (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}
