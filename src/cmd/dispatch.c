/* Finds the subcommand, parses its options, runs it. */
#include "command.h"

#include <string.h>

static const char *bold(const struct fg_cli *cli)
{
    return cli->colour ? "\033[1m" : "";
}

static const char *plain(const struct fg_cli *cli)
{
    return cli->colour ? "\033[0m" : "";
}

static void print_overview(const struct fg_cli *cli, FILE *out)
{
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    fprintf(out,
            "Filigree takes OpenTelemetry traces, keeps them, and says where an order is.\n\n"
            "%sUsage%s\n  filigree COMMAND [OPTIONS]\n\n%sCommands%s\n",
            bold(cli), plain(cli), bold(cli), plain(cli));
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out,
            "\n%sFirst steps%s\n"
            "  filigree serve                         start the server on ./data\n"
            "  filigree COMMAND --help                options and examples of one command\n"
            "\n%sExit codes%s\n"
            "  0  done\n"
            "  1  not found, or the answer is no\n"
            "  2  a wrong option, argument or configuration\n"
            "  3  it could not be done: server out of reach, disk, permission\n",
            bold(cli), plain(cli), bold(cli), plain(cli));
}

static void print_help(const struct fg_cli *cli, const struct fg_command *command,
                       const struct fg_option *options, size_t option_count)
{
    FILE *out = cli->out;
    fprintf(out, "filigree %s: %s\n\n", command->name, command->summary);
    fprintf(out, "%sUsage%s\n  filigree %s%s%s\n\n", bold(cli), plain(cli), command->name,
            *command->arguments ? " " : "", command->arguments);
    fprintf(out, "%s\n%sOptions%s\n", command->help, bold(cli), plain(cli));
    fg_options_print(out, options, option_count);
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_command *command, int argc, char **argv)
{
    struct fg_option options[FG_OPTIONS_MAX];
    size_t count = fg_command_options(command, options);
    struct fg_arguments arguments;
    char error[FG_OPTIONS_ERROR_MAX];
    if (fg_options_parse(options, count, argc, argv, error, &arguments) < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "%s: %s", command->name, error);
    if (fg_arguments_has(&arguments, "help")) {
        print_help(cli, command, options, count);
        return FG_EXIT_OK;
    }
    if (arguments.word_count < command->words_min || arguments.word_count > command->words_max)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "%s: expected `filigree %s%s%s`", command->name,
                           command->name, *command->arguments ? " " : "", command->arguments);
    return command->run(cli, &arguments);
}

enum fg_exit fg_cli_run(struct fg_cli *cli, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        print_overview(cli, cli->err);
        return FG_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        fprintf(cli->out, "filigree " FG_VERSION "\n");
        return FG_EXIT_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (argc == 2) {
            print_overview(cli, cli->out);
            return FG_EXIT_OK;
        }
        /* `filigree help trace` is `filigree trace --help` */
        char help[] = "--help";
        char *swapped[] = {argv[0], argv[2], help};
        return fg_cli_run(cli, 3, swapped);
    }
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    struct fg_suggestion suggestion = fg_suggestion(name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return run(cli, commands[i], argc - 2, argv + 2);
        fg_suggestion_offer(&suggestion, commands[i]->name);
    }
    if (suggestion.best)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "there is no command '%.64s'; did you mean `%s`?",
                           name, suggestion.best);
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "there is no command '%.64s'; `filigree --help` lists them", name);
}
