#include "base/yaml_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 400

int fg_yaml_load(struct fg_yaml *yaml, struct fg_slice text)
{
    yaml_parser_t parser;
    int r = 0;
    if (!yaml_parser_initialize(&parser))
        return FG_ENOMEM;
    yaml_parser_set_input_string(&parser, text.data, text.size);
    if (!yaml_parser_load(&parser, &yaml->document)) {
        fg_buffer_append_format(yaml->errors, "%s:%zu: %s\n", yaml->file_name,
                                parser.problem_mark.line + 1,
                                parser.problem ? parser.problem : "this is no YAML");
        r = parser.error == YAML_MEMORY_ERROR ? FG_ENOMEM : FG_EINVALID;
    }
    yaml_parser_delete(&parser);
    return r;
}

void fg_yaml_free(struct fg_yaml *yaml)
{
    yaml_document_delete(&yaml->document);
}

int fg_yaml_refuse(struct fg_yaml *yaml, const yaml_node_t *node, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fg_buffer_append_format(yaml->errors, "%s:%zu: %s\n", yaml->file_name,
                            node ? node->start_mark.line + 1 : (size_t)1, message);
    return FG_EINVALID;
}

yaml_node_t *fg_yaml_node(struct fg_yaml *yaml, int index)
{
    return yaml_document_get_node(&yaml->document, index);
}

size_t fg_yaml_count(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

yaml_node_t *fg_yaml_item(struct fg_yaml *yaml, const yaml_node_t *list, size_t index)
{
    return fg_yaml_node(yaml, list->data.sequence.items.start[index]);
}

const char *fg_yaml_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

int fg_yaml_refuse_twice(struct fg_yaml *yaml, const yaml_node_t *mapping)
{
    const yaml_node_pair_t *begin = mapping->data.mapping.pairs.start;
    for (const yaml_node_pair_t *pair = begin; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = fg_yaml_node(yaml, pair->key);
        for (const yaml_node_pair_t *before = begin; before < pair; before++) {
            const yaml_node_t *other = fg_yaml_node(yaml, before->key);
            if (key->type == YAML_SCALAR_NODE && other->type == YAML_SCALAR_NODE &&
                strcmp(fg_yaml_text(key), fg_yaml_text(other)) == 0)
                return fg_yaml_refuse(yaml, key, "%s: it is there twice", fg_yaml_text(key));
        }
    }
    return 0;
}
