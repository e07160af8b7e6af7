#include "os/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
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

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) == 0
               ? (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec
               : 0;
}

uint64_t fg_process_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t fg_thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Opened once, since it is asked for often. Negative: it can't be. */
static int statm_file(void)
{
    static _Atomic int known = -1;
    int file = atomic_load(&known), none = -1;
    if (file >= 0)
        return file;
    file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file >= 0 && !atomic_compare_exchange_strong(&known, &none, file)) {
        close(file);
        file = none;
    }
    return file;
}

/* The third field of statm, in pages (proc(5)). */
uint64_t fg_process_file_bytes(void)
{
    char text[128];
    uint64_t pages;
    int fd = statm_file();
    if (fd < 0)
        return 0;
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = 0;
    return sscanf(text, "%*u %*u %" SCNu64, &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE)
                                                         : 0;
}

/* Lines are "BEGIN-END PERMISSIONS OFFSET MAJOR:MINOR INODE PATH" (proc_pid_maps(5)). A file
 * system with devices of its own may show another number there than fstat(); the inode and the
 * path's last part tell then. */
int fg_process_find_mapping(int fd, const char *name, struct fg_mapping *ret_mapping)
{
    struct stat status;
    char line[4352];
    int r = FG_ENOTFOUND;
    if (fstat(fd, &status) != 0)
        return FG_EIO;
    FILE *file = fopen("/proc/self/maps", "re");
    if (!file)
        return FG_EIO;
    while (r == FG_ENOTFOUND && fgets(line, sizeof line, file)) {
        uintptr_t begin, end;
        uint64_t inode;
        char may_write;
        const char *path = strchr(line, '/');
        size_t size = strcspn(line, "\n"), name_size = strlen(name);
        if (!path || size < name_size || memcmp(line + size - name_size, name, name_size) != 0 ||
            sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*c%c%*c%*c %*x %*x:%*x %" SCNu64, &begin, &end,
                   &may_write, &inode) != 4 ||
            inode != status.st_ino || may_write == 'w')
            continue;
        *ret_mapping = (struct fg_mapping){(void *)begin, end - begin};
        r = 0;
    }
    fclose(file);
    return r;
}

int fg_process_leave_pages(struct fg_mapping mapping)
{
    return madvise(mapping.begin, mapping.size, MADV_DONTNEED) == 0 ? 0 : FG_EIO;
}

unsigned fg_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}
