#include "strike.h"

#include "store/state.h"

#include <string.h>

/* Of one batch: their keys are some hundred kilobytes at most. */
#define ROWS_MAX 4096u

struct strike {
    struct fg_state_batch *batch;
    uint32_t table, row_count;
    bool (*goes)(void *arg, struct fg_slice key, struct fg_slice value);
    void *arg;
    uint8_t last[FG_STATE_KEY_SIZE_MAX]; /* the row that was looked at last */
    size_t last_size;
};

static int look(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct strike *strike = arg;
    if (strike->row_count == ROWS_MAX)
        return FG_EAGAIN; /* on with the next batch */
    memcpy(strike->last, key.data, key.size);
    strike->last_size = key.size;
    if (!strike->goes(strike->arg, key, value))
        return 0;
    fg_state_delete(strike->batch, strike->table, key);
    strike->row_count++;
    return 0;
}

/* Some rows; *ret_more: there may be others behind them. */
static int strike_some(struct fg_state *state, struct strike *strike, bool *ret_more)
{
    struct fg_state_view *view;
    int r = fg_state_batch_new(state, &strike->batch);
    if (r < 0)
        return r;
    strike->row_count = 0;
    r = fg_state_view_take(state, &view);
    if (r == 0) {
        r = fg_state_each(view, strike->table, (struct fg_slice){0},
                          fg_slice(strike->last, strike->last_size), look, strike, NULL);
        fg_state_view_release(view);
    }
    *ret_more = r == FG_EAGAIN;
    if (*ret_more || (r == 0 && strike->row_count > 0))
        return fg_state_commit_take(state, strike->batch);
    fg_state_batch_free(strike->batch);
    return r;
}

int fg_strike(struct fg_state *state, uint32_t table,
              bool (*goes)(void *arg, struct fg_slice key, struct fg_slice value), void *arg)
{
    struct strike strike = {.table = table, .goes = goes, .arg = arg};
    bool has_more = true;
    int r = 0;
    while (r == 0 && has_more)
        r = strike_some(state, &strike, &has_more);
    return r;
}
