#include "report.h"

#include "base/units.h"
#include "wire/json_writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#define JSON_SIZE_MAX ((size_t)1 << 20)
#define ROWS_MAX      16
#define PROC_SIZE_MAX ((size_t)1 << 20)

/* A line of the table. floor and aim are those of the project's "Numbers to reach" for two cores
 * with the generator beside the server; 0, 0: none are named. */
struct row {
    const char *name, *key, *unit;
    double value, floor, aim;
    bool more_is_better;
    int digits;
};

struct machine {
    char processor[128], kernel[192], disk[32];
    long cores;
    uint64_t memory_bytes;
};

/* -- The machine ---------------------------------------------------------------------------------
 */

/* The value of the first line "name : value" of a file under /proc. */
static void proc_value(struct fg_cli *cli, const char *path, const char *name, char *ret_text,
                       size_t size)
{
    uint8_t *data;
    size_t data_size;
    snprintf(ret_text, size, "unknown");
    if (fg_cli_read_file(cli, path, PROC_SIZE_MAX, &data, &data_size) < 0)
        return;
    data[data_size] = 0; /* there is one byte more than the bound */
    const char *at = strstr((char *)data, name);
    at = at ? strchr(at, ':') : NULL;
    if (at) {
        at += 1 + strspn(at + 1, " \t");
        snprintf(ret_text, size, "%.*s", (int)strcspn(at, "\n"), at);
    }
    free(data);
}

static const char *disk_name(long type)
{
    switch (type) {
    case 0xEF53:
        return "ext4";
    case 0x58465342:
        return "xfs";
    case 0x9123683E:
        return "btrfs";
    case 0x01021994:
        return "tmpfs";
    case 0x794C7630:
        return "overlay";
    case 0x2FC12FC1:
        return "zfs";
    default:
        return "another";
    }
}

static struct machine look_at_machine(const struct fg_bench_report *report)
{
    struct machine machine = {.cores = sysconf(_SC_NPROCESSORS_ONLN)};
    struct utsname name;
    struct statfs fs;
    char memory[64];
    proc_value(report->cli, "/proc/cpuinfo", "model name", machine.processor,
               sizeof machine.processor);
    proc_value(report->cli, "/proc/meminfo", "MemTotal", memory, sizeof memory);
    machine.memory_bytes = strtoull(memory, NULL, 10) * 1024;
    if (uname(&name) == 0)
        snprintf(machine.kernel, sizeof machine.kernel, "%s %s", name.sysname, name.release);
    bool known = *report->server->data && statfs(report->server->data, &fs) == 0;
    snprintf(machine.disk, sizeof machine.disk, "%s",
             known ? disk_name((long)fs.f_type) : "unknown");
    return machine;
}

/* -- The figures ---------------------------------------------------------------------------------
 */

static double each(double total, uint64_t count)
{
    return count ? total / (double)count : 0;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static size_t make_rows(const struct fg_bench_report *report, struct row rows[ROWS_MAX])
{
    const struct fg_bench_figures *figures = report->figures;
    const struct fg_bench_load_result *load = &figures->load;
    const struct fg_bench_histogram *latency = &load->latency;
    bool has_process = report->server->pid != 0;
    bool settled = figures->is_settled;
    uint64_t written_bytes =
        settled ? figures->settled_written_bytes : figures->usage.written_bytes;
    size_t count = 0;
#define ROW(...) rows[count++] = (struct row){__VA_ARGS__}
    ROW("spans acknowledged and durable, a second", "spans_per_second", "",
        each((double)load->spans, load->elapsed_ns) * 1e9, 200e3, 350e3, true, 0);
    if (has_process)
        ROW(settled ? "processor seconds a million spans, merges included"
                    : "processor seconds a million spans",
            "cpu_seconds_per_million_spans", "s",
            each(settled ? figures->settled_cpu_seconds : figures->usage.cpu_seconds, load->spans) *
                1e6,
            8, 4, false, 2);
    ROW("acknowledgement, p50", "ack_ms_p50", "ms", ms(fg_bench_histogram_quantile(latency, 0.5)),
        0, 0, false, 2);
    ROW("acknowledgement, p99", "ack_ms_p99", "ms", ms(fg_bench_histogram_quantile(latency, 0.99)),
        20, 5, false, 2);
    ROW("acknowledgement, the longest", "ack_ms_max", "ms", ms(latency->max), 200, 50, false, 2);
    if (figures->folder_bytes)
        ROW(settled ? "bytes a span on disk after merging" : "bytes a span on disk",
            "disk_bytes_per_span", "B", each((double)figures->folder_bytes, load->spans), 40, 27,
            false, 1);
    if (figures->disk_written_bytes)
        ROW("bytes a span that the disk wrote, all told", "written_bytes_per_span", "B",
            each((double)figures->disk_written_bytes, load->spans), 250, 150, false, 1);
    if (has_process && written_bytes)
        ROW("bytes a span that the server wrote itself", "own_written_bytes_per_span", "B",
            each((double)written_bytes, load->spans), 0, 0, false, 1);
    if (has_process || figures->resident_bytes_max)
        ROW("resident memory while ingesting, the most", "resident_mb_max", "MB",
            (double)figures->resident_bytes_max / 1e6, 320, 200, false, 0);
    if (figures->is_looked_up) {
        ROW("trace by id, warm, p50", "trace_ms_p50", "ms",
            ms(fg_bench_histogram_quantile(&figures->lookup.latency, 0.5)), 0, 0, false, 2);
        ROW("trace by id, warm, p99", "trace_ms_p99", "ms",
            ms(fg_bench_histogram_quantile(&figures->lookup.latency, 0.99)), 10, 2, false, 2);
    }
    if (figures->is_killed) {
        ROW("acknowledged traces lost by kill -9", "traces_lost_by_kill", "",
            (double)(figures->kill_lookup.missing + figures->kill_lookup.repeated), 0.5, 0.5, false,
            0);
        ROW("ready after kill -9 under full load", "ready_seconds", "s", figures->ready_seconds, 5,
            1, false, 3);
    }
#undef ROW
    return count;
}

static bool reaches(const struct row *row, double mark)
{
    return row->more_is_better ? row->value >= mark : row->value <= mark;
}

/* -- For people ----------------------------------------------------------------------------------
 */

static void mark(FILE *out, const struct row *row, double value)
{
    char text[32];
    if (value == 0) {
        fprintf(out, "  %14s", "");
        return;
    }
    snprintf(text, sizeof text, "%.0f", value < 1 ? 0 : value);
    fprintf(out, "  %8s %-5s", text, reaches(row, value) ? "pass" : "miss");
}

static void print_rows(const struct fg_bench_report *report)
{
    FILE *out = report->cli->out;
    struct row rows[ROWS_MAX];
    size_t count = make_rows(report, rows);
    fprintf(out, "\n%-52s  %12s     %-14s  %s\n", "", "measured", "    floor", "     aim");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-52s  %12.*f %-3s", rows[i].name, rows[i].digits, rows[i].value,
                rows[i].unit);
        mark(out, &rows[i], rows[i].floor);
        mark(out, &rows[i], rows[i].aim);
        fprintf(out, "\n");
    }
    fprintf(out, "\n");
}

static void print_load(const struct fg_bench_report *report)
{
    FILE *out = report->cli->out;
    const struct fg_bench_load_result *load = &report->figures->load;
    double seconds = (double)load->elapsed_ns / 1e9;
    fprintf(out, "acknowledged  %llu spans in %llu requests in %.1f s, %.1f MB/s on the wire\n",
            (unsigned long long)load->spans, (unsigned long long)load->requests, seconds,
            each((double)load->body_bytes / 1e6, 1) / seconds);
    fprintf(out,
            "not           %llu refused for a while, %llu spans rejected, %llu requests failed, "
            "%llu connections lost%s%s\n",
            (unsigned long long)load->refusals, (unsigned long long)load->rejected_spans,
            (unsigned long long)load->failed_requests, (unsigned long long)load->lost_connections,
            *load->problem ? ": " : "", load->problem);
    fprintf(out, "generator     %.2f processor seconds, %.2f a million spans\n",
            report->figures->generator_cpu_seconds,
            each(report->figures->generator_cpu_seconds, load->spans) * 1e6);
}

static void print_kept(const struct fg_bench_report *report)
{
    FILE *out = report->cli->out;
    const struct fg_bench_figures *figures = report->figures;
    char bytes[FG_UNITS_TEXT_SIZE], fixed[FG_UNITS_TEXT_SIZE], held[FG_UNITS_TEXT_SIZE];
    fg_size_format(figures->folder_bytes, bytes);
    fg_size_format(figures->fixed_bytes, fixed);
    if (figures->is_settled)
        fprintf(out, "settled       %llu spans in segments, sealed and merged in %.1f s\n",
                (unsigned long long)figures->stored_spans, figures->settle_seconds);
    if (figures->behind_seconds > 0) {
        fg_size_format(figures->held_bytes, held);
        fprintf(out,
                "then          %llu requests to follow, and %s of merged segments that were still "
                "read: gone after %.1f s\n",
                (unsigned long long)figures->behind_requests, held, figures->behind_seconds);
    }
    if (figures->folder_bytes)
        fprintf(out, "folder        %s, and %s of fixed size (log and reserve)\n", bytes, fixed);
    if (figures->is_looked_up)
        fprintf(out, "looked up     %llu traces, %llu whole\n",
                (unsigned long long)figures->lookup.asked,
                (unsigned long long)figures->lookup.whole);
    if (figures->is_killed)
        fprintf(out,
                "killed        after %.1f s and %llu spans; then %llu traces looked up, %llu "
                "whole\n",
                (double)figures->kill_load.elapsed_ns / 1e9,
                (unsigned long long)figures->kill_load.spans,
                (unsigned long long)figures->kill_lookup.asked,
                (unsigned long long)figures->kill_lookup.whole);
    const char *wrong = *figures->lookup.first_wrong ? figures->lookup.first_wrong
                                                     : figures->kill_lookup.first_wrong;
    if (fg_bench_lost_traces(figures))
        fprintf(out, "LOST          %llu traces that were acknowledged, one is %s\n",
                (unsigned long long)fg_bench_lost_traces(figures), wrong);
    if (fg_bench_lost_spans(figures))
        fprintf(out, "LOST          %llu spans that were acknowledged are in no segment\n",
                (unsigned long long)fg_bench_lost_spans(figures));
}

void fg_bench_report_text(const struct fg_bench_report *report)
{
    FILE *out = report->cli->out;
    const struct fg_bench_options *options = report->options;
    struct machine machine = look_at_machine(report);
    char memory[FG_UNITS_TEXT_SIZE];
    fg_size_format(machine.memory_bytes, memory);
    fprintf(out, "command       %s\n", report->command);
    fprintf(out, "machine       %ld x %s, %s, %s, disk %s\n", machine.cores, machine.processor,
            memory, machine.kernel, machine.disk);
    fprintf(out,
            "load          shape %s, %.0f bytes a span on the wire, %u spans a request, %u "
            "connections, %s, seed %llu\n",
            options->kind == FG_BENCH_SMALL ? "small" : "wide", report->figures->span_wire_bytes,
            options->spans_per_request, options->connection_count,
            options->is_grpc  ? options->is_tls ? "gRPC over TLS" : "gRPC"
            : options->is_tls ? "HTTP/1.1 over TLS"
                              : "HTTP/1.1",
            (unsigned long long)options->seed);
    print_load(report);
    print_kept(report);
    print_rows(report);
}

/* -- As JSON -------------------------------------------------------------------------------------
 */

static void put_text(struct fg_json_writer *json, const char *key, const char *text)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_string(json, fg_slice_from_string(text));
}

static void put_uint(struct fg_json_writer *json, const char *key, uint64_t value)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_uint(json, value);
}

static void put_double(struct fg_json_writer *json, const char *key, double value)
{
    fg_json_key(json, fg_slice_from_string(key));
    fg_json_double(json, value);
}

static void put_machine(struct fg_json_writer *json, const struct fg_bench_report *report)
{
    struct machine machine = look_at_machine(report);
    FG_JSON_KEY(json, "machine");
    fg_json_object_begin(json);
    put_text(json, "processor", machine.processor);
    put_uint(json, "cores", (uint64_t)machine.cores);
    put_uint(json, "memory_bytes", machine.memory_bytes);
    put_text(json, "kernel", machine.kernel);
    put_text(json, "disk", machine.disk);
    fg_json_object_end(json);
}

static void put_row(struct fg_json_writer *json, const struct row *row)
{
    fg_json_object_begin(json);
    put_text(json, "key", row->key);
    put_text(json, "name", row->name);
    put_double(json, "value", row->value);
    if (row->floor > 0) {
        put_double(json, "floor", row->floor);
        put_double(json, "aim", row->aim);
        FG_JSON_KEY(json, "meets_floor");
        fg_json_bool(json, reaches(row, row->floor));
        FG_JSON_KEY(json, "meets_aim");
        fg_json_bool(json, reaches(row, row->aim));
    }
    fg_json_object_end(json);
}

static void put_counts(struct fg_json_writer *json, const struct fg_bench_figures *figures)
{
    put_uint(json, "spans", figures->load.spans);
    put_uint(json, "requests", figures->load.requests);
    put_double(json, "seconds", (double)figures->load.elapsed_ns / 1e9);
    put_uint(json, "refusals", figures->load.refusals);
    put_uint(json, "rejected_spans", figures->load.rejected_spans);
    put_uint(json, "failed_requests", figures->load.failed_requests);
    put_uint(json, "lost_connections", figures->load.lost_connections);
    put_text(json, "problem", figures->load.problem);
    put_double(json, "generator_cpu_seconds", figures->generator_cpu_seconds);
    put_uint(json, "stored_spans", figures->stored_spans);
    put_uint(json, "behind_requests", figures->behind_requests);
    put_uint(json, "held_bytes", figures->held_bytes);
    put_double(json, "behind_seconds", figures->behind_seconds);
    put_uint(json, "folder_bytes", figures->folder_bytes);
    put_uint(json, "fixed_bytes", figures->fixed_bytes);
    put_uint(json, "traces_looked_up", figures->lookup.asked + figures->kill_lookup.asked);
    put_uint(json, "lost_traces", fg_bench_lost_traces(figures));
    put_uint(json, "lost_spans", fg_bench_lost_spans(figures));
}

int fg_bench_report_json(const struct fg_bench_report *report)
{
    const struct fg_bench_options *options = report->options;
    struct fg_buffer text;
    struct row rows[ROWS_MAX];
    size_t count = make_rows(report, rows);
    fg_buffer_init(&text, JSON_SIZE_MAX);
    struct fg_json_writer writer = fg_json_writer(&text), *json = &writer;
    fg_json_object_begin(json);
    put_text(json, "command", report->command);
    put_machine(json, report);
    put_text(json, "shape", options->kind == FG_BENCH_SMALL ? "small" : "wide");
    put_text(json, "protocol", options->is_grpc ? "grpc" : "http");
    FG_JSON_KEY(json, "tls");
    fg_json_bool(json, options->is_tls);
    put_uint(json, "seed", options->seed);
    put_uint(json, "connections", options->connection_count);
    put_uint(json, "spans_per_request", options->spans_per_request);
    put_double(json, "wire_bytes_per_span", report->figures->span_wire_bytes);
    put_counts(json, report->figures);
    FG_JSON_KEY(json, "figures");
    fg_json_array_begin(json);
    for (size_t i = 0; i < count; i++)
        put_row(json, &rows[i]);
    fg_json_array_end(json);
    fg_json_object_end(json);
    fg_buffer_append_byte(&text, '\n');
    int r = text.error;
    if (r == 0)
        fwrite(text.data, 1, text.size, report->cli->out);
    fg_buffer_free(&text);
    return r;
}
