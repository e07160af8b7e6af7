/* Mutexes that a fork must not leave locked: the child of a process with threads has one thread,
 * and would wait for ever for a lock that another one held. */
#pragma once

#include "os/thread.h"

/* Locks the mutex; it is held over every fork from the first call on. */
void fg_guard_lock(struct fg_mutex *mutex);
