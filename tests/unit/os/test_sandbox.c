/* In a process of its own each: what is given up is given up for good. */
#include "os/sandbox.h"
#include "os/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The child ends by 0 where all of it is true, by the line of the first that is not. */
#define WANT(truth)                                                                                \
    do {                                                                                           \
        if (!(truth))                                                                              \
            _exit(__LINE__ % 256 ? __LINE__ % 256 : 1);                                            \
    } while (0)

static void in_child(void (*run)(void))
{
    pid_t pid = fork();
    int status;
    assert_true(pid >= 0);
    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void write_in_file(void *arg)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    *(bool *)arg = fd >= 0 && write(fd, "x", 1) == 1;
    close(fd);
}

static void wait_and_try(void *arg)
{
    char *const words[] = {(char *)(uintptr_t) "/bin/true", NULL};
    char byte;
    int *ends = arg;
    WANT(read(ends[0], &byte, 1) == 1);
    WANT(execve(words[0], words, NULL) == -1 && errno == EPERM);
}

/* A thread that was there before. */
static void work_of_others(void)
{
    int ends[2];
    struct fg_thread thread;
    WANT(pipe2(ends, O_CLOEXEC) == 0);
    WANT(fg_thread_start(&thread, "before", wait_and_try, ends) == 0);
    WANT(fg_sandbox_enter() == 0);
    WANT(write(ends[1], "x", 1) == 1);
    fg_thread_join(&thread);
}

static void threads_that_were_there_are_bound_as_well(void **state)
{
    (void)state;
    in_child(work_of_others);
}

static void work(void)
{
    bool is_written = false;
    struct fg_thread thread;
    WANT(fg_sandbox_enter() == 0);
    WANT(fg_thread_start(&thread, "in", write_in_file, &is_written) == 0);
    fg_thread_join(&thread);
    WANT(is_written);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    WANT(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    WANT(listen(fd, 1) == 0);
}

static void the_work_of_a_server_goes_on(void **state)
{
    (void)state;
    in_child(work);
}

static void misuse(void)
{
    char *const words[] = {(char *)(uintptr_t) "/bin/true", NULL};
    WANT(fg_sandbox_enter() == 0);
    WANT(execve(words[0], words, NULL) == -1 && errno == EPERM);
    WANT(fork() == -1 && errno == EPERM);
    WANT(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
    WANT(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 && errno == EPERM);
    WANT(socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == ENOSYS);
    WANT(socket(AF_NETLINK, SOCK_RAW, 0) == -1 && errno == ENOSYS);
    WANT(syscall(SYS_unshare, 0) == -1 && errno == EPERM);
    WANT(syscall(SYS_bpf, 0, NULL, 0) == -1 && errno == EPERM);
    WANT(symlink("/etc/passwd", "/tmp/x") == -1 && errno == EPERM);
    WANT(syscall(SYS_acct, NULL) == -1 && errno == ENOSYS);
    WANT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void other_work_is_refused(void **state)
{
    (void)state;
    in_child(misuse);
}

/* -- Files */

static char folder[] = "/tmp/fg-sandbox-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void try_secret(void *arg)
{
    *(bool *)arg = can_open(in_folder("secret/shadow"), O_RDONLY);
}

static void few_files(void)
{
    int early = open(in_folder("secret/shadow"), O_RDONLY | O_CLOEXEC);
    const struct fg_sandbox_path paths[] = {{in_folder("data"), true},
                                            {in_folder("other"), true},
                                            {in_folder("read"), false},
                                            {in_folder("not-there"), true}};
    char *const words[] = {(char *)(uintptr_t) "/bin/true", NULL};
    bool is_open = true;
    struct fg_thread thread;
    WANT(early >= 0);
    WANT(fg_sandbox_files(paths, sizeof paths / sizeof *paths) == 0);
    WANT(execve(words[0], words, NULL) == -1 && errno == EACCES);
    WANT(fg_sandbox_enter() == 0 || !fg_sandbox_is_built_in());
    /* What is named: its own work goes on, links from folder to folder too. */
    WANT(can_open(in_folder("data/new"), O_RDWR | O_CREAT | O_EXCL));
    WANT(rename(in_folder("data/new"), in_folder("data/renamed")) == 0);
    WANT(link(in_folder("data/renamed"), in_folder("other/linked")) == 0);
    WANT(truncate(in_folder("data/renamed"), 0) == 0 || errno == ENOSYS);
    WANT(mkdir(in_folder("data/inner"), 0700) == 0 && rmdir(in_folder("data/inner")) == 0);
    WANT(unlink(in_folder("data/renamed")) == 0);
    WANT(can_open(in_folder("read/certificate"), O_RDONLY));
    /* All else is not. */
    WANT(!can_open(in_folder("read/certificate"), O_WRONLY) && errno == EACCES);
    WANT(!can_open(in_folder("read/new"), O_RDWR | O_CREAT) && errno == EACCES);
    WANT(unlink(in_folder("read/certificate")) == -1 && errno == EACCES);
    WANT(!can_open(in_folder("secret/shadow"), O_RDONLY) && errno == EACCES);
    WANT(!can_open(in_folder("secret"), O_RDONLY | O_DIRECTORY) && errno == EACCES);
    WANT(!can_open(in_folder("data/../secret/shadow"), O_RDONLY) && errno == EACCES);
    WANT(!can_open(in_folder("read/leads-there"), O_RDONLY) && errno == EACCES);
    WANT(link(in_folder("secret/shadow"), in_folder("data/shadow")) == -1);
    /* That is told from a file that is not there, that is somebody else's, or that can be read. */
    char why[512] = "";
    WANT(fg_sandbox_explains(in_folder("read/leads-there"), why, sizeof why));
    WANT(strstr(why, "sandbox-files naming ") && strstr(why, in_folder("secret")));
    WANT(!fg_sandbox_explains(in_folder("read/certificate"), why, sizeof why));
    WANT(!fg_sandbox_explains(in_folder("secret/not-there"), why, sizeof why));
    WANT(geteuid() == 0 || !fg_sandbox_explains("/etc/shadow", why, sizeof why));
    WANT(!can_open("/etc/shadow", O_RDONLY) && errno == EACCES);
    WANT(fg_thread_start(&thread, "later", try_secret, &is_open) == 0);
    fg_thread_join(&thread);
    WANT(!is_open);
    /* What was open before stays so: a listening socket, a log. */
    char byte;
    WANT(read(early, &byte, 1) == 1);
}

static void write_one(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
}

static void files_that_are_not_named_are_refused(void **state)
{
    (void)state;
    static const char *const folders[] = {"data", "other", "read", "secret"};
    if (!fg_sandbox_files_is_built_in() ||
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1U) < 2)
        skip();
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(in_folder(folders[i]), 0700), 0);
    write_one(in_folder("read/certificate"));
    write_one(in_folder("secret/shadow"));
    assert_int_equal(symlink(in_folder("secret/shadow"), in_folder("read/leads-there")), 0);
    in_child(few_files);
    static const char *const left[] = {"other/linked", "read/certificate", "read/leads-there",
                                       "secret/shadow"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_int_equal(unlink(in_folder(left[i])), 0);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(rmdir(in_folder(folders[i])), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void harden(void)
{
    struct rlimit limit;
    fg_process_harden();
    WANT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    WANT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    WANT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void memory_stays_in_the_process(void **state)
{
    (void)state;
    in_child(harden);
}

int main(void)
{
    const struct CMUnitTest filtered[] = {
        cmocka_unit_test(the_work_of_a_server_goes_on),
        cmocka_unit_test(other_work_is_refused),
        cmocka_unit_test(threads_that_were_there_are_bound_as_well),
    };
    const struct CMUnitTest always[] = {
        cmocka_unit_test(memory_stays_in_the_process),
        cmocka_unit_test(files_that_are_not_named_are_refused),
    };
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    return failed + (fg_sandbox_is_built_in() ? cmocka_run_group_tests(filtered, NULL, NULL) : 0);
}
