/* Maintenance: room on the disk, and the upkeep of the blocks. Its thread is not the sealer's, so
 * that a merge of minutes never holds up a seal. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

#define PAUSE_NS FG_NS_PER_SECOND

void fg_store_fail(struct fg_store *store, int error, const char *what)
{
    if (atomic_exchange(&store->state, FG_STORE_FAILED) == FG_STORE_FAILED)
        return;
    fg_store_event(&store->options, FG_LOG_ERROR,
                   "%s failed (%s): the store takes no more spans until it is restarted, and stays "
                   "readable; check the disk and the kernel's log first",
                   what, fg_error_name(error));
    fg_mutex_lock(&store->lock);
    fg_cond_broadcast(&store->changed);
    fg_mutex_unlock(&store->lock);
}

void fg_store_refuse_for_space(struct fg_store *store)
{
    int expected = FG_STORE_OK;
    if (!atomic_compare_exchange_strong(&store->state, &expected, FG_STORE_NO_SPACE))
        return;
    fg_store_event(&store->options, FG_LOG_ERROR,
                   "the disk of %s is full: new spans are refused until there is room again; free "
                   "space, or shorten retention-age or retention-size",
                   store->options.path);
    fg_consumers_let_go(store, atomic_load(&store->sealed_sequence));
}

/* Between taking and refusing, as the disk's room says. Where there is no reserve the test is
 * whether a file for the log can be made. */
static bool look_after_space(struct fg_store *store)
{
    fg_space_look(&store->space);
    bool is_restored = fg_space_restore(&store->space);
    bool is_enough = fg_space_is_enough(&store->space), did = false;
    int state = atomic_load(&store->state);
    if (state == FG_STORE_OK && !is_enough) {
        fg_store_refuse_for_space(store);
        return true;
    }
    if (state != FG_STORE_NO_SPACE || !is_enough || fg_wal_prepare(store->wal, &did) < 0)
        return is_restored;
    if (atomic_compare_exchange_strong(&store->state, &state, FG_STORE_OK))
        fg_store_event(&store->options, FG_LOG_INFO,
                       "there is room on the disk of %s again: new spans are taken",
                       store->options.path);
    return true;
}

int fg_maintain_step(struct fg_store *store, bool *ret_did)
{
    *ret_did = false;
    bool did_space = look_after_space(store);
    if (atomic_load(&store->state) == FG_STORE_FAILED)
        return 0;
    fg_mutex_lock(&store->job_lock);
    int r = store->blocks->ops->maintain(store->blocks, false, ret_did);
    fg_mutex_unlock(&store->job_lock);
    *ret_did |= did_space;
    if (r == FG_EIO || r == FG_ECORRUPT)
        fg_store_event(&store->options, FG_LOG_ERROR,
                       "upkeep of sealed spans failed (%s); it is tried again", fg_error_name(r));
    return r;
}

void fg_maintainer_run(void *arg)
{
    struct fg_store *store = arg;
    bool is_stopping = false;
    fg_thread_behave(FG_THREAD_BACKGROUND);
    while (!is_stopping) {
        bool did;
        int r = fg_maintain_step(store, &did);
        fg_mutex_lock(&store->wake_lock);
        if (!store->is_stopping && (r < 0 || !did))
            fg_cond_wait_for(&store->wake, &store->wake_lock, PAUSE_NS);
        is_stopping = store->is_stopping;
        fg_mutex_unlock(&store->wake_lock);
    }
}
