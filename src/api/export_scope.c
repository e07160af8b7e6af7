#include "export_scope.h"

#include <stddef.h>

#define SCOPE  "filigree.export"
#define PREFIX SCOPE "."

enum fact_type { FACT_NUMBER, FACT_TEXT };

/* What attributes tell, and where it goes in the note. */
struct fact {
    const char *key;
    enum fact_type type;
    size_t offset;
};

#define NUMBER(key, member)                                                                        \
    {                                                                                              \
        key, FACT_NUMBER, offsetof(struct fg_instance_note, member)                                \
    }
#define TEXT(key, member)                                                                          \
    {                                                                                              \
        key, FACT_TEXT, offsetof(struct fg_instance_note, member)                                  \
    }

static const struct fact resource_facts[] = {
    TEXT("service.name", service),
    TEXT("service.namespace", space),
    TEXT("service.instance.id", instance),
    TEXT("host.name", host),
    NUMBER("process.pid", pid),
};

static const struct fact scope_facts[] = {
    NUMBER(PREFIX "sequence", sequence),
    NUMBER(PREFIX "started_ns", started_ns),
    NUMBER(PREFIX "alive_ns", alive_ns),
    NUMBER(PREFIX "heartbeat_ns", heartbeat_ns),
    NUMBER(PREFIX "dropped_full", dropped_full),
    NUMBER(PREFIX "dropped_refused", dropped_refused),
    TEXT(PREFIX "ended", ended),
    TEXT(PREFIX "recovered", ended),
};

/* Whether the key is one of these facts; one of the wrong type is passed over. */
static bool take(const struct fact *facts, size_t count, struct fg_instance_note *note,
                 struct fg_slice key, const struct fg_value *value)
{
    for (size_t i = 0; i < count; i++) {
        if (!fg_slice_equal(key, fg_slice_from_string(facts[i].key)))
            continue;
        void *to = (char *)note + facts[i].offset;
        if (facts[i].type == FACT_NUMBER && value->type == FG_VALUE_INT && value->bits <= INT64_MAX)
            memcpy(to, &value->bits, sizeof value->bits);
        if (facts[i].type == FACT_TEXT && value->type == FG_VALUE_STRING)
            fg_instance_text_set(to, value->bytes);
        return true;
    }
    return false;
}

void fg_export_scope_resource(struct fg_intake *intake, struct fg_slice key,
                              const struct fg_value *value)
{
    (void)take(resource_facts, sizeof resource_facts / sizeof *resource_facts, &intake->sender, key,
               value);
}

void fg_export_scope_begin(struct fg_intake *intake, struct fg_slice name)
{
    intake->is_export_scope = intake->rules.notes && fg_slice_equal(name, FG_SLICE(SCOPE));
    if (intake->is_export_scope)
        intake->note = intake->sender;
}

bool fg_export_scope_take(struct fg_intake *intake, struct fg_slice key,
                          const struct fg_value *value)
{
    if (!intake->is_export_scope ||
        !take(scope_facts, sizeof scope_facts / sizeof *scope_facts, &intake->note, key, value))
        return false;
    if (fg_slice_equal(key, FG_SLICE(PREFIX "recovered")))
        intake->note.is_recovered = true;
    return true;
}

void fg_export_scope_end(struct fg_intake *intake)
{
    struct fg_intake_notes *notes = intake->rules.notes;
    if (!intake->is_export_scope)
        return;
    intake->is_export_scope = false;
    /* Without a number, or a name, it is nobody's. */
    if (intake->note.sequence == 0 || intake->note.instance.size == 0)
        return;
    if (notes->count == FG_INTAKE_NOTES_MAX) {
        notes->dropped++;
        return;
    }
    struct fg_intake_note *note = fg_arena_alloc(notes->arena, sizeof *note);
    if (!note) {
        notes->arena->overflow = false; /* a request without its note is a request all the same */
        notes->dropped++;
        return;
    }
    note->note = intake->note;
    note->next = NULL;
    *(notes->last ? &notes->last->next : &notes->first) = note;
    notes->last = note;
    notes->count++;
}

void fg_intake_notes_apply(struct fg_intake_notes *notes, struct fg_instances *instances,
                           uint32_t tenant, uint64_t now_ns)
{
    for (struct fg_intake_note *note = notes->first; note; note = note->next) {
        note->note.tenant = tenant;
        fg_instances_note(instances, &note->note, now_ns);
    }
}
