/* What was turned away before it could ask for anything. */
#pragma once

#include "base/slice.h"

struct fg_api;

/* For the audit, where there is one yet. address: the client's, without its port. Any thread. */
void fg_turned_away_note(struct fg_api *api, int face, struct fg_slice address, const char *why);
