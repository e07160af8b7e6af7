/* What `filigree incidents` changes: acknowledge, resolve, note, import. */
#include "deed.h"
#include "incidents.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX ((size_t)4 << 20)

static enum fg_exit import(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *name = arguments->words[1];
    uint8_t *text = NULL;
    size_t size = 0;
    json_t *answer = NULL;
    int r = fg_cli_read_file(cli, name, FILE_SIZE_MAX, &text, &size);
    if (r < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "incidents: can't read %s: %s", name,
                           fg_error_name(r));
    enum fg_exit code = fg_client_post(cli, arguments, "/api/v1/incidents/import", "text/csv",
                                       fg_slice(text, size), &answer);
    if (code == FG_EXIT_OK && fg_arguments_has(arguments, "json")) {
        json_dumpf(answer, cli->out, JSON_COMPACT);
        fputc('\n', cli->out);
    } else if (code == FG_EXIT_OK) {
        uint64_t known = fg_answer_number(answer, "known");
        fprintf(cli->out, "imported %" PRIu64 " incidents", fg_answer_number(answer, "taken"));
        if (known > 0)
            fprintf(cli->out, "; %" PRIu64 " were there already", known);
        fputc('\n', cli->out);
    }
    json_decref(answer);
    free(text);
    return code;
}

static void write_text(struct fg_json_writer *json, const struct fg_arguments *arguments)
{
    const char *text =
        arguments->word_count == 3 ? arguments->words[2] : fg_arguments_get(arguments, "text");
    if (!text)
        return;
    FG_JSON_KEY(json, "text");
    fg_json_string(json, fg_slice_from_string(text));
}

static enum fg_exit change(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    static const struct fg_deed deed = {.collection = "/api/v1/incidents/",
                                        .too_long = "incidents: the text is too long",
                                        .write = write_text};
    json_t *answer;
    enum fg_exit code = fg_deed_do(cli, arguments, &deed, &answer);
    if (answer)
        fg_incidents_print(cli, answer);
    json_decref(answer);
    return code;
}

enum fg_exit fg_incidents_act(struct fg_cli *cli, const struct fg_arguments *arguments)
{
    const char *verb = arguments->words[0];
    size_t count = arguments->word_count;
    if (strcmp(verb, "import") == 0 && count == 2)
        return import(cli, arguments);
    bool is_note = strcmp(verb, "note") == 0;
    if ((strcmp(verb, "acknowledge") == 0 || strcmp(verb, "resolve") == 0 || is_note) &&
        count == (is_note ? 3 : 2))
        return change(cli, arguments);
    return fg_cli_fail(cli, FG_EXIT_USAGE,
                       "incidents: expected ID, acknowledge ID, resolve ID, note ID TEXT or import "
                       "FILE; see filigree incidents --help");
}
