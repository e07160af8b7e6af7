#include "server.h"

#include "base/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_NS_MAX     (120 * FG_NS_PER_SECOND)
#define POLL_NS          (2 * FG_NS_PER_MS)
#define WORDS_MAX        64
#define PROC_SIZE_MAX    ((size_t)64 << 10)
#define ANSWER_SIZE      256
#define FOLDER_DEPTH_MAX 8

static int failed(struct fg_bench_server *server, const char *what)
{
    int r = fg_error_from_errno(errno);
    fprintf(server->cli->err, "filigree: bench: %s: %s\n", what, strerror(errno));
    return r;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that nobody listens on, as the kernel chooses one. Returns what holds it, since the kernel
 * may choose one that was given back once more; below 0 where there is none. */
static int choose_address(char ret_text[FG_BENCH_ADDRESS_SIZE])
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
                    getsockname(fd, (struct sockaddr *)&address, &size) < 0)) {
        close(fd);
        fd = -1;
    }
    snprintf(ret_text, FG_BENCH_ADDRESS_SIZE, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static bool choose_addresses(struct fg_bench_server *server)
{
    int fds[] = {choose_address(server->otlp), choose_address(server->grpc),
                 choose_address(server->api)};
    bool is_chosen = true;
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        is_chosen = is_chosen && fds[i] >= 0;
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return is_chosen;
}

int fg_bench_server_prepare(struct fg_bench_server *server, const char *folder)
{
    const char *temporary = getenv("TMPDIR");
    if (folder) {
        snprintf(server->folder, sizeof server->folder, "%s", folder);
        int r = fg_env_mkdir(server->cli->env, folder);
        if (r < 0 && r != FG_EEXIST)
            return failed(server, folder);
    } else {
        snprintf(server->folder, sizeof server->folder, "%s/filigree-bench-XXXXXX",
                 temporary ? temporary : "/var/tmp");
        if (!mkdtemp(server->folder))
            return failed(server, server->folder);
    }
    if ((size_t)snprintf(server->data, sizeof server->data, "%s/data", server->folder) >=
        sizeof server->data)
        return FG_ELIMIT;
    server->is_own = true;
    return choose_addresses(server) ? 0 : failed(server, "no free port");
}

/* In the child: only what may be done after a fork. */
static void become(char **words, int log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execv("/proc/self/exe", words);
    _exit(127);
}

static int open_log(const struct fg_bench_server *server)
{
    char path[FG_BENCH_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/server.log", server->folder);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int fg_bench_server_certify(struct fg_bench_server *server)
{
    char folder[FG_BENCH_PATH_SIZE];
    char *words[] = {"filigree", "certs", "--dir", folder, NULL};
    int size =
        snprintf(folder, sizeof folder, "%.*s/certs", FG_BENCH_PATH_SIZE - 32, server->folder);
    snprintf(server->ca_file, sizeof server->ca_file, "%.*s/ca.pem", size, folder);
    snprintf(server->cert_file, sizeof server->cert_file, "%.*s/server.pem", size, folder);
    snprintf(server->key_file, sizeof server->key_file, "%.*s/server.key", size, folder);
    server->is_tls = true;
    if (access(server->key_file, F_OK) == 0)
        return 0;
    int log = open_log(server), status = 0;
    if (log < 0)
        return failed(server, server->folder);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(words, log);
    close(log);
    if (pid < 0)
        return failed(server, "fork");
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fprintf(server->cli->err, "filigree: bench: no certificate could be made; see %s/server.log\n",
            server->folder);
    return FG_EIO;
}

int fg_bench_server_start(struct fg_bench_server *server)
{
    char *words[WORDS_MAX] = {"filigree",    "serve",      "--data",      server->data,
                              "--otlp-http", server->otlp, "--otlp-grpc", server->grpc,
                              "--api",       server->api};
    char *const tls[] = {"--tls-cert",     server->cert_file, "--tls-key",
                         server->key_file, "--tls-on",        "otlp-http,otlp-grpc"};
    size_t count = 10;
    for (size_t i = 0; server->is_tls && i < sizeof tls / sizeof *tls; i++)
        words[count++] = tls[i];
    for (size_t i = 0; i < server->option_count && count < WORDS_MAX - 1; i++)
        words[count++] = server->options[i];
    words[count] = NULL;
    int log = open_log(server);
    if (log < 0)
        return failed(server, server->folder);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        close(log);
        return failed(server, "fork");
    }
    if (pid == 0)
        become(words, log);
    close(log);
    server->pid = pid;
    return 0;
}

/* Whether /readyz answers 200. On loopback, and asked often: a socket does. */
static bool is_ready(const struct fg_bench_server *server)
{
    const char *colon = strrchr(server->api, ':');
    struct sockaddr_in address = loopback((uint16_t)strtoul(colon + 1, NULL, 10));
    char answer[ANSWER_SIZE] = {0};
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                  "close\r\n\r\n";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct timeval timeout = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    bool ready = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
                 recv(fd, answer, sizeof answer - 1, 0) > 0 &&
                 strncmp(answer, "HTTP/1.1 200", 12) == 0;
    close(fd);
    return ready;
}

int fg_bench_server_wait(struct fg_bench_server *server, uint64_t *ret_ns)
{
    uint64_t begin_ns = fg_env_mono_ns(server->cli->env);
    struct timespec pause = {.tv_nsec = POLL_NS};
    for (;;) {
        uint64_t waited_ns = fg_env_mono_ns(server->cli->env) - begin_ns;
        if (is_ready(server)) {
            *ret_ns = waited_ns;
            return 0;
        }
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            fprintf(server->cli->err, "filigree: bench: the server ended; see %s/server.log\n",
                    server->folder);
            return FG_EIO;
        }
        if (waited_ns > READY_NS_MAX) {
            fprintf(server->cli->err,
                    "filigree: bench: the server is not ready; see %s/server.log\n",
                    server->folder);
            return FG_ETIMEOUT;
        }
        nanosleep(&pause, NULL);
    }
}

void fg_bench_server_end(struct fg_bench_server *server, int signal)
{
    if (!server->is_own || server->pid <= 0)
        return;
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

/* -- Folders -------------------------------------------------------------------------------------
 */

struct folder {
    struct fg_cli *cli;
    const char *path;
    unsigned depth;
    bool removes;
    bool is_fixed; /* what lies in it is of fixed size */
    uint64_t bytes, fixed_bytes;
};

static int walk(struct folder *folder);

static int visit(void *arg, const struct fg_dir_entry *entry)
{
    struct folder *folder = arg;
    char path[FG_BENCH_PATH_SIZE];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder->path, entry->name) >= sizeof path)
        return FG_ELIMIT;
    bool is_fixed =
        folder->is_fixed || (folder->depth == 0 && (strncmp(entry->name, "wal", 3) == 0 ||
                                                    strcasecmp(entry->name, "reserve") == 0));
    if (!entry->is_dir) {
        *(is_fixed ? &folder->fixed_bytes : &folder->bytes) += entry->size;
        return folder->removes ? fg_env_unlink(folder->cli->env, path) : 0;
    }
    struct folder inner = {.cli = folder->cli,
                           .path = path,
                           .depth = folder->depth + 1,
                           .removes = folder->removes,
                           .is_fixed = is_fixed};
    int r = walk(&inner);
    folder->bytes += inner.bytes;
    folder->fixed_bytes += inner.fixed_bytes;
    return r == 0 && folder->removes ? fg_env_rmdir(folder->cli->env, path) : r;
}

static int walk(struct folder *folder)
{
    if (folder->depth > FOLDER_DEPTH_MAX)
        return FG_ELIMIT;
    int r = fg_env_list(folder->cli->env, folder->path, visit, folder);
    return r == FG_ENOTFOUND ? 0 : r; /* merged away meanwhile */
}

void fg_bench_server_clean(struct fg_bench_server *server)
{
    struct folder folder = {.cli = server->cli, .path = server->folder, .removes = true};
    int r = walk(&folder);
    if (r == 0)
        r = fg_env_rmdir(server->cli->env, server->folder);
    if (r < 0)
        fprintf(server->cli->err, "filigree: bench: can't remove %s: %s\n", server->folder,
                fg_error_name(r));
}

int fg_bench_folder_size(struct fg_cli *cli, const char *path, uint64_t *ret_bytes,
                         uint64_t *ret_fixed_bytes)
{
    struct folder folder = {.cli = cli, .path = path};
    int r = walk(&folder);
    if (r < 0)
        return r;
    *ret_bytes = folder.bytes;
    *ret_fixed_bytes = folder.fixed_bytes;
    return 0;
}

/* -- /proc ---------------------------------------------------------------------------------------
 */

/* A file of /proc/PID as text; the caller frees it. NULL where it can't be read. */
static char *proc_text(struct fg_cli *cli, pid_t pid, const char *name)
{
    char path[100];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    if (fg_cli_read_file(cli, path, PROC_SIZE_MAX, &data, &size) < 0)
        return NULL;
    data[size] = 0; /* there is one byte more than the bound */
    return (char *)data;
}

/* The number behind a name ("VmRSS:"); 0 where it is not there. */
static uint64_t number_after(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Fields 14 and 15 of stat (proc(5)), in clock ticks; the second field, the program's name in
 * parentheses, may hold anything. */
static double cpu_seconds(const char *stat)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < 14; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    char *rest;
    unsigned long long user = strtoull(at, &rest, 10);
    return (double)(user + strtoull(rest, NULL, 10)) / (double)sysconf(_SC_CLK_TCK);
}

int fg_bench_usage_read(struct fg_cli *cli, pid_t pid, struct fg_bench_usage *ret)
{
    char *stat = proc_text(cli, pid, "stat");
    if (!stat)
        return FG_ENOTFOUND;
    char *io = proc_text(cli, pid, "io");
    char *status = proc_text(cli, pid, "status");
    *ret = (struct fg_bench_usage){.cpu_seconds = cpu_seconds(stat),
                                   .written_bytes = number_after(io, "wchar: "),
                                   .resident_bytes = number_after(status, "VmRSS:") * 1024,
                                   .resident_bytes_max = number_after(status, "VmHWM:") * 1024};
    free(stat);
    free(io);
    free(status);
    return 0;
}

struct threads {
    struct fg_cli *cli;
    pid_t pid;
    const char *name;
    double seconds;
};

static int add_thread(void *arg, const struct fg_dir_entry *entry)
{
    struct threads *threads = arg;
    char path[64];
    snprintf(path, sizeof path, "task/%.20s/comm", entry->name); /* a number */
    char *name = proc_text(threads->cli, threads->pid, path);
    if (name && strncmp(name, threads->name, strcspn(name, "\n")) == 0 &&
        strcspn(name, "\n") == strlen(threads->name)) {
        snprintf(path, sizeof path, "task/%.20s/stat", entry->name);
        char *stat = proc_text(threads->cli, threads->pid, path);
        threads->seconds += stat ? cpu_seconds(stat) : 0;
        free(stat);
    }
    free(name);
    return 0;
}

double fg_bench_thread_seconds(struct fg_cli *cli, pid_t pid, const char *name)
{
    struct threads threads = {.cli = cli, .pid = pid, .name = name};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    return fg_env_list(cli->env, path, add_thread, &threads) == 0 ? threads.seconds : 0;
}

uint64_t fg_bench_disk_written(struct fg_cli *cli, const char *path)
{
    struct stat st;
    uint8_t *data;
    size_t size;
    char device[64];
    if (!*path || stat(path, &st) < 0)
        return 0;
    sync();
    if (fg_cli_read_file(cli, "/proc/diskstats", PROC_SIZE_MAX, &data, &size) < 0)
        return 0;
    data[size] = 0; /* there is one byte more than the bound */
    /* Lines "major minor name" and counters, of which the seventh is sectors of 512 bytes written
     * (kernel documentation, admin-guide/iostats). */
    uint64_t sectors = 0;
    for (char *line = (char *)data; line && *line;) {
        char *end = strchr(line, '\n');
        unsigned major_number, minor_number;
        if (sscanf(line, "%u %u %63s %*u %*u %*u %*u %*u %*u %" SCNu64, &major_number,
                   &minor_number, device, &sectors) == 4 &&
            major_number == major(st.st_dev) && minor_number == minor(st.st_dev)) {
            free(data);
            return sectors * 512;
        }
        line = end ? end + 1 : NULL;
    }
    free(data);
    return 0;
}
