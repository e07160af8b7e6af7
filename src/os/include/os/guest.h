/* What a library needs that lives in a stranger's process: to learn of forks, of threads that end,
 * of the process's end, and who the process is. */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct fg_guest_hooks {
    void (*before_fork)(void);
    void (*after_fork_in_parent)(void);
    void (*after_fork_in_child)(void); /* async-signal-safe calls only */
    void (*at_exit)(void);
};

/* Once a process; the hooks stay for ever. FG_ENOMEM. */
FG_MUST_CHECK int fg_guest_install(const struct fg_guest_hooks *hooks);

/* at_end will be called with thread_arg when the calling thread ends; it is the same in each call.
 * Needs no fg_guest_install(). FG_ENOMEM. */
FG_MUST_CHECK int fg_guest_watch_thread(void *thread_arg, void (*at_end)(void *thread_arg));

#define FG_BOOT_ID_SIZE 36u
/* Text of this boot of the machine; zeros where it can't be read. */
void fg_guest_boot_id(char ret_text[FG_BOOT_ID_SIZE]);
/* Random words for ids. Never waits: before the machine has randomness they come of clocks and
 * addresses. */
void fg_guest_seed(uint64_t ret_seed[4]);
uint32_t fg_guest_pid(void);
uint32_t fg_guest_uid(void);
