#include "http2.h"

#include "base/error.h"

/* Not spoken yet: the connection ends. */
int fg_http2_start(struct fg_conn *conn)
{
    (void)conn;
    return FG_EUNSUPPORTED;
}
