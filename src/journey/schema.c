#include "schema.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 24u
#define NODES_MAX 4096u

enum type_bit {
    TYPE_STRING = 1,
    TYPE_INTEGER = 2,
    TYPE_NUMBER = 4,
    TYPE_BOOLEAN = 8,
    TYPE_NULL = 16,
    TYPE_OBJECT = 32,
    TYPE_ARRAY = 64,
};

struct property {
    const char *name;
    const struct fg_schema *schema; /* NULL: anything */
    bool is_required;
};

struct list {
    const struct fg_schema **items;
    size_t count;
};

struct fg_schema {
    unsigned types; /* 0: any */
    struct property *properties;
    size_t property_count;
    bool is_closed; /* no other properties */
    bool is_false;  /* nothing obeys it */
    const struct fg_schema *additional, *items;
    struct list all, any, one;
    const char **values; /* texts of const or enum */
    size_t value_count;
};

/* -- Reading */

struct reader {
    json_t *root;
    struct fg_arena *arena;
    struct fg_buffer *errors;
    /* nodes that are read or being read, so that a schema may refer to itself */
    const json_t **from;
    struct fg_schema **nodes;
    size_t count;
};

static int refuse(struct reader *reader, const char *what, const char *name)
{
    fg_buffer_append_format(reader->errors, "%s%s\n", what, name);
    return FG_EINVALID;
}

static const char *copy_text(struct reader *reader, const char *text)
{
    return (const char *)fg_arena_copy(reader->arena, fg_slice(text, strlen(text) + 1)).data;
}

static unsigned type_bit(const char *name)
{
    static const char *const names[] = {"string", "integer", "number", "boolean",
                                        "null",   "object",  "array"};
    for (unsigned i = 0; i < 7; i++)
        if (strcmp(name, names[i]) == 0)
            return 1u << i;
    return 0;
}

static int read_schema(struct reader *reader, const json_t *json, unsigned depth,
                       const struct fg_schema **ret_schema);

/* "#/definitions/order" */
static const json_t *find_ref(const struct reader *reader, const char *ref)
{
    const json_t *at = reader->root;
    if (strcmp(ref, "#") == 0)
        return at;
    if (strncmp(ref, "#/", 2) != 0)
        return NULL;
    for (ref += 2; at && *ref;) {
        char name[128];
        size_t size = strcspn(ref, "/");
        if (size >= sizeof name)
            return NULL;
        memcpy(name, ref, size);
        name[size] = 0;
        at = json_object_get(at, name);
        ref += size + (ref[size] == '/');
    }
    return at;
}

static int read_types(struct reader *reader, const json_t *json, struct fg_schema *schema)
{
    const json_t *type = json_object_get(json, "type"), *item;
    size_t i;
    if (json_is_string(type))
        schema->types = type_bit(json_string_value(type));
    json_array_foreach((json_t *)(uintptr_t)type, i, item) schema->types |=
        json_is_string(item) ? type_bit(json_string_value(item)) : 0;
    if (type && schema->types == 0)
        return refuse(reader, "type: expected string, integer, number, boolean, null, object or ",
                      "array");
    return 0;
}

static int read_values(struct reader *reader, const json_t *json, struct fg_schema *schema)
{
    const json_t *list = json_object_get(json, "enum"), *one = json_object_get(json, "const");
    size_t count = json_is_string(one) ? 1 : json_array_size(list);
    schema->values = fg_arena_calloc(reader->arena, count + 1, sizeof *schema->values);
    if (!schema->values)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_is_string(one) ? one : json_array_get(list, i);
        if (json_is_string(value))
            schema->values[schema->value_count++] = copy_text(reader, json_string_value(value));
    }
    return 0;
}

static int read_list(struct reader *reader, const json_t *json, const char *key, unsigned depth,
                     struct list *list)
{
    const json_t *array = json_object_get(json, key);
    size_t count = json_array_size(array);
    list->items = fg_arena_calloc(reader->arena, count + 1, sizeof(struct fg_schema *));
    if (!list->items)
        return FG_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int r = read_schema(reader, json_array_get(array, i), depth + 1, &list->items[i]);
        if (r < 0)
            return r;
        list->count++;
    }
    return 0;
}

static struct property *property_of(struct fg_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->property_count; i++)
        if (strcmp(schema->properties[i].name, name) == 0)
            return &schema->properties[i];
    return NULL;
}

static int read_properties(struct reader *reader, const json_t *json, unsigned depth,
                           struct fg_schema *schema)
{
    json_t *properties = json_object_get(json, "properties"), *child;
    const json_t *required = json_object_get(json, "required"),
                 *additional = json_object_get(json, "additionalProperties"), *item;
    const char *name;
    size_t i;
    schema->properties =
        fg_arena_calloc(reader->arena, json_object_size(properties) + json_array_size(required) + 1,
                        sizeof *schema->properties);
    if (!schema->properties)
        return FG_ELIMIT;
    json_object_foreach(properties, name, child)
    {
        struct property *property = &schema->properties[schema->property_count++];
        property->name = copy_text(reader, name);
        int r = read_schema(reader, child, depth + 1, &property->schema);
        if (r < 0)
            return r;
    }
    json_array_foreach((json_t *)(uintptr_t)required, i, item)
    {
        if (!json_is_string(item))
            return refuse(reader, "required: expected a list of ", "names");
        struct property *property = property_of(schema, json_string_value(item));
        if (!property) {
            property = &schema->properties[schema->property_count++];
            property->name = copy_text(reader, json_string_value(item));
        }
        property->is_required = true;
    }
    schema->is_closed = json_is_false(additional);
    return json_is_object(additional)
               ? read_schema(reader, additional, depth + 1, &schema->additional)
               : 0;
}

static int read_node(struct reader *reader, const json_t *json, unsigned depth,
                     struct fg_schema *schema)
{
    const json_t *items = json_object_get(json, "items");
    int r = read_types(reader, json, schema);
    if (r == 0)
        r = read_values(reader, json, schema);
    if (r == 0)
        r = read_properties(reader, json, depth, schema);
    if (r == 0)
        r = read_list(reader, json, "allOf", depth, &schema->all);
    if (r == 0)
        r = read_list(reader, json, "anyOf", depth, &schema->any);
    if (r == 0)
        r = read_list(reader, json, "oneOf", depth, &schema->one);
    if (r == 0 && json_is_object(items))
        r = read_schema(reader, items, depth + 1, &schema->items);
    return r;
}

static int read_schema(struct reader *reader, const json_t *json, unsigned depth,
                       const struct fg_schema **ret_schema)
{
    if (depth > DEPTH_MAX || reader->count == NODES_MAX)
        return FG_ELIMIT;
    const json_t *ref = json_object_get(json, "$ref");
    if (json_is_string(ref)) {
        const json_t *to = find_ref(reader, json_string_value(ref));
        if (!to)
            return refuse(reader, "$ref: the schema has no ", json_string_value(ref));
        return read_schema(reader, to, depth + 1, ret_schema);
    }
    if (!json_is_object(json) && !json_is_boolean(json))
        return refuse(reader, "expected a schema: ", "an object, true or false");
    for (size_t i = 0; i < reader->count; i++)
        if (reader->from[i] == json) {
            *ret_schema = reader->nodes[i];
            return 0;
        }
    struct fg_schema *schema = fg_arena_calloc(reader->arena, 1, sizeof *schema);
    if (!schema)
        return FG_ELIMIT;
    *ret_schema = schema;
    schema->is_false = json_is_false(json);
    if (!json_is_object(json))
        return 0;
    reader->from[reader->count] = json;
    reader->nodes[reader->count++] = schema;
    return read_node(reader, json, depth, schema);
}

int fg_schema_parse(struct fg_slice json, struct fg_arena *arena, struct fg_buffer *errors,
                    const struct fg_schema **ret_schema)
{
    json_error_t error;
    struct reader reader = {.arena = arena, .errors = errors};
    reader.root = json_loadb((const char *)json.data, json.size, 0, &error);
    if (!reader.root) {
        fg_buffer_append_format(errors, "line %d: %s\n", error.line, error.text);
        return FG_EINVALID;
    }
    reader.from = fg_arena_calloc(arena, NODES_MAX, sizeof *reader.from);
    reader.nodes = fg_arena_calloc(arena, NODES_MAX, sizeof *reader.nodes);
    int r =
        reader.from && reader.nodes ? read_schema(&reader, reader.root, 0, ret_schema) : FG_ELIMIT;
    json_decref(reader.root);
    if (r == 0 && arena->overflow)
        r = FG_ELIMIT;
    return r;
}

/* -- Checking */

struct checker {
    char *why;
    size_t why_size;
    bool is_quiet; /* of several that may be obeyed none is complained of */
};

static bool complain(struct checker *checker, const char *name, const char *what)
{
    if (!checker->is_quiet && checker->why_size > 0)
        snprintf(checker->why, checker->why_size, "%s %s", name, what);
    return false;
}

/* What a shape's value is; 0: no type. */
static unsigned type_of(const json_t *shape)
{
    if (json_is_object(shape))
        return TYPE_OBJECT;
    if (json_is_array(shape))
        return TYPE_ARRAY;
    if (!json_is_string(shape))
        return 0;
    const char *text = json_string_value(shape);
    return *text == '=' ? TYPE_STRING : type_bit(text);
}

static bool obeys(struct checker *checker, const struct fg_schema *schema, const json_t *shape,
                  const char *name, unsigned depth);

static bool obeys_object(struct checker *checker, const struct fg_schema *schema,
                         const json_t *shape, unsigned depth)
{
    const char *name;
    json_t *value;
    for (size_t i = 0; i < schema->property_count; i++)
        if (schema->properties[i].is_required &&
            !json_object_get(shape, schema->properties[i].name))
            return complain(checker, schema->properties[i].name, "is missing");
    json_object_foreach((json_t *)(uintptr_t)shape, name, value)
    {
        struct property *property = property_of((struct fg_schema *)(uintptr_t)schema, name);
        const struct fg_schema *of = property ? property->schema : schema->additional;
        if (!property && schema->is_closed)
            return complain(checker, name, "is not agreed");
        if (of && !obeys(checker, of, value, name, depth + 1))
            return false;
    }
    return true;
}

static size_t count_obeyed(struct checker *checker, const struct list *list, const json_t *shape,
                           const char *name, unsigned depth)
{
    struct checker quiet = {.is_quiet = true};
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += obeys(&quiet, list->items[i], shape, name, depth + 1);
    if (count == 0 && list->count > 0 && !checker->is_quiet) {
        /* the kind of message that it says it is tells best what is wrong */
        complain(checker, name, "is none of the agreed messages");
        for (size_t i = 0; i < list->count; i++) {
            char why[160] = "";
            struct checker one = {.why = why, .why_size = sizeof why};
            (void)obeys(&one, list->items[i], shape, name, depth + 1);
            if (*why && !strstr(why, "is another value"))
                snprintf(checker->why, checker->why_size, "%s", why);
        }
    }
    return count;
}

static bool is_value(const struct fg_schema *schema, const json_t *shape)
{
    const char *text = json_string_value(shape);
    if (schema->value_count == 0 || !text || *text != '=')
        return true;
    for (size_t i = 0; i < schema->value_count; i++)
        if (strcmp(schema->values[i], text + 1) == 0)
            return true;
    return false;
}

static bool obeys(struct checker *checker, const struct fg_schema *schema, const json_t *shape,
                  const char *name, unsigned depth)
{
    unsigned type = type_of(shape);
    const json_t *item;
    size_t i;
    if (depth > 2 * DEPTH_MAX)
        return true; /* who nests deeper is given the benefit of the doubt */
    if (schema->is_false)
        return complain(checker, name, "is not agreed");
    bool fits = schema->types == 0 || (type & schema->types) != 0 ||
                (type == TYPE_INTEGER && (schema->types & TYPE_NUMBER) != 0);
    if (!fits)
        return complain(checker, name, "has another type");
    if (!is_value(schema, shape))
        return complain(checker, name, "is another value");
    if (type == TYPE_OBJECT && !obeys_object(checker, schema, shape, depth))
        return false;
    json_array_foreach((json_t *)(uintptr_t)shape, i,
                       item) if (schema->items && !obeys(checker, schema->items, item, name,
                                                         depth + 1)) return false;
    for (i = 0; i < schema->all.count; i++)
        if (!obeys(checker, schema->all.items[i], shape, name, depth + 1))
            return false;
    if (schema->any.count > 0 && count_obeyed(checker, &schema->any, shape, name, depth) == 0)
        return false;
    /* a shape may obey several that the values would tell apart */
    return schema->one.count == 0 || count_obeyed(checker, &schema->one, shape, name, depth) > 0;
}

enum fg_schema_result fg_schema_check(const struct fg_schema *schema, struct fg_slice shape,
                                      char *why, size_t why_size)
{
    struct checker checker = {.why = why, .why_size = why_size};
    json_t *json = json_loadb((const char *)shape.data, shape.size, JSON_DECODE_ANY, NULL);
    if (why_size > 0)
        *why = 0;
    if (!json || type_of(json) == 0) {
        json_decref(json);
        return FG_SCHEMA_UNKNOWN;
    }
    bool is_good = obeys(&checker, schema, json, "the message", 0);
    json_decref(json);
    return is_good ? FG_SCHEMA_OBEYS : FG_SCHEMA_VIOLATES;
}
