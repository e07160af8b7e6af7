#include "fault.h"

#include "os/env.h"

#include <signal.h>
#include <stdlib.h>

static struct fg_ring_header *_Atomic target;

/* SA_RESETHAND has put the default back. A fault comes again when its instruction runs again; a
 * signal that was sent has to be sent again, and comes when this handler returns. */
static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    struct fg_ring_header *header = atomic_load_explicit(&target, memory_order_acquire);
    if (header && atomic_load(&header->death_signal) == 0) {
        header->death_ns = fg_env_wall_ns(fg_env_real());
        header->death_address = (uint64_t)(uintptr_t)info->si_addr;
        atomic_store_explicit(&header->death_signal, (uint32_t)number, memory_order_release);
    }
    if (info->si_code <= 0)
        raise(number);
}

void fg_fault_watch(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE, SIGABRT,
                                  SIGSYS,  SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now, mine = {.sa_sigaction = note};
        mine.sa_flags = (int)(SA_SIGINFO | (unsigned)SA_RESETHAND | SA_ONSTACK | SA_RESTART);
        sigemptyset(&mine.sa_mask);
        if (sigaction(numbers[i], NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
            now.sa_handler == SIG_DFL)
            sigaction(numbers[i], &mine, NULL);
    }
}

void fg_fault_target(struct fg_ring_header *header)
{
    atomic_store_explicit(&target, header, memory_order_release);
}
