/* Reading YAML that people write: the text is loaded whole by libyaml, walked by who knows what is
 * expected of each node, and every complaint names file and line. A library of its own, since not
 * all that stands on base reads YAML. */
#pragma once

#include "base/buffer.h"

#include <yaml.h>

struct fg_yaml {
    yaml_document_t document;
    const char *file_name;
    struct fg_buffer *errors; /* complaints, a line each: "order.yaml:12: within: expected …" */
};

/* file_name and errors are set before. FG_EINVALID after a complaint, FG_ENOMEM; then there is
 * nothing to free. */
FG_MUST_CHECK int fg_yaml_load(struct fg_yaml *yaml, struct fg_slice text);
void fg_yaml_free(struct fg_yaml *yaml);

/* Complains of a node; NULL: of the file's begin. Returns FG_EINVALID. */
int fg_yaml_refuse(struct fg_yaml *yaml, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The node of a pair's or an item's number. */
yaml_node_t *fg_yaml_node(struct fg_yaml *yaml, int index);
/* Items of a list, and the one at a place of it. */
size_t fg_yaml_count(const yaml_node_t *list);
yaml_node_t *fg_yaml_item(struct fg_yaml *yaml, const yaml_node_t *list, size_t index);
/* A scalar's text, with a NUL behind it; "" of another node. */
const char *fg_yaml_text(const yaml_node_t *node);
/* libyaml takes a key that is there twice; which of the two is meant nobody can say. FG_EINVALID
 * after a complaint. */
FG_MUST_CHECK int fg_yaml_refuse_twice(struct fg_yaml *yaml, const yaml_node_t *mapping);
