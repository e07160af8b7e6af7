/* Monitors that were added while the server runs, by the page or the API: kept in the keyed state
 * as the text that was sent, read by the same parser as a file. */
#pragma once

#include "monitor/config.h"

struct fg_monitors;

/* Takes one monitor's text (YAML or JSON) and runs it from now on, instead of the one of its name
 * that was added before. Durable when it returns 0. secrets: see struct fg_monitor_source.
 * FG_EINVALID with errors; FG_EEXIST: a file declares one of this name; FG_ELIMIT, FG_ENOMEM,
 * FG_EUNSUPPORTED (there is no state), or what a commit returns. */
FG_MUST_CHECK int fg_monitors_add(struct fg_monitors *monitors, const char *secrets,
                                  const char *name, struct fg_slice text, struct fg_buffer *errors);
/* FG_ENOTFOUND; FG_EEXIST: a file declares it; or what a commit returns. */
FG_MUST_CHECK int fg_monitors_drop(struct fg_monitors *monitors, const char *name);

/* At the start, after those of files, which win over one of the same name: all that were added.
 * What can't be taken any more stays where it is, and is said in errors. What was kept of monitors
 * that neither a file nor the API has any more is deleted. */
FG_MUST_CHECK int fg_monitors_load_added(struct fg_monitors *monitors, const char *secrets,
                                         struct fg_buffer *errors);

/* Appends the text as it was sent. FG_ENOTFOUND. */
FG_MUST_CHECK int fg_monitors_added_text(struct fg_monitors *monitors, const char *name,
                                         struct fg_buffer *text);
