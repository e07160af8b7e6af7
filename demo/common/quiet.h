/* Background work that is of no order leaves no spans: it runs under a context that is not sampled.
 */
#ifndef DEMO_QUIET_H
#define DEMO_QUIET_H

#include <filigree.h>

/* Until fg_scope_leave(). */
fg_scope quiet_enter(void);

#endif
