/* Incidents from before Filigree, as a table in CSV (RFC 4180: fields in quotes may hold commas,
 * line ends and doubled quotes; the first line names the columns, in any order).
 *
 *     opened,resolved,place,cause,orders,note
 *     2026-09-02T08:10:00Z,2026-09-02T12:40:00Z,database/mes-db,connection_limit,41,restarted by
 * hand
 *
 * place is a kind and a service, or a service alone; cause one of the codes or any words; orders a
 * number, or order numbers with blanks or semicolons between them. */
#include "incidents_internal.h"

#include "base/hash.h"
#include "base/units.h"
#include "base/utf8.h"

#include <stdlib.h>

#define FIELDS_MAX      16u
#define ERRORS_TOLD_MAX 20u

enum column { OPENED, RESOLVED, PLACE, CAUSE, ORDERS, NOTE, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {"opened", "resolved", "place",
                                                       "cause",  "orders",   "note"};

struct table {
    struct fg_slice left;
    uint32_t line;     /* of what is read next, from 1 */
    uint32_t row_line; /* where the row that was read began */
    uint8_t *scratch;  /* the row's fields that stood in quotes, as long as all of the text */
    size_t scratch_used;
    struct fg_slice fields[FIELDS_MAX];
    uint32_t field_count;
    const char *trouble; /* of the row; NULL: none */
};

struct reading {
    struct fg_incidents *incidents;
    struct fg_buffer *errors;
    uint32_t error_count;
    int columns[COLUMN_COUNT]; /* index of the field; -1: not there */
    uint32_t field_count;
    struct fg_idmap
        known; /* hashes of imported ones that were there, or came before in the table */
    uint32_t taken, repeated;
};

/* -- Rows */

/* A field in quotes; table->left is behind the opening one. */
static struct fg_slice read_quoted(struct table *table)
{
    uint8_t *text = table->scratch + table->scratch_used;
    size_t size = 0, at = 0;
    const uint8_t *data = table->left.data;
    bool is_closed = false;
    for (; at < table->left.size && !is_closed; at++) {
        if (data[at] != '"') {
            table->line += data[at] == '\n';
            text[size++] = data[at];
        } else if (at + 1 < table->left.size && data[at + 1] == '"') {
            text[size++] = data[at++];
        } else {
            is_closed = true;
        }
    }
    if (!is_closed)
        table->trouble = "a quote is not closed";
    table->scratch_used += size;
    table->left = fg_slice(data + at, table->left.size - at);
    return fg_slice(text, size);
}

static struct fg_slice read_plain(struct table *table)
{
    const uint8_t *data = table->left.data;
    size_t size = 0;
    while (size < table->left.size && data[size] != ',' && data[size] != '\n' && data[size] != '\r')
        size++;
    table->left = fg_slice(data + size, table->left.size - size);
    return fg_slice(data, size);
}

static struct fg_slice trim(struct fg_slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = fg_slice(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool skip(struct table *table, uint8_t mark)
{
    if (table->left.size == 0 || table->left.data[0] != mark)
        return false;
    table->left = fg_slice(table->left.data + 1, table->left.size - 1);
    return true;
}

static void end_line(struct table *table)
{
    while (table->left.size > 0 && table->left.data[0] != '\n')
        table->left = fg_slice(table->left.data + 1, table->left.size - 1);
    skip(table, '\n');
    table->line++;
}

/* The next row that is not blank; false at the end. */
static bool read_row(struct table *table)
{
    do {
        table->field_count = 0;
        table->scratch_used = 0;
        table->trouble = NULL;
        table->row_line = table->line;
        if (table->left.size == 0)
            return false;
        do {
            struct fg_slice field = skip(table, '"') ? read_quoted(table) : read_plain(table);
            if (table->field_count < FIELDS_MAX)
                table->fields[table->field_count++] = trim(field);
        } while (skip(table, ','));
        skip(table, '\r');
        if (table->left.size > 0 && table->left.data[0] != '\n' && !table->trouble)
            table->trouble = "something stands between a closing quote and the comma";
        end_line(table);
    } while (table->field_count == 1 && table->fields[0].size == 0 && !table->trouble);
    return true;
}

/* -- What a row says */

static void complain(struct reading *reading, uint32_t line, const char *what,
                     struct fg_slice found)
{
    if (++reading->error_count > ERRORS_TOLD_MAX)
        return;
    struct fg_slice shown = fg_utf8_cut(found, 60);
    fg_buffer_append_format(reading->errors, "line %u: %s", line, what);
    if (found.size > 0)
        fg_buffer_append_format(reading->errors, ": \"%.*s\"", (int)shown.size,
                                (const char *)shown.data);
    fg_buffer_append_byte(reading->errors, '\n');
}

static void read_head(struct reading *reading, const struct table *table)
{
    for (int c = 0; c < COLUMN_COUNT; c++)
        reading->columns[c] = -1;
    for (uint32_t i = 0; i < table->field_count; i++) {
        int c = 0;
        while (c < COLUMN_COUNT &&
               !fg_slice_equal(table->fields[i], fg_slice_from_string(column_names[c])))
            c++;
        if (c == COLUMN_COUNT && table->field_count == 1 &&
            memchr(table->fields[i].data, ';', table->fields[i].size)) {
            complain(reading, table->row_line, "expected commas between the columns",
                     table->fields[i]);
            reading->field_count = table->field_count;
            return;
        }
        if (c == COLUMN_COUNT)
            complain(reading, table->row_line,
                     "there is no such column; expected opened, resolved, place, cause, orders, "
                     "note",
                     table->fields[i]);
        else if (reading->columns[c] >= 0)
            complain(reading, table->row_line, "the column stands twice", table->fields[i]);
        else
            reading->columns[c] = (int)i;
    }
    for (int c = OPENED; c <= PLACE; c++)
        if (reading->columns[c] < 0)
            complain(reading, table->row_line, "the column is missing",
                     fg_slice_from_string(column_names[c]));
    reading->field_count = table->field_count;
}

static struct fg_slice field_of(const struct reading *reading, const struct table *table,
                                enum column column)
{
    return reading->columns[column] < 0 ? (struct fg_slice){0}
                                        : table->fields[reading->columns[column]];
}

static void read_place(struct fg_slice text, struct fg_place *ret_place)
{
    struct fg_place place = {.kind = FG_PLACE_UNKNOWN, .service = text};
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    size_t size = slash ? (size_t)(slash - text.data) : 0;
    for (unsigned i = FG_PLACE_NONE + 1; slash && i < FG_PLACE_KIND_COUNT; i++) {
        struct fg_slice kind = fg_slice_from_string(fg_place_kind_name((enum fg_place_kind)i));
        if (fg_slice_equal(fg_slice(text.data, size), kind)) {
            place.kind = (enum fg_place_kind)i;
            place.service = fg_slice(slash + 1, text.size - size - 1);
        }
    }
    *ret_place = place;
}

static enum fg_cause read_cause(struct fg_slice text)
{
    for (unsigned i = FG_CAUSE_NONE + 1; i < FG_CAUSE_COUNT; i++)
        if (fg_slice_equal(text, fg_slice_from_string(fg_cause_name((enum fg_cause)i))))
            return (enum fg_cause)i;
    return FG_CAUSE_NONE;
}

/* A number of orders; false where the text is none. */
static bool read_number(struct fg_slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.size == 0 || text.size > 9)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool is_gap(uint8_t c)
{
    return c == ' ' || c == ';' || c == '\t' || c == '\n' || c == '\r';
}

static void list_orders(struct fg_incidents *incidents, struct fg_incident_record *record,
                        struct fg_slice text)
{
    size_t at = 0;
    while (at < text.size) {
        size_t begin = at;
        while (at < text.size && !is_gap(text.data[at]))
            at++;
        struct fg_journey_stopped stopped = {.value = fg_slice(text.data + begin, at - begin),
                                             .since_ns = record->is.opened_ns};
        uint64_t hash = fg_incident_order_hash(stopped.key, stopped.value);
        uint32_t number;
        if (stopped.value.size > 0 && stopped.value.size <= FG_JOURNEY_VALUE_SIZE_MAX &&
            fg_idmap_find(&record->listed, hash, NULL, NULL, &number) < 0) {
            record->is.order_count++;
            fg_incident_list_order(incidents, record, &stopped, hash);
        }
        at += at < text.size;
    }
}

struct row {
    uint64_t opened_ns, resolved_ns, order_count;
    struct fg_place place;
    struct fg_slice cause, orders, note;
};

static bool read_values(struct reading *reading, const struct table *table, struct row *row)
{
    uint32_t before = reading->error_count, line = table->row_line;
    struct fg_slice opened = field_of(reading, table, OPENED),
                    resolved = field_of(reading, table, RESOLVED),
                    place = field_of(reading, table, PLACE);
    row->cause = field_of(reading, table, CAUSE);
    row->orders = field_of(reading, table, ORDERS);
    row->note = field_of(reading, table, NOTE);
    if (table->trouble)
        complain(reading, line, table->trouble, (struct fg_slice){0});
    else if (table->field_count != reading->field_count)
        complain(reading, line, "it has not as many fields as the first line names columns",
                 (struct fg_slice){0});
    else if (fg_time_parse(opened, &row->opened_ns) < 0)
        complain(reading, line, "opened: expected a moment like 2026-09-02T08:10:00Z", opened);
    else if (fg_time_parse(resolved, &row->resolved_ns) < 0)
        complain(reading, line, "resolved: expected a moment like 2026-09-02T12:40:00Z", resolved);
    else if (row->resolved_ns < row->opened_ns)
        complain(reading, line, "it was resolved before it was opened", resolved);
    else if (row->resolved_ns > reading->incidents->now_ns)
        complain(reading, line, "resolved: that is not over yet", resolved);
    else if (place.size == 0)
        complain(reading, line,
                 "place: expected a service, or a kind and a service like "
                 "database/mes-db",
                 (struct fg_slice){0});
    else if (!fg_utf8_valid(place) || !fg_utf8_valid(row->cause) || !fg_utf8_valid(row->note) ||
             !fg_utf8_valid(row->orders))
        complain(reading, line, "it is no UTF-8", (struct fg_slice){0});
    else if (place.size > FG_INCIDENT_TEXT_SIZE_MAX ||
             row->cause.size > FG_INCIDENT_TEXT_SIZE_MAX ||
             row->note.size > FG_INCIDENT_TEXT_SIZE_MAX)
        complain(reading, line, "a text is longer than 2000 bytes", (struct fg_slice){0});
    read_place(place, &row->place);
    if (reading->error_count == before && row->place.service.size == 0)
        complain(reading, line, "place: the service is missing", place);
    return reading->error_count == before;
}

static uint64_t row_hash(uint64_t opened_ns, uint64_t resolved_ns, const struct fg_place *place,
                         struct fg_slice cause)
{
    return fg_hash_seeded(place->service, fg_hash_u64(opened_ns) ^ fg_hash_u64(resolved_ns + 1) ^
                                              fg_hash(cause) ^ (uint64_t)place->kind);
}

static int take_row(struct reading *reading, const struct row *row)
{
    struct fg_incidents *incidents = reading->incidents;
    struct fg_incident_record *record;
    uint32_t first;
    int r = fg_idmap_intern(&reading->known,
                            row_hash(row->opened_ns, row->resolved_ns, &row->place, row->cause),
                            NULL, NULL, reading->taken + 1, &first);
    if (r < 0)
        return r;
    if (first != reading->taken + 1) {
        reading->repeated++;
        return 0;
    }
    r = fg_incident_add(incidents, incidents->next_id, &record);
    if (r < 0)
        return r;
    reading->taken++;
    struct fg_incident *is = &record->is;
    record->is_dirty = true;
    is->is_imported = true;
    is->opened_ns = is->spell_ns = row->opened_ns;
    is->found_ns = incidents->now_ns;
    is->resolved_ns = row->resolved_ns;
    is->open_ns = row->resolved_ns - row->opened_ns;
    is->place.kind = row->place.kind;
    is->cause = read_cause(row->cause);
    record->group = fg_incident_group(&row->place, is->cause);
    if (!read_number(row->orders, &is->order_count))
        list_orders(incidents, record, row->orders);
    r = fg_incident_set(&is->place.service, row->place.service);
    if (r == 0)
        r = fg_incident_set(&is->text, row->cause);
    if (r == 0)
        r = fg_incident_tell(record, is->opened_ns, FG_INCIDENT_OPENED, FG_SLICE(""), row->cause);
    if (r == 0)
        r = fg_incident_tell(record, is->resolved_ns, FG_INCIDENT_RESOLVED, FG_SLICE(""),
                             row->note);
    return r;
}

/* -- All of it */

/* What was imported before is known by what it says. */
static int know_imported(struct reading *reading)
{
    const struct fg_incidents *incidents = reading->incidents;
    for (uint32_t i = 0; i < incidents->count; i++) {
        const struct fg_incident *is = &incidents->records[i]->is;
        uint32_t first;
        if (!is->is_imported)
            continue;
        int r = fg_idmap_intern(&reading->known,
                                row_hash(is->opened_ns, is->resolved_ns, &is->place, is->text),
                                NULL, NULL, 0, &first);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whether all rows are right; that nothing was taken is the caller's to see to. */
static int read_table(struct reading *reading, struct fg_slice csv, uint8_t *scratch,
                      bool is_taking)
{
    struct table table = {.left = csv, .line = 1, .scratch = scratch};
    uint32_t rows = 0;
    int r = 0;
    if (fg_slice_starts_with(csv, FG_SLICE("\xef\xbb\xbf"))) /* as spreadsheets write it */
        table.left = fg_slice(csv.data + 3, csv.size - 3);
    if (!read_row(&table)) {
        complain(reading, 1, "the table is empty; expected a line that names the columns",
                 (struct fg_slice){0});
        return FG_EINVALID;
    }
    read_head(reading, &table);
    if (reading->error_count > 0)
        return FG_EINVALID;
    while (r == 0 && read_row(&table)) {
        struct row row = {0};
        bool is_right = read_values(reading, &table, &row);
        if (is_right && is_taking)
            r = take_row(reading, &row);
        rows++;
    }
    if (rows == 0 && r == 0)
        complain(reading, table.line, "there is no line below the one that names the columns",
                 (struct fg_slice){0});
    if (r == 0 && reading->error_count > 0)
        r = FG_EINVALID;
    if (r == 0 && rows > FG_INCIDENTS_MAX - reading->incidents->count)
        r = FG_ELIMIT;
    return r;
}

/* Those that were not written, from the end: nobody has seen them. */
static void take_back(struct fg_incidents *incidents, uint64_t first_id)
{
    while (incidents->count > 0) {
        struct fg_incident_record *last = incidents->records[incidents->count - 1];
        if (last->is.id < first_id || !last->is_dirty)
            return;
        fg_incident_free(last);
        incidents->count--;
    }
}

int fg_incidents_import(struct fg_incidents *incidents, struct fg_slice csv,
                        struct fg_buffer *errors, uint32_t *ret_taken, uint32_t *ret_known)
{
    struct reading reading = {.incidents = incidents, .errors = errors};
    uint8_t *scratch = malloc(csv.size + 1);
    if (!scratch)
        return FG_ENOMEM;
    fg_idmap_init(&reading.known);
    fg_mutex_lock(&incidents->write_mutex);
    fg_mutex_lock(&incidents->mutex);
    incidents->now_ns = fg_env_wall_ns(incidents->options.env);
    uint64_t first_id = incidents->next_id;
    int r = know_imported(&reading);
    if (r == 0)
        r = read_table(&reading, csv, scratch, false); /* all right? then all of it */
    if (r == 0)
        r = read_table(&reading, csv, scratch, true);
    incidents->version++;
    fg_mutex_unlock(&incidents->mutex);
    if (r == 0)
        r = fg_incidents_write(incidents);
    if (r < 0) {
        fg_mutex_lock(&incidents->mutex);
        take_back(incidents, first_id);
        fg_mutex_unlock(&incidents->mutex);
    }
    fg_mutex_unlock(&incidents->write_mutex);
    if (reading.error_count > ERRORS_TOLD_MAX)
        fg_buffer_append_format(errors, "and %u more\n", reading.error_count - ERRORS_TOLD_MAX);
    fg_idmap_free(&reading.known);
    free(scratch);
    if (r == 0) {
        *ret_taken = reading.taken;
        *ret_known = reading.repeated;
    }
    return r;
}
