/* What somebody accepted of what was learned: a whole flow where none is declared, or deadlines of
 * hops of a declared one. Durable before it is answered, kept by `filigree reindex`. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "journey/flow.h"

struct fg_accepted_hop {
    struct fg_slice step;
    uint64_t print; /* the step's, when it was accepted */
    uint64_t within_ns;
};

struct fg_accepted {
    uint64_t at_ns;
    struct fg_slice by;
    struct fg_slice yaml; /* of a flow; "": of a declared one's hops */
    struct fg_accepted_hop hops[FG_FLOW_STEPS_MAX];
    uint32_t hop_count;
    struct fg_arena arena; /* holds the texts */
};

/* Empty. NULL: no memory. */
struct fg_accepted *fg_accepted_new(void);
void fg_accepted_free(struct fg_accepted *accepted);
/* With texts of its own, in the place of one of the same step. FG_ELIMIT, FG_ENOMEM. */
FG_MUST_CHECK int fg_accepted_add(struct fg_accepted *accepted, struct fg_slice step,
                                  uint64_t print, uint64_t within_ns);
/* 0: none, or the step is another now. */
uint64_t fg_accepted_within_ns(const struct fg_accepted *accepted, struct fg_slice step,
                               uint64_t print);

void fg_accepted_encode(const struct fg_accepted *accepted, struct fg_buffer *out);
/* FG_ECORRUPT, FG_ENOMEM, FG_ELIMIT. */
FG_MUST_CHECK int fg_accepted_decode(struct fg_slice bytes, struct fg_accepted **ret_accepted);
