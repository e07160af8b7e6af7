#include "way.h"

#include "journey/message.h"

#include <stdlib.h>

static struct fg_slice copy(struct fg_arena *arena, struct fg_slice text)
{
    return text.size > 0 ? fg_arena_copy(arena, text) : (struct fg_slice){0};
}

static int find_steps(const struct fg_case *c, struct fg_arena *arena,
                      struct fg_journey_answer *answer)
{
    const struct fg_flow *flow = c->flow;
    uint32_t count = flow ? flow->step_count : 0;
    struct fg_journey_step *steps = fg_arena_calloc(arena, (size_t)count + 1, sizeof *steps);
    if (!steps)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_flow_step *step = &flow->steps[i];
        struct fg_hop_signs hops = fg_neighbours_hops(c->neighbours, c->flow_index, i, UINT64_MAX);
        steps[i] = (struct fg_journey_step){.name = step->name,
                                            .label = step->label,
                                            .labels = step->labels,
                                            .humans = step->humans,
                                            .service = step->service,
                                            .human = step->human,
                                            .optional = step->optional,
                                            .usual_ns = hops.usual_ns,
                                            .cancels = step->ends == FG_FLOW_ENDS_CANCELLED};
        if ((c->reached >> i & 1) == 0)
            continue;
        uint32_t row = c->reached_row[i];
        steps[i].reached_ns = c->reached_ns[i];
        if (row == FG_TREE_NONE)
            continue;
        steps[i].trace_id_high = c->batch->trace_id_high[row];
        steps[i].trace_id_low = c->batch->trace_id_low[row];
        steps[i].span_id = c->batch->span_id[row];
    }
    answer->steps = steps;
    answer->step_count = count;
    return 0;
}

/* -- Stays */

/* The place that a row's time is spent in. */
static struct fg_place place_of(const struct fg_case *c, uint32_t row)
{
    enum fg_place_kind kind = (enum fg_place_kind)c->component[row];
    struct fg_slice peer = fg_case_peer(c, row, FG_KEY_SERVER_ADDRESS);
    if (kind == FG_PLACE_DATABASE) {
        struct fg_slice name = fg_case_text(c, row, FG_KEY_DB_NAMESPACE);
        return (struct fg_place){kind, peer.size > 0 ? peer : name, name};
    }
    if (kind == FG_PLACE_OBJECT_STORE) {
        struct fg_slice bucket = fg_case_text(c, row, FG_KEY_S3_BUCKET);
        return (struct fg_place){kind, peer.size > 0 ? peer : bucket, bucket};
    }
    if (kind != FG_PLACE_PAGE)
        kind = FG_PLACE_APPLICATION;
    return (struct fg_place){kind, fg_case_service(c, row), {0}};
}

static bool is_same_place(const struct fg_case *c, uint32_t a, uint32_t b)
{
    struct fg_place x = place_of(c, a), y = place_of(c, b);
    return x.kind == y.kind && fg_slice_equal(x.service, y.service);
}

/* Whether a row's time is told by a row above it. A failure is told for itself. */
static bool is_inside(const struct fg_case *c, uint32_t row)
{
    uint32_t above = c->parent[row];
    if (above == FG_TREE_NONE || !c->mine[above] || c->batch->kind[row] == FG_SPAN_KIND_CONSUMER)
        return false;
    return is_same_place(c, row, above) && !fg_case_interrupted(c, row);
}

static void put_stay(const struct fg_case *c, uint32_t row, struct fg_arena *arena,
                     struct fg_journey_stay *stay)
{
    struct fg_place place = place_of(c, row);
    *stay = (struct fg_journey_stay){
        .place = {place.kind, copy(arena, place.service), copy(arena, place.name)},
        .operation = copy(arena, fg_case_name(c, row)),
        .by = copy(arena, fg_case_service(c, row)),
        .start_ns = c->batch->start_ns[row],
        .end_ns = c->batch->end_ns[row],
        .trace_id_high = c->batch->trace_id_high[row],
        .trace_id_low = c->batch->trace_id_low[row],
        .span_id = c->batch->span_id[row],
        .failed = fg_case_failed(c, row),
        .interrupted = fg_case_interrupted(c, row)};
}

/* From the publishing to the consuming; FG_TREE_NONE: nobody has taken it yet. */
static void put_queue(const struct fg_case *c, uint32_t publish, uint32_t consumer,
                      struct fg_arena *arena, struct fg_journey_stay *stay)
{
    struct fg_slice destination = fg_case_text(c, publish, FG_KEY_DESTINATION);
    if (destination.size == 0)
        destination = fg_case_name(c, publish);
    put_stay(c, publish, arena, stay);
    stay->place = (struct fg_place){FG_PLACE_BROKER, copy(arena, destination), {0}};
    stay->start_ns = fg_case_moment(c, publish);
    stay->end_ns = consumer == FG_TREE_NONE ? 0 : c->batch->start_ns[consumer];
    if (stay->end_ns && stay->end_ns < stay->start_ns)
        stay->start_ns = stay->end_ns; /* two clocks */
    stay->is_queue = true;
    if (consumer != FG_TREE_NONE)
        stay->taken = fg_case_count_taken(c, publish, consumer, &stay->taken_failed);
}

static int compare_stays(const void *a, const void *b)
{
    const struct fg_journey_stay *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return (x->span_id > y->span_id) - (x->span_id < y->span_id);
}

static int find_stays(const struct fg_case *c, struct fg_arena *arena,
                      struct fg_journey_answer *answer)
{
    struct fg_journey_stay *stays = fg_arena_calloc(arena, FG_JOURNEY_STAYS_MAX, sizeof *stays);
    uint32_t count = 0;
    if (!stays)
        return FG_ELIMIT;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        bool is_publish = c->component[row] == FG_PLACE_PRODUCER && !fg_case_failed(c, row);
        if (!c->mine[row] || (is_inside(c, row) && !is_publish))
            continue;
        if (count == FG_JOURNEY_STAYS_MAX) {
            answer->more_stays = true;
            break;
        }
        if (is_publish)
            put_queue(c, row, fg_case_consumer(c, row), arena, &stays[count++]);
        else
            put_stay(c, row, arena, &stays[count++]);
    }
    qsort(stays, count, sizeof *stays, compare_stays);
    answer->stays = stays;
    answer->stay_count = count;
    return arena->overflow ? FG_ELIMIT : 0;
}

/* -- Queues */

static struct fg_journey_queue *queue_of(struct fg_slice name, struct fg_arena *arena,
                                         struct fg_journey_queue *queues, uint32_t *count)
{
    for (uint32_t i = 0; i < *count; i++)
        if (fg_slice_equal(queues[i].name, name))
            return &queues[i];
    if (*count == FG_JOURNEY_QUEUES_MAX)
        return NULL;
    queues[*count].name = copy(arena, name);
    return &queues[(*count)++];
}

/* A publish, or what came back of one without a confirm. */
static void count_message(const struct fg_case *c, uint32_t row, struct fg_journey_queue *queue)
{
    bool is_publish = c->batch->kind[row] == FG_SPAN_KIND_PRODUCER;
    if (fg_case_failed(c, row)) {
        queue->returned += fg_message_is_returned(fg_case_text(c, row, FG_KEY_ERROR_TYPE),
                                                  fg_case_message(c, row));
        return;
    }
    if (!is_publish)
        return;
    struct fg_deliveries deliveries = fg_case_deliveries(c, row);
    uint64_t sent_ns = fg_case_moment(c, row);
    queue->published++;
    queue->consumed += deliveries.ended_well;
    queue->redelivered += deliveries.redelivered;
    queue->rejected += deliveries.rejected;
    if (deliveries.first_ns > sent_ns)
        queue->waited_ns += deliveries.first_ns - sent_ns;
    if (deliveries.count > 0)
        return;
    queue->waiting++;
    if (queue->waiting_since_ns == 0 || sent_ns < queue->waiting_since_ns)
        queue->waiting_since_ns = sent_ns;
}

static int find_queues(const struct fg_case *c, struct fg_arena *arena,
                       struct fg_journey_answer *answer)
{
    struct fg_journey_queue *queues = fg_arena_calloc(arena, FG_JOURNEY_QUEUES_MAX, sizeof *queues);
    uint32_t count = 0;
    if (!queues)
        return FG_ELIMIT;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        struct fg_slice name = fg_case_text(c, row, FG_KEY_DESTINATION);
        bool is_sent = c->component[row] == FG_PLACE_PRODUCER;
        bool is_back = c->batch->kind[row] == FG_SPAN_KIND_CLIENT && fg_case_failed(c, row) &&
                       fg_case_text(c, row, FG_KEY_MESSAGING_SYSTEM).size > 0;
        if (!c->mine[row] || (!is_sent && !is_back))
            continue;
        struct fg_journey_queue *queue =
            queue_of(name.size > 0 ? name : fg_case_name(c, row), arena, queues, &count);
        if (queue)
            count_message(c, row, queue);
    }
    answer->queues = queues;
    answer->queue_count = count;
    return arena->overflow ? FG_ELIMIT : 0;
}

int fg_way_find(const struct fg_case *c, struct fg_arena *arena, struct fg_journey_answer *answer)
{
    answer->more_stays = false;
    int r = find_steps(c, arena, answer);
    if (r == 0)
        r = find_stays(c, arena, answer);
    return r < 0 ? r : find_queues(c, arena, answer);
}
