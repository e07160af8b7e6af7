#include "watch.h"

#include "base/hash.h"
#include "os/thread.h"

#include <stdlib.h>

/* Attributes of monitors' spans, and of the events by which they tell each finding. */
enum name {
    MONITOR_NAME,
    MONITOR_KIND,
    MONITOR_RESULT,
    MONITOR_HOLDS,
    ERROR_TYPE,
    ADDRESS,
    PORT,
    DB_SYSTEM,
    DB_NAMESPACE,
    MESSAGING_SYSTEM,
    DESTINATION,
    BUCKET,
    RPC_SERVICE,
    PROCESS_NAME,
    WATCHED_SERVICE,
    CODE,
    STANDING,
    TEXT,
    RESULT,
    NAME_COUNT,
};

static const char *const names[NAME_COUNT] = {
    [MONITOR_NAME] = "monitor.name",
    [MONITOR_KIND] = "monitor.kind",
    [MONITOR_RESULT] = "monitor.result",
    [MONITOR_HOLDS] = "monitor.holds_ms",
    [ERROR_TYPE] = "error.type",
    [ADDRESS] = "server.address",
    [PORT] = "server.port",
    [DB_SYSTEM] = "db.system.name",
    [DB_NAMESPACE] = "db.namespace",
    [MESSAGING_SYSTEM] = "messaging.system",
    [DESTINATION] = "messaging.destination.name",
    [BUCKET] = "aws.s3.bucket",
    [RPC_SERVICE] = "rpc.service",
    [PROCESS_NAME] = "process.executable.name",
    [WATCHED_SERVICE] = "peer.service",
    [CODE] = "finding.code",
    [STANDING] = "finding.standing",
    [TEXT] = "finding.text",
    [RESULT] = "finding.result",
};

#define HOLDS_MS_MAX UINT64_C(86400000)

struct component {
    enum fg_place_kind kind;
    struct fg_watch_text monitor, address, name, service;
    uint32_t port;
    uint64_t checked_ns;     /* the last check */
    uint64_t holds_ns;       /* for how long it says how the component is */
    uint64_t watched_ns;     /* since when it is looked at without a gap */
    bool is_bad, is_unknown; /* by the last check */
    struct fg_watch_sign signs[FG_WATCH_SIGNS_KEPT];
    uint32_t sign_count, sign_next;
};

struct use {
    struct fg_watch_text address, name, answers;
    enum fg_place_kind kind;
    uint32_t port;
};

struct service {
    struct fg_watch_text name;
    struct use uses[FG_WATCH_USES_MAX];
    uint32_t use_count, use_next;
};

struct fg_watch {
    struct fg_mutex mutex; /* guards all of it */
    struct component **components;
    uint32_t component_count;
    struct service **services;
    uint32_t service_count;
};

int fg_watch_new(struct fg_watch **ret_watch)
{
    struct fg_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return FG_ENOMEM;
    watch->components = calloc(FG_WATCH_COMPONENTS_MAX, sizeof(struct component *));
    watch->services = calloc(FG_WATCH_SERVICES_MAX, sizeof(struct service *));
    if (!watch->components || !watch->services) {
        free(watch->components);
        free(watch->services);
        free(watch);
        return FG_ENOMEM;
    }
    fg_mutex_init(&watch->mutex, FG_RANK_LEAF);
    *ret_watch = watch;
    return 0;
}

void fg_watch_free(struct fg_watch *watch)
{
    if (!watch)
        return;
    for (uint32_t i = 0; i < watch->component_count; i++)
        free(watch->components[i]);
    for (uint32_t i = 0; i < watch->service_count; i++)
        free(watch->services[i]);
    fg_mutex_destroy(&watch->mutex);
    free(watch->components);
    free(watch->services);
    free(watch);
}

/* -- Texts */

static void set_text(struct fg_watch_text *text, struct fg_slice value)
{
    text->size = (uint16_t)(value.size < sizeof text->bytes ? value.size : sizeof text->bytes);
    if (text->size > 0)
        memcpy(text->bytes, value.data, text->size);
}

static bool is_text(const struct fg_watch_text *text, struct fg_slice value)
{
    return fg_slice_equal(fg_watch_slice(text), value);
}

static bool is_loopback(struct fg_slice address)
{
    return fg_slice_equal(address, FG_SLICE("127.0.0.1")) ||
           fg_slice_equal(address, FG_SLICE("localhost")) ||
           fg_slice_equal(address, FG_SLICE("::1"));
}

static bool is_address(struct fg_slice a, struct fg_slice b)
{
    return fg_slice_equal(a, b) || (is_loopback(a) && is_loopback(b));
}

/* -- Reading a check */

struct check {
    struct fg_slice texts[NAME_COUNT];
    uint64_t numbers[NAME_COUNT];
};

static void read_attrs(const struct fg_batch *batch, const struct fg_attrs *attrs, uint32_t owner,
                       struct check *check)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        for (unsigned n = 0; n < NAME_COUNT; n++) {
            if (!fg_slice_equal(batch->strings[attrs->key[i]], fg_slice_from_string(names[n])))
                continue;
            if (attrs->type[i] == FG_VALUE_STRING)
                check->texts[n] = batch->strings[attrs->value[i]];
            else
                check->numbers[n] = attrs->value[i];
        }
}

static enum fg_place_kind kind_of(const struct check *check)
{
    struct fg_slice kind = check->texts[MONITOR_KIND];
    if (check->texts[DB_SYSTEM].size > 0)
        return FG_PLACE_DATABASE;
    if (check->texts[MESSAGING_SYSTEM].size > 0)
        return FG_PLACE_BROKER;
    if (check->texts[BUCKET].size > 0 || fg_slice_equal(kind, FG_SLICE("s3")) ||
        fg_slice_equal(check->texts[RPC_SERVICE], FG_SLICE("S3")))
        return FG_PLACE_OBJECT_STORE;
    return fg_slice_equal(kind, FG_SLICE("process")) ? FG_PLACE_PROCESS : FG_PLACE_APPLICATION;
}

static struct fg_slice name_of(const struct check *check, enum fg_place_kind kind)
{
    switch (kind) {
    case FG_PLACE_DATABASE:
        return check->texts[DB_NAMESPACE];
    case FG_PLACE_BROKER:
        return check->texts[DESTINATION];
    case FG_PLACE_OBJECT_STORE:
        return check->texts[BUCKET];
    case FG_PLACE_PROCESS:
        return check->texts[PROCESS_NAME];
    default:
        return (struct fg_slice){0};
    }
}

/* What a finding's code says. NONE: nothing that stops an order. */
static enum fg_cause cause_of(struct fg_slice code)
{
    static const struct {
        const char *code;
        enum fg_cause cause;
    } causes[] = {
        {"connection_limit", FG_CAUSE_CONNECTION_LIMIT},
        {"slow_query", FG_CAUSE_SLOW_QUERY},
        {"lock_wait", FG_CAUSE_LOCK_WAIT},
        {"replica_missing", FG_CAUSE_REPLICA_MISSING},
        {"replica_lag", FG_CAUSE_REPLICA_LAG},
        {"out_of_space", FG_CAUSE_OUT_OF_SPACE},
        {"slow", FG_CAUSE_SLOW},
        {"full", FG_CAUSE_FULL},
        {"alarm_memory", FG_CAUSE_FULL},
        {"alarm_disk", FG_CAUSE_FULL},
        {"memory_alarm", FG_CAUSE_FULL},
        {"disk_alarm", FG_CAUSE_FULL},
        {"alarm", FG_CAUSE_FULL},
        {"gone", FG_CAUSE_GONE},
        {"no_consumers", FG_CAUSE_GONE},
        {"no_consumer", FG_CAUSE_GONE},
        {"falling_behind", FG_CAUSE_FALLING_BEHIND},
        {"wrong_route", FG_CAUSE_WRONG_ROUTE},
        {"binding_missing", FG_CAUSE_WRONG_ROUTE},
        {"died", FG_CAUSE_DIED},
        {"hung", FG_CAUSE_HUNG},
    };
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (fg_slice_equal(code, fg_slice_from_string(causes[i].code)))
            return causes[i].cause;
    return FG_CAUSE_NONE;
}

/* A check that can't see, since nothing answers it: not down for sure, but why somebody else gets
 * no answer either. */
static bool is_no_answer(struct fg_slice code)
{
    return fg_slice_equal(code, FG_SLICE("no_answer")) ||
           fg_slice_equal(code, FG_SLICE("connect_timeout")) ||
           fg_slice_equal(code, FG_SLICE("unreachable"));
}

/* -- Components */

static struct component *component_of(struct fg_watch *watch, const struct check *check)
{
    enum fg_place_kind kind = kind_of(check);
    struct fg_slice monitor = check->texts[MONITOR_NAME];
    for (uint32_t i = 0; i < watch->component_count; i++)
        if (is_text(&watch->components[i]->monitor, monitor))
            return watch->components[i];
    if (monitor.size == 0 || watch->component_count == FG_WATCH_COMPONENTS_MAX)
        return NULL;
    struct component *component = calloc(1, sizeof *component);
    if (!component)
        return NULL;
    component->kind = kind;
    set_text(&component->monitor, monitor);
    watch->components[watch->component_count++] = component;
    return component;
}

/* The sign that stands for this cause, of a broker's queue of this name; a new one where there is
 * none. */
static struct fg_watch_sign *sign_of(struct component *component, enum fg_cause cause,
                                     struct fg_slice name, uint64_t print, uint64_t at_ns)
{
    for (uint32_t i = 0; i < component->sign_count; i++) {
        struct fg_watch_sign *sign = &component->signs[i];
        if (sign->cause == cause && sign->until_ns == 0 && at_ns <= sign->last_ns + FG_WATCH_GAP_NS)
            return sign;
    }
    struct fg_watch_sign *sign = &component->signs[component->sign_next];
    component->sign_next = (component->sign_next + 1) % FG_WATCH_SIGNS_KEPT;
    component->sign_count += component->sign_count < FG_WATCH_SIGNS_KEPT;
    *sign = (struct fg_watch_sign){.cause = cause,
                                   .kind = component->kind,
                                   .print = print,
                                   .from_ns = at_ns,
                                   .monitor = component->monitor,
                                   .address = component->address,
                                   .port = component->port};
    set_text(&sign->name, name);
    return sign;
}

/* Findings of a broker's queues are told apart by their words: all but the numbers. */
static uint64_t print_of(enum fg_place_kind kind, struct fg_slice text)
{
    uint64_t print = 0;
    for (size_t i = 0; kind == FG_PLACE_BROKER && i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            print = fg_hash_u64(print ^ text.data[i]);
    return print;
}

static void note_sign(struct component *component, const struct fg_batch *batch, uint32_t row,
                      const struct check *finding, struct fg_slice code)
{
    uint64_t at_ns = batch->start_ns[row];
    bool is_down = fg_slice_equal(finding->texts[RESULT], FG_SLICE("down"));
    enum fg_cause cause = component->is_unknown ? FG_CAUSE_NONE : cause_of(code);
    if (component->is_unknown && is_no_answer(code))
        cause = FG_CAUSE_UNREACHABLE;
    if (cause == FG_CAUSE_NONE && is_down)
        cause = component->kind == FG_PLACE_PROCESS ? FG_CAUSE_DIED : FG_CAUSE_UNREACHABLE;
    if (cause == FG_CAUSE_NONE)
        return;
    struct fg_slice text = finding->texts[TEXT], name = finding->texts[DESTINATION];
    if (name.size == 0)
        name = fg_watch_slice(&component->name);
    if (name.size > FG_WATCH_NAME_SIZE_MAX)
        name.size = FG_WATCH_NAME_SIZE_MAX;
    struct fg_watch_sign *sign =
        sign_of(component, cause, name, print_of(component->kind, text), at_ns);
    /* of two findings of one code in one check the worse one counts */
    bool is_again = sign->last_ns == at_ns;
    sign->is_standing = finding->numbers[STANDING] != 0 && (!is_again || sign->is_standing);
    sign->is_unsure = component->is_unknown;
    sign->is_down = is_down || (is_again && sign->is_down);
    sign->last_ns = at_ns;
    sign->holds_ns = component->holds_ns;
    sign->trace_id_high = batch->trace_id_high[row];
    sign->trace_id_low = batch->trace_id_low[row];
    sign->span_id = batch->span_id[row];
    sign->text_size = (uint16_t)(text.size < sizeof sign->text ? text.size : sizeof sign->text);
    if (sign->text_size > 0)
        memcpy(sign->text, text.data, sign->text_size);
}

static void note_signs(struct component *component, const struct fg_batch *batch, uint32_t row,
                       const struct check *check)
{
    uint32_t found = 0;
    for (uint32_t i = batch->event_count ? batch->event_begin[row] : 0;
         batch->event_count && i < batch->event_begin[row + 1]; i++) {
        struct check finding = {0};
        read_attrs(batch, &batch->event_attrs, i, &finding);
        if (finding.texts[CODE].size == 0)
            continue;
        note_sign(component, batch, row, &finding, finding.texts[CODE]);
        found++;
    }
    if (found == 0 && check->texts[ERROR_TYPE].size > 0) {
        struct check finding = {.texts[RESULT] = check->texts[MONITOR_RESULT],
                                .texts[TEXT] =
                                    batch->strings[fg_column_u32(batch->status_message, row)]};
        note_sign(component, batch, row, &finding, check->texts[ERROR_TYPE]);
    }
}

static void take_check(struct fg_watch *watch, const struct fg_batch *batch, uint32_t row)
{
    struct check check = {0};
    uint64_t at_ns = batch->start_ns[row];
    read_attrs(batch, &batch->span_attrs, row, &check);
    struct component *component = component_of(watch, &check);
    if (!component || at_ns < component->checked_ns)
        return; /* one that comes late changes nothing of what is known since */
    component->kind = kind_of(&check);
    component->port = (uint32_t)check.numbers[PORT];
    set_text(&component->address, check.texts[ADDRESS]);
    set_text(&component->name, name_of(&check, component->kind));
    set_text(&component->service, check.texts[WATCHED_SERVICE]);
    if (component->checked_ns == 0 || at_ns > component->checked_ns + component->holds_ns)
        component->watched_ns = at_ns;
    component->holds_ns =
        check.numbers[MONITOR_HOLDS] > 0 && check.numbers[MONITOR_HOLDS] < HOLDS_MS_MAX
            ? check.numbers[MONITOR_HOLDS] * UINT64_C(1000000)
            : FG_WATCH_GAP_NS;
    component->checked_ns = at_ns;
    component->is_unknown = fg_slice_equal(check.texts[MONITOR_RESULT], FG_SLICE("unknown"));
    component->is_bad =
        !component->is_unknown && !fg_slice_equal(check.texts[MONITOR_RESULT], FG_SLICE("ok"));
    if (component->is_bad || component->is_unknown) /* one bad look alone is not believed */
        note_signs(component, batch, row, &check);
    /* A check that could not see says nothing of what was wrong before. */
    for (uint32_t i = 0; !component->is_unknown && i < component->sign_count; i++) {
        struct fg_watch_sign *sign = &component->signs[i];
        if (sign->until_ns == 0 && sign->last_ns < at_ns)
            sign->until_ns =
                at_ns <= sign->last_ns + sign->holds_ns ? at_ns : sign->last_ns + sign->holds_ns;
    }
}

struct check_row {
    uint64_t at_ns;
    uint32_t row;
};

static int compare_rows(const void *a, const void *b)
{
    const struct check_row *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static bool is_monitors(const struct fg_batch *batch, uint32_t resource)
{
    return fg_slice_equal(batch->strings[batch->resource_service[resource]],
                          FG_SLICE(FG_MONITOR_SERVICE));
}

void fg_watch_add(struct fg_watch *watch, const struct fg_batch *batch, uint32_t row_begin,
                  uint32_t row_end, const uint64_t *bits)
{
    bool any = false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->resource_count; i++)
        any |= is_monitors(batch, i);
    if (!any)
        return;
    struct check_row *rows = malloc(((size_t)(row_end - row_begin) + 1) * sizeof *rows);
    if (!rows)
        return; /* the next check tells the same */
    for (uint32_t row = row_begin; row < row_end; row++) {
        uint32_t bit = row - row_begin;
        if ((!bits || (bits[bit / 64] >> (bit % 64) & 1)) && batch->end_ns[row] != 0 &&
            is_monitors(batch, batch->resource[row]))
            rows[count++] = (struct check_row){batch->start_ns[row], row};
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    fg_mutex_lock(&watch->mutex);
    for (uint32_t i = 0; i < count; i++)
        take_check(watch, batch, rows[i].row);
    fg_mutex_unlock(&watch->mutex);
    free(rows);
}

/* -- Who uses what */

static struct service *service_of(struct fg_watch *watch, struct fg_slice name)
{
    for (uint32_t i = 0; i < watch->service_count; i++)
        if (is_text(&watch->services[i]->name, name))
            return watch->services[i];
    return NULL;
}

static bool is_use(const struct use *use, const struct fg_watch_where *where)
{
    return use->kind == where->kind && use->port == where->port &&
           is_text(&use->address, where->address) && is_text(&use->name, where->name);
}

void fg_watch_use(struct fg_watch *watch, struct fg_slice name, const struct fg_watch_where *where,
                  struct fg_slice answers)
{
    if (name.size == 0 || where->address.size == 0)
        return;
    fg_mutex_lock(&watch->mutex);
    struct service *service = service_of(watch, name);
    if (!service && watch->service_count < FG_WATCH_SERVICES_MAX) {
        service = calloc(1, sizeof *service);
        if (service) {
            set_text(&service->name, name);
            watch->services[watch->service_count++] = service;
        }
    }
    uint32_t i = 0;
    while (service && i < service->use_count && !is_use(&service->uses[i], where))
        i++;
    if (service && i == service->use_count) { /* the oldest gives way */
        i = service->use_next;
        service->use_next = (service->use_next + 1) % FG_WATCH_USES_MAX;
        service->use_count += service->use_count < FG_WATCH_USES_MAX;
        service->uses[i] = (struct use){.kind = where->kind, .port = where->port};
        set_text(&service->uses[i].address, where->address);
        set_text(&service->uses[i].name, where->name);
    }
    if (service && answers.size > 0)
        set_text(&service->uses[i].answers, answers);
    fg_mutex_unlock(&watch->mutex);
}

struct fg_watch_text fg_watch_answers(struct fg_watch *watch, const struct fg_watch_where *where)
{
    struct fg_watch_text found = {0};
    fg_mutex_lock(&watch->mutex);
    for (uint32_t i = 0; found.size == 0 && i < watch->service_count; i++)
        for (uint32_t u = 0; found.size == 0 && u < watch->services[i]->use_count; u++)
            if (is_use(&watch->services[i]->uses[u], where))
                found = watch->services[i]->uses[u].answers;
    fg_mutex_unlock(&watch->mutex);
    return found;
}

struct fg_watch_text fg_watch_queue(struct fg_watch *watch, struct fg_slice name)
{
    struct fg_watch_text found = {0};
    fg_mutex_lock(&watch->mutex);
    const struct service *service = service_of(watch, name);
    for (uint32_t i = 0; service && i < service->use_count; i++)
        if (service->uses[i].kind == FG_PLACE_BROKER && service->uses[i].name.size > 0)
            found = service->uses[i].name;
    fg_mutex_unlock(&watch->mutex);
    return found;
}

/* -- Answers */

/* How well a component is the one that is asked for; 0: it is not. */
static unsigned match(const struct component *component, const struct fg_watch_where *where)
{
    if (where->kind != FG_PLACE_NONE && component->kind != where->kind)
        return 0;
    if (where->address.size > 0 && component->address.size > 0 &&
        !is_address(fg_watch_slice(&component->address), where->address))
        return 0;
    if (where->port && component->port == where->port)
        return 3;
    /* a broker is asked at its management's port */
    if (component->kind == FG_PLACE_BROKER)
        return where->address.size > 0 || where->name.size > 0 ? 3 : 0;
    if (where->port && component->port)
        return 0;
    if (where->name.size > 0 && is_text(&component->name, where->name))
        return 2;
    return where->address.size > 0 && component->address.size > 0 ? 1 : 0;
}

static unsigned best_match(const struct fg_watch *watch, const struct fg_watch_where *where)
{
    unsigned best = 0;
    for (uint32_t i = 0; i < watch->component_count; i++) {
        unsigned rank = match(watch->components[i], where);
        best = rank > best ? rank : best;
    }
    return best;
}

static bool touches(const struct fg_watch_sign *sign, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t until_ns = sign->until_ns ? sign->until_ns : sign->last_ns + sign->holds_ns;
    return sign->from_ns <= to_ns && until_ns >= from_ns;
}

/* Of a broker's queues only the one that is asked for. */
static bool is_of_name(const struct fg_watch_sign *sign, struct fg_slice name)
{
    bool is_queues =
        sign->cause == FG_CAUSE_GONE || sign->cause == FG_CAUSE_FALLING_BEHIND ||
        sign->cause == FG_CAUSE_WRONG_ROUTE ||
        (sign->cause == FG_CAUSE_FULL && memmem(sign->text, sign->text_size, "alarm", 5) == NULL);
    if (sign->kind != FG_PLACE_BROKER || name.size == 0 || !is_queues)
        return true;
    if (sign->name.size > 0)
        return is_text(&sign->name, name);
    return memmem(sign->text, sign->text_size, name.data, name.size) != NULL;
}

static void gather(const struct component *component, const struct fg_watch_where *where,
                   uint64_t from_ns, uint64_t to_ns, struct fg_watch_sign *signs, uint32_t *count)
{
    for (uint32_t i = 0; i < component->sign_count; i++) {
        const struct fg_watch_sign *sign = &component->signs[i];
        uint32_t at = *count;
        if (!touches(sign, from_ns, to_ns) || !is_of_name(sign, where->name) ||
            at == FG_WATCH_SIGNS_MAX)
            continue;
        for (; at > 0 && signs[at - 1].from_ns < sign->from_ns; at--)
            signs[at] = signs[at - 1];
        signs[at] = *sign;
        if (where->port) /* as those call it who work with it */
            signs[at].port = where->port;
        (*count)++;
    }
}

static void gather_where(const struct fg_watch *watch, const struct fg_watch_where *where,
                         uint64_t from_ns, uint64_t to_ns, struct fg_watch_sign *signs,
                         uint32_t *count)
{
    unsigned best = best_match(watch, where);
    for (uint32_t i = 0; best > 0 && i < watch->component_count; i++)
        if (match(watch->components[i], where) == best)
            gather(watch->components[i], where, from_ns, to_ns, signs, count);
}

uint32_t fg_watch_signs(struct fg_watch *watch, const struct fg_watch_where *where,
                        uint64_t from_ns, uint64_t to_ns, struct fg_watch_sign *ret_signs)
{
    uint32_t count = 0;
    fg_mutex_lock(&watch->mutex);
    gather_where(watch, where, from_ns, to_ns, ret_signs, &count);
    fg_mutex_unlock(&watch->mutex);
    return count;
}

uint32_t fg_watch_service_signs(struct fg_watch *watch, struct fg_slice name, uint64_t from_ns,
                                uint64_t to_ns, struct fg_watch_sign *ret_signs)
{
    const struct fg_watch_where own = {.kind = FG_PLACE_NONE};
    uint32_t count = 0;
    fg_mutex_lock(&watch->mutex);
    for (uint32_t i = 0; i < watch->component_count; i++) {
        const struct component *component = watch->components[i];
        bool is_own = is_text(&component->service, name) || is_text(&component->monitor, name) ||
                      (component->kind == FG_PLACE_PROCESS && is_text(&component->name, name));
        if (name.size > 0 && is_own)
            gather(component, &own, from_ns, to_ns, ret_signs, &count);
    }
    const struct service *service = service_of(watch, name);
    for (uint32_t i = 0; service && i < service->use_count; i++) {
        const struct use *use = &service->uses[i];
        struct fg_watch_where where = {use->kind, fg_watch_slice(&use->address), use->port,
                                       fg_watch_slice(&use->name)};
        gather_where(watch, &where, from_ns, to_ns, ret_signs, &count);
    }
    fg_mutex_unlock(&watch->mutex);
    return count;
}

enum fg_watch_state fg_watch_state(struct fg_watch *watch, const struct fg_watch_where *where,
                                   uint64_t at_ns)
{
    enum fg_watch_state state = FG_WATCH_NONE;
    fg_mutex_lock(&watch->mutex);
    unsigned best = best_match(watch, where);
    for (uint32_t i = 0; best > 0 && i < watch->component_count; i++) {
        const struct component *component = watch->components[i];
        struct fg_watch_sign signs[FG_WATCH_SIGNS_MAX];
        uint32_t count = 0;
        if (match(component, where) != best)
            continue;
        gather(component, where, at_ns, at_ns, signs, &count);
        bool is_seen = at_ns >= component->watched_ns &&
                       at_ns <= component->checked_ns + component->holds_ns &&
                       !component->is_unknown;
        enum fg_watch_state one = count > 0 ? FG_WATCH_BAD : is_seen ? FG_WATCH_OK : FG_WATCH_GAP;
        if (state == FG_WATCH_NONE || one == FG_WATCH_BAD ||
            (one == FG_WATCH_GAP && state == FG_WATCH_OK))
            state = one;
    }
    fg_mutex_unlock(&watch->mutex);
    return state;
}
