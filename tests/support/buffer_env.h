/* An fg_env with one file, whose bytes lie in memory that the test gives: nothing is allocated, so
 * that failing allocations and a fuzzer's mutations meet the code under test alone. Any path is the
 * file. Clock and chance stand still. One thread. */
#pragma once

#include "os/env.h"

struct buffer_env {
    struct fg_env env;
    struct fg_file file;
    uint8_t *data;
    size_t size, capacity;
    bool exists;
    int open_files;
};

/* data: capacity bytes, of which size are the file's; the file is there when exists. */
void buffer_env_init(struct buffer_env *buffer, uint8_t *data, size_t size, size_t capacity,
                     bool exists);
