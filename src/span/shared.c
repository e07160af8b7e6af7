/* Resources and scopes are interned whole. The one that is being filled is written as the row after
 * the last; where an equal one is found it is taken back. The order of attributes plays no part:
 * their hashes are added up, and the stamps of the row in the making say where it has each key. */
#include "builder_state.h"

#include "base/hash.h"

static const enum fg_column resource_columns[] = {FG_COL_RESOURCE_SCHEMA_URL,
                                                  FG_COL_RESOURCE_DROPPED_ATTRS};
static const enum fg_column scope_columns[FG_SHARED_SCALARS_MAX] = {
    FG_COL_SCOPE_NAME, FG_COL_SCOPE_VERSION, FG_COL_SCOPE_SCHEMA_URL, FG_COL_SCOPE_DROPPED_ATTRS};

const enum fg_column *fg_shared_columns(enum fg_table table, int *ret_count)
{
    *ret_count = table == FG_TABLE_RESOURCE ? 2 : 4;
    return table == FG_TABLE_RESOURCE ? resource_columns : scope_columns;
}

struct attrs {
    const uint32_t *begin, *key;
    const uint8_t *type;
    const uint64_t *value;
};

static struct attrs attrs_of(const struct fg_builder *builder, enum fg_table table)
{
    return (struct attrs){.begin = fg_col32(builder, fg_attr_column(table, FG_ATTR_BEGIN)),
                          .key = fg_col32(builder, fg_attr_column(table, FG_ATTR_KEY)),
                          .type = fg_col8(builder, fg_attr_column(table, FG_ATTR_TYPE)),
                          .value = fg_col64(builder, fg_attr_column(table, FG_ATTR_VALUE))};
}

/* Of the newest row, which is not counted yet. */
static uint64_t hash_newest(const struct fg_builder *builder, enum fg_table table,
                            const uint32_t *scalars, int scalar_count)
{
    struct attrs attrs = attrs_of(builder, table);
    uint64_t sum = 0;
    for (uint32_t i = attrs.begin[builder->counts[table]];
         i < builder->counts[FG_TABLE_ATTRS + table]; i++)
        sum +=
            fg_hash_u64(fg_hash_u64((uint64_t)attrs.key[i] << 8 | attrs.type[i]) ^ attrs.value[i]);
    return fg_hash_seeded(fg_slice(scalars, (size_t)scalar_count * sizeof *scalars), sum);
}

struct sought {
    const struct fg_builder *builder;
    enum fg_table table;
    const uint32_t *scalars;
};

static bool is_same(const void *context, uint32_t id)
{
    const struct sought *sought = context;
    const struct fg_builder *builder = sought->builder;
    int scalar_count;
    const enum fg_column *columns = fg_shared_columns(sought->table, &scalar_count);
    for (int i = 0; i < scalar_count; i++)
        if (fg_col32(builder, columns[i])[id] != sought->scalars[i])
            return false;

    struct attrs attrs = attrs_of(builder, sought->table);
    uint32_t newest = builder->counts[sought->table];
    uint32_t count = builder->counts[FG_TABLE_ATTRS + sought->table] - attrs.begin[newest];
    if (attrs.begin[id + 1] - attrs.begin[id] != count)
        return false;
    for (uint32_t i = attrs.begin[id]; i < attrs.begin[id + 1]; i++) {
        uint32_t at;
        if (!fg_owner_find(builder, sought->table, attrs.key[i], &at) ||
            attrs.type[at] != attrs.type[i] || attrs.value[at] != attrs.value[i])
            return false;
    }
    return true;
}

/* The string id of service.name where it is a text. */
static uint32_t find_service(const struct fg_builder *builder)
{
    uint32_t key, at;
    if (fg_strings_find(&builder->strings, FG_SLICE("service.name"), &key) < 0 ||
        !fg_owner_find(builder, FG_TABLE_RESOURCE, key, &at))
        return 0;
    struct attrs attrs = attrs_of(builder, FG_TABLE_RESOURCE);
    return attrs.type[at] == FG_VALUE_STRING ? (uint32_t)attrs.value[at] : 0;
}

int fg_shared_end(struct fg_builder *builder, enum fg_table table, const uint32_t *scalars,
                  uint32_t *ret_id)
{
    int r = fg_rows_reserve(builder, table, 1);
    if (r < 0)
        return r;
    int scalar_count;
    const enum fg_column *columns = fg_shared_columns(table, &scalar_count);
    struct sought sought = {.builder = builder, .table = table, .scalars = scalars};
    uint64_t hash = hash_newest(builder, table, scalars, scalar_count);
    uint32_t newest = builder->counts[table], id;
    r = fg_idmap_intern(&builder->shared[table], hash, is_same, &sought, newest, &id);
    if (r < 0)
        return r;
    *ret_id = id;
    if (id != newest) {
        fg_rows_cut(builder, FG_TABLE_ATTRS + table, fg_owner_attrs_begin(builder, table));
        builder->shared_truncated[table][id] |= builder->is_truncated;
        return 0;
    }
    for (int i = 0; i < scalar_count; i++)
        fg_col32(builder, columns[i])[id] = scalars[i];
    if (table == FG_TABLE_RESOURCE)
        fg_col32(builder, FG_COL_RESOURCE_SERVICE)[id] = find_service(builder);
    builder->shared_truncated[table][id] = builder->is_truncated;
    fg_owner_end(builder, table);
    return 0;
}
