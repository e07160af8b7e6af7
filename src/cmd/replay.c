/* Moments are the members of OTLP's JSON whose names end in UnixNano: startTimeUnixNano and
 * endTimeUnixNano of spans, timeUnixNano of events. The recording's first request is the zero. */
#include "replay.h"

#include "base/limits.h"
#include "base/units.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* As deep as OTLP's messages are; deeper values hold no moments. */
#define DEPTH_MAX 12
#define WAIT_NS   (200 * FG_NS_PER_MS)

static bool is_moment(const char *name)
{
    size_t size = strlen(name);
    return size > 8 && strcmp(name + size - 8, "UnixNano") == 0;
}

static uint64_t moment_of(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text)
        return strtoull(text, NULL, 10);
    return json_is_integer(value) && json_integer_value(value) > 0
               ? (uint64_t)json_integer_value(value)
               : 0;
}

/* Calls see for each moment that is not 0, and replaces it by what that returns. */
typedef uint64_t (*moment_fn)(void *arg, uint64_t ns);

static void each_moment(json_t *value, moment_fn see, void *arg, int depth)
{
    const char *name;
    json_t *member;
    size_t index;
    if (depth == 0)
        return;
    if (json_is_array(value)) {
        json_array_foreach(value, index, member) each_moment(member, see, arg, depth - 1);
        return;
    }
    json_object_foreach(value, name, member)
    {
        uint64_t ns = is_moment(name) ? moment_of(member) : 0;
        if (ns == 0) {
            each_moment(member, see, arg, depth - 1);
            continue;
        }
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, see(arg, ns));
        json_object_set_new_nocheck(value, name, json_string(text));
    }
}

struct move {
    struct fg_replay *replay;
    uint64_t latest_ns;
};

static uint64_t see_earliest(void *arg, uint64_t ns)
{
    uint64_t *earliest = arg;
    if (*earliest == 0 || ns < *earliest)
        *earliest = ns;
    return ns;
}

static uint64_t move_one(void *arg, uint64_t ns)
{
    struct move *move = arg;
    const struct fg_replay *replay = move->replay;
    double away = ((double)ns - (double)replay->first_ns) / replay->speed;
    /* Whole nanoseconds where time is not stretched: a double has not enough digits for them. */
    uint64_t moved = replay->speed == 1 ? replay->begin_ns + (ns - replay->first_ns)
                                        : replay->begin_ns + (uint64_t)(int64_t)away;
    if (moved > move->latest_ns)
        move->latest_ns = moved;
    return moved;
}

uint64_t fg_replay_move(struct fg_replay *replay, json_t *request)
{
    struct move move = {.replay = replay};
    if (replay->first_ns == 0)
        each_moment(request, see_earliest, &replay->first_ns, DEPTH_MAX);
    each_moment(request, move_one, &move, DEPTH_MAX);
    return move.latest_ns;
}

int fg_replay_line(struct fg_replay *replay, struct fg_slice line, char **ret_text,
                   uint64_t *ret_due_ns)
{
    json_t *request = json_loadb((const char *)line.data, line.size, 0, NULL);
    if (!json_is_object(request)) {
        json_decref(request);
        return FG_EINVALID;
    }
    uint64_t due_ns = fg_replay_move(replay, request);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!text)
        return FG_ENOMEM;
    *ret_text = text;
    *ret_due_ns = due_ns;
    return 0;
}

void fg_replay_wait(struct fg_env *env, uint64_t due_ns)
{
    uint64_t now_ns;
    while ((now_ns = fg_env_wall_ns(env)) < due_ns) {
        uint64_t left_ns = due_ns - now_ns < WAIT_NS ? due_ns - now_ns : WAIT_NS;
        struct timespec time = {.tv_nsec = (long)left_ns};
        nanosleep(&time, NULL);
    }
}
