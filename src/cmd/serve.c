/* `filigree serve`: the server. */
#include "command.h"
#include "serve_config.h"

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_config *config;
    enum fg_exit code = fg_serve_config_load(cli, arguments, &config);
    if (code != FG_EXIT_OK)
        return code;
    if (fg_arguments_has(arguments, "print-config"))
        fg_config_print(config, cli->out);
    fg_config_free(config);
    return FG_EXIT_OK;
}

static const struct fg_option options[] = {
    {.name = "config", .argument = "FILE", .help = "the configuration, in YAML", .letter = 'c'},
    {.name = "print-config", .help = "show the effective configuration and end"},
};

const struct fg_command fg_command_serve = {
    .name = "serve",
    .arguments = "[OPTIONS]",
    .summary = "run the server",
    .help =
        "Takes spans by OTLP (gRPC and HTTP) and Zipkin, keeps them in a folder, and serves the "
        "APIs.\n"
        "Every option below the first three is also a key of the configuration file and an\n"
        "environment variable: --retention-age, `retention-age:`, FILIGREE_RETENTION_AGE. A flag "
        "beats\n"
        "the environment, that the file, that the default.\n"
        "SIGTERM and SIGINT end it after what is under way is on disk; SIGHUP reads the "
        "configuration\n"
        "again.\n"
        "\n"
        "Examples\n"
        "  filigree serve\n"
        "  filigree serve --data /var/lib/filigree --retention-age 14d --retention-size 200GiB\n"
        "  filigree serve --config /etc/filigree/filigree.yaml --print-config\n"
        "  FILIGREE_LOG_FORMAT=json filigree serve\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .takes_settings = true,
    .run = run,
};
