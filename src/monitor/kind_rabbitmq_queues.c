/* Declared queues, one by one or by pattern: whether they are there, are taken from, keep pace, and
 * have room. How long the last message of a queue will wait is told from the pace at which messages
 * were taken out over the last minutes, by this monitor's own counting: RabbitMQ's rates are those
 * of the last five seconds. */
#include "kind_rabbitmq.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS                                                                                    \
    "name,messages,messages_ready,messages_unacknowledged,consumers,message_bytes_ready,"          \
    "message_stats,effective_policy_definition,arguments,state"
#define PAGE_SIZE        50u
#define PACE_SHORTEST_NS (10 * FG_NS_PER_SECOND)
#define PACE_WINDOW_NS   (2 * FG_NS_PER_MINUTE)
#define TOLD_MAX         8u

/* -- Pace -------------------------------------------------------------------------------------- */

/* The queue's own record, or the one that was not seen for longest. */
static struct fg_rabbit_pace *find_pace(struct fg_rabbit_pace *paces, uint32_t count,
                                        uint64_t name_hash)
{
    struct fg_rabbit_pace *oldest = &paces[0];
    for (uint32_t i = 0; i < count; i++) {
        if (paces[i].seen_ns && paces[i].name_hash == name_hash)
            return &paces[i];
        if (paces[i].seen_ns < oldest->seen_ns)
            oldest = &paces[i];
    }
    return oldest;
}

double fg_rabbit_pace(struct fg_rabbit_pace *paces, uint32_t count, uint64_t mono_ns,
                      const struct fg_rabbit_queue *queue, uint64_t *ret_still_ns)
{
    uint64_t hash = fg_hash(fg_slice_from_string(queue->name));
    struct fg_rabbit_pace *pace = find_pace(paces, count, hash);
    bool is_new =
        !pace->seen_ns || pace->name_hash != hash || queue->taken_count < pace->newer.taken_count;
    if (is_new) {
        *pace = (struct fg_rabbit_pace){.name_hash = hash, .moved_ns = mono_ns};
        pace->older.mono_ns = pace->newer.mono_ns = mono_ns;
        pace->older.taken_count = pace->newer.taken_count = queue->taken_count;
        pace->last_count = queue->taken_count;
    }
    pace->seen_ns = mono_ns;
    if (queue->taken_count != pace->last_count || queue->ready <= 0)
        pace->moved_ns = mono_ns;
    pace->last_count = queue->taken_count;
    *ret_still_ns = mono_ns - pace->moved_ns;
    uint64_t span_ns = mono_ns - pace->older.mono_ns;
    double taken = (double)(queue->taken_count - pace->older.taken_count);
    if (mono_ns - pace->newer.mono_ns >= PACE_WINDOW_NS) {
        pace->older = pace->newer;
        pace->newer.mono_ns = mono_ns;
        pace->newer.taken_count = queue->taken_count;
    }
    return span_ns >= PACE_SHORTEST_NS ? taken * 1e9 / (double)span_ns : -1;
}

/* -- One queue --------------------------------------------------------------------------------- */

static void judge_full(struct fg_rabbit_run *run, const struct fg_rabbit_queue *queue)
{
    if (!fg_rabbit_queue_is_full(queue))
        return;
    char limit[FG_UNITS_TEXT_SIZE];
    bool by_length = queue->length_max >= 0 && queue->ready >= queue->length_max;
    if (by_length)
        snprintf(limit, sizeof limit, "%lld messages", (long long)queue->length_max);
    else
        fg_size_format((uint64_t)queue->bytes_max, limit);
    const char *what = queue->overflow == FG_RABBIT_REJECT ? "new messages are refused"
                       : queue->has_dead_letters ? "the oldest messages become dead letters"
                                                 : "the oldest messages are dropped and lost";
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "full", false,
                     "%s is full: it may hold %s, and %s (%s)", queue->name, limit, what,
                     queue->overflow == FG_RABBIT_REJECT ? "reject-publish" : "drop-head");
}

static void judge_pace(struct fg_rabbit_run *run, const struct fg_rabbit_queue *queue)
{
    const struct fg_rabbit_check *check = run->check;
    char time[FG_UNITS_TEXT_SIZE];
    uint64_t still_ns;
    double pace = fg_rabbit_pace(run->check->paces, FG_RABBIT_QUEUES_MAX,
                                 fg_env_mono_ns(check->env), queue, &still_ns);
    if (queue->consumers == 0 || queue->ready <= 0)
        return;
    double wait = pace > 0 ? (double)queue->ready / pace : 0;
    if (check->depth_max && queue->ready > check->depth_max) {
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "falling_behind", false,
                         "%lld messages wait in %s, and %lld is its depth-max",
                         (long long)queue->ready, queue->name, (long long)check->depth_max);
    } else if (check->wait_max_ns && still_ns > check->wait_max_ns) {
        fg_duration_format(still_ns, time);
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "falling_behind", false,
                         "%lld messages wait in %s, and none was taken for %s though it has "
                         "consumers",
                         (long long)queue->ready, queue->name, time);
    } else if (check->wait_max_ns && wait < 1e9 && wait * 1e9 > (double)check->wait_max_ns) {
        fg_duration_format((uint64_t)(wait * 1e9), time);
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "falling_behind", false,
                         "%lld messages wait in %s; at %.3g a second that takes %s",
                         (long long)queue->ready, queue->name, pace, time);
    }
}

static void judge_queue(struct fg_rabbit_run *run, const struct fg_rabbit_queue *queue)
{
    int64_t wanted = run->check->consumers_min;
    if (!queue->is_running)
        fg_check_finding(run->report, FG_CHECK_DOWN, "unreachable", false,
                         "%s is not running: the node that has it is down", queue->name);
    else if (queue->consumers >= 0 && queue->consumers < wanted)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "gone", false,
                         "nobody consumes %s%s (%lld of %lld consumers)", queue->name,
                         queue->consumers ? " as it should be" : "", (long long)queue->consumers,
                         (long long)wanted);
    judge_full(run, queue);
    judge_pace(run, queue);
}

static void judge_dead_letters(struct fg_rabbit_run *run, const struct fg_rabbit_queue *queue)
{
    if (queue->messages > run->check->dead_letters_max)
        fg_check_finding(run->report, FG_CHECK_DEGRADED, "rejected", true,
                         "%lld dead letters lie in %s", (long long)queue->messages, queue->name);
}

/* -- All of them ------------------------------------------------------------------------------- */

static void report_missing(struct fg_rabbit_run *run, const char *name)
{
    fg_check_finding(run->report, FG_CHECK_DEGRADED, "wrong_route", false,
                     "there is no queue %s in the virtual host %s", name, run->check->vhost);
}

static void get_one(struct fg_rabbit_run *run, const char *name, struct fg_rabbit_queue *queues,
                    uint32_t *count)
{
    struct fg_buffer path;
    fg_buffer_init(&path, 4096);
    fg_buffer_append_string(&path, "queues/");
    fg_web_url_append(&path, run->check->vhost);
    fg_buffer_append_byte(&path, '/');
    fg_web_url_append(&path, name);
    fg_buffer_append_string(&path, "?columns=" COLUMNS);
    fg_buffer_append_byte(&path, 0);
    int error =
        path.error ? FG_ELIMIT : fg_rabbit_get(run, "its queues", (const char *)path.data, 0);
    fg_buffer_free(&path);
    if (error == FG_ENOTFOUND)
        report_missing(run, name);
    else if (error == 0 && fg_rabbit_read_queue(fg_buffer_slice(&run->body), &queues[*count]) == 0)
        (*count)++;
    else if (error == 0 || error == FG_ELIMIT)
        fg_rabbit_not_understood(run, "its queues");
}

void fg_rabbit_pattern(const char *glob, struct fg_buffer *regex)
{
    fg_buffer_append_byte(regex, '^');
    for (; *glob; glob++) {
        if (*glob == '*')
            fg_buffer_append_string(regex, ".*");
        else if (*glob == '?')
            fg_buffer_append_byte(regex, '.');
        else {
            if (strchr("\\^$.|+()[]{}", *glob))
                fg_buffer_append_byte(regex, '\\');
            fg_buffer_append_byte(regex, (uint8_t)*glob);
        }
    }
    fg_buffer_append(regex, "$", 2);
}

static int get_page(struct fg_rabbit_run *run, const char *pattern, int64_t page,
                    struct fg_rabbit_queue *queues, uint32_t *count, int64_t *ret_pages)
{
    struct fg_buffer path, regex;
    fg_buffer_init(&regex, 2048);
    fg_buffer_init(&path, 8192);
    fg_rabbit_pattern(pattern, &regex);
    fg_buffer_append_string(&path, "queues/");
    fg_web_url_append(&path, run->check->vhost);
    fg_buffer_append_format(
        &path, "?page=%lld&page_size=%u&use_regex=true&columns=" COLUMNS "&name=", (long long)page,
        PAGE_SIZE);
    if (!regex.error)
        fg_web_url_append(&path, (const char *)regex.data);
    fg_buffer_append_byte(&path, 0);
    int error = regex.error || path.error
                    ? FG_ELIMIT
                    : fg_rabbit_get(run, "its queues", (const char *)path.data, 0);
    fg_buffer_free(&path);
    fg_buffer_free(&regex);
    if (error == 0)
        error = fg_rabbit_read_queues(fg_buffer_slice(&run->body), queues, FG_RABBIT_QUEUES_MAX,
                                      count, ret_pages);
    if (error && error != FG_EIO && error != FG_ECANCELLED)
        fg_rabbit_not_understood(run, "its queues");
    return error;
}

static void get_pattern(struct fg_rabbit_run *run, const char *pattern,
                        struct fg_rabbit_queue *queues, uint32_t *count)
{
    uint32_t before = *count;
    int64_t pages = 1;
    for (int64_t page = 1; page <= pages && *count < FG_RABBIT_QUEUES_MAX; page++)
        if (get_page(run, pattern, page, queues, count, &pages) != 0)
            return;
    if (*count == before)
        report_missing(run, pattern);
}

/* A queue that two of the names stand for is one. */
static uint32_t unite(struct fg_rabbit_queue *queues, uint32_t before, uint32_t count)
{
    uint32_t used = before;
    for (uint32_t i = before; i < count; i++) {
        bool is_known = false;
        for (uint32_t k = 0; k < used && !is_known; k++)
            is_known = strcmp(queues[k].name, queues[i].name) == 0;
        if (!is_known && used != i)
            queues[used] = queues[i];
        used += !is_known;
    }
    return used;
}

static uint32_t get_all(struct fg_rabbit_run *run, const char *const *names, uint32_t name_count,
                        struct fg_rabbit_queue *queues)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < name_count && count < FG_RABBIT_QUEUES_MAX && !run->is_over; i++) {
        uint32_t before = count;
        if (strpbrk(names[i], "*?"))
            get_pattern(run, names[i], queues, &count);
        else
            get_one(run, names[i], queues, &count);
        count = unite(queues, before, count);
    }
    if (count == FG_RABBIT_QUEUES_MAX)
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "configuration", false,
                         "it has more queues of these names than the %u that one monitor watches",
                         FG_RABBIT_QUEUES_MAX);
    return count;
}

static void tell_queue(const struct fg_rabbit_queue *queue, const char *separator,
                       struct fg_buffer *told)
{
    fg_buffer_append_format(told,
                            "%s%s: %lld ready, %lld unacknowledged, %lld consumers, in %.3g/s, "
                            "out %.3g/s",
                            separator, queue->name, (long long)queue->ready,
                            (long long)queue->unacknowledged, (long long)queue->consumers,
                            queue->publish_rate, queue->deliver_rate);
    if (queue->length_max >= 0)
        fg_buffer_append_format(told, ", of %lld messages", (long long)queue->length_max);
    if (queue->bytes_max >= 0)
        fg_buffer_append_format(told, ", of %lld bytes", (long long)queue->bytes_max);
}

static void tell_queues(struct fg_rabbit_run *run, const struct fg_rabbit_queue *queues,
                        uint32_t count)
{
    int64_t ready = 0, unacknowledged = 0, consumers = 0;
    double in = 0, out = 0, acks = 0;
    struct fg_buffer told;
    fg_buffer_init(&told, 16 << 10);
    for (uint32_t i = 0; i < count; i++) {
        ready += queues[i].ready > 0 ? queues[i].ready : 0;
        unacknowledged += queues[i].unacknowledged > 0 ? queues[i].unacknowledged : 0;
        consumers += queues[i].consumers > 0 ? queues[i].consumers : 0;
        in += queues[i].publish_rate;
        out += queues[i].deliver_rate;
        acks += queues[i].ack_rate;
        if (i < TOLD_MAX)
            tell_queue(&queues[i], i ? "; " : "", &told);
    }
    fg_check_int(run->report, "rabbitmq.queues", count);
    fg_check_int(run->report, "rabbitmq.messages.ready", ready);
    fg_check_int(run->report, "rabbitmq.messages.unacknowledged", unacknowledged);
    fg_check_int(run->report, "rabbitmq.consumers", consumers);
    fg_check_double(run->report, "rabbitmq.publish.rate", in);
    fg_check_double(run->report, "rabbitmq.deliver.rate", out);
    fg_check_double(run->report, "rabbitmq.ack.rate", acks);
    fg_check_text(run->report, "rabbitmq.queue.details", fg_buffer_slice(&told));
    fg_buffer_free(&told);
}

void fg_rabbit_look_at_queues(struct fg_rabbit_run *run)
{
    const struct fg_rabbit_check *check = run->check;
    if (check->queue_count + check->dead_letter_count == 0)
        return;
    struct fg_rabbit_queue *queues = malloc(FG_RABBIT_QUEUES_MAX * sizeof *queues);
    if (!queues) {
        fg_check_finding(run->report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "there is no memory for its queues");
        return;
    }
    uint32_t count = get_all(run, check->queues, check->queue_count, queues);
    for (uint32_t i = 0; i < count; i++)
        judge_queue(run, &queues[i]);
    if (check->queue_count)
        tell_queues(run, queues, count);
    if (check->dead_letter_count) {
        int64_t dead = 0;
        count = get_all(run, check->dead_letter_queues, check->dead_letter_count, queues);
        for (uint32_t i = 0; i < count; i++) {
            dead += queues[i].messages > 0 ? queues[i].messages : 0;
            judge_dead_letters(run, &queues[i]);
        }
        fg_check_int(run->report, "rabbitmq.dead_letters", dead);
    }
    free(queues);
}
