#include "os/signal.h"

#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Sent to the thread alone, to end it. */
#define END_SIGNAL SIGUSR2

struct fg_signals {
    struct fg_thread thread;
    sigset_t set;
    void (*fn)(void *arg, enum fg_signal signal);
    void *arg;
};

static void run(void *arg)
{
    struct fg_signals *signals = arg;
    for (;;) {
        int number = sigwaitinfo(&signals->set, NULL);
        if (number < 0 && errno == EINTR)
            continue;
        if (number < 0 || number == END_SIGNAL)
            return;
        signals->fn(signals->arg, number == SIGHUP ? FG_SIGNAL_RELOAD : FG_SIGNAL_STOP);
    }
}

int fg_signals_start(void (*fn)(void *arg, enum fg_signal signal), void *arg,
                     struct fg_signals **ret_signals)
{
    struct fg_signals *signals = calloc(1, sizeof *signals);
    if (!signals)
        return FG_ENOMEM;
    signals->fn = fn;
    signals->arg = arg;
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGTERM);
    sigaddset(&signals->set, SIGINT);
    sigaddset(&signals->set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    sigaddset(&signals->set, END_SIGNAL);
    int r = fg_thread_start(&signals->thread, "signals", run, signals);
    if (r < 0) {
        free(signals);
        return r;
    }
    *ret_signals = signals;
    return 0;
}

void fg_signals_stop(struct fg_signals *signals)
{
    if (!signals)
        return;
    pthread_kill(signals->thread.thread, END_SIGNAL);
    fg_thread_join(&signals->thread);
    free(signals);
}

void fg_process_end(int code)
{
    _exit(code);
}
