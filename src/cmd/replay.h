/* Requests of a recording, moved in time so that they seem to be made now. */
#pragma once

#include "base/slice.h"
#include "command.h"

#include <jansson.h>

struct fg_replay {
    uint64_t begin_ns; /* when the recording seems to have begun */
    double speed;      /* its time passes so many times as fast */
    uint64_t first_ns; /* the earliest moment of its first request; 0: none was seen yet */
};

/* Moves every moment of an ExportTraceServiceRequest in OTLP's JSON. Ends that are 0, of open
 * spans, stay. The request's latest moment, moved; 0 where it has none. */
uint64_t fg_replay_move(struct fg_replay *replay, json_t *request);

/* Moves one line. ret_text: free()d by the caller; ret_due_ns: when it is to be sent. FG_EINVALID:
 * it is no JSON object, FG_ENOMEM. */
FG_MUST_CHECK int fg_replay_line(struct fg_replay *replay, struct fg_slice line, char **ret_text,
                                 uint64_t *ret_due_ns);

/* Waits until the clock shows that moment. */
void fg_replay_wait(struct fg_env *env, uint64_t due_ns);
