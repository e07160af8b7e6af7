#include "serve_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX   ((size_t)1 << 20)
#define ERRORS_SIZE_MAX ((size_t)64 << 10)

static const char *environment(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static const char *flag(void *arg, const char *name)
{
    return fg_arguments_get(arg, name);
}

/* A variable that begins like ours and is none is most likely misspelt: worth a line, not an end.
 */
static void warn_of_unknown_variables(struct fg_cli *cli)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (char **variable = environ; *variable; variable++) {
        if (strncmp(*variable, "FILIGREE_", 9) != 0)
            continue;
        char name[80], known[80];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        struct fg_suggestion suggestion = fg_suggestion(name);
        fg_suggestion_offer(&suggestion, "FILIGREE_CONFIG");
        fg_suggestion_offer(&suggestion, "FILIGREE_SERVER");
        for (size_t i = 0; i < count; i++) {
            fg_config_environment_name(settings[i].name, known, sizeof known);
            fg_suggestion_offer(&suggestion, known);
        }
        if (suggestion.best && suggestion.distance > 0)
            fprintf(cli->err, "filigree: warning: the environment variable %s is unknown\n", name);
    }
}

enum fg_exit fg_serve_config_load(struct fg_cli *cli, const struct fg_arguments *arguments,
                                  struct fg_config **ret_config)
{
    const char *path = fg_arguments_get(arguments, "config");
    if (!path)
        path = getenv("FILIGREE_CONFIG");
    uint8_t *file = NULL;
    size_t file_size = 0;
    if (path) {
        int r = fg_cli_read_file(cli, path, FILE_SIZE_MAX, &file, &file_size);
        if (r < 0)
            return fg_cli_fail(cli, FG_EXIT_USAGE, "can't read the configuration %s: %s", path,
                               fg_error_name(r));
    }
    struct fg_arguments flags = *arguments;
    struct fg_config_sources sources = {.file = fg_slice(file, file_size),
                                        .file_name = path,
                                        .environment = environment,
                                        .flag = flag,
                                        .arg = &flags};
    struct fg_buffer errors;
    fg_buffer_init(&errors, ERRORS_SIZE_MAX);
    int r = fg_config_load(&sources, &errors, ret_config);
    free(file);
    if (r == 0)
        warn_of_unknown_variables(cli);
    else if (errors.size)
        fprintf(cli->err, "%.*s", (int)errors.size, (const char *)errors.data);
    else
        fprintf(cli->err, "filigree: can't load the configuration: %s\n", fg_error_name(r));
    fg_buffer_free(&errors);
    return r == 0 ? FG_EXIT_OK : r == FG_EINVALID ? FG_EXIT_USAGE : FG_EXIT_FAILED;
}
