/* Looking at all records: a million of them take longer than who asks where one order is may wait.
 *
 * Between two pieces the mutex is given up. New records may come behind those that were seen, or
 * before them; where some were dropped, or got other numbers, the pass begins anew. */
#include "journeys_internal.h"

/* A fraction of a millisecond. */
#define RECORDS_AT_ONCE 1024u
/* Room is made after as many new journeys as are an eighth of memory's; a pass is quick. */
#define TRIES 8u

bool fg_journeys_is_version(const struct fg_journeys *journeys, uint64_t version)
{
    return journeys->table.version == version;
}

static int pass_once(struct fg_journeys *journeys, enum fg_table_set set,
                     int (*fn)(void *arg, uint32_t record), void *arg, uint64_t *ret_version)
{
    uint64_t version = 0;
    bool is_over = false;
    int r = 0;
    for (uint32_t begin = 0; r == 0 && !is_over; begin += RECORDS_AT_ONCE) {
        fg_journeys_enter(journeys);
        const struct fg_table *table = &journeys->table;
        if (begin == 0)
            version = table->version;
        if (!fg_journeys_is_version(journeys, version))
            r = FG_EAGAIN;
        is_over = begin >= fg_table_end(table) || fg_table_end(table) - begin <= RECORDS_AT_ONCE;
        uint32_t end = is_over ? fg_table_end(table) : begin + RECORDS_AT_ONCE;
        for (uint32_t id = begin;
             r == 0 && (id = fg_table_next(table, set, id, end)) != FG_NO_RECORD; id++)
            r = fn(arg, id);
        fg_mutex_unlock(&journeys->mutex);
    }
    *ret_version = version;
    return r;
}

int fg_journeys_pass(struct fg_journeys *journeys, enum fg_table_set set,
                     int (*fn)(void *arg, uint32_t record), void (*reset)(void *arg), void *arg,
                     uint64_t *ret_version)
{
    int r = FG_EAGAIN;
    for (unsigned i = 0; r == FG_EAGAIN && i < TRIES; i++) {
        reset(arg);
        r = pass_once(journeys, set, fn, arg, ret_version);
    }
    return r;
}
