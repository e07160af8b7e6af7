/* The simulated disk: files and folders in two states each, what a reader sees now and what would
 * be there after a power cut, with the list of changes between them. Private to tests/sim. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_node;

struct sim_bytes {
    uint8_t *data;
    size_t size, capacity;
};

/* A change of a file that is not on disk yet: bytes at offset, or a new size. */
struct sim_write {
    uint64_t offset; /* the new size when bytes is NULL */
    uint8_t *bytes;
    size_t size;
};

struct sim_name {
    char *name;
    struct sim_node *node;
};

struct sim_names {
    struct sim_name *list;
    size_t count, capacity;
};

/* A change of a folder that is not on disk yet: name stands for node, or for nothing. */
struct sim_naming {
    char *name;
    struct sim_node *node;
    bool tied; /* happens only together with the next one */
};

struct sim_node {
    uint64_t refs; /* names in any state, changes, open files */
    uint64_t uses; /* names of now and open files: while there is one, the size counts */
    bool is_dir;
    bool locked;
    struct sim_bytes now, stable;
    struct sim_write *writes;
    size_t write_count, write_capacity;
    struct sim_names names_now, names_stable;
    struct sim_naming *namings;
    size_t naming_count, naming_capacity;
    uint64_t *used_bytes; /* the disk's sum of sizes now */
};

struct sim_chance {
    uint64_t state;
    uint32_t sector_size;
};

uint64_t sim_chance_u64(struct sim_chance *chance);
uint64_t sim_chance_below(struct sim_chance *chance, uint64_t below);

/* Out of memory ends the test program: it is the test's machine, not what is tested. */
struct sim_node *sim_node_new(bool is_dir, uint64_t *used_bytes);
struct sim_node *sim_node_ref(struct sim_node *node);
void sim_node_unref(struct sim_node *node);
void sim_node_use(struct sim_node *node);
void sim_node_unuse(struct sim_node *node);

void sim_node_write(struct sim_node *node, uint64_t offset, const void *bytes, size_t size);
void sim_node_resize(struct sim_node *node, uint64_t size);
void sim_node_sync(struct sim_node *node);
/* Some of what was not synced reaches the disk, the rest never will; now is left as it is. */
void sim_node_lose(struct sim_node *node, struct sim_chance *chance);

struct sim_node *sim_dir_find(const struct sim_node *dir, const char *name);
/* node NULL: removes the name. tied: together with the next sim_dir_set() of this folder. */
void sim_dir_set(struct sim_node *dir, const char *name, struct sim_node *node, bool tied);
void sim_dir_sync(struct sim_node *dir);

/* The power cut, from the root down: loses by chance, and makes what is stable what is now. */
void sim_tree_restart(struct sim_node *root, struct sim_chance *chance);
