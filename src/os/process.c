#include "os/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The fields of /proc/self/stat after the command's name, whose brackets may hold anything
 * (proc(5)): num_threads is the 20th field, vsize the 23rd, rss the 24th. */
static int read_stat(struct fg_process_usage *usage)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return FG_EIO;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *rest = strrchr(text, ')');
    uint64_t pages;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                        "%" SCNu64 " %*d %*u %" SCNu64 " %" SCNu64,
                        &usage->thread_count, &usage->virtual_bytes, &pages) != 3)
        return FG_EIO;
    usage->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static int count_files(uint64_t *ret_count)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!dir)
        return FG_EIO;
    while (readdir(dir))
        count++;
    closedir(dir);
    /* "." and ".." and the folder's own descriptor are none of the process's. */
    *ret_count = count > 3 ? count - 3 : 0;
    return 0;
}

static uint64_t time_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int fg_process_usage(struct fg_process_usage *ret_usage)
{
    struct fg_process_usage usage = {0};
    struct rusage times;
    struct rlimit files;
    int r = read_stat(&usage);
    if (r == 0)
        r = count_files(&usage.open_files);
    if (r < 0 || getrusage(RUSAGE_SELF, &times) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0)
        return FG_EIO;
    usage.cpu_ns = time_ns(times.ru_utime) + time_ns(times.ru_stime);
    usage.open_files_max = files.rlim_cur;
    *ret_usage = usage;
    return 0;
}

unsigned fg_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}
