/* All subcommands, in the order in which they are listed. */
#include "command.h"
#include "config.h"

static const struct fg_command *const commands[] = {
    &fg_command_serve,     &fg_command_where,      &fg_command_stuck,       &fg_command_incidents,
    &fg_command_scorecard, &fg_command_flows,      &fg_command_propose_key, &fg_command_search,
    &fg_command_trace,     &fg_command_tail,       &fg_command_services,    &fg_command_stats,
    &fg_command_monitor,   &fg_command_stage,      &fg_command_export,      &fg_command_import,
    &fg_command_seal,      &fg_command_reindex,    &fg_command_erase,       &fg_command_redact,
    &fg_command_user,      &fg_command_token,      &fg_command_audit,       &fg_command_certs,
    &fg_command_backup,    &fg_command_restore,    &fg_command_verify,      &fg_command_recover,
    &fg_command_bench,     &fg_command_completion, &fg_command_manual,
};

const struct fg_command *const *fg_commands(size_t *ret_count)
{
    *ret_count = sizeof commands / sizeof *commands;
    return commands;
}

size_t fg_command_options(const struct fg_command *command,
                          struct fg_option options[FG_OPTIONS_MAX])
{
    size_t count = 0, setting_count;
    const struct fg_setting *settings = fg_settings(&setting_count);
    for (size_t i = 0; i < command->option_count; i++)
        options[count++] = command->options[i];
    for (size_t i = 0; command->takes_settings && i < setting_count; i++)
        options[count++] = (struct fg_option){
            .name = settings[i].name, .argument = settings[i].argument, .help = settings[i].help};
    options[count++] = (struct fg_option){.name = "help", .help = "show this", .letter = 'h'};
    return count;
}
