/* `filigree manual`: the manual page, as roff (man(7)), made of the tables that parse options: so
 * it can't say anything that is not so. `make install` puts it under share/man. */
#include "base/utf8.h"
#include "command.h"

#include <string.h>

/* The character that starts text, by its number, as roff writes what is not ASCII. */
static size_t put_wide(FILE *out, const char *text, size_t size)
{
    int step = fg_utf8_step(fg_slice(text, size), 0);
    if (step < 2)
        return 1; /* our own texts are UTF-8 */
    uint32_t code = (uint8_t)text[0] & (0xffu >> (step + 1));
    for (int i = 1; i < step; i++)
        code = code << 6 | ((uint8_t)text[i] & 0x3f);
    fprintf(out, "\\[u%04X]", (unsigned)code);
    return (size_t)step;
}

/* Text as roff shows it: dashes stay dashes, a dot or a quote at a line's begin is none of roff's.
 */
static void put_text(FILE *out, const char *text, size_t size)
{
    if (size && (text[0] == '.' || text[0] == '\''))
        fputs("\\&", out);
    for (size_t i = 0, step; i < size; i += step) {
        step = 1;
        if ((uint8_t)text[i] >= 0x80)
            step = put_wide(out, text + i, size - i);
        else if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '\\')
            fputs("\\e", out);
        else
            fputc(text[i], out);
    }
}

static void put_string(FILE *out, const char *text)
{
    put_text(out, text, strlen(text));
}

/* Lines that begin with blanks are shown as they are, the others are filled into paragraphs. */
static void put_help(FILE *out, const char *help)
{
    bool is_shown = false;
    for (const char *line = help; *line;) {
        size_t size = strcspn(line, "\n");
        bool is_indented = size && line[0] == ' ';
        if (is_indented != is_shown && (is_indented || size)) {
            fputs(is_indented ? ".PP\n.nf\n" : ".fi\n", out);
            is_shown = is_indented;
        }
        if (size == 0) {
            fputs(is_shown ? "\n" : ".PP\n", out);
        } else {
            put_text(out, line, size);
            fputc('\n', out);
        }
        line += size + (line[size] == '\n');
    }
    if (is_shown)
        fputs(".fi\n", out);
}

static void put_option(FILE *out, const struct fg_option *option)
{
    fputs(".TP\n\\fB", out);
    if (option->letter)
        fprintf(out, "\\-%c\\fR, \\fB", option->letter);
    fputs("\\-\\-", out);
    put_string(out, option->name);
    fputs("\\fR", out);
    if (option->argument) {
        fputs(" \\fI", out);
        put_string(out, option->argument);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_string(out, option->help);
    fputs(".\n", out);
}

static void put_command(FILE *out, const struct fg_command *command)
{
    struct fg_option options[FG_OPTIONS_MAX];
    size_t count = fg_command_options(command, options);
    fputs(".SS \"filigree ", out);
    put_string(out, command->name);
    if (*command->arguments) {
        fputc(' ', out);
        put_string(out, command->arguments);
    }
    fputs("\"\n", out);
    fprintf(out, "%c",
            command->summary[0] >= 'a' && command->summary[0] <= 'z'
                ? command->summary[0] - 'a' + 'A'
                : command->summary[0]);
    put_string(out, command->summary + 1);
    fputs(".\n.PP\n", out);
    put_help(out, command->help);
    for (size_t i = 0; i < count; i++)
        put_option(out, &options[i]);
}

static const char begin[] =
    ".TH FILIGREE 1 \"\" \"filigree " FG_VERSION "\" \"User Commands\"\n"
    ".SH NAME\n"
    "filigree \\- takes OpenTelemetry traces, keeps them, and says where an order is\n"
    ".SH SYNOPSIS\n"
    ".B filigree\n"
    "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
    ".SH DESCRIPTION\n"
    "One program: a server that takes spans by OTLP (ports 4317 and 4318) and shows them (port "
    "7070), "
    "and what one asks of it. Commands that ask talk to the server that \\fB\\-\\-server\\fR or "
    "\\fBFILIGREE_SERVER\\fR names.\n"
    ".SH COMMANDS\n";

static const char end[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nDone.\n"
    ".TP\n1\nNot found, or the answer is no: damage was found, a check did not pass.\n"
    ".TP\n2\nA wrong option, argument or configuration.\n"
    ".TP\n3\nIt could not be done: server out of reach, disk, permission.\n"
    ".TP\n4, 5, 6\nOf \\fBfiligree where\\fR: the order is late, stuck, broken.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBFILIGREE_SERVER\\fR\nThe server that is asked, like http://127.0.0.1:7070.\n"
    ".TP\n\\fBFILIGREE_TOKEN\\fR\nThe token that it is shown, where it wants one.\n"
    ".TP\n\\fBFILIGREE_CONFIG\\fR\nThe configuration file of \\fBfiligree serve\\fR.\n"
    ".TP\n\\fBFILIGREE_\\fR\\fISETTING\\fR\nA setting of \\fBfiligree serve\\fR: "
    "\\fBFILIGREE_RETENTION_AGE\\fR for \\fB\\-\\-retention\\-age\\fR. A flag beats the "
    "environment, "
    "that the file.\n"
    ".TP\n\\fBNO_COLOR\\fR\nNo colours, also on a terminal.\n"
    ".SH SIGNALS\n"
    ".TP\nSIGTERM, SIGINT\nThe server finishes the requests that are under way, and loses nothing. "
    "A second one ends it at once; what was acknowledged is safe.\n"
    ".TP\nSIGHUP\nIt reads the configuration again, and says what a restart is needed for.\n"
    ".SH SEE ALSO\n"
    ".BR libfiligree (3)\n";

static enum fg_exit run(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    size_t count;
    const struct fg_command *const *commands = fg_commands(&count);
    (void)arguments;
    fputs(begin, cli->out);
    for (size_t i = 0; i < count; i++)
        put_command(cli->out, commands[i]);
    fputs(end, cli->out);
    return FG_EXIT_OK;
}

const struct fg_command fg_command_manual = {
    .name = "manual",
    .arguments = "[OPTIONS]",
    .summary = "print the manual page, for man(1)",
    .help = "`make install` puts it where `man filigree` finds it.\n"
            "\n"
            "Examples\n"
            "  filigree manual | man -l -\n",
    .run = run,
};
