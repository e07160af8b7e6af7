/* Loads the library as a plugin does, uses it, unloads it while its thread runs, and goes on. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include <filigree.h>

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library) {
        fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "no library");
        return 1;
    }
    int (*start)(const fg_options *);
    fg_span (*span_start)(const char *, const fg_span_options *);
    void (*span_end)(fg_span);
    *(void **)&start = dlsym(library, "fg_tracing_start");
    *(void **)&span_start = dlsym(library, "fg_span_start");
    *(void **)&span_end = dlsym(library, "fg_span_end");
    if (!start || !span_start || !span_end || start(NULL) < 0)
        return 1;
    fg_span span = span_start("from.plugin", NULL);
    span_end(span);
    printf("trace 00-");
    for (int i = 0; i < 16; i++)
        printf("%02x", span.trace_id[i]);
    printf("\n");
    if (dlsym(library, "fg_buffer_append"))
        return 2; /* what is internal must not be seen */
    dlclose(library);
    usleep(1500000);
    return 0;
}
