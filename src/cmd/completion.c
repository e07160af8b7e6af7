/* `filigree completion bash`: a script that completes subcommands, options and their values, made
 * from the same tables that parse them. */
#include "client.h"
#include "command.h"
#include "completion_words.h"
#include "config.h"
#include "query/query.h"
#include "span/names.h"

#include <string.h>

/* What a word after an option, or a word that is no option, can be. */
static const char *values_of(const char *argument)
{
    if (strcmp(argument, "FILE") == 0)
        return "$(compgen -f -- \"$cur\")";
    if (strcmp(argument, "DIR") == 0 || strcmp(argument, "BACKUP") == 0)
        return "$(compgen -d -- \"$cur\")";
    return NULL;
}

static void print_choices(FILE *out, const char *option, const char *const *choices)
{
    fprintf(out, "        --%s) COMPREPLY=($(compgen -W '", option);
    for (size_t i = 0; choices[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", choices[i]);
    fprintf(out, "' -- \"$cur\")); return ;;\n");
}

static const struct fg_setting *find_setting(const struct fg_command *command, const char *name)
{
    size_t count;
    const struct fg_setting *settings = fg_settings(&count);
    for (size_t i = 0; command->takes_settings && i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

/* The cases of `prev`: options that have a value. */
static void print_values(FILE *out, const struct fg_command *command,
                         const struct fg_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct fg_setting *setting = find_setting(command, options[i].name);
        if (!options[i].argument)
            continue;
        if (setting && setting->choices)
            print_choices(out, options[i].name, setting->choices);
        else if (values_of(options[i].argument))
            fprintf(out, "        --%s) COMPREPLY=(%s); return ;;\n", options[i].name,
                    values_of(options[i].argument));
        else
            fprintf(out, "        --%s) return ;;\n", options[i].name);
    }
}

static void print_command(FILE *out, const struct fg_command *command)
{
    struct fg_option options[FG_OPTIONS_MAX];
    size_t count = fg_command_options(command, options);
    fprintf(out, "    %s)\n        case $prev in\n", command->name);
    print_values(out, command, options, count);
    fprintf(out, "        esac\n        options='");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s--%s", i ? " " : "", options[i].name);
    fprintf(out, "'\n");
    char first[32];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(command->arguments, " ]"),
             command->arguments + (command->arguments[0] == '['));
    first[strcspn(first, " ]")] = 0;
    const char *words = command->words_max ? values_of(first) : NULL;
    if (words)
        fprintf(out, "        words=(%s)\n", words);
    if (strcmp(command->name, "completion") == 0)
        fprintf(out, "        words=($(compgen -W bash -- \"$cur\"))\n");
    if (strcmp(command->name, "services") == 0)
        fprintf(out, "        _filigree_ask services\n");
    if (strcmp(command->name, "search") == 0 || strcmp(command->name, "tail") == 0)
        fprintf(out, "        _filigree_query\n");
    fprintf(out, "        ;;\n");
}

/* Services and keys are asked from the server, which answers within a second or not at all. bash
 * makes words of its own of the : and = in service:shop-api. */
static const char asking[] =
    "_filigree_ask() {\n"
    "    local IFS=$'\\n'\n"
    "    words=($(compgen -W \"$(\"${COMP_WORDS[0]}\" completion \"$1\" \"$cur\" 2>/dev/null)\" "
    "-- \"$cur\"))\n"
    "}\n"
    "_filigree_query() {\n"
    "    local key=$prev\n"
    "    case $cur in :|=) key=$prev cur= ;; esac\n"
    "    case $prev in :|=|==) key=${COMP_WORDS[COMP_CWORD-2]} ;; esac\n"
    "    case $key in\n"
    "    service|root.service) _filigree_ask services; return ;;\n"
    "    status) words=($(compgen -W \"$_filigree_statuses\" -- \"$cur\")); return ;;\n"
    "    kind) words=($(compgen -W \"$_filigree_kinds\" -- \"$cur\")); return ;;\n"
    "    esac\n"
    "    if [[ $prev != [:=]* && $cur != '' ]]; then\n"
    "        _filigree_ask keys\n"
    "        words+=($(compgen -W \"$_filigree_fields\" -- \"$cur\"))\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "}\n";

/* What the language itself has words for. */
static void print_words(FILE *out)
{
    fprintf(out, "_filigree_fields='");
    for (size_t i = 0; fg_query_field_name(i); i++)
        fprintf(out, "%s ", fg_query_field_name(i));
    fprintf(out, "'\n_filigree_kinds='");
    for (int i = 0; fg_span_kind_name(i); i++)
        fprintf(out, "%s ", fg_span_kind_name(i));
    fprintf(out, "'\n_filigree_statuses='");
    for (int i = 0; fg_status_code_name(i); i++)
        fprintf(out, "%s ", fg_status_code_name(i));
    fprintf(out, "'\n");
}

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    const char *prefix = arguments->word_count > 1 ? arguments->words[1] : "";
    FILE *out = cli->out;
    if (strcmp(arguments->words[0], "services") == 0 || strcmp(arguments->words[0], "keys") == 0)
        return fg_completion_words_print(cli, arguments, arguments->words[0], prefix);
    if (strcmp(arguments->words[0], "bash") != 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "completion: '%.32s' is not known; there is bash",
                           arguments->words[0]);
    fprintf(out,
            "# bash completion of filigree " FG_VERSION "; made by `filigree completion bash`\n%s",
            asking);
    print_words(out);
    fprintf(out, "_filigree() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local options= words=() commands='");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s ", commands[i]->name);
    fprintf(out,
            "help version'\n"
            "    COMPREPLY=()\n"
            "    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $prev == help ]]; }; then\n"
            "        COMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$cur\"))\n"
            "        return\n"
            "    fi\n"
            "    # bash makes a word of the = in --option=value\n"
            "    if [[ $cur == = ]]; then cur=\n"
            "    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
            "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < count; i++)
        print_command(out, commands[i]);
    fprintf(out, "    esac\n"
                 "    if [[ $cur == -* ]]; then\n"
                 "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                 "    else\n"
                 "        COMPREPLY=(\"${words[@]}\")\n"
                 "    fi\n"
                 "}\n"
                 "complete -o filenames -F _filigree filigree\n");
    return FG_EXIT_OK;
}

static const struct fg_option options[] = {FG_CLIENT_CONNECTION_OPTION};

const struct fg_command fg_command_completion = {
    .name = "completion",
    .arguments = "bash",
    .summary = "print a script that completes commands, options, services and keys",
    .help =
        "Services and keys come from the server that FILIGREE_SERVER names, where there is one.\n"
        "\n"
        "Examples\n"
        "  source <(filigree completion bash)\n"
        "  filigree completion bash > ~/.local/share/bash-completion/completions/filigree\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .words_min = 1,
    .words_max = 2,
    .run = run,
};
