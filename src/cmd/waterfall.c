#include "waterfall.h"

#include "base/units.h"
#include "base/utf8.h"
#include "query/summary.h"
#include "span/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 120
#define COLUMNS_MIN     60
#define COLUMNS_MAX     400
#define SERVICE_MAX     20
#define TIME_COLUMNS    12
#define DEPTH_SHOWN_MAX 16 /* deeper spans are indented no further */

struct layout {
    struct fg_cli *cli;
    const struct fg_batch *batch;
    const struct fg_tree *tree;
    uint64_t start_ns, duration_ns;
    int service_columns, name_columns, bar_columns;
    bool utf8;
};

static int terminal_columns(const struct fg_cli *cli)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int count = columns ? atoi(columns) : 0;
    if (count <= 0 && ioctl(fileno(cli->out), TIOCGWINSZ, &size) == 0)
        count = size.ws_col;
    if (count <= 0)
        count = COLUMNS_DEFAULT;
    return count < COLUMNS_MIN ? COLUMNS_MIN : count > COLUMNS_MAX ? COLUMNS_MAX : count;
}

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
    }
    return false;
}

/* Prints at most columns characters, without those that steer a terminal, padded with blanks. */
static void print_cell(FILE *out, struct fg_slice text, int columns)
{
    int used = 0;
    for (size_t at = 0; at < text.size && used < columns; used++) {
        int size = fg_utf8_step(text, at);
        bool is_control = size < 0 || text.data[at] < 0x20 || text.data[at] == 0x7f ||
                          (size == 2 && text.data[at] == 0xc2 && text.data[at + 1] < 0xa0);
        size_t bytes = (size_t)(size < 0 ? -size : size);
        if (used + 1 == columns && at + bytes < text.size)
            fputc('~', out);
        else if (is_control)
            fputc('?', out);
        else
            fwrite(text.data + at, 1, bytes, out);
        at += bytes;
    }
    fprintf(out, "%*s", columns - used, "");
}

static const char *paint(const struct layout *layout, const char *colour)
{
    return layout->cli->colour ? colour : "";
}

#define RED   "\033[31m"
#define CYAN  "\033[36m"
#define FAINT "\033[2m"
#define BOLD  "\033[1m"
#define PLAIN "\033[0m"

/* The cell of the bar in which a moment lies. */
static int cell_of(const struct layout *layout, uint64_t ns)
{
    if (layout->duration_ns == 0 || ns <= layout->start_ns)
        return 0;
    double share = (double)(ns - layout->start_ns) / (double)layout->duration_ns;
    int cell = (int)(share * layout->bar_columns);
    return cell >= layout->bar_columns ? layout->bar_columns - 1 : cell;
}

static void print_bar(const struct layout *layout, uint32_t row)
{
    const struct fg_batch *batch = layout->batch;
    FILE *out = layout->cli->out;
    bool is_open = batch->end_ns[row] == 0;
    bool is_error = batch->status[row] == FG_STATUS_ERROR;
    int begin = cell_of(layout, batch->start_ns[row]);
    int end = is_open ? layout->bar_columns - 1 : cell_of(layout, batch->end_ns[row]);
    fprintf(out, "|%*s%s", begin, "", paint(layout, is_error ? RED : CYAN));
    for (int i = begin; i <= end; i++)
        fputs(is_open && i == end ? ">" : layout->utf8 ? "\u2501" : "=", out);
    if (end < begin)
        end = begin - 1;
    fprintf(out, "%s%*s| ", paint(layout, PLAIN), layout->bar_columns - 1 - end, "");
}

static void print_span(const struct layout *layout, uint32_t row)
{
    const struct fg_batch *batch = layout->batch;
    FILE *out = layout->cli->out;
    bool is_error = batch->status[row] == FG_STATUS_ERROR;
    uint32_t depth = layout->tree->depth[row];
    int indent = 2 * (int)(depth > DEPTH_SHOWN_MAX ? DEPTH_SHOWN_MAX : depth);
    if (indent > layout->name_columns / 2)
        indent = layout->name_columns / 2;
    fputs(paint(layout, FAINT), out);
    print_cell(out, batch->strings[batch->resource_service[batch->resource[row]]],
               layout->service_columns);
    fprintf(out, "%s %*s%s", paint(layout, PLAIN), indent, "", paint(layout, is_error ? RED : ""));
    print_cell(out, batch->strings[batch->name[row]], layout->name_columns - indent);
    fprintf(out, "%s ", paint(layout, PLAIN));
    print_bar(layout, row);
    char duration[FG_UNITS_TEXT_SIZE] = "open";
    if (batch->end_ns[row])
        fg_duration_format(batch->end_ns[row] > batch->start_ns[row]
                               ? batch->end_ns[row] - batch->start_ns[row]
                               : 0,
                           duration);
    fprintf(out, "%s", duration);
    struct fg_slice message = batch->strings[fg_column_u32(batch->status_message, row)];
    if (is_error) {
        fprintf(out, "  %serror%s", paint(layout, RED), message.size ? ": " : "");
        print_cell(out, message, message.size > 80 ? 80 : (int)message.size);
        fputs(paint(layout, PLAIN), out);
    }
    fputc('\n', out);
}

static void print_head(const struct layout *layout, const struct fg_trace_summary *summary)
{
    FILE *out = layout->cli->out;
    char start[FG_UNITS_TEXT_SIZE], duration[FG_UNITS_TEXT_SIZE];
    fg_time_format(summary->start_ns, start);
    fg_duration_format(summary->duration_ns, duration);
    fprintf(out, "%sTrace %016llx%016llx%s\n", paint(layout, BOLD),
            (unsigned long long)summary->trace_id_high, (unsigned long long)summary->trace_id_low,
            paint(layout, PLAIN));
    fprintf(out, "%s  %s  %u %s", start, duration, summary->span_count,
            summary->span_count == 1 ? "span" : "spans");
    if (summary->error_count)
        fprintf(out, "  %s%u %s%s", paint(layout, RED), summary->error_count,
                summary->error_count == 1 ? "error" : "errors", paint(layout, PLAIN));
    if (summary->open_count)
        fprintf(out, "  %u open", summary->open_count);
    if (!summary->has_root)
        fprintf(out, "  (its root is missing)");
    fprintf(out, "\n\n");
}

static void measure(struct layout *layout, const struct fg_trace_summary *summary)
{
    layout->service_columns = 1;
    for (uint32_t i = 0; i < summary->service_count; i++) {
        int size = (int)(summary->services[i].service.size > SERVICE_MAX
                             ? SERVICE_MAX
                             : summary->services[i].service.size);
        if (size > layout->service_columns)
            layout->service_columns = size;
    }
    int rest = terminal_columns(layout->cli) - layout->service_columns - TIME_COLUMNS - 5;
    layout->name_columns = rest / 2;
    layout->bar_columns = rest - layout->name_columns;
}

int fg_waterfall_print(struct fg_cli *cli, const struct fg_batch *batch, struct fg_arena *arena)
{
    struct fg_tree tree;
    struct fg_trace_summary summary;
    int r = fg_tree_build(batch, arena, &tree);
    if (r == 0)
        r = fg_trace_summarize(batch, arena, &summary);
    if (r < 0)
        return r;
    struct layout layout = {.cli = cli,
                            .batch = batch,
                            .tree = &tree,
                            .start_ns = summary.start_ns,
                            .duration_ns = summary.duration_ns,
                            .utf8 = locale_is_utf8()};
    measure(&layout, &summary);
    print_head(&layout, &summary);
    for (uint32_t i = 0; i < tree.count; i++)
        print_span(&layout, tree.order[i]);
    return 0;
}
