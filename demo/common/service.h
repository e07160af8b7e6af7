/* What every service of the company does alike: settings from the environment, the switches of its
 * faults, and waiting for the signal that ends it. */
#ifndef DEMO_SERVICE_H
#define DEMO_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* The environment variable, or the fallback where it is absent or empty. A fallback of NULL makes
 * it necessary: the process ends with a sentence that names it. */
const char *service_setting(const char *name, const char *fallback);
/* The same as a port number, 1 to 65535. */
uint16_t service_port(const char *name);

/* The file of whom to believe that it is who it says it is, where TLS is on; else NULL. */
const char *service_trust(void);

/* Whether the file FAULTS/service has the line `way`. It is read anew each time; no folder, no
 * fault. Thread-safe. */
bool service_fault(const char *service, const char *way);
/* All its lines, NUL-terminated, at most size - 1 bytes; 0 where there is no file. */
unsigned long service_faults(const char *service, char *text, unsigned long size);

/* Before any thread begins: SIGTERM and SIGINT will be waited for, and tracing starts. */
void service_begin(void);
/* Returns when one of them has come. */
void service_wait(void);

/* A line to standard error, with the time in front. Thread-safe. */
void service_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
