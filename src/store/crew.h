/* Threads that help with long work which other threads have begun: scans that take longer than most
 * (local/ahead.h). They are few, they are the store's, and all who have work share them piece by
 * piece in turn, so that who came last is not behind who asks for most. They are patient
 * (os/thread.h): acknowledgements and short searches go first. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct fg_crew;

/* Embedded in what the work is about. All but run is the crew's. */
struct fg_crew_work {
    /* A piece of it, of some milliseconds; false: there is none now. On any of the threads, on
     * several at once. */
    bool (*run)(struct fg_crew_work *work);
    struct fg_crew_work *next;
    bool is_listed;
    unsigned runs;  /* threads that are in run() */
    uint64_t calls; /* of fg_crew_call() */
};

FG_MUST_CHECK int fg_crew_new(unsigned thread_count, struct fg_crew **ret_crew);
/* Nobody has work there any more. NULL is accepted. */
void fg_crew_free(struct fg_crew *crew);

unsigned fg_crew_size(const struct fg_crew *crew);
/* There are pieces to be done. */
void fg_crew_call(struct fg_crew *crew, struct fg_crew_work *work);
/* Takes the work away: when it returns no thread is in run(), nor will be. */
void fg_crew_leave(struct fg_crew *crew, struct fg_crew_work *work);
