#include "os/memory.h"
#include "os/oom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE_MAX 4096u

/* What stands in a group's file; UINT64_MAX: no bound ("max"), or there is no such file. */
static uint64_t bound_of(const char *root, const char *group, const char *name)
{
    char path[PATH_SIZE_MAX];
    uint64_t bytes = UINT64_MAX;
    int size = snprintf(path, sizeof path, "%s/%s%s", root, group, name);
    FILE *file = size > 0 && (size_t)size < sizeof path ? fopen(path, "re") : NULL;
    if (!file)
        return UINT64_MAX;
    if (fscanf(file, "%" SCNu64, &bytes) != 1)
        bytes = UINT64_MAX;
    fclose(file);
    return bytes;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What a group's folder says, "" or with a slash at its end. */
static uint64_t folder_bytes(const char *root, const char *group)
{
    return least_of(bound_of(root, group, "memory.max"),
                    bound_of(root, group, "memory.limit_in_bytes"));
}

static uint64_t group_bytes(const char *groups, const char *root)
{
    char group[FG_OOM_PATH_SIZE];
    if (fg_oom_find(groups, root, group) < 0)
        return UINT64_MAX;
    uint64_t least = folder_bytes(root, "");
    /* the folder of the counter, and those that it lies in */
    for (char *end; (end = strrchr(group, '/')); *end = 0) {
        end[1] = 0;
        least = least_of(least, folder_bytes(root, group));
    }
    return least;
}

uint64_t fg_memory_bytes(const char *groups, const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : 0,
             bytes = group_bytes(groups, root);
    if (machine > 0)
        return least_of(machine, bytes);
    return bytes < UINT64_MAX ? bytes : 0;
}
