/* `filigree serve --recorders DIR`: the server takes what processes of its own host had when they
 * died. A ring belongs to its process for as long as that holds the file's lock; the kernel lets go
 * of the lock however the process ends, so that asking for it is all the watching there is. That is
 * done every second: it costs an open and a close a ring.
 *
 * What the store does not take now stays in its ring, and is tried again; what was taken and could
 * not be removed comes again, and is known by its ids. */
#include "serve.h"

#include "base/hash.h"
#include "base/limits.h"
#include "recovery.h"

#include <inttypes.h>
#include <stdlib.h>

#define PASS_NS FG_NS_PER_SECOND
/* After a pass that had to leave a ring, which may be large. */
#define PASS_AFTER_FAILURE_NS (5 * FG_NS_PER_SECOND)
/* Complaints of the last pass that are known again; more are said again. */
#define COMPLAINTS_MAX 256u

/* What was said in one pass, by its hash. */
struct complaints {
    uint64_t hashes[COMPLAINTS_MAX];
    uint32_t count;
};

struct fg_recorders {
    struct fg_serve *serve;
    struct fg_thread thread;
    struct fg_mutex mutex; /* guards is_stopping */
    struct fg_cond cond;
    bool is_stopping;
    struct complaints before, now; /* the thread's own */
};

static bool is_going_on(void *arg)
{
    struct fg_recorders *recorders = arg;
    fg_mutex_lock(&recorders->mutex);
    bool is_stopping = recorders->is_stopping;
    fg_mutex_unlock(&recorders->mutex);
    return !is_stopping;
}

static void send(void *arg, struct fg_slice request, struct fg_outlet_answer *ret_answer)
{
    struct fg_recorders *recorders = arg;
    struct fg_outlet_answer answer = {.verdict = FG_OUTLET_ACCEPTED};
    int r = fg_api_inject(recorders->serve->api, 0, request, &answer.rejected_spans);
    if (r == FG_ELIMIT)
        answer.verdict = FG_OUTLET_TOO_LARGE;
    else if (r == FG_EINVALID)
        answer.verdict = FG_OUTLET_REFUSED;
    else if (r < 0)
        answer.verdict = FG_OUTLET_RETRY;
    if (r < 0)
        snprintf(answer.text, sizeof answer.text, "the store does not take it: %s",
                 fg_error_name(r));
    *ret_answer = answer;
}

static bool is_known(const struct complaints *complaints, uint64_t hash)
{
    for (uint32_t i = 0; i < complaints->count; i++)
        if (complaints->hashes[i] == hash)
            return true;
    return false;
}

/* Whether this was said in the pass before, too: then it is still so, and no news. */
static bool is_news(struct fg_recorders *recorders, const char *path, const char *text)
{
    uint64_t hash = fg_hash_seeded(fg_slice_from_string(text), fg_hash(fg_slice_from_string(path)));
    if (!is_known(&recorders->now, hash) && recorders->now.count < COMPLAINTS_MAX)
        recorders->now.hashes[recorders->now.count++] = hash;
    return !is_known(&recorders->before, hash);
}

static void say(void *arg, const char *path, const char *text)
{
    if (is_news(arg, path, text))
        fg_log(FG_LOG_WARN, "flight recorder", "file=%s text=%s", path, text);
}

static void take_folder(struct fg_recorders *recorders, const char *folder, bool *is_left)
{
    struct fg_recovery recovery = {
        .env = recorders->serve->cli->env,
        .send = send,
        .alive = is_going_on,
        .say = say,
        .arg = recorders,
        .tries_max = 1,
    };
    int r = fg_recovery_run(&recovery, folder);
    /* Before the first traced process made it there is no such folder. */
    if (r < 0 && r != FG_ENOTFOUND && r != FG_ECANCELLED &&
        is_news(recorders, folder, fg_error_name(r)))
        fg_log(FG_LOG_WARN, "can't read a folder of flight recorders", "folder=%s reason=%s",
               folder, fg_error_name(r));
    if (recovery.rings)
        fg_log(FG_LOG_INFO, "spans of processes that died were taken",
               "folder=%s recorders=%" PRIu64 " ended_spans=%" PRIu64 " interrupted_spans=%" PRIu64
               " refused_spans=%" PRIu64 " torn_spans=%" PRIu64,
               folder, recovery.rings, recovery.ended_spans, recovery.interrupted_spans,
               recovery.refused_spans, recovery.torn_spans);
    *is_left |= recovery.rings_left > 0;
}

static void run(void *arg)
{
    struct fg_recorders *recorders = arg;
    const struct fg_config_list *folders = &recorders->serve->config->recorders;
    while (is_going_on(recorders)) {
        bool is_left = false;
        for (size_t i = 0; i < folders->count; i++)
            take_folder(recorders, folders->items[i], &is_left);
        recorders->before = recorders->now;
        recorders->now.count = 0;
        fg_mutex_lock(&recorders->mutex);
        if (!recorders->is_stopping)
            (void)fg_cond_wait_for(&recorders->cond, &recorders->mutex,
                                   is_left ? PASS_AFTER_FAILURE_NS : PASS_NS);
        fg_mutex_unlock(&recorders->mutex);
    }
}

int fg_serve_recorders_start(struct fg_serve *serve, struct fg_recorders **ret_recorders)
{
    struct fg_recorders *recorders = calloc(1, sizeof *recorders);
    if (!recorders)
        return FG_ENOMEM;
    recorders->serve = serve;
    fg_mutex_init(&recorders->mutex, FG_RANK_API);
    fg_cond_init(&recorders->cond);
    int r = fg_thread_start(&recorders->thread, "recorders", run, recorders);
    if (r < 0) {
        fg_cond_destroy(&recorders->cond);
        fg_mutex_destroy(&recorders->mutex);
        free(recorders);
        return r;
    }
    *ret_recorders = recorders;
    return 0;
}

void fg_serve_recorders_stop(struct fg_recorders *recorders)
{
    if (!recorders)
        return;
    fg_mutex_lock(&recorders->mutex);
    recorders->is_stopping = true;
    fg_cond_signal(&recorders->cond);
    fg_mutex_unlock(&recorders->mutex);
    fg_thread_join(&recorders->thread);
    fg_cond_destroy(&recorders->cond);
    fg_mutex_destroy(&recorders->mutex);
    free(recorders);
}
