#include "tally.h"

#include "base/limits.h"

static void copy(char to[FG_TALLY_TEXT_SIZE], struct fg_slice from)
{
    size_t size = from.size < FG_TALLY_TEXT_SIZE ? from.size : FG_TALLY_TEXT_SIZE - 1;
    if (size)
        memcpy(to, from.data, size);
    to[size] = 0;
}

static bool is_text(const char *own, struct fg_slice text)
{
    char cut[FG_TALLY_TEXT_SIZE];
    copy(cut, text);
    return strcmp(own, cut) == 0;
}

static struct fg_tally *find(struct fg_tallies *tallies, const struct fg_audit_record *record)
{
    for (size_t i = 0; i < tallies->count; i++) {
        struct fg_tally *tally = &tallies->kinds[i];
        if (is_text(tally->action, record->action) && is_text(tally->what, record->what) &&
            is_text(tally->result, record->result))
            return tally;
    }
    if (tallies->count == FG_TALLY_KINDS_MAX)
        return &tallies->kinds[FG_TALLY_KINDS_MAX - 1];
    struct fg_tally *tally = &tallies->kinds[tallies->count++];
    *tally = (struct fg_tally){0};
    bool is_rest = tallies->count == FG_TALLY_KINDS_MAX;
    copy(tally->action, record->action);
    copy(tally->what, is_rest ? FG_SLICE("others") : record->what);
    copy(tally->result, is_rest ? FG_SLICE("not told apart") : record->result);
    return tally;
}

bool fg_tally_is_first(struct fg_tallies *tallies, const struct fg_audit_record *record,
                       uint64_t now_ns)
{
    struct fg_tally *tally = find(tallies, record);
    if (tally->count == 0 && now_ns >= tally->until_ns) {
        fg_tally_restart(tally, now_ns);
        return true;
    }
    tally->count++;
    copy(tally->from, record->from);
    return false;
}

struct fg_tally *fg_tally_due(struct fg_tallies *tallies, uint64_t now_ns)
{
    for (size_t i = 0; i < tallies->count; i++)
        if (tallies->kinds[i].count > 0 && now_ns >= tallies->kinds[i].until_ns)
            return &tallies->kinds[i];
    return NULL;
}

uint64_t fg_tally_next_ns(const struct fg_tallies *tallies)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < tallies->count; i++)
        if (tallies->kinds[i].count > 0 && tallies->kinds[i].until_ns < next_ns)
            next_ns = tallies->kinds[i].until_ns;
    return next_ns;
}

void fg_tally_restart(struct fg_tally *tally, uint64_t now_ns)
{
    tally->count = 0;
    tally->until_ns = now_ns + FG_NS_PER_MINUTE;
}
