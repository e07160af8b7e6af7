/* Whether LMDB's file hangs together, read without LMDB: its pages carry no checksums, and it
 * trusts them, so that a flipped bit could send it round in circles or past the end of its map.
 *
 * LMDB 0.9's format, 64-bit, little-endian. Page: u64 number, u16, u16 flags, u16 lower, u16 upper
 * (of an overflow run instead of both: u32 pages), then u16 offsets of nodes; a node: u16, u16, u16
 * flags, u16 key size, key, data. Pages 0 and 1 are metas: magic, version, two trees (free pages;
 * tables), last page, transaction; the later transaction counts. A tree: 48 bytes. */
#include "state_internal.h"

#include "base/endian.h"

#include <stdio.h>
#include <stdlib.h>

#define MAGIC         0xbeefc0deu
#define VERSION       1u
#define PAGE_HEADER   16u
#define NODE_HEADER   8u
#define TREE_SIZE     48u
#define META_TREES    24u /* within a meta, behind its page's header */
#define META_SIZE     (META_TREES + 2 * TREE_SIZE + 16u)
#define DEPTH_MAX     32u
#define PAGE_SIZE_MAX 65536u
#define NO_PAGE       UINT64_MAX
#define FLAG_BRANCH   1u
#define FLAG_LEAF     2u
#define FLAG_OVERFLOW 4u
#define NODE_BIG      1u
#define NODE_TREE     2u
#define TREE_INTEGER  8u

struct tree {
    uint16_t flags, depth;
    uint64_t entries, root;
};

struct check {
    struct fg_file *file;
    uint64_t page_count; /* of the file that the meta speaks of */
    uint32_t page_size;
    uint8_t *seen;  /* a bit a page */
    uint8_t *pages; /* one for each level */
    bool is_free_list;
};

/* Pages are met once: what hangs together has no page in two places. */
static int see(struct check *check, uint64_t page, uint64_t count)
{
    if (page < 2 || page >= check->page_count || count > check->page_count - page)
        return FG_ECORRUPT;
    for (uint64_t i = page; i < page + count; i++) {
        if (check->seen[i / 8] >> (i % 8) & 1)
            return FG_ECORRUPT;
        check->seen[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    return 0;
}

static int read_page(struct check *check, uint64_t page, uint8_t *bytes)
{
    size_t size;
    int r = fg_file_pread(check->file, page * check->page_size, bytes, check->page_size, &size);
    if (r == 0 && (size < check->page_size || fg_load_le64(bytes) != page))
        r = FG_ECORRUPT;
    return r;
}

static struct tree tree_at(const uint8_t *bytes)
{
    return (struct tree){.flags = fg_load_le16(bytes + 4),
                         .depth = fg_load_le16(bytes + 6),
                         .entries = fg_load_le64(bytes + 32),
                         .root = fg_load_le64(bytes + 40)};
}

/* -- What a leaf holds */

static int check_tree(struct check *check, const struct tree *tree, bool of_tables, unsigned level);

/* Bytes of a list of free pages: its length, then pages, falling. */
static int check_free_list(struct check *check, const uint8_t *list, uint64_t size)
{
    uint64_t count = size >= 8 ? fg_load_le64(list) : UINT64_MAX, last = UINT64_MAX;
    if (count > (size - 8) / 8 || size < 8)
        return FG_ECORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t page = fg_load_le64(list + 8 + 8 * i);
        if (page >= last || see(check, page, 1) < 0)
            return FG_ECORRUPT;
        last = page;
    }
    return 0;
}

/* Data in pages of its own, of which there may be more than it needs: a longer value was there. */
static int check_big(struct check *check, const uint8_t *node_data, uint64_t size)
{
    uint64_t page = fg_load_le64(node_data);
    uint64_t count_min = (PAGE_HEADER - 1 + size) / check->page_size + 1;
    uint8_t header[PAGE_HEADER];
    size_t got = 0;
    if (page >= check->page_count)
        return FG_ECORRUPT;
    int r = fg_file_pread(check->file, page * check->page_size, header, sizeof header, &got);
    if (r < 0)
        return r;
    uint64_t count = fg_load_le32(header + 12);
    bool is_sound = got == sizeof header && fg_load_le64(header) == page &&
                    fg_load_le16(header + 10) == FLAG_OVERFLOW && count >= count_min;
    r = is_sound ? see(check, page, count) : FG_ECORRUPT;
    if (r < 0)
        return r;
    if (!check->is_free_list)
        return 0;
    uint8_t *list = malloc(size + 1);
    if (!list)
        return FG_ENOMEM;
    r = fg_file_pread(check->file, page * check->page_size + PAGE_HEADER, list, size, &got);
    if (r == 0)
        r = got == size ? check_free_list(check, list, size) : FG_ECORRUPT;
    free(list);
    return r;
}

static int check_leaf_node(struct check *check, const uint8_t *node, size_t room, bool of_tables,
                           unsigned level)
{
    uint64_t size = fg_load_le16(node) | (uint64_t)fg_load_le16(node + 2) << 16;
    uint16_t flags = fg_load_le16(node + 4), key_size = fg_load_le16(node + 6);
    const uint8_t *data = node + NODE_HEADER + key_size;
    uint64_t here = flags & NODE_BIG ? 8 : size;
    uint16_t expected = of_tables ? NODE_TREE : flags & NODE_BIG;
    if (flags != expected || here > room - NODE_HEADER - key_size)
        return FG_ECORRUPT;
    if (of_tables) {
        if (size != TREE_SIZE || key_size > FG_STATE_NAME_SIZE_MAX)
            return FG_ECORRUPT;
        const struct tree tree = tree_at(data);
        return tree.flags ? FG_ECORRUPT : check_tree(check, &tree, false, level);
    }
    if (flags & NODE_BIG)
        return check_big(check, data, size);
    return check->is_free_list ? check_free_list(check, data, size) : 0;
}

/* -- Trees */

static bool is_rising(const struct check *check, struct fg_slice before, struct fg_slice key)
{
    if (check->is_free_list)
        return before.size == 0 || fg_load_le64(before.data) < fg_load_le64(key.data);
    return before.size == 0 || fg_slice_compare(before, key) < 0;
}

/* Where a node lies in its page, with its key. FG_ECORRUPT. */
static int find_node(const struct check *check, const uint8_t *page, unsigned index, bool has_key,
                     const uint8_t **ret_node, size_t *ret_room, struct fg_slice *ret_key)
{
    uint16_t upper = fg_load_le16(page + 14);
    uint16_t offset = fg_load_le16(page + PAGE_HEADER + (size_t)2 * index);
    if (offset < upper || offset > check->page_size - NODE_HEADER || offset % 2)
        return FG_ECORRUPT;
    size_t room = check->page_size - offset;
    uint16_t key_size = fg_load_le16(page + offset + 6);
    bool is_sound = key_size <= room - NODE_HEADER && key_size <= FG_STATE_KEY_SIZE_MAX &&
                    (!has_key || (check->is_free_list ? key_size == 8 : key_size > 0));
    if (!is_sound)
        return FG_ECORRUPT;
    *ret_node = page + offset;
    *ret_room = room;
    *ret_key = fg_slice(page + offset + NODE_HEADER, key_size);
    return 0;
}

static uint64_t child_of(const uint8_t *node)
{
    return fg_load_le16(node) | (uint64_t)fg_load_le16(node + 2) << 16 |
           (uint64_t)fg_load_le16(node + 4) << 32;
}

/* Pages of a tree lie anywhere in the file, and a start waits for all of them: those below a branch
 * are read side by side. Nodes that can't be are found when they are visited. */
static void read_children_ahead(const struct check *check, const uint8_t *page, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *node;
        size_t room;
        struct fg_slice key;
        if (find_node(check, page, i, i > 0, &node, &room, &key) == 0 &&
            child_of(node) < check->page_count)
            fg_file_read_ahead(check->file, child_of(node) * check->page_size, check->page_size);
    }
}

static int check_page(struct check *check, uint64_t number, unsigned depth, bool of_tables,
                      unsigned level, uint64_t *entries)
{
    uint8_t *page = check->pages + (size_t)level * PAGE_SIZE_MAX;
    uint16_t flags = depth > 1 ? FLAG_BRANCH : FLAG_LEAF;
    struct fg_slice before = {0};
    if (level >= 2 * DEPTH_MAX)
        return FG_ECORRUPT;
    int r = see(check, number, 1);
    if (r == 0)
        r = read_page(check, number, page);
    if (r < 0)
        return r;
    uint32_t lower = fg_load_le16(page + 12), upper = fg_load_le16(page + 14);
    unsigned count = lower >= PAGE_HEADER ? (lower - PAGE_HEADER) / 2 : 0;
    bool is_sound = fg_load_le16(page + 10) == flags && lower <= upper && lower % 2 == 0 &&
                    upper <= check->page_size && count > (depth > 1);
    if (!is_sound)
        return FG_ECORRUPT;
    if (depth > 1)
        read_children_ahead(check, page, count);
    for (unsigned i = 0; r == 0 && i < count; i++) {
        const uint8_t *node;
        size_t room;
        struct fg_slice key;
        bool has_key = depth == 1 || i > 0; /* a branch's first node has none */
        r = find_node(check, page, i, has_key, &node, &room, &key);
        if (r == 0 && has_key && !is_rising(check, before, key))
            r = FG_ECORRUPT;
        if (r < 0)
            break;
        before = has_key ? key : before;
        if (depth == 1) {
            r = check_leaf_node(check, node, room, of_tables, level + 1);
            ++*entries;
            continue;
        }
        r = check_page(check, child_of(node), depth - 1, of_tables, level + 1, entries);
    }
    return r;
}

static int check_tree(struct check *check, const struct tree *tree, bool of_tables, unsigned level)
{
    uint64_t entries = 0;
    bool is_empty = tree->root == NO_PAGE;
    if (is_empty)
        return tree->depth == 0 && tree->entries == 0 ? 0 : FG_ECORRUPT;
    if (tree->depth == 0 || tree->depth > DEPTH_MAX)
        return FG_ECORRUPT;
    int r = check_page(check, tree->root, tree->depth, of_tables, level, &entries);
    return r == 0 && entries != tree->entries ? FG_ECORRUPT : r;
}

/* -- The file */

/* FG_ECORRUPT where it is none. */
static int read_meta(struct fg_file *file, uint64_t offset, uint8_t meta[META_SIZE])
{
    uint8_t bytes[PAGE_HEADER + META_SIZE];
    size_t size;
    int r = fg_file_pread(file, offset, bytes, sizeof bytes, &size);
    if (r < 0)
        return r;
    memcpy(meta, bytes + PAGE_HEADER, META_SIZE);
    bool is_sound = size == sizeof bytes && fg_load_le16(bytes + 10) == 8 &&
                    fg_load_le32(meta) == MAGIC && fg_load_le32(meta + 4) == VERSION;
    return is_sound ? 0 : FG_ECORRUPT;
}

static int check_all(struct check *check, uint64_t file_size)
{
    uint8_t metas[2][META_SIZE];
    int r = read_meta(check->file, 0, metas[0]);
    check->page_size = r == 0 ? fg_load_le32(metas[0] + META_TREES) : 0;
    uint32_t size = check->page_size;
    if (r == 0 && (size < 512 || size > PAGE_SIZE_MAX || (size & (size - 1)) != 0))
        r = FG_ECORRUPT;
    if (r == 0)
        r = read_meta(check->file, size, metas[1]);
    if (r < 0)
        return r;
    const size_t at_end = META_TREES + 2 * TREE_SIZE;
    const uint8_t *meta =
        metas[fg_load_le64(metas[1] + at_end + 8) > fg_load_le64(metas[0] + at_end + 8)];
    uint64_t last = fg_load_le64(meta + at_end), map_size = fg_load_le64(meta + 16);
    const struct tree free_pages = tree_at(meta + META_TREES);
    const struct tree tables = tree_at(meta + META_TREES + TREE_SIZE);
    bool is_sound = fg_load_le32(meta + META_TREES) == size && last < file_size / size &&
                    map_size / size > last && map_size < (uint64_t)1 << 47 &&
                    (free_pages.flags & TREE_INTEGER) && tables.flags == 0;
    if (!is_sound)
        return FG_ECORRUPT;
    check->page_count = last + 1;
    check->seen = calloc(1, check->page_count / 8 + 1);
    check->pages = malloc((size_t)(2 * DEPTH_MAX + 1) * PAGE_SIZE_MAX);
    if (!check->seen || !check->pages)
        return FG_ENOMEM;
    r = check_tree(check, &tables, true, 0);
    check->is_free_list = true;
    return r < 0 ? r : check_tree(check, &free_pages, false, 0);
}

int fg_state_check(const char *path)
{
    char name[FG_STATE_PATH_SIZE_MAX];
    struct check check = {.file = NULL};
    uint64_t size = 0;
    if (snprintf(name, sizeof name, "%s/data.mdb", path) >= (int)sizeof name)
        return FG_ELIMIT;
    int r = fg_env_open(fg_env_real(), name, FG_OPEN_READ, &check.file);
    if (r == 0)
        r = fg_file_size(check.file, &size);
    if (r == 0 && size > 0) /* LMDB makes it, and then writes it */
        r = check_all(&check, size);
    fg_file_close(check.file);
    free(check.seen);
    free(check.pages);
    return r;
}
