/* The filter is a list of what is allowed: what a later kernel brings is not, until somebody looks
 * at it. It is made with libseccomp, and loaded with "no new privileges", which it needs. */
#include "os/sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void fg_process_harden(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#ifdef FG_HAS_SECCOMP

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/socket.h>

static const char *const allowed[] = {
    /* files */
    "open",
    "openat",
    "openat2",
    "close",
    "close_range",
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "lseek",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "fallocate",
    "ftruncate",
    "fadvise64",
    "flock",
    "fcntl",
    "ioctl",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "utimensat",
    "umask",
    "sendfile",
    "copy_file_range",
    "memfd_create",
    /* memory */
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "mincore",
    "msync",
    "mlock",
    "munlock",
    "membarrier",
    /* sockets; socket() itself below */
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "shutdown",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "socketpair",
    /* waiting */
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    "pause",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    /* threads; clone() below */
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "exit",
    "exit_group",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setscheduler",
    "sched_getattr",
    "sched_setattr",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getpriority",
    "setpriority",
    "ioprio_get",
    "ioprio_set",
    "prctl",
    "arch_prctl",
    "getcpu",
    /* time, chance, and what the process is */
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "getrandom",
    "getpid",
    "gettid",
    "getppid",
    "getpgrp",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getrlimit",
    "setrlimit",
    "prlimit64",
    "getrusage",
    "sysinfo",
    "uname",
    /* signals */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigpending",
    "rt_sigqueueinfo",
    "sigaltstack",
    "signalfd",
    "signalfd4",
    "kill",
    "tgkill",
    "alarm",
    "setitimer",
    "getitimer",
};

/* Said to be forbidden; all else is said to be unknown. A C library that finds clone3(2) unknown
 * uses clone(2), whose flags a filter can see. */
static const char *const refused[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "capset",
    "reboot",
    "swapon",
    "swapoff",
    "sethostname",
    "settimeofday",
    "clock_settime",
    "personality",
    "symlink",
    "symlinkat",
    "mknod",
    "mknodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "open_by_handle_at",
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6};

/* A name that this library or architecture does not know needs no rule. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0;
    int r = seccomp_rule_add(filter, action, number, 0);
    return r == -EDOM ? 0 : r;
}

/* New processes are made by clone() as well, only without CLONE_THREAD. */
static int add_threads(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp is_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    const struct scmp_arg_cmp is_process = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread);
    return r == 0 ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, is_process)
                  : r;
}

static int add_sockets(scmp_filter_ctx filter)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof families / sizeof *families; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    return r;
}

int fg_sandbox_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return FG_ENOMEM;
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof allowed / sizeof *allowed; i++)
        r = add(filter, SCMP_ACT_ALLOW, allowed[i]);
    for (size_t i = 0; r == 0 && i < sizeof refused / sizeof *refused; i++)
        r = add(filter, SCMP_ACT_ERRNO(EPERM), refused[i]);
    if (r == 0)
        r = add_threads(filter);
    if (r == 0)
        r = add_sockets(filter);
    /* Of all threads: the allocator may have some. */
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A tree, not a list to be walked at each call. */
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r == 0 ? 0 : r == -ENOMEM ? FG_ENOMEM : FG_EUNSUPPORTED;
}

bool fg_sandbox_is_built_in(void)
{
    return true;
}

#else

int fg_sandbox_enter(void)
{
    return FG_EUNSUPPORTED;
}

bool fg_sandbox_is_built_in(void)
{
    return false;
}

#endif
