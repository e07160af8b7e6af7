/* What was learned, and what of it was accepted, in the keyed state:
 *
 *     journey_learned    TENANT (4) HASH OF THE KEY'S NAME (8)   learn_codec.c
 *     journey_accepted   the same                                accepted.c
 *
 * Numbers of keys are big-endian.
 *
 * What was learned is committed with the records that it was learned from; what is accepted before
 * it is answered. Of a flow that is declared otherwise now what is gone is dropped here. */
#include "base/endian.h"
#include "journeys_internal.h"

#define LEARNED_SIZE_MAX ((size_t)1 << 20)

#define STATE_KEY_SIZE 12u

static struct fg_slice state_key(const struct fg_journeys *journeys,
                                 const struct fg_watched_key *key, uint8_t bytes[STATE_KEY_SIZE])
{
    fg_store_be32(bytes, journeys->options.tenant);
    fg_store_be64(bytes + 4, key->hash);
    return fg_slice(bytes, STATE_KEY_SIZE);
}

static int load_learned(struct fg_journeys *journeys, struct fg_state_view *view,
                        struct fg_watched_key *key)
{
    struct fg_slice bytes;
    uint8_t name[STATE_KEY_SIZE];
    int r = fg_state_get(view, journeys->learned_table, state_key(journeys, key, name), &bytes);
    if (r == 0)
        r = fg_learned_decode(bytes, key->learned);
    if (r == FG_ECORRUPT) { /* it is learned anew */
        journeys->counters.damaged++;
        return 0;
    }
    return r == FG_ENOTFOUND ? 0 : r;
}

static int load_accepted(struct fg_journeys *journeys, struct fg_state_view *view,
                         struct fg_watched_key *key)
{
    struct fg_slice bytes;
    uint8_t name[STATE_KEY_SIZE];
    int r = fg_state_get(view, journeys->accepted_table, state_key(journeys, key, name), &bytes);
    if (r == 0)
        r = fg_accepted_decode(bytes, &key->accepted);
    if (r == FG_ECORRUPT) {
        journeys->counters.damaged++;
        return 0;
    }
    /* A whole flow, and now one is declared, or the other way round: the declared one holds. */
    if (r == 0 && key->is_declared != (key->accepted->yaml.size == 0)) {
        fg_accepted_free(key->accepted);
        key->accepted = NULL;
    }
    return r == FG_ENOTFOUND ? 0 : r;
}

static int load(struct fg_journeys *journeys)
{
    struct fg_state_view *view;
    int r = fg_state_tenant_table(journeys->options.state, "journey_learned",
                                  journeys->options.tenant, &journeys->learned_table);
    if (r == 0)
        r = fg_state_tenant_table(journeys->options.state, "journey_accepted",
                                  journeys->options.tenant, &journeys->accepted_table);
    if (r == 0)
        r = fg_state_view_take(journeys->options.state, &view);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++) {
        r = load_learned(journeys, view, &journeys->keys[i]);
        if (r == 0)
            r = load_accepted(journeys, view, &journeys->keys[i]);
    }
    fg_state_view_release(view);
    return r;
}

int fg_learn_open(struct fg_journeys *journeys)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++)
        r = fg_learned_new(journeys->keys[i].flow, &journeys->keys[i].learned);
    if (r == 0 && journeys->vault)
        r = load(journeys);
    for (uint32_t i = 0; r == 0 && i < journeys->key_count; i++)
        r = fg_learn_apply_key(journeys, i);
    return r;
}

void fg_learn_put(struct fg_journeys *journeys, struct fg_state_batch *batch)
{
    struct fg_buffer bytes;
    fg_buffer_init(&bytes, LEARNED_SIZE_MAX);
    for (uint32_t i = 0; i < journeys->key_count; i++) {
        struct fg_watched_key *key = &journeys->keys[i];
        uint8_t name[STATE_KEY_SIZE];
        if (!key->learned->is_changed)
            continue;
        fg_buffer_reset(&bytes);
        fg_learned_encode(key->learned, &bytes);
        if (bytes.error) { /* no memory: with the next commit */
            journeys->counters.failed_commits++;
            continue;
        }
        fg_state_put(batch, journeys->learned_table, state_key(journeys, key, name),
                     fg_buffer_slice(&bytes));
        key->learned->is_changed = false;
    }
    fg_buffer_free(&bytes);
}

void fg_learn_clear(struct fg_journeys *journeys)
{
    for (uint32_t i = 0; i < journeys->key_count; i++) {
        fg_learned_clear(journeys->keys[i].learned);
        journeys->keys[i].proposed_total = 0;
        journeys->keys[i].was_accepted = true; /* what is in force is to be found anew */
    }
}

/* -- Accepting */

/* Puts it on disk and in the place of what was accepted; NULL: nothing is accepted any more. Taken,
 * also on failure. Mutex held. */
int fg_learn_accept_take(struct fg_journeys *journeys, uint32_t index, struct fg_accepted *accepted)
{
    struct fg_watched_key *key = &journeys->keys[index];
    struct fg_state_batch *batch;
    struct fg_buffer bytes;
    uint8_t name[STATE_KEY_SIZE];
    fg_buffer_init(&bytes, LEARNED_SIZE_MAX);
    int r = journeys->vault ? fg_state_batch_new(journeys->options.state, &batch) : FG_EUNSUPPORTED;
    if (r == 0 && accepted) {
        fg_accepted_encode(accepted, &bytes);
        fg_state_put(batch, journeys->accepted_table, state_key(journeys, key, name),
                     fg_buffer_slice(&bytes));
    } else if (r == 0) {
        fg_state_delete(batch, journeys->accepted_table, state_key(journeys, key, name));
    }
    if (r == 0 && bytes.error) {
        fg_state_batch_free(batch);
        r = bytes.error;
    } else if (r == 0) {
        r = fg_state_commit_take(journeys->options.state, batch);
    }
    fg_buffer_free(&bytes);
    if (r < 0) {
        fg_accepted_free(accepted);
        return r;
    }
    fg_accepted_free(key->accepted);
    key->accepted = accepted;
    key->was_accepted = true;
    return 0;
}
