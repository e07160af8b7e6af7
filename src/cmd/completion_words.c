#include "completion_words.h"

#include "client.h"

#include <jansson.h>
#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)4 << 20)
#define PATH_SIZE_MAX   ((size_t)8 << 10)
#define TIMEOUT_MS      1000

/* A word that the shell would take apart or run is no help: it is left out. */
static bool is_plain(const char *word)
{
    for (const char *at = word; *at; at++)
        if ((unsigned char)*at < 0x20 || strchr("$`\\\"' ", *at))
            return false;
    return *word != 0;
}

static void print_words(struct fg_cli *cli, const json_t *list, const char *name,
                        const char *prefix)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_object_get(json_array_get(list, i), name));
        if (word && is_plain(word) && strncmp(word, prefix, strlen(prefix)) == 0)
            fprintf(cli->out, "%s\n", word);
    }
}

static void make_path(struct fg_buffer *path, bool of_keys, const char *prefix)
{
    fg_buffer_append_string(path, of_keys ? "/api/v1/keys?limit=200" : "/api/v1/services");
    if (of_keys && *prefix) {
        fg_buffer_append_string(path, "&prefix=");
        fg_client_escape(path, prefix);
    }
    fg_buffer_append_byte(path, 0);
}

static void ask(struct fg_cli *cli, struct fg_client *client, bool of_keys, const char *prefix)
{
    struct fg_buffer path, body;
    long status = 0;
    fg_buffer_init(&path, PATH_SIZE_MAX);
    fg_buffer_init(&body, ANSWER_SIZE_MAX);
    make_path(&path, of_keys, prefix);
    struct fg_client_request request = {.path = (const char *)path.data,
                                        .data = fg_client_append,
                                        .arg = &body,
                                        .timeout_ms = TIMEOUT_MS};
    if (!path.error && fg_client_run(client, &request, &status) == 0 && status == 200) {
        json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
        print_words(cli, json_object_get(root, of_keys ? "keys" : "services"),
                    of_keys ? "key" : "service", prefix);
        json_decref(root);
    }
    fg_buffer_free(&path);
    fg_buffer_free(&body);
}

enum fg_exit fg_completion_words_print(struct fg_cli *cli, const struct fg_arguments *arguments,
                                       const char *what, const char *prefix)
{
    struct fg_client *client;
    if (fg_client_new(cli, arguments, &client) < 0)
        return FG_EXIT_OK;
    ask(cli, client, strcmp(what, "keys") == 0, prefix);
    fg_client_free(client);
    return FG_EXIT_OK;
}
