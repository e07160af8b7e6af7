#include "waterfall.h"

#include "base/units.h"
#include "query/summary.h"
#include "span/tree.h"
#include "terminal.h"

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

static const char *paint(const struct layout *layout, const char *colour)
{
    return fg_terminal_paint(layout->cli, colour);
}

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
    fprintf(out, "|%*s%s", begin, "", paint(layout, is_error ? FG_RED : FG_CYAN));
    for (int i = begin; i <= end; i++)
        fputs(is_open && i == end ? ">" : layout->utf8 ? "\u2501" : "=", out);
    if (end < begin)
        end = begin - 1;
    fprintf(out, "%s%*s| ", paint(layout, FG_PLAIN), layout->bar_columns - 1 - end, "");
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
    fputs(paint(layout, FG_FAINT), out);
    fg_terminal_cell(out, batch->strings[batch->resource_service[batch->resource[row]]],
                     layout->service_columns);
    fprintf(out, "%s %*s%s", paint(layout, FG_PLAIN), indent, "",
            paint(layout, is_error ? FG_RED : ""));
    fg_terminal_cell(out, batch->strings[batch->name[row]], layout->name_columns - indent);
    fprintf(out, "%s ", paint(layout, FG_PLAIN));
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
        fprintf(out, "  %serror%s", paint(layout, FG_RED), message.size ? ": " : "");
        fg_terminal_cell(out, message, message.size > 80 ? 80 : (int)message.size);
        fputs(paint(layout, FG_PLAIN), out);
    }
    fputc('\n', out);
}

static void print_head(const struct layout *layout, const struct fg_trace_summary *summary)
{
    FILE *out = layout->cli->out;
    char start[FG_UNITS_TEXT_SIZE], duration[FG_UNITS_TEXT_SIZE];
    fg_time_format(summary->start_ns, start);
    fg_duration_format(summary->duration_ns, duration);
    fprintf(out, "%sTrace %016llx%016llx%s\n", paint(layout, FG_BOLD),
            (unsigned long long)summary->trace_id_high, (unsigned long long)summary->trace_id_low,
            paint(layout, FG_PLAIN));
    fprintf(out, "%s  %s  %u %s", start, duration, summary->span_count,
            summary->span_count == 1 ? "span" : "spans");
    if (summary->error_count)
        fprintf(out, "  %s%u %s%s", paint(layout, FG_RED), summary->error_count,
                summary->error_count == 1 ? "error" : "errors", paint(layout, FG_PLAIN));
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
    int rest = fg_terminal_columns(layout->cli) - layout->service_columns - TIME_COLUMNS - 5;
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
                            .utf8 = fg_terminal_is_utf8()};
    measure(&layout, &summary);
    print_head(&layout, &summary);
    for (uint32_t i = 0; i < tree.count; i++)
        print_span(&layout, tree.order[i]);
    return 0;
}
