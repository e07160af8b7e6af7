/* Notes in the ring's header which signal ends the process. */
#pragma once

#include "ring.h"

/* Takes over those fatal signals that nobody handles: the note is made, and the signal then does
 * what it would have done. Handlers that the program sets later replace this. Once a process. */
void fg_fault_watch(void);

/* Where the note goes; NULL: nowhere. */
void fg_fault_target(struct fg_ring_header *header);
