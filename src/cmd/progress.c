#include "progress.h"

#include "base/units.h"

#include <string.h>

#define REDRAW_NS UINT64_C(100000000)
/* Work that is done sooner shows no bar. */
#define QUIET_NS  UINT64_C(1000000000)
#define BAR_CELLS 30

void fg_progress_begin(struct fg_progress *progress, struct fg_cli *cli, const char *label,
                       bool is_bytes)
{
    *progress = (struct fg_progress){
        .cli = cli, .label = label, .is_bytes = is_bytes, .begin_ns = fg_env_mono_ns(cli->env)};
}

static void amount(const struct fg_progress *progress, uint64_t count,
                   char ret_text[FG_UNITS_TEXT_SIZE])
{
    if (progress->is_bytes)
        fg_size_format(count, ret_text);
    else
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "%llu", (unsigned long long)count);
}

static void draw_bar(FILE *err, uint64_t done, uint64_t total)
{
    double share = done < total ? (double)done / (double)total : 1;
    char bar[BAR_CELLS + 1];
    int full = (int)(share * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)full);
    bar[BAR_CELLS] = 0;
    fprintf(err, " [%s] %3.0f%%", bar, share * 100);
}

void fg_progress_update(struct fg_progress *progress, uint64_t done, uint64_t total)
{
    uint64_t now_ns = fg_env_mono_ns(progress->cli->env);
    if (!progress->cli->progress || now_ns - progress->begin_ns < QUIET_NS ||
        now_ns - progress->drawn_ns < REDRAW_NS)
        return;
    FILE *err = progress->cli->err;
    double seconds = (double)(now_ns - progress->begin_ns) / 1e9;
    char text[FG_UNITS_TEXT_SIZE], rate[FG_UNITS_TEXT_SIZE], left[FG_UNITS_TEXT_SIZE];
    amount(progress, done, text);
    amount(progress, (uint64_t)((double)done / seconds), rate);
    fprintf(err, "\r%s", progress->label);
    if (total)
        draw_bar(err, done, total);
    fprintf(err, " %s, %s/s", text, rate);
    if (total > done && done > 0) {
        fg_duration_format((uint64_t)(seconds * 1e9 * (double)(total - done) / (double)done), left);
        fprintf(err, ", %s left", left);
    }
    fprintf(err, "\033[K");
    fflush(err);
    progress->drawn_ns = now_ns;
    progress->drawn = true;
}

void fg_progress_end(struct fg_progress *progress)
{
    if (progress->drawn)
        fprintf(progress->cli->err, "\r\033[K");
    progress->drawn = false;
}
