/* Stored spans as OTLP JSON lines, from a running server or from the folder of a stopped one. */
#pragma once

#include "command.h"
#include "time_range.h"

#define FG_EXPORT_SOURCE_OPTIONS                                                                   \
    {.name = "service", .argument = "NAME", .help = "spans of this service only"},                 \
    {                                                                                              \
        .name = "data", .argument = "DIR",                                                         \
        .help = "read the folder of a stopped server, or a backup, instead of asking a server"     \
    }

/* Bytes of the lines as they come, cut anywhere. Non-zero ends the reading. */
typedef int (*fg_export_data_fn)(void *arg, struct fg_slice data);

/* Reads what the options above, FG_TIME_RANGE_OPTIONS and FG_CLIENT_OPTION ask for. name is the
 * subcommand's, for messages. What went wrong is said. */
FG_MUST_CHECK enum fg_exit fg_export_read(struct fg_cli *cli, const struct fg_arguments *arguments,
                                          const char *name, fg_export_data_fn data, void *arg);
