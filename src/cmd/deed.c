#include "deed.h"

#include <jansson.h>
#include <stdlib.h>

#define PATH_SIZE_MAX ((size_t)4 << 10)
#define BODY_SIZE_MAX ((size_t)60 << 10)

static void write_body(struct fg_buffer *body, const struct fg_arguments *arguments,
                       const struct fg_deed *deed)
{
    struct fg_json_writer json = fg_json_writer(body);
    const char *by = fg_arguments_get(arguments, "by");
    if (!by)
        by = getenv("USER");
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "by");
    fg_json_string(&json, fg_slice_from_string(by ? by : ""));
    deed->write(&json, arguments);
    fg_json_object_end(&json);
}

enum fg_exit fg_deed_do(struct fg_cli *cli, const struct fg_arguments *arguments,
                        const struct fg_deed *deed, json_t **ret_answer)
{
    struct fg_buffer path, body;
    json_t *answer = NULL;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_init(&body, BODY_SIZE_MAX);
    fg_buffer_append_string(&path, deed->collection);
    fg_client_escape(&path, arguments->words[1]);
    fg_buffer_append_format(&path, "/%s", arguments->words[0]);
    fg_buffer_append_byte(&path, 0);
    write_body(&body, arguments, deed);
    enum fg_exit code = path.error || body.error
                            ? fg_cli_fail(cli, FG_EXIT_USAGE, "%s", deed->too_long)
                            : fg_client_post(cli, arguments, (const char *)path.data, NULL,
                                             fg_buffer_slice(&body), &answer);
    if (code == FG_EXIT_OK && fg_arguments_has(arguments, "json")) {
        json_dumpf(answer, cli->out, JSON_COMPACT);
        fputc('\n', cli->out);
        json_decref(answer);
        answer = NULL;
    }
    fg_buffer_free(&path);
    fg_buffer_free(&body);
    *ret_answer = answer;
    return code;
}
