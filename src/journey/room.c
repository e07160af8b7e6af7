/* How many records memory holds: as many as come back, within bounds.
 *
 * Orders that come back are read from disk and written there again, each time, where memory has no
 * room for them; those that don't come back need none. So there is room for few at first, and more
 * is given while a part of what comes into memory was there before: a company's orders stay in
 * memory, and a flood of new ones leaves it as it is. */
#include "journeys_internal.h"

#include <stdio.h>

/* Of what came into memory, as much has to be read back for more room to be given: one in so many.
 */
#define RETURNED_MUCH 8u
/* Room is taken away where fewer come back than one for so many that come, be it from disk or to
 * those that are in memory: of orders that all have room none has to be read back. */
#define CAME_BACK_LITTLE 64u

/* Of those that are not asked for again, how many eighths go at once: pages all over the disk are
 * written each time, whatever goes. What has no disk to go to is lost. */
#define MANY_EIGHTHS 6u

/* Of the keyed state, for each record past the first: where it lies there. */
#define PAGE_BYTES 64u

static void settle(struct fg_journeys *journeys)
{
    struct fg_room *room = &journeys->room;
    uint32_t count_max = room->given < room->most ? room->given : room->most;
    uint64_t page_bytes =
        count_max > FG_JOURNEYS_MIN ? (uint64_t)(count_max - FG_JOURNEYS_MIN) * PAGE_BYTES : 0;
    journeys->table.count_max = count_max;
    if (!journeys->vault)
        return;
    fg_state_allow_pages(journeys->options.state, page_bytes, room->page_bytes);
    room->page_bytes = page_bytes;
}

void fg_journeys_close_room(struct fg_journeys *journeys)
{
    if (journeys->vault)
        fg_state_allow_pages(journeys->options.state, 0, journeys->room.page_bytes);
}

void fg_journeys_open_room(struct fg_journeys *journeys)
{
    struct fg_room *room = &journeys->room;
    uint32_t least = journeys->options.journeys_min;
    least = least ? least : FG_JOURNEYS_MIN;
    room->most = journeys->options.journeys_max;
    /* What has no disk to go to is lost. */
    room->least = room->given = journeys->vault && least < room->most ? least : room->most;
    settle(journeys);
}

/* -- Over a restart: those that were in memory come back as they did before */

struct room_name {
    char text[40];
};

static struct room_name name_of(const struct fg_journeys *journeys)
{
    struct room_name name;
    snprintf(name.text, sizeof name.text, "journeys_room.%u", journeys->options.tenant);
    return name;
}

int fg_journeys_recall_room(struct fg_journeys *journeys)
{
    struct fg_room *room = &journeys->room;
    uint64_t zero, given;
    int r = fg_state_position(journeys->options.state, name_of(journeys).text, &zero, &given);
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    given = given < room->most ? given : room->most;
    room->stored = room->given = given > room->least ? (uint32_t)given : room->least;
    settle(journeys);
    return 0;
}

void fg_journeys_begin_room(struct fg_journeys *journeys)
{
    journeys->room.count = journeys->table.count;
}

void fg_journeys_put_room(struct fg_journeys *journeys, struct fg_state_batch *batch)
{
    struct fg_room *room = &journeys->room;
    if (room->stored == room->given)
        return;
    fg_state_put_position(batch, name_of(journeys).text, 0, room->given);
    room->stored = room->given; /* where the batch fails a start begins with what it finds */
}

void fg_journeys_bound_room(struct fg_journeys *journeys, uint32_t most)
{
    journeys->room.most = most ? most : 1;
    settle(journeys);
}

bool fg_journeys_is_filled(const struct fg_journeys *journeys)
{
    return journeys->table.count >= journeys->table.count_max / 4 * 3;
}

static bool wants_more(const struct fg_journeys *journeys, uint64_t came)
{
    const struct fg_room *room = &journeys->room;
    return room->given < room->most && room->returned > 0 &&
           room->returned >= came / RETURNED_MUCH && !fg_journeys_have_many_ended(journeys);
}

static void give_more(struct fg_journeys *journeys)
{
    struct fg_room *room = &journeys->room;
    uint32_t more = room->given / 2 + 1;
    room->given = more < room->most - room->given ? room->given + more : room->most;
    settle(journeys);
    fg_journeys_begin_fill(journeys);
}

static bool few_come_back(const struct fg_journeys *journeys, uint64_t came)
{
    const struct fg_room *room = &journeys->room;
    return room->returned + room->met < came / CAME_BACK_LITTLE;
}

/* A quarter less, after a quarter of the records at least has gone. */
static void take_some_away(struct fg_journeys *journeys, uint64_t came)
{
    struct fg_room *room = &journeys->room;
    uint32_t less = room->given - room->given / 4;
    if (!few_come_back(journeys, came) || less < journeys->table.count)
        return;
    room->given = less > room->least ? less : room->least;
    settle(journeys);
}

int fg_journeys_make_room(struct fg_journeys *journeys)
{
    struct fg_room *room = &journeys->room;
    uint64_t count = journeys->table.count + room->dropped;
    uint64_t came = count > room->count ? count - room->count : 0;
    int r = 0;
    if (wants_more(journeys, came))
        give_more(journeys);
    else
        r = fg_journeys_evict(journeys, journeys->vault && few_come_back(journeys, came)
                                            ? MANY_EIGHTHS
                                            : FG_JOURNEYS_EIGHTHS);
    if (r == 0 && journeys->vault)
        take_some_away(journeys, came);
    room->count = journeys->table.count;
    room->dropped = room->returned = room->met = 0;
    return r;
}
