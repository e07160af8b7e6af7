#include "sim_disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t sim_chance_u64(struct sim_chance *chance)
{
    /* splitmix64 */
    uint64_t x = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sim_chance_below(struct sim_chance *chance, uint64_t below)
{
    return below ? sim_chance_u64(chance) % below : 0;
}

static void *must(void *p)
{
    if (!p) {
        fputs("simulated disk: out of memory\n", stderr);
        abort();
    }
    return p;
}

/* Room for one more element of a growing list. */
static void *grow(void *list, size_t count, size_t *capacity, size_t element_size)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? *capacity * 2 : 8;
    return must(realloc(list, *capacity * element_size));
}

/* -- Bytes */

static void bytes_resize(struct sim_bytes *bytes, size_t size)
{
    if (size > bytes->capacity) {
        size_t capacity = bytes->capacity * 2 > size ? bytes->capacity * 2 : size;
        /* calloc, since the large files of a log are mostly pages that nobody touches */
        uint8_t *data = must(calloc(1, capacity));
        if (bytes->size)
            memcpy(data, bytes->data, bytes->size);
        free(bytes->data);
        bytes->data = data;
        bytes->capacity = capacity;
    } else if (size < bytes->size) {
        memset(bytes->data + size, 0, bytes->size - size);
    }
    bytes->size = size;
}

static void bytes_write(struct sim_bytes *bytes, uint64_t offset, const void *data, size_t size)
{
    if (offset + size > bytes->size)
        bytes_resize(bytes, offset + size);
    if (size)
        memcpy(bytes->data + offset, data, size);
}

static void bytes_copy(struct sim_bytes *to, const struct sim_bytes *from)
{
    bytes_resize(to, 0);
    bytes_write(to, 0, from->data, from->size);
}

/* -- Nodes */

struct sim_node *sim_node_new(bool is_dir, uint64_t *used_bytes)
{
    struct sim_node *node = must(calloc(1, sizeof *node));
    node->refs = 1;
    node->is_dir = is_dir;
    node->used_bytes = used_bytes;
    return node;
}

struct sim_node *sim_node_ref(struct sim_node *node)
{
    if (node)
        node->refs++;
    return node;
}

static void writes_clear(struct sim_node *node)
{
    for (size_t i = 0; i < node->write_count; i++)
        free(node->writes[i].bytes);
    node->write_count = 0;
}

static void names_clear(struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->list[i].name);
        sim_node_unref(names->list[i].node);
    }
    names->count = 0;
}

static void namings_clear(struct sim_node *dir)
{
    for (size_t i = 0; i < dir->naming_count; i++) {
        free(dir->namings[i].name);
        sim_node_unref(dir->namings[i].node);
    }
    dir->naming_count = 0;
}

static void names_unuse(const struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        sim_node_unuse(names->list[i].node);
}

void sim_node_unref(struct sim_node *node)
{
    if (!node || --node->refs > 0)
        return;
    assert(node->uses == 0);
    writes_clear(node);
    namings_clear(node);
    names_unuse(&node->names_now);
    names_clear(&node->names_now);
    names_clear(&node->names_stable);
    free(node->writes);
    free(node->namings);
    free(node->names_now.list);
    free(node->names_stable.list);
    free(node->now.data);
    free(node->stable.data);
    free(node);
}

void sim_node_use(struct sim_node *node)
{
    if (node->uses++ == 0)
        *node->used_bytes += node->now.size;
}

void sim_node_unuse(struct sim_node *node)
{
    if (--node->uses == 0)
        *node->used_bytes -= node->now.size;
}

static void note(struct sim_node *node, uint64_t offset, const void *bytes, size_t size)
{
    node->writes =
        grow(node->writes, node->write_count, &node->write_capacity, sizeof *node->writes);
    struct sim_write *write = &node->writes[node->write_count++];
    *write = (struct sim_write){.offset = offset, .size = size};
    if (bytes) {
        write->bytes = must(malloc(size ? size : 1));
        memcpy(write->bytes, bytes, size);
    }
}

void sim_node_write(struct sim_node *node, uint64_t offset, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    size_t before = node->now.size;
    bytes_write(&node->now, offset, bytes, size);
    *node->used_bytes += node->now.size - before;
    note(node, offset, bytes, size);
}

void sim_node_resize(struct sim_node *node, uint64_t size)
{
    *node->used_bytes -= node->now.size;
    bytes_resize(&node->now, size);
    *node->used_bytes += node->now.size;
    note(node, size, NULL, 0);
}

static void apply(struct sim_bytes *bytes, const struct sim_write *write)
{
    if (write->bytes)
        bytes_write(bytes, write->offset, write->bytes, write->size);
    else
        bytes_resize(bytes, write->offset);
}

void sim_node_sync(struct sim_node *node)
{
    for (size_t i = 0; i < node->write_count; i++)
        apply(&node->stable, &node->writes[i]);
    writes_clear(node);
}

/* How much of what was not synced is lost: each sector, and each name, stops taking changes at
 * each change with a chance of stop in 16. */
static uint64_t draw_stop(struct sim_chance *chance)
{
    static const uint64_t stops[] = {0, 16, 1, 2, 4, 8, 8, 12};
    return stops[sim_chance_below(chance, sizeof stops / sizeof *stops)];
}

/* One change of a file, sector by sector: those that have stopped keep what they hold. */
static void apply_torn(struct sim_bytes *bytes, const struct sim_write *write, bool *stopped,
                       uint64_t stop, struct sim_chance *chance)
{
    uint64_t sector_size = chance->sector_size;
    uint64_t end = write->offset + write->size;
    for (uint64_t at = write->offset; at < end;) {
        uint64_t sector = at / sector_size;
        uint64_t sector_end = (sector + 1) * sector_size;
        uint64_t to = sector_end < end ? sector_end : end;
        if (!stopped[sector] && sim_chance_below(chance, 16) < stop)
            stopped[sector] = true;
        if (!stopped[sector])
            bytes_write(bytes, at, write->bytes + (at - write->offset), to - at);
        at = to;
    }
}

static void file_lose(struct sim_node *node, struct sim_chance *chance)
{
    uint64_t stop = draw_stop(chance);
    size_t size_max = node->now.size;
    for (size_t i = 0; i < node->write_count; i++) {
        size_t end = node->writes[i].offset + node->writes[i].size;
        size_max = end > size_max ? end : size_max;
    }
    if (node->stable.size > size_max)
        size_max = node->stable.size;
    bool *stopped = must(calloc(size_max / chance->sector_size + 1, sizeof *stopped));
    bool size_stopped = false;
    for (size_t i = 0; i < node->write_count; i++) {
        const struct sim_write *write = &node->writes[i];
        if (write->bytes) {
            apply_torn(&node->stable, write, stopped, stop, chance);
            continue;
        }
        if (!size_stopped && sim_chance_below(chance, 16) < stop)
            size_stopped = true;
        if (!size_stopped)
            bytes_resize(&node->stable, write->offset);
    }
    free(stopped);
    writes_clear(node);
}

/* -- Folders */

static struct sim_name *names_find(const struct sim_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i].name, name) == 0)
            return &names->list[i];
    return NULL;
}

static void names_set(struct sim_names *names, const char *name, struct sim_node *node)
{
    struct sim_name *there = names_find(names, name);
    sim_node_ref(node);
    if (there && node) {
        sim_node_unref(there->node);
        there->node = node;
    } else if (there) {
        free(there->name);
        sim_node_unref(there->node);
        *there = names->list[--names->count];
    } else if (node) {
        names->list = grow(names->list, names->count, &names->capacity, sizeof *names->list);
        names->list[names->count++] = (struct sim_name){must(strdup(name)), node};
    }
}

struct sim_node *sim_dir_find(const struct sim_node *dir, const char *name)
{
    const struct sim_name *there = names_find(&dir->names_now, name);
    return there ? there->node : NULL;
}

void sim_dir_set(struct sim_node *dir, const char *name, struct sim_node *node, bool tied)
{
    struct sim_node *before = sim_dir_find(dir, name);
    if (node)
        sim_node_use(node);
    if (before)
        sim_node_unuse(before);
    names_set(&dir->names_now, name, node);
    dir->namings =
        grow(dir->namings, dir->naming_count, &dir->naming_capacity, sizeof *dir->namings);
    dir->namings[dir->naming_count++] =
        (struct sim_naming){must(strdup(name)), sim_node_ref(node), tied};
}

void sim_dir_sync(struct sim_node *dir)
{
    for (size_t i = 0; i < dir->naming_count; i++)
        names_set(&dir->names_stable, dir->namings[i].name, dir->namings[i].node);
    namings_clear(dir);
}

static bool *stopped_name(const struct sim_node *dir, bool *stopped, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(dir->namings[i].name, dir->namings[at].name) == 0)
            return &stopped[i];
    return &stopped[at];
}

static void dir_lose(struct sim_node *dir, struct sim_chance *chance)
{
    uint64_t stop = draw_stop(chance);
    bool *stopped = must(calloc(dir->naming_count + 1, sizeof *stopped));
    for (size_t i = 0; i < dir->naming_count; i++) {
        size_t last = i;
        bool lost = sim_chance_below(chance, 16) < stop || *stopped_name(dir, stopped, i);
        while (dir->namings[last].tied && last + 1 < dir->naming_count)
            lost = *stopped_name(dir, stopped, ++last) || lost;
        for (; i <= last; i++) {
            if (lost)
                *stopped_name(dir, stopped, i) = true;
            else
                names_set(&dir->names_stable, dir->namings[i].name, dir->namings[i].node);
        }
        i = last;
    }
    free(stopped);
    namings_clear(dir);
}

void sim_node_lose(struct sim_node *node, struct sim_chance *chance)
{
    if (node->is_dir)
        dir_lose(node, chance);
    else
        file_lose(node, chance);
}

void sim_tree_restart(struct sim_node *root, struct sim_chance *chance)
{
    root->locked = false;
    sim_node_lose(root, chance);
    if (!root->is_dir) {
        /* dead files that are still open use it, or another name */
        *root->used_bytes -= root->uses ? root->now.size : 0;
        bytes_copy(&root->now, &root->stable);
        *root->used_bytes += root->uses ? root->now.size : 0;
        return;
    }
    names_unuse(&root->names_now);
    names_clear(&root->names_now);
    for (size_t i = 0; i < root->names_stable.count; i++) {
        struct sim_node *node = root->names_stable.list[i].node;
        names_set(&root->names_now, root->names_stable.list[i].name, node);
        sim_tree_restart(node, chance);
        sim_node_use(node);
    }
}
