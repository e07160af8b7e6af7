/* Little-endian (disk) and big-endian (ids on the wire) loads and stores from unaligned bytes. */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define FG_ENDIAN_PAIR(bits)                                                                       \
    static inline uint##bits##_t fg_load_le##bits(const void *p)                                   \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return le##bits##toh(v);                                                                   \
    }                                                                                              \
    static inline void fg_store_le##bits(void *p, uint##bits##_t v)                                \
    {                                                                                              \
        v = htole##bits(v);                                                                        \
        memcpy(p, &v, sizeof v);                                                                   \
    }                                                                                              \
    static inline uint##bits##_t fg_load_be##bits(const void *p)                                   \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return be##bits##toh(v);                                                                   \
    }                                                                                              \
    static inline void fg_store_be##bits(void *p, uint##bits##_t v)                                \
    {                                                                                              \
        v = htobe##bits(v);                                                                        \
        memcpy(p, &v, sizeof v);                                                                   \
    }

FG_ENDIAN_PAIR(16)
FG_ENDIAN_PAIR(32)
FG_ENDIAN_PAIR(64)
#undef FG_ENDIAN_PAIR
