/* The options --since, --start and --end, alike in every subcommand that has a window of time. */
#pragma once

#include "command.h"

#define FG_TIME_RANGE_OPTIONS                                                                      \
    {.name = "since", .argument = "TIME", .help = "from this long ago on, like 2h or 30d"},        \
        {.name = "start",                                                                          \
         .argument = "TIME",                                                                       \
         .help = "from this moment on, like 2026-11-24T14:00:00Z or seconds since 1970"},          \
    {                                                                                              \
        .name = "end", .argument = "TIME", .help = "up to this moment"                             \
    }

struct fg_time_range {
    uint64_t start_ns_min, start_ns_max; /* 0 and UINT64_MAX where nothing was given */
};

/* FG_EXIT_OK, or FG_EXIT_USAGE after saying what is wrong. */
FG_MUST_CHECK enum fg_exit fg_time_range_parse(struct fg_cli *cli,
                                               const struct fg_arguments *arguments,
                                               struct fg_time_range *ret_range);
