/* `filigree stats`: what fills the disk, how long it lasts, what it costs. */
#include "base/limits.h"
#include "base/units.h"
#include "client.h"
#include "terminal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_DEFAULT 15u
#define NAME_COLUMNS 44

struct page {
    struct fg_cli *cli;
    const json_t *root;
    size_t rows_max;
};

static const char *bold(const struct page *page)
{
    return fg_terminal_paint(page->cli, FG_BOLD);
}

static const char *plain(const struct page *page)
{
    return fg_terminal_paint(page->cli, FG_PLAIN);
}

/* -- Reading the answer
 * ------------------------------------------------------------------------------
 */

static const json_t *member(const json_t *object, const char *name)
{
    return json_object_get(object, name);
}

static void size_of(const json_t *object, const char *name, char ret_text[FG_UNITS_TEXT_SIZE])
{
    const json_t *value = member(object, name);
    if (json_is_number(value))
        fg_size_format((uint64_t)json_number_value(value), ret_text);
    else
        snprintf(ret_text, FG_UNITS_TEXT_SIZE, "-");
}

/* 12 345 678, as one reads it. */
static void number_format(uint64_t value, char ret_text[FG_UNITS_TEXT_SIZE])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    size_t at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            ret_text[at++] = ' ';
        ret_text[at++] = digits[i];
    }
    ret_text[at] = 0;
}

static void count_text(const json_t *object, const char *name, char ret_text[FG_UNITS_TEXT_SIZE])
{
    number_format(fg_answer_number(object, name), ret_text);
}

/* -- Writing
 * -----------------------------------------------------------------------------------------
 */

static void print_store(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *store = member(page->root, "store"), *disk = member(page->root, "disk");
    char a[FG_UNITS_TEXT_SIZE], b[FG_UNITS_TEXT_SIZE], c[FG_UNITS_TEXT_SIZE];
    size_of(store, "segment_bytes", a);
    count_text(store, "segment_spans", b);
    count_text(store, "segment_count", c);
    fprintf(out, "%sStored%s     %s: %s spans in %s %s", bold(page), plain(page), a, b, c,
            fg_answer_number(store, "segment_count") == 1 ? "segment" : "segments");
    if (json_is_number(member(store, "bytes_per_span")))
        fprintf(out, ", %.1f bytes a span", json_number_value(member(store, "bytes_per_span")));
    size_of(store, "head_bytes", a);
    count_text(store, "head_spans", b);
    size_of(store, "wal_bytes", c);
    fprintf(out, "\n           %s spans in memory (%s), not sealed yet; WAL %s\n", b, a, c);
    if (fg_answer_number(store, "state_bytes_max")) {
        size_of(store, "state_used_bytes", a);
        size_of(store, "state_bytes_max", b);
        fprintf(out, "           keyed state (journeys, flows, users): %s of at most %s\n", a, b);
    }
    size_of(disk, "free_bytes", a);
    size_of(disk, "total_bytes", b);
    fprintf(out, "%sDisk%s       %s free of %s\n", bold(page), plain(page), a, b);
    if (strcmp(fg_answer_text(page->root, "state"), "ok") != 0)
        fprintf(out, "%sState%s      %s\n", bold(page), plain(page),
                fg_answer_text(page->root, "state"));
    if (fg_answer_number(store, "damaged_pages"))
        fprintf(out, "%sDamage%s     %llu damaged pages were met; see `filigree verify --help`\n",
                bold(page), plain(page),
                (unsigned long long)fg_answer_number(store, "damaged_pages"));
}

static void print_forecast(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *forecast = member(page->root, "forecast");
    const json_t *days_left = member(forecast, "days_left");
    char rate[FG_UNITS_TEXT_SIZE], full[FG_UNITS_TEXT_SIZE], window[FG_UNITS_TEXT_SIZE];
    if (!json_is_number(member(forecast, "bytes_per_day"))) {
        fprintf(out, "%sGrowth%s     nothing is sealed yet; ask again in some minutes\n",
                bold(page), plain(page));
        return;
    }
    size_of(forecast, "bytes_per_day", rate);
    size_of(forecast, "full_bytes", full);
    fg_duration_format(
        (uint64_t)(json_number_value(member(forecast, "window_days")) * (double)FG_NS_PER_DAY),
        window);
    fprintf(out, "%sGrowth%s     %s a day, as measured over %s\n", bold(page), plain(page), rate,
            window);
    if (json_is_number(days_left))
        fprintf(out, "%sDays left%s  %.0f until %s\n", bold(page), plain(page),
                json_number_value(days_left),
                strcmp(fg_answer_text(forecast, "limited_by"), "disk") == 0
                    ? "the disk is full and new spans are refused"
                    : "retention-size is reached and the oldest days are deleted");
    else
        fprintf(out, "%sDays left%s  no end: at this rate retention-age keeps it at %s\n",
                bold(page), plain(page), full);
    fprintf(out, "%sCost%s       %.2f a month now, %.2f at its full size of %s (%.2f a GB)\n",
            bold(page), plain(page), json_number_value(member(forecast, "cost_per_month")),
            json_number_value(member(forecast, "full_cost_per_month")), full,
            json_number_value(member(forecast, "price_per_gb_month")));
}

/* One tenant: its line in full. All: a table, where there is more than one. */
static void print_tenants(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *tenants = member(page->root, "tenants");
    const char *only = fg_answer_text(page->root, "tenant");
    if (json_array_size(tenants) < 2 && !*only)
        return;
    fprintf(out, "\n%s%-34s%16s %12s %16s %12s%s\n", bold(page), "Tenant", "Spans", "Size",
            "Received", "Over quota", plain(page));
    for (size_t i = 0; i < json_array_size(tenants); i++) {
        const json_t *tenant = json_array_get(tenants, i);
        const json_t *over = member(tenant, "over_quota");
        char spans[FG_UNITS_TEXT_SIZE], size[FG_UNITS_TEXT_SIZE], received[FG_UNITS_TEXT_SIZE];
        if (*only && strcmp(only, fg_answer_text(tenant, "tenant")) != 0)
            continue;
        count_text(tenant, "spans", spans);
        size_of(tenant, "bytes", size);
        count_text(member(tenant, "received"), "spans", received);
        fprintf(out, "%-34s%16s %12s %16s %12llu\n", fg_answer_text(tenant, "tenant"), spans, size,
                received,
                (unsigned long long)(fg_answer_number(over, "spans") +
                                     fg_answer_number(over, "bytes") +
                                     fg_answer_number(over, "attributes")));
    }
}

static void print_days(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *days = member(page->root, "days");
    if (json_array_size(days) == 0)
        return;
    fprintf(out, "\n%s%-12s %16s %14s %10s %12s%s\n", bold(page), "Day", "Spans", "Traces",
            "Segments", "Size", plain(page));
    for (size_t i = 0; i < json_array_size(days) && i < page->rows_max; i++) {
        const json_t *day = json_array_get(days, i);
        char spans[FG_UNITS_TEXT_SIZE], traces[FG_UNITS_TEXT_SIZE], size[FG_UNITS_TEXT_SIZE];
        count_text(day, "spans", spans);
        count_text(day, "traces", traces);
        size_of(day, "bytes", size);
        fprintf(out, "%-12s %16s %14s %10llu %12s\n", fg_answer_text(day, "day"), spans, traces,
                (unsigned long long)fg_answer_number(day, "segments"), size);
    }
}

static void print_name(FILE *out, const char *name, const char *instead)
{
    fg_terminal_cell(out, fg_slice_from_string(*name ? name : instead), NAME_COLUMNS - 1);
    fputc(' ', out);
}

static void print_services(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *services = member(page->root, "services");
    if (json_array_size(services) == 0)
        return;
    fprintf(out, "\n%s%-*s%16s %12s %12s %7s%s\n", bold(page), NAME_COLUMNS, "Service", "Spans",
            "Errors", "Size a day", "Share", plain(page));
    for (size_t i = 0; i < json_array_size(services) && i < page->rows_max; i++) {
        const json_t *service = json_array_get(services, i);
        char spans[FG_UNITS_TEXT_SIZE], errors[FG_UNITS_TEXT_SIZE], size[FG_UNITS_TEXT_SIZE];
        count_text(service, "spans", spans);
        count_text(service, "errors", errors);
        size_of(service, "bytes_per_day", size);
        print_name(out, fg_answer_text(service, "service"), "(none)");
        fprintf(out, "%16s %12s %12s %6.1f%%\n", spans, errors, size,
                100 * json_number_value(member(service, "share")));
    }
}

static void print_keys(const struct page *page)
{
    FILE *out = page->cli->out;
    const json_t *keys = member(page->root, "keys");
    if (json_array_size(keys) == 0)
        return;
    fprintf(out, "\n%s%-10s%-*s%16s %12s %12s %7s%s\n", bold(page), "Of", NAME_COLUMNS, "Attribute",
            "Values", "Size", "Size a day", "Share", plain(page));
    for (size_t i = 0; i < json_array_size(keys) && i < page->rows_max; i++) {
        const json_t *key = json_array_get(keys, i);
        char values[FG_UNITS_TEXT_SIZE], size[FG_UNITS_TEXT_SIZE], rate[FG_UNITS_TEXT_SIZE];
        count_text(key, "values", values);
        size_of(key, "bytes", size);
        size_of(key, "bytes_per_day", rate);
        fprintf(out, "%-10s", fg_answer_text(key, "of"));
        print_name(out, fg_answer_text(key, "key"), "(ids, times, names)");
        fprintf(out, "%16s %12s %12s %6.1f%%\n", values, size, rate,
                100 * json_number_value(member(key, "share")));
    }
}

static enum fg_exit show_page(struct page *page)
{
    fprintf(page->cli->out, "%sFiligree%s   %s, running since %s\n", bold(page), plain(page),
            fg_answer_text(page->root, "version"), fg_answer_text(page->root, "started"));
    print_store(page);
    print_forecast(page);
    print_tenants(page);
    print_days(page);
    print_services(page);
    print_keys(page);
    return FG_EXIT_OK;
}

/* -- The command
 * -------------------------------------------------------------------------------------
 */

static enum fg_exit show(struct fg_cli *cli, const struct fg_arguments *arguments,
                         const json_t *root)
{
    struct page page = {.cli = cli,
                        .root = root,
                        .rows_max = fg_arguments_has(arguments, "all") ? SIZE_MAX : ROWS_DEFAULT};
    return show_page(&page);
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *tenant = fg_arguments_get(arguments, "tenant");
    struct fg_buffer path;
    fg_buffer_init(&path, 4096);
    fg_buffer_append_string(&path, "/api/v1/stats");
    if (tenant) {
        fg_buffer_append_string(&path, "?tenant=");
        fg_client_escape(&path, tenant);
    }
    fg_buffer_append_byte(&path, 0);
    enum fg_exit code = path.error
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "stats: --tenant is too long")
                            : fg_client_show(cli, arguments, (const char *)path.data, NULL, show);
    fg_buffer_free(&path);
    return code;
}

static const struct fg_option options[] = {
    {.name = "json", .help = "the numbers as JSON"},
    {.name = "all", .help = "every day, service and attribute, not just the largest"},
    {.name = "tenant",
     .argument = "NAME",
     .help = "days, services and attributes of this tenant alone"},
    FG_CLIENT_CONNECTION_OPTION,
};

const struct fg_command fg_command_stats = {
    .name = "stats",
    .arguments = "[OPTIONS]",
    .summary = "what fills the disk, how long it lasts, what it costs",
    .help =
        "Bytes by day, service and attribute, the growth a day, the days until the disk or\n"
        "retention-size is full, and the cost at the setting `price`. A service's bytes are its "
        "share\n"
        "of the spans times what a span takes.\n"
        "\n"
        "Examples\n"
        "  filigree stats\n"
        "  filigree stats --all --server http://traces.internal:7070\n"
        "  filigree stats --tenant acme\n"
        "  filigree stats --json | jq '.keys[] | select(.share > 0.05) | .key'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
