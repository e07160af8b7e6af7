#include "local/ahead.h"

#include "crew.h"
#include "os/thread.h"

#include <stdatomic.h>
#include <stdlib.h>

/* How often who waits asks whether it must go on waiting. */
#define CHECK_NS ((uint64_t)5 * 1000 * 1000)

enum unit_state { UNIT_FREE, UNIT_WAITING, UNIT_AT_WORK, UNIT_DONE };

struct unit {
    enum unit_state state;
    uint64_t turn; /* the least goes first */
    struct fg_segment *segment;
    uint32_t number;
    bool with_pages;
    int result;
    struct fg_segment_look look;
    uint64_t bytes_read; /* its own and its probes' */
};

/* What one helper works with; kept from unit to unit. */
struct lane {
    struct lane *next;
    struct fg_segment_looker *looker;
    struct fg_prober prober;
    struct fg_segment *segment; /* of the reader */
    struct fg_segment_reader *reader;
};

struct fg_ahead {
    struct fg_crew_work work; /* first */
    struct fg_ahead_options options;
    atomic_bool is_ending;
    struct fg_mutex mutex; /* guards the rest */
    struct fg_cond done;
    struct lane *lanes; /* that nobody uses */
    uint64_t turn, bytes_read;
    uint32_t unit_count, units_max;
    struct unit units[FG_AHEAD_GROUPS_MAX];
};

/* -- Probing */

static int reserve_bits(struct fg_prober *prober, size_t words)
{
    if (words <= prober->word_capacity)
        return 0;
    uint64_t *bits = realloc(prober->bits, words * sizeof *bits);
    if (!bits)
        return FG_ENOMEM;
    prober->bits = bits;
    prober->word_capacity = words;
    return 0;
}

int fg_probe(struct fg_prober *prober, struct fg_segment_reader *reader, uint64_t row_begin,
             const struct fg_batch **ret_batch, bool *ret_hit)
{
    const struct fg_batch *batch;
    uint64_t begin, any = 0;
    int r = fg_segment_reader_page(reader, row_begin, &batch, &begin);
    if (r < 0)
        return r;
    size_t words = (batch->span_count + 63) / 64;
    r = reserve_bits(prober, words + 1);
    if (r == 0)
        r = fg_matcher_bind(prober->matcher, batch);
    if (r == 0)
        r = fg_matcher_run(prober->matcher, 0, batch->span_count, prober->bits);
    if (r < 0)
        return r;
    for (size_t i = 0; i < words; i++)
        any |= prober->bits[i];
    *ret_batch = batch;
    *ret_hit = any != 0;
    return 0;
}

void fg_prober_free(struct fg_prober *prober)
{
    fg_matcher_free(prober->matcher);
    free(prober->bits);
    *prober = (struct fg_prober){0};
}

/* -- A helper's */

static void lane_free(struct lane *lane)
{
    fg_segment_looker_free(lane->looker);
    fg_segment_reader_free(lane->reader);
    fg_prober_free(&lane->prober);
    free(lane);
}

static int lane_new(const struct fg_scan *scan, struct lane **ret_lane)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return FG_ENOMEM;
    int r = fg_segment_looker_new(scan->predicate, scan->start_ns_min, scan->start_ns_max,
                                  &lane->looker);
    if (r == 0 && scan->predicate)
        r = fg_matcher_new(scan->predicate, &lane->prober.matcher);
    if (r < 0) {
        lane_free(lane);
        return r;
    }
    *ret_lane = lane;
    return 0;
}

static int open_reader(struct lane *lane, const struct fg_ahead *ahead, struct fg_segment *segment)
{
    if (lane->reader && lane->segment == segment)
        return 0;
    fg_segment_reader_free(lane->reader);
    lane->reader = NULL;
    lane->segment = segment;
    return fg_segment_reader_new(segment, ahead->options.probe, &lane->reader);
}

static void probe_page(struct lane *lane, struct fg_segment_page *page)
{
    const struct fg_batch *batch;
    uint64_t before = fg_segment_reader_bytes_read(lane->reader);
    page->probe.result =
        fg_probe(&lane->prober, lane->reader, page->row_begin, &batch, &page->probe.hit);
    page->probe.bytes_read = fg_segment_reader_bytes_read(lane->reader) - before;
    page->probe.is_there = true;
}

/* Pages that were not probed when it ends are the scan's to probe. */
static void do_unit(struct fg_ahead *ahead, struct lane *lane, struct unit *unit)
{
    struct fg_segment_look *look = &unit->look;
    unit->result = fg_segment_look(lane->looker, unit->segment, unit->number, look);
    unit->bytes_read = look->counters.bytes_read;
    bool is_probed = unit->with_pages && (unit->result == 0 || unit->result == FG_ECORRUPT) &&
                     look->page_count > 0 && open_reader(lane, ahead, unit->segment) == 0;
    for (size_t i = 0; is_probed && i < look->page_count && !atomic_load(&ahead->is_ending); i++) {
        probe_page(lane, &look->pages[i]);
        unit->bytes_read += look->pages[i].probe.bytes_read;
    }
}

/* -- Between helpers and scan */

/* With the mutex. NULL: none waits. */
static struct unit *first_waiting(struct fg_ahead *ahead)
{
    struct unit *first = NULL;
    for (uint32_t i = 0; i < ahead->units_max; i++) {
        struct unit *unit = &ahead->units[i];
        if (unit->state == UNIT_WAITING && (!first || unit->turn < first->turn))
            first = unit;
    }
    return first;
}

/* With the mutex: a lane that was in the segment last, or any. */
static struct lane *take_lane(struct fg_ahead *ahead, const struct fg_segment *segment)
{
    struct lane **at = &ahead->lanes;
    for (struct lane **other = at; *other; other = &(*other)->next)
        if ((*other)->segment == segment)
            at = other;
    struct lane *lane = *at;
    if (lane)
        *at = lane->next;
    return lane;
}

static bool run(struct fg_crew_work *work)
{
    struct fg_ahead *ahead = (struct fg_ahead *)work;
    fg_mutex_lock(&ahead->mutex);
    struct unit *unit = atomic_load(&ahead->is_ending) ? NULL : first_waiting(ahead);
    if (!unit) {
        fg_mutex_unlock(&ahead->mutex);
        return false;
    }
    unit->state = UNIT_AT_WORK;
    struct lane *lane = take_lane(ahead, unit->segment);
    fg_mutex_unlock(&ahead->mutex);
    if (lane || lane_new(ahead->options.scan, &lane) == 0)
        do_unit(ahead, lane, unit);
    else
        unit->result = FG_ENOTFOUND; /* the scan looks itself, and has its own memory */
    fg_mutex_lock(&ahead->mutex);
    unit->state = UNIT_DONE;
    ahead->bytes_read += unit->bytes_read;
    if (lane) {
        lane->next = ahead->lanes;
        ahead->lanes = lane;
    }
    fg_cond_signal(&ahead->done);
    bool has_more = first_waiting(ahead) != NULL;
    fg_mutex_unlock(&ahead->mutex);
    return has_more;
}

int fg_ahead_new(const struct fg_ahead_options *options, struct fg_ahead **ret_ahead)
{
    struct fg_ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return FG_ENOMEM;
    ahead->work.run = run;
    ahead->options = *options;
    /* Enough that none of the helpers waits for the scan to come for what is done. */
    uint32_t wanted = 3 * fg_crew_size(options->crew) + 2;
    ahead->units_max = wanted < FG_AHEAD_GROUPS_MAX ? wanted : FG_AHEAD_GROUPS_MAX;
    fg_mutex_init(&ahead->mutex, FG_RANK_LEAF);
    fg_cond_init(&ahead->done);
    *ret_ahead = ahead;
    return 0;
}

void fg_ahead_free(struct fg_ahead *ahead)
{
    if (!ahead)
        return;
    atomic_store(&ahead->is_ending, true);
    fg_crew_leave(ahead->options.crew, &ahead->work);
    for (uint32_t i = 0; i < ahead->units_max; i++)
        fg_segment_look_free(&ahead->units[i].look);
    while (ahead->lanes) {
        struct lane *lane = ahead->lanes;
        ahead->lanes = lane->next;
        lane_free(lane);
    }
    fg_cond_destroy(&ahead->done);
    fg_mutex_destroy(&ahead->mutex);
    free(ahead);
}

bool fg_ahead_has_room(struct fg_ahead *ahead, uint64_t bytes_read)
{
    uint64_t bytes_max = ahead->options.scan->bytes_max;
    fg_mutex_lock(&ahead->mutex);
    bool has_room = ahead->unit_count < ahead->units_max &&
                    (!bytes_max || bytes_read + ahead->bytes_read <= bytes_max);
    fg_mutex_unlock(&ahead->mutex);
    return has_room;
}

void fg_ahead_add(struct fg_ahead *ahead, struct fg_segment *segment, uint32_t number,
                  bool with_pages)
{
    fg_mutex_lock(&ahead->mutex);
    struct unit *unit = ahead->units;
    while (unit->state != UNIT_FREE)
        unit++;
    *unit = (struct unit){.state = UNIT_WAITING,
                          .turn = ahead->turn++,
                          .segment = segment,
                          .number = number,
                          .with_pages = with_pages};
    ahead->unit_count++;
    fg_mutex_unlock(&ahead->mutex);
    fg_crew_call(ahead->options.crew, &ahead->work);
}

/* With the mutex. */
static struct unit *find(struct fg_ahead *ahead, const struct fg_segment *segment, uint32_t number)
{
    for (uint32_t i = 0; i < ahead->units_max; i++) {
        struct unit *unit = &ahead->units[i];
        if (unit->state != UNIT_FREE && unit->segment == segment && unit->number == number)
            return unit;
    }
    return NULL;
}

/* With the mutex, which is let go while check is asked. */
static int wait_for(struct fg_ahead *ahead, const struct unit *unit, int (*check)(void *arg),
                    void *arg)
{
    int r = 0;
    while (r == 0 && unit->state == UNIT_AT_WORK) {
        if (fg_cond_wait_for(&ahead->done, &ahead->mutex, CHECK_NS))
            continue;
        fg_mutex_unlock(&ahead->mutex);
        r = check(arg);
        fg_mutex_lock(&ahead->mutex);
    }
    return r;
}

int fg_ahead_take(struct fg_ahead *ahead, struct fg_segment *segment, uint32_t number,
                  int (*check)(void *arg), void *arg, struct fg_segment_look *look)
{
    fg_mutex_lock(&ahead->mutex);
    struct unit *unit = find(ahead, segment, number);
    int r = unit ? wait_for(ahead, unit, check, arg) : FG_ENOTFOUND;
    if (r == 0) {
        r = unit->state == UNIT_DONE ? unit->result : FG_ENOTFOUND;
        ahead->bytes_read -= unit->bytes_read;
        *look = unit->look;
        *unit = (struct unit){0};
        ahead->unit_count--;
    }
    fg_mutex_unlock(&ahead->mutex);
    return r;
}
