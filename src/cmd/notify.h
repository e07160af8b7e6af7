/* Tells the service manager how the server does (sd_notify(3): a datagram to the socket that
 * NOTIFY_SOCKET names). */
#pragma once

/* state: lines like "READY=1\nSTATUS=…". Does nothing where no service manager listens. 0,
 * FG_EINVALID where NOTIFY_SOCKET is no socket's name, FG_EIO. */
int fg_notify(const char *state);
