/* A subcommand of `filigree`: one file each, one entry in the table of commands.c. */
#pragma once

#include "options.h"
#include "os/env.h"

/* Exit codes, the same for every subcommand. */
enum fg_exit {
    FG_EXIT_OK = 0,
    FG_EXIT_NO = 1,     /* not found, or the answer is no: damage was found, a check did not pass */
    FG_EXIT_USAGE = 2,  /* a wrong option, argument or configuration */
    FG_EXIT_FAILED = 3, /* could not: server out of reach, disk, permission, refused */
    /* of `where`, by the journey's state */
    FG_EXIT_LATE = 4,
    FG_EXIT_STUCK = 5,
    FG_EXIT_BROKEN = 6,
};

struct fg_cli {
    struct fg_env *env;
    FILE *out;
    FILE *err;
    bool colour;   /* out is a terminal that takes it, and NO_COLOR is not set */
    bool progress; /* err is a terminal */
};

struct fg_command {
    const char *name;
    const char *arguments; /* "ID [OPTIONS]" */
    const char *summary;   /* one line, for the list of subcommands */
    const char *help;      /* paragraphs, then examples */
    const struct fg_option *options;
    size_t option_count;
    bool takes_settings; /* each setting of the configuration is an option too */
    size_t words_min, words_max;
    enum fg_exit (*run)(struct fg_cli *cli, const struct fg_arguments *arguments);
};

extern const struct fg_command fg_command_audit;
extern const struct fg_command fg_command_backup;
extern const struct fg_command fg_command_bench;
extern const struct fg_command fg_command_certs;
extern const struct fg_command fg_command_completion;
extern const struct fg_command fg_command_erase;
extern const struct fg_command fg_command_export;
extern const struct fg_command fg_command_flows;
extern const struct fg_command fg_command_import;
extern const struct fg_command fg_command_incidents;
extern const struct fg_command fg_command_manual;
extern const struct fg_command fg_command_monitor;
extern const struct fg_command fg_command_propose_key;
extern const struct fg_command fg_command_recover;
extern const struct fg_command fg_command_redact;
extern const struct fg_command fg_command_reindex;
extern const struct fg_command fg_command_restore;
extern const struct fg_command fg_command_scorecard;
extern const struct fg_command fg_command_seal;
extern const struct fg_command fg_command_search;
extern const struct fg_command fg_command_serve;
extern const struct fg_command fg_command_services;
extern const struct fg_command fg_command_stage;
extern const struct fg_command fg_command_stats;
extern const struct fg_command fg_command_tail;
extern const struct fg_command fg_command_token;
extern const struct fg_command fg_command_trace;
extern const struct fg_command fg_command_user;
extern const struct fg_command fg_command_stuck;
extern const struct fg_command fg_command_verify;
extern const struct fg_command fg_command_where;

/* All of them, in the order of the list that --help shows. */
const struct fg_command *const *fg_commands(size_t *ret_count);

/* Its own options, the settings where it takes them, and --help; returns how many. */
size_t fg_command_options(const struct fg_command *command,
                          struct fg_option options[FG_OPTIONS_MAX]);

/* Runs the subcommand that argv names. */
enum fg_exit fg_cli_run(struct fg_cli *cli, int argc, char **argv);

/* Says a sentence on standard error, after "filigree: ", and returns code. */
enum fg_exit fg_cli_fail(struct fg_cli *cli, enum fg_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a whole file of at most size_max bytes; the caller frees *ret_data with free(). */
FG_MUST_CHECK int fg_cli_read_file(struct fg_cli *cli, const char *path, size_t size_max,
                                   uint8_t **ret_data, size_t *ret_size);
