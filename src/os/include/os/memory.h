/* How much memory there is for this process. */
#pragma once

#include <stdint.h>

/* Bytes of the machine's memory, or of the control groups' that the process is in where they have
 * less, of either version; 0 where that is not known. groups: the file that tells them (proc(5),
 * "cgroup"), root: the folder that they lie in; FG_OOM_GROUPS and FG_OOM_ROOT (os/oom.h). */
uint64_t fg_memory_bytes(const char *groups, const char *root);
