#include "service.h"

#include <filigree.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAULTS_SIZE_MAX 1024

const char *service_setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    if (value && *value)
        return value;
    if (!fallback) {
        fprintf(stderr, "%s is not set; demo/up sets it\n", name);
        exit(2);
    }
    return fallback;
}

uint16_t service_port(const char *name)
{
    const char *text = service_setting(name, NULL);
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || port == 0 || port > UINT16_MAX) {
        fprintf(stderr, "%s is no port: %s\n", name, text);
        exit(2);
    }
    return (uint16_t)port;
}

const char *service_trust(void)
{
    const char *file = service_setting("TLS_CA", "");
    return *file ? file : NULL;
}

unsigned long service_faults(const char *service, char *text, unsigned long size)
{
    char path[1024];
    const char *folder = getenv("FAULTS");
    size_t got = 0;
    text[0] = '\0';
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, service) >= (int)sizeof path)
        return 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    got = fread(text, 1, size - 1, file);
    text[got] = '\0';
    fclose(file);
    return got;
}

bool service_fault(const char *service, const char *way)
{
    char text[FAULTS_SIZE_MAX], *rest = text, *line;
    if (service_faults(service, text, sizeof text) == 0)
        return false;
    while ((line = strsep(&rest, "\n")))
        if (strcmp(line, way) == 0)
            return true;
    return false;
}

static void say_diagnostic(void *arg, const char *text)
{
    (void)arg;
    service_say("tracing: %s", text);
}

static void ending_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
}

void service_begin(void)
{
    fg_options options = FG_OPTIONS_INIT;
    sigset_t ending;
    ending_signals(&ending);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN);
    options.diagnostic = say_diagnostic;
    int error = fg_tracing_start(&options);
    if (error < 0)
        service_say("nothing is traced: %s", fg_tracing_error(error));
}

void service_wait(void)
{
    sigset_t ending;
    int number;
    ending_signals(&ending);
    sigwait(&ending, &number);
    service_say("ends: %s", strsignal(number));
}

void service_say(const char *format, ...)
{
    struct timespec now;
    struct tm parts;
    char line[1024];
    va_list arguments;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
    size += (size_t)snprintf(line + size, sizeof line - size, ".%03ldZ ", now.tv_nsec / 1000000);
    va_start(arguments, format);
    vsnprintf(line + size, sizeof line - size, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", line);
}
