/* The signals that steer a server, taken by a thread of their own: what is done on a signal is then
 * ordinary code, not what an interrupted thread may do. */
#pragma once

#include "base/error.h"

enum fg_signal {
    FG_SIGNAL_STOP,   /* SIGTERM, SIGINT */
    FG_SIGNAL_RELOAD, /* SIGHUP */
};

struct fg_signals;

/* Blocks those signals in the calling thread, whose later threads inherit that, and starts the
 * thread that calls fn for each one that comes. Call it before any other thread is started. One
 * instance a process. FG_ENOMEM. */
FG_MUST_CHECK int fg_signals_start(void (*fn)(void *arg, enum fg_signal signal), void *arg,
                                   struct fg_signals **ret_signals);

/* Ends the thread; fn is not called any more when it returns. The signals stay blocked. NULL is
 * accepted. */
void fg_signals_stop(struct fg_signals *signals);

/* Ends the process at once, without what exit() does: for the second signal of somebody who does
 * not want to wait. */
_Noreturn void fg_process_end(int code);
