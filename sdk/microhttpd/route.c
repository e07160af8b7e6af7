/* Both are walked by their segments. A segment in braces fits any but the empty one; a * at the
 * template's end fits all that is left, also nothing. */
#include "route.h"

#include <string.h>

/* The next segment, without the slash before it; data is NULL at the end. */
static struct fg_slice next_segment(const char **at)
{
    if (**at != '/')
        return (struct fg_slice){0};
    const char *begin = *at + 1;
    size_t size = strcspn(begin, "/");
    *at = begin + size;
    return fg_slice(begin, size);
}

static bool is_variable(struct fg_slice segment)
{
    return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

/* *ret_value: that of {name}, where name is not NULL. */
static bool walk(const char *path_template, const char *path, const char *name,
                 struct fg_slice *ret_value)
{
    if (!path_template || !path)
        return false;
    for (;;) {
        struct fg_slice wanted = next_segment(&path_template), segment = next_segment(&path);
        if (!wanted.data)
            return !segment.data && *path_template == 0 && *path == 0;
        if (fg_slice_equal(wanted, FG_SLICE("*")) && *path_template == 0)
            return true;
        if (!segment.data)
            return false;
        if (!is_variable(wanted)) {
            if (!fg_slice_equal(wanted, segment))
                return false;
            continue;
        }
        if (segment.size == 0)
            return false;
        struct fg_slice own = fg_slice(wanted.data + 1, wanted.size - 2);
        if (name && fg_slice_equal(own, fg_slice_from_string(name)))
            *ret_value = segment;
    }
}

bool fg_route_fits(const char *path_template, const char *path)
{
    struct fg_slice none = {0};
    return walk(path_template, path, NULL, &none);
}

struct fg_slice fg_route_value(const char *path_template, const char *path, const char *name)
{
    struct fg_slice value = {0};
    if (!name || !walk(path_template, path, name, &value))
        return (struct fg_slice){0};
    return value;
}
