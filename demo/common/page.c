#include "page.h"
#include "service.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (8L << 20)
#define FAULTS_SIZE   1024

bool page_is_one(const char *path)
{
    return strcmp(path, "/") == 0 || strcmp(path, "/healthz") == 0 ||
           strcmp(path, "/faults.json") == 0 || strcmp(path, "/config.json") == 0 ||
           strncmp(path, "/assets/", 8) == 0;
}

static const char *type_of(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
        {".map", "application/json"},
    };
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t end = strlen(types[i].end);
        if (size > end && strcmp(name + size - end, types[i].end) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* One name in a folder of the pages: no path leads out of it. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               strlen(name);
}

static void answer_file(const char *folder, const char *name, struct web_answer *answer)
{
    char path[1024];
    FILE *file = NULL;
    long size = -1;
    if (is_plain_name(name) && snprintf(path, sizeof path, "%s/%s%s", service_setting("PAGES", "."),
                                        folder, name) < (int)sizeof path)
        file = fopen(path, "rbe");
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    char *body = size >= 0 && size <= FILE_SIZE_MAX ? malloc((size_t)size + 1) : NULL;
    if (body) {
        rewind(file);
        answer->status = MHD_HTTP_OK;
        answer->content_type = type_of(name);
        answer->body = body;
        answer->body_size = fread(body, 1, (size_t)size, file);
    } else {
        web_answer_error(answer, MHD_HTTP_NOT_FOUND, "not_found", "there is no such file");
    }
    if (file)
        fclose(file);
}

static void answer_faults(struct web_answer *answer)
{
    char text[FAULTS_SIZE], *rest = text, *line;
    json_t *faults = json_array();
    service_faults("pages", text, sizeof text);
    while ((line = strsep(&rest, "\n")))
        if (*line)
            json_array_append_new(faults, json_string(line));
    web_answer_json_take(answer, MHD_HTTP_OK, json_pack("{s:o}", "faults", faults));
}

void page_answer(const struct web_options *options, const char *path, struct web_answer *answer)
{
    if (strcmp(path, "/healthz") == 0)
        web_answer_json_take(answer, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
    else if (strcmp(path, "/faults.json") == 0)
        answer_faults(answer);
    else if (strcmp(path, "/config.json") == 0)
        web_answer_json_take(answer, MHD_HTTP_OK, json_loads(options->page_config, 0, NULL));
    else if (strcmp(path, "/") == 0)
        answer_file("", options->page, answer);
    else
        answer_file("assets/", path + 8, answer);
}
