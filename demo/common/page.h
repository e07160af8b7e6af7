/* What the servers give to their pages: the files of the folder PAGES, their configuration, their
 * faults; and /healthz. */
#ifndef DEMO_PAGE_H
#define DEMO_PAGE_H

#include "web.h"

#include <stdbool.h>

bool page_is_one(const char *path);
void page_answer(const struct web_options *options, const char *path, struct web_answer *answer);

#endif
