/* Which records of the log count. */
#pragma once

#include <stdint.h>

/* Restarts since the last seal that can be told apart; recovery seals when there are so many. */
#define FG_WAL_EPOCHS_MAX 64u

/* Records from first_sequence on, up to the next epoch's, carry this epoch; others are left-overs
 * that a recovery has cut. */
struct fg_wal_epoch {
    uint64_t epoch, first_sequence;
};
