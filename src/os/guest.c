#include "os/guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Made by the first thread that is watched: until then the key's number is that of somebody else's.
 */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool has_key;
static void (*_Atomic thread_end)(void *);

static void make_key(void)
{
    has_key = pthread_key_create(&thread_key, atomic_load(&thread_end)) == 0;
}

int fg_guest_install(const struct fg_guest_hooks *hooks)
{
    bool is_done = pthread_atfork(hooks->before_fork, hooks->after_fork_in_parent,
                                  hooks->after_fork_in_child) == 0 &&
                   atexit(hooks->at_exit) == 0;
    return is_done ? 0 : FG_ENOMEM;
}

int fg_guest_watch_thread(void *thread_arg, void (*at_end)(void *thread_arg))
{
    atomic_store(&thread_end, at_end);
    pthread_once(&key_once, make_key);
    return has_key && pthread_setspecific(thread_key, thread_arg) == 0 ? 0 : FG_ENOMEM;
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
