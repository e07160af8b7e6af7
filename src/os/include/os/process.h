/* What the process uses of its machine, and what it may use. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct fg_process_usage {
    uint64_t cpu_ns; /* user and system, of all threads, since the start */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t thread_count;
    uint64_t open_files, open_files_max;
};

/* FG_EIO where /proc is not there. */
FG_MUST_CHECK int fg_process_usage(struct fg_process_usage *ret_usage);

/* The first of these alone, which costs next to nothing. */
uint64_t fg_process_cpu_ns(void);
/* The same of the calling thread. */
uint64_t fg_thread_cpu_ns(void);

/* Bytes of files that are mapped and in memory; 0 where that is not known. */
uint64_t fg_process_file_bytes(void);

/* Where a file is mapped to be read. */
struct fg_mapping {
    void *begin;
    size_t size;
};
/* The mapping of the open file of that name, for as long as it stays mapped there. It walks all of
 * the process's mappings: for once in a mapping's life. FG_ENOTFOUND: it is not mapped; FG_EIO: not
 * here. */
FG_MUST_CHECK int fg_process_find_mapping(int fd, const char *name, struct fg_mapping *ret_mapping);
/* Its pages stop being this process's memory; they come back from the page cache when they are read
 * again. FG_EIO. */
FG_MUST_CHECK int fg_process_leave_pages(struct fg_mapping mapping);

/* Processors that this process may run on; at least 1. */
unsigned fg_processor_count(void);
