/* What a frozen batch must be so that nobody after this looks again: every id below its count,
 * every begin column rising from 0 to its children's count, every value as its type says, no key
 * twice in one owner, no string twice, each service that of its resource. What it does not say is
 * whether texts are UTF-8. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "block_layout.h"

int fg_block_check_header(struct fg_slice payload, struct fg_block_header *ret_header,
                          struct fg_block_layout *ret_layout)
{
    const uint8_t *at = payload.data;
    if (payload.size < 8 || fg_load_le32(at) != FG_BLOCK_MAGIC)
        return FG_ECORRUPT;
    if (fg_load_le16(at + 4) != FG_BLOCK_VERSION)
        return fg_load_le16(at + 4) > FG_BLOCK_VERSION ? FG_EUNSUPPORTED : FG_ECORRUPT;
    if (payload.size < FG_BLOCK_HEADER_SIZE || fg_load_le16(at + 6) != 0)
        return FG_ECORRUPT;
    struct fg_block_header header = {.size_bytes = fg_load_le64(at + 8),
                                     .columns = fg_load_le64(at + 16),
                                     .string_count = fg_load_le32(at + 64),
                                     .string_bytes = fg_load_le32(at + 68)};
    for (int i = 0; i < FG_TABLE_COUNT; i++)
        header.counts[i] = fg_load_le32(at + 24 + 4 * i);
    if (header.columns >> FG_COL_COUNT || header.string_count == 0)
        return FG_ECORRUPT;
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        bool is_present = header.columns & fg_column_bit(i);
        bool has_rows = header.counts[def->kind == FG_COLUMN_BEGIN ? def->child : def->table] != 0;
        if (is_present ? !has_rows : has_rows && !def->is_rare)
            return FG_ECORRUPT;
    }
    fg_block_layout(&header, ret_layout);
    if (header.size_bytes != payload.size || ret_layout->size_bytes != payload.size)
        return FG_ECORRUPT;
    *ret_header = header;
    return 0;
}

/* The columns' sizes fill the payload, so that all counts are below 2^32 of something that is
 * there. */
struct check {
    const uint8_t *payload;
    const struct fg_block_header *header;
    const struct fg_block_layout *layout;
};

static const void *column(const struct check *check, uint32_t i)
{
    return check->payload + check->layout->columns[i];
}

static bool all_below(const uint32_t *ids, uint32_t count, uint32_t bound)
{
    uint32_t greatest = 0;
    for (uint32_t i = 0; i < count; i++)
        greatest = ids[i] > greatest ? ids[i] : greatest;
    return count == 0 || greatest < bound;
}

static bool all_bytes_below(const uint8_t *bytes, uint32_t count, uint8_t bound)
{
    uint8_t greatest = 0;
    for (uint32_t i = 0; i < count; i++)
        greatest = bytes[i] > greatest ? bytes[i] : greatest;
    return greatest < bound;
}

static bool rises(const uint32_t *begin, uint32_t count, uint32_t child_count)
{
    bool falls = false;
    for (uint32_t i = 0; i < count; i++)
        falls |= begin[i] > begin[i + 1];
    return !falls && begin[0] == 0 && begin[count] == child_count;
}

static bool values_fit(const uint8_t *types, const uint64_t *values, uint32_t count,
                       uint32_t string_count)
{
    bool is_wrong = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bound = UINT64_MAX;
        if (fg_value_type_is_bytes(types[i]))
            bound = string_count - 1;
        else if (types[i] == FG_VALUE_BOOL)
            bound = 1;
        else if (types[i] == FG_VALUE_EMPTY)
            bound = 0;
        is_wrong |= values[i] > bound;
    }
    return !is_wrong;
}

static bool column_is_good(const struct check *check, uint32_t i)
{
    const struct fg_column_def *def = &fg_column_defs[i];
    const struct fg_block_header *header = check->header;
    uint32_t count = header->counts[def->table];
    const void *elements = column(check, i);
    switch ((enum fg_column_kind)def->kind) {
    case FG_COLUMN_PLAIN:
        return true;
    case FG_COLUMN_STRING:
        return all_below(elements, count, header->string_count);
    case FG_COLUMN_RESOURCE:
        return all_below(elements, count, header->counts[FG_TABLE_RESOURCE]);
    case FG_COLUMN_SCOPE:
        return all_below(elements, count, header->counts[FG_TABLE_SCOPE]);
    case FG_COLUMN_STATUS:
        return all_bytes_below(elements, count, FG_STATUS_ERROR + 1);
    case FG_COLUMN_TYPE:
        return all_bytes_below(elements, count, FG_VALUE_TYPE_COUNT);
    case FG_COLUMN_VALUE: /* its type's column stands before it, and was good */
        return values_fit(column(check, i - 1), elements, count, header->string_count);
    case FG_COLUMN_BEGIN:
        return rises(elements, count, header->counts[def->child]);
    }
    return false;
}

static const uint32_t *string_ends(const struct check *check)
{
    return (const uint32_t *)(const void *)(check->payload + check->layout->string_ends);
}

static bool strings_are_good(const struct check *check)
{
    const struct fg_block_header *header = check->header;
    const uint32_t *ends = string_ends(check);
    bool falls = false;
    for (uint32_t i = 1; i < header->string_count; i++)
        falls |= ends[i - 1] > ends[i];
    return !falls && ends[0] == 0 && ends[header->string_count - 1] == header->string_bytes;
}

static struct fg_slice string(const struct check *check, uint32_t id)
{
    const uint32_t *ends = string_ends(check);
    uint32_t begin = id ? ends[id - 1] : 0;
    return fg_slice(check->payload + check->layout->string_bytes + begin, ends[id] - begin);
}

struct sought {
    const struct check *check;
    struct fg_slice bytes;
};

static bool is_same(const void *context, uint32_t id)
{
    const struct sought *sought = context;
    return fg_slice_equal(string(sought->check, id), sought->bytes);
}

/* Keys that differ as ids but not as bytes would be one key twice. */
static int check_strings_once(const struct check *check)
{
    struct fg_idmap map;
    fg_idmap_init(&map);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < check->header->string_count; i++) {
        struct sought sought = {.check = check, .bytes = string(check, i)};
        uint32_t id;
        r = fg_idmap_intern(&map, fg_hash(sought.bytes), is_same, &sought, i, &id);
        if (r == 0 && id != i)
            r = FG_ECORRUPT;
    }
    fg_idmap_free(&map);
    return r;
}

static bool services_are_good(const struct check *check)
{
    const enum fg_table table = FG_TABLE_RESOURCE;
    uint32_t count = check->header->counts[table];
    bool has_attrs = check->header->counts[FG_TABLE_ATTRS + table] != 0;
    const uint32_t *services = column(check, FG_COL_RESOURCE_SERVICE);
    const uint32_t *begin = column(check, fg_attr_column(table, FG_ATTR_BEGIN));
    const uint32_t *keys = column(check, fg_attr_column(table, FG_ATTR_KEY));
    const uint8_t *types = column(check, fg_attr_column(table, FG_ATTR_TYPE));
    const uint64_t *values = column(check, fg_attr_column(table, FG_ATTR_VALUE));
    for (uint32_t owner = 0; owner < count; owner++) {
        uint64_t service = 0;
        for (uint32_t i = has_attrs ? begin[owner] : 0; has_attrs && i < begin[owner + 1]; i++)
            if (types[i] == FG_VALUE_STRING &&
                fg_slice_equal(string(check, keys[i]), FG_SLICE("service.name")))
                service = values[i];
        if (services[owner] != service)
            return false;
    }
    return true;
}

/* seen[key]: the last owner that had it, as a number that no owner of an earlier kind had. */
static bool keys_are_unique(const struct check *check, uint32_t table, uint64_t number,
                            uint64_t *seen)
{
    const uint32_t *begin = column(check, fg_attr_column(table, FG_ATTR_BEGIN));
    const uint32_t *keys = column(check, fg_attr_column(table, FG_ATTR_KEY));
    bool is_twice = false;
    for (uint32_t owner = 0; owner < check->header->counts[table]; owner++) {
        number++;
        for (uint32_t i = begin[owner]; i < begin[owner + 1]; i++) {
            is_twice |= seen[keys[i]] == number;
            seen[keys[i]] = number;
        }
    }
    return !is_twice;
}

/* One form for one content: what fills up is zero. */
static bool padding_is_zero(const struct check *check)
{
    uint8_t bits = 0;
    const struct fg_block_header *header = check->header;
    for (uint32_t i = 0; i <= FG_COL_COUNT + 1; i++) {
        uint64_t at, size;
        if (i < FG_COL_COUNT) {
            const struct fg_column_def *def = &fg_column_defs[i];
            at = check->layout->columns[i];
            size = at ? fg_column_length(def, header->counts[def->table]) * def->size : 0;
        } else if (i == FG_COL_COUNT) {
            at = check->layout->string_ends;
            size = header->string_count * sizeof(uint32_t);
        } else {
            at = check->layout->string_bytes;
            size = header->string_bytes;
        }
        for (; size % 8; size++)
            bits |= check->payload[at + size];
    }
    return bits == 0;
}

int fg_block_check_content(const uint8_t *payload, const struct fg_block_header *header,
                           const struct fg_block_layout *layout, uint64_t *scratch)
{
    struct check check = {.payload = payload, .header = header, .layout = layout};
    if (!strings_are_good(&check) || !padding_is_zero(&check))
        return FG_ECORRUPT;
    for (uint32_t i = 0; i < FG_COL_COUNT; i++)
        if (layout->columns[i] && !column_is_good(&check, i))
            return FG_ECORRUPT;
    memset(scratch, 0, header->string_count * sizeof *scratch);
    uint64_t number = 0;
    for (uint32_t table = 0; table < FG_TABLE_OWNER_COUNT; table++) {
        if (header->counts[FG_TABLE_ATTRS + table] &&
            !keys_are_unique(&check, table, number, scratch))
            return FG_ECORRUPT;
        number += header->counts[table];
    }
    return services_are_good(&check) ? check_strings_once(&check) : FG_ECORRUPT;
}
