/* Tells what a run measured: for people with the numbers to reach beside it, or as JSON. */
#pragma once

#include "run.h"

struct fg_bench_report {
    struct fg_cli *cli;
    const struct fg_bench_options *options;
    const struct fg_bench_server *server;
    const struct fg_bench_figures *figures;
    const char *command; /* the words of the command line */
};

void fg_bench_report_text(const struct fg_bench_report *report);
FG_MUST_CHECK int fg_bench_report_json(const struct fg_bench_report *report);
