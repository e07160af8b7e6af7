/* process: a program runs on this host, by its name or its pid file: how many of it, since when,
 * how often it began anew, how much memory it takes. All comes from /proc (proc(5)), which anybody
 * may read. */
#include "base/limits.h"
#include "base/units.h"
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STAT_SIZE         1024u
#define STATUS_SIZE       8192u
#define COMM_SIZE         15u /* what the kernel keeps of a name */
#define RESTARTS_MAX      3
#define RESTARTS_KEPT     32u
#define RESTART_WINDOW_NS (10 * FG_NS_PER_MINUTE)
#define PATH_SIZE         512u

struct process {
    struct fg_env *env;
    const char *name, *pid_file, *folder;
    int64_t count_min, restarts_max;
    uint64_t memory_max_bytes, restart_window_ns;
    /* what was seen in the run before */
    bool was_seen;
    int64_t pid;
    uint64_t start_ticks;
    uint64_t restarts_ns[RESTARTS_KEPT]; /* monotonic, a ring */
    uint64_t restart_count;
};

/* One of its processes. */
struct seen {
    int64_t pid;
    char state; /* 'R', 'S', 'Z', 'T', … */
    uint64_t start_ticks;
};

struct looking {
    struct process *process;
    struct seen oldest;
    int64_t count, stopped_count;
    uint64_t memory_bytes;
};

/* -- Settings */

static int open_process(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return FG_ENOMEM;
    process->env = env;
    process->name = fg_check_setting(settings, "process-name");
    process->pid_file = fg_check_setting(settings, "pid-file");
    process->folder = fg_check_setting(settings, "proc");
    process->count_min = fg_check_setting_int(settings, "count-min", 1, 10000, 1);
    process->restarts_max =
        fg_check_setting_int(settings, "restarts-max", 0, RESTARTS_KEPT - 1, RESTARTS_MAX);
    process->restart_window_ns = fg_check_setting_ns(settings, "restart-window", RESTART_WINDOW_NS);
    process->memory_max_bytes = fg_check_setting_bytes(settings, "memory-max", 0);
    if (!process->folder)
        process->folder = "/proc";
    if (!process->name == !process->pid_file)
        fg_check_complain(settings, "process-name", "give either this or pid-file");
    if (process->name && (*process->name == 0 || strchr(process->name, '/')))
        fg_check_complain(settings, "process-name", "expected a program's name, without its path");
    *ret_check = process;
    return 0;
}

/* -- /proc */

/* The begin of a file as a text. */
static int read_text(const struct process *process, int64_t pid, const char *name, char *text,
                     size_t size)
{
    char path[PATH_SIZE];
    struct fg_file *file;
    size_t got = 0;
    snprintf(path, sizeof path, "%s/%lld/%s", process->folder, (long long)pid, name);
    int r = fg_env_open(process->env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    r = fg_file_pread(file, 0, text, size - 1, &got);
    fg_file_close(file);
    text[r < 0 ? 0 : got] = 0;
    return r;
}

/* "12 (name) S 1 …": the name may hold anything, hence from its last parenthesis. Field 22 is the
 * start in ticks since the boot. */
static bool read_stat(const struct process *process, int64_t pid, char ret_name[COMM_SIZE + 1],
                      struct seen *ret_seen)
{
    char text[STAT_SIZE];
    unsigned long long start = 0;
    if (read_text(process, pid, "stat", text, sizeof text) < 0)
        return false;
    char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (!begin || !end || end < begin)
        return false;
    snprintf(ret_name, COMM_SIZE + 1, "%.*s", (int)(end - begin - 1), begin + 1);
    *ret_seen = (struct seen){.pid = pid};
    if (sscanf(end + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ret_seen->state, &start) != 2)
        return false;
    ret_seen->start_ticks = start;
    return true;
}

static uint64_t memory_of(const struct process *process, int64_t pid)
{
    char text[STATUS_SIZE];
    unsigned long long kib = 0;
    if (read_text(process, pid, "status", text, sizeof text) < 0)
        return 0;
    const char *line = strstr(text, "VmRSS:");
    if (line)
        (void)sscanf(line, "VmRSS: %llu", &kib);
    return (uint64_t)kib << 10;
}

/* A name longer than the kernel keeps is compared with the program's own first word. */
static bool is_named(const struct process *process, int64_t pid, const char *name)
{
    char text[STATUS_SIZE];
    size_t size = strlen(process->name);
    if (strncmp(name, process->name, COMM_SIZE) != 0)
        return false;
    if (size <= COMM_SIZE)
        return true;
    if (read_text(process, pid, "cmdline", text, sizeof text) < 0)
        return false;
    const char *slash = strrchr(text, '/');
    return strcmp(slash ? slash + 1 : text, process->name) == 0;
}

static void take(struct looking *looking, const struct seen *seen)
{
    if (seen->state == 'Z' || seen->state == 'X')
        return; /* it has ended, and nobody asked how yet */
    looking->stopped_count += seen->state == 'T';
    looking->memory_bytes += memory_of(looking->process, seen->pid);
    bool is_older =
        looking->count == 0 || seen->start_ticks < looking->oldest.start_ticks ||
        (seen->start_ticks == looking->oldest.start_ticks && seen->pid < looking->oldest.pid);
    if (is_older)
        looking->oldest = *seen;
    looking->count++;
}

static int on_entry(void *arg, const struct fg_dir_entry *entry)
{
    struct looking *looking = arg;
    char *end, name[COMM_SIZE + 1];
    struct seen seen;
    long long pid = strtoll(entry->name, &end, 10);
    if (*end == 0 && pid > 0 && read_stat(looking->process, pid, name, &seen) &&
        is_named(looking->process, pid, name))
        take(looking, &seen);
    return 0;
}

/* 0, FG_ENOTFOUND: it is not there, or why that can't be told. */
static int look_by_file(struct looking *looking)
{
    struct process *process = looking->process;
    struct fg_file *file;
    char text[32] = "", name[COMM_SIZE + 1];
    size_t size = 0;
    struct seen seen;
    int r = fg_env_open(process->env, process->pid_file, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    r = fg_file_pread(file, 0, text, sizeof text - 1, &size);
    fg_file_close(file);
    if (r < 0)
        return r;
    long long pid = strtoll(text, NULL, 10);
    if (pid <= 0)
        return FG_EINVALID;
    if (read_stat(process, pid, name, &seen))
        take(looking, &seen);
    return 0;
}

/* -- Judging */

static void count_restart(struct process *process, const struct looking *looking)
{
    bool is_same =
        looking->oldest.pid == process->pid && looking->oldest.start_ticks == process->start_ticks;
    /* the oldest one is a later one: what was there is gone */
    if (process->was_seen && !is_same && looking->oldest.start_ticks >= process->start_ticks)
        process->restarts_ns[process->restart_count++ % RESTARTS_KEPT] =
            fg_env_mono_ns(process->env);
    process->was_seen = true;
    process->pid = looking->oldest.pid;
    process->start_ticks = looking->oldest.start_ticks;
}

static int64_t restarts_lately(const struct process *process)
{
    uint64_t now_ns = fg_env_mono_ns(process->env);
    int64_t count = 0;
    for (uint64_t i = 0; i < process->restart_count && i < RESTARTS_KEPT; i++)
        count += now_ns - process->restarts_ns[i] < process->restart_window_ns;
    return count;
}

static void put_uptime(const struct process *process, const struct looking *looking,
                       struct fg_check_report *report)
{
    char path[PATH_SIZE], text[64] = "";
    struct fg_file *file;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/uptime", process->folder);
    if (fg_env_open(process->env, path, FG_OPEN_READ, &file) < 0)
        return;
    int r = fg_file_pread(file, 0, text, sizeof text - 1, &size);
    fg_file_close(file);
    double up = strtod(text, NULL);
    long ticks = sysconf(_SC_CLK_TCK);
    if (r == 0 && up > 0 && ticks > 0)
        fg_check_double(report, "process.uptime",
                        up - (double)looking->oldest.start_ticks / (double)ticks);
}

static void judge(struct process *process, const struct looking *looking,
                  struct fg_check_report *report)
{
    int64_t restarts = restarts_lately(process);
    char memory[FG_UNITS_TEXT_SIZE], limit[FG_UNITS_TEXT_SIZE];
    fg_check_int(report, "process.pid", looking->oldest.pid);
    fg_check_int(report, "process.count", looking->count);
    fg_check_int(report, "process.memory.usage", (int64_t)looking->memory_bytes);
    fg_check_int(report, "process.restarts", (int64_t)process->restart_count);
    put_uptime(process, looking, report);
    if (looking->stopped_count == looking->count)
        fg_check_finding(report, FG_CHECK_DOWN, "stopped", false,
                         "it is stopped by a signal, and does nothing");
    if (looking->count < process->count_min)
        fg_check_finding(report, FG_CHECK_DEGRADED, "too_few", false,
                         "%lld of it run, expected are %lld", (long long)looking->count,
                         (long long)process->count_min);
    if (restarts > process->restarts_max)
        fg_check_finding(report, FG_CHECK_DEGRADED, "restarting", false,
                         "it began anew %lld times lately", (long long)restarts);
    if (process->memory_max_bytes && looking->memory_bytes > process->memory_max_bytes) {
        fg_size_format(looking->memory_bytes, memory);
        fg_size_format(process->memory_max_bytes, limit);
        fg_check_finding(report, FG_CHECK_DEGRADED, "memory", false,
                         "it takes %s of memory, more than the %s that it may", memory, limit);
    }
}

static void run_process(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct process *process = check;
    struct looking looking = {.process = process};
    (void)deadline_mono_ns;
    if (process->name)
        fg_check_text(report, "process.executable.name", fg_slice_from_string(process->name));
    int r = process->name ? fg_env_list(process->env, process->folder, on_entry, &looking)
                          : look_by_file(&looking);
    bool is_missing = r == 0 || (r == FG_ENOTFOUND && process->pid_file);
    if (looking.count > 0) {
        count_restart(process, &looking);
        judge(process, &looking, report);
    } else if (is_missing) {
        fg_check_int(report, "process.count", 0);
        fg_check_finding(report, FG_CHECK_DOWN, "not_running", false,
                         r == 0 ? "no process of it runs" : "its pid file is not there");
    } else {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false, "can't read %s: %s",
                         process->name ? process->folder : process->pid_file, fg_error_name(r));
    }
}

static void close_check(void *check)
{
    free(check);
}

const struct fg_check_kind fg_check_kind_process = {
    .name = "process",
    .summary = "a program runs on this host, by its name or pid file",
    .open = open_process,
    .run = run_process,
    .close = close_check,
};
