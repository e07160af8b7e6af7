/* `filigree recover`: sends the spans of processes that died, from their flight recorders. */
#include "command.h"
#include "recovery.h"

#include <stdlib.h>
#include <string.h>

#define TRIES_MAX  5
#define TIMEOUT_MS 10000

static void say(void *arg, const char *path, const char *text)
{
    struct fg_cli *cli = arg;
    fprintf(cli->err, "%s: %s\n", path, text);
}

static const char *server_of(const struct fg_arguments *arguments)
{
    const char *server = fg_arguments_get(arguments, "server");
    if (!server)
        server = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    return server && *server ? server : "http://127.0.0.1:4318";
}

/* The endpoint's base becomes the address of its traces, as OTLP/HTTP has it. */
static enum fg_exit make_settings(struct fg_cli *cli, const struct fg_arguments *arguments,
                                  struct fg_outlet_settings *settings)
{
    static const char path[] = "/v1/traces";
    const char *server = server_of(arguments), *header = fg_arguments_get(arguments, "header");
    const char *certificate = fg_arguments_get(arguments, "certificate");
    size_t size = strlen(server);
    if (strncmp(server, "http://", 7) != 0 && strncmp(server, "https://", 8) != 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "recover: --server %s: not an http or https address",
                           server);
    while (size && server[size - 1] == '/')
        size--;
    settings->timeout_ms = TIMEOUT_MS;
    settings->url = malloc(size + sizeof path);
    settings->certificate = certificate ? strdup(certificate) : NULL;
    if (!settings->url || (certificate && !settings->certificate) ||
        (header && fg_texts_add(&settings->headers, fg_slice_from_string(header)) < 0))
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    memcpy(settings->url, server, size);
    memcpy(settings->url + size, path, sizeof path);
    return FG_EXIT_OK;
}

static void print(struct fg_cli *cli, const struct fg_recovery *recovery, bool json)
{
    const char *format =
        json ? "{\"rings\": %llu, \"ended_spans\": %llu, \"interrupted_spans\": %llu, "
               "\"refused_spans\": %llu, \"rings_left\": %llu, \"rings_damaged\": %llu}\n"
             : "%llu recorders sent: %llu ended spans, %llu interrupted, %llu refused; %llu "
               "recorders left, %llu damaged\n";
    fprintf(cli->out, format, (unsigned long long)recovery->rings,
            (unsigned long long)recovery->ended_spans,
            (unsigned long long)recovery->interrupted_spans,
            (unsigned long long)recovery->refused_spans, (unsigned long long)recovery->rings_left,
            (unsigned long long)recovery->rings_damaged);
}

static enum fg_exit judge(struct fg_cli *cli, const struct fg_recovery *recovery, int r,
                          const char *folder)
{
    if (r < 0)
        return fg_cli_fail(cli, r == FG_ENOTFOUND ? FG_EXIT_USAGE : FG_EXIT_FAILED,
                           "recover: %s: %s", folder, fg_error_name(r));
    if (recovery->rings_left)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "recover: %llu recorders could not be sent",
                           (unsigned long long)recovery->rings_left);
    return recovery->rings_damaged || recovery->refused_spans ? FG_EXIT_NO : FG_EXIT_OK;
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    struct fg_outlet_settings settings = {.url = NULL};
    struct fg_recovery recovery = {
        .env = cli->env,
        .service = fg_arguments_get(arguments, "service"),
        .say = fg_arguments_has(arguments, "quiet") ? NULL : say,
        .arg = cli,
        .tries_max = TRIES_MAX,
    };
    const char *folder = arguments->words[0];
    enum fg_exit code = make_settings(cli, arguments, &settings);
    if (code == FG_EXIT_OK && fg_outlet_new(&settings, &recovery.outlet) < 0)
        code = fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    if (code == FG_EXIT_OK) {
        int r = fg_recovery_run(&recovery, folder);
        if (r == 0)
            print(cli, &recovery, fg_arguments_has(arguments, "json"));
        code = judge(cli, &recovery, r, folder);
    }
    fg_outlet_free(recovery.outlet);
    fg_outlet_settings_free(&settings);
    return code;
}

static const struct fg_option options[] = {
    {.name = "server",
     .argument = "URL",
     .help = "the OTLP/HTTP endpoint to send to; default: OTEL_EXPORTER_OTLP_ENDPOINT, or "
             "http://127.0.0.1:4318"},
    {.name = "header", .argument = "LINE", .help = "a header of the requests, as \"Name: value\""},
    {.name = "certificate",
     .argument = "FILE",
     .help = "the authorities that the server's certificate is checked by"},
    {.name = "service", .argument = "NAME", .help = "recorders of this service alone"},
    {.name = "quiet", .help = "no line for each recorder"},
    {.name = "json", .help = "the result as JSON"},
};

const struct fg_command fg_command_recover = {
    .name = "recover",
    .arguments = "DIR [OPTIONS]",
    .summary = "send the spans of processes that died",
    .help =
        "Reads the flight recorders (*.ring) that processes with libfiligree left in DIR: ended\n"
        "spans are sent as they were, open ones as interrupted, with when the process was last\n"
        "alive and what ended it, where that can be told. Recorders of processes that are alive\n"
        "are left alone; each one is removed once the server has all of it, so that the command\n"
        "may be run at any time and again. What the process would have redacted is redacted.\n"
        "\n"
        "Examples\n"
        "  filigree recover /dev/shm/filigree-1000\n"
        "  filigree recover /var/lib/shop/recorder --service shop-api --server "
        "http://traces.internal:4318\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
