#include "os/guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static pthread_key_t thread_key;

int fg_guest_install(const struct fg_guest_hooks *hooks)
{
    if (pthread_key_create(&thread_key, hooks->at_thread_end) != 0)
        return FG_ENOMEM;
    if (pthread_atfork(hooks->before_fork, hooks->after_fork_in_parent,
                       hooks->after_fork_in_child) != 0 ||
        atexit(hooks->at_exit) != 0) {
        pthread_key_delete(thread_key);
        return FG_ENOMEM;
    }
    return 0;
}

int fg_guest_watch_thread(void *thread_arg)
{
    return pthread_setspecific(thread_key, thread_arg) == 0 ? 0 : FG_ENOMEM;
}

void fg_guest_boot_id(char ret_text[FG_BOOT_ID_SIZE])
{
    memset(ret_text, 0, FG_BOOT_ID_SIZE);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    bool whole = read(fd, ret_text, FG_BOOT_ID_SIZE) == (ssize_t)FG_BOOT_ID_SIZE;
    close(fd);
    if (!whole)
        memset(ret_text, 0, FG_BOOT_ID_SIZE);
}

void fg_guest_seed(uint64_t ret_seed[4])
{
    size_t size = 4 * sizeof *ret_seed;
    if (getrandom(ret_seed, size, GRND_NONBLOCK) == (ssize_t)size)
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ret_seed[0] = (uint64_t)now.tv_nsec << 32 | (uint64_t)getpid();
    clock_gettime(CLOCK_REALTIME, &now);
    ret_seed[1] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    ret_seed[2] = (uint64_t)(uintptr_t)ret_seed;
    ret_seed[3] = (uint64_t)(uintptr_t)&fg_guest_seed;
}

uint32_t fg_guest_pid(void)
{
    return (uint32_t)getpid();
}

uint32_t fg_guest_uid(void)
{
    return (uint32_t)geteuid();
}
