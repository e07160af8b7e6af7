/* Reads the configuration file with libyaml's events, whose marks give each key and value its line;
 * libcyaml, which loads whole structs, tells lines only of what it refuses itself, not of a value
 * that is good YAML and no duration. */
#include "config.h"

#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *file_name;
    struct fg_buffer *errors;
};

static int refuse(struct reader *reader, size_t line, const char *sentence)
{
    fg_buffer_append_format(reader->errors, "%s:%zu: %s\n", reader->file_name, line + 1, sentence);
    return FG_EINVALID;
}

/* The next event; the caller deletes it. */
static int next_event(struct reader *reader, yaml_event_t *ret_event)
{
    if (yaml_parser_parse(&reader->parser, ret_event))
        return 0;
    const char *problem = reader->parser.problem;
    fg_buffer_append_format(reader->errors, "%s:%zu: this is no YAML: %s\n", reader->file_name,
                            reader->parser.problem_mark.line + 1, problem ? problem : "unreadable");
    return FG_EINVALID;
}

static int scalar_text(struct reader *reader, const yaml_event_t *event, const char **ret_text)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return refuse(reader, event->start_mark.line, "a value holds a NUL character");
    *ret_text = text;
    return 0;
}

/* The items of a sequence, after its begin, with commas between them. */
static int read_list(struct reader *reader, struct fg_buffer *list)
{
    for (;;) {
        yaml_event_t event;
        int r = next_event(reader, &event);
        if (r < 0)
            return r;
        yaml_event_type_t type = event.type;
        const char *text = NULL;
        if (type == YAML_SCALAR_EVENT)
            r = scalar_text(reader, &event, &text);
        else if (type != YAML_SEQUENCE_END_EVENT)
            r = refuse(reader, event.start_mark.line, "expected a plain value in this list");
        if (text && strchr(text, ','))
            r = refuse(reader, event.start_mark.line, "an item of a list can't hold a comma");
        if (r == 0 && text) {
            if (list->size)
                fg_buffer_append_byte(list, ',');
            fg_buffer_append_string(list, text);
        }
        yaml_event_delete(&event);
        if (r < 0 || type == YAML_SEQUENCE_END_EVENT)
            return r;
    }
}

static bool is_null(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (event->data.scalar.length == 0 ||
            strcmp((const char *)event->data.scalar.value, "~") == 0 ||
            strcmp((const char *)event->data.scalar.value, "null") == 0);
}

/* The value of key, and hands both on. */
static int read_value(struct reader *reader, const char *key, size_t key_line,
                      fg_config_pair_fn pair, void *arg)
{
    yaml_event_t event;
    int r = next_event(reader, &event);
    if (r < 0)
        return r;
    struct fg_buffer list;
    fg_buffer_init(&list, 1 << 20);
    const char *text = NULL;
    bool is_list = event.type == YAML_SEQUENCE_START_EVENT;
    unsigned line = (unsigned)event.start_mark.line + 1;
    if (is_list) {
        r = read_list(reader, &list);
        fg_buffer_append_byte(&list, 0);
        text = (const char *)list.data;
    } else if (event.type == YAML_SCALAR_EVENT) {
        r = scalar_text(reader, &event, &text);
        if (is_null(&event)) {
            text = NULL;
            line = (unsigned)key_line + 1;
        }
    } else {
        r = refuse(reader, event.start_mark.line,
                   "expected a value or a list; settings are not nested");
    }
    if (r == 0 && list.error)
        r = list.error;
    if (r == 0)
        pair(arg, key, text, is_list, line);
    fg_buffer_free(&list);
    yaml_event_delete(&event);
    return r;
}

static int read_mapping(struct reader *reader, fg_config_pair_fn pair, void *arg)
{
    for (;;) {
        yaml_event_t event;
        int r = next_event(reader, &event);
        if (r < 0)
            return r;
        yaml_event_type_t type = event.type;
        const char *key;
        if (type == YAML_SCALAR_EVENT) {
            r = scalar_text(reader, &event, &key);
            if (r == 0)
                r = read_value(reader, key, event.start_mark.line, pair, arg);
        } else if (type != YAML_MAPPING_END_EVENT) {
            r = refuse(reader, event.start_mark.line, "expected a setting, like `data: ./data`");
        }
        yaml_event_delete(&event);
        if (r < 0 || type == YAML_MAPPING_END_EVENT)
            return r;
    }
}

/* Stream start, document start, then the mapping; an empty file is an empty mapping. */
static int read_stream(struct reader *reader, fg_config_pair_fn pair, void *arg)
{
    bool seen_mapping = false;
    for (;;) {
        yaml_event_t event;
        int r = next_event(reader, &event);
        if (r < 0)
            return r;
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line;
        bool is_empty = type == YAML_SCALAR_EVENT && is_null(&event);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT && seen_mapping)
            return refuse(reader, line, "expected one document, and here a second begins");
        if (type == YAML_MAPPING_START_EVENT) {
            seen_mapping = true;
            r = read_mapping(reader, pair, arg);
        } else if (!is_empty && type != YAML_STREAM_START_EVENT &&
                   type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
            r = refuse(reader, line, "expected settings, one a line, like `data: ./data`");
        }
        if (r < 0)
            return r;
    }
}

int fg_config_file_parse(struct fg_slice text, const char *file_name, fg_config_pair_fn pair,
                         void *arg, struct fg_buffer *errors)
{
    struct reader reader = {.file_name = file_name, .errors = errors};
    if (!yaml_parser_initialize(&reader.parser))
        return FG_ENOMEM;
    yaml_parser_set_input_string(&reader.parser, text.data, text.size);
    int r = read_stream(&reader, pair, arg);
    yaml_parser_delete(&reader.parser);
    return r;
}
